#include "pipeline/execute/lanes.h"

#include <math.h>
#include <time.h>

#include "pipeline/execute/job.h"

static const double TICK = 0.1; /* seconds */

static void wait_until(struct executor *x, double wake)
{
    double pause = fmin(wake - clock_monotonic(), 3600);
    struct timespec t;

    if (pause <= 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &t);
    pause += (double)t.tv_nsec / 1e9;
    t.tv_sec += (time_t)pause;
    t.tv_nsec = (long)((pause - floor(pause)) * 1e9);
    pthread_cond_timedwait(&x->changed, &x->mutex, &t);
}

/* Nothing more is started. With the mutex held. */
static void halt_now(struct executor *x, const struct error *e)
{
    if (x->result.halt.code == ERROR_NONE)
        x->result.halt = *e;
    atomic_store(&x->cancel, true);
    scheduler_cancel(x->scheduler);
    pthread_cond_broadcast(&x->changed);
}

/* The same where the mutex is not held. */
static void halt(struct executor *x, const struct error *e)
{
    pthread_mutex_lock(&x->mutex);
    halt_now(x, e);
    pthread_mutex_unlock(&x->mutex);
}

static enum outcome outcome_of(struct executor *x, const struct job_report *report,
                               const struct error *e)
{
    if (e->code == ERROR_NONE)
        return OUTCOME_DONE;
    if (e->code == ERROR_CANCELLED && atomic_load(&x->cancel))
        return OUTCOME_CANCELLED;
    if (report->unrecorded)
        return OUTCOME_FAILED;
    return e->code == ERROR_IO || e->code == ERROR_MEMORY ? OUTCOME_TRANSIENT : OUTCOME_FAILED;
}

/* Tells what became of a job. With the mutex held. */
static void report_job(struct executor *x, size_t shot, enum stage_id stage, enum outcome outcome,
                       bool retry, const struct job_report *report, const struct error *e)
{
    struct event event = {.kind = EVENT_FINISH,
                          .shot = shot,
                          .stage = stage,
                          .attempt = report->attempt,
                          .seconds = report->seconds,
                          .peak_kib = report->peak_kib};

    if (outcome == OUTCOME_CANCELLED)
        return;
    if (outcome == OUTCOME_DONE) {
        x->result.made++;
        lanes_emit(x, event);
        if (stage == plan_last_stage(x->x->plan, shot))
            lanes_emit(x, (struct event){.kind = EVENT_DELIVERED, .shot = shot, .stage = stage});
        return;
    }
    event.kind = EVENT_FAILED;
    event.error = e;
    event.retry = retry;
    lanes_emit(x, event);
}

/* A job is done: those that waited to see what it made may be up to date. Their bits. With the
 * mutex held, before the scheduler hears that the job is done. */
static unsigned drop_fresh(struct executor *x, size_t shot, enum stage_id stage)
{
    struct error e = {0};
    unsigned fresh = 0, dropped = 0;

    /* Without their keys nothing may be made: what was made is recorded, the next run goes on. */
    if (plan_settle(x->x->plan, x->x->setup, shot, stage, &fresh, &e) != 0) {
        halt_now(x, &e);
        return 0;
    }
    for (int i = STAGES - 1; i > (int)stage; i--)
        if ((fresh & (1u << i)) && scheduler_drop(x->scheduler, shot, (enum stage_id)i))
            dropped |= 1u << i;
    return dropped;
}

static void report_fresh(struct executor *x, size_t shot, unsigned fresh)
{
    for (int i = 0; i < STAGES; i++)
        if (fresh & (1u << i))
            lanes_emit(
                x, (struct event){.kind = EVENT_FRESH, .shot = shot, .stage = (enum stage_id)i});
    if (fresh & (1u << plan_last_stage(x->x->plan, shot)))
        lanes_emit(x, (struct event){.kind = EVENT_DELIVERED, .shot = shot});
}

static void tell_start(struct executor *x, size_t shot, enum stage_id stage)
{
    struct arena arena = {0};

    lanes_emit(x,
               (struct event){.kind = EVENT_START,
                              .shot = shot,
                              .stage = stage,
                              .attempt = scheduler_attempts(x->scheduler, shot, stage) + 1,
                              .reason = plan_reason(x->x->plan, x->x->setup, shot, stage, &arena)});
    arena_free(&arena);
}

/* A job has run. With the mutex held. */
static void settle_job(struct executor *x, size_t shot, enum stage_id stage,
                       const struct job_report *report, const struct error *e)
{
    enum outcome outcome = outcome_of(x, report, e);
    unsigned fresh = outcome == OUTCOME_DONE ? drop_fresh(x, shot, stage) : 0;
    bool retry = scheduler_finished(x->scheduler, shot, stage, outcome, clock_monotonic());

    report_job(x, shot, stage, outcome, retry, report, e);
    report_fresh(x, shot, fresh);
}

