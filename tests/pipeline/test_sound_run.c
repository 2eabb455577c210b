/* A board that speaks, from check to the files an editor gets. */
#include <math.h>

#include "kernels/base/hash.h"
#include "pipeline/execute/narration.h"
#include "stages/sound/mix.h"
#include "tests/pipeline/program.h"

static char scratch[64], board[128], dir[128];
static struct error e;

static int set_up(void **state)
{
    char cache[128];

    (void)state;
    if (program_scratch(scratch) != 0)
        return -1;
    snprintf(board, sizeof board, "%s/film.yaml", scratch);
    snprintf(dir, sizeof dir, "%s/out", scratch);
    snprintf(cache, sizeof cache, "%s/cache", scratch);
    return setenv("AUTEUR_CACHE", cache, 1);
}

static int tear_down(void **state)
{
    (void)state;
    return path_remove(scratch, &e);
}

static const char *in_scratch(const char *name)
{
    static char path[4][200];
    static int turn;

    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", scratch, name);
    return path[turn];
}

/* So many samples of a tone of 250 Hz, whose first one is not zero. */
static void write_tone(const char *name, int64_t count, double height)
{
    struct sound s;

    assert_int_equal(sound_make(&s, count, &e), 0);
    for (int64_t i = 0; i < count; i++)
        s.samples[2 * i] = s.samples[2 * i + 1] =
            (float)(height * cos(2 * 3.14159265358979 * 250 * (double)i / SOUND_RATE));
    assert_int_equal(
        sound_write_file(in_scratch(name), &s, &(struct sound_label){.description = ""}, &e), 0);
    sound_free(&s);
}

static void expect(struct program p, int status, const char *in_out, const char *in_err)
{
    if (p.status != status || !strstr(p.out, in_out) || !strstr(p.err, in_err)) {
        printf("status %d, expected %d\nout: %s\nerr: %s\n", p.status, status, p.out, p.err);
        fail();
    }
    program_free(&p);
}

static void load(const char *name, struct sound *out)
{
    if (sound_read_file(in_scratch(name), name, 1 << 30, out, &e) != 0)
        fail_msg("%s", e.text);
}

static struct hash128 hash_of(const char *name)
{
    struct hash128 h;

    assert_int_equal(hash_file(in_scratch(name), &h, &e), 0);
    return h;
}

/* In a tenth of a second each. */
static void print_levels(const struct sound *s)
{
    for (int64_t at = 0; at + 4800 <= s->count; at += 4800) {
        double sum = 0;

        for (int64_t i = 2 * at; i < 2 * (at + 4800); i++)
            sum += (double)s->samples[i] * s->samples[i];
        print_message("%.0f ", 10 * log10(sum / 9600 + 1e-12));
    }
    print_message("\n");
}

/* The first sample that is clearly heard. */
static int64_t first_heard(const struct sound *s)
{
    int64_t i = 0;

    while (i < s->count && fabsf(s->samples[2 * i]) < 0.01f)
        i++;
    return i;
}

static void a_film_sounds_where_it_should_at_every_rate(void **state)
{
    static const struct {
        const char *fps;
        struct rational rate;
    } rates[] = {{"23.976", {24000, 1001}}, {"25", {25, 1}}, {"29.97", {30000, 1001}}};

    (void)state;
    write_tone("spoken.wav", 60001, 0.2);
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct rational fps = rates[i].rate;
        int64_t begins = 25 + seconds_to_frames(0.4, fps);
        struct hash128 first;
        struct loudness l;
        struct sound s;
        char text[600];

        snprintf(text, sizeof text,
                 "name: film\nsize: 64x36\nfps: %s\nshots:\n"
                 "  - {id: one, card: One, frames: 25}\n"
                 "  - {id: two, card: Two, frames: 57, narration: {file: spoken.wav, at: 0.4}}\n",
                 rates[i].fps);
        write_file(board, text);
        expect(PROGRAM("run", board, "-o", dir), 0, "2 of 2 shots delivered", "");
        load("out/sound/film.mix_v001.wav", &s);
        expect(PROGRAM("rerun", in_scratch("out/sound/film.mix_v001.wav")), 2, "",
               "is a sound, which a run makes again");
        print_levels(&s);
        assert_int_equal(s.count, sound_of_frame(82, fps));
        assert_int_equal(first_heard(&s), sound_of_frame(begins, fps));
        assert_int_equal(mix_measure(&s, &l, &e), 0);
        assert_true(fabs(l.integrated + 23) <= 0.5);
        assert_true(l.peak <= -1);
        sound_free(&s);
        load("out/sound/two.narration_v001.wav", &s);
        assert_int_equal(first_heard(&s), 0);
        assert_true(s.count >= 60001 && s.count < 60001 + sound_of_frame(1, fps) + 1);
        sound_free(&s);
        assert_false(path_exists(in_scratch("out/sound/film.music_v001.wav")));
        first = hash_of("out/sound/film.mix_v001.wav");
        assert_int_equal(path_remove(dir, &e), 0);
        expect(PROGRAM("run", board, "-o", dir), 0, "", "");
        assert_true(hash_equal(first, hash_of("out/sound/film.mix_v001.wav")));
        assert_int_equal(path_remove(dir, &e), 0);
    }
}

