#include "stages/composite/layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/media/media.h"
#include "stages/media/writer.h"

struct layer {
    struct stage_job *job;
    struct typesetter *typesetter;
    struct placed *items;
    size_t count;
    int *shown, *wanted; /* opacity of every item in 1/255: in the stored frame; in this one */
    float *canvas;       /* premultiplied RGBA of the whole picture */
    AVFrame *frame;
    struct media_writer *writer;
    int stored; /* frames written */
};

/* An item over the canvas. */
static void blend(struct layer *l, const struct placed *p, float opacity)
{
    const struct block *b = &p->block;
    int width = l->frame->width, height = l->frame->height;

    for (int y = 0; y < b->image_height; y++) {
        int to_y = p->y + b->top + y;

        if (to_y < 0 || to_y >= height)
            continue;
        for (int x = 0; x < b->image_width; x++) {
            int to_x = p->x + b->left + x;
            const float *from = b->rgba + 4 * ((size_t)y * (size_t)b->image_width + (size_t)x);
            float *to;

            if (to_x < 0 || to_x >= width || from[3] <= 0)
                continue;
            to = l->canvas + 4 * ((size_t)to_y * (size_t)width + (size_t)to_x);
            for (int c = 0; c < 4; c++)
                to[c] = from[c] * opacity + to[c] * (1 - from[3] * opacity);
        }
    }
}

/* Canvas to straight 8-bit BGRA. A clear pixel is black, so that the file packs well. */
static void store(struct layer *l)
{
    for (int y = 0; y < l->frame->height; y++) {
        const float *from = l->canvas + 4 * (size_t)y * (size_t)l->frame->width;
        uint8_t *to = l->frame->data[0] + (ptrdiff_t)y * l->frame->linesize[0];

        for (int x = 0; x < l->frame->width; x++, from += 4, to += 4) {
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

    media_timecode(n, l->job->env->board->fps, timecode);
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
    struct rational fps = l->job->env->board->fps;
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
    memset(l->canvas, 0,
           (size_t)l->frame->width * (size_t)l->frame->height * 4 * sizeof *l->canvas);
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
    const struct board *b = l->job->env->board;
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
    l->canvas = malloc((size_t)b->width * (size_t)b->height * 4 * sizeof *l->canvas);
    l->frame = av_frame_alloc();
    if (!l->shown || !l->wanted || !l->canvas || !l->frame)
        return error_memory(e);
    l->frame->format = AV_PIX_FMT_BGRA;
    l->frame->width = b->width;
    l->frame->height = b->height;
    if (av_frame_get_buffer(l->frame, 0) < 0)
        return error_memory(e);
    return media_writer_open(path, &form, &l->writer, e);
}

int layer_write(struct stage_job *job, struct typesetter *t, struct placed *items, size_t count,
                const char *path, struct error *e)
{
    struct layer l = {.job = job, .typesetter = t, .items = items, .count = count};
    char text[32];
    int rc = -1;

    if (layer_open(&l, path, e) != 0)
        goto done;
    for (int n = 0; n < job->shot->frames; n++) {
        if (job->cancelled(job)) {
            error_set(e, ERROR_CANCELLED, "interrupted");
            goto done;
        }
        if (step(&l, n, e) != 0)
            goto done;
        job->progress(job, n + 1, job->shot->frames, "frame");
    }
    rc = media_writer_finish(l.writer, e);
    snprintf(text, sizeof text, "%d", l.stored);
    job->note(job, "layer_frames", text);
done:
    media_writer_close(l.writer);
    av_frame_free(&l.frame);
    free(l.canvas);
    free(l.shown);
    free(l.wanted);
    return rc;
}
