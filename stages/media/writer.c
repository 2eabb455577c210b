#include "stages/media/writer.h"

#include <stdlib.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>

#include "stages/media/media.h"
#include "stages/media/sink.h"

struct media_writer {
    struct sink sink;
    AVFormatContext *muxer;
    AVCodecContext *encoder, *sound; /* sound NULL: there is none */
    AVStream *stream, *sound_stream;
    AVPacket *packet;
    AVFrame *picture; /* a reference with our own pts */
};

static int fail(const struct media_writer *w, int status, const char *what, struct error *e)
{
    if (w->sink.failed) /* whatever the library says, this is why */
        return error_errno(e, w->sink.failed, "write", w->sink.path);
    return media_error(e, status, ERROR_MEDIA, "cannot %s %s", what, w->sink.path);
}

/* Options as a dictionary; -1 when one is left over that nobody knew. */
static int leftover(AVDictionary *options, struct error *e)
{
    const AVDictionaryEntry *entry = av_dict_get(options, "", NULL, AV_DICT_IGNORE_SUFFIX);

    return entry ? error_set(e, ERROR_INTERNAL, "the media libraries know no option \"%s\"",
                             entry->key)
                 : 0;
}

static void fill_encoder(AVCodecContext *c, const struct media_form *form)
{
    c->width = form->width;
    c->height = form->height;
    c->pix_fmt = form->pixel_format;
    c->framerate = media_rational(form->fps);
    c->time_base = av_inv_q(c->framerate);
    c->sample_aspect_ratio = (AVRational){1, 1};
    c->color_primaries = AVCOL_PRI_BT709;
    c->color_trc = form->transfer;
    c->colorspace = form->matrix;
    c->color_range = form->range;
    if (form->pixel_format == AV_PIX_FMT_YUV420P || form->pixel_format == AV_PIX_FMT_YUV420P10 ||
        form->pixel_format == AV_PIX_FMT_YUV422P10)
        c->chroma_sample_location = AVCHROMA_LOC_LEFT;
    c->thread_count = form->threads;
    if (form->slices)
        c->slices = form->slices;
    if (form->gop)
        c->gop_size = form->gop;
    c->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_CLOSED_GOP;
}

static int open_encoder(struct media_writer *w, const struct media_form *form, struct error *e)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(form->encoder);
    AVDictionary *options = NULL;
    int status, rc = -1;

    if (!codec)
        return error_set(e, ERROR_MEDIA,
                         "this FFmpeg has no %s encoder: install libavcodec with it",
                         form->encoder);
    w->encoder = avcodec_alloc_context3(codec);
    if (!w->encoder)
        return error_memory(e);
    fill_encoder(w->encoder, form);
    if (w->muxer->oformat->flags & AVFMT_GLOBALHEADER)
        w->encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    status = av_dict_parse_string(&options, form->encoder_options, "=", ";", 0);
    if (status >= 0)
        status = avcodec_open2(w->encoder, codec, &options);
    if (status < 0)
        fail(w, status, "start the encoder of", e);
    else
        rc = leftover(options, e);
    av_dict_free(&options);
    return rc;
}

static int open_sound(struct media_writer *w, struct error *e)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
    AVCodecContext *c = codec ? avcodec_alloc_context3(codec) : NULL;
    int status;

    if (!codec)
        return error_set(e, ERROR_MEDIA,
                         "this FFmpeg has no AAC encoder: install libavcodec with it");
    w->sound = c;
    w->sound_stream = c ? avformat_new_stream(w->muxer, NULL) : NULL;
    if (!w->sound_stream)
        return error_memory(e);
    c->sample_fmt = AV_SAMPLE_FMT_FLTP;
    c->sample_rate = 48000;
    c->bit_rate = 192000;
    c->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_STEREO;
    c->time_base = w->sound_stream->time_base = (AVRational){1, 48000};
    c->flags |= AV_CODEC_FLAG_BITEXACT;
    if (w->muxer->oformat->flags & AVFMT_GLOBALHEADER)
        c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    status = avcodec_open2(c, codec, NULL);
    if (status >= 0)
        status = avcodec_parameters_from_context(w->sound_stream->codecpar, c);
    if (status < 0)
        return fail(w, status, "start the encoder of the sound of", e);
    if (c->frame_size != MEDIA_SOUND_FRAME)
        return error_set(e, ERROR_INTERNAL, "the AAC encoder takes %d samples at a time",
                         c->frame_size);
    return 0;
}

static int open_muxer(struct media_writer *w, const struct media_form *form, struct error *e)
{
    AVDictionary *options = NULL;
    int status, rc = -1;

    w->stream = avformat_new_stream(w->muxer, NULL);
    if (!w->stream)
        return error_memory(e);
    w->stream->time_base = w->encoder->time_base;
    w->stream->avg_frame_rate = w->stream->r_frame_rate = w->encoder->framerate;
    w->stream->sample_aspect_ratio = w->encoder->sample_aspect_ratio;
    status = avcodec_parameters_from_context(w->stream->codecpar, w->encoder);
    if (form->tag)
        w->stream->codecpar->codec_tag = form->tag;
    if (form->sound && open_sound(w, e) != 0)
        return -1;
    if (status >= 0 && form->timecode)
        status = av_dict_set(&w->stream->metadata, "timecode", form->timecode, 0);
    if (status >= 0 && form->reel)
        status = av_dict_set(&w->stream->metadata, "reel_name", form->reel, 0);
    if (status >= 0 && form->comment)
        status = av_dict_set(&w->muxer->metadata, "comment", form->comment, 0);
    if (status >= 0)
        status = av_dict_parse_string(&options, form->muxer_options, "=", ";", 0);
    if (status >= 0)
        status = avformat_write_header(w->muxer, &options);
    if (status < 0)
        fail(w, status, "begin", e);
    else
        rc = leftover(options, e);
    av_dict_free(&options);
    return rc;
}

