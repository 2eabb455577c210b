/* Cards, stills and footage become masters: right pixels, right count, right words when they
 * cannot. */
#include "tests/stages/media_job.h"

#include <math.h>

#include <libavutil/pixdesc.h>

#include "stages/decode/sources.h"
#include "stages/generate/latents.h"
#include "stages/generate/tiers.h"
#include "stages/media/reader.h"
#include "stages/media/writer.h"

static const struct rational film = {24, 1}, ntsc_film = {24000, 1001};

/* Frames of the master, each looked at by `look` (may be NULL). Returns how many. */
static int read_master(struct media_job *m, void (*look)(void *ctx, const AVFrame *f, int n),
                       void *ctx)
{
    const struct artefact *a = media_input(&m->job, STAGE_DECODE, "master.mkv");
    struct media_reader *r;
    AVFrame *f;
    int n = 0;

    assert_non_null(a);
    assert_int_equal(media_reader_open(a->path, "master", 1, &r, &m->e), 0);
    assert_int_equal(media_reader_stream(r)->codecpar->color_primaries, AVCOL_PRI_BT709);
    assert_int_equal(media_reader_stream(r)->codecpar->color_space, AVCOL_SPC_RGB);
    while (media_reader_next(r, &f, &m->e) == 1) {
        assert_int_equal(f->format, AV_PIX_FMT_GBRP10LE);
        assert_int_equal(f->width, m->board.width);
        assert_int_equal(f->height, m->board.height);
        if (look)
            look(ctx, f, n);
        n++;
    }
    media_reader_close(r);
    return n;
}

/* Channel 0 red, 1 green, 2 blue, in 0..1023. */
static int at(const AVFrame *f, int channel, int x, int y)
{
    static const int plane_of[3] = {2, 0, 1};
    int p = plane_of[channel];

    return ((const uint16_t *)(const void *)(f->data[p] + y * f->linesize[p]))[x];
}

struct colour_at {
    int x, y;
    unsigned rgb;
    double tolerance; /* in 8-bit steps */
};

static void expect_colour(void *ctx, const AVFrame *f, int n)
{
    const struct colour_at *want = ctx;

    (void)n;
    for (; want->tolerance > 0; want++)
        for (int c = 0; c < 3; c++) {
            double is = at(f, c, want->x, want->y) * 255 / 1023.0;
            double meant = want->rgb >> (16 - 8 * c) & 255;

            if (!(fabs(is - meant) <= want->tolerance))
                fail_msg("channel %d at %d,%d is %.2f, not %.0f", c, want->x, want->y, is, meant);
        }
}

static void a_flat_card_is_exact_and_twice_the_same(void **state)
{
    struct media_job *m = media_job_new(64, 48, ntsc_film, 25);
    struct colour_at want[] = {{0, 0, 0x12345F, 0.13}, {63, 47, 0x12345F, 0.13}, {0}};
    struct hash128 first, second;

    (void)state;
    m->shot.card.background = m->shot.card.background_to = 0x12345F;
    media_must(m, STAGE_DECODE, &stage_decode);
    assert_int_equal(read_master(m, expect_colour, want), 25);
    assert_int_equal(m->progressed, 25);
    assert_int_equal(hash_file(m->made[0].path, &first, &m->e), 0);
    m->env.device.threads = 1;
    media_must(m, STAGE_DECODE, &stage_decode);
    assert_int_equal(hash_file(m->made[1].path, &second, &m->e), 0);
    assert_true(hash_equal(first, second));
    media_job_free(m);
}

static void check_gradient(void *ctx, const AVFrame *f, int n)
{
    double before = -1;

    (void)ctx, (void)n;
    for (int y = 0; y < f->height; y++) {
        double sum = 0;
        int least = 1023, most = 0;

        for (int x = 0; x < f->width; x++) {
            int v = at(f, 0, x, y);

            sum += v;
            least = v < least ? v : least;
            most = v > most ? v : most;
        }
        assert_true(sum / f->width > before); /* every row lighter, by under a step of ten bits */
        assert_true(most - least <= 1);
        before = sum / f->width;
    }
}

static void a_gradient_card_rises_smoothly(void **state)
{
    struct media_job *m = media_job_new(512, 96, film, 1);

    (void)state;
    m->shot.card.background = 0x202020;
    m->shot.card.background_to = 0x300000; /* red: 16 steps of 8 bits over 96 rows */
    m->shot.card.background_to = 0x302020;
    media_must(m, STAGE_DECODE, &stage_decode);
    assert_int_equal(read_master(m, check_gradient, NULL), 1);
    media_job_free(m);
}

