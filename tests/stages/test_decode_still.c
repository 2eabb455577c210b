/* Stills become masters: every form of file, their colours, place, moves and orientation, and right
 * words when they cannot. */
#include "tests/stages/masters.h"

#include <libavutil/pixdesc.h>

static struct media_form png(int width, int height)
{
    return (struct media_form){.container = "image2pipe",
                               .encoder = "png",
                               .pixel_format = AV_PIX_FMT_RGB24,
                               .width = width,
                               .height = height,
                               .fps = {25, 1},
                               .threads = 1,
                               .matrix = AVCOL_SPC_RGB,
                               .range = AVCOL_RANGE_JPEG,
                               .transfer = AVCOL_TRC_IEC61966_2_1};
}

static AVFrame *red_and_blue(int n)
{
    (void)n;
    return halves(AV_PIX_FMT_RGB24, 200, 100, (int[]){200, 16, 32}, (int[]){10, 20, 220});
}

/* A mid tone, half seen through on the right where the format has alpha. */
static enum AVPixelFormat odd_format;

static AVFrame *in_odd_format(int n)
{
    AVFrame *f = av_frame_alloc();
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(odd_format);

    (void)n;
    f->format = odd_format;
    f->width = 32;
    f->height = 32;
    assert_int_equal(av_frame_get_buffer(f, 0), 0);
    memset(f->data[0], 0, (size_t)f->linesize[0] * 32);
    for (int y = 0; y < 32; y++)
        for (int c = 0; c < d->nb_components; c++) {
            bool alpha = (d->flags & AV_PIX_FMT_FLAG_ALPHA) && c == d->nb_components - 1;
            uint16_t line[32];

            for (int x = 0; x < 32; x++)
                line[x] = (uint16_t)(((1 << d->comp[c].depth) - 1) * (alpha ? (x < 16 ? 1 : 0.5)
                                                                      : d->comp[c].depth > 1 ? 0.6
                                                                                             : 1));
            av_write_image_line(line, f->data, f->linesize, d, 0, y, c, 32);
        }
    return f;
}

static void every_form_of_png_is_read(void **state)
{
    static const struct {
        enum AVPixelFormat format;
        unsigned left, right;
    } cases[] = {
        {AV_PIX_FMT_RGB24, 0x999999, 0x999999},     {AV_PIX_FMT_RGBA, 0x999999, 0x4C4C4C},
        {AV_PIX_FMT_RGB48BE, 0x999999, 0x999999},   {AV_PIX_FMT_RGBA64BE, 0x999999, 0x4C4C4C},
        {AV_PIX_FMT_GRAY8, 0x999999, 0x999999},     {AV_PIX_FMT_YA8, 0x999999, 0x4C4C4C},
        {AV_PIX_FMT_GRAY16BE, 0x999999, 0x999999},  {AV_PIX_FMT_YA16BE, 0x999999, 0x4C4C4C},
        {AV_PIX_FMT_MONOBLACK, 0xFFFFFF, 0xFFFFFF},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct media_job *m = media_job_new(32, 32, film, 1);
        struct media_form form = png(32, 32);
        struct colour_at want[] = {{4, 10, cases[i].left, 1}, {28, 10, cases[i].right, 1}, {0}};

        m->shot.kind = SHOT_STILL;
        odd_format = form.pixel_format = cases[i].format;
        write_frames(m, &form, source_path(m, "a.png"), in_odd_format, 1);
        media_must(m, STAGE_DECODE, &stage_decode);
        assert_int_equal(read_master(m, expect_colour, want), 1);
        media_job_free(m);
    }
}

static void a_still_keeps_its_colours_and_place(void **state)
{
    struct media_job *m = media_job_new(100, 100, film, 3);
    struct media_form form = png(200, 100);
    /* Cover: the middle 100x100 of 200x100. */
    struct colour_at cover[] = {{2, 50, 0xC81020, 0.2}, {97, 50, 0x0A14DC, 0.2}, {0}};
    /* Contain: 100x50 between black bars. */
    struct colour_at contain[] = {
        {2, 2, 0, 0.1}, {97, 97, 0, 0.1}, {2, 50, 0xC81020, 0.2}, {97, 50, 0x0A14DC, 0.2}, {0}};

    (void)state;
    m->shot.kind = SHOT_STILL;
    write_frames(m, &form, source_path(m, "a.png"), red_and_blue, 1);
    assert_int_equal(stage_decode.check(&m->env, &m->shot, &m->e), 0);
    media_must(m, STAGE_DECODE, &stage_decode);
    assert_int_equal(read_master(m, expect_colour, cover), 3);
    m->shot.source.fit = FIT_CONTAIN;
    media_must(m, STAGE_DECODE, &stage_decode);
    assert_int_equal(read_master(m, expect_colour, contain), 3);
    media_job_free(m);
}

