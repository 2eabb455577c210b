/* A shot's recipe, read as a storyboard, is that shot again. */
#include "tests/storyboards/read.h"

#include <dirent.h>
#include <math.h>

#include "storyboards/recipe.h"

/* Handles are added and taken away in seconds; the rest is written with twelve digits. */
static const double near_enough = 1e-9;

static void same_number(const char *what, double a, double b)
{
    if (!(fabs(a - b) <= near_enough))
        fail_msg("%s: %.17g became %.17g", what, a, b);
}

static void same_overlay(const struct overlay *a, const struct overlay *b)
{
    assert_int_equal(a->style, b->style);
    assert_int_equal(a->position, b->position);
    assert_string_equal(a->text, b->text);
    assert_string_equal(a->subtext, b->subtext);
    assert_string_equal(a->font, b->font);
    assert_int_equal(a->has_color, b->has_color);
    assert_int_equal(a->color, b->color);
    same_number("size", a->size, b->size);
    same_number("in", a->in, b->in);
    same_number("out", a->out, b->out);
    same_number("fade_in", a->fade_in, b->fade_in);
    same_number("fade_out", a->fade_out, b->fade_out);
}

static void same_shot(const struct shot *a, const struct shot *b)
{
    assert_string_equal(a->id, b->id);
    assert_int_equal(a->kind, b->kind);
    assert_string_equal(a->tier, b->tier);
    assert_string_equal(a->prompt, b->prompt);
    assert_int_equal(a->frames, b->frames);
    if (a->kind == SHOT_GENERATED) {
        assert_string_equal(a->negative, b->negative);
        assert_string_equal(a->look, b->look);
        assert_string_equal(a->camera, b->camera);
        assert_int_equal(a->text, b->text);
        assert_int_equal(a->additions, b->additions);
        assert_true(a->seed == b->seed);
        assert_int_equal(a->rate, b->rate);
        assert_int_equal(a->steps, b->steps);
        same_number("guidance", a->guidance, b->guidance);
        same_number("guidance_2", a->guidance_2, b->guidance_2);
        assert_string_equal(a->sampler, b->sampler);
        same_number("shift", a->shift, b->shift);
        assert_string_equal(a->step_cache, b->step_cache);
        same_number("threshold", a->step_cache_threshold, b->step_cache_threshold);
        assert_int_equal(a->motion, b->motion);
        same_number("noise", a->noise, b->noise);
        assert_memory_equal(&a->inherited, &b->inherited, sizeof a->inherited);
        assert_string_equal(a->keyframe, b->keyframe);
    }
    assert_string_equal(a->source.path, b->source.path);
    same_number("source.in", a->source.in, b->source.in);
    assert_int_equal(a->source.move, b->source.move);
    assert_int_equal(a->source.fit, b->source.fit);
    same_number("amount", a->source.amount, b->source.amount);
    assert_memory_equal(&a->card, &b->card, sizeof a->card);
    assert_int_equal(a->overlay_count, b->overlay_count);
    for (size_t i = 0; i < a->overlay_count; i++)
        same_overlay(&a->overlays[i], &b->overlays[i]);
}

/* Returns how many shots were compared. */
static size_t each_shot_comes_back(const struct board *b)
{
    for (size_t i = 0; i < b->shot_count; i++) {
        json_t *recipe = board_recipe(b, &b->shots[i], "");
        char *text = recipe ? json_dumps(recipe, 0) : NULL;
        struct reading r;

        assert_non_null(text);
        r = read_text(text);
        if (r.rc != 0 || r.messages[0])
            fail_msg("%s\n%s", text, r.messages);
        assert_string_equal(r.board.name, b->name);
        assert_int_equal(r.board.shot_count, 1);
        assert_memory_equal(&r.board.fps, &b->fps, sizeof b->fps);
        assert_int_equal(r.board.width, b->width);
        assert_int_equal(r.board.height, b->height);
        assert_memory_equal(&r.board.deliver, &b->deliver, sizeof b->deliver);
        same_shot(&b->shots[i], &r.board.shots[0]);
        reading_free(&r);
        free(text);
        json_decref(recipe);
    }
    return b->shot_count;
}

static void every_sample_comes_back(void **state)
{
    DIR *dir = opendir("storyboards");
    struct dirent *entry;
    size_t shots = 0;

    (void)state;
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        char path[300];
        struct board board;
        struct board_problems problems;
        struct error e;

        if (!strstr(entry->d_name, ".yaml"))
            continue;
        snprintf(path, sizeof path, "storyboards/%s", entry->d_name);
        if (board_read(path, &board, &problems, &e) != 0)
            fail_msg("%s", e.text);
        shots += each_shot_comes_back(&board);
        board_problems_free(&problems);
        board_free(&board);
    }
    closedir(dir);
    assert_true(shots >= 6);
}

static void everything_that_can_be_said_comes_back(void **state)
{
    struct reading r = read_good(
        "name: all\nfps: 29.97\nsize: 640x360\nlook: warm\ncamera: still\nnegative: none of it\n"
        "models: {flagship: /m/wan}\n"
        "deliver: {codec: [prores, h265, png], quality: 33, handles: 7, start: \"10:00:00;00\",\n"
        "          timeline: resolve, upscale: lanczos, layers: none, proxy: slate, film: none}\n"
        "defaults: {guidance_2: 2.5, motion: 9, transition: dissolve}\n"
        "shots:\n"
        "- {id: a, tier: flagship, prompt: \"caf\u00e9 \\\"quoted\\\" # not a comment\", seed: "
        "18446744073709551615,\n"
        "   frames: 81, steps: 7, guidance: 3.25, shift: 8.5, sampler: unipc, text: keep,\n"
        "   additions: light, rate: interpolate, look: \"\", step_cache: first-block,\n"
        "   step_cache_threshold: 0.125,\n"
        "   keyframe: k.png,\n"
        "   overlays: [{text: \"one\\ntwo\", color: \"#000000\", size: 0.031, in: 0.7, fade: "
        "0.2},\n"
        "              {style: timecode, in: 0.1, out: 1.9, fade_out: 0.25}]}\n"
        "- {id: b, source: {still: p.png, move: pan-left, amount: 0.3, fit: contain}, duration: "
        "2}\n"
        "- {id: c, source: {footage: c.mov, in: 3.3}}\n"
        "- {id: d, card: {background: \"#102030\", to: \"#010203\"}, overlays: [{text: x}]}\n"
        "- {id: e, card: A title}\n");

    (void)state;
    assert_int_equal(each_shot_comes_back(&r.board), 5);
    reading_free(&r);
}

static void a_tier_of_the_command_line_is_in_the_recipe(void **state)
{
    struct reading r = read_good("shots: [{id: a, prompt: x}, {id: b, card: y}]");
    json_t *recipe = board_recipe(&r.board, &r.board.shots[0], "flagship");
    json_t *shot = json_array_get(json_object_get(recipe, "shots"), 0);

    (void)state;
    assert_string_equal(json_string_value(json_object_get(shot, "tier")), "flagship");
    json_decref(recipe);
    recipe = board_recipe(&r.board, &r.board.shots[1], "flagship");
    shot = json_array_get(json_object_get(recipe, "shots"), 0);
    assert_string_equal(json_string_value(json_object_get(shot, "tier")), "title");
    json_decref(recipe);
    reading_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_comes_back),
        cmocka_unit_test(everything_that_can_be_said_comes_back),
        cmocka_unit_test(a_tier_of_the_command_line_is_in_the_recipe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
