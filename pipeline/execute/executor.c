#include "pipeline/execute/executor.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/base/file.h"
#include "pipeline/execute/cleanup.h"
#include "pipeline/execute/job.h"
#include "pipeline/execute/runner.h"
#include "pipeline/execute/scheduler.h"

enum { MOST_JOBS = 256 };
static const double TICK = 0.1;

/* What a running job last said. */
struct slot {
    bool busy, moved;
    size_t shot;
    enum stage_id stage;
    double done, total;
    char unit[16];
};

struct worker {
    struct executor *executor;
    size_t slot;
    pthread_t thread;
};

struct executor {
    const struct execution *x;
    struct scheduler *scheduler;
    struct runner runner;
    struct peak_meter peak;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct slot slots[MOST_JOBS + 1]; /* of the pool, then the engine's */
    struct worker workers[MOST_JOBS + 1];
    struct execution_result result;
    atomic_bool cancel; /* what stages see; set by the interrupt and by a halt */
};

static const struct shot *shot_of(const struct executor *x, size_t shot)
{
    return &x->x->setup->env->board->shots[shot];
}

/* Fills in what every event has. With the mutex held. */
static void emit(struct executor *x, struct event event)
{
    event.at = clock_monotonic();
    if (event.kind != EVENT_BEGIN && event.kind != EVENT_TICK && event.kind != EVENT_END &&
        event.kind != EVENT_INTERRUPT) {
        event.shot_id = shot_of(x, event.shot)->id;
        event.stage_name = x->x->setup->stages[event.stage]->name;
    }
    event.plan = x->x->plan;
    x->x->sink.emit(x->x->sink.ctx, &event);
}

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

static bool is_cancelled(void *ctx)
{
    struct executor *x = ctx;

    return atomic_load(&x->cancel);
}

static void on_progress(void *ctx, size_t shot, enum stage_id stage, double done, double total,
                        const char *unit)
{
    struct executor *x = ctx;

    pthread_mutex_lock(&x->mutex);
    for (size_t i = 0; i <= MOST_JOBS; i++) {
        struct slot *s = &x->slots[i];

        if (!s->busy || s->shot != shot || s->stage != stage)
            continue;
        s->moved = true;
        s->done = done;
        s->total = total;
        strncpy(s->unit, unit, sizeof s->unit - 1);
        break;
    }
    pthread_mutex_unlock(&x->mutex);
}

/* Nothing more is started. The mutex is not held. */
static void halt(struct executor *x, const struct error *e)
{
    pthread_mutex_lock(&x->mutex);
    if (x->result.halt.code == ERROR_NONE)
        x->result.halt = *e;
    atomic_store(&x->cancel, true);
    scheduler_cancel(x->scheduler);
    pthread_cond_broadcast(&x->changed);
    pthread_mutex_unlock(&x->mutex);
}

static enum outcome outcome_of(struct executor *x, int rc, const struct job_report *report,
                               const struct error *e)
{
    if (rc == 0)
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
        emit(x, event);
        if (stage == plan_last_stage(x->x->plan, shot))
            emit(x, (struct event){.kind = EVENT_DELIVERED, .shot = shot, .stage = stage});
        return;
    }
    event.kind = EVENT_FAILED;
    event.error = e;
    event.retry = retry;
    emit(x, event);
}

/* Runs one job in slot `at`. The mutex is held on entry and on return, not between. */
static void run_job(struct executor *x, size_t at, size_t shot, enum stage_id stage, void *session)
{
    struct arena arena = {0};
    struct job_report report;
    struct error e = {0};
    enum outcome outcome;
    bool retry;
    int rc;

    x->slots[at] = (struct slot){.busy = true, .shot = shot, .stage = stage};
    emit(x, (struct event){.kind = EVENT_START,
                           .shot = shot,
                           .stage = stage,
                           .attempt = scheduler_attempts(x->scheduler, shot, stage) + 1,
                           .reason = plan_reason(x->x->plan, x->x->setup, shot, stage, &arena)});
    arena_free(&arena);
    pthread_mutex_unlock(&x->mutex);
    rc = runner_run(&x->runner, shot, stage, session, &report, &e);
    if (rc != 0 && report.unrecorded)
        halt(x, &e);
    pthread_mutex_lock(&x->mutex);
    x->slots[at].busy = false;
    outcome = outcome_of(x, rc, &report, &e);
    retry = scheduler_finished(x->scheduler, shot, stage, outcome, clock_monotonic());
    report_job(x, shot, stage, outcome, retry, &report, &e);
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
            run_job(x, w->slot, shot, stage, NULL);
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

    if (loads)
        emit(x, event);
    pthread_mutex_unlock(&x->mutex);
    if (runner_open(&x->runner, step->stage, step->shots, step->count, session, &e) != 0) {
        outcome = e.code == ERROR_CANCELLED && atomic_load(&x->cancel) ? OUTCOME_CANCELLED
                                                                       : OUTCOME_FAILED;
        *session = NULL;
        if (outcome == OUTCOME_FAILED)
            refuse_group(x, step, &e);
    }
    pthread_mutex_lock(&x->mutex);
    event.kind = EVENT_OPENED;
    event.seconds = clock_monotonic() - from;
    if (loads && outcome == OUTCOME_DONE)
        emit(x, event);
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
        if (step.action == ENGINE_OPEN) {
            open_group(x, &step, &session);
        } else if (step.action == ENGINE_RUN) {
            run_job(x, w->slot, step.shots[0], step.stage, session);
        } else if (step.action == ENGINE_CLOSE) {
            pthread_mutex_unlock(&x->mutex);
            runner_close(&x->runner, step.stage, session);
            session = NULL;
            pthread_mutex_lock(&x->mutex);
        } else {
            wait_until(x, step.wake);
        }
    }
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
            emit(x, (struct event){.kind = EVENT_INTERRUPT});
            pthread_cond_broadcast(&x->changed);
        }
        for (size_t i = 0; i <= MOST_JOBS; i++) {
            struct slot *s = &x->slots[i];

            if (!s->busy || !s->moved)
                continue;
            s->moved = false;
            emit(x, (struct event){.kind = EVENT_PROGRESS,
                                   .shot = s->shot,
                                   .stage = s->stage,
                                   .done = s->done,
                                   .total = s->total,
                                   .unit = s->unit});
        }
        emit(x, (struct event){.kind = EVENT_TICK});
    }
    pthread_mutex_unlock(&x->mutex);
}

