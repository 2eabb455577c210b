#include "stages/film/soundtrack.h"

#include <stdlib.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/audio_fifo.h>
#include <libavutil/avstring.h>
#include <libswresample/swresample.h>

#include "stages/film/film.h"
#include "stages/media/media.h"

struct soundtrack {
    char *path;
    AVFormatContext *demuxer;
    AVCodecContext *decoder;
    SwrContext *resampler;
    AVAudioFifo *ready;
    AVStream *stream;
    AVPacket *packet;
    AVFrame *decoded, *resampled;
    bool ended;
};

static int fail(const struct soundtrack *s, int status, const char *what, struct error *e)
{
    return media_error(e, status, ERROR_MEDIA, "cannot %s the sound of %s", what, s->path);
}

static int open_decoder(struct soundtrack *s, struct error *e)
{
    const AVCodec *codec;
    char *url = av_asprintf("file:%s", s->path);
    int status;

    if (!url)
        return error_memory(e);
    status = avformat_open_input(&s->demuxer, url, NULL, NULL);
    av_free(url);
    if (status >= 0)
        status = avformat_find_stream_info(s->demuxer, NULL);
    if (status >= 0)
        status = av_find_best_stream(s->demuxer, AVMEDIA_TYPE_AUDIO, -1, -1, &codec, 0);
    if (status < 0)
        return fail(s, status, "open", e);
    s->stream = s->demuxer->streams[status];
    for (unsigned i = 0; i < s->demuxer->nb_streams; i++)
        if (s->demuxer->streams[i] != s->stream)
            s->demuxer->streams[i]->discard = AVDISCARD_ALL;
    s->decoder = avcodec_alloc_context3(codec);
    if (!s->decoder)
        return error_memory(e);
    s->decoder->pkt_timebase = s->stream->time_base;
    status = avcodec_parameters_to_context(s->decoder, s->stream->codecpar);
    if (status >= 0)
        status = avcodec_open2(s->decoder, codec, NULL);
    return status < 0 ? fail(s, status, "decode", e) : 0;
}

static int open_resampler(struct soundtrack *s, struct error *e)
{
    AVChannelLayout stereo = AV_CHANNEL_LAYOUT_STEREO;
    AVCodecContext *d = s->decoder;
    int status;

    if (d->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC) /* a WAV may not say */
        av_channel_layout_default(&d->ch_layout, d->ch_layout.nb_channels);
    status = swr_alloc_set_opts2(&s->resampler, &stereo, AV_SAMPLE_FMT_FLTP, FILM_RATE,
                                 &d->ch_layout, d->sample_fmt, d->sample_rate, 0, NULL);
    if (status >= 0)
        status = swr_init(s->resampler);
    return status < 0 ? fail(s, status, "resample", e) : 0;
}

int soundtrack_open(const char *path, struct soundtrack **out, struct error *e)
{
    struct soundtrack *s = calloc(1, sizeof *s);

    media_quiet();
    if (!s)
        return error_memory(e);
    s->path = av_strdup(path);
    s->packet = av_packet_alloc();
    s->decoded = av_frame_alloc();
    s->resampled = av_frame_alloc();
    s->ready = av_audio_fifo_alloc(AV_SAMPLE_FMT_FLTP, 2, 1 << 14);
    if (!s->path || !s->packet || !s->decoded || !s->resampled || !s->ready) {
        error_memory(e);
        goto failed;
    }
    if (open_decoder(s, e) != 0 || open_resampler(s, e) != 0)
        goto failed;
    *out = s;
    return 0;
failed:
    soundtrack_close(s);
    return -1;
}

/* The decoder's next samples in s->decoded. 1, 0 at the end, or a status below. */
static int decode(struct soundtrack *s)
{
    for (;;) {
        int status = avcodec_receive_frame(s->decoder, s->decoded);

        if (status == AVERROR_EOF)
            return 0;
        if (status != AVERROR(EAGAIN))
            return status < 0 ? status : 1;
        do {
            av_packet_unref(s->packet);
            status = av_read_frame(s->demuxer, s->packet);
        } while (status >= 0 && s->packet->stream_index != s->stream->index);
        status = avcodec_send_packet(s->decoder, status == AVERROR_EOF ? NULL : s->packet);
        av_packet_unref(s->packet);
        if (status < 0 && status != AVERROR_EOF)
            return status;
    }
}

/* Some more samples become ready, or s->ended. */
static int advance(struct soundtrack *s)
{
    int got = decode(s), status;

    if (got < 0)
        return got;
    s->ended = got == 0;
    s->resampled->format = AV_SAMPLE_FMT_FLTP;
    s->resampled->sample_rate = FILM_RATE;
    s->resampled->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_STEREO;
    if (got && s->decoded->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC)
        av_channel_layout_copy(&s->decoded->ch_layout, &s->decoder->ch_layout);
    status = swr_convert_frame(s->resampler, s->resampled, got ? s->decoded : NULL);
    if (status >= 0 && s->resampled->nb_samples)
        status =
            av_audio_fifo_write(s->ready, (void **)s->resampled->data, s->resampled->nb_samples);
    av_frame_unref(s->resampled);
    av_frame_unref(s->decoded);
    return status;
}

AVFrame *soundtrack_next(struct soundtrack *s, int most, struct error *e)
{
    AVFrame *out = av_frame_alloc();
    int status = out ? 0 : AVERROR(ENOMEM);

    media_quiet();
    while (status >= 0 && !s->ended && av_audio_fifo_size(s->ready) < most)
        status = advance(s);
    if (status >= 0) {
        out->format = AV_SAMPLE_FMT_FLTP;
        out->sample_rate = FILM_RATE;
        out->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_STEREO;
        out->nb_samples = most;
        status = av_frame_get_buffer(out, 0);
    }
    if (status >= 0)
        status = out->nb_samples = av_audio_fifo_read(s->ready, (void **)out->data, most);
    if (status < 0) {
        fail(s, status, "decode", e);
        av_frame_free(&out);
    }
    return out;
}

int64_t soundtrack_duration(const struct soundtrack *s)
{
    return av_rescale_q(s->stream->duration, s->stream->time_base, (AVRational){1, FILM_RATE});
}

void soundtrack_close(struct soundtrack *s)
{
    if (!s)
        return;
    avcodec_free_context(&s->decoder);
    avformat_close_input(&s->demuxer);
    swr_free(&s->resampler);
    if (s->ready)
        av_audio_fifo_free(s->ready);
    av_packet_free(&s->packet);
    av_frame_free(&s->decoded);
    av_frame_free(&s->resampled);
    av_free(s->path);
    free(s);
}
