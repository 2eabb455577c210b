/* The rough cut: small clips whose colours tell clip and frame, cut, mixed, faded and wiped at
 * random; every frame of the film is what the list of clips says, by arithmetic of the test's own.
 * Sound is as long as the pictures and begins with them. What is damaged or short is one clear
 * error. The contact sheet keeps its bounds. */
#include "tests/stages/scratch.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "stages/film/contact_sheet.h"
#include "stages/film/fit.h"
#include "stages/film/film.h"
#include "stages/film/soundtrack.h"
#include "stages/media/media.h"
#include "stages/media/reader.h"
#include "stages/media/writer.h"

enum { WIDTH = 128, HEIGHT = 64, CLIPS = 7, STRIP = 16, MARGIN = 12 };

/* Of a strip's mean after CRF 20, in 8-bit steps: 0.8 was the most in six random runs; colours of
 * neighbouring frames are 11 and more apart. */
static const double TOLERANCE = 2;

static uint64_t random_state;

static int64_t below(int64_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((random_state >> 33) % (uint64_t)n);
}

/* ---- clips */

struct colour {
    double yuv[3];
};
static const struct colour black = {{16, 128, 128}};

static struct colour colour_of(int clip, int64_t n)
{
    return (struct colour){{30 + (double)((clip * 37 + n * 11) % 190),
                            78 + (double)((clip * 53 + n * 17) % 100),
                            78 + (double)((clip * 29 + n * 31) % 100)}};
}

static AVFrame *flat(enum AVPixelFormat format, int width, int height, struct colour c)
{
    struct error e = {0};
    AVFrame *f = media_frame_new(format, width, height, &e);
    bool wide = format == AV_PIX_FMT_YUV422P10LE;

    assert_non_null(f);
    for (int p = 0; p < 3; p++)
        for (int y = 0; y < (p && !wide ? height / 2 : height); y++)
            for (int x = 0; x < (p ? width / 2 : width); x++) {
                uint8_t *row = f->data[p] + (ptrdiff_t)y * f->linesize[p];

                if (wide)
                    ((uint16_t *)(void *)row)[x] = (uint16_t)(4 * c.yuv[p]);
                else
                    row[x] = (uint8_t)c.yuv[p];
            }
    return f;
}

/* Every third one is ProRes of twice the size. */
static void make_clip(const char *path, int clip, int64_t frames, struct rational fps)
{
    bool large = clip % 3 == 2;
    struct media_form form = {
        .container = large ? "mov" : "mp4",
        .encoder = large ? "prores_ks" : "libx264",
        .encoder_options = large ? "profile=hq;vendor=apl0" : "preset=ultrafast;qp=0",
        .pixel_format = large ? AV_PIX_FMT_YUV422P10LE : AV_PIX_FMT_YUV420P,
        .width = WIDTH << large,
        .height = HEIGHT << large,
        .fps = fps,
        .threads = 1,
        .gop = large ? 0 : 12,
        .matrix = AVCOL_SPC_BT709,
        .range = AVCOL_RANGE_MPEG,
        .transfer = AVCOL_TRC_BT709,
        .timecode = "01:00:00:00",
    };
    struct media_writer *w;
    struct error e = {0};

    if (media_writer_open(path, &form, &w, &e) != 0)
        fail_msg("%s", e.text);
    for (int64_t n = 0; n < frames; n++) {
        AVFrame *f = flat(form.pixel_format, form.width, form.height, colour_of(clip, n));

        assert_int_equal(media_writer_put(w, f, n, &e), 0);
        av_frame_free(&f);
    }
    assert_int_equal(media_writer_finish(w, &e), 0);
    media_writer_close(w);
}

/* ---- films */

struct random_film {
    struct film_clip clips[CLIPS];
    char names[CLIPS][16], paths[CLIPS][96];
    struct film film;
    int calls, stop_after; /* progress calls; 0: never stops */
};

static bool stops(void *ctx)
{
    struct random_film *f = ctx;

    return f->stop_after && f->calls >= f->stop_after;
}

