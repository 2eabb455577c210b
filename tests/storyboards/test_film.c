/* The film: handles, transitions, timecode; where shots stand and what does not fit. */
#include "tests/storyboards/read.h"

#include "storyboards/film.h"

static void handles_lengthen_shots(void **state)
{
    struct reading r =
        read_good("fps: 25\ndeliver: {handles: 10}\nshots:\n"
                  "  - {id: a, card: x, duration: 2s, overlays: [{text: y, in: 0.4, out: 1}]}\n"
                  "  - {id: b, source: {footage: c.mov, in: 1s}, frames: 30}");

    (void)state;
    assert_int_equal(r.board.deliver.handles, 10);
    assert_int_equal(r.board.shots[0].frames, 70);
    assert_true(r.board.shots[0].overlays[1].in > 0.799 && r.board.shots[0].overlays[1].in < 0.801);
    assert_true(r.board.shots[1].source.in > 0.599 && r.board.shots[1].source.in < 0.601);
    reading_free(&r);
    expect_messages("fps: 25\ndeliver: {handles: 10}\n"
                    "shots: [{id: b, source: {footage: c.mov, in: 0.2}, frames: 30}]",
                    "t.yaml:3:9: the clip has 0.2 s before the shot's first frame, and handles of "
                    "10 frames need 0.4 s: begin later in it, or lower deliver's 'handles'\n");
}

static void narration_takes_from_sound(void **state)
{
    struct reading r = read_good(
        "fps: 25\nsound: {voice: de, speed: 120, stretch: yes, music: m.wav}\n"
        "deliver: {handles: 10}\nshots:\n"
        "  - {id: a, card: x, frames: 25, overlays: [{text: y, out: 0.4}], narration: Hallo}\n"
        "  - {id: b, card: y, narration: {file: n.wav, at: 1.5, stretch: no}}\n"
        "  - {id: c, card: z, narration: {text: Bonjour, voice: fr, speed: 200}}\n"
        "  - {id: d, card: z}");
    const struct shot *s = r.board.shots;

    (void)state;
    assert_string_equal(s[0].narration.text, "Hallo");
    assert_string_equal(s[0].narration.voice, "de");
    assert_int_equal(s[0].narration.speed, 120);
    assert_true(s[0].narration.stretch);
    assert_string_equal(s[1].narration.written, "n.wav");
    assert_int_equal(s[1].narration.file[0], '/');
    assert_false(s[1].narration.stretch);
    assert_string_equal(s[2].narration.voice, "fr");
    assert_int_equal(s[2].narration.speed, 200);
    assert_int_equal(s[3].narration.line, 0);
    assert_string_equal(r.board.sound.music_written, "m.wav");
    assert_int_equal(r.board.sound.music_line, 2);
    /* the title goes on to the longer shot's end, handle and all, the caption ends when it did */
    board_lengthen(&r.board, 0, s[0].frames + 50);
    assert_int_equal(s[0].frames, 95);
    assert_true(s[0].overlays[0].out > 3.799 && s[0].overlays[0].out < 3.801);
    assert_true(s[0].overlays[1].out > 0.799 && s[0].overlays[1].out < 0.801);
    reading_free(&r);
}

static void timecode_begins_where_the_board_says(void **state)
{
    struct reading r = read_good("fps: 29.97\nshots: [{id: a, card: x}]");

    (void)state;
    assert_true(r.board.deliver.drop);
    assert_int_equal(r.board.deliver.start, 107892);
    reading_free(&r);
    r = read_good("fps: 29.97\ndeliver: {start: \"01:00:00:00\"}\nshots: [{id: a, card: x}]");
    assert_false(r.board.deliver.drop);
    assert_int_equal(r.board.deliver.start, 108000);
    reading_free(&r);
    expect_messages("fps: 25\ndeliver: {start: \"01:00:00;00\"}\nshots: [{id: a, card: x}]",
                    "t.yaml:2:18: drop-frame timecode is for 29.97 and 59.94 frames a second; "
                    "write '01:00:00;00' with a colon\n");
    expect_messages(
        "fps: 12.5\ndeliver: {timeline: premiere}\nshots: [{id: a, card: x}]",
        "t.yaml:2:21: 12.5 frames a second cannot be said in an EDL or in Final Cut 7 "
        "XML, which know the rates of timecode (23.976, 24, 25, 29.97, 30, 48, 50, 59.94, "
        "60); write one of these as fps, or timeline: final-cut or none\n");
    expect_messages("fps: 25\ndeliver: {start: \"23:59:58:00\", handles: 1}\n"
                    "shots:\n  - {id: a, card: x, frames: 25}\n  - {id: b, card: x, frames: 24}\n",
                    "t.yaml:5:5: the film begins at 23:59:58:00 and shot 'b' would end it at "
                    "midnight or later, where timecode begins anew: write an earlier 'start' under "
                    "deliver\n");
    r = read_good("fps: 25\ndeliver: {start: \"23:59:58:00\"}\n"
                  "shots: [{id: a, card: x, frames: 25}, {id: b, card: x, frames: 24}]");
    reading_free(&r);
    r = read_good("fps: 29.97\ndeliver: {start: \"23:59:59;00\"}\n"
                  "shots: [{id: a, card: x, frames: 29}]");
    reading_free(&r);
    expect_messages("fps: 29.97\ndeliver: {start: \"23:59:59;00\"}\n"
                    "shots: [{id: a, card: x, frames: 30}]",
                    "t.yaml:3:9: the film begins at 23:59:59;00 and shot 'a' would end it at "
                    "midnight or later, where timecode begins anew: write an earlier 'start' under "
                    "deliver\n");
    expect_messages("deliver: {codec: [png, exr]}\nshots: [{id: a, card: x}]",
                    "t.yaml:1:18: timelines refer to films, and 'codec' has pictures alone; add "
                    "prores or h264 to it, or write timeline: none\n");
    expect_messages("deliver: {codec: png, timeline: none, film: rough-cut}\n"
                    "shots: [{id: a, card: x}]",
                    "t.yaml:1:45: the rough cut is made of films, and 'codec' has pictures alone; "
                    "add prores or h264 to it, or write film: none\n");
    expect_messages("deliver: {codec: [png, h264, png]}\nshots: [{id: a, card: x}]",
                    "t.yaml:1:30: 'codec' has png twice\n");
    expect_messages("fps: 25\ndeliver: {start: \"01:00:00:25\"}\nshots: [{id: a, card: x}]",
                    "t.yaml:2:18: '01:00:00:25' is no timecode: write \"hh:mm:ss:ff\", frames to "
                    "24\n");
    expect_messages("fps: 29.97\ndeliver: {start: \"00:01:00;00\"}\nshots: [{id: a, card: x}]",
                    "t.yaml:2:18: '00:01:00;00' is no timecode: write \"hh:mm:ss;ff\", frames to "
                    "29; drop-frame counting leaves out a minute's first numbers, but for every "
                    "tenth minute's\n");
    expect_messages("fps: 25\ndeliver: {start: \"00:00:00:05\", handles: 6}\n"
                    "shots: [{id: a, card: x}]",
                    "t.yaml:2:18: 'start' leaves no room for 6 frames of handles before it\n");
}

