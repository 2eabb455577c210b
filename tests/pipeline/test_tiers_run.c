/* Storyboards of every tier that wants a checkpoint, run as a user runs them: the fixtures stand
 * for the published models. What is delivered, what a shot's sheet says, what a wrong folder or
 * picture is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/pipeline/tiers.h"
#include "tests/pipeline/tree.h"

static json_t *sheet(void)
{
    char path[200];
    json_t *root;

    snprintf(path, sizeof path, "%s/shots/a/a.json", dir);
    root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    return root;
}

static json_t *notes(json_t *root, const char *stage)
{
    return json_object_get(json_object_get(json_object_get(root, "made"), stage), "notes");
}

/* encode has counted the frames of what it wrote, and looked at each. */
static void delivered_is(json_t *root, int width, int height, int frames)
{
    json_t *d = json_object_get(notes(root, "encode"), "delivered");

    assert_int_equal(json_integer_value(json_object_get(d, "width")), width);
    assert_int_equal(json_integer_value(json_object_get(d, "height")), height);
    assert_int_equal(json_integer_value(json_object_get(d, "frames")), frames);
}

static void makes(const char *size, const char *shot, int width, int height, int frames)
{
    json_t *root;

    start_over();
    write_board(size, shot);
    delivered(PROGRAM("run", board, "-o", dir, "--models", models));
    root = sheet();
    delivered_is(root, width, height, frames);
    json_decref(root);
}

static void every_tier_makes_any_size(void **state)
{
    static const char *const tiers[] = {"workhorse", "experimental", "flagship", "validator"};
    char shot[80];

    (void)state;
    for (int i = 0; i < 4; i++) {
        snprintf(shot, sizeof shot, "tier: %s, frames: 1, steps: 1", tiers[i]);
        makes("16x16", shot, 16, 16, 1);
        makes("18x250", shot, 18, 250, 1);
        snprintf(shot, sizeof shot, "tier: %s, frames: 10, steps: 2, guidance: 1", tiers[i]);
        makes("66x34", shot, 66, 34, 10);
        snprintf(shot, sizeof shot, "tier: %s, frames: 2, steps: 2, guidance: 0", tiers[i]);
        makes("64x48", shot, 64, 48, 2);
    }
    makes("64x48", "tier: experimental, frames: 26, steps: 1", 64, 48, 26);
    makes("64x48", "tier: validator, frames: 30, steps: 1", 64, 48, 30); /* of the model's 25 */
    link_fixture("cogvideox-2b", "experimental");
    makes("64x48", "tier: experimental, frames: 9, steps: 2", 64, 48, 9);
}

static void what_is_asked_stands_in_the_sheet(void **state)
{
    json_t *root, *asked, *made;

    (void)state;
    makes("64x48",
          "tier: validator, frames: 3, steps: 2, motion: 40, noise: 0.1, guidance: 2, "
          "guidance_2: 1.5, sampler: euler",
          64, 48, 3);
    root = sheet();
    asked = json_object_get(root, "asked");
    made = notes(root, "generate");
    assert_int_equal(json_integer_value(json_object_get(asked, "motion")), 40);
    assert_float_equal(json_number_value(json_object_get(asked, "noise")), 0.1, 1e-9);
    assert_float_equal(json_number_value(json_object_get(asked, "guidance_2")), 1.5, 1e-9);
    assert_float_equal(json_number_value(json_object_get(made, "guidance")), 2, 1e-9);
    assert_string_equal(json_string_value(json_object_get(made, "sampler")), "euler");
    assert_int_equal(json_integer_value(json_object_get(made, "steps")), 2);
    json_decref(root);
    makes("64x48", "tier: flagship, frames: 5, steps: 2, shift: 3, sampler: flow_euler", 64, 48, 5);
    root = sheet();
    assert_float_equal(json_number_value(json_object_get(json_object_get(root, "asked"), "shift")),
                       3, 1e-9);
    assert_string_equal(json_string_value(json_object_get(notes(root, "generate"), "sampler")),
                        "flow_euler");
    json_decref(root);
}

