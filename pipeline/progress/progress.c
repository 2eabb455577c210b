#include "pipeline/progress/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void progress_init(struct progress *p, const struct stage_env *env,
                   const struct stage *const *stages, int jobs, const struct cost_table *costs)
{
    *p = (struct progress){.env = env, .stages = stages, .jobs = jobs, .costs = *costs};
}

static const struct shot *shot_at(const struct progress *p, size_t shot)
{
    return &p->env->board->shots[shot];
}

static int tier_of(struct progress *p, size_t shot)
{
    return cost_tier(&p->costs, cost_tier_name(p->env, shot_at(p, shot)));
}

/* Counts the jobs that the plan wants run; again after shots broke. */
static void count_plan(struct progress *p, const struct plan *plan)
{
    for (size_t shot = 0; shot < plan->shots; shot++) {
        bool wanted = false, run = false;

        for (int i = 0; i < STAGES; i++) {
            const struct plan_job *j = plan_job(plan, shot, i);
            struct stage_progress *s = &p->stage[i];
            int tier;

            wanted |= j->verdict != VERDICT_SKIP;
            run |= j->verdict == VERDICT_RUN || j->verdict == VERDICT_BROKEN;
            if (j->verdict != VERDICT_RUN)
                continue;
            tier = tier_of(p, shot);
            s->total++;
            s->remaining_jobs[tier]++;
            s->remaining_frames[tier] += shot_at(p, shot)->frames;
            s->engine[tier] = j->lane == LANE_ENGINE;
        }
        p->shots += wanted;
        p->delivered += wanted && !run;
    }
}

static void settle(struct progress *p, size_t shot, enum stage_id stage)
{
    struct stage_progress *s = &p->stage[stage];
    int tier = tier_of(p, shot);

    if (!s->remaining_jobs[tier])
        return;
    s->remaining_frames[tier] -= shot_at(p, shot)->frames;
    if (--s->remaining_jobs[tier] == 0)
        s->remaining_frames[tier] = 0;
}

struct in_hand *progress_in_hand(struct progress *p, size_t shot, enum stage_id stage)
{
    for (size_t i = 0; i < p->in_hand_count; i++)
        if (p->in_hand[i].shot == shot && p->in_hand[i].stage == stage)
            return &p->in_hand[i];
    return NULL;
}

static void put_down(struct progress *p, size_t shot, enum stage_id stage)
{
    struct in_hand *h = progress_in_hand(p, shot, stage);

    if (h)
        memmove(h, h + 1, sizeof *h * (size_t)(p->in_hand + --p->in_hand_count - h));
}

static void started(struct progress *p, const struct event *event)
{
    struct stage_progress *s = &p->stage[event->stage];

    if (s->first_start == 0)
        s->first_start = event->at;
    if (p->in_hand_count < PROGRESS_IN_HAND)
        p->in_hand[p->in_hand_count++] = (struct in_hand){.shot = event->shot,
                                                          .stage = event->stage,
                                                          .started = event->at,
                                                          .again = event->attempt > 1,
                                                          .told = -INFINITY};
}

static void moved(struct progress *p, const struct event *event)
{
    struct in_hand *h = progress_in_hand(p, event->shot, event->stage);

    if (!h)
        return;
    if (h->moved == 0 || strcmp(h->unit, event->unit) != 0 || event->done < h->done) {
        h->from = event->at;
        h->from_done = event->done;
        snprintf(h->unit, sizeof h->unit, "%s", event->unit);
    }
    h->moved = event->at;
    h->done = event->done;
    h->total = event->total;
}

static void failed(struct progress *p, const struct event *event)
{
    put_down(p, event->shot, event->stage);
    if (event->retry)
        return;
    p->failed++;
    for (int i = (int)event->stage; i < STAGES; i++) {
        bool blocked = i == (int)event->stage;

        /* What reads the stage, directly or through another, is not made either. */
        for (int k = (int)event->stage; k < i; k++)
            blocked |= (p->stages[i]->reads & (1u << k)) != 0;
        if (!blocked || plan_job(event->plan, event->shot, i)->verdict != VERDICT_RUN)
            continue;
        settle(p, event->shot, (enum stage_id)i);
        p->stage[i].failed++;
    }
}

