#include "stages/media/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavutil/display.h>

#include "stages/media/media.h"

enum { BUFFER_SIZE = 1 << 16 };

struct media_reader {
    int fd;
    char *name;
    enum AVMediaType type;
    AVIOContext *pb;
    AVFormatContext *demuxer;
    AVCodecContext *decoder;
    AVStream *stream;
    AVPacket *packet;
    AVFrame *picture;
    bool flushing;
    atomic_bool damaged; /* set by the log callback (media.h) */
};

static int fail(const struct media_reader *r, int status, const char *what, struct error *e)
{
    return media_error(e, status, ERROR_MEDIA, "cannot %s %s", what, r->name);
}

static int source_read(void *opaque, uint8_t *bytes, int size)
{
    struct media_reader *r = opaque;
    ssize_t n;

    do
        n = read(r->fd, bytes, (size_t)size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return AVERROR(errno);
    return n == 0 ? AVERROR_EOF : (int)n;
}

static int64_t source_seek(void *opaque, int64_t offset, int whence)
{
    struct media_reader *r = opaque;
    struct stat st;
    off_t at;

    if (whence == AVSEEK_SIZE)
        return fstat(r->fd, &st) == 0 ? st.st_size : AVERROR(errno);
    at = lseek(r->fd, offset, whence & ~AVSEEK_FORCE);
    return at < 0 ? AVERROR(errno) : at;
}

static int refuse_other_files(AVFormatContext *s, AVIOContext **pb, const char *url, int flags,
                              AVDictionary **options)
{
    (void)s, (void)pb, (void)flags, (void)options;
    media_quiet();
    av_log(NULL, AV_LOG_ERROR, "it refers to another file (%s); give that file itself", url);
    return AVERROR(EPERM);
}

static int open_file(struct media_reader *r, const char *path, struct error *e)
{
    struct stat st;
    uint8_t *buffer;

    r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang us */
    if (r->fd < 0)
        return error_set(e, ERROR_IO, "cannot open %s: %s", r->name, strerror(errno));
    if (fstat(r->fd, &st) != 0)
        return error_set(e, ERROR_IO, "cannot read %s: %s", r->name, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return error_set(e, ERROR_MEDIA, "%s is not a file", r->name);
    if (st.st_size == 0)
        return error_set(e, ERROR_MEDIA, "%s is empty (0 bytes)", r->name);
    buffer = av_malloc(BUFFER_SIZE);
    if (!buffer)
        return error_memory(e);
    r->pb = avio_alloc_context(buffer, BUFFER_SIZE, 0, r, source_read, NULL, source_seek);
    if (!r->pb) {
        av_free(buffer);
        return error_memory(e);
    }
    return 0;
}

static int open_demuxer(struct media_reader *r, struct error *e)
{
    int status;

    r->demuxer = avformat_alloc_context();
    if (!r->demuxer)
        return error_memory(e);
    r->demuxer->pb = r->pb;
    r->demuxer->io_open = refuse_other_files;
    r->demuxer->flags |= AVFMT_FLAG_CUSTOM_IO;
    status = avformat_open_input(&r->demuxer, NULL, NULL, NULL); /* frees demuxer on failure */
    if (status < 0)
        return media_error(e, status, ERROR_MEDIA, "%s is no %s that can be read", r->name,
                           r->type == AVMEDIA_TYPE_AUDIO ? "sound" : "clip or picture");
    status = avformat_find_stream_info(r->demuxer, NULL);
    if (status < 0)
        return fail(r, status, "understand", e);
    status = av_find_best_stream(r->demuxer, r->type, -1, -1, NULL, 0);
    if (status < 0)
        return error_set(e, ERROR_MEDIA, "%s holds no %s", r->name,
                         r->type == AVMEDIA_TYPE_AUDIO ? "sound" : "pictures");
    r->stream = r->demuxer->streams[status];
    for (unsigned i = 0; i < r->demuxer->nb_streams; i++)
        if ((int)i != status)
            r->demuxer->streams[i]->discard = AVDISCARD_ALL;
    return 0;
}

/* Decoders that paint over what a cut file lacks, and tell only at their strictest. Others tell by
 * status or flags; at their strictest they refuse whole files for a bent note in the margin. */
static bool wants_strictness(enum AVCodecID codec)
{
    return codec == AV_CODEC_ID_MJPEG || codec == AV_CODEC_ID_PNG || codec == AV_CODEC_ID_WEBP;
}

static int open_decoder(struct media_reader *r, int threads, struct error *e)
{
    const AVCodec *codec = avcodec_find_decoder(r->stream->codecpar->codec_id);
    int status;

    if (!codec)
        return error_set(e, ERROR_MEDIA, "%s is coded as %s, which this FFmpeg cannot decode",
                         r->name, avcodec_get_name(r->stream->codecpar->codec_id));
    r->decoder = avcodec_alloc_context3(codec);
    if (!r->decoder)
        return error_memory(e);
    status = avcodec_parameters_to_context(r->decoder, r->stream->codecpar);
    r->decoder->thread_count = threads;
    r->decoder->max_pixels = MEDIA_PIXELS_MAX;
    r->decoder->err_recognition = AV_EF_CRCCHECK;
    if (wants_strictness(r->stream->codecpar->codec_id))
        r->decoder->err_recognition |= AV_EF_EXPLODE;
    r->decoder->opaque = &r->damaged;
    r->decoder->pkt_timebase = r->stream->time_base;
    if (status >= 0)
        status = avcodec_open2(r->decoder, codec, NULL);
    return status < 0 ? fail(r, status, "decode", e) : 0;
}

static int open_reader(const char *path, const char *name, enum AVMediaType type, int threads,
                       struct media_reader **out, struct error *e)
{
    struct media_reader *r = calloc(1, sizeof *r);

    media_quiet();
    if (!r)
        return error_memory(e);
    r->fd = -1;
    r->type = type;
    r->name = strdup(name);
    r->packet = av_packet_alloc();
    r->picture = av_frame_alloc();
    if (!r->name || !r->packet || !r->picture) {
        error_memory(e);
        goto failed;
    }
    if (open_file(r, path, e) != 0 || open_demuxer(r, e) != 0 || open_decoder(r, threads, e) != 0)
        goto failed;
    *out = r;
    return 0;
failed:
    media_reader_close(r);
    return -1;
}

int media_reader_open(const char *path, const char *name, int threads, struct media_reader **out,
                      struct error *e)
{
    return open_reader(path, name, AVMEDIA_TYPE_VIDEO, threads, out, e);
}

int media_reader_open_sound(const char *path, const char *name, struct media_reader **out,
                            struct error *e)
{
    return open_reader(path, name, AVMEDIA_TYPE_AUDIO, 1, out, e);
}

/* Gives the decoder one more packet, or tells it that there is none. */
static int feed(struct media_reader *r, struct error *e)
{
    int status;

    do {
        av_packet_unref(r->packet);
        status = av_read_frame(r->demuxer, r->packet);
    } while (status >= 0 && r->packet->stream_index != r->stream->index);
    if (status == AVERROR_EOF) {
        r->flushing = true;
        status = avcodec_send_packet(r->decoder, NULL);
    } else if (status >= 0) {
        status = avcodec_send_packet(r->decoder, r->packet);
    }
    av_packet_unref(r->packet);
    if (status < 0 && status != AVERROR_EOF)
        return fail(r, status, "decode", e);
    return 0;
}

int media_reader_next(struct media_reader *r, AVFrame **picture, struct error *e)
{
    media_quiet();
    for (;;) {
        int status = avcodec_receive_frame(r->decoder, r->picture);

        if (status == AVERROR_EOF || (status == AVERROR(EAGAIN) && r->flushing))
            return 0;
        if (status == AVERROR(EAGAIN)) {
            if (feed(r, e) != 0)
                return -1;
            continue;
        }
        if (status < 0)
            return fail(r, status, "decode", e);
        if (r->picture->decode_error_flags || (r->picture->flags & AV_FRAME_FLAG_CORRUPT) ||
            atomic_load(&r->damaged))
            return error_set(e, ERROR_MEDIA, "%s is damaged: a %s in it cannot be decoded whole",
                             r->name, r->type == AVMEDIA_TYPE_AUDIO ? "sound" : "picture");
        r->picture->pts = r->picture->best_effort_timestamp;
        if (r->picture->pts != AV_NOPTS_VALUE && r->stream->start_time != AV_NOPTS_VALUE)
            r->picture->pts -= r->stream->start_time;
        *picture = r->picture;
        return 1;
    }
}

int media_reader_seek(struct media_reader *r, int64_t pts)
{
    if (r->stream->start_time != AV_NOPTS_VALUE)
        pts += r->stream->start_time;
    if (av_seek_frame(r->demuxer, r->stream->index, pts, AVSEEK_FLAG_BACKWARD) < 0)
        return -1;
    avcodec_flush_buffers(r->decoder);
    r->flushing = false;
    return 0;
}

const AVStream *media_reader_stream(const struct media_reader *r)
{
    return r->stream;
}

const AVFormatContext *media_reader_container(const struct media_reader *r)
{
    return r->demuxer;
}

int media_reader_turns(const struct media_reader *r, const AVFrame *picture, bool *mirrored)
{
    const AVFrameSideData *own = av_frame_get_side_data(picture, AV_FRAME_DATA_DISPLAYMATRIX);
    size_t size = own ? own->size : 0;
    const uint8_t *data = own ? own->data : NULL;
    int32_t matrix[9];
    double degrees;
    int turns;

    *mirrored = false;
    if (!data)
        data = av_stream_get_side_data(r->stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    if (!data || size < sizeof matrix)
        return 0;
    memcpy(matrix, data, sizeof matrix);
    /* A negative determinant is a mirror image; take the mirror out to read the angle. */
    if ((double)matrix[0] * matrix[4] - (double)matrix[1] * matrix[3] < 0) {
        *mirrored = true;
        av_display_matrix_flip(matrix, 1, 0);
    }
    degrees = -av_display_rotation_get(matrix); /* the library counts against the clock */
    if (!isfinite(degrees))
        return 0;
    turns = (int)(lround(degrees / 90) % 4 + 4) % 4;
    /* The matrix turns first and mirrors then; we mirror first, which reverses the turn. */
    return *mirrored ? (4 - turns) % 4 : turns;
}

void media_reader_close(struct media_reader *r)
{
    if (!r)
        return;
    avcodec_free_context(&r->decoder);
    avformat_close_input(&r->demuxer);
    if (r->pb)
        av_freep(&r->pb->buffer);
    avio_context_free(&r->pb);
    if (r->fd >= 0)
        close(r->fd);
    av_packet_free(&r->packet);
    av_frame_free(&r->picture);
    free(r->name);
    free(r);
}
