/* The scheduler with a fake runner and a fake clock: what ran, when, in which lane. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/execute/scheduler.h"

enum { SHOTS = 40, WORKERS = 2, LOG = 2000 };

/* As the real stages: generate reads enhance; encode reads decode and composite. */
static const unsigned reads[STAGES] = {
    [STAGE_GENERATE] = 1u << STAGE_ENHANCE,
    [STAGE_DECODE] = 1u << STAGE_GENERATE,
    [STAGE_COMPOSITE] = 1u << STAGE_ENHANCE,
    [STAGE_ENCODE] = 1u << STAGE_DECODE | 1u << STAGE_COMPOSITE,
};

struct entry {
    char kind; /* 'o' open, 'c' close, 's' start, 'f' finish */
    double at;
    uint32_t shot;
    enum stage_id stage;
};

struct running {
    bool busy;
    uint32_t shot;
    enum stage_id stage;
    double until;
};

/* A runner that takes `seconds[stage]` a job and whose jobs end as outcome() says. */
struct world {
    struct scheduler *s;
    double now, seconds[STAGES];
    enum outcome (*outcome)(struct world *w, uint32_t shot, enum stage_id stage);
    double cancel_at;
    bool fail_open;
    unsigned fresh; /* the stages of every shot that enhance shows to be up to date */
    struct running engine, workers[WORKERS];
    struct entry log[LOG];
    size_t logged;
    unsigned random;
};

static void note(struct world *w, char kind, uint32_t shot, enum stage_id stage)
{
    assert_true(w->logged < LOG);
    w->log[w->logged++] = (struct entry){kind, w->now, shot, stage};
}

static enum outcome all_good(struct world *w, uint32_t shot, enum stage_id stage)
{
    (void)w, (void)shot, (void)stage;
    return OUTCOME_DONE;
}

static void start(struct world *w, struct running *slot, uint32_t shot, enum stage_id stage)
{
    *slot = (struct running){true, shot, stage, w->now + w->seconds[stage]};
    note(w, 's', shot, stage);
}

static void finish_due(struct world *w, struct running *slot)
{
    enum outcome outcome;

    if (!slot->busy || slot->until > w->now)
        return;
    slot->busy = false;
    note(w, 'f', slot->shot, slot->stage);
    outcome = w->outcome(w, slot->shot, slot->stage);
    for (int i = STAGES - 1; i > STAGE_ENHANCE; i--)
        if (slot->stage == STAGE_ENHANCE && outcome == OUTCOME_DONE && (w->fresh & (1u << i)))
            scheduler_drop(w->s, slot->shot, (enum stage_id)i);
    scheduler_finished(w->s, slot->shot, slot->stage, outcome, w->now);
}

/* Starts everything that can start now; returns when something may happen next. */
static double start_all(struct world *w)
{
    double next = INFINITY, wake;

    while (!w->engine.busy) {
        struct engine_step step = scheduler_engine(w->s, w->now);

        if (step.action == ENGINE_OPEN) {
            note(w, 'o', step.shots[0], step.stage);
            scheduler_opened(w->s, w->fail_open ? OUTCOME_FAILED : OUTCOME_DONE);
        } else if (step.action == ENGINE_CLOSE) {
            note(w, 'c', 0, step.stage);
        } else if (step.action == ENGINE_RUN) {
            start(w, &w->engine, step.shots[0], step.stage);
        } else {
            next = step.wake;
            break;
        }
    }
    for (int i = 0; i < WORKERS; i++) {
        uint32_t shot;
        enum stage_id stage;

        if (w->workers[i].busy)
            continue;
        if (!scheduler_cpu(w->s, w->now, &shot, &stage, &wake)) {
            next = fmin(next, wake);
            break;
        }
        start(w, &w->workers[i], shot, stage);
    }
    if (w->engine.busy)
        next = fmin(next, w->engine.until);
    for (int i = 0; i < WORKERS; i++)
        if (w->workers[i].busy)
            next = fmin(next, w->workers[i].until);
    return next;
}

static void run(struct world *w)
{
    struct error e = {0};

    assert_int_equal(scheduler_start(w->s, &e), 0);
    for (;;) {
        double next = start_all(w);

        if (scheduler_over(w->s))
            return;
        if (w->cancel_at > w->now && next >= w->cancel_at) {
            w->now = w->cancel_at;
            scheduler_cancel(w->s);
            continue;
        }
        assert_true(isfinite(next)); /* else: it waits for what never comes */
        w->now = fmax(w->now, next);
        finish_due(w, &w->engine);
        for (int i = 0; i < WORKERS; i++)
            finish_due(w, &w->workers[i]);
    }
}

