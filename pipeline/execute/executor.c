#include "pipeline/execute/executor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/execute/cleanup.h"
#include "pipeline/execute/lanes.h"
#include "pipeline/execute/versions.h"

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
        lanes_emit(x, (struct event){
                          .kind = EVENT_BROKEN, .shot = p->shot, .stage = p->stage, .error = &why});
    }
    return 0;
}

/* A job that the stage would run together with others is told apart by what they have in common. */
static void add_together(struct executor *x, size_t shot, int stage)
{
    const struct plan_setup *setup = x->x->setup;
    struct arena arena = {0};
    uint64_t number;
    size_t most = 1;
    const char *text =
        setup->stages[stage]->batch(setup->env, &setup->env->board->shots[shot], &arena, &most);

    if (text && most > 1) {
        struct hash128 hash = hash_bytes(text, strlen(text));
        memcpy(&number, hash.bytes, sizeof number);
        scheduler_together(x->scheduler, shot, (enum stage_id)stage, number | 1,
                           most < STAGE_BATCH_MOST ? most : STAGE_BATCH_MOST);
    }
    arena_free(&arena);
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

            if (j->verdict != VERDICT_RUN)
                continue;
            scheduler_add(x->scheduler, shot, (enum stage_id)i, (enum lane)j->lane, j->group);
            if (j->lane == LANE_ENGINE && x->x->setup->stages[i]->batch)
                add_together(x, shot, i);
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

/* A line in the journal's events, for a person after a bad night. */
static int log_event(struct executor *x, const char *kind, const char *text, struct error *e)
{
    return journal_event(x->x->journal, kind, "", "", text, e);
}

/* Stable names of shots whose run was killed before they were pointed. On a full disk there is no
 * room for a link; the next run makes it. */
static int point_all(const struct execution *x, struct error *e)
{
    int rc = versions_point_all(x->production, x->setup->env->board, x->journal, e);

    return rc != 0 && e->code == ERROR_SPACE ? 0 : rc;
}

/* Everything between the first event and the last. Nothing is written when nothing is to do. */
static int work(struct executor *x, struct error *e)
{
    const struct execution *execution = x->x;
    struct execution_result *r = &x->result;
    struct error ignored = {0};
    char text[120];

    if (!execution->plan->to_run && !cleanup_due(execution->production)) {
        count_shots(x);
        return 0;
    }
    snprintf(text, sizeof text, "%zu jobs", execution->plan->to_run);
    if (cleanup_begin(execution->production, execution->journal, e) != 0 ||
        log_event(x, "begin", text, e) != 0 || (execution->plan->to_run && lanes_run(x, e) != 0))
        return -1;
    count_shots(x);
    snprintf(text, sizeof text, "%zu delivered, %zu failed, %zu left%s", r->delivered, r->failed,
             r->remaining, r->interrupted ? ", interrupted" : "");
    log_event(x, "end", text, &ignored); /* on a full disk the run has ended all the same */
    if (point_all(execution, e) != 0)
        return -1;
    cleanup_end(execution->production, execution->journal);
    return 0;
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
    x->env = *execution->setup->env;
    x->env.device.notes = (struct note_listener){lanes_note, x};
    x->env.mended = lanes_mended;
    x->env.mended_ctx = x;
    x->setup = *execution->setup;
    x->setup.env = &x->env;
    x->runner = (struct runner){.setup = &x->setup,
                                .plan = execution->plan,
                                .production = execution->production,
                                .journal = execution->journal,
                                .peak = &x->peak,
                                .monitor = execution->monitor,
                                .cancelled = lanes_cancelled,
                                .progress = lanes_progress,
                                .loading = lanes_loading,
                                .ctx = x};
    if (init_locks(x, e) != 0)
        goto done;
    if (execution_check(execution, e) != 0)
        goto done;
    lanes_emit(x, (struct event){.kind = EVENT_BEGIN});
    if (refuse_broken(x, e) != 0 || fill_scheduler(x, e) != 0 || work(x, e) != 0)
        goto done;
    lanes_emit(x, (struct event){.kind = EVENT_END, .result = &x->result});
    *result = x->result;
    rc = 0;
done:
    scheduler_free(x->scheduler);
    free(x);
    return rc;
}
