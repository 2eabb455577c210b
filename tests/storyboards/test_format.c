/* What the words of a board mean: rates, times, defaults, kinds of shots, merges. */
#include "tests/storyboards/read.h"

#include "kernels/base/hash.h"

static void rates(void **state)
{
    static const struct {
        const char *written;
        int num, den;
    } good[] = {{"24", 24, 1},
                {"25", 25, 1},
                {"23.976", 24000, 1001},
                {"23.98", 24000, 1001},
                {"23.976023976", 24000, 1001},
                {"29.97", 30000, 1001},
                {"59.94", 60000, 1001},
                {"47.952", 48000, 1001},
                {"119.88", 120000, 1001},
                {"24000/1001", 24000, 1001},
                {"50/2", 25, 1},
                {"30000 / 1001", 30000, 1001},
                {"12.5", 25, 2},
                {"240", 240, 1},
                {"1", 1, 1},
                {"24.0", 24, 1}};
    static const char *const bad[] = {"",
                                      "0",
                                      "240.1",
                                      "241",
                                      "-24",
                                      "24/",
                                      "/1001",
                                      "1/2",
                                      "24/0",
                                      "nan",
                                      "1e2",
                                      "24x",
                                      "24//1",
                                      "0.999",
                                      "24 25",
                                      "99999999999999999999/1",
                                      "1/99999999999999999999"};
    struct rational fps;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(rational_parse(good[i].written, &fps));
        assert_int_equal(fps.num, good[i].num);
        assert_int_equal(fps.den, good[i].den);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(rational_parse(bad[i], &fps));
}

static void times(void **state)
{
    static const struct {
        const char *written;
        double seconds;
    } good[] = {{"0", 0},
                {"2.5", 2.5},
                {"2.5s", 2.5},
                {"2.5 s", 2.5},
                {"250ms", 0.25},
                {".5", 0.5},
                {"00:00:02:12", 2.5},
                {"1:00:00:00", 3600},
                {"00:01:00:23", 60 + 23 / 24.},
                {"-1", -1}};
    static const char *const bad[] = {"",
                                      "s",
                                      "ms",
                                      "2m",
                                      "1:2",
                                      "0:0:0:24",
                                      "0:0:60:0",
                                      "0:60:0:0",
                                      "24:0:0:0",
                                      "0:0:0:0:0",
                                      "0:0:0:",
                                      ":0:0:0",
                                      "0:0:0;0",
                                      "0;0:0:0",
                                      "1e3",
                                      "2.5.1",
                                      "1234567890123456",
                                      "00:00:02:12s"};
    struct rational film = {24, 1};
    double seconds;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(time_parse(good[i].written, film, &seconds));
        assert_true(seconds == good[i].seconds);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(time_parse(bad[i], film, &seconds));
}

static int64_t frame_of(const char *timecode, struct rational fps)
{
    double seconds;

    return time_parse(timecode, fps, &seconds) ? seconds_to_frames(seconds, fps) : -1;
}

/* SMPTE ST 12-1: at 29.97 drop-frame the clock and the timecode agree every ten minutes. */
static void drop_frame(void **state)
{
    struct rational ntsc = {30000, 1001};
    char text[TIMECODE_SIZE];

    (void)state;
    assert_int_equal(frame_of("00:00:59;29", ntsc), 1799);
    assert_int_equal(frame_of("00:01:00;02", ntsc), 1800);
    assert_int_equal(frame_of("00:01:00;00", ntsc), -1); /* there is no such number */
    assert_int_equal(frame_of("00:10:00;00", ntsc), 17982);
    assert_int_equal(frame_of("01:00:00;00", ntsc), 107892);
    assert_int_equal(frame_of("00:01:00:00", ntsc), 1800); /* ':' counts every number */
    timecode_format(17982, ntsc, true, text);
    assert_string_equal(text, "00:10:00;00");
    timecode_format(1800, ntsc, true, text);
    assert_string_equal(text, "00:01:00;02");
}