static void count(void *ctx, int64_t done, int64_t total)
{
    struct random_film *f = ctx;

    assert_true(done <= total);
    f->calls++;
}

static void plan_film(struct random_film *f, struct rational fps, const char *timecode)
{
    *f = (struct random_film){.film = {.clips = f->clips,
                                       .count = CLIPS,
                                       .fps = fps,
                                       .width = WIDTH,
                                       .height = HEIGHT,
                                       .timecode = timecode,
                                       .threads = 2,
                                       .cancelled = stops,
                                       .progress = count,
                                       .ctx = f}};
    for (int i = 0; i < CLIPS; i++) {
        struct film_clip *c = &f->clips[i];
        bool gap = i == 4;

        snprintf(f->names[i], sizeof f->names[i], "%03d", 10 * i);
        snprintf(f->paths[i], sizeof f->paths[i], "%s/%03d.%s", scratch, 10 * i,
                 i % 3 == 2 ? "mov" : "mp4");
        *c = (struct film_clip){.name = f->names[i],
                                .path = gap ? NULL : f->paths[i],
                                .in = gap      ? 0
                                      : i == 1 ? 130 + below(30) /* sought, not read through */
                                               : 6 + below(4),
                                .frames = 12 + below(12)};
        if (i != 4 && i != 5)
            c->kind = (enum transition_kind)below(TRANSITION_KINDS);
        if (c->kind == TRANSITION_CUT)
            continue;
        c->before = i ? below(7) : 0;
        c->after = 1 + below(6);
    }
}

static void make_film(struct random_film *f, struct rational fps, const char *timecode)
{
    plan_film(f, fps, timecode);
    for (int i = 0; i < CLIPS; i++)
        if (f->clips[i].path)
            make_clip(f->paths[i], i,
                      f->clips[i].in + f->clips[i].frames +
                          (i + 1 < CLIPS ? f->clips[i + 1].after : 0),
                      fps);
}

/* What clip i shows `at` frames behind its cut; -1: nothing but black. */
static struct colour shown(const struct random_film *f, int i, int64_t at)
{
    return i < 0 || !f->clips[i].path ? black : colour_of(i, f->clips[i].in + at);
}

/* What frame t of the film shows at column x, by the header's words. */
static struct colour expected(const struct random_film *f, int64_t t, double x, bool *on_edge)
{
    int i = 0;
    const struct film_clip *c;
    struct colour from, to, out;
    double share = 1;
    int64_t k;

    *on_edge = false;
    while (t >= f->clips[i].frames)
        t -= f->clips[i++].frames;
    c = &f->clips[i];
    if (i + 1 < CLIPS && c->frames - t <= c[1].before) { /* the next one comes */
        t -= c->frames;
        c++;
        i++;
    }
    k = t + c->before; /* of the transition */
    to = shown(f, i, t);
    if (c->kind == TRANSITION_CUT || t >= c->after)
        return to;
    from = i ? shown(f, i - 1, f->clips[i - 1].frames + t) : black;
    share = ((double)k + 0.5) / (double)(c->before + c->after);
    if (c->kind == TRANSITION_FADE) {
        if (t < 0)
            to = black;
        else
            from = black;
        share =
            t < 0 ? ((double)k + 0.5) / (double)c->before : ((double)t + 0.5) / (double)c->after;
    }
    if (c->kind == TRANSITION_WIPE) {
        double edge = share * (WIDTH + WIPE_SOFT) - WIPE_SOFT / 2.0;

        *on_edge = fabs(edge - x) < MARGIN;
        share = x < edge;
    }
    for (int p = 0; p < 3; p++)
        out.yuv[p] = from.yuv[p] + (to.yuv[p] - from.yuv[p]) * share;
    return out;
}

static double mean_of(const AVFrame *f, int plane, int x0, int x1, int y0, int y1)
{
    double sum = 0;

    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++)
            sum += f->data[plane][(ptrdiff_t)y * f->linesize[plane] + x];
    return sum / (x1 - x0) / (y1 - y0);
}

