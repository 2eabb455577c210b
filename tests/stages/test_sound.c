/* Sound: positions to the sample, levels as a loudness meter finds them, voices that speak the same
 * twice, and what is said of those that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/base/hash.h"
#include "stages/sound/mix.h"
#include "stages/sound/voice.h"

static char scratch[] = "/tmp/auteur-sound-XXXXXX";
static struct error e;

/* What may be off, and why. */
static const double LOUDNESS_OFF = 0.5; /* LU: asked for; the mix aims at 0.2 */
static const double DUCK_OFF = 2;       /* dB: asked for; noise's own level varies by less than 1 */
/* A limiter's resampling rings a little ahead of what begins. */
static const float AUDIBLE = 1e-3f;
static const float STEP = 1.0f / (1 << 23); /* of 24 bits */

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(scratch) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return path_remove(scratch, &e);
}

static const char *file(const char *name)
{
    static char path[2][200];
    static int turn;

    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", scratch, name);
    return path[turn];
}

/* Fails with what the error says. */
static void good(int rc)
{
    if (rc != 0)
        fail_msg("%s", e.text);
}

static uint32_t noise_state;

static float noise(void)
{
    noise_state = noise_state * 1664525u + 1013904223u;
    return (float)((int32_t)noise_state) / 2147483648.0f;
}

static void make_noise(struct sound *s, int64_t count, float level)
{
    good(sound_make(s, count, &e));
    noise_state = 7;
    for (int64_t i = 0; i < count * SOUND_CHANNELS; i++)
        s->samples[i] = level * noise();
}

/* A voice's like: a tone that swells four times a second, with clicks ten times its height. */
static void make_speech(struct sound *s, int64_t count)
{
    good(sound_make(s, count, &e));
    for (int64_t i = 0; i < count; i++) {
        double t = (double)i / SOUND_RATE, swell = 0.55 + 0.45 * sin(2 * 3.14159265 * 4 * t);
        float x = (float)(0.08 * swell * sin(2 * 3.14159265 * 440 * t));

        x = i % 12000 == 6000 ? 0.8f : x;
        s->samples[2 * i] = s->samples[2 * i + 1] = x;
    }
}

static double rms(const struct sound *s, double from, double to)
{
    double sum = 0;
    int64_t first = (int64_t)(from * SOUND_RATE), end = (int64_t)(to * SOUND_RATE);

    for (int64_t i = first * SOUND_CHANNELS; i < end * SOUND_CHANNELS; i++)
        sum += (double)s->samples[i] * s->samples[i];
    return 10 * log10(sum / (double)((end - first) * SOUND_CHANNELS) + 1e-20);
}

static int64_t first_loud(const struct sound *s)
{
    int64_t i = 0;

    while (i < s->count && fabsf(s->samples[i * SOUND_CHANNELS]) < AUDIBLE)
        i++;
    return i;
}

