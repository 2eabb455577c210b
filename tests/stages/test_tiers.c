/* Which tier makes a shot, where its checkpoint lies, and what sizes it works at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernels/base/file.h"
#include "stages/generate/tiers.h"

static struct board board = {.width = 416, .height = 240, .fps = {24, 1}};
static struct stage_env env = {.board = &board,
                               .data_dir = "/tmp/auteur-no-data",
                               .models_dir = "",
                               .tier = "",
                               .device = {.threads = 1}};

static void refuse(const char *tier, int frames, const char *says)
{
    struct shot shot = {
        .id = "1", .tier = tier, .frames = frames, .sampler = "", .step_cache = "", .keyframe = ""};
    const struct tier *t = NULL;
    struct error e = {0};
    assert_int_equal(tier_of_shot(&env, &shot, &t, &e), -1);
    assert_int_equal(e.code, ERROR_INPUT);
    if (!strstr(e.text, says))
        fail_msg("says \"%s\", not \"%s\"", e.text, says);
}

static void names_lead_to_tiers(void **state)
{
    (void)state;
    struct shot shot = {
        .id = "1", .tier = "previs", .frames = 33, .sampler = "", .step_cache = "", .keyframe = ""};
    const struct tier *t = NULL;
    struct error e = {0};
    assert_int_equal(tier_of_shot(&env, &shot, &t, &e), 0);
    assert_string_equal(t->name, "previs");
    env.tier = "flagship";
    assert_int_equal(tier_of_shot(&env, &shot, &t, &e), 0);
    assert_string_equal(t->name, "flagship");
    env.tier = "";
    refuse("Previs", 33, "there is no tier Previs: this version has previs, validator");
    refuse("", 33, "there is no tier");
    refuse("experimental", 50, "at most 49");
    refuse("previs", 122, "122 frames: tier previs makes at most 121");
}

static void every_base_negative_names_lettering(void **state)
{
    (void)state;
    for (int i = 0; i < tier_count; i++) {
        if (tiers_all[i].guidance == 1 && !*tiers_all[i].negative)
            continue;
        assert_non_null(strstr(tiers_all[i].negative, "text"));
        assert_non_null(strstr(tiers_all[i].negative, "letters"));
        assert_non_null(strstr(tiers_all[i].negative, "watermark"));
        assert_non_null(strstr(tiers_all[i].negative, "subtitles"));
    }
}

static void geometry_is(const char *tier, int width, int height, int frames,
                        const struct tier_geometry *expected)
{
    struct board b = {.width = width, .height = height};
    struct shot shot = {.frames = frames};
    struct tier_geometry g;
    tier_geometry(tier_find(tier), &b, &shot, 0, &g);
    if (memcmp(&g, expected, offsetof(struct tier_geometry, step_num)) != 0 ||
        g.step_num != expected->step_num || g.step_den != expected->step_den)
        fail_msg("%dx%d, %d frames by %s: made %dx%dx%d, picture %dx%dx%d at %d,%d", width, height,
                 frames, tier, g.width, g.height, g.frames, g.picture_width, g.picture_height,
                 g.picture_frames, g.left, g.top);
}

static void sizes_round_up_and_large_boards_are_fitted(void **state)
{
    (void)state;
    geometry_is("previs", 416, 240, 49,
                &(struct tier_geometry){416, 240, 49, 416, 240, 0, 0, 49, 1, 1, false});
    geometry_is("previs", 240, 416, 49,
                &(struct tier_geometry){240, 416, 49, 240, 416, 0, 0, 49, 1, 1, false});
    geometry_is("previs", 208, 480, 49,
                &(struct tier_geometry){208, 480, 49, 208, 480, 0, 0, 49, 1, 1, false});
    geometry_is("previs", 416, 234, 24,
                &(struct tier_geometry){416, 240, 25, 416, 234, 0, 2, 24, 1, 1, false});
    geometry_is("previs", 256, 144, 49,
                &(struct tier_geometry){416, 240, 49, 416, 234, 0, 2, 49, 1, 1, false});
    geometry_is("previs", 18, 16, 1,
                &(struct tier_geometry){320, 288, 1, 320, 284, 0, 2, 1, 1, 1, false});
    geometry_is("flagship", 18, 16, 1,
                &(struct tier_geometry){32, 16, 1, 18, 16, 6, 0, 1, 1, 1, false});
    geometry_is("previs", 1920, 1080, 2,
                &(struct tier_geometry){416, 240, 5, 416, 234, 0, 2, 2, 1, 1, false});
    geometry_is("previs", 1080, 1920, 5,
                &(struct tier_geometry){240, 416, 5, 234, 416, 2, 0, 5, 1, 1, false});
    geometry_is("flagship", 1920, 1080, 81,
                &(struct tier_geometry){1280, 720, 81, 1280, 720, 0, 0, 81, 1, 1, false});
    geometry_is("workhorse", 1920, 1080, 129,
                &(struct tier_geometry){1280, 720, 129, 1280, 720, 0, 0, 129, 1, 1, false});
    geometry_is("experimental", 1920, 1080, 49,
                &(struct tier_geometry){768, 432, 49, 768, 432, 0, 0, 49, 1, 1, false});
}

static void sizes_are_possible(const char *name)
{
    struct shot shot = {.frames = 7};
    const struct tier *tier = tier_find(name);
    for (int w = 16; w <= 8192; w = w * 5 / 4 / 2 * 2 + 2)
        for (int h = 16; h <= 8192; h = h * 5 / 4 / 2 * 2 + 2) {
            struct board b = {.width = w, .height = h};
            struct tier_geometry g;
            tier_geometry(tier, &b, &shot, 0, &g);
            assert_true(g.width % 16 == 0 && g.height % 16 == 0 && g.frames % 4 == 1);
            assert_true(g.picture_width % 2 == 0 && g.picture_height % 2 == 0);
            assert_true(g.left % 2 == 0 && g.left + g.picture_width <= g.width);
            assert_true(g.top % 2 == 0 && g.top + g.picture_height <= g.height);
            assert_true(g.picture_width >= 2 && g.picture_height >= 2);
            assert_true(tier->own_size || (g.picture_width <= w && g.picture_height <= h));
            assert_true((int64_t)g.picture_width * g.picture_height <= tier->pixels_max + 8192);
        }
}

/* How many frames the model makes, and that those which the shot shows are among them. */
static void rates_are(const char *tier, struct rational fps, enum shot_rate rate, int frames,
                      int made, bool interpolated)
{
    struct board b = {.width = 64, .height = 48, .fps = fps};
    struct shot shot = {.frames = frames, .rate = rate};
    struct tier_geometry g;
    tier_geometry(tier_find(tier), &b, &shot, 0, &g);
    assert_int_equal(g.frames, made);
    assert_int_equal(g.interpolated, interpolated);
    assert_int_equal(g.picture_frames, frames);
    assert_true(((frames - 1) * g.step_num + (interpolated ? g.step_den - 1 : 0)) / g.step_den <=
                g.frames - 1);
}

