#include "stages/encode/titles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/media/convert.h"
#include "stages/media/reader.h"

struct span {
    int first, last; /* columns with lettering; first > last: none */
};

struct titles {
    struct media_reader *file;
    AVFrame *now, *next; /* now holds from its frame until next_at */
    int next_at;         /* INT_MAX: nothing follows */
    struct span *spans;  /* of now, one a row */
    double fps;
    int width, height;
};

/* The layer's next stored frame, and at which frame of the shot it begins. */
static int look_ahead(struct titles *t, struct error *e)
{
    AVFrame *read;
    int got = media_reader_next(t->file, &read, e);

    av_frame_unref(t->next);
    t->next_at = INT32_MAX;
    if (got <= 0)
        return got;
    if (read->format != AV_PIX_FMT_BGRA)
        return error_set(e, ERROR_MEDIA, "the title layer is not in the form that composite makes");
    t->next_at =
        (int)lround((double)read->pts * av_q2d(media_reader_stream(t->file)->time_base) * t->fps);
    av_frame_move_ref(t->next, read);
    return 0;
}

int titles_open(const char *path, const struct board *b, struct titles **out, struct error *e)
{
    struct titles *t = calloc(1, sizeof *t);

    if (!t)
        return error_memory(e);
    t->next_at = INT32_MAX;
    t->fps = (double)b->fps.num / b->fps.den;
    t->width = b->width;
    t->height = b->height;
    t->now = av_frame_alloc();
    t->next = av_frame_alloc();
    t->spans = calloc((size_t)b->height, sizeof *t->spans);
    if (!t->now || !t->next || !t->spans) {
        error_memory(e);
        goto failed;
    }
    if (path &&
        (media_reader_open(path, "the title layer", 1, &t->file, e) != 0 || look_ahead(t, e) != 0))
        goto failed;
    if (t->next->buf[0] && (t->next->width != b->width || t->next->height != b->height)) {
        error_set(e, ERROR_MEDIA, "the title layer is %dx%d, the picture %dx%d", t->next->width,
                  t->next->height, b->width, b->height);
        goto failed;
    }
    *out = t;
    return 0;
failed:
    titles_close(t);
    return -1;
}

void titles_close(struct titles *t)
{
    if (!t)
        return;
    media_reader_close(t->file);
    av_frame_free(&t->now);
    av_frame_free(&t->next);
    free(t->spans);
    free(t);
}

static const uint8_t *layer_row(const AVFrame *f, int y)
{
    return f->data[0] + (ptrdiff_t)y * f->linesize[0];
}

static void find_spans(struct titles *t)
{
    for (int y = 0; y < t->now->height; y++) {
        const uint8_t *row = layer_row(t->now, y);
        struct span s = {0, t->now->width - 1};

        while (s.first <= s.last && row[4 * s.first + 3] == 0)
            s.first++;
        while (s.last >= s.first && row[4 * s.last + 3] == 0)
            s.last--;
        t->spans[y] = s;
    }
}

/* master + (title - master) alpha, rounded; the title's 255 is the master's 1023. */
static void blend_row(const uint8_t *layer, struct span s, uint16_t *plane, int channel)
{
    for (int x = s.first; x <= s.last; x++) {
        uint32_t alpha = layer[4 * x + 3], color = layer[4 * x + channel];

        plane[x] = (uint16_t)((plane[x] * (255 - alpha) * 255 + color * MASTER_MAX * alpha +
                               255 * 255 / 2) /
                              (255 * 255));
    }
}

/* Nothing stands before the layer's first picture. */
static int clear_first(struct titles *t, struct error *e)
{
    t->now->format = AV_PIX_FMT_BGRA;
    t->now->width = t->width;
    t->now->height = t->height;
    if (av_frame_get_buffer(t->now, 0) < 0)
        return error_memory(e);
    for (int y = 0; y < t->height; y++)
        memset(t->now->data[0] + (ptrdiff_t)y * t->now->linesize[0], 0, (size_t)t->width * 4);
    find_spans(t);
    return 0;
}

int titles_at(struct titles *t, int frame, const AVFrame **layer, struct error *e)
{
    *layer = NULL;
    if (t->file && !t->now->buf[0] && frame < t->next_at) {
        if (clear_first(t, e) != 0)
            return -1;
        *layer = t->now;
    }
    while (frame >= t->next_at) {
        av_frame_unref(t->now);
        av_frame_move_ref(t->now, t->next);
        if (look_ahead(t, e) != 0)
            return -1;
        find_spans(t);
        *layer = t->now;
    }
    return 0;
}

void titles_apply(const struct titles *t, AVFrame *master)
{
    static const int channel_of[3] = {1, 0, 2}; /* of planes green, blue, red in BGRA */

    for (int y = 0; t->now->buf[0] && y < master->height; y++)
        for (int c = 0; c < 3; c++) {
            uint8_t *row = master->data[c] + (ptrdiff_t)y * master->linesize[c];

            blend_row(layer_row(t->now, y), t->spans[y], (uint16_t *)(void *)row, channel_of[c]);
        }
}

static uint64_t ink(const AVFrame *f)
{
    uint64_t sum = 0;

    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++)
            sum += layer_row(f, y)[4 * x + 3];
    return sum;
}

int titles_fullest(const char *path, const struct board *b, int frames, int *out, struct error *e)
{
    struct titles *t;
    uint64_t most = 0;
    int longest = 0, rc = -1;

    *out = -1;
    if (titles_open(path, b, &t, e) != 0)
        return -1;
    while (t->next_at < frames) {
        int from = t->next_at, stands;
        uint64_t sum = ink(t->next);

        if (look_ahead(t, e) != 0)
            goto done;
        stands = (t->next_at < frames ? t->next_at : frames) - from;
        if (sum > most || (sum == most && sum && stands > longest)) {
            most = sum;
            longest = stands;
            *out = from + stands / 2;
        }
    }
    rc = 0;
done:
    titles_close(t);
    return rc;
}