static void finished(struct progress *p, const struct event *event)
{
    struct stage_progress *s = &p->stage[event->stage];

    put_down(p, event->shot, event->stage);
    settle(p, event->shot, event->stage);
    s->done++;
    s->last_finish = event->at;
    cost_learn(&p->costs, event->stage, tier_of(p, event->shot), shot_at(p, event->shot)->frames,
               event->seconds, true);
}

/* A job that was counted need not run. */
static void dropped(struct progress *p, const struct event *event)
{
    settle(p, event->shot, event->stage);
    p->stage[event->stage].total--;
}

void progress_event(struct progress *p, const struct event *event)
{
    switch (event->kind) {
    case EVENT_BEGIN:
        p->began = event->at;
        count_plan(p, event->plan);
        break;
    case EVENT_BROKEN:
        p->failed++;
        break;
    case EVENT_OPEN:
        p->stage[event->stage].loading_since = p->stage[event->stage].load_told = event->at;
        p->stage[event->stage].loaded = p->stage[event->stage].to_load = 0;
        break;
    case EVENT_LOADING:
        p->stage[event->stage].loaded = event->done;
        p->stage[event->stage].to_load = event->total;
        break;
    case EVENT_OPENED:
        p->stage[event->stage].loading_since = 0;
        break;
    case EVENT_START:
        started(p, event);
        break;
    case EVENT_PROGRESS:
        moved(p, event);
        break;
    case EVENT_FINISH:
        finished(p, event);
        break;
    case EVENT_FRESH:
        dropped(p, event);
        break;
    case EVENT_FAILED:
        failed(p, event);
        break;
    case EVENT_DELIVERED:
        p->delivered++;
        break;
    case EVENT_NOTE:
    case EVENT_MENDED:
    case EVENT_INTERRUPT:
    case EVENT_TICK:
    case EVENT_END:
        break;
    }
}

bool progress_load_is_due(struct progress *p, const struct event *event, double every)
{
    struct stage_progress *at = &p->stage[event->stage];

    if (event->at - at->load_told < every)
        return false;
    at->load_told = event->at;
    return true;
}

static int known_tier(const struct progress *p, size_t shot)
{
    const char *name = cost_tier_name(p->env, shot_at(p, shot));
    int i = 0;

    while (i < p->costs.tier_count - 1 && strncmp(p->costs.tiers[i], name, COST_NAME - 1) != 0)
        i++;
    return i;
}

/* Seconds the whole job takes by its own rate; NAN: it has not moved. A job that may have begun at
 * a checkpoint tells its rate only by moving on from there. */
static double own_rate(const struct in_hand *h)
{
    if (h->moved == 0 || h->total <= 0 || h->done <= 0)
        return NAN;
    if (h->done > h->from_done)
        return (h->moved - h->from) * h->total / (h->done - h->from_done);
    return h->again ? NAN : (h->moved - h->started) * h->total / h->done;
}

/* Seconds a frame takes by a stage's jobs in hand, of one tier or (-1) of any; NAN: not known. */
static double frame_in_hand(const struct progress *p, enum stage_id stage, int tier)
{
    double seconds = NAN;

    for (size_t i = 0; i < p->in_hand_count && isnan(seconds); i++) {
        const struct in_hand *h = &p->in_hand[i];

        if (h->stage == stage && (tier < 0 || known_tier(p, h->shot) == tier))
            seconds = own_rate(h) / shot_at(p, h->shot)->frames;
    }
    return seconds;
}

/* As measured, or as the first job of its kind goes. */
static double measured_frame(const struct progress *p, enum stage_id stage, int tier)
{
    double seconds = cost_of(&p->costs, stage, tier, 1);

    return isnan(seconds) ? frame_in_hand(p, stage, tier) : seconds;
}