static void refused(const char *shot, const char *why)
{
    struct program p;

    start_over();
    write_board("64x48", shot);
    p = PROGRAM("run", board, "-o", dir, "--models", models);
    if (!strstr(p.out, why) && !strstr(p.err, why))
        printf("%s%s", p.out, p.err);
    assert_int_equal(p.status, 3);
    assert_true(strstr(p.out, why) || strstr(p.err, why));
    assert_null(strstr(p.out, "start  a generate"));
    program_free(&p);
}

/* With a step cache most of the blocks may be left out; the command line counts before the board;
 * and a shot with one is another shot. */
static void steps_are_cached_when_asked(void **state)
{
    json_t *root;

    (void)state;
    makes("64x48",
          "tier: workhorse, frames: 5, steps: 8, step_cache: timestep, step_cache_threshold: 10",
          64, 48, 5);
    root = sheet();
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(root, "asked"), "step_cache")),
        "timestep");
    assert_string_equal(json_string_value(json_object_get(notes(root, "generate"), "step_cache")),
                        "timestep");
    /* two of eight steps of two dual and three single blocks */
    assert_int_equal(
        json_integer_value(json_object_get(notes(root, "generate"), "blocks_evaluated")), 2 * 5);
    assert_int_equal(
        json_integer_value(json_object_get(notes(root, "generate"), "blocks_left_out")), 6 * 5);
    json_decref(root);
    delivered(PROGRAM("run", board, "-o", dir, "--models", models, "--step-cache", "off"));
    root = sheet();
    assert_null(json_object_get(notes(root, "generate"), "step_cache"));
    json_decref(root);
    delivered(PROGRAM("run", board, "-o", dir, "--models", models, "--step-cache", "first-block",
                      "--step-cache-threshold=9.5"));
    delivered(PROGRAM("resume", dir)); /* as it was run */
    root = sheet();
    assert_int_equal(
        json_integer_value(json_object_get(notes(root, "generate"), "blocks_left_out")), 6 * 4);
    json_decref(root);
    refused("tier: validator, frames: 3, steps: 2, step_cache: timestep", "has no step cache");
}

/* What `defaults` say is left out of a shot whose tier has no use for it, and so is the command
 * line's; -v says so, and where a cache found no step to leave out. */
static void defaults_serve_a_board_of_several_tiers(void **state)
{
    static const char none[] = "Step Cache Unavailable: validator samples with a UNet";
    struct program p;

    (void)state;
    write_file(board,
               "name: mixed\nsize: 64x48\nfps: 8\ndefaults: {step_cache: first-block,\n"
               "  step_cache_threshold: 0.001, motion: 40, guidance_2: 2, prompt: a boat}\nshots:\n"
               "  - {id: a, tier: workhorse, frames: 5, steps: 4}\n"
               "  - {id: b, tier: validator, frames: 2, steps: 2}\n"
               "  - {id: c, card: Hello, frames: 2}\n");
    p = PROGRAM("check", board, "--models", models);
    assert_int_equal(p.status, 0);
    program_free(&p);
    p = PROGRAM("run", board, "-o", dir, "--models", models, "--device", "cpu", "-v", "--compile");
    if (p.status != 0)
        printf("%s%s", p.out, p.err);
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, none));
    assert_non_null(strstr(p.out, "Unavailable: no step was near enough to the last computed one "
                                  "(first-block, threshold 0.001)\n"));
    assert_non_null(strstr(p.out, "--compile changes nothing\n"));
    program_free(&p);
    start_over();
    write_board("64x48", "tier: validator, frames: 2, steps: 2");
    p = PROGRAM("run", board, "-o", dir, "--models", models, "--device", "cpu", "-v",
                "--step-cache=timestep");
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, none));
    assert_null(strstr(p.out, "--compile"));
    program_free(&p);
}

static void a_threshold_needs_a_step_cache(void **state)
{
    struct program p;

    (void)state;
    write_board("64x48", "tier: workhorse, frames: 5, steps: 8");
    p = PROGRAM("run", board, "-o", dir, "--models", models, "--step-cache-threshold", "0.1");
    assert_int_equal(p.status, 1);
    assert_non_null(strstr(p.err, "--step-cache-threshold does nothing without a step cache"));
    program_free(&p);
    write_board("64x48", "tier: workhorse, frames: 5, steps: 8, step_cache: timestep");
    p = PROGRAM("check", board, "--models", models, "--step-cache-threshold", "0.1");
    assert_int_equal(p.status, 0);
    program_free(&p);
    p = PROGRAM("check", board, "--models", models, "--step-cache", "off", "--step-cache-threshold",
                "0.1");
    assert_int_equal(p.status, 1);
    program_free(&p);
}

