#include "stages/composite/layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/media/media.h"
#include "stages/media/writer.h"

struct layer {
    const struct board *board;
    struct typesetter *typesetter;
    struct placed *items;
    size_t count;
    int *shown, *wanted; /* opacity of every item in 1/255: in the stored frame; in this one */
    float *canvas;       /* premultiplied RGBA of the whole picture */
    int left, top, right, bottom; /* the part of it that any item touches */
    AVFrame *frame;
    struct media_writer *writer;
    int stored; /* frames written */
};

static float *canvas_at(const struct layer *l, int x, int y)
{
    return l->canvas + 4 * ((size_t)y * (size_t)l->frame->width + (size_t)x);
}

/* An item over the canvas. */
static void blend(struct layer *l, const struct placed *p, float opacity)
{
    const struct block *b = &p->block;

    for (int y = 0; y < b->image_height; y++) {
        int to_y = p->y + b->top + y;

        if (to_y < l->top || to_y >= l->bottom)
            continue;
        for (int x = 0; x < b->image_width; x++) {
            int to_x = p->x + b->left + x;
            const float *from = b->rgba + 4 * ((size_t)y * (size_t)b->image_width + (size_t)x);
            float *to;

            if (to_x < l->left || to_x >= l->right || from[3] <= 0)
                continue;
            to = canvas_at(l, to_x, to_y);
            for (int c = 0; c < 4; c++)
                to[c] = from[c] * opacity + to[c] * (1 - from[3] * opacity);
        }
    }
}

/* Where anything can ever be drawn; the rest of canvas and frame stays clear throughout. */
static void find_bounds(struct layer *l)
{
    l->left = l->frame->width;
    l->top = l->frame->height;
    for (size_t i = 0; i < l->count; i++) {
        const struct placed *p = &l->items[i];
        int x = p->x + p->block.left, y = p->y + p->block.top;

        l->left = x < l->left ? x : l->left;
        l->top = y < l->top ? y : l->top;
        l->right = x + p->block.image_width > l->right ? x + p->block.image_width : l->right;
        l->bottom = y + p->block.image_height > l->bottom ? y + p->block.image_height : l->bottom;
    }
    l->left = l->left < 0 ? 0 : l->left;
    l->top = l->top < 0 ? 0 : l->top;
    l->right = l->right > l->frame->width ? l->frame->width : l->right;
    l->bottom = l->bottom > l->frame->height ? l->frame->height : l->bottom;
}

static void clear_canvas(struct layer *l)
{
    for (int y = l->top; y < l->bottom && l->left < l->right; y++)
        memset(canvas_at(l, l->left, y), 0, (size_t)(l->right - l->left) * 4 * sizeof *l->canvas);
}

/* Canvas to straight 8-bit BGRA. A clear pixel is black, so that the file packs well. */
static void store(struct layer *l)
{
    for (int y = l->top; y < l->bottom; y++) {
        const float *from = canvas_at(l, l->left, y);
        uint8_t *to = l->frame->data[0] + (ptrdiff_t)y * l->frame->linesize[0] + 4 * l->left;

        for (int x = l->left; x < l->right; x++, from += 4, to += 4) {
            int alpha = (int)(from[3] * 255 + 0.5f);

            to[3] = (uint8_t)alpha;
            for (int c = 0; c < 3; c++)
                to[2 - c] = (uint8_t)(alpha ? fminf(from[c] / from[3], 1) * 255 + 0.5f : 0);
        }
    }
}

/* Sets what runs: the timecode of this frame. */
static int set_running(struct layer *l, int n, struct error *e)
{
    char timecode[16];

    media_timecode(l->board, n, timecode);
    for (size_t i = 0; i < l->count; i++) {
        struct placed *p = &l->items[i];

        if (p->overlay->style != OVERLAY_TIMECODE || n < p->first || n > p->last)
            continue;
        block_free(&p->block);
        if (typeset(l->typesetter, p->overlay, timecode, &p->block, e) != 0)
            return -1;
    }
    return 0;
}

/* Writes frame n if it differs from the one before; the first one always, so that the layer begins
 * where the shot does. */
static int step(struct layer *l, int n, struct error *e)
{
    struct rational fps = l->board->fps;
    bool changed = n == 0;

    for (size_t i = 0; i < l->count; i++) {
        l->wanted[i] = (int)lround(255 * layout_opacity(&l->items[i], n, fps));
        changed |= l->wanted[i] != l->shown[i] ||
                   (l->wanted[i] && l->items[i].overlay->style == OVERLAY_TIMECODE);
    }
    if (!changed)
        return 0;
    if (set_running(l, n, e) != 0)
        return -1;
    clear_canvas(l);
    for (size_t i = 0; i < l->count; i++) {
        l->shown[i] = l->wanted[i];
        if (l->wanted[i])
            blend(l, &l->items[i], (float)l->wanted[i] / 255);
    }
    if (av_frame_make_writable(l->frame) < 0)
        return error_memory(e);
    store(l);
    l->stored++;
    return media_writer_put(l->writer, l->frame, n, e);
}

static int layer_open(struct layer *l, const char *path, struct error *e)
{
    const struct board *b = l->board;
    struct media_form form = {
        .container = "matroska",
        .encoder = "ffv1",
        .encoder_options = "level=3;slicecrc=1;context=0",
        .pixel_format = AV_PIX_FMT_BGRA,
        .width = b->width,
        .height = b->height,
        .fps = b->fps,
        .threads = 1,
        .slices = 4,
        .gop = 1,
        .matrix = AVCOL_SPC_RGB,
        .range = AVCOL_RANGE_JPEG,
        .transfer = AVCOL_TRC_BT709,
    };

    l->shown = calloc(l->count, sizeof *l->shown);
    l->wanted = calloc(l->count, sizeof *l->wanted);
    l->canvas = calloc((size_t)b->width * (size_t)b->height, 4 * sizeof *l->canvas);
    l->frame = av_frame_alloc();
    if (!l->shown || !l->wanted || !l->canvas || !l->frame)
        return error_memory(e);
    l->frame->format = AV_PIX_FMT_BGRA;
    l->frame->width = b->width;
    l->frame->height = b->height;
    if (av_frame_get_buffer(l->frame, 0) < 0)
        return error_memory(e);
    memset(l->frame->data[0], 0, (size_t)l->frame->linesize[0] * (size_t)b->height);
    find_bounds(l);
    return media_writer_open(path, &form, &l->writer, e);
}

int layer_write(struct stage_job *job, const struct board *b, int frames, struct typesetter *t,
                struct placed *items, size_t count, const char *path, int *stored, struct error *e)
{
    struct layer l = {.board = b, .typesetter = t, .items = items, .count = count};
    int rc = -1;

    if (layer_open(&l, path, e) != 0)
        goto done;
    for (int n = 0; n < frames; n++) {
        if (job->cancelled(job)) {
            error_set(e, ERROR_CANCELLED, "interrupted");
            goto done;
        }
        if (step(&l, n, e) != 0)
            goto done;
        job->progress(job, n + 1, frames, "frame");
    }
    rc = media_writer_finish(l.writer, e);
    *stored = l.stored;
done:
    media_writer_close(l.writer);
    av_frame_free(&l.frame);
    free(l.canvas);
    free(l.shown);
    free(l.wanted);
    return rc;
}