static void cancelling_stops_between_frames(void **state)
{
    struct media_job *m = media_job_new(64, 48, film, 25);

    (void)state;
    m->cancel_after = 5;
    assert_int_equal(media_run(m, STAGE_DECODE, &stage_decode), -1);
    assert_int_equal(m->e.code, ERROR_CANCELLED);
    assert_int_equal(m->progressed, 5);
    assert_int_equal(m->made_count, 0);
    media_job_free(m);
}

/* ---- sources made here ---- */

/* A frame whose left half is one colour and right half another, in any RGB or Y'CbCr codes. */
static AVFrame *halves(enum AVPixelFormat format, int width, int height, const int left[3],
                       const int right[3])
{
    AVFrame *f = av_frame_alloc();

    f->format = format;
    f->width = width;
    f->height = height;
    assert_int_equal(av_frame_get_buffer(f, 0), 0);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const int *v = x < width / 2 ? left : right;

            if (format == AV_PIX_FMT_RGB24)
                for (int c = 0; c < 3; c++)
                    f->data[0][y * f->linesize[0] + 3 * x + c] = (uint8_t)v[c];
            else if (format == AV_PIX_FMT_YUV420P10LE)
                for (int c = 0; c < 3; c++)
                    ((uint16_t *)(void *)(f->data[c] +
                                          (c ? y / 2 : y) * f->linesize[c]))[c ? x / 2 : x] =
                        (uint16_t)v[c];
            else
                for (int c = 0; c < 3; c++)
                    f->data[c][(c ? y / 2 : y) * f->linesize[c] + (c ? x / 2 : x)] = (uint8_t)v[c];
        }
    return f;
}

static void write_frames(struct media_job *m, const struct media_form *form, const char *path,
                         AVFrame *(*make)(int n), int count)
{
    struct media_writer *w;

    if (media_writer_open(path, form, &w, &m->e) != 0)
        fail_msg("%s", m->e.text);
    for (int n = 0; n < count; n++) {
        AVFrame *f = make(n);

        f->color_range = form->range;
        f->colorspace = form->matrix;
        assert_int_equal(media_writer_put(w, f, n, &m->e), 0);
        av_frame_free(&f);
    }
    assert_int_equal(media_writer_finish(w, &m->e), 0);
    media_writer_close(w);
}

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

