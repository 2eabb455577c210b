/* `auteur-pipe plan`: what it tells, as text and as JSON, and how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <jansson.h>

#include "pipeline/execute/capacity.h"
#include "pipeline/execute/workspace.h"
#include "pipeline/exit_code.h"
#include "tests/pipeline/program.h"

static char scratch[64];
static char board[100];

static const char text[] = "name: plan\n"
                           "fps: 24\n"
                           "size: 1024x576\n"
                           "shots:\n"
                           "  - {id: a, prompt: A ship, frames: 25, steps: 3, tier: validator}\n"
                           "  - {id: b, prompt: A ship, frames: 25, steps: 3, tier: validator}\n"
                           "  - {id: c, prompt: A ship, frames: 17, steps: 3, tier: previs}\n"
                           "  - {id: d, card: {background: \"#000000\"}, duration: 1s}\n";

static void link_data(const char *from, const char *name)
{
    char target[120], *real = realpath(from, NULL);

    assert_non_null(real);
    snprintf(target, sizeof target, "%s/data/%s", scratch, name);
    assert_int_equal(symlink(real, target), 0);
    free(real);
}

static int set_up(void **state)
{
    char data[80];
    struct error e = {0};

    (void)state;
    if (program_scratch(scratch) != 0)
        return -1;
    snprintf(data, sizeof data, "%s/data", scratch);
    snprintf(board, sizeof board, "%s/board.yaml", scratch);
    if (dir_make(data, &e) != 0 || setenv("AUTEUR_DATA", data, 1) != 0)
        return -1;
    link_data("stages/models/published", "published");
    link_data("stages/generate/previs/checkpoint", "previs");
    link_data("prompts/lexicon.yaml", "lexicon.yaml");
    return file_write_atomic(board, text, strlen(text), &e);
}

static int tear_down(void **state)
{
    struct error e = {0};

    (void)state;
    return path_remove(scratch, &e);
}

static json_t *plan_json(const char *gpu, int status)
{
    struct program p = PROGRAM("plan", board, "--json", "--gpu", gpu);
    json_t *root = json_loads(p.out, 0, NULL);

    if (p.status != status || !root)
        fail_msg("status %d: %s%s", p.status, p.out, p.err);
    program_free(&p);
    return root;
}

static double number(const json_t *o, const char *name)
{
    const json_t *value = json_object_get(o, name);

    assert_true(json_is_number(value));
    return json_number_value(value);
}

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

/* A board of 1024x576 unless said otherwise, in the test's own folder. */
static const char *write_board(const char *size, const char *shots)
{
    static char path[100];
    char whole[8000];
    struct error e = {0};

    snprintf(path, sizeof path, "%s/own.yaml", scratch);
    snprintf(whole, sizeof whole, "name: own\nfps: 24\nsize: %s\nshots:\n%s", size, shots);
    assert_int_equal(file_write_atomic(path, whole, strlen(whole), &e), 0);
    return path;
}