/* All rows but the middle ones, where a gap has its lettering. */
static void check_frame(const struct random_film *f, const AVFrame *picture, int64_t t)
{
    for (int x = 0; x < WIDTH; x += STRIP) {
        bool on_edge;
        struct colour want = expected(f, t, x + STRIP / 2.0, &on_edge);

        for (int p = 0; p < 3 && !on_edge; p++) {
            int s = p ? 1 : 0;
            double is = mean_of(picture, p, x >> s, (x + STRIP) >> s, 0, (HEIGHT / 4) >> s);

            if (!(fabs(is - want.yuv[p]) <= TOLERANCE))
                fail_msg("frame %" PRId64 ", column %d, plane %d: %.1f, not %.1f", t, x, p, is,
                         want.yuv[p]);
        }
    }
}

static void check_film(const struct random_film *f, const char *path)
{
    struct media_reader *r;
    struct error e = {0};
    const AVStream *s;
    AVRational fps = media_rational(f->film.fps);
    AVFrame *picture;
    int64_t n = 0, frames = film_frames(&f->film);

    if (media_reader_open(path, path, 1, &r, &e) != 0)
        fail_msg("%s", e.text);
    s = media_reader_stream(r);
    assert_int_equal(s->nb_frames, frames);
    assert_int_equal(av_cmp_q(s->avg_frame_rate, fps), 0);
    assert_int_equal(av_compare_ts(s->duration, s->time_base, frames, av_inv_q(fps)), 0);
    assert_string_equal(av_dict_get(s->metadata, "timecode", NULL, 0)->value, f->film.timecode);
    assert_int_equal(s->codecpar->color_space, AVCOL_SPC_BT709);
    assert_int_equal(s->codecpar->color_range, AVCOL_RANGE_MPEG);
    for (; media_reader_next(r, &picture, &e) == 1; n++) {
        assert_int_equal(av_compare_ts(picture->pts, s->time_base, n, av_inv_q(fps)), 0);
        check_frame(f, picture, n);
    }
    assert_int_equal(e.code, ERROR_NONE);
    assert_int_equal(n, frames);
    media_reader_close(r);
}

static void render(struct random_film *f, const char *path)
{
    struct error e = {0};

    f->calls = 0;
    if (film_render(&f->film, path, &e) != 0)
        fail_msg("%s", e.text);
    assert_int_equal(f->calls, film_frames(&f->film));
}

/* Good until four more are asked for. */
static const char *file(const char *name)
{
    static char path[4][128];
    static int next;
    char *out = path[next++ % 4];

    snprintf(out, sizeof path[0], "%s/%s", scratch, name);
    return out;
}

static void every_frame_is_what_the_clips_say(void **state)
{
    static const struct {
        struct rational fps;
        const char *timecode;
    } rates[] = {{{24000, 1001}, "01:00:00:00"},
                 {{25, 1}, "10:00:00:00"},
                 {{30000, 1001}, "00:59:59;20"},
                 {{60, 1}, "00:00:00:00"}};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof rates / sizeof rates[0]; i++) {
        struct random_film f;

        make_film(&f, rates[i / 2].fps, rates[i / 2].timecode);
        render(&f, file("film.mp4"));
        check_film(&f, file("film.mp4"));
    }
}

static void the_same_clips_give_the_same_bytes(void **state)
{
    struct random_film f;

    (void)state;
    make_film(&f, (struct rational){25, 1}, "01:00:00:00");
    render(&f, file("one.mp4"));
    f.film.threads = 5;
    render(&f, file("two.mp4"));
    shell("cmp %s %s", file("one.mp4"), file("two.mp4"));
}

/* ---- sound */

enum { SILENT = 4000, TONE = 500 }; /* samples of 48 kHz before the tone; its frequency */

static void little(FILE *f, uint32_t v, int bytes)
{
    for (; bytes--; v >>= 8)
        fputc((int)(v & 255), f);
}