static const char *source_path(struct media_job *m, const char *name)
{
    m->shot.source.path = arena_printf(&m->arena, "%s/%s", m->dir, name);
    m->shot.source.written = name;
    return m->shot.source.path;
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

static void expect_words(struct media_job *m, int rc, enum error_code code, const char *words)
{
    assert_int_equal(rc, -1);
    if (m->e.code != code || !strstr(m->e.text, words))
        fail_msg("\"%s\" (%s) does not say \"%s\"", m->e.text, error_code_name(m->e.code), words);
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

/* ---- footage ---- */

/* Every frame its own grey: 20 + 4n. */
static AVFrame *numbered(int n)
{
    int luma = 20 + 4 * n;

    return halves(AV_PIX_FMT_YUV420P, 64, 48, (int[]){luma, 128, 128}, (int[]){luma, 128, 128});
}

static struct media_form clip(const char *container, struct rational fps)
{
    return (struct media_form){.container = container,
                               .encoder = "ffv1",
                               .encoder_options = "level=3;slicecrc=1",
                               .pixel_format = AV_PIX_FMT_YUV420P,
                               .width = 64,
                               .height = 48,
                               .fps = fps,
                               .threads = 1,
                               .slices = 4,
                               .gop = 1,
                               .matrix = AVCOL_SPC_BT709,
                               .range = AVCOL_RANGE_MPEG,
                               .transfer = AVCOL_TRC_BT709};
}

static void note_number(void *ctx, const AVFrame *f, int n)
{
    double luma = 16 + 219 * at(f, 1, 10, 10) / 1023.0;

    ((int *)ctx)[n] = (int)lround((luma - 20) / 4);
}

static void footage_keeps_every_frame_of_its_rate(void **state)
{
    static const struct rational rates[] = {{24000, 1001}, {24, 1}, {30000, 1001}, {50, 1}};

    (void)state;
    /* Matroska rounds times to milliseconds: no frame may double or drop for that. */
    for (int k = 0; k < 4; k++) {
        struct media_job *m = media_job_new(64, 48, rates[k], 40);
        struct media_form form = clip("matroska", rates[k]);
        int numbers[40];

        m->shot.kind = SHOT_FOOTAGE;
        write_frames(m, &form, source_path(m, "a.mkv"), numbered, 50);
        m->shot.source.in = 5.0 * rates[k].den / rates[k].num;
        assert_int_equal(stage_decode.check(&m->env, &m->shot, &m->e), 0);
        media_must(m, STAGE_DECODE, &stage_decode);
        assert_int_equal(read_master(m, note_number, numbers), 40);
        for (int n = 0; n < 40; n++)
            assert_int_equal(numbers[n], n + 5);
        media_job_free(m);
    }
}

static void footage_of_another_rate_is_conformed_by_time(void **state)
{
    struct media_job *m = media_job_new(32, 32, film, 20);
    struct media_form form = clip("matroska", (struct rational){48, 1});
    int numbers[40];

    (void)state;
    m->shot.kind = SHOT_FOOTAGE;
    write_frames(m, &form, source_path(m, "a.mkv"), numbered, 50);
    media_must(m, STAGE_DECODE, &stage_decode);
    assert_int_equal(read_master(m, note_number, numbers), 20);
    for (int n = 0; n < 20; n++)
        assert_int_equal(numbers[n], 2 * n);
    m->board.fps = (struct rational){120, 1};
    m->shot.frames = 40;
    media_must(m, STAGE_DECODE, &stage_decode);
    assert_int_equal(read_master(m, note_number, numbers), 40);
    for (int n = 0; n < 40; n++)
        assert_int_equal(numbers[n], n * 2 / 5);
    media_job_free(m);
}

static void a_late_start_is_found(void **state)
{
    struct media_job *m = media_job_new(64, 48, (struct rational){10, 1}, 5);
    struct media_form form = clip("mov", (struct rational){10, 1});
    int numbers[5];

    (void)state;
    m->shot.kind = SHOT_FOOTAGE;
    form.encoder = "mpeg4"; /* groups of twelve: the frame sought is no key frame */
    form.encoder_options = "flags=+qscale;global_quality=118;sc_threshold=1000000000";
    form.slices = 0;
    form.gop = 12;
    write_frames(m, &form, source_path(m, "a.mov"), numbered, 55);
    m->shot.source.in = 4.0;
    media_must(m, STAGE_DECODE, &stage_decode);
    assert_int_equal(read_master(m, note_number, numbers), 5);
    for (int n = 0; n < 5; n++)
        assert_int_equal(numbers[n], 40 + n);
    media_job_free(m);
}

static void a_clip_that_ends_early_says_how_much_there_is(void **state)
{
    struct media_job *m = media_job_new(64, 48, film, 51);
    struct media_form form = clip("matroska", film);
    char *bytes;
    size_t size;

    (void)state;
    m->shot.kind = SHOT_FOOTAGE;
    write_frames(m, &form, source_path(m, "a.mkv"), numbered, 50);
    expect_words(m, media_run(m, STAGE_DECODE, &stage_decode), ERROR_MEDIA,
                 "a.mkv ends early: it has 50 frames at 24 frames a second, the shot needs 51");
    m->shot.frames = 60;
    expect_words(m, stage_decode.check(&m->env, &m->shot, &m->e), ERROR_MEDIA, "the shot needs 60");
    m->shot.frames = 10;
    m->shot.source.in = 1.75;
    expect_words(m, media_run(m, STAGE_DECODE, &stage_decode), ERROR_MEDIA,
                 "it has 8 frames at 24 frames a second from 1.75 s on, the shot needs 10");
    m->shot.source.in = 0;
    m->shot.frames = 50;
    media_must(m, STAGE_DECODE, &stage_decode);
    /* The same file, cut in the middle of its pictures. */
    assert_int_equal(file_read(m->shot.source.path, 1 << 24, &bytes, &size, &m->e), 0);
    assert_int_equal(file_write_atomic(m->shot.source.path, bytes, size / 2, &m->e), 0);
    free(bytes);
    expect_words(m, media_run(m, STAGE_DECODE, &stage_decode), ERROR_MEDIA, "a.mkv");
    media_job_free(m);
}

/* ---- latents, through the fixture's small VAE ---- */

static const struct artefact *group_input(const struct stage_group *group, size_t index,
                                          enum stage_id stage, const char *name)
{
    (void)group, (void)index, (void)stage, (void)name;
    return NULL;
}

static bool group_cancelled(const struct stage_group *group)
{
    (void)group;
    return false;
}

/* Gives the job latents of the shot's geometry: noise, or all of one value. */
static void make_latents(struct media_job *m, bool noise, float value)
{
    struct artefact a = {.name = "latents"};
    struct tier_geometry g;
    struct tensor l;
    uint8_t *bytes;
    unsigned seed = 1;

    tier_geometry(tier_find(m->shot.tier), &m->board, &m->shot, 0, &g);
    l = TENSOR_NEW(&m->arena, 16, (g.frames - 1) / 4 + 1, g.height / 8, g.width / 8);
    bytes = arena_alloc(&m->arena, latents_size(&l));
    assert_true(l.data && bytes);
    for (size_t i = 0; i < (size_t)tensor_count(&l); i++) {
        seed = seed * 1664525u + 1013904223u;
        ((float *)l.data)[i] = noise ? (float)(seed >> 8) / (1 << 23) - 1 : value;
    }
    latents_write(&l, bytes);
    a.bytes = bytes;
    a.size = latents_size(&l);
    m->now = STAGE_GENERATE;
    assert_int_equal(media_output(&m->job, &a, &m->e), 0);
}

static struct media_job *generated(int width, int height, int frames)
{
    static const struct model_path model = {"flagship", "tests/fixtures/wan2.2-t2v-a14b", 1};
    struct media_job *m = media_job_new(width, height, film, frames);

    m->shot.kind = SHOT_GENERATED;
    m->shot.tier = "flagship";
    m->board.models = &model;
    m->board.model_count = 1;
    return m;
}

static int run_generated(struct media_job *m)
{
    const struct shot *shots[] = {&m->shot};
    struct stage_group group = {.env = &m->env,
                                .shots = shots,
                                .count = 1,
                                .input = group_input,
                                .cancelled = group_cancelled};
    void *session = NULL;
    int rc;

    assert_int_equal(stage_decode.lane(&m->env, &m->shot), LANE_ENGINE);
    group.name = stage_decode.group(&m->env, &m->shot);
    if (stage_decode.open(&group, &session, &m->e) != 0)
        fail_msg("%s", m->e.text);
    m->now = STAGE_DECODE;
    m->progressed = 0;
    rc = stage_decode.run(session, &m->job, &m->e);
    stage_decode.close(session);
    return rc;
}

static void latents_become_exactly_the_shot(void **state)
{
    /* 72x40 is made as 80x48 and 7 frames as 9: the rest is cut off. */
    struct media_job *m = generated(72, 40, 7);

    (void)state;
    make_latents(m, true, 0);
    if (run_generated(m) != 0)
        fail_msg("%s", m->e.text);
    assert_int_equal(read_master(m, NULL, NULL), 7);
    media_job_free(m);
}

static void latents_that_are_none_are_refused(void **state)
{
    struct media_job *m = generated(64, 48, 9);
    struct tensor l;
    struct error e;

    (void)state;
    make_latents(m, false, NAN);
    expect_words(m, run_generated(m), ERROR_MODEL, "finite");
    assert_int_equal(latents_read("short", 5, &m->arena, &l, &e), -1);
    make_latents(m, true, 0);
    m->cancel_after = 2;
    expect_words(m, run_generated(m), ERROR_CANCELLED, "interrupted");
    media_job_free(m);
}

/* ---- colours of footage, by its tags ---- */

static const int *codes; /* what the next frames are filled with */

static AVFrame *coded8(int n)
{
    (void)n;
    return halves(AV_PIX_FMT_YUV420P, 64, 48, codes, codes);
}

static AVFrame *coded10(int n)
{
    AVFrame *f = halves(AV_PIX_FMT_YUV420P10LE, 64, 48, codes, codes);

    (void)n;
    f->color_primaries = AVCOL_PRI_BT2020;
    f->color_trc = AVCOL_TRC_SMPTE2084;
    return f;
}

static void tags_decide_the_colours(void **state)
{
    /* Pure green and a skin tone, coded by each matrix and range (ITU-R BT.601 and BT.709). */
    static const struct {
        enum AVColorSpace matrix;
        enum AVColorRange range;
        int codes[3];
        unsigned rgb;
    } cases[] = {
        {AVCOL_SPC_BT709, AVCOL_RANGE_MPEG, {173, 42, 26}, 0x00FF00},
        {AVCOL_SPC_SMPTE170M, AVCOL_RANGE_MPEG, {145, 54, 34}, 0x00FF00},
        {AVCOL_SPC_BT709, AVCOL_RANGE_JPEG, {182, 30, 12}, 0x00FF00},
        {AVCOL_SPC_SMPTE170M, AVCOL_RANGE_JPEG, {150, 44, 21}, 0x00FF00},
        {AVCOL_SPC_BT709, AVCOL_RANGE_MPEG, {235, 128, 128}, 0xFFFFFF},
        {AVCOL_SPC_BT709, AVCOL_RANGE_JPEG, {255, 128, 128}, 0xFFFFFF},
        {AVCOL_SPC_BT709, AVCOL_RANGE_MPEG, {16, 128, 128}, 0x000000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct media_job *m = media_job_new(64, 48, film, 2);
        struct media_form form = clip("matroska", film);
        struct colour_at want[] = {{20, 20, cases[i].rgb, 1.6}, {0}};

        m->shot.kind = SHOT_FOOTAGE;
        form.matrix = cases[i].matrix;
        form.range = cases[i].range;
        codes = cases[i].codes;
        write_frames(m, &form, source_path(m, "a.mkv"), coded8, 2);
        if (cases[i].rgb == 0) {
            expect_words(m, media_run(m, STAGE_DECODE, &stage_decode), ERROR_MEDIA, "black");
        } else {
            media_must(m, STAGE_DECODE, &stage_decode);
            assert_int_equal(read_master(m, expect_colour, want), 2);
        }
        media_job_free(m);
    }
}

static void high_dynamic_range_comes_down(void **state)
{
    /* PQ codes in limited 10 bits: 203 cd/m2 (58.1 %: reference white) comes out near white,
     * 1000 cd/m2 (75.2 %) at white, 1 cd/m2 (15 %) dark but there. Grey stays grey. */
    static const struct {
        int codes[3];
        unsigned rgb;
        double tolerance;
    } cases[] = {
        {{64 + 659, 512, 512}, 0xFFFFFF, 1},
        {{64 + 509, 512, 512}, 0xE0E0E0, 24},
        {{64 + 131, 512, 512}, 0x1C1C1C, 8},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct media_job *m = media_job_new(64, 48, film, 2);
        struct media_form form = clip("matroska", film);
        struct colour_at want[] = {{20, 20, cases[i].rgb, cases[i].tolerance}, {0}};

        m->shot.kind = SHOT_FOOTAGE;
        form.pixel_format = AV_PIX_FMT_YUV420P10LE;
        form.matrix = AVCOL_SPC_BT2020_NCL;
        form.transfer = AVCOL_TRC_SMPTE2084;
        codes = cases[i].codes;
        write_frames(m, &form, source_path(m, "a.mkv"), coded10, 2);
        media_must(m, STAGE_DECODE, &stage_decode);
        assert_int_equal(read_master(m, expect_colour, want), 2);
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
        cmocka_unit_test(a_flat_card_is_exact_and_twice_the_same),
        cmocka_unit_test(a_gradient_card_rises_smoothly),
        cmocka_unit_test(cancelling_stops_between_frames),
        cmocka_unit_test(a_still_keeps_its_colours_and_place),
        cmocka_unit_test(every_form_of_png_is_read),
        cmocka_unit_test(pictures_stand_upright),
        cmocka_unit_test(a_pan_glides),
        cmocka_unit_test(moves_stay_inside_the_picture),
        cmocka_unit_test(bad_pictures_are_refused),
        cmocka_unit_test(footage_keeps_every_frame_of_its_rate),
        cmocka_unit_test(footage_of_another_rate_is_conformed_by_time),
        cmocka_unit_test(a_late_start_is_found),
        cmocka_unit_test(a_clip_that_ends_early_says_how_much_there_is),
        cmocka_unit_test(latents_become_exactly_the_shot),
        cmocka_unit_test(latents_that_are_none_are_refused),
        cmocka_unit_test(tags_decide_the_colours),
        cmocka_unit_test(high_dynamic_range_comes_down),
        cmocka_unit_test(turning_is_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
