/* What every media stage stands on: exact colours, files that are whole or fail, bad pictures
 * noticed. */
#include "tests/stages/ffv1.h"
#include "tests/stages/media_job.h"

#include <fcntl.h>
#include <math.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "stages/media/convert.h"
#include "stages/media/media.h"
#include "stages/media/reader.h"
#include "stages/media/watch.h"
#include "stages/media/writer.h"

static AVFrame *frame_of(enum AVPixelFormat format, int width, int height)
{
    AVFrame *f = av_frame_alloc();

    assert_non_null(f);
    f->format = format;
    f->width = width;
    f->height = height;
    assert_int_equal(av_frame_get_buffer(f, 0), 0);
    return f;
}

/* rgb in 8 bits, exactly. */
static void fill(AVFrame *f, unsigned rgb)
{
    static const int shift[3] = {8, 0, 16}; /* planes green, blue, red */

    for (int c = 0; c < 3; c++)
        for (int y = 0; y < f->height; y++)
            for (int x = 0; x < f->width; x++)
                ((uint16_t *)(void *)(f->data[c] + y * f->linesize[c]))[x] =
                    (uint16_t)lround((rgb >> shift[c] & 255) * 1023 / 255.0);
}

/* BT.709 limited range in real numbers. */
static void formula(unsigned rgb, double out[3])
{
    double r = (rgb >> 16 & 255) / 255.0, g = (rgb >> 8 & 255) / 255.0, b = (rgb & 255) / 255.0;
    double y = 0.2126 * r + 0.7152 * g + 0.0722 * b;

    out[0] = 16 + 219 * y;
    out[1] = 128 + 224 * (b - y) / 1.8556;
    out[2] = 128 + 224 * (r - y) / 1.5748;
}

static double plane_mean(const AVFrame *f, int plane, int width, int height)
{
    double sum = 0;

    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            sum += f->format == AV_PIX_FMT_YUV422P10
                       ? ((const uint16_t *)(const void *)(f->data[plane] +
                                                           y * f->linesize[plane]))[x] /
                             4.0
                       : f->data[plane][y * f->linesize[plane] + x];
    return sum / width / height;
}

static void colours_follow_the_formula(void **state)
{
    static const unsigned colours[] = {0x000000, 0xFFFFFF, 0x808080, 0xFF0000, 0x00FF00,
                                       0x0000FF, 0xFFFF00, 0x12345F, 0xE8B341, 0x010101};
    AVFrame *in = frame_of(AV_PIX_FMT_GBRP10, 32, 16);
    AVFrame *small = frame_of(AV_PIX_FMT_YUV420P, 32, 16);
    AVFrame *deep = frame_of(AV_PIX_FMT_YUV422P10, 32, 16);

    (void)state;
    for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++) {
        double want[3];

        fill(in, colours[i]);
        formula(colours[i], want);
        convert_to_yuv420p(in, small);
        convert_to_yuv10(in, deep);
        for (int p = 0; p < 3; p++) {
            double a = plane_mean(small, p, p ? 16 : 32, p ? 8 : 16);
            double b = plane_mean(deep, p, p ? 16 : 32, 16);

            /* The dither's mean is the colour to 1/64 of a step; the master's ten bits add 1/8. */
            if (!(fabs(a - want[p]) < 0.17))
                fail_msg("%06x plane %d: %f, not %f", colours[i], p, a, want[p]);
            if (!(fabs(b - want[p]) < 0.26))
                fail_msg("%06x plane %d of 10 bits: %f, not %f", colours[i], p, b, want[p]);
        }
    }
    av_frame_free(&in);
    av_frame_free(&small);
    av_frame_free(&deep);
}

static void white_black_and_grey_are_exact_everywhere(void **state)
{
    static const unsigned colours[] = {0x000000, 0xFFFFFF};
    static const int luma[] = {16, 235};
    AVFrame *in = frame_of(AV_PIX_FMT_GBRP10, 32, 16);
    AVFrame *out = frame_of(AV_PIX_FMT_YUV420P, 32, 16), *rgb = frame_of(AV_PIX_FMT_RGB24, 32, 16);

    (void)state;
    for (int i = 0; i < 2; i++) {
        fill(in, colours[i]);
        convert_to_yuv420p(in, out);
        convert_to_rgb24(in, rgb);
        for (int y = 0; y < 16; y++)
            for (int x = 0; x < 32; x++) {
                assert_int_equal(out->data[0][y * out->linesize[0] + x], luma[i]);
                assert_int_equal(out->data[1][y / 2 * out->linesize[1] + x / 2], 128);
                assert_int_equal(out->data[2][y / 2 * out->linesize[2] + x / 2], 128);
                assert_int_equal(rgb->data[0][y * rgb->linesize[0] + 3 * x], colours[i] & 255);
            }
    }
    av_frame_free(&in);
    av_frame_free(&out);
    av_frame_free(&rgb);
}

