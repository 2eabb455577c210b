/* `auteur-pipe plan`: what options, the host's memory and the disk make of figures and verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/pipeline/plan.h"

/* What an option makes of a stage's figure: a part of what it was, from and to. */
static void options_change_what_they_should(void **state)
{
    static const struct {
        const char *gpu, *option, *value, *stage, *figure;
        double from, to;
    } cases[] = {
        {"h200", "--memory", "safe", "sampling", "weights", 0.02, 0.2},
        {"h200", "--memory", "safe", "sampling", "peak", 0.02, 0.4},
        {"h200", "--memory", "safe", "sampling", "host", 50, 1e12},
        {"h200", "--memory", "safe", "sampling", "activations", 1, 1},
        {"h200", "--memory", "safe", "sampling", "work_seconds", 1, 100},
        {"h200", "--memory", "speed", "sampling", "peak", 1, 1},
        {"h200", "--precision", "fp8", "sampling", "weights", 0.5, 0.75},
        {"h200", "--precision", "fp8", "sampling", "work_seconds", 0.4, 0.8},
        {"h200", "--precision", "fp8", "decoding", "peak", 1, 1},
        {"h200", "--precision", "f16", "sampling", "peak", 1, 1.02}, /* other halves */
        {"h200", "--vae-memory", "1500M", "decoding", "peak", 0.1, 0.5},
        {"h200", "--vae-memory", "1500M", "sampling", "peak", 1, 1},
        {"h200", "--vae-tile", "256x256", "decoding", "peak", 0.1, 0.5},
        {"h200", "--vae-tile", "256x256", "decoding", "work_seconds", 1.01, 3},
        {"h200", "--step-cache", "first-block", "sampling", "activations", 1.05, 2},
        {"h200", "--step-cache", "first-block", "sampling", "work_seconds", 1, 1.1},
        {"h200", "--step-cache", "first-block", "sampling", "hoped_work_seconds", 0.55, 0.62},
        {"h200", "--step-cache", "timestep", "sampling", "hoped_work_seconds", 0.57, 0.63},
        {"16GiB", "--memory", "speed", "sampling", "weights", 5, 20}, /* it streams otherwise */
        {"gb10", "--memory", "safe", "sampling", "peak", 1, 1},
        {"a100", "--precision", "fp8", "sampling", "weights", 1, 1},
    };
    const char *path = write_board(
        "832x480", "  - {id: a, prompt: A ship, frames: 33, steps: 16, tier: workhorse}\n");

    json_t *without = NULL, *with = NULL;
    const char *gpu = "", *option = "", *value = "";

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(gpu, cases[i].gpu) != 0) {
            json_decref(without);
            without = stages_with(path, cases[i].gpu, "--only", "a");
        }
        if (strcmp(gpu, cases[i].gpu) != 0 || strcmp(option, cases[i].option) != 0 ||
            strcmp(value, cases[i].value) != 0) {
            json_decref(with);
            with = stages_with(path, cases[i].gpu, cases[i].option, cases[i].value);
        }
        gpu = cases[i].gpu;
        option = cases[i].option;
        value = cases[i].value;
        double was = number(stage_of(without, cases[i].stage), cases[i].figure);
        double is = number(stage_of(with, cases[i].stage), cases[i].figure);

        if (was == 0)
            was = 1; /* byte of the host: a sanitizer's heap is not counted */
        if (!(is >= 0.9999 * cases[i].from * was && is <= 1.0001 * cases[i].to * was))
            fail_msg("%s %s on %s: %s of %s is %g, was %g", option, value, gpu, cases[i].figure,
                     cases[i].stage, is, was);
    }
    json_decref(without);
    json_decref(with);
}

/* The exit status is of what a run would do, models taking turns on one GPU, with --no-offload as
 * without; that all of them at once fit neither one nor two such GPUs is told in any case. */
static void the_verdict_is_of_a_run_and_all_at_once_is_told_besides(void **state)
{
    static const struct {
        const char *gpu;
        bool at_once;
    } cases[] = {{"1x49GiB", false}, {"2x49GiB", false}, {"4x49GiB", true}};
    const char *path = write_board(
        "1280x720", "  - {id: a, prompt: A ship, frames: 81, steps: 2, tier: flagship}\n");

    (void)state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const char *gpu = cases[i / 2].gpu, *memory = i % 2 ? "speed" : "auto";
        struct program p = PROGRAM("plan", path, "--gpu", gpu, "--memory", memory);
        json_t *root = stages_with(path, gpu, "--memory", memory);
        const json_t *tier = json_array_get(json_object_get(root, "tiers"), 0);
        bool at_once = cases[i / 2].at_once;

        assert_int_equal(p.status, EXIT_DELIVERED);
        assert_true(json_is_true(json_object_get(root, "fits")));
        assert_true(json_is_true(json_object_get(tier, "fits")));
        assert_int_equal(json_is_true(json_object_get(tier, "resident_fits")), at_once);
        assert_non_null(strstr(joined(&p), " fits: sampling takes most, 35.4 of 49.0 GiB"));
        assert_non_null(strstr(p.out, "without offload, all models there at once"));
        assert_non_null(strstr(p.out, at_once ? ": fits (this version does not do that"
                                              : ": does not fit; on 3 such GPUs it would (this "
                                                "version does not do that"));
        json_decref(root);
        program_free(&p);
    }
    struct program p = PROGRAM("plan", path, "--gpu", "32GiB", "--no-offload");
    assert_int_equal(p.status, EXIT_SHOTS);
    assert_non_null(strstr(joined(&p), "without --no-offload (--memory speed) it fits: "));
    program_free(&p);
}

