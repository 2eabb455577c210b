/* What decode makes, looked at frame by frame, and pictures and films for it to make it from. */
#ifndef AUTEUR_TESTS_STAGES_MASTERS_H
#define AUTEUR_TESTS_STAGES_MASTERS_H

#include "tests/stages/media_job.h"

#include <math.h>

#include "stages/decode/sources.h"
#include "stages/media/reader.h"
#include "stages/media/writer.h"

static const struct rational film = {24, 1};

/* Frames of the master, each looked at by `look` (may be NULL). Returns how many. */
static inline int read_master(struct media_job *m, void (*look)(void *ctx, const AVFrame *f, int n),
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
static inline int at(const AVFrame *f, int channel, int x, int y)
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

static inline void expect_colour(void *ctx, const AVFrame *f, int n)
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

/* A frame whose left half is one colour and right half another, in any RGB or Y'CbCr codes. */
static inline AVFrame *halves(enum AVPixelFormat format, int width, int height, const int left[3],
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

static inline void write_frames(struct media_job *m, const struct media_form *form,
                                const char *path, AVFrame *(*make)(int n), int count)
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

static inline const char *source_path(struct media_job *m, const char *name)
{
    m->shot.source.path = arena_printf(&m->arena, "%s/%s", m->dir, name);
    m->shot.source.written = name;
    return m->shot.source.path;
}

static inline void expect_words(struct media_job *m, int rc, enum error_code code,
                                const char *words)
{
    assert_int_equal(rc, -1);
    if (m->e.code != code || !strstr(m->e.text, words))
        fail_msg("\"%s\" (%s) does not say \"%s\"", m->e.text, error_code_name(m->e.code), words);
}

#endif