int media_writer_open(const char *path, const struct media_form *form, struct media_writer **out,
                      struct error *e)
{
    struct media_writer *w = calloc(1, sizeof *w);
    int status;

    media_quiet();
    if (!w)
        return error_memory(e);
    if (sink_open(&w->sink, path, e) != 0)
        goto failed;
    w->packet = av_packet_alloc();
    w->picture = av_frame_alloc();
    status = avformat_alloc_output_context2(&w->muxer, NULL, form->container, NULL);
    if (!w->packet || !w->picture || status < 0) {
        media_error(e, status < 0 ? status : AVERROR(ENOMEM), ERROR_MEDIA, "cannot make a %s file",
                    form->container);
        goto failed;
    }
    w->muxer->pb = w->sink.pb;
    w->muxer->flags |= AVFMT_FLAG_BITEXACT | AVFMT_FLAG_CUSTOM_IO;
    /* The MP4 muxer opens its own file again by this name to move the index to the front. */
    w->muxer->url = av_asprintf("file:%s", path);
    if (!w->muxer->url) {
        error_memory(e);
        goto failed;
    }
    if (open_encoder(w, form, e) != 0 || open_muxer(w, form, e) != 0)
        goto failed;
    *out = w;
    return 0;
failed:
    media_writer_close(w);
    return -1;
}

/* Writes out what an encoder has ready. */
static int drain(struct media_writer *w, AVCodecContext *encoder, const AVStream *stream,
                 struct error *e)
{
    for (;;) {
        int status = avcodec_receive_packet(encoder, w->packet);

        if (status == AVERROR(EAGAIN) || status == AVERROR_EOF)
            return 0;
        if (status < 0)
            return fail(w, status, "encode", e);
        w->packet->stream_index = stream->index;
        if (w->packet->duration == 0)
            w->packet->duration = 1;
        av_packet_rescale_ts(w->packet, encoder->time_base, stream->time_base);
        status = av_interleaved_write_frame(w->muxer, w->packet);
        if (status < 0 || w->sink.failed)
            return fail(w, status, "write", e);
    }
}

int media_writer_put(struct media_writer *w, const AVFrame *picture, int64_t at, struct error *e)
{
    int status;

    media_quiet();
    av_frame_unref(w->picture);
    status = av_frame_ref(w->picture, picture);
    if (status < 0)
        return fail(w, status, "encode", e);
    w->picture->pts = at;
    w->picture->pict_type = AV_PICTURE_TYPE_NONE;
    w->picture->color_primaries = w->encoder->color_primaries; /* some encoders ask the picture */
    w->picture->color_trc = w->encoder->color_trc;
    w->picture->colorspace = w->encoder->colorspace;
    w->picture->color_range = w->encoder->color_range;
    status = avcodec_send_frame(w->encoder, w->picture);
    av_frame_unref(w->picture);
    if (status < 0)
        return fail(w, status, "encode", e);
    return drain(w, w->encoder, w->stream, e);
}

int media_writer_put_sound(struct media_writer *w, AVFrame *samples, int64_t at, struct error *e)
{
    int status;

    media_quiet();
    samples->pts = at;
    status = avcodec_send_frame(w->sound, samples);
    return status < 0 ? fail(w, status, "encode the sound of", e)
                      : drain(w, w->sound, w->sound_stream, e);
}

static int finish_stream(struct media_writer *w, AVCodecContext *encoder, const AVStream *stream,
                         struct error *e)
{
    int status = avcodec_send_frame(encoder, NULL);

    return status < 0 ? fail(w, status, "finish encoding", e) : drain(w, encoder, stream, e);
}

int media_writer_finish(struct media_writer *w, struct error *e)
{
    int status;

    media_quiet();
    if (finish_stream(w, w->encoder, w->stream, e) != 0 ||
        (w->sound && finish_stream(w, w->sound, w->sound_stream, e) != 0))
        return -1;
    status = av_write_trailer(w->muxer);
    if (status < 0)
        return fail(w, status, "finish", e);
    w->muxer->pb = NULL;
    return sink_close(&w->sink, e);
}

void media_writer_close(struct media_writer *w)
{
    if (!w)
        return;
    avcodec_free_context(&w->encoder);
    avcodec_free_context(&w->sound);
    if (w->muxer)
        w->muxer->pb = NULL;
    avformat_free_context(w->muxer);
    sink_free(&w->sink);
    av_packet_free(&w->packet);
    av_frame_free(&w->picture);
    free(w);
}