static struct world *world_new(size_t shots)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    w->s = scheduler_new(shots, reads);
    assert_non_null(w->s);
    w->outcome = all_good;
    for (int i = 0; i < STAGES; i++)
        w->seconds[i] = 1;
    return w;
}

static void world_free(struct world *w)
{
    scheduler_free(w->s);
    free(w);
}

/* Generated shots: enhance, composite and encode in the pool, the rest on the engine. */
static void add_generated(struct world *w, size_t shot, uint32_t group)
{
    scheduler_add(w->s, shot, STAGE_ENHANCE, LANE_CPU, 0);
    scheduler_add(w->s, shot, STAGE_GENERATE, LANE_ENGINE, group);
    scheduler_add(w->s, shot, STAGE_DECODE, LANE_ENGINE, group);
    scheduler_add(w->s, shot, STAGE_COMPOSITE, LANE_CPU, 0);
    scheduler_add(w->s, shot, STAGE_ENCODE, LANE_CPU, 0);
}

static size_t count(const struct world *w, char kind, int stage)
{
    size_t n = 0;

    for (size_t i = 0; i < w->logged; i++)
        n += w->log[i].kind == kind && (stage < 0 || (int)w->log[i].stage == stage);
    return n;
}

static double time_of(const struct world *w, char kind, uint32_t shot, enum stage_id stage)
{
    for (size_t i = 0; i < w->logged; i++)
        if (w->log[i].kind == kind && w->log[i].shot == shot && w->log[i].stage == stage)
            return w->log[i].at;
    return NAN;
}

static void the_engine_goes_stage_by_stage_and_group_by_group(void **state)
{
    struct world *w = world_new(6);
    uint32_t order[64];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < 6; i++)
        add_generated(w, i, (uint32_t)(i % 2)); /* models A B A B A B */
    run(w);
    for (size_t i = 0; i < w->logged; i++)
        if (w->log[i].kind == 's' &&
            (w->log[i].stage == STAGE_GENERATE || w->log[i].stage == STAGE_DECODE))
            order[n++] = w->log[i].shot + 10 * (w->log[i].stage == STAGE_DECODE);
    assert_int_equal(n, 12);
    assert_memory_equal(order, ((uint32_t[]){0, 2, 4, 1, 3, 5, 10, 12, 14, 11, 13, 15}),
                        12 * sizeof *order);
    assert_int_equal(count(w, 'o', STAGE_GENERATE), 2); /* each model is loaded once */
    assert_int_equal(count(w, 'c', STAGE_GENERATE), 2);
    assert_int_equal(count(w, 'o', STAGE_DECODE), 2);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(scheduler_state(w->s, i, STAGE_ENCODE), JOB_DONE);
    world_free(w);
}

static void the_pool_works_beside_the_engine(void **state)
{
    struct world *w = world_new(4);

    (void)state;
    w->seconds[STAGE_GENERATE] = 10;
    w->seconds[STAGE_DECODE] = 10;
    for (size_t i = 0; i < 3; i++)
        add_generated(w, i, 0);
    scheduler_add(w->s, 3, STAGE_COMPOSITE, LANE_CPU, 0); /* a card needs no engine at all */
    scheduler_add(w->s, 3, STAGE_ENCODE, LANE_CPU, 0);
    run(w);
    assert_true(time_of(w, 'f', 3, STAGE_ENCODE) < time_of(w, 'f', 0, STAGE_GENERATE));
    assert_true(time_of(w, 's', 0, STAGE_ENCODE) == time_of(w, 'f', 0, STAGE_DECODE));
    assert_true(time_of(w, 'f', 0, STAGE_ENCODE) < time_of(w, 'f', 1, STAGE_DECODE));
    /* enhance 2 s on two workers, 6 x 10 s of engine, the last encode: nothing waited idly */
    assert_true(fabs(w->now - (2 + 60 + 1)) < 1e-9);
    world_free(w);
}

static void a_shot_is_delivered_as_soon_as_it_can_be(void **state)
{
    struct world *w = world_new(6);

    (void)state;
    for (size_t i = 0; i < 6; i++) { /* cards: the pool's work alone */
        scheduler_add(w->s, i, STAGE_DECODE, LANE_CPU, 0);
        scheduler_add(w->s, i, STAGE_ENCODE, LANE_CPU, 0);
    }
    run(w);
    assert_true(time_of(w, 'f', 0, STAGE_ENCODE) <= time_of(w, 's', 4, STAGE_DECODE));
    world_free(w);
}