static void models_keep_their_own_rate_when_asked(void **state)
{
    static const struct rational film = {24, 1}, ntsc_film = {24000, 1001}, pal = {25, 1},
                                 fifteen = {15, 1};
    (void)state;
    rates_are("flagship", film, RATE_BOARD, 73, 73, false);
    rates_are("flagship", film, RATE_REPEAT, 73, 49, false); /* 72 / 24 s: frame 48 at 16 */
    rates_are("flagship", film, RATE_INTERPOLATE, 73, 49, true);
    rates_are("flagship", film, RATE_REPEAT, 74, 49, false);     /* 48.67: frame 48 still stands */
    rates_are("flagship", film, RATE_INTERPOLATE, 74, 53, true); /* and needs 49 as well */
    rates_are("flagship", ntsc_film, RATE_INTERPOLATE, 73, 53, true);
    rates_are("experimental", pal, RATE_REPEAT, 49, 17, false);
    rates_are("flagship", fifteen, RATE_INTERPOLATE, 31, 33, false); /* some are left out */
    rates_are("previs", film, RATE_INTERPOLATE, 49, 49, false);
}

static void every_size_is_possible(void **state)
{
    (void)state;
    sizes_are_possible("previs");
    sizes_are_possible("flagship");
}

static void make_checkpoint(const char *path)
{
    struct arena a = {0};
    struct error e = {0};
    assert_int_equal(dir_make(path, &e), 0);
    assert_int_equal(file_write_atomic(path_join(&a, path, "model_index.json"), "{}", 2, &e), 0);
    arena_free(&a);
}