/* What it printed, in one line. */
static const char *joined(struct program *p)
{
    char *to = p->out;

    for (const char *from = p->out; *from; from++)
        if (!isspace((unsigned char)*from))
            *to++ = *from;
        else if (to > p->out && to[-1] != ' ')
            *to++ = ' ';
    *to = '\0';
    return p->out;
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

/* ---- options */

/* The stages of the board's first tier on a GPU with one or two more options. */
static json_t *stages_with(const char *path, const char *gpu, const char *option, const char *value)
{
    struct program p = PROGRAM("plan", path, "--json", "--gpu", gpu, option, value);
    json_t *root = json_loads(p.out, 0, NULL);

    if (!root)
        fail_msg("status %d: %s%s", p.status, p.out, p.err);
    program_free(&p);
    return root;
}

static const json_t *stage_of(const json_t *root, const char *name)
{
    const json_t *tier = json_array_get(json_object_get(root, "tiers"), 0), *stage;
    size_t i;

    json_array_foreach(json_object_get(tier, "stages"), i, stage)
    {
        if (strcmp(json_string_value(json_object_get(stage, "stage")), name) == 0)
            return stage;
    }
    fail_msg("no stage %s", name);
    return NULL;
}

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
    struct program p = PROGRAM("plan", path, "--gpu", "4090");

    (void)state;
    assert_int_equal(p.status, EXIT_DELIVERED);
    assert_non_null(strstr(joined(&p), "the host needs "));
    assert_non_null(strstr(p.out, "4090,host=64GiB"));
    program_free(&p);
    p = PROGRAM("plan", path, "--gpu", "4090,host=64GiB");
    assert_int_equal(p.status, EXIT_DELIVERED);
    assert_null(strstr(p.out, "host needs"));
    program_free(&p);
    p = PROGRAM("plan", path, "--gpu", "4090,host=16GiB");
    assert_int_equal(p.status, EXIT_SHOTS);
    assert_non_null(strstr(joined(&p), "of the host's memory"));
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

/* ---- the layout of the text */

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

/* Before a run begins: a shot that surely does not fit is refused with the mend; one that might is
 * not. previs takes 0.8 GiB. */
static void a_run_refuses_what_cannot_fit(void **state)
{
    static const struct {
        const char *gpu;
        size_t refused;
    } cases[] = {{"0.5GiB", 1}, {"0.74GiB", 0}, {"8GiB", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct request r = {
            .board = board, .tier = "", .only = "c", .models = "", .device = "cpu"};
        struct workspace w = {0};
        struct machine m;
        struct error e = {0};

        if (workspace_board(&w, &r, NULL, &e) != 0 || workspace_plan(&w, &r, &e) != 0 ||
            machine_parse(cases[i].gpu, &m, &e) != 0)
            fail_msg("%s", e.text);
        assert_int_equal(w.plan.problem_count, 0);
        assert_int_equal(capacity_check_on(&w.env, &w.plan, &m, &e), 0);
        assert_int_equal(w.plan.problem_count, cases[i].refused);
        if (cases[i].refused) {
            assert_int_equal(w.plan.problems[0].shot, 2);
            assert_non_null(strstr(w.plan.problems[0].text, "tier previs cannot make 17 frames"));
            assert_non_null(strstr(w.plan.problems[0].text, "auteur-pipe plan"));
            assert_int_equal(w.plan.run[STAGE_GENERATE], 0);
        }
        assert_int_equal(capacity_check(&w.env, &w.plan, &e), 0); /* a processor: nothing more */
        assert_int_equal(w.plan.problem_count, cases[i].refused);
        workspace_close(&w);
    }
}

/* A limit that no tile keeps to is told before anything is made, on a processor too. */
static void a_run_refuses_a_limit_that_is_too_narrow(void **state)
{
    char out[100];
    struct program p;

    (void)state;
    snprintf(out, sizeof out, "%s/narrow", scratch);
    p = PROGRAM("run", board, "-o", out, "--only", "c", "--device", "cpu", "--vae-memory", "1M");
    assert_int_equal(p.status, EXIT_SHOTS);
    assert_non_null(strstr(p.err, "FAILED c: --vae-memory is 1.0 MiB"));
    assert_null(strstr(p.out, "start "));
    program_free(&p);
    for (int i = 0; i < 2; i++) {
        const struct request r = {.board = board,
                                  .tier = "",
                                  .only = "c",
                                  .models = "",
                                  .vae_memory = i ? "1M" : "100M",
                                  .device = "cpu"};
        struct workspace w = {0};
        struct error e = {0};

        if (workspace_board(&w, &r, NULL, &e) != 0 || workspace_plan(&w, &r, &e) != 0)
            fail_msg("%s", e.text);
        assert_int_equal(capacity_check(&w.env, &w.plan, &e), 0);
        assert_int_equal(w.plan.problem_count, i);
        assert_true(i == 0 || w.plan.problems[0].stage == STAGE_DECODE);
        workspace_close(&w);
    }
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
        cmocka_unit_test(a_shot_at_fault_leaves_the_others),
        cmocka_unit_test(a_checkpoint_that_cannot_be_used_is_told),
        cmocka_unit_test(data_that_is_missing_is_told),
        cmocka_unit_test(options_change_what_they_should),
        cmocka_unit_test(the_verdict_is_of_a_run_and_all_at_once_is_told_besides),
        cmocka_unit_test(the_most_frames_that_fit_are_told),
        cmocka_unit_test(loading_is_told_apart),
        cmocka_unit_test(memory_of_the_host_is_judged),
        cmocka_unit_test(the_disk_is_judged),
        cmocka_unit_test(rows_add_up_and_what_cannot_be_mended_says_so),
        cmocka_unit_test(many_and_long_shots_stay_readable),
        cmocka_unit_test(presets_decide_steps_and_batch),
        cmocka_unit_test(a_step_cache_is_hoped_of),
        cmocka_unit_test(what_has_no_effect_is_said),
        cmocka_unit_test(no_line_is_wider_than_a_terminal),
        cmocka_unit_test(pictures_are_made_together),
        cmocka_unit_test(this_machine_is_planned_for_without_a_gpu),
        cmocka_unit_test(a_run_refuses_what_cannot_fit),
        cmocka_unit_test(a_run_refuses_a_limit_that_is_too_narrow),
        cmocka_unit_test(bad_words_end_at_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