static enum outcome shot_1_fails(struct world *w, uint32_t shot, enum stage_id stage)
{
    (void)w;
    return shot == 1 && stage == STAGE_GENERATE ? OUTCOME_FAILED : OUTCOME_DONE;
}

static void a_failure_blocks_its_own_shot_only(void **state)
{
    struct world *w = world_new(3);

    (void)state;
    w->outcome = shot_1_fails;
    for (size_t i = 0; i < 3; i++)
        add_generated(w, i, 0);
    run(w);
    assert_int_equal(scheduler_state(w->s, 0, STAGE_ENCODE), JOB_DONE);
    assert_int_equal(scheduler_state(w->s, 2, STAGE_ENCODE), JOB_DONE);
    assert_int_equal(scheduler_state(w->s, 1, STAGE_GENERATE), JOB_FAILED);
    assert_int_equal(scheduler_state(w->s, 1, STAGE_DECODE), JOB_BLOCKED);
    assert_int_equal(scheduler_state(w->s, 1, STAGE_COMPOSITE), JOB_DONE); /* reads enhance only */
    assert_int_equal(scheduler_state(w->s, 1, STAGE_ENCODE), JOB_BLOCKED);
    assert_int_equal(scheduler_attempts(w->s, 1, STAGE_GENERATE), 1);
    world_free(w);
}

static enum outcome decode_recovers(struct world *w, uint32_t shot, enum stage_id stage)
{
    unsigned tried = scheduler_attempts(w->s, shot, stage);

    if (shot == 0 && stage == STAGE_DECODE)
        return tried < 2 ? OUTCOME_TRANSIENT : OUTCOME_DONE;
    if (shot == 1 && stage == STAGE_ENCODE)
        return OUTCOME_TRANSIENT;
    return OUTCOME_DONE;
}

static void transient_failures_are_tried_again_after_a_pause(void **state)
{
    struct world *w = world_new(2);
    double starts[ATTEMPTS];
    size_t n = 0;

    (void)state;
    w->outcome = decode_recovers;
    for (size_t i = 0; i < 2; i++)
        add_generated(w, i, 0);
    run(w);
    for (size_t i = 0; i < w->logged; i++)
        if (w->log[i].kind == 's' && w->log[i].shot == 0 && w->log[i].stage == STAGE_DECODE)
            starts[n++] = w->log[i].at;
    assert_int_equal(n, ATTEMPTS);
    assert_true(starts[1] - starts[0] >= 2);                   /* ran 1 s, paused 1 s */
    assert_true(starts[2] - starts[1] >= 5);                   /* ran 1 s, paused 4 s */
    assert_true(time_of(w, 's', 1, STAGE_DECODE) < starts[1]); /* others first */
    assert_int_equal(count(w, 'o', STAGE_DECODE), 1);          /* in the same session */
    assert_int_equal(scheduler_state(w->s, 0, STAGE_ENCODE), JOB_DONE);
    assert_int_equal(scheduler_state(w->s, 1, STAGE_ENCODE), JOB_FAILED);
    assert_int_equal(scheduler_attempts(w->s, 1, STAGE_ENCODE), ATTEMPTS);
    world_free(w);
}

/* The next lot must be these shots; ends each with its outcome. */
static void lot_is(struct scheduler *s, double now, size_t n, const uint32_t *shots,
                   const enum outcome *outcomes)
{
    struct engine_step step = scheduler_engine(s, now);

    assert_int_equal(step.action, ENGINE_RUN);
    assert_int_equal(step.count, n);
    assert_memory_equal(step.shots, shots, n * sizeof *shots);
    for (size_t i = 0; i < n; i++)
        scheduler_finished(s, shots[i], STAGE_GENERATE, outcomes[i], now);
}

/* As many as may, in the order of the film, past those that are unlike; what is tried again goes
 * alone. */
