#include "stages/media/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavutil/error.h>
#include <libavutil/mem.h>

enum { BUFFER_SIZE = 1 << 17 };

static int sink_write(void *opaque, uint8_t *bytes, int size)
{
    struct sink *s = opaque;
    int left = size;

    while (left > 0) {
        ssize_t n = write(s->fd, bytes, (size_t)left);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            if (!s->failed)
                s->failed = errno;
            return AVERROR(s->failed);
        }
        bytes += n;
        left -= (int)n;
    }
    return size;
}

static int64_t sink_seek(void *opaque, int64_t offset, int whence)
{
    struct sink *s = opaque;
    int64_t at;

    if (whence == AVSEEK_SIZE) {
        off_t here = lseek(s->fd, 0, SEEK_CUR), end = lseek(s->fd, 0, SEEK_END);

        if (here < 0 || end < 0 || lseek(s->fd, here, SEEK_SET) < 0)
            return AVERROR(errno);
        return end;
    }
    at = lseek(s->fd, offset, whence & ~AVSEEK_FORCE);
    return at < 0 ? AVERROR(errno) : at;
}

int sink_open(struct sink *s, const char *path, struct error *e)
{
    uint8_t *buffer;

    *s = (struct sink){.fd = -1, .path = strdup(path)};
    if (!s->path)
        return error_memory(e);
    s->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (s->fd < 0)
        return error_errno(e, errno, "create", path);
    buffer = av_malloc(BUFFER_SIZE);
    if (!buffer)
        return error_memory(e);
    s->pb = avio_alloc_context(buffer, BUFFER_SIZE, 1, s, NULL, sink_write, sink_seek);
    if (!s->pb) {
        av_free(buffer);
        return error_memory(e);
    }
    return 0;
}

int sink_close(struct sink *s, struct error *e)
{
    int rc = 0;

    avio_flush(s->pb);
    if (!s->failed && s->pb->error < 0)
        s->failed = AVUNERROR(s->pb->error);
    if (close(s->fd) != 0 && !s->failed)
        s->failed = errno;
    s->fd = -1;
    if (s->failed)
        rc = error_errno(e, s->failed, "write", s->path);
    sink_free(s);
    return rc;
}

void sink_free(struct sink *s)
{
    if (s->pb)
        av_freep(&s->pb->buffer);
    avio_context_free(&s->pb);
    if (s->path && s->fd >= 0)
        close(s->fd);
    free(s->path);
    *s = (struct sink){.fd = -1};
}
