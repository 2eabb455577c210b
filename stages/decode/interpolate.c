#include "stages/decode/interpolate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>

#include "stages/media/media.h"

/* The filter looks two pictures ahead; the last stands once more for those. */
enum { LOOKAHEAD = 3 };

struct interpolator {
    AVFilterGraph *graph;
    AVFilterContext *in, *out;
    AVFrame *frame, *made;
    struct picture picture; /* what take() is given */
    picture_lane_take *take;
    void *ctx;
    int64_t put; /* pictures that came in */
    int done, frames;
};

static int fail(int status, struct error *e)
{
    return media_error(e, status, ERROR_MEDIA, "cannot interpolate between the model's frames");
}

/* Time is counted in the model's frames; a frame of the shot takes step_num / step_den of one. */
static int build(struct interpolator *x, int width, int height, int64_t step_num, int64_t step_den)
{
    char text[600];
    AVFilterInOut *inputs = NULL, *outputs = NULL;
    int status;

    snprintf(text, sizeof text,
             "buffer@in=video_size=%dx%d:pix_fmt=gbrp16le:time_base=1/1:frame_rate=1/1:"
             "pixel_aspect=1/1,scale=flags=bicubic+accurate_rnd+full_chroma_int+bitexact:"
             "out_range=full,format=yuvj444p,minterpolate=fps=%" PRId64 "/%" PRId64
             ":mi_mode=mci:mc_mode=aobmc:me_mode=bidir:vsbmc=1:scd=none,"
             "scale=flags=bicubic+accurate_rnd+full_chroma_int+bitexact:in_range=full,"
             "format=gbrp16le,buffersink@out",
             width, height, step_den, step_num);
    x->graph = avfilter_graph_alloc();
    if (!x->graph)
        return AVERROR(ENOMEM);
    x->graph->nb_threads = 1;
    status = avfilter_graph_parse2(x->graph, text, &inputs, &outputs);
    avfilter_inout_free(&inputs);
    avfilter_inout_free(&outputs);
    if (status >= 0)
        status = avfilter_graph_config(x->graph, NULL);
    if (status < 0)
        return status;
    x->in = avfilter_graph_get_filter(x->graph, "buffer@in");
    x->out = avfilter_graph_get_filter(x->graph, "buffersink@out");
    return x->in && x->out ? 0 : AVERROR_BUG;
}

int interpolator_open(int width, int height, int64_t step_num, int64_t step_den, int frames,
                      picture_lane_take *take, void *ctx, struct interpolator **out,
                      struct error *e)
{
    struct interpolator *x = calloc(1, sizeof *x);
    int status;

    media_quiet();
    if (!x)
        return error_memory(e);
    x->take = take;
    x->ctx = ctx;
    x->frames = frames;
    x->frame = av_frame_alloc();
    x->made = av_frame_alloc();
    if (!x->frame || !x->made || picture_alloc(&x->picture, width, height, e) != 0) {
        interpolator_close(x);
        return error_memory(e);
    }
    status = build(x, width, height, step_num, step_den);
    if (status < 0) {
        interpolator_close(x);
        return fail(status, e);
    }
    *out = x;
    return 0;
}

static const int plane_of[3] = {2, 0, 1}; /* of red, green, blue */

static int to_frame(struct interpolator *x, const struct picture *p)
{
    av_frame_unref(x->frame);
    x->frame->format = AV_PIX_FMT_GBRP16LE;
    x->frame->width = p->width;
    x->frame->height = p->height;
    if (av_frame_get_buffer(x->frame, 0) < 0)
        return AVERROR(ENOMEM);
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < p->height; y++)
            memcpy(x->frame->data[plane_of[c]] + (ptrdiff_t)y * x->frame->linesize[plane_of[c]],
                   p->planes[c] + (size_t)y * (size_t)p->width, (size_t)p->width * 2);
    return 0;
}

/* Gives out what the filter has ready. */
static int drain(struct interpolator *x, struct error *e)
{
    struct picture *p = &x->picture;
    int status;

    while ((status = av_buffersink_get_frame(x->out, x->made)) >= 0) {
        if (x->made->pts == x->done && x->done < x->frames) {
            for (int c = 0; c < 3; c++)
                for (int y = 0; y < p->height; y++)
                    memcpy(p->planes[c] + (size_t)y * (size_t)p->width,
                           x->made->data[plane_of[c]] +
                               (ptrdiff_t)y * x->made->linesize[plane_of[c]],
                           (size_t)p->width * 2);
            x->done++;
            if (x->take(x->ctx, p, 1, e) != 0) {
                av_frame_unref(x->made);
                return -1;
            }
        }
        av_frame_unref(x->made);
    }
    return status == AVERROR(EAGAIN) || status == AVERROR_EOF ? 0 : fail(status, e);
}

static int feed(struct interpolator *x, struct error *e)
{
    int status;

    x->frame->pts = x->put++;
    status = av_buffersrc_add_frame_flags(x->in, x->frame, AV_BUFFERSRC_FLAG_KEEP_REF);
    return status < 0 ? fail(status, e) : drain(x, e);
}

int interpolator_put(struct interpolator *x, const struct picture *p, struct error *e)
{
    media_quiet();
    return to_frame(x, p) == 0 ? feed(x, e) : error_memory(e);
}

int interpolator_finish(struct interpolator *x, struct error *e)
{
    int status;

    media_quiet();
    for (int i = 0; x->put > 0 && i < LOOKAHEAD; i++)
        if (feed(x, e) != 0)
            return -1;
    status = av_buffersrc_add_frame_flags(x->in, NULL, 0);
    if (status < 0)
        return fail(status, e);
    if (drain(x, e) != 0)
        return -1;
    return x->done == x->frames
               ? 0
               : error_set(e, ERROR_MEDIA, "%d frames were interpolated, %d are needed", x->done,
                           x->frames);
}

void interpolator_close(struct interpolator *x)
{
    if (!x)
        return;
    avfilter_graph_free(&x->graph);
    av_frame_free(&x->frame);
    av_frame_free(&x->made);
    picture_free(&x->picture);
    free(x);
}