/* Where the red half ends, in pixels, to a fraction: along the middle row. */
static void find_edge(void *ctx, const AVFrame *f, int n)
{
    double *edges = ctx, sum = 0;

    for (int x = 0; x < f->width; x++)
        sum += (at(f, 0, x, f->height / 2) * 255 / 1023.0 - 10) / (200 - 10);
    edges[n] = sum;
}

static void a_pan_glides(void **state)
{
    struct media_job *m = media_job_new(100, 100, film, 49);
    struct media_form form = png(200, 100);
    double edges[49];

    (void)state;
    m->shot.kind = SHOT_STILL;
    m->shot.source.move = MOVE_PAN_RIGHT;
    m->shot.source.amount = 0.1;
    write_frames(m, &form, source_path(m, "a.png"), red_and_blue, 1);
    media_must(m, STAGE_DECODE, &stage_decode);
    assert_int_equal(read_master(m, find_edge, edges), 49);
    /* Ten pixels in all, from five right of the middle to five left, and every frame where the
     * cosine says to a tenth of a pixel: no steps, no jitter. (What is left is the filter's
     * undershoot beside the edge, cut off at black.) */
    for (int n = 0; n < 49; n++) {
        double want = 50 + 5 * cos(M_PI * n / 48);

        if (!(fabs(edges[n] - want) < 0.1))
            fail_msg("frame %d: the edge is at %f, not %f", n, edges[n], want);
    }
    media_job_free(m);
}

static void moves_stay_inside_the_picture(void **state)
{
    static const struct picture sizes[] = {
        {.width = 200, .height = 100}, {.width = 100, .height = 200}, {.width = 160, .height = 90}};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int move = 0; move < STILL_MOVES; move++)
            for (int fit = 0; fit < SOURCE_FITS; fit++)
                for (double t = 0; t <= 1; t += 0.125) {
                    const struct picture *p = &sizes[i];
                    struct placement at = place_source(p, 1, (enum source_fit)fit, 160, 90);
                    struct window w = still_window(p, at.seen, (enum still_move)move, 0.5, t);

                    assert_true(w.x > -1e-6 && w.y > -1e-6);
                    assert_true(w.x + w.width < p->width + 1e-6);
                    assert_true(w.y + w.height < p->height + 1e-6);
                    /* What is seen keeps the shape of the place it goes to. */
                    assert_true(fabs(w.width / w.height - (double)at.width / at.height) < 0.02);
                }
}

static void bad_pictures_are_refused(void **state)
{
    struct media_job *m = media_job_new(100, 100, film, 3);
    struct media_form form = png(200, 100);
    const char *path = source_path(m, "a.png");
    char *bytes;
    size_t size;

    (void)state;
    m->shot.kind = SHOT_STILL;
    expect_words(m, stage_decode.check(&m->env, &m->shot, &m->e), ERROR_IO,
                 "cannot open a.png: No such file");
    write_frames(m, &form, path, red_and_blue, 1);
    assert_int_equal(file_read(path, 1 << 20, &bytes, &size, &m->e), 0);
    /* Cut short. */
    assert_int_equal(file_write_atomic(path, bytes, size / 2, &m->e), 0);
    expect_words(m, stage_decode.check(&m->env, &m->shot, &m->e), ERROR_MEDIA, "a.png");
    expect_words(m, media_run(m, STAGE_DECODE, &stage_decode), ERROR_MEDIA, "a.png");
    /* A header that claims 2,000,000,000 by 2,000,000,000 pixels, then one of 60,000 by 60,000. */
    memcpy(bytes + 16, "\x77\x35\x94\x00\x77\x35\x94\x00", 8);
    assert_int_equal(file_write_atomic(path, bytes, size, &m->e), 0);
    expect_words(m, media_run(m, STAGE_DECODE, &stage_decode), ERROR_MEDIA, "a.png");
    memcpy(bytes + 16, "\x00\x00\xEA\x60\x00\x00\xEA\x60", 8);
    assert_int_equal(file_write_atomic(path, bytes, size, &m->e), 0);
    expect_words(m, media_run(m, STAGE_DECODE, &stage_decode), ERROR_MEDIA, "a.png");
    free(bytes);
    media_job_free(m);
}

