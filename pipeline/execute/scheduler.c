#include "pipeline/execute/scheduler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct job {
    double not_before; /* of a retry */
    uint32_t group, batch;
    uint64_t together; /* jobs of one batch with this number may run at once; 0: alone */
    size_t most;
    uint8_t state, lane, waits, attempts;
};

/* The engine jobs of one stage and group: members[first .. first + count). */
struct batch {
    enum stage_id stage;
    uint32_t first, count, unsettled;
    bool finished;
};

/* Ready CPU jobs of one stage: a ring with room for every shot. */
struct queue {
    uint32_t *shots;
    size_t head, count;
};

struct scheduler {
    size_t shots;
    unsigned reads[STAGES];
    struct job *jobs; /* [shot][stage] */
    struct batch *batches;
    size_t batch_count, first_batch;  /* batches before first_batch are finished */
    uint32_t *members, *opened, *lot; /* lot: what runs together */
    size_t opened_count;
    struct batch *current; /* open, or being opened; NULL: none */
    size_t cursor;
    bool is_open;
    struct queue queues[STAGES];
    size_t running;
    bool cancelled;
};

static struct job *job_at(const struct scheduler *s, size_t shot, enum stage_id stage)
{
    return &s->jobs[shot * STAGES + stage];
}

struct scheduler *scheduler_new(size_t shots, const unsigned reads[STAGES])
{
    struct scheduler *s = calloc(1, sizeof *s);
    size_t room = shots ? shots : 1;

    if (!s)
        return NULL;
    s->shots = shots;
    memcpy(s->reads, reads, sizeof s->reads);
    s->jobs = calloc(room * STAGES, sizeof *s->jobs);
    s->members = calloc(room * STAGES, sizeof *s->members);
    s->opened = calloc(room, sizeof *s->opened);
    s->lot = calloc(room, sizeof *s->lot);
    for (int i = 0; i < STAGES; i++) {
        s->queues[i].shots = calloc(room, sizeof *s->queues[i].shots);
        if (!s->queues[i].shots)
            goto fail;
    }
    if (!s->jobs || !s->members || !s->opened || !s->lot)
        goto fail;
    return s;
fail:
    scheduler_free(s);
    return NULL;
}

void scheduler_free(struct scheduler *s)
{
    if (!s)
        return;
    for (int i = 0; i < STAGES; i++)
        free(s->queues[i].shots);
    free(s->lot);
    free(s->opened);
    free(s->members);
    free(s->batches);
    free(s->jobs);
    free(s);
}

void scheduler_add(struct scheduler *s, size_t shot, enum stage_id stage, enum lane lane,
                   uint32_t group)
{
    if (lane != LANE_NONE)
        *job_at(s, shot, stage) =
            (struct job){.state = JOB_WAITING, .lane = (uint8_t)lane, .group = group};
}

void scheduler_together(struct scheduler *s, size_t shot, enum stage_id stage, uint64_t number,
                        size_t most)
{
    job_at(s, shot, stage)->together = number;
    job_at(s, shot, stage)->most = most;
}

static void push(struct scheduler *s, size_t shot, enum stage_id stage)
{
    struct queue *q = &s->queues[stage];

    q->shots[(q->head + q->count++) % s->shots] = (uint32_t)shot;
}

static void settle(struct scheduler *s, size_t shot, enum stage_id stage, enum job_state state)
{
    struct job *j = job_at(s, shot, stage);

    j->state = (uint8_t)state;
    if (j->lane == LANE_ENGINE)
        s->batches[j->batch].unsettled--;
    else if (state == JOB_READY)
        push(s, shot, stage);
}

/* A stage of the shot is over: what reads it may be ready, or is blocked. */
static void release(struct scheduler *s, size_t shot, enum stage_id done, bool good)
{
    for (int stage = done + 1; stage < STAGES; stage++) {
        struct job *j = job_at(s, shot, (enum stage_id)stage);

        if (j->state != JOB_WAITING || !(s->reads[stage] & (1u << done)))
            continue;
        if (!good) {
            settle(s, shot, (enum stage_id)stage, JOB_BLOCKED);
            release(s, shot, (enum stage_id)stage, false);
        } else if (--j->waits == 0) {
            settle(s, shot, (enum stage_id)stage, JOB_READY);
        }
    }
}

struct order {
    enum stage_id stage;
    uint32_t group, shot;
};

static int by_stage_group_shot(const void *a, const void *b)
{
    const struct order *x = a, *y = b;

    if (x->stage != y->stage)
        return x->stage < y->stage ? -1 : 1;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->shot < y->shot ? -1 : x->shot > y->shot;
}

