/* `auteur-pipe plan`: what it tells, as text and as JSON, and how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/pipeline/plan.h"

static void json_tells_every_stage(void **state)
{
    json_t *root = plan_json("h100", EXIT_DELIVERED);
    const json_t *tiers = json_object_get(root, "tiers"), *tier = json_array_get(tiers, 0);
    const json_t *stages = json_object_get(tier, "stages"), *stage;
    size_t i;

    (void)state;
    assert_int_equal(json_array_size(tiers), 2);
    assert_string_equal(json_string_value(json_object_get(tier, "tier")), "validator");
    assert_true(number(tier, "shots") == 2);
    assert_true(json_is_false(json_object_get(tier, "there")));
    assert_true(json_is_true(json_object_get(json_array_get(tiers, 1), "there")));
    assert_int_equal(json_array_size(stages), 6); /* of the keyframe and of the motion */
    json_array_foreach(stages, i, stage)
    {
        double sum =
            number(stage, "weights") + number(stage, "activations") + number(stage, "workspace");
        assert_true(number(stage, "weights") > 0 && number(stage, "stored") > 0);
        assert_true(sum > 0.999 * number(stage, "peak") && sum < 1.001 * number(stage, "peak"));
        assert_true(number(stage, "work_seconds") > 0);
        assert_true(number(tier, "peak") >= number(stage, "peak"));
    }
    assert_true(number(root, "other_shots") == 1);
    assert_true(number(root, "seconds") > 0);
    json_decref(root);
}

/* Twice the shots take twice the work and no more memory. */
static void shots_add_time_and_no_memory(void **state)
{
    struct program p = PROGRAM("plan", board, "--json", "--gpu", "h100", "--only", "a");
    json_t *one = json_loads(p.out, 0, NULL), *all = plan_json("h100", EXIT_DELIVERED);
    const json_t *a = json_array_get(json_object_get(one, "tiers"), 0);
    const json_t *b = json_array_get(json_object_get(all, "tiers"), 0);
    const json_t *x = json_array_get(json_object_get(a, "stages"), 4);
    const json_t *y = json_array_get(json_object_get(b, "stages"), 4);
    double ratio = number(y, "work_seconds") / number(x, "work_seconds");

    (void)state;
    assert_true(number(a, "shots") == 1);
    assert_true(number(a, "peak") == number(b, "peak"));
    assert_true(number(x, "load_seconds") == number(y, "load_seconds"));
    assert_true(ratio > 1.99 && ratio < 2.01);
    json_decref(one);
    json_decref(all);
    program_free(&p);
}

static void what_does_not_fit_is_said_with_the_mend(void **state)
{
    struct program p = PROGRAM("plan", board, "--gpu", "4GiB");

    (void)state;
    assert_int_equal(p.status, EXIT_SHOTS);
    assert_non_null(strstr(p.out, "DOES NOT FIT: "));
    assert_non_null(strstr(p.out, "previs"));
    assert_non_null(strstr(p.out, "Times are not told"));
    program_free(&p);
    p = PROGRAM("plan", board, "--gpu", "24GiB");
    assert_int_equal(p.status, EXIT_DELIVERED);
    assert_non_null(strstr(p.out, "fits: "));
    assert_null(strstr(p.out, "DOES NOT FIT"));
    assert_non_null(strstr(p.out, "its checkpoint is not there"));
    program_free(&p);
}

/* Figures that round to the same are not told as a difference of nothing. */
static void what_barely_does_not_fit_says_why(void **state)
{
    const char *path =
        write_board("1024x1024", "  - {id: a, prompt: x, tier: picture, frames: 1}\n");
    struct program p = planned(path, "6GiB,host=32GiB", EXIT_SHOTS);

    (void)state;
    assert_non_null(strstr(p.out, "6.0 of 6.0 GiB, nothing left where a tenth, 0.6, must be"));
    program_free(&p);
    p = planned(path, "0.25GiB", EXIT_SHOTS);
    assert_non_null(strstr(p.out, "1 GPU of 0.25 GiB"));
    assert_non_null(strstr(p.out, "6.0 of 0.25 GiB, 5.8 too little"));
    program_free(&p);
}

/* A shot that `check` refuses, or that is too much for a limit, is told with its line; the others
 * of its tier are planned. */