/* A vertical edge at an even column: chroma sits on even columns, so the column before the edge
 * takes a quarter of it and the column on it three quarters. */
static void chroma_sits_left(void **state)
{
    AVFrame *in = frame_of(AV_PIX_FMT_GBRP10, 32, 16);
    AVFrame *out = frame_of(AV_PIX_FMT_YUV420P, 32, 16);
    double from[3], to[3];

    (void)state;
    fill(in, 0x0000FF);
    for (int y = 0; y < 16; y++)
        for (int x = 16; x < 32; x++) {
            ((uint16_t *)(void *)(in->data[1] + y * in->linesize[1]))[x] = 0;
            ((uint16_t *)(void *)(in->data[2] + y * in->linesize[2]))[x] = 1023;
        }
    convert_to_yuv420p(in, out);
    formula(0x0000FF, from);
    formula(0xFF0000, to);
    assert_true(fabs(out->data[1][2 * out->linesize[1] + 7] - from[1]) <= 1);
    assert_true(fabs(out->data[1][2 * out->linesize[1] + 8] - (from[1] + 3 * to[1]) / 4) <= 1);
    assert_true(fabs(out->data[1][2 * out->linesize[1] + 9] - to[1]) <= 1);
    av_frame_free(&in);
    av_frame_free(&out);
}

static void a_gradient_has_no_bands(void **state)
{
    AVFrame *in = frame_of(AV_PIX_FMT_GBRP10, 64, 64);
    AVFrame *out = frame_of(AV_PIX_FMT_YUV420P, 64, 64);

    (void)state;
    /* Sixteen steps of ten bits are four of eight: every row's mean must still rise. */
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < 64; y++)
            for (int x = 0; x < 64; x++)
                ((uint16_t *)(void *)(in->data[c] + y * in->linesize[c]))[x] =
                    (uint16_t)(400 + y / 8 * 1);
    convert_to_yuv420p(in, out);
    for (int band = 1; band < 8; band++) {
        double before = 0, here = 0;

        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 64; x++) {
                before += out->data[0][(8 * (band - 1) + y) * out->linesize[0] + x];
                here += out->data[0][(8 * band + y) * out->linesize[0] + x];
            }
        assert_true(here > before);
    }
    av_frame_free(&in);
    av_frame_free(&out);
}

static void noise_frame(AVFrame *f, unsigned seed, int base, int spread)
{
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < f->height; y++)
            for (int x = 0; x < f->width; x++) {
                seed = seed * 1664525u + 1013904223u;
                ((uint16_t *)(void *)(f->data[c] + y * f->linesize[c]))[x] =
                    (uint16_t)(base + (int)(seed >> 16) % spread);
            }
}

static void bad_pictures_are_noticed(void **state)
{
    AVFrame *f = frame_of(AV_PIX_FMT_GBRP10, 64, 48);
    struct watch w;
    struct error e = {0};

    (void)state;
    /* Black: 5 of 8 frames. */
    assert_int_equal(watch_open(&w, 64, 48, &e), 0);
    for (int i = 0; i < 8; i++) {
        noise_frame(f, (unsigned)i, i < 5 ? 0 : 300, i < 5 ? 40 : 300);
        watch_add(&w, f);
    }
    assert_int_equal(watch_verdict(&w, SHOT_GENERATED, &e), -1);
    assert_non_null(strstr(e.text, "black in 5 of 8 frames (from frame 0)"));
    assert_int_equal(watch_verdict(&w, SHOT_CARD, &e), 0);
    assert_int_equal(watch_verdict(&w, SHOT_FOOTAGE, &e), 0);
    watch_close(&w);
    /* Flat, with less noise than an 8-bit step. */
    assert_int_equal(watch_open(&w, 64, 48, &e), 0);
    for (int i = 0; i < 8; i++) {
        noise_frame(f, (unsigned)i, 500, 5);
        watch_add(&w, f);
    }
    assert_int_equal(watch_verdict(&w, SHOT_GENERATED, &e), -1);
    assert_non_null(strstr(e.text, "flat"));
    assert_int_equal(watch_verdict(&w, SHOT_STILL, &e), 0);
    watch_close(&w);
    /* Frozen: all frames equal. A small bird saves the shot. */
    for (int bird = 0; bird < 2; bird++) {
        assert_int_equal(watch_open(&w, 64, 48, &e), 0);
        for (int i = 0; i < 8; i++) {
            noise_frame(f, 1, 300, 300);
            for (int k = 0; bird && k < 9; k++)
                ((uint16_t *)(void *)(f->data[0] + (20 + k / 3) * f->linesize[0]))[10 + i + k % 3] =
                    0;
            watch_add(&w, f);
        }
        assert_int_equal(watch_verdict(&w, SHOT_GENERATED, &e), bird ? 0 : -1);
        if (!bird)
            assert_non_null(strstr(e.text, "frozen: 7 of 7"));
        watch_close(&w);
    }
    /* A night sky: dark, but with lights. */
    assert_int_equal(watch_open(&w, 64, 48, &e), 0);
    for (int i = 0; i < 4; i++) {
        noise_frame(f, (unsigned)i, 0, 40);
        for (int k = 0; k < 8; k++)
            for (int c = 0; c < 3; c++)
                ((uint16_t *)(void *)(f->data[c] + 5 * k * f->linesize[c]))[7 * k + i] = 700;
        watch_add(&w, f);
    }
    assert_int_equal(watch_verdict(&w, SHOT_GENERATED, &e), 0);
    watch_close(&w);
    av_frame_free(&f);
}

