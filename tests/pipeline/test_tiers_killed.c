/* A kill or an interruption in the middle of sampling leaves what the run would have made without
 * it, in every tier that wants a checkpoint: the fixtures stand for the published models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/pipeline/tiers.h"
#include "tests/pipeline/tree.h"

static char generating[200];

static void same_as_whole(int shots)
{
    char ours[200], theirs[200];

    snprintf(ours, sizeof ours, "%s/shots", dir);
    snprintf(theirs, sizeof theirs, "%s/shots", whole);
    assert_int_equal(tree_within(ours, theirs, NULL),
                     6 * shots); /* a sheet has the latents' digest */
}

/* Later and later, until a step was done: on a machine that is busy that takes longer. */
static void interrupted_after_a_step(void)
{
    bool saved = false;
    struct error e;
    struct program p;

    for (unsigned us = 80000; !saved && us < 3000000; us *= 2) {
        if (path_exists(generating))
            assert_int_equal(path_remove(generating, &e), 0);
        p = program_run_when(
            SIGINT, generating, us,
            (const char *const[]){"run", board, "-o", dir, "--models", models, NULL});
        assert_int_equal(p.status, 130);
        program_free(&p);
        p = PROGRAM("journal", "dump", dir);
        saved = strstr(p.out, "\ncheckpoint ") != NULL;
        program_free(&p);
    }
    assert_true(saved);
}

/* Interrupted, which saves the latents; killed as it goes on from them; then left alone. */
static void killed_while_they_sample(int shots)
{
    struct error e;
    struct program p;

    if (path_exists(whole))
        assert_int_equal(path_remove(whole, &e), 0);
    delivered(PROGRAM("run", board, "-o", whole, "--models", models));
    interrupted_after_a_step();
    if (path_exists(generating))
        assert_int_equal(path_remove(generating, &e), 0);
    p = program_run_when(SIGKILL, generating, 50000, (const char *const[]){"resume", dir, NULL});
    assert_int_equal(p.signal, SIGKILL);
    program_free(&p);
    delivered(PROGRAM("resume", dir));
    same_as_whole(shots);
}

static void killed_while_it_samples(const char *shot)
{
    start_over();
    write_board("64x48", shot);
    killed_while_they_sample(1);
}

static void a_kill_in_the_middle_of_sampling_leaves_the_same_latents(void **state)
{
    (void)state;
    snprintf(generating, sizeof generating, "%s/.auteur/tmp/a.generate", dir);
    killed_while_it_samples("tier: workhorse, frames: 33, steps: 900");
    killed_while_it_samples("tier: experimental, frames: 17, steps: 900");
    killed_while_it_samples("tier: flagship, frames: 33, steps: 900");
    killed_while_it_samples(
        "tier: flagship, frames: 33, steps: 900, step_cache: timestep, step_cache_threshold: 0.02");
    killed_while_it_samples("tier: validator, frames: 4, steps: 12");
    killed_while_it_samples("tier: validator, frames: 4, steps: 12, sampler: euler");
    link_fixture("cogvideox-2b", "experimental");
    killed_while_it_samples("tier: experimental, frames: 17, steps: 900");
}

/* Shots that go through the experts together each go on from their own checkpoint. */
static void shots_that_share_experts_survive_a_kill(void **state)
{
    (void)state;
    snprintf(generating, sizeof generating, "%s/.auteur/tmp/a.generate", dir);
    start_over();
    write_file(board, "name: one\nsize: 64x48\nfps: 8\n"
                      "defaults: {tier: flagship, prompt: a boat}\nshots:\n"
                      "  - {id: a, frames: 17, steps: 900}\n"
                      "  - {id: b, frames: 9, steps: 900, guidance: 1}\n"
                      "  - {id: c, frames: 5, steps: 900}\n");
    killed_while_they_sample(3);
}

/* Steps that were made wait for a model that is away, and a run of the other shots meanwhile leaves
 * them. */
static void steps_wait_for_a_model_that_is_away(const char *folder)
{
    char there[160], away[160];
    struct program p;

    snprintf(there, sizeof there, "%s/%s", models, folder);
    snprintf(away, sizeof away, "%s/away", scratch);
    start_over();
    write_file(board, "name: one\nsize: 64x48\nfps: 8\ndefaults: {prompt: a boat}\nshots:\n"
                      "  - {id: a, tier: validator, frames: 4, steps: 20}\n"
                      "  - {id: b, tier: workhorse, frames: 2, steps: 1}\n");
    interrupted_after_a_step();
    assert_int_equal(rename(there, away), 0);
    p = PROGRAM("resume", dir);
    assert_int_equal(p.status, 3);
    program_free(&p);
    p = PROGRAM("journal", "dump", dir);
    assert_non_null(strstr(p.out, "\ncheckpoint "));
    program_free(&p);
    assert_int_equal(rename(away, there), 0);
    delivered(PROGRAM("resume", dir));
}

static void a_run_without_a_model_leaves_the_steps_that_were_made(void **state)
{
    (void)state;
    snprintf(generating, sizeof generating, "%s/.auteur/tmp/a.generate", dir);
    steps_wait_for_a_model_that_is_away("validator");
    steps_wait_for_a_model_that_is_away("validator/svd-xt");
    steps_wait_for_a_model_that_is_away("validator/sdxl");
}

/* Prompts are encoded and keyframes made before the first shot is begun: nothing is kept of them,
 * and nothing is left over. */
static void interrupted_before_it_samples_it_goes_on(void **state)
{
    int interrupted = 0;

    (void)state;
    write_board("64x48", "tier: validator, frames: 2, steps: 2");
    delivered(PROGRAM("run", board, "-o", whole, "--models", models));
    for (unsigned ms = 30; ms <= 270; ms += 40) {
        struct program p = program_run_when(
            SIGINT, dir, ms * 1000,
            (const char *const[]){"run", board, "-o", dir, "--models", models, NULL});
        assert_true(p.status == 130 || p.status == 0);
        interrupted += p.status == 130;
        program_free(&p);
    }
    assert_true(interrupted > 0);
    delivered(PROGRAM("run", board, "-o", dir, "--models", models));
    same_as_whole(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_kill_in_the_middle_of_sampling_leaves_the_same_latents),
        ONE(shots_that_share_experts_survive_a_kill),
        ONE(a_run_without_a_model_leaves_the_steps_that_were_made),
        ONE(interrupted_before_it_samples_it_goes_on),
    };

    return cmocka_run_group_tests_name("tiers_killed", tests, NULL, NULL);
}
