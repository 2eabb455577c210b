#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>

#include "stages/media/media.h"
#include "stages/media/reader.h"
#include "stages/media/sink.h"
#include "stages/sound/graph.h"

/* ---- reading */

/* What a decoded frame is, as abuffer wants to be told. */
static int form_of(AVFrame *frame, char *form, size_t size, struct error *e)
{
    char layout[100];

    if (frame->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC)
        av_channel_layout_default(&frame->ch_layout, frame->ch_layout.nb_channels);
    if (frame->ch_layout.order != AV_CHANNEL_ORDER_NATIVE ||
        av_channel_layout_describe(&frame->ch_layout, layout, sizeof layout) < 0)
        return error_set(e, ERROR_MEDIA, "its %d channels are none that are known",
                         frame->ch_layout.nb_channels);
    snprintf(form, size, "sample_rate=%d:sample_fmt=%s:channel_layout=%s", frame->sample_rate,
             av_get_sample_fmt_name(frame->format), layout);
    return 0;
}

/* The frame, or NULL for the end, into the graph, and what comes out to the sound. */
static int pass(struct graph *g, AVFrame *frame, struct sound *out, struct error *e)
{
    int got;

    if (graph_send(g, 0, frame, e) != 0)
        return -1;
    while ((got = graph_receive(g, e)) == 1)
        if (sound_append(out, (const float *)(const void *)g->frame->data[0], g->frame->nb_samples,
                         e) != 0)
            return -1;
    return got;
}

static int read_all(struct media_reader *r, int64_t most, struct graph *g, struct sound *out,
                    struct error *e)
{
    AVFrame *frame;
    char form[200];
    const char *forms[] = {form};
    int got;

    while ((got = media_reader_next(r, &frame, e)) == 1) {
        frame->pts = AV_NOPTS_VALUE; /* a hole in time stamps is no silence */
        if (!g->graph && (form_of(frame, form, sizeof form, e) != 0 ||
                          graph_open(g, "[in0]anull", forms, 1, e) != 0))
            return -1;
        if (frame->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC)
            av_channel_layout_default(&frame->ch_layout, frame->ch_layout.nb_channels);
        if (pass(g, frame, out, e) != 0)
            return -1;
        if (out->count >= most)
            break;
    }
    if (got < 0)
        return -1;
    if (got == 0 && g->graph && pass(g, NULL, out, e) != 0)
        return -1;
    out->count = out->count < most ? out->count : most;
    return 0;
}

int sound_read_file(const char *path, const char *name, int64_t most, struct sound *out,
                    struct error *e)
{
    struct media_reader *r = NULL;
    struct graph g = {0};
    int rc;

    *out = (struct sound){0};
    if (media_reader_open_sound(path, name, &r, e) != 0)
        return -1;
    rc = read_all(r, most, &g, out, e);
    if (rc == 0 && out->count == 0)
        rc = error_set(e, ERROR_MEDIA, "%s holds no sound: it is 0 s long", name);
    if (rc != 0 && !strstr(e->text, name))
        error_wrap(e, "%s", name);
    if (rc != 0)
        sound_free(out);
    graph_close(&g);
    media_reader_close(r);
    return rc;
}

static int pass_mono(struct graph *g, const int16_t *samples, int64_t count, int rate,
                     AVFrame *frame, struct sound *out, struct error *e)
{
    for (int64_t at = 0; at < count; at += frame->nb_samples) {
        int status;

        av_frame_unref(frame);
        frame->format = AV_SAMPLE_FMT_S16;
        frame->sample_rate = rate;
        frame->nb_samples = (int)(count - at < 4096 ? count - at : 4096);
        av_channel_layout_default(&frame->ch_layout, 1);
        status = av_frame_get_buffer(frame, 0);
        if (status < 0)
            return media_error(e, status, ERROR_MEDIA, "cannot work on sound");
        memcpy(frame->data[0], samples + at, (size_t)frame->nb_samples * sizeof *samples);
        if (pass(g, frame, out, e) != 0)
            return -1;
    }
    return pass(g, NULL, out, e);
}

int sound_of_mono(const int16_t *samples, int64_t count, int rate, struct sound *out,
                  struct error *e)
{
    AVFrame *frame = av_frame_alloc();
    struct graph g = {0};
    char form[100];
    const char *forms[] = {form};
    int rc;

    *out = (struct sound){0};
    snprintf(form, sizeof form, "sample_rate=%d:sample_fmt=s16:channel_layout=mono", rate);
    if (!frame)
        rc = error_memory(e);
    else if ((rc = graph_open(&g, "[in0]anull", forms, 1, e)) == 0)
        rc = pass_mono(&g, samples, count, rate, frame, out, e);
    if (rc != 0)
        sound_free(out);
    graph_close(&g);
    av_frame_free(&frame);
    return rc;
}