static void write_spoken(const char *words)
{
    char text[600];

    snprintf(text, sizeof text,
             "name: film\nsize: 64x36\nfps: 25\nsound: {music: music.wav, stretch: yes}\nshots:\n"
             "  - {id: one, card: One, frames: 10, narration: The first one.}\n"
             "  - {id: two, card: Two, frames: 10, narration: %s}\n",
             words);
    write_file(board, text);
}

static void what_was_linked_stays(void **state)
{
    struct hash128 one, two;
    char *edl;
    size_t size;

    (void)state;
    write_tone("music.wav", 20 * SOUND_RATE, 0.1);
    write_spoken("The second one.");
    expect(PROGRAM("run", board, "-o", dir), 0, "2 of 2 shots delivered", "");
    one = hash_of("out/sound/one.narration_v001.wav");
    two = hash_of("out/sound/two.narration_v001.wav");
    expect(PROGRAM("run", board, "-o", dir), 0, "nothing to do", "");
    expect(PROGRAM("status", dir), 0, "2 of 2", "");
    assert_false(path_exists(in_scratch("out/sound/film.mix_v002.wav")));
    write_spoken("Another one.");
    expect(PROGRAM("run", board, "-o", dir), 0, "", "");
    assert_true(path_exists(in_scratch("out/sound/two.narration_v002.wav")));
    assert_true(path_exists(in_scratch("out/sound/film.mix_v002.wav")));
    assert_false(path_exists(in_scratch("out/sound/one.narration_v002.wav")));
    assert_true(hash_equal(one, hash_of("out/sound/one.narration_v001.wav")));
    assert_true(hash_equal(two, hash_of("out/sound/two.narration_v001.wav")));
    assert_int_equal(file_read(in_scratch("out/film.edl"), 1 << 20, &edl, &size, &e), 0);
    assert_non_null(strstr(edl, "SOURCE FILE: sound/one.narration_v001.wav"));
    assert_non_null(strstr(edl, "SOURCE FILE: sound/two.narration_v002.wav"));
    assert_non_null(strstr(edl, "SOURCE FILE: sound/film.music_v002.wav"));
    free(edl);
    write_spoken("The second one."); /* what it was keeps its number */
    expect(PROGRAM("run", board, "-o", dir), 0, "", "");
    assert_false(path_exists(in_scratch("out/sound/film.mix_v003.wav")));
    assert_int_equal(path_remove(in_scratch("out/sound/film.mix_v001.wav"), &e), 0);
    expect(PROGRAM("run", board, "-o", dir), 0, "", "");
    assert_true(path_exists(in_scratch("out/sound/film.mix_v001.wav")));
    assert_int_equal(path_remove(in_scratch("out/sound/two.narration_v001.wav"), &e), 0);
    write_spoken("A third one."); /* a number that was given away is not given again */
    expect(PROGRAM("run", board, "-o", dir), 0, "", "");
    assert_true(path_exists(in_scratch("out/sound/two.narration_v003.wav")));
    assert_false(path_exists(in_scratch("out/sound/two.narration_v001.wav")));
    assert_false(path_exists(in_scratch("out/sound/.part")));
    write_file(board, "name: film\nsize: 64x36\nshots:\n  - {id: one, card: One, frames: 10}\n");
    expect(PROGRAM("run", board, "-o", dir), 0, "", "");
    assert_int_equal(file_read(in_scratch("out/film.edl"), 1 << 20, &edl, &size, &e), 0);
    assert_null(strstr(edl, "sound/"));
    free(edl);
}

/* ---- what is wrong, on which line */