static void too_little_memory_for_a_vae_is_told_once(void **state)
{
    struct program p;

    (void)state;
    write_board("64x48", "tier: workhorse, frames: 5, steps: 1");
    p = PROGRAM("run", board, "-o", dir, "--models", models, "--device", "cpu", "--vae-memory",
                "1M", "--json");
    assert_int_equal(p.status, 3);
    assert_non_null(strstr(p.out, "--vae-memory is 1.0 MiB"));
    assert_null(strstr(p.out, "\"retry\":true"));
    program_free(&p);
}

static void a_negative_that_nobody_reads_is_told(void **state)
{
    struct program p;

    (void)state;
    write_board("64x48", "tier: workhorse, frames: 5, negative: fog");
    p = PROGRAM("check", board, "--models", models);
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.err, "shot a: warning: `negative` does nothing: tier workhorse"));
    program_free(&p);
    p = PROGRAM("check", board, "--models", models, "--tier", "flagship");
    assert_int_equal(p.status, 0);
    assert_string_equal(p.err, "");
    program_free(&p);
    write_board("64x48", "tier: flagship, frames: 5, negative: fog, guidance: 1");
    p = PROGRAM("check", board, "--models", models);
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.err, "`negative` does nothing: tier flagship (Wan 2.2 A14B) makes no "
                                  "pass without the prompt where guidance is 1"));
    program_free(&p);
    p = PROGRAM("run", board, "-o", dir, "--models", models);
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.err, "shot a: warning: `negative` does nothing: tier flagship"));
    program_free(&p);
    p = PROGRAM("run", board, "-o", dir, "--models", models);
    assert_string_equal(p.err, ""); /* it is made */
    program_free(&p);
}

/* What a processor does with what is meant for a GPU's memory is said, once. */
static void a_processor_says_what_it_makes_of_limits(void **state)
{
    static const char *const modes[][2] = {{"--memory=safe", "--memory safe changes nothing\n"},
                                           {"--no-offload", "--no-offload changes nothing\n"}};
    struct program p;
    struct error e;

    (void)state;
    write_board("256x64", "tier: workhorse, frames: 1, steps: 1");
    for (int i = 0; i < 2; i++) {
        const char *first;
        assert_int_equal(path_remove(dir, &e), 0);
        p = PROGRAM("run", board, "-o", dir, "--models", models, "--device", "cpu", modes[i][0],
                    "--vae-tile=128x128", "-v");
        assert_int_equal(p.status, 0);
        first = strstr(p.out, modes[i][1]);
        assert_non_null(first);
        assert_null(strstr(first + 1, modes[i][1]));
        assert_non_null(strstr(p.out, "[CPU_ENGINE] Tile Size: "));
        assert_int_equal(strstr(p.err, "--memory safe is refused: a processor") != NULL, i == 0);
        program_free(&p);
    }
    assert_int_equal(path_remove(dir, &e), 0);
    p = PROGRAM("run", board, "-o", dir, "--models", models, "--device", "cpu", "-v");
    assert_int_equal(p.status, 0);
    assert_null(strstr(p.out, "changes nothing"));
    assert_null(strstr(p.out, "Tile Size"));
    program_free(&p);
    assert_int_equal(path_remove(dir, &e), 0);
    p = PROGRAM("run", board, "-o", dir, "--models", models, "--device", "cpu", "-v",
                "--vae-memory=1G"); /* enough for all of it */
    assert_int_equal(p.status, 0);
    assert_null(strstr(p.out, "Tile Size"));
    program_free(&p);
}

