/* Pictures that SDXL makes for shots, several in one forward pass: the same files as one at a time,
 * the same keys, and a kill in the middle of a batch loses none of them. The fixture stands for the
 * published model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/pipeline/models.h"
#include "tests/pipeline/tree.h"

enum { SHOTS = 5, FILES = 6 * SHOTS };

/* Five shots, of which one has no guidance and runs alone; `rest`: fields of all of them. */
static void write_board_of(const char *tier, const char *rest)
{
    FILE *f = fopen(board, "w");

    assert_non_null(f);
    fprintf(f,
            "name: pictures\nsize: 64x48\nfps: 8\ndefaults: {tier: %s, frames: 3%s}\nshots:\n"
            "  - {id: a, prompt: a boat at dawn}\n  - {id: b, prompt: a boat at noon}\n"
            "  - {id: c, prompt: rain, guidance: 7}\n  - {id: d, prompt: nothing, guidance: 1}\n"
            "  - {id: e, prompt: a lighthouse, negative: fog}\n",
            tier, rest);
    assert_int_equal(fclose(f), 0);
}

static void write_board(const char *rest)
{
    write_board_of("picture", rest);
}

/* SDXL lies where the validator's keyframes need it; that is enough. */
static int set_up(void **state)
{
    (void)state;
    if (make_models() != 0)
        return -1;
    link_fixture("sdxl", "validator/sdxl");
    return 0;
}

static void delivered(struct program p, const char *says)
{
    if (p.status != 0 || !strstr(p.out, says))
        printf("%s%s", p.out, p.err);
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, says));
    program_free(&p);
}

static void same_as_whole(void)
{
    char ours[200], theirs[200];

    snprintf(ours, sizeof ours, "%s/shots", dir);
    snprintf(theirs, sizeof theirs, "%s/shots", whole);
    assert_int_equal(tree_within(ours, theirs, NULL), FILES);
}

static void a_batch_makes_what_one_at_a_time_makes(void **state)
{
    (void)state;
    write_board(", steps: 4");
    delivered(
        PROGRAM("run", board, "-o", whole, "--models", models, "--device", "cpu", "--batch", "1"),
        "5 of 5");
    delivered(PROGRAM("run", board, "-o", dir, "--models", models, "--device", "cpu", "-v"),
              "Batched Forward: 4 shots at once");
    same_as_whole();
    /* How many went together is nobody's input. */
    delivered(PROGRAM("run", board, "-o", dir, "--models", models, "--device", "cpu", "--batch=2"),
              "nothing to do");
}

static void keyframes_go_together_too(void **state)
{
    (void)state;
    link_fixture("svd-xt", "validator/svd-xt");
    write_board_of("validator", ", steps: 1");
    delivered(PROGRAM("run", board, "-o", whole, "--models", models, "--device", "cpu",
                      "--preset=batch", "--batch=1"),
              "5 of 5");
    delivered(
        PROGRAM("run", board, "-o", dir, "--models", models, "--device", "cpu", "--preset=batch"),
        "5 of 5");
    same_as_whole();
}

static json_int_t steps_of(const char *shot)
{
    char path[200];
    json_t *root, *made;
    json_int_t steps;

    snprintf(path, sizeof path, "%s/shots/%s/%s.json", dir, shot, shot);
    root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    made = json_object_get(json_object_get(root, "made"), "generate");
    steps = json_integer_value(json_object_get(json_object_get(made, "notes"), "steps"));
    json_decref(root);
    return steps;
}

/* A shot's own steps count before a preset's, and resume remembers the preset. */
static void presets_decide_steps(void **state)
{
    (void)state;
    write_board("");
    delivered(
        PROGRAM("run", board, "-o", dir, "--models", models, "--device", "cpu", "--preset=batch"),
        "5 of 5");
    assert_int_equal(steps_of("a"), 20);
    delivered(PROGRAM("resume", dir, "--device", "cpu"), "nothing to do");
    delivered(PROGRAM("run", board, "-o", dir, "--models", models, "--device", "cpu"), "5 of 5");
    assert_int_equal(steps_of("a"), 30);
    write_board(", steps: 3");
    delivered(
        PROGRAM("run", board, "-o", dir, "--models", models, "--device", "cpu", "--preset=quality"),
        "5 of 5");
    assert_int_equal(steps_of("a"), 3);
}

/* Interrupted, which saves every shot of the batch; killed as it goes on; then left alone. */
static void a_kill_in_the_middle_of_a_batch_loses_nothing(void **state)
{
    char generating[200];
    struct error e;
    struct program p;
    int saved = 0;

    (void)state;
    write_board(", steps: 120");
    snprintf(generating, sizeof generating, "%s/.auteur/tmp/a.generate", dir);
    delivered(
        PROGRAM("run", board, "-o", whole, "--models", models, "--device", "cpu", "--batch", "1"),
        "5 of 5");
    p = program_run_when(SIGINT, generating, 80000,
                         (const char *const[]){"run", board, "-o", dir, "--models", models,
                                               "--device", "cpu", NULL});
    assert_int_equal(p.status, 130);
    program_free(&p);
    p = PROGRAM("journal", "dump", dir);
    for (const char *at = p.out; (at = strstr(at, "checkpoint")); at++)
        saved++;
    assert_true(saved >= 4); /* of each shot that was under way */
    program_free(&p);
    if (path_exists(generating))
        assert_int_equal(path_remove(generating, &e), 0);
    p = program_run_when(SIGKILL, generating, 50000, (const char *const[]){"resume", dir, NULL});
    assert_int_equal(p.signal, SIGKILL);
    program_free(&p);
    delivered(PROGRAM("resume", dir), "5 of 5");
    same_as_whole();
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, remove_models)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_batch_makes_what_one_at_a_time_makes),
        ONE(keyframes_go_together_too),
        ONE(presets_decide_steps),
        ONE(a_kill_in_the_middle_of_a_batch_loses_nothing),
    };

    return cmocka_run_group_tests_name("pictures", tests, NULL, NULL);
}