static int write_noise(const char *path, int frames, struct error *e)
{
    struct media_form form = ffv1(320, 240, (struct rational){24, 1});
    AVFrame *f = frame_of(AV_PIX_FMT_GBRP10LE, 320, 240);
    struct media_writer *w = NULL;
    int rc = media_writer_open(path, &form, &w, e);

    for (int i = 0; rc == 0 && i < frames; i++) {
        assert_int_equal(av_frame_make_writable(f), 0);
        noise_frame(f, (unsigned)i, 0, 1000);
        rc = media_writer_put(w, f, i, e);
    }
    if (rc == 0)
        rc = media_writer_finish(w, e);
    media_writer_close(w);
    av_frame_free(&f);
    return rc;
}

static void what_is_written_is_read_and_twice_the_same(void **state)
{
    struct media_job *m = media_job_new(320, 240, (struct rational){24, 1}, 1);
    AVFrame *want = frame_of(AV_PIX_FMT_GBRP10LE, 320, 240), *got;
    char a[100], b[100];
    struct hash128 first, second;
    struct media_reader *r;
    int n = 0;

    (void)state;
    snprintf(a, sizeof a, "%s/a.mkv", m->dir);
    snprintf(b, sizeof b, "%s/b.mkv", m->dir);
    assert_int_equal(write_noise(a, 5, &m->e), 0);
    sleep(1); /* a wall clock in the file would show */
    assert_int_equal(write_noise(b, 5, &m->e), 0);
    assert_int_equal(hash_file(a, &first, &m->e), 0);
    assert_int_equal(hash_file(b, &second, &m->e), 0);
    assert_true(hash_equal(first, second));

    assert_int_equal(media_reader_open(a, "a.mkv", 1, &r, &m->e), 0);
    while (media_reader_next(r, &got, &m->e) == 1) {
        noise_frame(want, (unsigned)n++, 0, 1000);
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < 240; y++)
                assert_memory_equal(got->data[c] + y * got->linesize[c],
                                    want->data[c] + y * want->linesize[c], 640);
    }
    assert_int_equal(n, 5);
    media_reader_close(r);
    av_frame_free(&want);
    media_job_free(m);
}

static void a_full_disk_is_an_error_of_space(void **state)
{
    struct media_job *m = media_job_new(320, 240, (struct rational){24, 1}, 1);
    char path[100];
    int rc;

    (void)state;
    if (mount("tmpfs", m->dir, "tmpfs", 0, "size=300k") != 0) {
        print_message("skipped: mounting a tmpfs is not permitted here\n");
        media_job_free(m);
        skip();
    }
    snprintf(path, sizeof path, "%s/a.mkv", m->dir);
    rc = write_noise(path, 20, &m->e);
    unlink(path);
    umount(m->dir);
    assert_int_equal(rc, -1);
    assert_int_equal(m->e.code, ERROR_SPACE);
    assert_non_null(strstr(m->e.text, "a.mkv"));
    media_job_free(m);
}

static void expect_refusal(const char *path, const char *words)
{
    struct media_reader *r = NULL;
    struct error e = {0};
    AVFrame *f;
    int rc = media_reader_open(path, "clip.mov", 1, &r, &e);

    if (rc == 0)
        rc = media_reader_next(r, &f, &e) == 1 ? 0 : -1;
    media_reader_close(r);
    assert_int_equal(rc, -1);
    if (!strstr(e.text, words) || !strstr(e.text, "clip.mov"))
        fail_msg("\"%s\" does not say \"%s\" of clip.mov", e.text, words);
}

static void put(const char *path, const void *bytes, size_t size)
{
    struct error e;

    assert_int_equal(file_write_atomic(path, bytes, size, &e), 0);
}