static void a_shot_at_fault_leaves_the_others(void **state)
{
    const char *path = write_board(
        "768x432", "  - {id: a, prompt: A ship, frames: 81, steps: 3, tier: experimental}\n"
                   "  - {id: b, prompt: A ship, frames: 25, steps: 3, tier: experimental}\n"
                   "  - {id: c, prompt: A ship, frames: 17, steps: 3, tier: previs}\n"
                   "  - {id: d, prompt: A ship, steps: 3, tier: previs, keyframe: no.png}\n"
                   "  - {id: e, prompt: A ship, steps: 3, tier: previs, keyframe: no.png}\n"
                   "  - {id: f, source: no.png, duration: 1s}\n");
    struct program p = PROGRAM("plan", path, "--gpu", "49GiB", "--vae-memory", "200M");
    json_t *root, *faults;

    (void)state;
    assert_int_equal(p.status, EXIT_BOARD);
    assert_non_null(strstr(joined(&p), "own.yaml:5: shot a cannot be made: 81 frames"));
    assert_non_null(strstr(p.out, "own.yaml:8: shot d and 1 more cannot be made: "));
    assert_non_null(strstr(p.out, "own.yaml:10: shot f cannot be made: "));
    assert_non_null(strstr(p.out, "own.yaml:6: shot b DOES NOT FIT: --vae-memory is 200"));
    assert_non_null(strstr(p.out, "experimental (CogVideoX): none of its shots can be planned"));
    assert_non_null(strstr(p.out, "previs (Wan 2.2 form, small): 1 shot of"));
    assert_non_null(strstr(p.out, "fits: "));
    program_free(&p);
    p = PROGRAM("plan", path, "--gpu", "49GiB", "--only", "b", "--vae-memory", "200M");
    assert_int_equal(p.status, EXIT_SHOTS); /* the board is good */
    program_free(&p);
    p = PROGRAM("plan", path, "--json", "--gpu", "49GiB");
    root = json_loads(p.out, 0, NULL);
    assert_int_equal(p.status, EXIT_BOARD);
    assert_true(json_is_false(json_object_get(root, "fits")));
    assert_int_equal(json_array_size(json_object_get(root, "tiers")), 2);
    faults = json_object_get(root, "faults");
    assert_int_equal(json_array_size(faults), 3);
    assert_true(number(json_array_get(faults, 0), "line") == 5);
    assert_true(number(json_array_get(faults, 2), "more") == 0);
    for (size_t i = 0; i < 3; i++)
        assert_true(json_is_true(json_object_get(json_array_get(faults, i), "refused")));
    json_decref(root);
    program_free(&p);
}

/* A checkpoint that is not there is no fault; one in a layout that is not read is. */
static void a_checkpoint_that_cannot_be_used_is_told(void **state)
{
    const char *path = write_board(
        "832x480", "  - {id: a, prompt: A ship, frames: 17, steps: 2, tier: flagship}\n");
    char models[100], own[140], other[140];
    struct error e = {0};

    (void)state;
    snprintf(models, sizeof models, "%s/models", scratch);
    snprintf(other, sizeof other, "%s/validator", models);
    snprintf(own, sizeof own, "%s/flagship/low_noise_model", models);
    struct program p = PROGRAM("plan", path, "--gpu", "49GiB", "--models", models);
    assert_int_equal(p.status, EXIT_DELIVERED);
    assert_non_null(strstr(joined(&p), "is no directory: plug in the drive"));
    assert_non_null(strstr(p.out, "; these are the sizes of the published one, "
                                  "Wan-AI/Wan2.2-T2V-A14B-Diffusers"));
    program_free(&p);
    assert_int_equal(dir_make(other, &e), 0);
    p = PROGRAM("plan", path, "--gpu", "49GiB", "--models", models);
    assert_int_equal(p.status, EXIT_DELIVERED);
    assert_non_null(strstr(joined(&p), "is no directory: download it there"));
    assert_null(strstr(p.out, "plug in"));
    program_free(&p);
    assert_int_equal(dir_make(own, &e), 0);
    p = PROGRAM("plan", path, "--gpu", "49GiB", "--models", models);
    assert_int_equal(p.status, EXIT_BOARD);
    assert_non_null(strstr(joined(&p), "the checkpoint of tier flagship cannot be used: "));
    assert_non_null(strstr(p.out, "original layout"));
    assert_non_null(strstr(p.out, "; these are the sizes of the published one, "));
    program_free(&p);
    p = PROGRAM("plan", path, "--gpu", "49GiB", "--models", models, "--json");
    json_t *root = json_loads(p.out, 0, NULL);
    const json_t *tier = json_array_get(json_object_get(root, "tiers"), 0);
    assert_int_equal(p.status, EXIT_BOARD);
    assert_true(json_is_true(json_object_get(tier, "unusable")));
    assert_true(json_is_string(json_object_get(tier, "lack")));
    json_decref(root);
    program_free(&p);
}

