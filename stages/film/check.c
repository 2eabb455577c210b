#include "stages/film/check.h"

#include "stages/film/soundtrack.h"
#include "stages/media/writer.h"

/* How far means over cells may move at CRF 20 and this preset, in 8-bit steps: measured 0.9 on
 * pictures and on noise, 2.7 on small flat pictures with wipes. */
static const double TOLERANCE = 6;

/* The film as a job that encode's check knows how to read. */
struct reading {
    struct stage_job job; /* first: callbacks cast back */
    struct stage_env env;
    const struct film *film;
};

static bool cancelled(const struct stage_job *job)
{
    const struct film *f = ((const struct reading *)(const void *)job)->film;

    return f->cancelled(f->ctx);
}

/* A decoder gives whole frames of sound: what the last one has beyond the film is the container's
 * to cut. */
static int check_sound(const struct film *f, const char *path, struct error *e)
{
    int64_t meant = film_samples(film_frames(f), f->fps), decoded = 0;
    struct soundtrack *s;
    int rc = -1, got = 1;

    if (soundtrack_open(path, &s, e) != 0)
        return -1;
    while (got > 0) {
        AVFrame *samples = soundtrack_next(s, FILM_RATE, e);

        if (!samples)
            goto done;
        got = samples->nb_samples;
        decoded += got;
        av_frame_free(&samples);
    }
    if (soundtrack_duration(s) != meant || decoded < meant || decoded >= meant + MEDIA_SOUND_FRAME)
        error_set(e, ERROR_MEDIA,
                  "the film's sound lasts %lld samples (%lld are decoded), its pictures %lld",
                  (long long)soundtrack_duration(s), (long long)decoded, (long long)meant);
    else
        rc = 0;
done:
    soundtrack_close(s);
    return rc;
}

int film_check(const struct film *f, const char *path, const struct print *prints, struct error *e)
{
    struct reading r = {.film = f};
    const struct delivery d = {
        .path = path,
        .pixel_format = AV_PIX_FMT_YUV420P,
        .width = f->width,
        .height = f->height,
        .frames = (int)film_frames(f),
        .fps = f->fps,
        .timecode = f->timecode,
        .tolerance = TOLERANCE,
        .prints = prints,
    };

    double worst = 0;

    r.env.device.threads = f->threads;
    r.job = (struct stage_job){.env = &r.env, .cancelled = cancelled};
    if (verify_film(&r.job, &d, &worst, e) != 0)
        return -1;
    return f->sound ? check_sound(f, path, e) : 0;
}