static void make_wav(const char *path, int rate, int channels, int64_t samples)
{
    FILE *f = fopen(path, "wb");
    uint32_t bytes = (uint32_t)(samples * channels * 2);

    assert_non_null(f);
    fwrite("RIFF", 1, 4, f);
    little(f, bytes + 36, 4);
    fwrite("WAVEfmt ", 1, 8, f);
    little(f, 16, 4);
    little(f, 1, 2);
    little(f, (uint32_t)channels, 2);
    little(f, (uint32_t)rate, 4);
    little(f, (uint32_t)(rate * channels * 2), 4);
    little(f, (uint32_t)channels * 2, 2);
    little(f, 16, 2);
    fwrite("data", 1, 4, f);
    little(f, bytes, 4);
    for (int64_t n = 0; n < samples; n++) {
        double t = (double)n / rate;
        int v = t * 48000 < SILENT ? 0 : (int)lround(16000 * sin(2 * M_PI * TONE * t));

        for (int c = 0; c < channels; c++)
            little(f, (uint32_t)v, 2);
    }
    assert_int_equal(fclose(f), 0);
}

/* Where the tone begins and ends: the first and last sample of half its amplitude; and how many
 * there are in all. */
static void listen(const char *path, int64_t *begins, int64_t *ends, int64_t *duration)
{
    struct soundtrack *s;
    struct error e = {0};
    int64_t n = 0;

    if (soundtrack_open(path, &s, &e) != 0)
        fail_msg("%s", e.text);
    *duration = soundtrack_duration(s);
    *begins = *ends = -1;
    for (;;) {
        AVFrame *f = soundtrack_next(s, 1000, &e);
        int count = f ? f->nb_samples : -1;

        assert_true(count >= 0);
        for (int i = 0; i < count; i++, n++)
            if (fabsf(((const float *)(const void *)f->data[1])[i]) > 0.25) {
                *begins = *begins < 0 ? n : *begins;
                *ends = n;
            }
        av_frame_free(&f);
        if (count == 0)
            break;
    }
    soundtrack_close(s);
}

/* A quarter of the tone's period, and what AAC's windows blur. */
enum { BLUR = 48000 / TONE / 4 + 200 };

static void sound_lasts_as_long_as_the_pictures(void **state)
{
    static const struct {
        int rate, channels;
        double share; /* of the film's length */
    } cases[] = {{48000, 2, 1}, {48000, 2, 0.5}, {44100, 1, 1.2}};
    struct random_film f;
    int64_t begins, ends, duration, meant, heard;
    char mix[128];

    (void)state;
    make_film(&f, (struct rational){30000, 1001}, "01:00:00;00");
    meant = film_samples(film_frames(&f.film), f.film.fps);
    snprintf(mix, sizeof mix, "%s/mix.wav", scratch);
    f.film.sound = mix;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        heard = (int64_t)((double)meant * cases[i].share);
        make_wav(f.film.sound, cases[i].rate, cases[i].channels,
                 av_rescale(heard, cases[i].rate, 48000));
        render(&f, file("heard.mp4"));
        check_film(&f, file("heard.mp4"));
        listen(file("heard.mp4"), &begins, &ends, &duration);
        assert_int_equal(duration, meant);
        assert_true(llabs(begins - SILENT) < BLUR);
        assert_true(llabs(ends - (heard < meant ? heard : meant)) < BLUR + 1024 * (heard >= meant));
    }
}

/* Rates that the movie's clock cannot tell exactly, the slowest and the fastest. */
static void odd_rates_are_exact(void **state)
{
    static const struct rational rates[] = {{7, 1},  {13, 1},      {12000, 1001},  {25, 2},
                                            {1, 1},  {240, 1},     {120000, 1001}, {50, 1},
                                            {59, 1}, {60000, 1001}};
    char mix[128];

    (void)state;
    snprintf(mix, sizeof mix, "%s/mix.wav", scratch);
    make_wav(mix, 48000, 2, 20000);
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
        for (int64_t frames = 1; frames < 40; frames += 19) {
            struct random_film f;

            plan_film(&f, rates[i], "01:00:00:00");
            make_clip(f.paths[0], 0, frames, rates[i]);
            f.clips[0] = (struct film_clip){.name = "000", .path = f.paths[0], .frames = frames};
            f.film.count = 1;
            f.film.sound = mix;
            render(&f, file("odd.mp4"));
        }
}