static void timecode_there_and_back(void **state)
{
    static const struct rational rates[] = {{24, 1},       {24000, 1001}, {25, 1}, {30000, 1001},
                                            {60000, 1001}, {30, 1},       {50, 1}, {25, 2}};
    char text[TIMECODE_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
        for (int64_t frame = 0; frame < 250000; frame += frame < 5000 ? 1 : 997) {
            timecode_format(frame, rates[i], true, text);
            assert_int_equal(frame_of(text, rates[i]), frame);
        }
    timecode_format(86400 * 24, (struct rational){24, 1}, true, text);
    assert_string_equal(text, "00:00:00:00"); /* a clock of one day */
}

static int frames_of(const char *fps, const char *duration)
{
    char yaml[200];
    struct reading r;
    int frames;

    snprintf(yaml, sizeof yaml, "fps: %s\nshots: [{id: a, prompt: x, duration: \"%s\"}]\n", fps,
             duration);
    r = read_good(yaml);
    frames = r.board.shots[0].frames;
    reading_free(&r);
    return frames;
}

static void durations_round_to_the_nearest_frame(void **state)
{
    (void)state;
    assert_int_equal(frames_of("24", "2.5"), 60);
    assert_int_equal(frames_of("24", "1.375s"), 33);
    assert_int_equal(frames_of("24", "1.38"), 33);
    assert_int_equal(frames_of("24", "1.39"), 33);
    assert_int_equal(frames_of("24", "1.396"), 34);
    assert_int_equal(frames_of("24", "0.0625"), 2); /* one and a half */
    assert_int_equal(frames_of("24", "0.021"), 1);
    assert_int_equal(frames_of("23.976", "10"), 240); /* 239.76 */
    assert_int_equal(frames_of("24000/1001", "00:00:10:00"), 240);
    assert_int_equal(frames_of("30000/1001", "00:01:00;02"), 1800);
    assert_int_equal(frames_of("25", "40ms"), 1);
}

static void a_bare_shot_takes_every_default(void **state)
{
    struct reading r = read_good("shots:\n  - {id: a, prompt: A ship}\n");
    const struct shot *s = &r.board.shots[0];

    (void)state;
    assert_string_equal(r.board.name, "t");
    assert_int_equal(r.board.fps.num, 24);
    assert_int_equal(r.board.width, 416);
    assert_int_equal(r.board.height, 240);
    assert_int_equal(r.board.deliver.quality, 80);
    assert_string_equal(s->tier, "previs");
    assert_int_equal(s->frames, 49);
    assert_int_equal(s->steps, 0);
    assert_true(s->guidance == -1 && s->guidance_2 == -1);
    assert_string_equal(s->sampler, "");
    assert_true(s->shift == 0 && s->motion == 0 && s->noise == -1);
    assert_string_equal(s->keyframe, "");
    assert_string_equal(s->look, "");
    assert_int_equal(s->overlay_count, 0);
    assert_string_equal(s->source.path, "");
    assert_int_equal(s->line, 2);
    reading_free(&r);
}

static void seeds_come_from_ids(void **state)
{
    struct reading r = read_good("shots: [{id: a, prompt: x}, {id: b, prompt: x},"
                                 " {id: c, prompt: x, seed: 18446744073709551615}]");
    struct hash128 h = hash_bytes("a", 1);
    uint64_t a = (uint64_t)h.bytes[0] << 24 | h.bytes[1] << 16 | h.bytes[2] << 8 | h.bytes[3];

    (void)state;
    assert_true(r.board.shots[0].seed == a);
    assert_true(r.board.shots[1].seed != a);
    assert_true(r.board.shots[2].seed == UINT64_MAX);
    reading_free(&r);
    r = read_good("defaults: {seed: 5}\nshots: [{id: a, prompt: x}, {id: b, prompt: x, seed: 0}]");
    assert_true(r.board.shots[0].seed == 5 && r.board.shots[1].seed == 0);
    reading_free(&r);
}

static void how_a_model_samples(void **state)
{
    struct reading r = read_good(
        "defaults: {sampler: unipc, shift: 7, guidance_2: 3, motion: 127, step_cache: timestep,\n"
        "  noise: 0.02}\n"
        "shots:\n"
        "  - {id: a, prompt: x}\n"
        "  - {id: b, prompt: x, sampler: euler_karras, shift: 0.01,\n"
        "      guidance_2: 0, motion: 255, noise: 0, keyframe: art/b.png,\n"
        "      step_cache: first-block, step_cache_threshold: 0.5}\n"
        "  - {id: c, prompt: x, guidance_2: 50, shift: 100, motion: 1,\n"
        "      noise: 1, keyframe: /pictures/c.png}\n"
        "  - {id: d, card: Hello}\n");
    const struct shot *s = r.board.shots;
    char path[4096];

    (void)state;
    snprintf(path, sizeof path, "%s/art/b.png", r.board.dir);
    assert_string_equal(s[0].sampler, "unipc");
    assert_true(s[0].shift == 7 && s[0].guidance_2 == 3 && s[0].motion == 127);
    assert_string_equal(s[0].step_cache, "timestep");
    assert_true(s[0].step_cache_threshold == 0 && s[1].step_cache_threshold == 0.5);
    assert_string_equal(s[1].step_cache, "first-block");
    assert_true(s[0].noise == 0.02 && s[0].guidance == -1);
    assert_true(s[0].inherited.step_cache && s[0].inherited.motion && s[0].inherited.noise);
    assert_true(s[0].inherited.guidance_2 && s[2].inherited.step_cache);
    assert_false(s[1].inherited.step_cache || s[1].inherited.motion || s[1].inherited.noise);
    assert_false(s[1].inherited.guidance_2 || s[2].inherited.motion);
    assert_string_equal(s[0].keyframe, "");
    assert_string_equal(s[1].sampler, "euler_karras");
    assert_true(s[1].shift == 0.01 && s[1].guidance_2 == 0 && s[1].motion == 255);
    assert_true(s[1].noise == 0);
    assert_string_equal(s[1].keyframe, path);
    assert_true(s[2].guidance_2 == 50 && s[2].shift == 100 && s[2].motion == 1);
    assert_true(s[2].noise == 1);
    assert_string_equal(s[2].keyframe, "/pictures/c.png");
    assert_string_equal(s[3].keyframe, "");
    reading_free(&r);
}

/* `defaults` may stand after the shots; look, camera and negative fall back twice. */
static void defaults_go_under_shots(void **state)
{
    struct reading r = read_good("look: board\ncamera: board\nnegative: board\n"
                                 "shots:\n"
                                 "  - {id: a, prompt: x}\n"
                                 "  - {id: b, prompt: x, look: own, camera: '', duration: 1}\n"
                                 "defaults: {look: defaults, camera: defaults, frames: 12,\n"
                                 "  tier: flagship, steps: 30, guidance: 3.5, text: keep}\n");
    const struct shot *a = &r.board.shots[0], *b = &r.board.shots[1];

    (void)state;
    assert_string_equal(a->look, "defaults");
    assert_string_equal(a->negative, "board");
    assert_int_equal(a->frames, 12);
    assert_string_equal(a->tier, "flagship");
    assert_int_equal(a->steps, 30);
    assert_true(a->guidance == 3.5);
    assert_int_equal(a->text, TEXT_KEEP);
    assert_string_equal(b->look, "own");
    assert_string_equal(b->camera, "");
    assert_int_equal(b->frames, 24);
    reading_free(&r);
}

static void default_media_give_way(void **state)
{
    struct reading r = read_good("defaults:\n"
                                 "  tier: flagship\n"
                                 "  card: {background: \"#102030\"}\n"
                                 "  overlays: [{text: Draft, style: slate}]\n"
                                 "shots:\n"
                                 "  - {id: a}\n"
                                 "  - {id: b, prompt: x}\n"
                                 "  - {id: c, source: p.PNG, overlays: []}\n"
                                 "  - {id: d, card: Hello}\n");
    const struct shot *s = r.board.shots;

    (void)state;
    assert_int_equal(s[0].kind, SHOT_CARD);
    assert_int_equal(s[0].card.background_to, 0x102030);
    assert_string_equal(s[0].tier, "title");
    assert_int_equal(s[0].overlay_count, 1);
    assert_int_equal(s[1].kind, SHOT_GENERATED);
    assert_string_equal(s[1].tier, "flagship");
    assert_int_equal(s[1].card.background, 0);
    assert_int_equal(s[2].kind, SHOT_STILL);
    assert_int_equal(s[2].overlay_count, 0);
    assert_int_equal(s[3].overlay_count, 2);
    assert_string_equal(s[3].overlays[0].text, "Hello");
    assert_int_equal(s[3].overlays[0].style, OVERLAY_TITLE);
    assert_string_equal(s[3].overlays[1].text, "Draft");
    reading_free(&r);
}

static void sources(void **state)
{
    struct reading r = read_good("shots:\n"
                                 "  - {id: a, source: clips/a.MOV}\n"
                                 "  - {id: b, source: {footage: /abs/b, in: 1.5s, fit: contain}}\n"
                                 "  - {id: c, tier: still, source: {still: ../c.png,\n"
                                 "      move: tilt-down}}\n");
    const struct shot *s = r.board.shots;
    char path[4096];

    (void)state;
    snprintf(path, sizeof path, "%s/clips/a.MOV", r.board.dir);
    assert_int_equal(s[0].kind, SHOT_FOOTAGE);
    assert_string_equal(s[0].tier, "footage");
    assert_string_equal(s[0].source.path, path);
    assert_string_equal(s[0].source.written, "clips/a.MOV");
    assert_string_equal(s[1].source.path, "/abs/b");
    assert_true(s[1].source.in == 1.5);
    assert_int_equal(s[1].source.fit, FIT_CONTAIN);
    assert_int_equal(s[2].source.move, MOVE_TILT_DOWN);
    assert_true(s[2].source.amount == 0.1);
    reading_free(&r);
}

static void overlays(void **state)
{
    struct reading r = read_good(
        "shots:\n"
        "  - id: a\n"
        "    prompt: x\n"
        "    overlays:\n"
        "      - {text: \"  one\\n two \\n\", color: \"#FFcc00\", size: 0.08, font: Serif,\n"
        "         position: top-left, out: 2.05, fade: 0.2, fade_out: 0.5}\n"
        "      - {style: timecode}\n"
        "      - {text: \"\u6e2f \u0645\u064a\u0646\u0627\u0621\", in: \"00:00:00:12\"}\n");
    const struct overlay *o = r.board.shots[0].overlays;

    (void)state;
    assert_int_equal(r.board.shots[0].overlay_count, 3);
    assert_string_equal(o[0].text, "one\n two");
    assert_true(o[0].has_color && o[0].color == 0xFFCC00);
    assert_true(o[0].size == 0.08);
    assert_string_equal(o[0].font, "Serif");
    assert_int_equal(o[0].position, POSITION_TOP_LEFT);
    assert_true(o[0].out == 49 / 24.); /* 2.05 is cut to the shot */
    assert_true(o[0].fade_in == 0.2 && o[0].fade_out == 0.5);
    assert_int_equal(o[1].style, OVERLAY_TIMECODE);
    assert_false(o[1].has_color);
    assert_true(o[1].in == 0 && o[1].out == 49 / 24. && o[1].fade_in == 0);
    assert_int_equal(o[2].style, OVERLAY_CAPTION);
    assert_string_equal(o[2].text, "港 ميناء");
    assert_true(o[2].in == 0.5);
    reading_free(&r);
}

static void merges(void **state)
{
    struct reading r = read_good("x-a: &a {prompt: from a, look: from a, steps: 1}\n"
                                 "x-b: &b {<<: *a, look: from b, seed: 2}\n"
                                 "x-c: &c {look: from c, guidance: 3}\n"
                                 "shots:\n"
                                 "  - {id: one, <<: *b}\n"
                                 "  - {<<: [*c, *b], id: two, steps: 9}\n"
                                 "  - {id: three, <<: [{prompt: inline}, *a]}\n"
                                 "  - &four {id: four, prompt: base, look: &look shared}\n"
                                 "  - {<<: *four, id: five, camera: *look}\n");
    const struct shot *s = r.board.shots;

    (void)state;
    assert_string_equal(s[0].prompt, "from a");
    assert_string_equal(s[0].look, "from b");
    assert_int_equal(s[0].steps, 1);
    assert_int_equal(s[0].seed, 2);
    assert_string_equal(s[1].look, "from c"); /* an earlier merge goes before a later one */
    assert_int_equal(s[1].steps, 9);          /* its own fields go before both */
    assert_true(s[1].guidance == 3);
    assert_string_equal(s[2].prompt, "inline");
    assert_string_equal(s[2].look, "from a");
    assert_string_equal(s[4].id, "five");
    assert_string_equal(s[4].prompt, "base");
    assert_string_equal(s[4].camera, "shared");
    reading_free(&r);
}

static void an_anchor_may_be_given_anew(void **state)
{
    struct reading r = read_good("x-1: &p one\nx-2: {y: &p two, z: *p}\n"
                                 "shots: [{id: a, prompt: *p}, {id: b, prompt: &p three},"
                                 " {id: c, prompt: *p}]");

    (void)state;
    assert_string_equal(r.board.shots[0].prompt, "two");
    assert_string_equal(r.board.shots[2].prompt, "three");
    reading_free(&r);
}

/* A quoted "<<" is a key like any other, and an error in an aliased mapping is told once. */
static void merge_errors(void **state)
{
    (void)state;
    expect_messages(
        "shots:\n- {id: a, prompt: x, \"<<\": {steps: 1}}\n",
        "t.yaml:2:22: unknown key '<<' in a shot, which may hold id, prompt, tier, "
        "seed, frames, duration, steps, guidance, guidance_2, sampler, shift, "
        "step_cache, step_cache_threshold, motion, noise, rate, keyframe, look, camera, "
        "negative, text, additions, overlays, source, card, transition, narration\n");
    expect_messages("x-a: &a {prompt: x, stepps: 1}\n"
                    "shots:\n- {id: a, <<: *a}\n- {id: b, <<: *a}\n",
                    "t.yaml:1:21: unknown key 'stepps' in a shot; did you mean 'steps'?\n");
}

static void text_is_tidied(void **state)
{
    struct reading r = read_good("shots:\n"
                                 "  - id: 001\n"
                                 "    prompt: >\n"
                                 "      A ship,\n"
                                 "        in   the bay.\n"
                                 "\n"
                                 "    look: \"a\\tb\\n\"\n"
                                 "    negative: 2024\n");
    const struct shot *s = &r.board.shots[0];

    (void)state;
    assert_string_equal(s->id, "001"); /* never a number */
    assert_string_equal(s->prompt, "A ship, in the bay.");
    assert_string_equal(s->look, "a b");
    assert_string_equal(s->negative, "2024");
    reading_free(&r);
}

static void models_and_delivery(void **state)
{
    struct reading r = read_good("name: film.v2\nsize: [1920, 1080]\n"
                                 "deliver: {codec: prores, quality: 1, proxy: slate}\n"
                                 "models:\n  flagship: /models/wan\n  previs: mine\n"
                                 "shots: [{id: a, prompt: x}]");

    (void)state;
    assert_string_equal(r.board.name, "film.v2");
    assert_int_equal(r.board.width, 1920);
    assert_int_equal(r.board.height, 1080);
    assert_int_equal(r.board.deliver.codecs.count, 1);
    assert_int_equal(r.board.deliver.codecs.items[0], DELIVER_PRORES);
    assert_int_equal(r.board.deliver.quality, 1);
    assert_int_equal(r.board.model_count, 2);
    assert_string_equal(r.board.models[0].tier, "previs");
    assert_int_equal(r.board.models[0].path[0], '/');
    assert_string_equal(r.board.models[1].path, "/models/wan");
    assert_int_equal(r.board.models[1].line, 5);
    reading_free(&r);
}

static void warnings_do_not_refuse(void **state)
{
    struct reading r = read_text("shots:\n  - {id: a, card: Hello, prompt: x}\n");

    (void)state;
    assert_int_equal(r.rc, 0);
    assert_int_equal(r.problems.count, 1);
    assert_int_equal(r.problems.errors, 0);
    assert_string_equal(r.messages, "t.yaml:2:34: warning: 'prompt' has no effect on a card\n");
    assert_string_equal(r.board.shots[0].prompt, "");
    reading_free(&r);
    r = read_text("deliver: {codec: [prores, h265]}\nshots: [{id: a, card: x}]");
    assert_int_equal(r.rc, 0);
    assert_string_equal(r.messages,
                        "t.yaml:1:18: warning: few browsers play what 'codec' asks for, so the "
                        "review page may show posters alone: add h264, or proxy: burn-in\n");
    reading_free(&r);
}

static void names_of_enums(void **state)
{
    (void)state;
    assert_string_equal(overlay_style_name(OVERLAY_LOWER_THIRD), "lower-third");
    assert_string_equal(overlay_style_name(OVERLAY_TIMECODE), "timecode");
    assert_string_equal(overlay_position_name(POSITION_BOTTOM_RIGHT), "bottom-right");
    assert_string_equal(still_move_name(MOVE_TILT_DOWN), "tilt-down");
    assert_string_equal(shot_kind_name(SHOT_CARD), "title");
    assert_string_equal(overlay_style_name(OVERLAY_STYLES), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates),
        cmocka_unit_test(times),
        cmocka_unit_test(drop_frame),
        cmocka_unit_test(timecode_there_and_back),
        cmocka_unit_test(durations_round_to_the_nearest_frame),
        cmocka_unit_test(a_bare_shot_takes_every_default),
        cmocka_unit_test(seeds_come_from_ids),
        cmocka_unit_test(how_a_model_samples),
        cmocka_unit_test(defaults_go_under_shots),
        cmocka_unit_test(default_media_give_way),
        cmocka_unit_test(sources),
        cmocka_unit_test(overlays),
        cmocka_unit_test(merges),
        cmocka_unit_test(an_anchor_may_be_given_anew),
        cmocka_unit_test(merge_errors),
        cmocka_unit_test(text_is_tidied),
        cmocka_unit_test(models_and_delivery),
        cmocka_unit_test(warnings_do_not_refuse),
        cmocka_unit_test(names_of_enums),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