/* Each option that has no effect is told, once as it is found and once in the summary. */
static void what_was_asked_in_vain_is_told(void **state)
{
    static const char *const options[] = {"--preset batch changes", "--batch changes",
                                          "--vae-frames changes", "--precision bf16 changes",
                                          "--vae-tile changes"};
    static const struct {
        const char *tier;
        bool told[5];
    } cases[] = {{"flagship", {true, true, true, true, true}},
                 {"validator", {false, false, false, true, true}}};

    (void)state;
    for (int i = 0; i < 2; i++) {
        char shot[80];
        struct program p;

        start_over();
        snprintf(shot, sizeof shot, "tier: %s, frames: 1, steps: 1", cases[i].tier);
        write_board("64x48", shot);
        p = PROGRAM("run", board, "-o", dir, "--models", models, "--device", "cpu", "-v",
                    "--preset=batch", "--batch=4", "--vae-frames=16", "--precision=bf16",
                    "--vae-tile=128x128");
        assert_int_equal(p.status, 0);
        for (int k = 0; k < 5; k++) {
            int count = 0;

            for (const char *at = p.out; (at = strstr(at, options[k])); at++)
                count++;
            if (count != (cases[i].told[k] ? 2 : 0))
                fail_msg("%s %s: %d times: %s", cases[i].tier, options[k], count, p.out);
        }
        program_free(&p);
    }
}

static void a_threshold_without_a_step_cache_is_told(void **state)
{
    const char *told = "shot a: warning: `step_cache_threshold` does nothing";
    struct program p;

    (void)state;
    write_board("64x48", "tier: flagship, frames: 5, step_cache_threshold: 0.2");
    p = PROGRAM("check", board, "--models", models);
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.err, told));
    program_free(&p);
    p = PROGRAM("check", board, "--models", models, "--step-cache", "timestep");
    assert_int_equal(p.status, 0);
    assert_string_equal(p.err, "");
    program_free(&p);
    write_board("64x48", "tier: flagship, frames: 5, step_cache: timestep, "
                         "step_cache_threshold: 0.2");
    p = PROGRAM("check", board, "--models", models);
    assert_int_equal(p.status, 0);
    assert_string_equal(p.err, "");
    program_free(&p);
}

/* A processor rounds to FP8 as a GPU does; what is made so is another film, under another key. */
static void fp8_is_another_film(void **state)
{
    struct program p;
    json_t *root;

    (void)state;
    makes("64x48", "tier: flagship, frames: 5, steps: 2", 64, 48, 5);
    root = sheet();
    assert_null(json_object_get(notes(root, "generate"), "precision"));
    json_decref(root);
    p = PROGRAM("run", board, "-o", dir, "--models", models, "--precision", "fp8", "--json");
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, "\"generate\""));
    program_free(&p);
    root = sheet();
    assert_string_equal(json_string_value(json_object_get(notes(root, "generate"), "precision")),
                        "fp8");
    json_decref(root);
    p = PROGRAM("resume", dir); /* as it was run: there is nothing to do */
    assert_int_equal(p.status, 0);
    assert_null(strstr(p.out, "generate"));
    program_free(&p);
    p = PROGRAM("run", board, "-o", dir, "--models", models, "--precision", "f16", "--json");
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, "\"generate\""));
    program_free(&p);
    root = sheet(); /* a processor computed as without all the same */
    assert_null(json_object_get(notes(root, "generate"), "precision"));
    json_decref(root);
    p = PROGRAM("run", board, "-o", dir, "--models", models, "--precision", "f32", "--json");
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, "\"generate\""));
    program_free(&p);
    root = sheet();
    assert_string_equal(json_string_value(json_object_get(notes(root, "generate"), "precision")),
                        "f32");
    json_decref(root);
}

static void checkpoints_are_found_by_the_environment_and_by_the_board(void **state)
{
    char text[600];

    (void)state;
    write_board("64x48", "tier: workhorse, frames: 2, steps: 1");
    assert_int_equal(setenv("AUTEUR_MODELS", models, 1), 0);
    delivered(PROGRAM("run", board, "-o", dir));
    assert_int_equal(unsetenv("AUTEUR_MODELS"), 0);
    start_over();
    snprintf(text, sizeof text,
             "name: two\nsize: 64x48\nfps: 8\n"
             "models: {workhorse: models/workhorse, validator: models/validator}\nshots:\n"
             "  - {id: a, tier: workhorse, prompt: a boat, frames: 2, steps: 1}\n"
             "  - {id: b, tier: validator, prompt: a boat, frames: 2, steps: 1}\n");
    write_file(board, text);
    delivered(PROGRAM("run", board, "-o", dir));
    delivered(PROGRAM("run", board, "-o", dir)); /* and nothing is made anew */
}