static void odd_files_are_refused_with_words(void **state)
{
    struct media_job *m = media_job_new(320, 240, (struct rational){24, 1}, 1);
    static const char playlist[] = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n/etc/passwd\n";
    static const char concat[] = "ffconcat version 1.0\nfile /etc/passwd\n";
    char path[100];

    (void)state;
    snprintf(path, sizeof path, "%s/none", m->dir);
    expect_refusal(path, "No such file");
    put(path, "", 0);
    expect_refusal(path, "is empty (0 bytes)");
    put(path, "hello, I am no film", 19);
    expect_refusal(path, "no clip or picture that can be read");
    put(path, playlist, sizeof playlist - 1);
    expect_refusal(path, "");
    put(path, concat, sizeof concat - 1);
    expect_refusal(path, "");
    expect_refusal(m->dir, "is not a file");
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_refusal(path, "is not a file");
    media_job_free(m);
}

static void a_cut_or_bent_file_is_an_error(void **state)
{
    struct media_job *m = media_job_new(320, 240, (struct rational){24, 1}, 1);
    char path[100], *bytes;
    size_t size;

    (void)state;
    snprintf(path, sizeof path, "%s/a.mkv", m->dir);
    assert_int_equal(write_noise(path, 2, &m->e), 0);
    assert_int_equal(file_read(path, 1 << 24, &bytes, &size, &m->e), 0);
    bytes[size / 3] ^= 0x10; /* in the first picture: a slice's checksum tells */
    put(path, bytes, size);
    expect_refusal(path, "");
    free(bytes);
    media_job_free(m);
}

static void a_reel_is_the_id_where_it_can_be(void **state)
{
    static const char *const ids[] = {"a", "s-010", "Shot_010"}, *const reels[] = {"A", "S-010",
                                                                                   "SHOT_010"};
    char reel[MEDIA_REEL_SIZE], other[MEDIA_REEL_SIZE];

    (void)state;
    for (int i = 0; i < 3; i++) {
        media_reel(ids[i], reel);
        assert_string_equal(reel, reels[i]);
    }
    media_reel("scene-01.shot-010", reel);
    media_reel("scene-01.shot-020", other);
    assert_int_equal(strlen(reel), 8);
    assert_memory_equal(reel, "SCE", 3);
    assert_memory_equal(other, "SCE", 3);
    assert_string_not_equal(reel, other);
    media_reel("bl", reel); /* which would be black */
    assert_int_equal(strlen(reel), 8);
    assert_memory_equal(reel, "BL_", 3);
    media_reel("a.b", reel); /* not what "a_b" is called */
    assert_int_equal(strlen(reel), 8);
    assert_memory_equal(reel, "A_B", 3);
    media_reel("æµ·", reel);
    assert_memory_equal(reel, "___", 3);
}

static void timecode_of(struct rational fps, bool drop, int64_t start, int handles, int64_t frame,
                        const char *want)
{
    struct board b = {.fps = fps, .deliver = {.drop = drop, .start = start, .handles = handles}};
    char text[TIMECODE_SIZE];

    media_timecode(&b, frame, text);
    assert_string_equal(text, want);
}

static void timecode_counts_from_the_boards_start(void **state)
{
    const struct rational ntsc = {30000, 1001};

    (void)state;
    timecode_of((struct rational){24, 1}, false, 86400, 0, 0, "01:00:00:00");
    timecode_of((struct rational){24, 1}, false, 86400, 12, 0, "00:59:59:12");
    timecode_of((struct rational){24, 1}, false, 86400, 12, 12, "01:00:00:00");
    timecode_of((struct rational){24000, 1001}, false, 86400, 0, 25, "01:00:01:01");
    timecode_of(ntsc, true, 107892, 0, 0, "01:00:00;00");
    timecode_of(ntsc, true, 107892, 0, 1799, "01:00:59;29");
    timecode_of(ntsc, true, 107892, 0, 1800, "01:01:00;02");  /* two labels are dropped */
    timecode_of(ntsc, true, 107892, 0, 17982, "01:10:00;00"); /* but not in the tenth minute */
    timecode_of(ntsc, false, 108000, 0, 1800, "01:01:00:00");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colours_follow_the_formula),
        cmocka_unit_test(white_black_and_grey_are_exact_everywhere),
        cmocka_unit_test(chroma_sits_left),
        cmocka_unit_test(a_gradient_has_no_bands),
        cmocka_unit_test(bad_pictures_are_noticed),
        cmocka_unit_test(what_is_written_is_read_and_twice_the_same),
        cmocka_unit_test(a_full_disk_is_an_error_of_space),
        cmocka_unit_test(odd_files_are_refused_with_words),
        cmocka_unit_test(a_cut_or_bent_file_is_an_error),
        cmocka_unit_test(a_reel_is_the_id_where_it_can_be),
        cmocka_unit_test(timecode_counts_from_the_boards_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