/* ---- what goes wrong */

static void fails(struct random_film *f, const char *what, const char *also)
{
    struct error e = {0};

    assert_int_equal(film_render(&f->film, file("bad.mp4"), &e), -1);
    if (!strstr(e.text, what) || !strstr(e.text, also))
        fail_msg("\"%s\" has not \"%s\" and \"%s\"", e.text, what, also);
}

static void what_is_damaged_or_short_is_named(void **state)
{
    struct random_film f;
    int64_t frames;
    struct error e = {0};

    (void)state;
    make_film(&f, (struct rational){24, 1}, "01:00:00:00");
    frames = f.clips[6].frames;
    f.clips[6].frames += 100;
    fails(&f, "shot 060", "ends before frame");
    f.clips[6].frames = frames;
    f.clips[3].path = file("nowhere.mp4");
    fails(&f, "shot 030", "nowhere.mp4");
    f.clips[3].path = f.paths[3];
    shell("truncate -s 300 %s", f.paths[3]);
    fails(&f, "shot 030", f.paths[3]);
    make_clip(f.paths[3], 3, 60, f.film.fps);
    /* From the first picture on, so that what the film shows is hit. */
    shell("dd if=/dev/zero of=%s bs=1 seek=200 count=$(($(stat -c %%s %s) * 2 / 5)) conv=notrunc "
          "2>/dev/null",
          f.paths[3], f.paths[3]);
    fails(&f, "shot 030", f.paths[3]);
    make_clip(f.paths[3], 3, 60, (struct rational){12, 1}); /* of half the rate */
    fails(&f, "shot 030", "has no frame");
    make_clip(f.paths[3], 3, 60, f.film.fps);
    f.film.sound = f.paths[3]; /* holds none */
    fails(&f, "sound", f.paths[3]);
    f.film.sound = file("nowhere.wav");
    fails(&f, "nowhere.wav", "sound");
    f.film.sound = NULL;
    f.film.count = 0;
    fails(&f, "no length", "");
    f.film.count = CLIPS;
    f.stop_after = 5;
    f.calls = 0;
    assert_int_equal(film_render(&f.film, file("bad.mp4"), &e), -1);
    assert_int_equal(e.code, ERROR_CANCELLED);
    f.stop_after = (int)film_frames(&f.film); /* while it is read back */
    f.calls = 0;
    error_clear(&e);
    assert_int_equal(film_render(&f.film, file("bad.mp4"), &e), -1);
    assert_int_equal(e.code, ERROR_CANCELLED);
    f.stop_after = 0;
    render(&f, file("good.mp4"));
}

/* Whatever stands in a file: a film, or an error that names the shot or the sound. */
static void random_damage_is_an_error_or_none(void **state)
{
    struct random_film f;
    char mix[128];

    (void)state;
    snprintf(mix, sizeof mix, "%s/mix.wav", scratch);
    make_wav(mix, 48000, 2, 60000);
    make_film(&f, (struct rational){24, 1}, "01:00:00:00");
    f.film.sound = mix;
    for (int i = 0; i < 40; i++) {
        const char *path = i % 4 == 0 ? mix : f.paths[2 + i % 2];
        struct error e = {0};
        size_t size;
        char *bytes;

        assert_int_equal(file_read(path, 1 << 24, &bytes, &size, &e), 0);
        for (int k = 0; k < 1 + i % 5; k++)
            bytes[below(i % 8 == 0 ? 44 : (int64_t)size)] ^= (char)(1 << below(8));
        assert_int_equal(file_write_atomic(file("kept"), bytes, size, &e), 0);
        shell("mv %s %s.whole && mv %s %s", path, path, file("kept"), path);
        if (film_render(&f.film, file("bad.mp4"), &e) != 0 && !strstr(e.text, "shot ") &&
            !strstr(e.text, "sound"))
            fail_msg("\"%s\"", e.text);
        shell("mv %s.whole %s", path, path);
        free(bytes);
    }
}