/* ---- writing */

enum { BYTES = 3, WRITTEN_AT_ONCE = 4800 };

struct wav {
    struct sink sink;
    AVFormatContext *muxer;
    AVPacket *packet;
    uint8_t bytes[WRITTEN_AT_ONCE * SOUND_CHANNELS * BYTES];
};

static int wav_error(const struct wav *w, int status, struct error *e)
{
    if (w->sink.failed)
        return error_errno(e, w->sink.failed, "write", w->sink.path);
    return media_error(e, status, ERROR_MEDIA, "cannot write %s", w->sink.path);
}

static int begin(struct wav *w, const struct sound_label *label, struct error *e)
{
    AVDictionary *options = NULL;
    AVCodecParameters *form;
    AVStream *stream;
    int status = avformat_alloc_output_context2(&w->muxer, NULL, "wav", NULL);

    w->packet = av_packet_alloc();
    stream = status < 0 ? NULL : avformat_new_stream(w->muxer, NULL);
    if (!w->packet || !stream)
        return error_memory(e);
    w->muxer->pb = w->sink.pb;
    w->muxer->flags |= AVFMT_FLAG_BITEXACT | AVFMT_FLAG_CUSTOM_IO;
    form = stream->codecpar;
    form->codec_type = AVMEDIA_TYPE_AUDIO;
    form->codec_id = AV_CODEC_ID_PCM_S24LE;
    form->format = AV_SAMPLE_FMT_S32;
    form->sample_rate = SOUND_RATE;
    form->bits_per_coded_sample = 8 * BYTES;
    form->block_align = SOUND_CHANNELS * BYTES;
    form->bit_rate = (int64_t)SOUND_RATE * SOUND_CHANNELS * 8 * BYTES;
    av_channel_layout_default(&form->ch_layout, SOUND_CHANNELS);
    stream->time_base = (AVRational){1, SOUND_RATE};
    status = av_dict_set_int(&w->muxer->metadata, "time_reference", label->reference, 0);
    if (status >= 0)
        status = av_dict_set(&w->muxer->metadata, "description", label->description, 0);
    if (status >= 0 && label->recipe)
        status = av_dict_set(&w->muxer->metadata, "comment", label->recipe, 0);
    if (status >= 0)
        status = av_dict_set(&w->muxer->metadata, "originator", "auteur-pipe", 0);
    if (status >= 0)
        status = av_dict_parse_string(&options, "write_bext=1:rf64=auto", "=", ":", 0);
    if (status >= 0)
        status = avformat_write_header(w->muxer, &options);
    av_dict_free(&options);
    return status < 0 ? wav_error(w, status, e) : 0;
}

static void put(uint8_t *out, float sample)
{
    double full = 1 << 23, value = nearbyint((double)sample * full);
    int32_t whole = (int32_t)(value > full - 1 ? full - 1 : value >= -full ? value : -full);

    for (int i = 0; i < BYTES; i++)
        out[i] = (uint8_t)((uint32_t)whole >> (8 * i));
}

static int write_samples(struct wav *w, const struct sound *s, struct error *e)
{
    for (int64_t at = 0; at < s->count; at += WRITTEN_AT_ONCE) {
        int64_t count = s->count - at < WRITTEN_AT_ONCE ? s->count - at : WRITTEN_AT_ONCE;
        int status;

        for (int64_t i = 0; i < count * SOUND_CHANNELS; i++)
            put(w->bytes + i * BYTES, s->samples[at * SOUND_CHANNELS + i]);
        w->packet->data = w->bytes;
        w->packet->size = (int)count * SOUND_CHANNELS * BYTES;
        w->packet->pts = w->packet->dts = at;
        w->packet->duration = count;
        status = av_write_frame(w->muxer, w->packet);
        if (status < 0)
            return wav_error(w, status, e);
    }
    return 0;
}

int sound_write_file(const char *path, const struct sound *s, const struct sound_label *label,
                     struct error *e)
{
    struct wav *w = calloc(1, sizeof *w);
    int status, rc = -1;

    if (!w)
        return error_memory(e);
    media_quiet();
    w->sink.fd = -1;
    if (sink_open(&w->sink, path, e) != 0 || begin(w, label, e) != 0 || write_samples(w, s, e) != 0)
        goto done;
    status = av_write_trailer(w->muxer);
    rc = status < 0 ? wav_error(w, status, e) : sink_close(&w->sink, e);
done:
    av_packet_free(&w->packet);
    avformat_free_context(w->muxer);
    sink_free(&w->sink);
    free(w);
    return rc;
}
