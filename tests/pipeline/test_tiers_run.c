/* Storyboards of every tier that wants a checkpoint, run as a user runs them: the fixtures stand
 * for the published models. What is delivered, what a shot's sheet says, what a wrong folder or
 * picture is told, and that a kill in the middle of sampling leaves the latents as they would have
 * been. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pipeline/commands/bench_tiles.h"
#include "tests/pipeline/models.h"
#include "tests/pipeline/tree.h"

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* A board of one shot `a`; `size` as "64x48", `shot` its further fields. */
static void write_board(const char *size, const char *shot)
{
    char text[900];

    snprintf(text, sizeof text,
             "name: tiers\nsize: %s\nfps: 8\nshots:\n"
             "  - {id: a, prompt: a boat at dawn, seed: 3, %s}\n",
             size, shot);
    write_file(board, text);
}

static int set_up(void **state)
{
    (void)state;
    if (make_models() != 0)
        return -1;
    link_fixture("hunyuan-video", "workhorse");
    link_fixture("cogvideox", "experimental");
    link_fixture("wan2.2-t2v-a14b", "flagship");
    link_fixture("sdxl", "validator/sdxl");
    link_fixture("svd-xt", "validator/svd-xt");
    return 0;
}

static void start_over(void)
{
    struct error e;

    if (path_exists(dir))
        assert_int_equal(path_remove(dir, &e), 0);
}

static void delivered(struct program p)
{
    if (p.status != 0)
        printf("%s%s", p.out, p.err);
    assert_int_equal(p.status, 0);
    program_free(&p);
}

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
}

/* What a processor does with what is meant for a GPU's memory is said, once. */
static void a_processor_says_what_it_makes_of_limits(void **state)
{
    static const char *const modes[][2] = {{"--memory=safe", "--memory safe changes nothing\n"},
                                           {"--no-offload", "--no-offload changes nothing\n"}};
    struct program p;
    struct error e;

    (void)state;
    write_board("64x48", "tier: workhorse, frames: 5, steps: 1");
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
        program_free(&p);
    }
    assert_int_equal(path_remove(dir, &e), 0);
    p = PROGRAM("run", board, "-o", dir, "--models", models, "--device", "cpu", "-v");
    assert_null(strstr(p.out, "changes nothing"));
    assert_null(strstr(p.out, "Tile Size"));
    program_free(&p);
}

/* Both models of a tier, and the others after one that cannot be timed. */
static void every_vae_is_timed(void **state)
{
    struct program p = PROGRAM("bench", "vae", "--models", models, "--device", "cpu", "--size",
                               "64x64", "--frames", "1", "--repeat", "1");

    (void)state;
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, "validator "));
    assert_non_null(strstr(p.out, "\npicture "));
    assert_non_null(strstr(p.out, "\nflagship "));
    program_free(&p);
    p = PROGRAM("bench", "vae", "flagship", "--models", models, "--device", "cpu", "--size",
                "288x160", "--frames", "1", "--repeat", "1", "--vae-tile", "160x128");
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, "  3 x 2 tiles of 144x112 "));
    assert_non_null(strstr(p.out, " of white, on average "));
    assert_non_null(strstr(p.out, "; in 8 bits at most "));
    program_free(&p);
    p = PROGRAM("bench", "vae", "/nowhere", "validator", "--models", models, "--device", "cpu",
                "--size", "64x64", "--frames", "1", "--repeat", "1");
    assert_int_equal(p.status, 3);
    assert_non_null(strstr(p.err, "1 of 3 VAEs could not be timed"));
    assert_non_null(strstr(p.out, "validator "));
    assert_non_null(strstr(p.out, "\npicture "));
    program_free(&p);
}