/* So many fit, and no more. */
static void the_most_frames_that_fit_are_told(void **state)
{
    static const char shot[] =
        "  - {id: a, prompt: A ship, frames: %d, steps: 2, tier: flagship}\n";
    char shots[120];
    int most = 0;

    (void)state;
    snprintf(shots, sizeof shots, shot, 81);
    json_t *root = stages_with(write_board("832x480", shots), "5GiB", "--memory", "auto");
    const json_t *tier = json_array_get(json_object_get(root, "tiers"), 0);
    const char *mend = json_string_value(json_object_get(tier, "mend"));
    assert_int_equal(sscanf(mend, "shots of at most %d frames fit", &most), 1);
    json_decref(root);
    for (int more = 0; more <= 1; more++) {
        snprintf(shots, sizeof shots, shot, most + more);
        struct program p = PROGRAM("plan", write_board("832x480", shots), "--gpu", "5GiB");
        if (p.status != (more ? EXIT_SHOTS : EXIT_DELIVERED))
            fail_msg("%d frames of %s: %s", most + more, mend, p.out);
        program_free(&p);
    }
}

/* What is supposed of the disk is told with what comes of it. */
static void loading_is_told_apart(void **state)
{
    const char *path = write_board(
        "832x480", "  - {id: a, prompt: A ship, frames: 17, steps: 2, tier: workhorse}\n");
    struct program p = PROGRAM("plan", path, "--gpu", "h200");
    json_t *root = stages_with(path, "h200", "--only", "a");
    double load = number(root, "load_seconds");

    (void)state;
    assert_non_null(strstr(joined(&p), "; 20 s of it for loading from a disk taken to read 2 GB/s, "
                                       "which was not measured"));
    assert_non_null(strstr(p.out, " host disk time words "));
    assert_true(load > 19 && load < 20.5 && load < number(root, "seconds"));
    assert_true(load == number(root, "disk_read") / number(root, "disk_bytes_per_second"));
    json_decref(root);
    program_free(&p);
}

/* The host's memory is judged where it is known, else what it needs is told. */
static void memory_of_the_host_is_judged(void **state)
{
    const char *path = write_board(
        "832x480", "  - {id: a, prompt: A ship, frames: 33, steps: 2, tier: workhorse}\n");
    struct program p = planned(path, "4090", EXIT_DELIVERED);

    (void)state;
    assert_non_null(strstr(p.out, "the host needs "));
    assert_non_null(strstr(p.out, "4090,host=64GiB"));
    program_free(&p);
    p = planned(path, "4090,host=64GiB", EXIT_DELIVERED);
    assert_null(strstr(p.out, "host needs"));
    program_free(&p);
    p = planned(path, "4090,host=16GiB", EXIT_SHOTS);
    assert_non_null(strstr(p.out, "of the host's memory"));
    assert_non_null(strstr(p.out, "it is the host that needs more memory"));
    program_free(&p);
}

static void the_disk_is_judged(void **state)
{
    char shots[100];
    const char *path;

    (void)state;
    snprintf(shots, sizeof shots,
             "  - {id: a, card: {background: \"#000000\"}, duration: 4000s}\n");
    path = write_board("7680x4320", shots); /* some 6 TiB */
    struct program p = PROGRAM("plan", path, "--gpu", "4090", "-o", "/dev/shm/auteur-none/there");
    assert_int_equal(p.status, EXIT_SHOTS);
    assert_non_null(strstr(p.out, "DOES NOT FIT the disk: "));
    program_free(&p);
    p = PROGRAM("plan", path, "--gpu", "4090", "--json", "-o", "/dev/shm/auteur-none/there");
    json_t *root = json_loads(p.out, 0, NULL);
    assert_int_equal(p.status, EXIT_SHOTS);
    assert_true(json_is_false(json_object_get(root, "fits")));
    assert_true(json_is_false(json_object_get(root, "disk_fits")));
    assert_true(number(root, "disk_made") > number(root, "disk_free"));
    assert_true(number(root, "films_seconds") > 0.1);
    json_decref(root);
    program_free(&p);
}