/* Runs the jobs of some shots, at once, in the slots from `at`. The mutex is held on entry and on
 * return, not between. */
static void run_jobs(struct executor *x, size_t at, const uint32_t *shots, size_t count,
                     enum stage_id stage, void *session)
{
    struct job_report reports[STAGE_BATCH_MOST];
    struct error errors[STAGE_BATCH_MOST];

    for (size_t i = 0; i < count; i++) {
        x->slots[at + i] = (struct slot){.busy = true, .shot = shots[i], .stage = stage};
        tell_start(x, shots[i], stage);
    }
    pthread_mutex_unlock(&x->mutex);
    runner_run(&x->runner, shots, count, stage, session, reports, errors);
    for (size_t i = 0; i < count; i++)
        if (errors[i].code != ERROR_NONE && reports[i].unrecorded)
            halt(x, &errors[i]);
    pthread_mutex_lock(&x->mutex);
    for (size_t i = 0; i < count; i++) {
        x->slots[at + i].busy = false;
        settle_job(x, shots[i], stage, &reports[i], &errors[i]);
    }
    pthread_cond_broadcast(&x->changed);
}

static void *pool_thread(void *arg)
{
    struct worker *w = arg;
    struct executor *x = w->executor;

    pthread_mutex_lock(&x->mutex);
    while (!scheduler_over(x->scheduler)) {
        enum stage_id stage;
        uint32_t shot;
        double wake;

        if (scheduler_cpu(x->scheduler, clock_monotonic(), &shot, &stage, &wake))
            run_jobs(x, w->slot, &shot, 1, stage, NULL);
        else
            wait_until(x, wake);
    }
    pthread_cond_broadcast(&x->changed);
    pthread_mutex_unlock(&x->mutex);
    return NULL;
}

/* The group's model did not load: that is every shot's failure. The mutex is not held. */
static void refuse_group(struct executor *x, const struct engine_step *step, const struct error *e)
{
    for (size_t i = 0; i < step->count; i++) {
        struct job_report report = {.attempt = 1};
        struct error why = {0};

        if (runner_refuse(&x->runner, step->shots[i], step->stage, e->text, &why) != 0) {
            halt(x, &why);
            return;
        }
        pthread_mutex_lock(&x->mutex);
        report_job(x, step->shots[i], step->stage, OUTCOME_FAILED, false, &report, e);
        pthread_mutex_unlock(&x->mutex);
    }
}

/* The engine's job that the next group begins with; STAGES: there is none. With the mutex held. */
static enum stage_id next_group(const struct executor *x, const struct engine_step *open,
                                size_t *shot)
{
    const struct plan *plan = x->x->plan;
    uint32_t now = plan_job(plan, open->shots[0], open->stage)->group, best = UINT32_MAX;

    for (int i = (int)open->stage; i < STAGES; i++, best = UINT32_MAX) {
        for (size_t k = 0; k < plan->shots; k++) {
            const struct plan_job *j = plan_job(plan, k, i);
            enum job_state state = scheduler_state(x->scheduler, k, (enum stage_id)i);

            if (j->lane != LANE_ENGINE || (state != JOB_WAITING && state != JOB_READY) ||
                (i == (int)open->stage && j->group == now) || j->group >= best)
                continue;
            best = j->group;
            *shot = k;
        }
        if (best != UINT32_MAX)
            return (enum stage_id)i;
    }
    return STAGES;
}

/* While this group works, what the next one loads comes from the disk. With the mutex held. */
static void prefetch_next(struct executor *x, const struct engine_step *open)
{
    size_t shot = 0;
    enum stage_id stage = next_group(x, open, &shot);
    const struct stage *about = stage < STAGES ? x->x->setup->stages[stage] : NULL;

    if (!about || !about->soon)
        return;
    x->prefetch = prefetch_new();
    if (x->prefetch)
        about->soon(x->x->setup->env, &x->x->setup->env->board->shots[shot], x->prefetch);
    prefetch_start(x->prefetch);
}

/* What is loaded now is read by whoever loads it. With the mutex held. */
static void prefetch_end(struct executor *x)
{
    prefetch_free(x->prefetch);
    x->prefetch = NULL;
}

