#include "stages/sound/graph.h"

#include <stdio.h>

#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/channel_layout.h>

#include "stages/media/media.h"

enum { CHUNK = 4800 }; /* samples that go in at once */

static int fail(int status, struct error *e)
{
    return media_error(e, status, ERROR_MEDIA, "cannot work on sound");
}

static int add_inputs(struct graph *g, const char *const *forms, int inputs, AVFilterInOut **open,
                      struct error *e)
{
    static const char own[] = "sample_rate=48000:sample_fmt=flt:channel_layout=stereo";

    for (int i = 0; i < inputs; i++) {
        AVFilterInOut *pad = avfilter_inout_alloc();
        char name[16];
        int status;

        if (!pad)
            return error_memory(e);
        pad->next = *open;
        *open = pad;
        snprintf(name, sizeof name, "in%d", i);
        status = avfilter_graph_create_filter(&g->in[i], avfilter_get_by_name("abuffer"), name,
                                              forms && forms[i] ? forms[i] : own, NULL, g->graph);
        if (status < 0)
            return fail(status, e);
        pad->name = av_strdup(name);
        pad->filter_ctx = g->in[i];
        if (!pad->name)
            return error_memory(e);
    }
    return 0;
}

int graph_open(struct graph *g, const char *text, const char *const *forms, int inputs,
               struct error *e)
{
    AVFilterInOut *ins = NULL, *outs = avfilter_inout_alloc();
    char whole[700];
    int status, rc = -1;

    media_quiet();
    *g = (struct graph){.graph = avfilter_graph_alloc(), .frame = av_frame_alloc()};
    if (!g->graph || !g->frame || !outs) {
        error_memory(e);
        goto done;
    }
    g->graph->nb_threads = 1; /* the same bytes every time */
    if (add_inputs(g, forms, inputs, &ins, e) != 0)
        goto done;
    status = avfilter_graph_create_filter(&g->out, avfilter_get_by_name("abuffersink"), "out", NULL,
                                          NULL, g->graph);
    if (status >= 0) {
        outs->name = av_strdup("out");
        outs->filter_ctx = g->out;
        status = outs->name ? 0 : AVERROR(ENOMEM);
    }
    if (status >= 0) {
        snprintf(whole, sizeof whole,
                 "%s[ready];[ready]aformat=sample_fmts=flt:sample_rates=48000:"
                 "channel_layouts=stereo[out]",
                 text);
        status = avfilter_graph_parse_ptr(g->graph, whole, &outs, &ins, NULL);
    }
    if (status >= 0)
        status = avfilter_graph_config(g->graph, NULL);
    rc = status < 0 ? fail(status, e) : 0;
done:
    avfilter_inout_free(&ins);
    avfilter_inout_free(&outs);
    return rc;
}

void graph_close(struct graph *g)
{
    avfilter_graph_free(&g->graph);
    av_frame_free(&g->frame);
}

int graph_send(struct graph *g, int input, AVFrame *frame, struct error *e)
{
    int status = av_buffersrc_add_frame_flags(g->in[input], frame, AV_BUFFERSRC_FLAG_KEEP_REF);

    return status < 0 && status != AVERROR_EOF ? fail(status, e) : 0;
}

int graph_receive(struct graph *g, struct error *e)
{
    int status;

    av_frame_unref(g->frame);
    status = av_buffersink_get_frame(g->out, g->frame);
    if (status == AVERROR(EAGAIN) || status == AVERROR_EOF)
        return 0;
    return status < 0 ? fail(status, e) : 1;
}

/* The samples from `at` on as a frame. */
static int chunk_of(const struct sound *s, int64_t at, AVFrame *frame, struct error *e)
{
    int64_t count = s->count - at < CHUNK ? s->count - at : CHUNK;
    int status;

    av_frame_unref(frame);
    frame->format = AV_SAMPLE_FMT_FLT;
    frame->sample_rate = SOUND_RATE;
    frame->nb_samples = (int)count;
    frame->pts = at;
    av_channel_layout_default(&frame->ch_layout, SOUND_CHANNELS);
    status = av_frame_get_buffer(frame, 0);
    if (status < 0)
        return fail(status, e);
    memcpy(frame->data[0], s->samples + at * SOUND_CHANNELS,
           (size_t)count * SOUND_CHANNELS * sizeof(float));
    return 0;
}

static int drain(struct graph *g, const struct graph_look *look, struct sound *out, struct error *e)
{
    int got;

    while ((got = graph_receive(g, e)) == 1) {
        if (look)
            look->see(look->ctx, g->frame);
        if (out && sound_append(out, (const float *)(const void *)g->frame->data[0],
                                g->frame->nb_samples, e) != 0)
            return -1;
    }
    return got;
}

static int feed(struct graph *g, const struct sound *const *inputs, int count, AVFrame *frame,
                const struct graph_look *look, struct sound *out, struct error *e)
{
    for (int64_t at = 0; at < inputs[0]->count; at += CHUNK) {
        for (int i = 0; i < count; i++)
            if (chunk_of(inputs[i], at, frame, e) != 0 || graph_send(g, i, frame, e) != 0)
                return -1;
        if (drain(g, look, out, e) != 0)
            return -1;
    }
    for (int i = 0; i < count; i++)
        if (graph_send(g, i, NULL, e) != 0)
            return -1;
    return drain(g, look, out, e);
}

/* As long as it should be. */
static int settle(struct sound *s, int64_t count, struct error *e)
{
    static const float silence[CHUNK * SOUND_CHANNELS];

    while (s->count < count) {
        int64_t lacking = count - s->count;

        if (sound_append(s, silence, lacking < CHUNK ? lacking : CHUNK, e) != 0)
            return -1;
    }
    s->count = count;
    return 0;
}

int graph_run(const char *text, const struct sound *const *inputs, int count,
              const struct graph_look *look, struct sound *out, struct error *e)
{
    struct sound made = {0};
    struct graph g;
    AVFrame *frame = av_frame_alloc();
    int rc = -1;

    if (graph_open(&g, text, NULL, count, e) != 0)
        goto done;
    if (!frame) {
        error_memory(e);
        goto done;
    }
    if (feed(&g, inputs, count, frame, look, out ? &made : NULL, e) != 0 ||
        (out && settle(&made, inputs[0]->count, e) != 0))
        goto done;
    if (out) {
        *out = made;
        made = (struct sound){0};
    }
    rc = 0;
done:
    sound_free(&made);
    av_frame_free(&frame);
    graph_close(&g);
    return rc;
}