/* Dark left half, bright right half, and a red square in the top left corner. */
static AVFrame *with_corner(int n)
{
    AVFrame *f = halves(AV_PIX_FMT_YUVJ420P, 96, 64, (int[]){40, 128, 128}, (int[]){220, 128, 128});

    (void)n;
    for (int y = 0; y < 16; y++)
        memset(f->data[2] + y * f->linesize[2], 230, 16);
    return f;
}

/* The JPEG at `path` gets an Exif segment that says how it is to be shown (Exif 2.32, 4.6.4A). */
static void orient(const char *path, int orientation)
{
    uint8_t exif[36] = "\xff\xe1\0\x22"
                       "Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0";
    struct error e;
    char *bytes, *out;
    size_t size;

    exif[28] = (uint8_t)orientation;
    assert_int_equal(file_read(path, 1 << 20, &bytes, &size, &e), 0);
    out = malloc(size + sizeof exif);
    assert_non_null(out);
    memcpy(out, bytes, 2);
    memcpy(out + 2, exif, sizeof exif);
    memcpy(out + 2 + sizeof exif, bytes + 2, size - 2);
    assert_int_equal(file_write_atomic(path, out, size + sizeof exif, &e), 0);
    free(bytes);
    free(out);
}

struct corners {
    bool red[4], dark[4]; /* top left, top right, bottom left, bottom right */
};

static void find_corners(void *ctx, const AVFrame *f, int n)
{
    struct corners *c = ctx;

    for (int i = 0; n == 0 && i < 4; i++) {
        int x = i % 2 ? f->width - 6 : 5, y = i / 2 ? f->height - 6 : 5;

        c->red[i] = at(f, 0, x, y) > at(f, 1, x, y) + 100;
        c->dark[i] = at(f, 2, x, y) < 400;
    }
}

static void pictures_stand_upright(void **state)
{
    /* By orientation 1..8: where the square is, and which other corner is dark. */
    static const int red[9] = {0, 0, 1, 3, 2, 0, 1, 3, 2}, dark[9] = {0, 2, 3, 1, 0, 1, 0, 2, 3};

    (void)state;
    for (int o = 1; o <= 8; o++) {
        struct media_job *m = media_job_new(o < 5 ? 96 : 64, o < 5 ? 64 : 96, film, 1);
        struct media_form form = png(96, 64);
        struct corners c = {0};

        form.encoder = "mjpeg";
        form.encoder_options = "sc_threshold=1000000000";
        form.pixel_format = AV_PIX_FMT_YUVJ420P;
        form.matrix = AVCOL_SPC_BT470BG;
        m->shot.kind = SHOT_STILL;
        write_frames(m, &form, source_path(m, "a.jpg"), with_corner, 1);
        orient(m->shot.source.path, o);
        media_must(m, STAGE_DECODE, &stage_decode);
        read_master(m, find_corners, &c);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(c.red[i], i == red[o]);
            assert_int_equal(c.dark[i], i == red[o] || i == dark[o]);
        }
        media_job_free(m);
    }
}

static void turning_is_exact(void **state)
{
    /*  1 2 3     turned once clockwise:  4 1     mirrored, then turned:  6 3
     *  4 5 6                             5 2                             5 2
     *                                    6 3                             4 1  */
    static const uint16_t turned[4][6] = {
        {1, 2, 3, 4, 5, 6}, {4, 1, 5, 2, 6, 3}, {6, 5, 4, 3, 2, 1}, {3, 6, 2, 5, 1, 4}};
    static const uint16_t mirrored[6] = {6, 3, 5, 2, 4, 1};
    struct error e;

    (void)state;
    for (int turns = 0; turns < 5; turns++) {
        struct picture p = {0};

        assert_int_equal(picture_alloc(&p, 3, 2, &e), 0);
        for (int c = 0; c < 3; c++)
            memcpy(p.planes[c], turned[0], sizeof turned[0]);
        assert_int_equal(picture_turn(&p, turns % 4 + (turns == 4), turns == 4, &e), 0);
        assert_memory_equal(p.planes[1], turns == 4 ? mirrored : turned[turns], 12);
        assert_int_equal(p.width, turns % 2 || turns == 4 ? 2 : 3);
        picture_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_still_keeps_its_colours_and_place),
        cmocka_unit_test(every_form_of_png_is_read),
        cmocka_unit_test(pictures_stand_upright),
        cmocka_unit_test(turning_is_exact),
        cmocka_unit_test(a_pan_glides),
        cmocka_unit_test(moves_stay_inside_the_picture),
        cmocka_unit_test(bad_pictures_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
