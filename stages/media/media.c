#include "stages/media/media.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/avstring.h>
#include <libavutil/error.h>
#include <libavutil/log.h>

#include "kernels/base/hash.h"

static _Thread_local char last_line[240];

void media_complain(const char *line)
{
    size_t n;

    snprintf(last_line, sizeof last_line, "%s", line);
    n = strlen(last_line);
    while (n && (last_line[n - 1] == '\n' || last_line[n - 1] == ' ' || last_line[n - 1] == '.'))
        last_line[--n] = '\0';
}

static void remember(void *object, int level, const char *format, va_list args)
{
    char line[sizeof last_line];

    if (level > AV_LOG_ERROR)
        return;
    vsnprintf(line, sizeof line, format, args);
    media_complain(line);
    /* FFV1 paints over a slice whose checksum is wrong, and only the log tells. */
    if (object && *(const AVClass **)object == avcodec_get_class() &&
        ((AVCodecContext *)object)->opaque && strstr(line, "CRC mismatch"))
        atomic_store((atomic_bool *)((AVCodecContext *)object)->opaque, true);
}

static void install(void)
{
    av_log_set_callback(remember);
}

void media_quiet(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, install);
    last_line[0] = '\0';
}

const char *media_complaint(void)
{
    return last_line;
}

int media_error(struct error *e, int status, enum error_code code, const char *format, ...)
{
    char what[400], why[AV_ERROR_MAX_STRING_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (status == AVERROR(ENOMEM))
        return error_set(e, ERROR_MEMORY, "%s: out of memory", what);
    if (status == AVERROR(ENOSPC) || status == AVERROR(EDQUOT))
        return error_set(e, ERROR_SPACE, "%s: %s", what, strerror(AVUNERROR(status)));
    av_strerror(status, why, sizeof why);
    return error_set(e, code, "%s: %s", what, last_line[0] ? last_line : why);
}

void media_timecode(const struct board *b, int64_t frame, char out[TIMECODE_SIZE])
{
    const struct deliver *d = &b->deliver;

    timecode_format(d->start - d->handles + frame, b->fps, d->drop, out);
}

/* What EDLs call black, bars and a source without a reel. */
static bool is_reserved(const char *reel)
{
    static const char *const names[] = {"BL", "BLACK", "BARS", "AX"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(reel, names[i]) == 0)
            return true;
    return false;
}

void media_reel(const char *id, char out[MEDIA_REEL_SIZE])
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_-";
    enum { KEPT = 3, BASE = 36 };
    char capitals[256];
    size_t n = 0;
    uint64_t hash = 0;
    struct hash128 full;

    for (; id[n] && n + 1 < sizeof capitals; n++)
        capitals[n] = (char)av_toupper(id[n]);
    capitals[n] = '\0';
    if (n < MEDIA_REEL_SIZE && strspn(capitals, letters) == n && !is_reserved(capitals)) {
        memcpy(out, capitals, n + 1);
        return;
    }
    full = hash_bytes(capitals, n); /* two ids of a board differ by more than capitals */
    for (size_t i = 0; i < sizeof hash; i++)
        hash = hash << 8 | full.bytes[i];
    for (int i = 0; i < KEPT; i++)
        out[i] = (size_t)i < n && strchr(letters, capitals[i]) ? capitals[i] : '_';
    for (int i = KEPT; i < MEDIA_REEL_SIZE - 1; i++, hash /= BASE)
        out[i] = letters[hash % BASE];
    out[MEDIA_REEL_SIZE - 1] = '\0';
}

AVFrame *media_frame_new(enum AVPixelFormat format, int width, int height, struct error *e)
{
    AVFrame *f = av_frame_alloc();

    if (f) {
        f->format = format;
        f->width = width;
        f->height = height;
    }
    if (!f || av_frame_get_buffer(f, 0) < 0) {
        av_frame_free(&f);
        error_memory(e);
    }
    return f;
}