static void jobs_that_are_alike_run_together(void **state)
{
    static const uint64_t alike[] = {7, 9, 7, 7, 0, 7, 7, 9};
    static const enum outcome good[3] = {OUTCOME_DONE, OUTCOME_DONE, OUTCOME_DONE};
    static const enum outcome second_fails[3] = {OUTCOME_DONE, OUTCOME_TRANSIENT, OUTCOME_FAILED};
    struct scheduler *s = scheduler_new(8, reads);
    struct engine_step step;
    struct error e = {0};

    (void)state;
    assert_non_null(s);
    for (size_t i = 0; i < 8; i++) {
        scheduler_add(s, i, STAGE_GENERATE, LANE_ENGINE, 0);
        if (alike[i])
            scheduler_together(s, i, STAGE_GENERATE, alike[i], 3);
    }
    assert_int_equal(scheduler_start(s, &e), 0);
    step = scheduler_engine(s, 0);
    assert_int_equal(step.action, ENGINE_OPEN);
    assert_int_equal(step.count, 8);
    scheduler_opened(s, OUTCOME_DONE);
    lot_is(s, 1, 3, (const uint32_t[]){0, 2, 3}, second_fails);
    lot_is(s, 2, 2, (const uint32_t[]){1, 7}, good);
    lot_is(s, 3, 1, (const uint32_t[]){4}, good);
    lot_is(s, 3, 2, (const uint32_t[]){5, 6}, good);
    lot_is(s, 3, 1, (const uint32_t[]){2}, good); /* its pause of a second is over */
    assert_int_equal(scheduler_engine(s, 4).action, ENGINE_CLOSE);
    assert_int_equal(scheduler_engine(s, 4).action, ENGINE_END);
    assert_true(scheduler_over(s));
    assert_int_equal(scheduler_state(s, 3, STAGE_GENERATE), JOB_FAILED);
    assert_int_equal(scheduler_state(s, 2, STAGE_GENERATE), JOB_DONE);
    scheduler_free(s);
}

static void a_model_that_does_not_load_fails_its_group(void **state)
{
    struct world *w = world_new(3);

    (void)state;
    w->fail_open = true;
    add_generated(w, 0, 0);
    add_generated(w, 1, 0);
    scheduler_add(w->s, 2, STAGE_ENCODE, LANE_CPU, 0);
    run(w);
    assert_int_equal(scheduler_state(w->s, 0, STAGE_GENERATE), JOB_FAILED);
    assert_int_equal(scheduler_state(w->s, 1, STAGE_ENCODE), JOB_BLOCKED);
    assert_int_equal(scheduler_state(w->s, 2, STAGE_ENCODE), JOB_DONE);
    assert_int_equal(count(w, 's', STAGE_GENERATE), 0);
    world_free(w);
}

static enum outcome generate_is_cancelled(struct world *w, uint32_t shot, enum stage_id stage)
{
    (void)shot;
    return stage == STAGE_GENERATE && w->now >= w->cancel_at ? OUTCOME_CANCELLED : OUTCOME_DONE;
}

static void cancelling_starts_nothing_more_and_closes_the_session(void **state)
{
    struct world *w = world_new(5);

    (void)state;
    w->outcome = generate_is_cancelled;
    w->seconds[STAGE_GENERATE] = 10;
    w->cancel_at = 15;
    for (size_t i = 0; i < 5; i++)
        add_generated(w, i, 0);
    run(w);
    for (size_t i = 0; i < w->logged; i++)
        if (w->log[i].kind == 's')
            assert_true(w->log[i].at <= 15);
    assert_int_equal(count(w, 's', STAGE_GENERATE), 2);
    assert_int_equal(count(w, 'c', STAGE_GENERATE), 1);
    assert_int_equal(scheduler_state(w->s, 0, STAGE_GENERATE), JOB_DONE);
    assert_int_equal(scheduler_state(w->s, 1, STAGE_GENERATE), JOB_READY);
    world_free(w);
}

static void nothing_to_do_is_over_at_once(void **state)
{
    struct world *w = world_new(0);

    (void)state;
    run(w);
    assert_int_equal(w->logged, 0);
    world_free(w);
    w = world_new(3);
    run(w);
    assert_int_equal(w->logged, 0);
    world_free(w);
}