static void frames_begin_on_their_samples(void **state)
{
    static const struct {
        struct rational fps;
        int64_t frame, sample;
    } cases[] = {{{24000, 1001}, 86400, 172972800},
                 {{25, 1}, 90000, 172800000},
                 {{30000, 1001}, 1, 1602},
                 {{30000, 1001}, 2, 3203},
                 {{30000, 1001}, 5, 8008},
                 {{30000, 1001}, 107892, 172799827},
                 {{24, 1}, 7, 14000}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(sound_of_frame(cases[i].frame, cases[i].fps), cases[i].sample);
}

static void a_file_is_read_as_it_was_written(void **state)
{
    const struct sound_label label = {172972800, "shot 010", "{}"};
    struct sound s, back;
    struct hash128 first, second;
    char *bytes;
    size_t size;

    (void)state;
    make_noise(&s, 12345, 0.9f);
    good(sound_write_file(file("a.wav"), &s, &label, &e));
    good(sound_write_file(file("b.wav"), &s, &label, &e));
    good(hash_file(file("a.wav"), &first, &e));
    good(hash_file(file("b.wav"), &second, &e));
    assert_true(hash_equal(first, second));
    good(sound_read_file(file("a.wav"), "a.wav", 1 << 30, &back, &e));
    assert_int_equal(back.count, s.count);
    for (int64_t i = 0; i < s.count * SOUND_CHANNELS; i++)
        assert_true(fabsf(back.samples[i] - s.samples[i]) <= STEP);
    sound_free(&back);
    good(sound_read_file(file("a.wav"), "a.wav", 100, &back, &e));
    assert_int_equal(back.count, 100);
    sound_free(&back);
    sound_free(&s);
    /* the broadcast chunk: EBU Tech 3285 puts the time reference 338 bytes into it */
    good(file_read(file("a.wav"), 1 << 20, &bytes, &size, &e));
    for (size_t i = 0; i + 400 < size; i++)
        if (memcmp(bytes + i, "bext", 4) == 0) {
            uint32_t low;

            memcpy(&low, bytes + i + 8 + 338, 4);
            assert_int_equal(low, 172972800);
            assert_memory_equal(bytes + i + 8, "shot 010", 8);
            size = 0;
        }
    assert_int_equal(size, 0);
    free(bytes);
}

static void what_is_no_sound_is_named(void **state)
{
    struct sound s;

    (void)state;
    assert_int_equal(sound_read_file(file("none.wav"), "none.wav", 100, &s, &e), -1);
    assert_non_null(strstr(e.text, "none.wav"));
    assert_int_equal(sound_read_file("storyboards/animatic.jpg", "a.jpg", 100, &s, &e), -1);
    assert_string_equal(e.text, "a.jpg holds no sound");
    assert_int_equal(sound_read_file("Makefile", "Makefile", 100, &s, &e), -1);
    assert_non_null(strstr(e.text, "Makefile is no sound that can be read"));
    good(sound_make(&s, 4800, &e));
    assert_true(sound_is_silent(&s));
    s.samples[9] = 0.001f;
    assert_false(sound_is_silent(&s));
    sound_free(&s);
}

static const struct board_sound settings = {
    .music_volume = -6, .duck = 12, .fade_in = 1, .fade_out = 2, .loudness = -23, .peak = -1};

static void a_mix_is_as_it_was_asked_for(void **state)
{
    static const struct {
        struct rational fps;
        double loudness, peak;
    } cases[] = {{{24000, 1001}, -23, -1}, {{25, 1}, -14, -1}, {{30000, 1001}, -16, -3}};
    struct sound speech, music;

    (void)state;
    make_speech(&speech, 3 * SOUND_RATE + 123);
    make_noise(&music, 25 * SOUND_RATE, 0.5f);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct board_sound b = settings;
        int64_t frames = (int64_t)20 * cases[i].fps.num / cases[i].fps.den + 1;
        int64_t samples = sound_of_frame(frames, cases[i].fps);
        int64_t at = sound_of_frame(frames / 2, cases[i].fps);
        struct mix_narration n = {&speech, at};
        struct mix m, again;
        struct loudness l;
        double where = (double)at / SOUND_RATE, duck;

        b.loudness = cases[i].loudness;
        b.peak = cases[i].peak;
        good(mix_make(&b, samples, &n, 1, &music, &m, &e));
        assert_int_equal(m.film.count, samples);
        assert_int_equal(m.narration.count, samples);
        assert_int_equal(m.music.count, samples);
        good(mix_measure(&m.film, &l, &e));
        print_message("%.2f LUFS, %.2f dBTP\n", l.integrated, l.peak);
        assert_true(fabs(l.integrated - cases[i].loudness) <= LOUDNESS_OFF);
        assert_true(l.peak <= cases[i].peak);
        assert_int_equal(first_loud(&m.narration), at + 1); /* a sine begins at 0 */
        duck = rms(&m.music, 3, where - 1) - rms(&m.music, where, where + 3);
        print_message("ducked by %.2f dB\n", duck);
        assert_true(fabs(duck - b.duck) <= DUCK_OFF);
        assert_true(rms(&m.music, 3, where - 1) - rms(&m.music, where + 4.5, where + 6) < 1);
        assert_true(rms(&m.music, 0, 0.05) < rms(&m.music, 2, 3) - 20); /* faded */
        assert_true(rms(&m.music, 19.95, 20) < rms(&m.music, 2, 3) - 20);
        good(mix_make(&b, samples, &n, 1, &music, &again, &e));
        assert_memory_equal(m.film.samples, again.film.samples,
                            (size_t)samples * SOUND_CHANNELS * sizeof(float));
        mix_free(&m);
        mix_free(&again);
    }
    sound_free(&speech);
    sound_free(&music);
}

/* What the limiter gives back lies where it lay: its clicks are the only thing it lowers. */
static void a_limited_film_is_not_moved(void **state)
{
    struct board_sound b = settings;
    struct sound speech;
    struct mix m;
    int64_t close = 0, checked = 0;
    double ratio;

    (void)state;
    b.loudness = -12;
    make_speech(&speech, 5 * SOUND_RATE);
    good(mix_make(&b, 6 * SOUND_RATE, &(struct mix_narration){&speech, SOUND_RATE / 2}, 1, NULL, &m,
                  &e));
    ratio = (double)m.film.samples[2 * (24000 + 3028)] / speech.samples[2 * 3028];
    assert_true(ratio > 1);
    for (int64_t i = 0; i < speech.count; i++)
        if (i % 12000 < 4000 && i % 12000 > 3000) { /* between the clicks, and their release */
            float want = (float)(ratio * speech.samples[2 * i]);

            close += fabsf(m.film.samples[2 * (i + 24000)] - want) < 0.02f;
            checked++;
        }
    print_message("%lld of %lld samples\n", (long long)close, (long long)checked);
    assert_true(close > checked * 95 / 100);
    assert_null(m.music.samples);
    mix_free(&m);
    sound_free(&speech);
}