static void open_group(struct executor *x, const struct engine_step *step, void **session)
{
    const struct plan_job *first = plan_job(x->x->plan, step->shots[0], step->stage);
    struct event event = {.kind = EVENT_OPEN,
                          .stage = step->stage,
                          .shot = step->shots[0],
                          .group = x->x->plan->groups[first->group],
                          .count = step->count};
    bool loads = event.group[0] && x->x->setup->stages[step->stage]->open;
    enum outcome outcome = OUTCOME_DONE;
    double from = clock_monotonic();
    struct error e = {0};

    prefetch_end(x);
    if (loads)
        lanes_emit(x, event);
    pthread_mutex_unlock(&x->mutex);
    if (runner_open(&x->runner, step->stage, step->shots, step->count, session, &e) != 0) {
        outcome = e.code == ERROR_CANCELLED && atomic_load(&x->cancel) ? OUTCOME_CANCELLED
                                                                       : OUTCOME_FAILED;
        *session = NULL;
        if (outcome == OUTCOME_FAILED)
            refuse_group(x, step, &e);
    }
    pthread_mutex_lock(&x->mutex);
    x->loading.moved = false;
    event.kind = EVENT_OPENED;
    event.seconds = clock_monotonic() - from;
    if (loads && outcome == OUTCOME_DONE)
        lanes_emit(x, event);
    if (outcome == OUTCOME_DONE)
        prefetch_next(x, step);
    scheduler_opened(x->scheduler, outcome);
    pthread_cond_broadcast(&x->changed);
}

static void *engine_thread(void *arg)
{
    struct worker *w = arg;
    struct executor *x = w->executor;
    void *session = NULL;

    pthread_mutex_lock(&x->mutex);
    for (;;) {
        struct engine_step step = scheduler_engine(x->scheduler, clock_monotonic());

        if (step.action == ENGINE_END)
            break;
        if (step.action == ENGINE_OPEN || step.action == ENGINE_RUN)
            x->engine_at = step.stage;
        if (step.action == ENGINE_OPEN) {
            open_group(x, &step, &session);
        } else if (step.action == ENGINE_RUN) {
            run_jobs(x, w->slot, step.shots, step.count, step.stage, session);
        } else if (step.action == ENGINE_CLOSE) {
            pthread_mutex_unlock(&x->mutex);
            runner_close(&x->runner, step.stage, session);
            session = NULL;
            pthread_mutex_lock(&x->mutex);
        } else {
            wait_until(x, step.wake);
        }
    }
    prefetch_end(x);
    pthread_cond_broadcast(&x->changed);
    pthread_mutex_unlock(&x->mutex);
    return NULL;
}

/* The caller's thread: ticks until everything is over. */
static void watch(struct executor *x)
{
    pthread_mutex_lock(&x->mutex);
    while (!scheduler_over(x->scheduler)) {
        wait_until(x, clock_monotonic() + TICK);
        if (!x->result.interrupted && x->x->interrupted()) {
            x->result.interrupted = true;
            atomic_store(&x->cancel, true);
            scheduler_cancel(x->scheduler);
            lanes_emit(x, (struct event){.kind = EVENT_INTERRUPT});
            pthread_cond_broadcast(&x->changed);
        }
        if (x->loading.moved)
            lanes_emit(x, (struct event){.kind = EVENT_LOADING,
                                         .stage = x->engine_at,
                                         .done = (double)x->loading.done,
                                         .total = (double)x->loading.total});
        x->loading.moved = false;
        for (size_t i = 0; i < SLOTS; i++) {
            struct slot *s = &x->slots[i];

            if (!s->busy || !s->moved)
                continue;
            s->moved = false;
            lanes_emit(x, (struct event){.kind = EVENT_PROGRESS,
                                         .shot = s->shot,
                                         .stage = s->stage,
                                         .done = s->done,
                                         .total = s->total,
                                         .unit = s->unit});
        }
        lanes_emit(x, (struct event){.kind = EVENT_TICK});
    }
    pthread_mutex_unlock(&x->mutex);
}

int lanes_run(struct executor *x, struct error *e)
{
    int pool = x->x->jobs < MOST_JOBS ? x->x->jobs : MOST_JOBS, started = 0, rc = 0;

    for (int i = 0; i <= pool && rc == 0; i++) {
        struct worker *w = &x->workers[i];
        bool engine = i == pool;

        *w = (struct worker){.executor = x, .slot = (size_t)i};
        if (pthread_create(&w->thread, NULL, engine ? engine_thread : pool_thread, w) != 0)
            rc = error_set(e, ERROR_MEMORY, "cannot start a thread");
        else
            started++;
    }
    if (rc == 0) {
        watch(x);
    } else {
        struct error why = *e;

        halt(x, &why);
    }
    for (int i = 0; i < started; i++)
        pthread_join(x->workers[i].thread, NULL);
    return rc;
}