static void a_vae_is_timed_at_the_size_that_is_told(void **state)
{
    char link[160], *real;
    struct program p;
    json_t *line;

    (void)state;
    /* SVD's fixture makes two pixels of a number, not eight. */
    p = PROGRAM("bench", "vae", "tests/fixtures/svd-xt", "--device", "cpu", "--size", "64x70",
                "--frames", "1", "--repeat", "1", "--vae-tile", "128x128");
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, " 64x70    1 frame "));
    assert_non_null(strstr(p.out, " 1 x 1 tiles of 64x70 "));
    assert_non_null(strstr(p.out, " GFLOP, too few to be held against a convolution"));
    program_free(&p);
    p = PROGRAM("bench", "vae", "flagship", "--models", models, "--device", "cpu", "--size",
                "64x64", "--frames", "4", "--repeat", "1");
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, " 64x64    5 frames (4 asked for) "));
    program_free(&p);
    p = PROGRAM("bench", "vae", "flagship", "--models", models, "--device", "cpu", "--size",
                "288x160", "--frames", "1", "--repeat", "1", "--vae-tile", "160x128", "--json");
    assert_int_equal(p.status, 0);
    line = json_loads(p.out, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(line, "width")), 288);
    assert_true(json_number_value(json_object_get(line, "ms_per_frame")) > 0);
    assert_true(json_is_null(json_object_get(line, "share_of_convolution")));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(line, "tiles"), "columns")),
                     3);
    json_decref(line);
    program_free(&p);
    /* The embedded model, at its own size: as if it were among the program's data. */
    real = realpath("stages/generate/previs/checkpoint", NULL);
    snprintf(link, sizeof link, "%s/previs", scratch);
    assert_true(real && symlink(real, link) == 0 && setenv("AUTEUR_DATA", scratch, 1) == 0);
    free(real);
    p = PROGRAM("bench", "vae", "previs", "--device", "cpu", "--frames", "1", "--repeat", "1");
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, " 384x224    1 frame "));
    program_free(&p);
}

/* What a file does not show is no difference. */
static void differences_are_those_of_the_file(void **state)
{
    struct picture_difference d = {0};

    (void)state;
    picture_difference_add(&d, 1.7f, 3.0f);
    picture_difference_add(&d, -1.2f, -40);
    assert_true(d.most == 0 && d.sum == 0 && d.steps == 0 && d.differ == 0 && d.count == 2);
    picture_difference_add(&d, 0.9f, 1.5f);
    assert_float_equal(d.most, 0.05, 1e-6);
    assert_int_equal(d.most_steps, 13); /* 242.25 and 255 */
    picture_difference_add(&d, 0.0f, 0.001f);
    assert_true(d.differ == 1 && d.steps == 13 && d.count == 4);
    assert_true(d.sum > d.most);
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
    p = PROGRAM("run", board, "-o", dir, "--models", models, "--precision", "f16");
    assert_int_equal(p.status, 1);
    assert_non_null(strstr(p.err, "--precision cannot be 'f16': one of fp8"));
    program_free(&p);
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
    assert_int_equal(tree_within(ours, theirs, NULL), 3);
    stands(0, true, false, false);

    snprintf(path, sizeof path, "%s/a/a.mp4", ours);
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
    assert_int_equal(tree_within(ours, theirs, NULL), 3);
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

/* ---- kills */

static char generating[200];

static void same_as_whole(int shots)
{
    char ours[200], theirs[200];

    snprintf(ours, sizeof ours, "%s/shots", dir);
    snprintf(theirs, sizeof theirs, "%s/shots", whole);
    assert_int_equal(tree_within(ours, theirs, NULL),
                     3 * shots); /* a sheet has the latents' digest */
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
    killed_while_it_samples("tier: validator, frames: 4, steps: 30");
    killed_while_it_samples("tier: validator, frames: 4, steps: 30, sampler: euler");
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
                      "  - {id: a, tier: validator, frames: 4, steps: 60}\n"
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

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, remove_models)

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
        ONE(every_vae_is_timed),
        ONE(a_vae_is_timed_at_the_size_that_is_told),
        ONE(differences_are_those_of_the_file),
        ONE(fp8_is_another_film),
        ONE(checkpoints_are_found_by_the_environment_and_by_the_board),
        ONE(svd_alone_sets_the_shots_own_picture_in_motion),
        ONE(what_is_wrong_is_told_before_work),
        ONE(a_model_that_is_away_undoes_nothing),
        ONE(a_model_that_never_was_there_is_a_failure),
        ONE(a_kill_in_the_middle_of_sampling_leaves_the_same_latents),
        ONE(shots_that_share_experts_survive_a_kill),
        ONE(a_run_without_a_model_leaves_the_steps_that_were_made),
        ONE(interrupted_before_it_samples_it_goes_on),
    };

    return cmocka_run_group_tests_name("tiers_run", tests, NULL, NULL);
}