/* A picture of noise: none of the checks of delivered pictures minds it. */
static void write_picture(const char *name, int width, int height)
{
    char path[160];
    unsigned random = 1;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", scratch, name);
    f = fopen(path, "wb");
    assert_non_null(f);
    fprintf(f, "P6\n%d %d\n255\n", width, height);
    for (int i = 0; i < width * height * 3; i++)
        fputc((int)((random = random * 1664525 + 1013904223) >> 24), f);
    assert_int_equal(fclose(f), 0);
}

static void svd_alone_sets_the_shots_own_picture_in_motion(void **state)
{
    char svd[200];
    struct error e;

    (void)state;
    snprintf(svd, sizeof svd, "%s/validator", models);
    assert_int_equal(path_remove(svd, &e), 0);
    link_fixture("svd-xt", "validator");
    write_picture("one.ppm", 1, 1);
    write_picture("wide.ppm", 3000, 5);
    write_picture("plain.ppm", 90, 70);
    makes("64x48", "tier: validator, frames: 3, steps: 2, keyframe: one.ppm", 64, 48, 3);
    makes("64x48", "tier: validator, frames: 3, steps: 2, keyframe: wide.ppm", 64, 48, 3);
    makes("64x48", "tier: validator, frames: 3, steps: 2, keyframe: plain.ppm", 64, 48, 3);
}

static void what_is_wrong_is_told_before_work(void **state)
{
    char path[200];
    struct error e;

    (void)state;
    refused("tier: validator, frames: 2, keyframe: none.png", "cannot open none.png");
    refused("tier: validator, frames: 2, keyframe: board.yaml", "board.yaml is no clip or picture");
    refused("tier: workhorse, frames: 2, keyframe: none.png", "has no keyframe");
    refused("tier: workhorse, frames: 2, sampler: ddim", "flow_euler and unipc fit it");
    refused("tier: experimental, frames: 50", "at most 49");
    link_fixture("wan2.2-t2v-a14b", "workhorse");
    refused("tier: workhorse, frames: 2", "workhorse wants hunyuan_video");
    link_fixture("sdxl", "flagship");
    refused("tier: flagship, frames: 2", "is a checkpoint of the sdxl family");
    snprintf(path, sizeof path, "%s/validator", models);
    assert_int_equal(path_remove(path, &e), 0);
    link_fixture("sdxl", "validator");
    refused("tier: validator, frames: 2", "tier validator wants svd");
    link_fixture("svd-xt", "validator");
    refused("tier: validator, frames: 2", "give the shot a `keyframe`");
    snprintf(path, sizeof path, "%s/experimental", models);
    unlink(path);
    refused("tier: experimental, frames: 2", "experimental is no directory");
    assert_int_equal(mkdir(path, 0777), 0);
    refused("tier: experimental, frames: 2", "has no model_index.json");
}

/* ---- a model's folder that is away */

/* `status` and its JSON agree. */
static void stands(int status, bool delivered, bool failed, bool compared)
{
    struct program p = PROGRAM("status", dir);
    json_t *root;

    if (p.status != status || !strstr(p.out, "not compared with its model: ") != compared)
        fail_msg("status %d: %s%s", p.status, p.out, p.err);
    assert_true(!strstr(p.out, "FAILED") == !failed);
    assert_non_null(strstr(p.out, delivered ? "1 of 1 shot delivered" : "0 of 1 shot delivered"));
    program_free(&p);
    p = PROGRAM("status", dir, "--json");
    assert_int_equal(p.status, status);
    root = json_loads(p.out, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(root, "delivered")), delivered);
    assert_int_equal(json_integer_value(json_object_get(root, "failed")), failed);
    assert_int_equal(json_integer_value(json_object_get(root, "not_compared")), !compared);
    json_decref(root);
    program_free(&p);
}

static void says(struct program p, int status, const char *first, const char *second)
{
    if (p.status != status || !(strstr(p.out, first) || strstr(p.err, first)) ||
        !(strstr(p.out, second) || strstr(p.err, second)))
        fail_msg("status %d: %s%s", p.status, p.out, p.err);
    program_free(&p);
}