static void a_tier_of_two_models_has_two_folders(void **state)
{
    (void)state;
    char dir[] = "/tmp/auteur-tiers-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct arena a = {0};
    struct error e = {0};
    const char *path;
    const struct tier *t = tier_find("validator");
    struct stage_env there = env;
    there.models_dir = dir;
    assert_int_equal(tier_checkpoint(&there, t, &a, &path, &e), -1);
    assert_non_null(strstr(e.text, "validator/svd-xt is no directory"));
    make_checkpoint(path_join(&a, dir, "validator/sdxl"));
    assert_int_equal(tier_checkpoint(&there, t, &a, &path, &e), -1);
    assert_non_null(strstr(e.text, "validator/svd-xt is no directory"));
    make_checkpoint(path_join(&a, dir, "validator/svd-xt"));
    assert_int_equal(tier_checkpoint(&there, t, &a, &path, &e), 0);
    assert_string_equal(path, path_join(&a, dir, "validator/svd-xt"));
    assert_int_equal(tier_prompt_checkpoint(&there, t, &a, &path, &e), 0);
    assert_string_equal(path, path_join(&a, dir, "validator/sdxl"));
    make_checkpoint(path_join(&a, dir, "validator")); /* the second model alone */
    assert_int_equal(tier_checkpoint(&there, t, &a, &path, &e), 0);
    assert_string_equal(path, path_join(&a, dir, "validator"));
    assert_int_equal(tier_prompt_checkpoint(&there, t, &a, &path, &e), 0);
    assert_null(path);
    assert_int_equal(path_remove(dir, &e), 0);
    arena_free(&a);
}

static void checkpoints_are_found_or_asked_for(void **state)
{
    (void)state;
    char dir[] = "/tmp/auteur-tiers-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct arena a = {0};
    struct error e = {0};
    const char *path;
    const struct tier *previs = tier_find("previs"), *flagship = tier_find("flagship");
    assert_int_equal(tier_checkpoint(&env, flagship, &a, &path, &e), -1);
    assert_int_equal(e.code, ERROR_ABSENT);
    assert_non_null(strstr(e.text, "models: {flagship: PATH}"));
    error_clear(&e);
    assert_int_equal(tier_checkpoint(&env, previs, &a, &path, &e), -1);
    assert_int_equal(e.code, ERROR_ABSENT);
    assert_non_null(strstr(e.text, "/tmp/auteur-no-data/previs is no directory"));
    error_clear(&e);

    struct stage_env there = env;
    there.data_dir = there.models_dir = dir;
    make_checkpoint(path_join(&a, dir, "previs"));
    assert_int_equal(dir_make(path_join(&a, dir, "flagship"), &e), 0); /* a mount point */
    assert_int_equal(tier_checkpoint(&there, flagship, &a, &path, &e), -1);
    assert_int_equal(e.code, ERROR_ABSENT);
    assert_int_equal(dir_make(path_join(&a, dir, "flagship/vae"), &e), 0);
    assert_int_equal(tier_checkpoint(&there, flagship, &a, &path, &e), -1);
    assert_int_equal(e.code, ERROR_MODEL);
    error_clear(&e);
    make_checkpoint(path_join(&a, dir, "flagship"));
    assert_int_equal(tier_checkpoint(&there, previs, &a, &path, &e), 0);
    assert_string_equal(path, path_join(&a, dir, "previs"));
    assert_int_equal(tier_checkpoint(&there, flagship, &a, &path, &e), 0);
    assert_string_equal(path, path_join(&a, dir, "flagship"));
    there.data_dir =
        "/tmp/auteur-no-data"; /* a previs of the user's goes before the embedded one */
    assert_int_equal(tier_checkpoint(&there, previs, &a, &path, &e), 0);
    assert_string_equal(path, path_join(&a, dir, "previs"));

    struct model_path models[] = {{.tier = "flagship", .path = dir}};
    struct board with_models = board;
    with_models.models = models;
    with_models.model_count = 1;
    there.board = &with_models;
    assert_int_equal(tier_checkpoint(&there, flagship, &a, &path, &e), -1);
    assert_non_null(strstr(e.text, "no checkpoint, but a folder in it is"));
    make_checkpoint(dir);
    assert_int_equal(tier_checkpoint(&there, flagship, &a, &path, &e), 0);
    assert_string_equal(path, dir);
    assert_int_equal(path_remove(dir, &e), 0);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_lead_to_tiers),
        cmocka_unit_test(every_base_negative_names_lettering),
        cmocka_unit_test(sizes_round_up_and_large_boards_are_fitted),
        cmocka_unit_test(models_keep_their_own_rate_when_asked),
        cmocka_unit_test(every_size_is_possible),
        cmocka_unit_test(checkpoints_are_found_or_asked_for),
        cmocka_unit_test(a_tier_of_two_models_has_two_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