/* Where the program's own data is not whole, that is said, not that a shot is too large. */
static void data_that_is_missing_is_told(void **state)
{
    const char *path =
        write_board("832x480", "  - {id: a, prompt: A ship, frames: 17, steps: 2, tier: flagship}\n"
                               "  - {id: b, prompt: A ship, frames: 17, steps: 2, tier: previs}\n");
    char from[100], to[100];

    (void)state;
    snprintf(from, sizeof from, "%s/data/published", scratch);
    snprintf(to, sizeof to, "%s/data/away", scratch);
    assert_int_equal(rename(from, to), 0);
    struct program p = PROGRAM("plan", path, "--gpu", "49GiB");
    assert_int_equal(rename(to, from), 0);
    assert_int_equal(p.status, EXIT_SHOTS);
    assert_non_null(strstr(joined(&p), "shot a cannot be planned: the program's data files lack"));
    assert_non_null(strstr(p.out, "previs (Wan 2.2 form, small): 1 shot of"));
    program_free(&p);
}

/* A short shot whose weights stay on the GPU beside a long one whose weights come from the host. */
static void rows_add_up_and_what_cannot_be_mended_says_so(void **state)
{
    const char *path = write_board(
        "1280x720", "  - {id: a, prompt: A ship, frames: 17, steps: 2, tier: workhorse}\n"
                    "  - {id: b, prompt: A ship, frames: 129, steps: 2, tier: workhorse}\n");
    json_t *root = stages_with(path, "31GiB", "--memory", "auto");
    const json_t *s = stage_of(root, "sampling");
    double sum = number(s, "weights") + number(s, "activations") + number(s, "workspace");

    (void)state;
    assert_true(number(s, "streamed") > 0 && sum == number(s, "peak"));
    json_decref(root);
    path = write_board("1280x720",
                       "  - {id: a, prompt: A ship, frames: 17, steps: 2, tier: workhorse}\n");
    root = stages_with(path, "4x2GiB", "--memory", "auto");
    const json_t *tier = json_array_get(json_object_get(root, "tiers"), 0);
    const char *mend = json_string_value(json_object_get(tier, "mend"));
    assert_true(json_is_false(json_object_get(tier, "fits")));
    assert_non_null(strstr(mend, "take a smaller frame, or a GPU with more memory"));
    json_decref(root);
}

/* Weeks of work keep their column; what many shots share is warned of once. */
static void many_and_long_shots_stay_readable(void **state)
{
    char shots[40 * 160] = "";

    (void)state;
    for (int i = 0; i < 40; i++)
        sprintf(shots + strlen(shots),
                "  - {id: a%d, prompt: A ship, frames: 81, steps: 100, tier: flagship}\n"
                "  - {id: b%d, card: {background: \"#000000\"}, duration: 1s, keyframe: x.png}\n",
                i, i);
    const char *path = write_board("1280x720", shots);
    struct program p = PROGRAM("plan", path, "--gpu", "3090");
    const char *warned = strstr(p.err, "warning: ");

    assert_non_null(strstr(p.out, " days\n"));
    assert_non_null(warned);
    assert_non_null(strstr(warned, " (and 39 more such)\n"));
    assert_null(strstr(warned + 1, "warning: "));
    program_free(&p);
}

static void no_line_is_wider_than_a_terminal(void **state)
{
    static const char *const gpus[] = {"4GiB", "2x49GiB"};
    const char *path = write_board(
        "1280x720", "  - {id: a, prompt: A ship, frames: 17, steps: 2, tier: flagship}\n"
                    "  - {id: b, prompt: A ship, frames: 17, steps: 2, tier: workhorse}\n"
                    "  - {id: c, prompt: A ship, frames: 25, steps: 2, tier: validator}\n"
                    "  - {id: d, prompt: A ship, frames: 999, steps: 2, tier: flagship}\n"
                    "  - {id: e, prompt: A ship, frames: 1, steps: 2, tier: picture}\n");

    (void)state;
    for (size_t i = 0; i < sizeof gpus / sizeof *gpus; i++) {
        int width = i % 2 ? 80 : 50;

        assert_int_equal(setenv("COLUMNS", i % 2 ? "200" : "50", 1), 0);
        struct program p = PROGRAM("plan", path, "--gpu", gpus[i], "--step-cache", "timestep",
                                   "--precision", "fp8", "--memory", "safe");
        program_keeps_to(&p, width);
        assert_non_null(strstr(p.out, "workhorse"));
        assert_true(!strstr(p.out, "  GiB   ") == (width < 80));
        program_free(&p);
    }
    assert_int_equal(unsetenv("COLUMNS"), 0);
}