/* in, frames, before, after of a shot, and where its cut is. */
static void place_is(const struct film_place *p, int64_t at, int in, int frames, int before,
                     int after)
{
    assert_int_equal(p->at, at);
    assert_int_equal(p->in, in);
    assert_int_equal(p->frames, frames);
    assert_int_equal(p->before, before);
    assert_int_equal(p->after, after);
}

static void transitions_take_from_handles_then_from_shots(void **state)
{
    static const char text[] = "fps: 25\ndeliver: {handles: %d}\n"
                               "shots: [{id: a, card: x, frames: 50},\n"
                               " {id: b, card: x, frames: 50, transition: {duration: 200ms}},\n"
                               " {id: c, card: x, frames: 50, transition: wipe}]";
    char board[sizeof text + 8];
    struct film_place p[3];
    struct reading r;

    (void)state;
    snprintf(board, sizeof board, text, 0);
    r = read_good(board);
    assert_int_equal(r.board.shots[2].transition.kind, TRANSITION_WIPE);
    assert_int_equal(film_lay_out(&r.board, p), 150 - 5 - 13);
    place_is(&p[0], 0, 0, 47, 0, 0);
    place_is(&p[1], 47, 2, 41, 2, 3);
    place_is(&p[2], 88, 6, 44, 6, 7);
    reading_free(&r);
    snprintf(board, sizeof board, text, 6); /* one frame of the wipe is lacking */
    r = read_good(board);
    assert_int_equal(film_lay_out(&r.board, p), 149);
    place_is(&p[0], 0, 6, 50, 0, 0);
    place_is(&p[1], 50, 6, 49, 2, 3);
    place_is(&p[2], 99, 6, 50, 6, 7);
    reading_free(&r);
}

static void transitions_that_do_not_fit_are_named(void **state)
{
    (void)state;
    expect_messages("shots: [{id: a, card: x, frames: 10},\n"
                    " {id: b, card: x, frames: 100, transition: {duration: 1s}}]",
                    "t.yaml:1:9: the transitions at shot 'a' take 24 of its frames and it has 10: "
                    "make them shorter or the shot longer, or give handles\n");
    expect_messages("shots: [{id: a, card: x, transition: {kind: cut, duration: 1s}}]",
                    "t.yaml:1:60: a cut takes no time: leave 'duration' out, or write kind: "
                    "dissolve\n");
    expect_messages("shots: [{id: a, card: x, transition: melt}]",
                    "t.yaml:1:38: 'kind' must be one of cut, dissolve, fade, wipe; it is 'melt'\n");
}

/* What `defaults` say lies between shots; from black only where the first shot says so itself. */
static void the_first_shot_has_no_transition_by_default(void **state)
{
    struct reading r = read_good("defaults: {frames: 40, transition: dissolve}\n"
                                 "shots: [{id: a, card: x}, {id: b, card: y}]");

    (void)state;
    assert_int_equal(r.board.shots[0].transition.kind, TRANSITION_CUT);
    assert_int_equal(r.board.shots[0].transition.frames, 0);
    assert_int_equal(r.board.shots[1].transition.kind, TRANSITION_DISSOLVE);
    reading_free(&r);
    r = read_good("defaults: {frames: 40}\nshots: [{id: a, card: x, transition: fade}]");
    assert_int_equal(r.board.shots[0].transition.kind, TRANSITION_FADE);
    reading_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_shot_has_no_transition_by_default),
        cmocka_unit_test(handles_lengthen_shots),
        cmocka_unit_test(narration_takes_from_sound),
        cmocka_unit_test(timecode_begins_where_the_board_says),
        cmocka_unit_test(transitions_take_from_handles_then_from_shots),
        cmocka_unit_test(transitions_that_do_not_fit_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