static void presets_decide_steps_and_batch(void **state)
{
    char shots[700] = "";

    (void)state;
    for (int i = 0; i < 8; i++)
        sprintf(shots + strlen(shots), "  - {id: a%d, prompt: A ship, frames: 1, tier: picture}\n",
                i);
    const char *path = write_board("1024x576", shots);
    json_t *balanced = stages_with(path, "h200", "--preset", "balanced");
    json_t *batch = stages_with(path, "h200", "--preset", "batch");
    const json_t *x = stage_of(balanced, "sampling"), *y = stage_of(batch, "sampling");
    assert_true(number(x, "steps") == 30 && number(x, "together") == 4);
    assert_true(number(y, "steps") == 20 && number(y, "together") == 8);
    assert_true(number(y, "activations") > 1.5 * number(x, "activations"));
    assert_true(number(y, "work_seconds") < 0.67 * number(x, "work_seconds"));
    json_decref(balanced);
    json_decref(batch);
}

/* What is hoped of a step cache is told as a hope, by the threshold that was measured. */
static void a_step_cache_is_hoped_of(void **state)
{
    const char *path = write_board(
        "832x480", "  - {id: a, prompt: A ship, frames: 17, steps: 16, tier: workhorse}\n");
    struct program p = PROGRAM("plan", path, "--gpu", "h200", "--step-cache", "first-block");

    (void)state;
    assert_non_null(strstr(joined(&p), "told without any gain of its step cache"));
    assert_non_null(strstr(p.out, "1.75 times"));
    assert_non_null(strstr(p.out, "without any gain of step caches, with what is hoped"));
    program_free(&p);
    p = PROGRAM("plan", path, "--gpu", "h200", "--step-cache", "first-block",
                "--step-cache-threshold", "0.05");
    assert_non_null(strstr(joined(&p), "none was measured"));
    assert_null(strstr(p.out, "hoped"));
    program_free(&p);
    p = PROGRAM("plan", path, "--gpu", "h200");
    assert_null(strstr(p.out, "step cache"));
    program_free(&p);
    p = PROGRAM("plan", path, "--json", "--gpu", "h200", "--step-cache", "first-block",
                "--step-cache-threshold", "2"); /* of a dry device every distance is the same */
    json_t *root = json_loads(p.out, 0, NULL), *off = stages_with(path, "h200", "--only", "a");
    assert_true(number(stage_of(root, "sampling"), "work_seconds") >=
                number(stage_of(off, "sampling"), "work_seconds"));
    assert_true(number(root, "hoped_seconds") < number(root, "seconds"));
    assert_true(number(off, "hoped_seconds") == number(off, "seconds"));
    json_decref(root);
    json_decref(off);
    program_free(&p);
}

static void what_has_no_effect_is_said(void **state)
{
    static const struct {
        const char *gpu, *option, *value, *said;
    } cases[] = {{"gb10", "--memory", "safe", "--memory safe is refused there"},
                 {"a100", "--precision", "fp8", "--precision fp8 changes nothing there"},
                 {"49GiB", "--precision", "fp8", "--precision fp8 is not counted"},
                 {"49GiB,1008GB/s", "--memory", "auto",
                  "Times are not told: name the GPU, or add its TFLOP/s to --gpu"},
                 {"49GiB,165TFLOP/s", "--memory", "auto",
                  "Times are not told: name the GPU, or add its GB/s to --gpu"},
                 {"4xh200", "--memory", "auto", "This version computes on one of them"},
                 {"h200", "--precision", "fp8", NULL},
                 {"h200", "--memory", "safe", NULL}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct program p = PROGRAM("plan", board, "--only", "c", "--gpu", cases[i].gpu,
                                   cases[i].option, cases[i].value);
        json_t *root = stages_with(board, cases[i].gpu, cases[i].option, cases[i].value);
        const json_t *notes = json_object_get(json_object_get(root, "machine"), "notes");
        const char *first = json_string_value(json_array_get(notes, 0));

        assert_int_equal(p.status, EXIT_DELIVERED);
        assert_true(!cases[i].said || strstr(joined(&p), cases[i].said));
        assert_true(cases[i].said ? strstr(first, cases[i].said) == first : !first);
        json_decref(root);
        program_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_change_what_they_should),
        cmocka_unit_test(the_verdict_is_of_a_run_and_all_at_once_is_told_besides),
        cmocka_unit_test(the_most_frames_that_fit_are_told),
        cmocka_unit_test(loading_is_told_apart),
        cmocka_unit_test(memory_of_the_host_is_judged),
        cmocka_unit_test(the_disk_is_judged),
        cmocka_unit_test(presets_decide_steps_and_batch),
        cmocka_unit_test(a_step_cache_is_hoped_of),
        cmocka_unit_test(what_has_no_effect_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