/* The sampling of six pictures of one size. */
static const json_t *pictures(const char *path, const char *gpu, const char *batch, json_t **root)
{
    struct program p = PROGRAM("plan", path, "--json", "--gpu", gpu, "--batch", batch);
    const json_t *tier, *stage;

    *root = json_loads(p.out, 0, NULL);
    if (p.status != EXIT_DELIVERED || !*root)
        fail_msg("status %d: %s%s", p.status, p.out, p.err);
    program_free(&p);
    tier = json_array_get(json_object_get(*root, "tiers"), 0);
    assert_true(number(tier, "shots") == 6);
    stage = json_array_get(json_object_get(tier, "stages"), 1);
    assert_string_equal(json_string_value(json_object_get(stage, "stage")), "sampling");
    return stage;
}

/* As the preset says, no more than there are, and fewer where memory does not hold them. */
static void pictures_are_made_together(void **state)
{
    static const struct {
        const char *gpu, *batch;
        int together;
    } cases[] = {{"h200", "1", 1},
                 {"h200", "0", 4},
                 {"h200", "16", 6},
                 {"7.75GiB", "16", 3},
                 {"7GiB", "16", 1}};
    char six[600] = "";
    double alone = 0, least = 0;

    (void)state;
    for (int i = 0; i < 6; i++)
        sprintf(six + strlen(six),
                "  - {id: a%d, prompt: A ship, frames: 1, steps: 2, tier: picture}\n", i);
    const char *path = write_board("1024x576", six);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *root;
        const json_t *s = pictures(path, cases[i].gpu, cases[i].batch, &root);

        assert_int_equal((int)number(s, "together"), cases[i].together);
        if (i == 0) {
            alone = number(s, "work_seconds");
            least = number(s, "activations");
        } else {
            assert_true(cases[i].together == 1 || number(s, "activations") > 1.5 * least);
            assert_true(i > 2 || number(s, "work_seconds") < alone);
        }
        json_decref(root);
    }
}

/* Nothing is said of this machine but what is so: previs runs on any. */
static void this_machine_is_planned_for_without_a_gpu(void **state)
{
    struct program p = PROGRAM("plan", board, "--device", "cpu", "--only", "c");

    (void)state;
    if (p.status != EXIT_DELIVERED)
        fail_msg("%d: %s%s", p.status, p.out, p.err);
    assert_non_null(strstr(p.out, "this machine's processor"));
    assert_non_null(strstr(p.out, "with 3.0 for the system"));
    assert_null(strstr(p.out, "kept by the host"));
    assert_null(strstr(p.out, "validator"));
    program_free(&p);
}

static void bad_words_end_at_once(void **state)
{
    static const char *const bad[] = {"2x", "49MiB", "h20", "2x49GiB,fast"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct program p = PROGRAM("plan", board, "--gpu", bad[i]);
        assert_int_equal(p.status, EXIT_USAGE);
        assert_string_equal(p.out, "");
        assert_non_null(strstr(p.err, "auteur-pipe: --gpu: '"));
        assert_ptr_equal(strchr(p.err, '\n'), p.err + strlen(p.err) - 1);
        program_free(&p);
    }
    struct program p = PROGRAM("plan", board, "--gpu", "h100", "--only", "zz");
    assert_int_equal(p.status, EXIT_USAGE);
    program_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_tells_every_stage),
        cmocka_unit_test(shots_add_time_and_no_memory),
        cmocka_unit_test(what_does_not_fit_is_said_with_the_mend),
        cmocka_unit_test(what_barely_does_not_fit_says_why),
        cmocka_unit_test(a_shot_at_fault_leaves_the_others),
        cmocka_unit_test(a_checkpoint_that_cannot_be_used_is_told),
        cmocka_unit_test(data_that_is_missing_is_told),
        cmocka_unit_test(rows_add_up_and_what_cannot_be_mended_says_so),
        cmocka_unit_test(many_and_long_shots_stay_readable),
        cmocka_unit_test(no_line_is_wider_than_a_terminal),
        cmocka_unit_test(pictures_are_made_together),
        cmocka_unit_test(this_machine_is_planned_for_without_a_gpu),
        cmocka_unit_test(bad_words_end_at_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