static double guessed_frame(const struct progress *p, enum stage_id stage, int tier)
{
    const struct board *board = p->env->board;
    double guess = cost_guess(&p->costs, stage, measured_frame(p, STAGE_GENERATE, tier),
                              (double)board->width * board->height / 1e6);

    return isnan(guess) ? frame_in_hand(p, stage, -1) : guess;
}

/* What is done of a job in hand, in seconds of its whole: by its share, and between two steps by
 * the clock, of one step at most. */
static double done_of(const struct in_hand *h, double whole, double now)
{
    if (h->total <= 0)
        return fmin(now - h->started, whole);
    return whole * fmin(h->done / h->total, 1) +
           (h->done < h->total ? fmin(now - h->moved, whole / h->total) : 0);
}

/* Seconds of work; `guessed` of them are of kinds that were never measured. */
struct work {
    double left, guessed;
};

/* The work left in one lane of one stage; NAN when nothing tells how long some of it takes. */
static struct work work_left(const struct progress *p, enum stage_id stage, bool engine, double now)
{
    const struct stage_progress *s = &p->stage[stage];
    struct work sum = {0};

    for (int tier = 0; tier < p->costs.tier_count; tier++) {
        double each, left;
        bool guess;

        if (!s->remaining_jobs[tier] || s->engine[tier] != engine)
            continue;
        each = measured_frame(p, stage, tier);
        guess = isnan(each);
        if (guess)
            each = guessed_frame(p, stage, tier);
        left = each * s->remaining_frames[tier];
        for (size_t i = 0; i < p->in_hand_count; i++) {
            const struct in_hand *h = &p->in_hand[i];

            if (h->stage == stage && known_tier(p, h->shot) == tier)
                left -= done_of(h, each * shot_at(p, h->shot)->frames, now);
        }
        left = isnan(left) ? NAN : fmax(left, 0);
        sum.left += left;
        sum.guessed += guess ? left : 0;
    }
    return sum;
}

static double tell_about(double left, struct work engine, struct work pool, bool *about)
{
    if (about)
        *about = engine.guessed + pool.guessed > 0.1 * (engine.left + pool.left);
    return left;
}

double progress_stage_left(const struct progress *p, enum stage_id stage, double now, bool *about)
{
    struct work engine = work_left(p, stage, true, now), pool = work_left(p, stage, false, now);
    double left = engine.left + pool.left; /* NAN where either is */

    if (!isnan(left))
        left = fmax(engine.left, pool.left / p->jobs);
    return tell_about(left, engine, pool, about);
}

double progress_left(const struct progress *p, double now, bool *about)
{
    struct work engine = {0}, pool = {0};
    size_t undelivered = p->shots - p->delivered - p->failed;
    double left;

    for (int i = 0; i < STAGES; i++) {
        struct work e = work_left(p, (enum stage_id)i, true, now);
        struct work c = work_left(p, (enum stage_id)i, false, now);

        engine = (struct work){engine.left + e.left, engine.guessed + e.guessed};
        pool = (struct work){pool.left + c.left, pool.guessed + c.guessed};
    }
    left = engine.left;
    /* The last shot of the engine still has its own pool work before it. */
    if (left > 0 && undelivered > 0)
        left += pool.left / (double)undelivered;
    if (!isnan(engine.left + pool.left))
        left = fmax(left, pool.left / p->jobs);
    else
        left = NAN;
    return tell_about(left, engine, pool, about);
}

void duration_text(double seconds, char out[24])
{
    long s;

    if (isnan(seconds) || seconds < 0 || seconds > 1e7) {
        out[0] = '\0';
        return;
    }
    s = lround(seconds);
    if (seconds < 10)
        snprintf(out, 24, "%.1f s", seconds);
    else if (s < 60)
        snprintf(out, 24, "%ld s", s);
    else if (s < 3600)
        snprintf(out, 24, "%ld:%02ld", s / 60, s % 60);
    else
        snprintf(out, 24, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

const char *failure_text(const char *text, const char *stage)
{
    size_t n = strlen(stage);

    return strncmp(text, stage, n) == 0 && strncmp(text + n, ": ", 2) == 0 ? text + n + 2 : text;
}