/* Starts every thread, waits, joins. -1: a thread could not be started; those that were have
 * ended. */
static int run_threads(struct executor *x, struct error *e)
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

int execution_check(const struct execution *x, struct error *e)
{
    const struct plan_setup *setup = x->setup;

    for (size_t shot = 0; shot < x->plan->shots; shot++)
        for (int i = 0; i < STAGES; i++) {
            const struct stage *stage = setup->stages[i];
            const struct shot *about = &setup->env->board->shots[shot];
            struct error why = {0};

            if (plan_job(x->plan, shot, i)->verdict != VERDICT_RUN || !stage->check ||
                stage->check(setup->env, about, &why) == 0)
                continue;
            error_wrap(&why, "%s", stage->name);
            if (plan_break(x->plan, shot, (enum stage_id)i, &why, e) != 0)
                return -1;
        }
    return 0;
}

/* Records and tells the shots that are not tried. */
static int refuse_broken(struct executor *x, struct error *e)
{
    const struct plan *plan = x->x->plan;

    for (size_t i = 0; i < plan->problem_count; i++) {
        const struct plan_problem *p = &plan->problems[i];
        struct error why = {0};

        error_set(&why, p->code, "%s", p->text);
        if (runner_refuse(&x->runner, p->shot, p->stage, p->text, e) != 0)
            return -1;
        emit(x, (struct event){
                    .kind = EVENT_BROKEN, .shot = p->shot, .stage = p->stage, .error = &why});
    }
    return 0;
}

static int fill_scheduler(struct executor *x, struct error *e)
{
    const struct plan *plan = x->x->plan;
    unsigned reads[STAGES];

    for (int i = 0; i < STAGES; i++)
        reads[i] = x->x->setup->stages[i]->reads;
    x->scheduler = scheduler_new(plan->shots, reads);
    if (!x->scheduler)
        return error_memory(e);
    for (size_t shot = 0; shot < plan->shots; shot++)
        for (int i = 0; i < STAGES; i++) {
            const struct plan_job *j = plan_job(plan, shot, i);

            if (j->verdict == VERDICT_RUN)
                scheduler_add(x->scheduler, shot, (enum stage_id)i, (enum lane)j->lane, j->group);
        }
    return scheduler_start(x->scheduler, e);
}

static void count_shots(struct executor *x)
{
    const struct plan *plan = x->x->plan;
    struct execution_result *r = &x->result;

    for (size_t shot = 0; shot < plan->shots; shot++) {
        bool wanted = false, failed = false, left = false;

        for (int i = 0; i < STAGES; i++) {
            enum job_state state = scheduler_state(x->scheduler, shot, (enum stage_id)i);
            uint8_t verdict = plan_job(plan, shot, i)->verdict;

            wanted |= verdict != VERDICT_SKIP;
            failed |= verdict == VERDICT_BROKEN || state == JOB_FAILED || state == JOB_BLOCKED;
            left |= verdict == VERDICT_RUN && state != JOB_DONE;
        }
        r->shots += wanted;
        r->failed += wanted && failed;
        r->remaining += wanted && !failed && left;
        r->delivered += wanted && !failed && !left;
    }
}

static int init_locks(struct executor *x, struct error *e)
{
    pthread_condattr_t attr;
    int bad = pthread_mutex_init(&x->mutex, NULL);

    bad |= pthread_condattr_init(&attr);
    bad |= pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    bad |= pthread_cond_init(&x->changed, &attr);
    pthread_condattr_destroy(&attr);
    return bad ? error_memory(e) : 0;
}

int execution_run(const struct execution *execution, struct execution_result *result,
                  struct error *e)
{
    struct executor *x = calloc(1, sizeof *x);
    int rc = -1;

    if (!x)
        return error_memory(e);
    x->x = execution;
    x->peak = (struct peak_meter)PEAK_METER_INITIAL;
    x->runner = (struct runner){.setup = execution->setup,
                                .plan = execution->plan,
                                .production = execution->production,
                                .journal = execution->journal,
                                .peak = &x->peak,
                                .cancelled = is_cancelled,
                                .progress = on_progress,
                                .ctx = x};
    if (init_locks(x, e) != 0)
        goto done;
    emit(x, (struct event){.kind = EVENT_BEGIN});
    if (execution_check(execution, e) != 0 || refuse_broken(x, e) != 0 || fill_scheduler(x, e) != 0)
        goto done;
    if (execution->plan->to_run || cleanup_due(execution->production)) {
        if (cleanup_begin(execution->production, execution->journal, e) != 0 ||
            (execution->plan->to_run && run_threads(x, e) != 0))
            goto done;
        cleanup_end(execution->production, execution->journal);
    }
    count_shots(x);
    emit(x, (struct event){.kind = EVENT_END, .result = &x->result});
    *result = x->result;
    rc = 0;
done:
    scheduler_free(x->scheduler);
    free(x);
    return rc;
}