/* ---- voices */

static const struct speech greeting = {"The harbour wakes before the light does.", "en-gb", 160,
                                       ""};

static void the_built_in_voice_says_the_same_twice(void **state)
{
    struct speech other = {"Guten Tag.", "de+f3", 200, ""};
    struct hash128 first, second;
    struct sound s;

    (void)state;
    good(voice_speak(&greeting, file("1.wav"), &e));
    good(hash_file(file("1.wav"), &first, &e));
    good(voice_speak(&other, file("2.wav"), &e));
    good(voice_speak(&greeting, file("3.wav"), &e));
    good(hash_file(file("3.wav"), &second, &e));
    assert_true(hash_equal(first, second));
    good(sound_read_file(file("1.wav"), "1.wav", 1 << 30, &s, &e));
    assert_true(s.count > SOUND_RATE && s.count < 5 * SOUND_RATE);
    assert_false(sound_is_silent(&s));
    sound_free(&s);
    other.voice = "de-CH"; /* German, then */
    good(voice_speak(&other, file("2.wav"), &e));
}

static void refused(struct speech s, const char *why)
{
    error_clear(&e);
    if (voice_speak(&s, file("no.wav"), &e) != -1)
        fail_msg("not refused: %s", why);
    if (!strstr(e.text, why))
        fail_msg("\"%s\" is not in: %s", why, e.text);
    assert_null(strchr(e.text, '\n'));
}

static void what_cannot_be_spoken_is_told(void **state)
{
    (void)state;
    refused((struct speech){"Hello", "xx-none", 165, ""}, "no voice here speaks 'xx-none'");
    refused((struct speech){"Hello", "germn", 165, ""}, "did you mean 'German'?");
    refused((struct speech){"Hello", "en-gb+zz", 165, ""}, "no variant of voices is called 'zz'");
    refused((struct speech){"Привет, мир", "", 165, ""}, "the narration is in Cyrillic letters");
    good(voice_speak(&(struct speech){"Привет, мир", "ru", 165, ""}, file("ru.wav"), &e));
    refused((struct speech){"\n", "en", 165, ""}, "nothing that can be spoken");
}

static void a_program_speaks(void **state)
{
    char command[400];
    struct speech s = greeting;
    char *bytes;
    size_t size;

    (void)state;
    s.command = "cat";
    good(voice_speak(&s, file("cat"), &e));
    good(file_read(file("cat"), 1000, &bytes, &size, &e));
    assert_string_equal(bytes, greeting.text);
    free(bytes);
    snprintf(command, sizeof command,
             "sh -c 'cat >\"$2\"; echo \"$1 $3\" >>\"$2\"' x {voice}-{speed} {file} \"a  b\"");
    s.command = command;
    good(voice_speak(&s, file("own"), &e));
    good(file_read(file("own"), 1000, &bytes, &size, &e));
    assert_non_null(strstr(bytes, "does.en-gb-160 a  b\n"));
    free(bytes);
    assert_false(path_exists(file("own.text")));
    assert_false(path_exists(file("own.said")));
}

static void programs_that_fail_are_told(void **state)
{
    struct speech s = greeting;

    (void)state;
    refused((struct speech){"Hello", "", 165, "no-such-program-1"}, "cannot be started");
    refused((struct speech){"Hello", "", 165, "sh -c 'echo no model >&2; exit 3'"},
            "sh failed with exit status 3: no model");
    refused((struct speech){"Hello", "", 165, "true"}, "true wrote no sound");
    refused((struct speech){"Hello", "", 165, "sh -c 'kill -9 $$'"}, "died of signal 9");
    refused((struct speech){"Hello", "", 165, "sh -c 'oops"}, "a quote that is not closed");
    refused((struct speech){"Hello", "", 165, "  "}, "names no program");
    s.command = "sh -c 'sleep 60 & sleep 60'";
    assert_int_equal(voice_program(&s, file("slow"), 0.2, &e), -1);
    assert_non_null(strstr(e.text, "still at work after 0.2 s"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_begin_on_their_samples),
        cmocka_unit_test(a_file_is_read_as_it_was_written),
        cmocka_unit_test(what_is_no_sound_is_named),
        cmocka_unit_test(a_mix_is_as_it_was_asked_for),
        cmocka_unit_test(a_limited_film_is_not_moved),
        cmocka_unit_test(the_built_in_voice_says_the_same_twice),
        cmocka_unit_test(what_cannot_be_spoken_is_told),
        cmocka_unit_test(a_program_speaks),
        cmocka_unit_test(programs_that_fail_are_told),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