static void a_model_that_is_away_undoes_nothing(void **state)
{
    char away[160], flagship[160], path[200], parked[160], ours[160], theirs[160];
    struct error e;

    (void)state;
    snprintf(away, sizeof away, "%s/away", scratch);
    snprintf(flagship, sizeof flagship, "%s/flagship", models);
    snprintf(ours, sizeof ours, "%s/shots", dir);
    snprintf(theirs, sizeof theirs, "%s/shots", whole);
    write_board("64x48", "tier: flagship, frames: 5, steps: 1");
    delivered(PROGRAM("run", board, "-o", whole, "--models", models));
    delivered(PROGRAM("run", board, "-o", dir, "--models", models));
    stands(0, true, false, true);

    assert_int_equal(rename(models, away), 0); /* the drive is unplugged */
    stands(0, true, false, false);
    says(PROGRAM("status", dir), 0, flagship, "run --models DIR");
    says(PROGRAM("why", "a", dir), 0, "not compared: enhance: the checkpoint of tier flagship",
         "all that was made of it is there");
    says(PROGRAM("why", dir), 0, "not compared", "a\n");
    says(PROGRAM("resume", dir), 3, flagship, "is no directory");
    says(PROGRAM("run", board, "-o", dir, "--models", models), 3, flagship, "is no directory");
    assert_int_equal(tree_within(ours, theirs, NULL), 6);
    stands(0, true, false, false);

    snprintf(path, sizeof path, "%s/a/a_v001.mp4", ours);
    snprintf(parked, sizeof parked, "%s/a.mp4", scratch);
    assert_int_equal(rename(path, parked), 0); /* a file of the film is gone as well */
    stands(0, false, false, false);
    says(PROGRAM("why", "a", dir), 0, "not compared", "encode     file missing");
    assert_int_equal(rename(parked, path), 0);

    assert_int_equal(dir_make(flagship, &e), 0); /* an empty mount point */
    stands(0, true, false, false);
    snprintf(path, sizeof path, "%s/vae", flagship);
    assert_int_equal(dir_make(path, &e), 0); /* a folder that is no checkpoint is a failure */
    stands(3, false, true, true);
    assert_int_equal(path_remove(models, &e), 0);

    assert_int_equal(rename(away, models), 0); /* plugged in again */
    stands(0, true, false, true);
    says(PROGRAM("resume", dir), 0, "nothing to do", "1 shot is up to date");
    assert_int_equal(tree_within(ours, theirs, NULL), 6);
}

/* The first run already found no model: that is its failure, told as such. */
static void a_model_that_never_was_there_is_a_failure(void **state)
{
    struct program p;

    (void)state;
    write_board("64x48", "tier: flagship, frames: 5, steps: 1");
    says(PROGRAM("run", board, "-o", dir), 3, "has no checkpoint", "AUTEUR_MODELS");
    stands(3, false, true, true);
    p = PROGRAM("why", "a", dir);
    assert_non_null(strstr(p.out, "cannot be made: enhance: tier flagship"));
    assert_non_null(strstr(p.out, "never made"));
    program_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(every_tier_makes_any_size),
        ONE(what_is_asked_stands_in_the_sheet),
        ONE(steps_are_cached_when_asked),
        ONE(defaults_serve_a_board_of_several_tiers),
        ONE(a_threshold_needs_a_step_cache),
        ONE(too_little_memory_for_a_vae_is_told_once),
        ONE(a_negative_that_nobody_reads_is_told),
        ONE(a_processor_says_what_it_makes_of_limits),
        ONE(what_was_asked_in_vain_is_told),
        ONE(a_threshold_without_a_step_cache_is_told),
        ONE(fp8_is_another_film),
        ONE(checkpoints_are_found_by_the_environment_and_by_the_board),
        ONE(svd_alone_sets_the_shots_own_picture_in_motion),
        ONE(what_is_wrong_is_told_before_work),
        ONE(a_model_that_is_away_undoes_nothing),
        ONE(a_model_that_never_was_there_is_a_failure),
    };

    return cmocka_run_group_tests_name("tiers_run", tests, NULL, NULL);
}