static int make_batches(struct scheduler *s, struct error *e)
{
    struct order *order = calloc(s->shots * STAGES + 1, sizeof *order);
    size_t n = 0;

    s->batches = calloc(s->shots * STAGES + 1, sizeof *s->batches);
    if (!order || !s->batches) {
        free(order);
        return error_memory(e);
    }
    for (size_t shot = 0; shot < s->shots; shot++)
        for (int stage = 0; stage < STAGES; stage++) {
            const struct job *j = job_at(s, shot, (enum stage_id)stage);

            if (j->state != JOB_NONE && j->lane == LANE_ENGINE)
                order[n++] = (struct order){(enum stage_id)stage, j->group, (uint32_t)shot};
        }
    qsort(order, n, sizeof *order, by_stage_group_shot);
    for (size_t i = 0; i < n; i++) {
        struct batch *b = s->batches + s->batch_count;

        if (i == 0 || order[i].stage != order[i - 1].stage || order[i].group != order[i - 1].group)
            s->batches[s->batch_count++] =
                (struct batch){.stage = order[i].stage, .first = (uint32_t)i};
        b = s->batches + s->batch_count - 1;
        b->count++;
        b->unsettled++;
        s->members[i] = order[i].shot;
        job_at(s, order[i].shot, order[i].stage)->batch = (uint32_t)s->batch_count - 1;
    }
    free(order);
    return 0;
}

int scheduler_start(struct scheduler *s, struct error *e)
{
    if (make_batches(s, e) != 0)
        return -1;
    for (size_t shot = 0; shot < s->shots; shot++)
        for (int stage = 0; stage < STAGES; stage++) {
            struct job *j = job_at(s, shot, (enum stage_id)stage);

            if (j->state != JOB_WAITING)
                continue;
            for (int before = 0; before < stage; before++)
                if ((s->reads[stage] & (1u << before)) &&
                    job_at(s, shot, (enum stage_id)before)->state != JOB_NONE)
                    j->waits++;
            if (j->waits == 0)
                settle(s, shot, (enum stage_id)stage, JOB_READY);
        }
    return 0;
}

/* The lowest stage that still has engine jobs; STAGES when none has. */
static int engine_stage(struct scheduler *s)
{
    while (s->first_batch < s->batch_count && s->batches[s->first_batch].finished)
        s->first_batch++;
    return s->first_batch < s->batch_count ? (int)s->batches[s->first_batch].stage : STAGES;
}

/* The first batch of the lowest unfinished stage whose jobs all have what they read. Batches of
 * which nothing can run are finished on the way. */
static struct batch *next_batch(struct scheduler *s)
{
    int stage;

    while ((stage = engine_stage(s)) < STAGES) {
        struct batch *found = NULL;
        bool dropped = false;

        for (size_t i = s->first_batch;
             i < s->batch_count && (int)s->batches[i].stage == stage && !found; i++) {
            struct batch *b = &s->batches[i];

            if (b->finished || b->unsettled)
                continue;
            s->opened_count = 0;
            for (uint32_t k = 0; k < b->count; k++)
                if (job_at(s, s->members[b->first + k], b->stage)->state == JOB_READY)
                    s->opened[s->opened_count++] = s->members[b->first + k];
            if (s->opened_count)
                found = b;
            else
                b->finished = dropped = true;
        }
        if (found || !dropped)
            return found;
    }
    return NULL;
}

/* The job at s->cursor, and the later ones of the open batch that may run with it. */
static struct engine_step take(struct scheduler *s, bool alone)
{
    struct engine_step step = {.action = ENGINE_RUN, .stage = s->current->stage, .shots = s->lot};
    const struct job *first = job_at(s, s->opened[s->cursor], step.stage);
    size_t most = alone || !first->together ? 1 : first->most;

    for (size_t i = s->cursor; i < s->opened_count && step.count < most; i++) {
        struct job *j = job_at(s, s->opened[i], step.stage);

        if (j != first && (j->state != JOB_READY || j->attempts || j->together != first->together))
            continue;
        j->state = JOB_RUNNING;
        s->running++;
        s->lot[step.count++] = s->opened[i];
    }
    s->cursor++;
    return step;
}

/* The next job of the open batch: in order first, then what is to be tried again. */
static struct engine_step next_member(struct scheduler *s, double now)
{
    struct engine_step step = {.action = ENGINE_CLOSE, .stage = s->current->stage};

    for (; s->cursor < s->opened_count; s->cursor++) {
        struct job *j = job_at(s, s->opened[s->cursor], step.stage);

        if (j->state == JOB_READY && j->attempts == 0)
            return take(s, false);
    }
    step.wake = INFINITY;
    for (s->cursor = 0; s->cursor < s->opened_count; s->cursor++) {
        struct job *j = job_at(s, s->opened[s->cursor], step.stage);

        if (j->state != JOB_READY)
            continue;
        if (j->not_before <= now)
            return take(s, true);
        step.action = ENGINE_WAIT;
        step.wake = fmin(step.wake, j->not_before);
    }
    return step;
}