static void what_is_dropped_is_neither_run_nor_opened(void **state)
{
    struct world *w = world_new(4);

    (void)state;
    w->fresh = 1u << STAGE_GENERATE | 1u << STAGE_DECODE;
    for (size_t i = 0; i < 3; i++)
        add_generated(w, i, (uint32_t)(i % 2));
    scheduler_add(w->s, 3, STAGE_GENERATE, LANE_ENGINE, 1); /* its enhance was done before */
    run(w);
    assert_int_equal(count(w, 'o', STAGE_GENERATE), 1);
    assert_int_equal(count(w, 's', STAGE_GENERATE), 1);
    assert_int_equal(count(w, 's', STAGE_DECODE), 0);
    assert_int_equal(count(w, 's', STAGE_COMPOSITE), 3);
    assert_int_equal(count(w, 's', STAGE_ENCODE), 3);
    assert_int_equal(scheduler_state(w->s, 0, STAGE_GENERATE), JOB_NONE);
    assert_int_equal(scheduler_state(w->s, 3, STAGE_GENERATE), JOB_DONE);
    assert_false(scheduler_drop(w->s, 3, STAGE_GENERATE)); /* it no longer waits */
    world_free(w);
    w = world_new(3);
    w->fresh = ~0u;
    for (size_t i = 0; i < 3; i++)
        add_generated(w, i, 0);
    run(w);
    assert_int_equal(count(w, 'f', -1), 3); /* enhance alone */
    assert_int_equal(count(w, 'o', STAGE_GENERATE), 0);
    world_free(w);
}

static unsigned next_random(struct world *w)
{
    w->random = w->random * 1664525u + 1013904223u;
    return w->random >> 8;
}

static enum outcome any_outcome(struct world *w, uint32_t shot, enum stage_id stage)
{
    unsigned dice = next_random(w) % 10;

    (void)shot, (void)stage;
    return dice == 0 ? OUTCOME_FAILED : dice == 1 ? OUTCOME_TRANSIENT : OUTCOME_DONE;
}

/* Whatever the board and the outcomes: nothing starts before what it reads is done, the engine
 * never goes back a stage, every job ends. */
static void check_invariants(const struct world *w, size_t shots)
{
    int engine = 0;

    for (size_t i = 0; i < w->logged; i++) {
        const struct entry *at = &w->log[i];

        if (at->kind == 'o') {
            assert_true((int)at->stage >= engine);
            engine = at->stage;
        }
        if (at->kind != 's')
            continue;
        for (int before = 0; before < (int)at->stage; before++)
            if ((reads[at->stage] & (1u << before)) &&
                scheduler_state(w->s, at->shot, (enum stage_id)before) != JOB_NONE) {
                assert_int_equal(scheduler_state(w->s, at->shot, (enum stage_id)before), JOB_DONE);
                assert_true(time_of(w, 'f', at->shot, (enum stage_id)before) <= at->at);
            }
    }
    for (size_t shot = 0; shot < shots; shot++)
        for (int stage = 0; stage < STAGES; stage++) {
            enum job_state state = scheduler_state(w->s, shot, (enum stage_id)stage);

            assert_true(state == JOB_NONE || state == JOB_DONE || state == JOB_FAILED ||
                        state == JOB_BLOCKED);
        }
}

static void any_board_ends_in_order(void **state)
{
    const char *given = getenv("AUTEUR_TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);

    (void)state;
    printf("seed %u\n", seed);
    for (int round = 0; round < 300; round++) {
        struct world *w = world_new(SHOTS);
        size_t shots;

        w->random = seed + (unsigned)round * 7919u;
        shots = 1 + next_random(w) % SHOTS;
        w->outcome = any_outcome;
        w->fresh = round % 2 ? next_random(w) : 0;
        for (size_t shot = 0; shot < shots; shot++)
            for (int stage = 0; stage < STAGES; stage++)
                scheduler_add(w->s, shot, (enum stage_id)stage, (enum lane)(next_random(w) % 3),
                              next_random(w) % 3);
        for (int i = 0; i < STAGES; i++)
            w->seconds[i] = 0.5 + next_random(w) % 8;
        run(w);
        check_invariants(w, shots);
        world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_engine_goes_stage_by_stage_and_group_by_group),
        cmocka_unit_test(the_pool_works_beside_the_engine),
        cmocka_unit_test(a_shot_is_delivered_as_soon_as_it_can_be),
        cmocka_unit_test(a_failure_blocks_its_own_shot_only),
        cmocka_unit_test(transient_failures_are_tried_again_after_a_pause),
        cmocka_unit_test(jobs_that_are_alike_run_together),
        cmocka_unit_test(a_model_that_does_not_load_fails_its_group),
        cmocka_unit_test(cancelling_starts_nothing_more_and_closes_the_session),
        cmocka_unit_test(nothing_to_do_is_over_at_once),
        cmocka_unit_test(what_is_dropped_is_neither_run_nor_opened),
        cmocka_unit_test(any_board_ends_in_order),
    };

    return cmocka_run_group_tests_name("scheduler", tests, NULL, NULL);
}