static void what_is_wrong_is_told_at_its_line(void **state)
{
    static const struct {
        const char *sound, *narration, *told;
    } cases[] = {
        {"{}", "{file: none.wav}",
         "film.yaml:6:49: the narration of shot one: cannot open none.wav"},
        {"{}", "{file: film.yaml}",
         "film.yaml:6:49: the narration of shot one: film.yaml is no sound"},
        {"{}", "{file: silent.wav}",
         "film.yaml:6:49: the narration of shot one: silent.wav is silent"},
        {"{voice: xx}", "Hello",
         "film.yaml:6:49: the narration of shot one: no voice here speaks 'xx'"},
        {"{}", "\xd0\x9c\xd0\xb8\xd1\x80",
         "film.yaml:6:49: the narration of shot one: the narration is in Cyrillic"},
        {"{command: \"sh -c 'exit 7'\"}", "Hello", "failed with exit status 7"},
        {"{command: \"true\"}", "Hello", "true wrote no sound"},
        {"{command: cat}", "Hello", "what sound's 'command' wrote is no sound that can be read"},
        {"{command: no-such-voice}", "Hello", "no-such-voice cannot be started"},
        {"{music: short.wav}", "{file: short.wav}",
         "film.yaml:4:16: the music lasts 0.50 s, the film 2.00 s: give a longer piece"},
        {"{music: none.wav}", "{file: short.wav}", "film.yaml:4:16: music: cannot open none.wav"},
        {"{}", "{file: long.wav}", "runs 2.00 s into that of shot two: give it stretch: yes"},
        {"{}", "{file: short.wav, at: 3}", "begins at 3 s, but the shot is over at 1 s"},
    };

    (void)state;
    write_tone("silent.wav", 4800, 0);
    write_tone("short.wav", 24000, 0.2);
    write_tone("long.wav", 3 * SOUND_RATE, 0.2);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[600];

        snprintf(text, sizeof text,
                 "name: film\nsize: 64x36\nfps: 25\nsound: %s\nshots:\n"
                 "  - {id: one, card: One, frames: 25, narration: %s}\n"
                 "  - {id: two, card: Two, frames: 25, narration: {file: short.wav}}\n",
                 cases[i].sound, cases[i].narration);
        write_file(board, text);
        expect(PROGRAM("check", board), 2, "", cases[i].told);
        expect(PROGRAM("run", board, "-o", dir), 2, "", cases[i].told);
    }
    write_file(board, "name: film\nsize: 64x36\nfps: 25\nshots:\n"
                      "  - {id: one, card: One, frames: 25, narration: {file: long.wav}}\n"
                      "  - {id: two, card: Two, frames: 75}\n");
    expect(PROGRAM("check", board), 0, "no problems",
           "film.yaml:5:49: warning: the narration of shot one lasts 3.00 s, the shot 1.00 s");
    write_file(board, "name: film\nsize: 64x36\nfps: 25\nshots:\n"
                      "  - {id: one, card: One, frames: 25, narration: {file: long.wav}}\n");
    expect(PROGRAM("check", board), 2, "", "goes on for 2.00 s after the film's end");
}

/* ---- shots that stretch */

static int frames_of(const char *shot, const char *tier, const char *told)
{
    struct board b;
    struct board_problems problems;
    char text[800];
    int frames;

    snprintf(text, sizeof text,
             "fps: 25\nsound: {stretch: yes}\ndeliver: {handles: 2}\nshots:\n"
             "  - {id: one, frames: 20, narration: {file: %s/ten.wav, at: 0.2}, %s}\n"
             "  - {id: two, card: Two, frames: 20, transition: {duration: 0.4}}\n",
             scratch, shot);
    assert_int_equal(board_read_bytes(text, strlen(text), board, &b, &problems, &e), 0);
    assert_int_equal(narration_settle(&b, tier, &problems, &e), 0);
    frames = b.shots[0].frames;
    if (!told)
        assert_int_equal(problems.count, 0);
    else
        assert_non_null(strstr(problems.items[0].message, told));
    board_problems_free(&problems);
    board_free(&b);
    return frames;
}

static void shots_stretch(void **state)
{
    /* 5 frames and 10.04 s, 0.25 s behind it, two handles; of the transition of 10 frames the first
     * shot gives what its handle lacks behind the cut, and so does the second ahead of it */
    const int wanted = 5 + 258 + 4 + 3 + 3;

    (void)state;
    write_tone("ten.wav", 1004 * 480, 0.2);
    assert_int_equal(frames_of("card: One", "", NULL), wanted);
    assert_int_equal(frames_of("prompt: a harbour", "validator", NULL), wanted);
    assert_int_equal(frames_of("prompt: a harbour", "",
                               "lasts 10.04 s, and with it the shot 273 "
                               "frames; tier previs makes at most 121"),
                     24);
    assert_int_equal(frames_of("prompt: a harbour, tier: validator", "flagship", "makes at most"),
                     24);
}

/* A program that says something else each time is asked once. */
static void what_was_said_is_kept(void **state)
{
    struct sound first, second;
    struct board b;
    struct board_problems problems;
    char text[600];

    (void)state;
    write_tone("speak.wav", 24000, 0.2);
    snprintf(text, sizeof text,
             "sound: {command: \"sh -c 'echo x >> %s/asked; cat %s/speak.wav'\"}\nshots:\n"
             "  - {id: one, card: One, frames: 20, narration: Hello}\n",
             scratch, scratch);
    assert_int_equal(board_read_bytes(text, strlen(text), board, &b, &problems, &e), 0);
    assert_int_equal(narration_load(&b, &b.shots[0], &first, &e), 0);
    assert_int_equal(narration_load(&b, &b.shots[0], &second, &e), 0);
    assert_int_equal(first.count, second.count);
    assert_int_equal(first.count, 24000);
    sound_free(&first);
    sound_free(&second);
    board_problems_free(&problems);
    board_free(&b);
    {
        char *asked;
        size_t size;

        assert_int_equal(file_read(in_scratch("asked"), 100, &asked, &size, &e), 0);
        assert_string_equal(asked, "x\n");
        free(asked);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_film_sounds_where_it_should_at_every_rate),
        cmocka_unit_test(what_was_linked_stays),
        cmocka_unit_test(what_is_wrong_is_told_at_its_line),
        cmocka_unit_test(shots_stretch),
        cmocka_unit_test(what_was_said_is_kept),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