struct engine_step scheduler_engine(struct scheduler *s, double now)
{
    struct engine_step step = {.action = ENGINE_END, .wake = INFINITY};

    if (s->current) {
        if (!s->cancelled)
            step = next_member(s, now);
        else
            step = (struct engine_step){.action = ENGINE_CLOSE, .stage = s->current->stage};
        if (step.action == ENGINE_CLOSE) {
            s->current->finished = true;
            s->current = NULL;
        }
        return step;
    }
    if (s->cancelled)
        return step;
    s->current = next_batch(s);
    if (!s->current) {
        if (engine_stage(s) < STAGES)
            step.action = ENGINE_WAIT;
        return step;
    }
    s->cursor = 0;
    return (struct engine_step){.action = ENGINE_OPEN,
                                .stage = s->current->stage,
                                .shots = s->opened,
                                .count = s->opened_count};
}

void scheduler_opened(struct scheduler *s, enum outcome outcome)
{
    struct batch *b = s->current;

    if (outcome == OUTCOME_DONE)
        return;
    for (size_t i = 0; i < s->opened_count; i++) {
        struct job *j = job_at(s, s->opened[i], b->stage);

        j->attempts++;
        if (outcome == OUTCOME_CANCELLED)
            continue;
        j->state = JOB_FAILED;
        release(s, s->opened[i], b->stage, false);
    }
    b->finished = true;
    s->current = NULL;
}

static bool pop(struct scheduler *s, enum stage_id stage, double now, uint32_t *shot, double *wake)
{
    struct queue *q = &s->queues[stage];

    for (size_t i = 0; i < q->count; i++) {
        uint32_t *slot = &q->shots[(q->head + i) % s->shots];
        struct job *j = job_at(s, *slot, stage);

        if (j->not_before > now) {
            *wake = fmin(*wake, j->not_before);
            continue;
        }
        *shot = *slot;
        *slot = q->shots[q->head];
        q->head = (q->head + 1) % s->shots;
        q->count--;
        j->state = JOB_RUNNING;
        s->running++;
        return true;
    }
    return false;
}

bool scheduler_cpu(struct scheduler *s, double now, uint32_t *shot, enum stage_id *stage,
                   double *wake)
{
    int engine = engine_stage(s);

    if (engine == STAGES) /* nobody waits: whatever is nearest to delivery first */
        engine = 0;
    *wake = INFINITY;
    if (s->cancelled)
        return false;
    for (int i = 0; i < STAGES; i++) {
        int at = i < engine ? i : STAGES - 1 - (i - engine);

        if (pop(s, (enum stage_id)at, now, shot, wake)) {
            *stage = (enum stage_id)at;
            return true;
        }
    }
    return false;
}

bool scheduler_finished(struct scheduler *s, size_t shot, enum stage_id stage, enum outcome outcome,
                        double now)
{
    struct job *j = job_at(s, shot, stage);

    s->running--;
    j->attempts++;
    if (outcome == OUTCOME_DONE) {
        j->state = JOB_DONE;
        release(s, shot, stage, true);
        return false;
    }
    if (outcome == OUTCOME_CANCELLED) {
        j->state = JOB_READY;
        return false;
    }
    if (outcome == OUTCOME_TRANSIENT && j->attempts < ATTEMPTS && !s->cancelled) {
        j->state = JOB_READY;
        j->not_before = now + (1 << (2 * (j->attempts - 1))); /* 1 s, then 4 s */
        if (j->lane == LANE_CPU)
            push(s, shot, stage);
        return true;
    }
    j->state = JOB_FAILED;
    release(s, shot, stage, false);
    return false;
}

bool scheduler_drop(struct scheduler *s, size_t shot, enum stage_id stage)
{
    if (job_at(s, shot, stage)->state != JOB_WAITING)
        return false;
    settle(s, shot, stage, JOB_NONE);
    release(s, shot, stage, true);
    return true;
}

void scheduler_cancel(struct scheduler *s)
{
    s->cancelled = true;
}

bool scheduler_over(const struct scheduler *s)
{
    if (s->running || s->current)
        return false;
    if (s->cancelled)
        return true;
    for (int i = 0; i < STAGES; i++)
        if (s->queues[i].count)
            return false;
    for (size_t i = s->first_batch; i < s->batch_count; i++)
        if (!s->batches[i].finished)
            return false;
    return true;
}

enum job_state scheduler_state(const struct scheduler *s, size_t shot, enum stage_id stage)
{
    return (enum job_state)job_at(s, shot, stage)->state;
}

unsigned scheduler_attempts(const struct scheduler *s, size_t shot, enum stage_id stage)
{
    return job_at(s, shot, stage)->attempts;
}