static void a_large_board_is_made_smaller(void **state)
{
    static const int sizes[][4] = {{1280, 720, 1280, 720},  {1920, 1080, 1280, 720},
                                   {3840, 2160, 1280, 720}, {1080, 1920, 720, 1280},
                                   {416, 240, 416, 240},    {2048, 858, 1280, 536},
                                   {8192, 16, 1280, 2},     {1998, 1080, 1280, 692}};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int width, height;

        film_size(sizes[i][0], sizes[i][1], &width, &height);
        assert_int_equal(width, sizes[i][2]);
        assert_int_equal(height, sizes[i][3]);
    }
}

/* ---- the contact sheet */

static void a_sheet_keeps_its_bounds(void **state)
{
    static const int shapes[][2] = {{1280, 720}, {2048, 858}, {1080, 1920}, {416, 240}};
    struct contact_layout l;

    (void)state;
    for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++)
        for (int n = 1; n <= CONTACT_SHEET_MOST; n = n < 70 ? n + 1 : n * 3 / 2) {
            struct contact_sheet s = {
                .width = shapes[k][0], .height = shapes[k][1], .count = (size_t)n};
            double shape;

            contact_sheet_lay_out(&s, &l);
            shape = (double)l.width / l.height;
            assert_true(l.width <= CONTACT_SHEET_SIDE && l.height <= CONTACT_SHEET_SIDE);
            assert_true(l.columns * l.rows >= n && l.columns * (l.rows - 1) < n);
            assert_true(l.picture_width >= 20);
            if (n <= 60 && k != 2)
                assert_int_equal(l.picture_width, CONTACT_SHEET_PICTURE);
            if (n >= 12)
                assert_true(shape > 1.2 && shape < 2.2);
        }
}

static void a_sheet_is_drawn_whatever_stands_in_it(void **state)
{
    static const struct contact_shot shots[] = {
        {"010", "2.00 s", NULL, "not made yet", false},
        {"020-{\\an8}", "a \\N b", NULL,
         "generate: the checkpoint at /a/very/long/path/without/any/space/at/all/that/goes/on is "
         "not "
         "there: give its folder with --models, or put it where the board says; nothing was made",
         true},
        {"030", "\xff\xfe not UTF-8", "/nowhere/x.png", "", false},
        {"040-\xe6\x9d\xb1\xe4\xba\xac", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xf3\xbf\xbf\xbd", NULL,
         "line\nbreak", false},
        {"050-a-name-of-sixty-four-letters-which-is-as-many-as-an-id-may-have", "", NULL, "", true},
    };
    struct contact_sheet s = {"film", "five shots", 640, 360, shots, 5};
    struct contact_layout l;
    struct media_reader *r;
    struct error e = {0};
    AVFrame *f;

    (void)state;
    if (contact_sheet_write(&s, file("sheet.png"), &e) != 0)
        fail_msg("%s", e.text);
    contact_sheet_lay_out(&s, &l);
    assert_int_equal(media_reader_open(file("sheet.png"), "sheet", 1, &r, &e), 0);
    assert_int_equal(media_reader_next(r, &f, &e), 1);
    assert_int_equal(f->width, l.width);
    assert_int_equal(f->height, l.height);
    media_reader_close(r);
    s.count = 0;
    assert_int_equal(contact_sheet_write(&s, file("sheet.png"), &e), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frame_is_what_the_clips_say),
        cmocka_unit_test(the_same_clips_give_the_same_bytes),
        cmocka_unit_test(sound_lasts_as_long_as_the_pictures),
        cmocka_unit_test(odd_rates_are_exact),
        cmocka_unit_test(what_is_damaged_or_short_is_named),
        cmocka_unit_test(random_damage_is_an_error_or_none),
        cmocka_unit_test(a_large_board_is_made_smaller),
        cmocka_unit_test(a_sheet_keeps_its_bounds),
        cmocka_unit_test(a_sheet_is_drawn_whatever_stands_in_it),
    };
    const char *seed = getenv("AUTEUR_TEST_SEED");

    random_state = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    printf("AUTEUR_TEST_SEED=%" PRIu64 "\n", random_state);
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
