#include "stages/film/film.h"

#include <math.h>
#include <stdlib.h>

#include "stages/film/check.h"
#include "stages/film/cut.h"
#include "stages/film/soundtrack.h"
#include "stages/media/media.h"
#include "stages/media/writer.h"

/* Bytes of x264 depend on its number of threads. */
enum { X264_THREADS = 4 };

struct rendering {
    const struct film *film;
    int64_t frames, samples; /* in all */
    int64_t heard;           /* samples that are written */
    struct film_ahead *pictures;
    struct soundtrack *sound; /* NULL: none, or it has ended */
    struct media_writer *writer;
    struct print *prints;
};

static int even(double x)
{
    int n = 2 * (int)lround(x / 2);

    return n < 2 ? 2 : n;
}

void film_size(int board_width, int board_height, int *width, int *height)
{
    double by = fmin(1, (double)FILM_SIDE / fmax(board_width, board_height));

    *width = even(board_width * by);
    *height = even(board_height * by);
}

int64_t film_frames(const struct film *f)
{
    int64_t frames = 0;

    for (size_t i = 0; i < f->count; i++)
        frames += f->clips[i].frames;
    return frames;
}

int64_t film_samples(int64_t frames, struct rational fps)
{
    return av_rescale(frames, (int64_t)FILM_RATE * fps.den, fps.num);
}

/* The movie's own clock: edit lists are written in it, and it has to tell a frame of every usual
 * rate and a sample of sound. */
#define MOVIE_CLOCK "240000"

static int open_writer(struct rendering *r, const char *path, struct error *e)
{
    const struct film *f = r->film;
    const struct media_form form = {
        .container = "mp4",
        .encoder = "libx264",
        .encoder_options = "preset=veryfast;profile=high;crf=20;x264-params=cpu-independent=1",
        .muxer_options = "movflags=+faststart+write_colr;movie_timescale=" MOVIE_CLOCK,
        .pixel_format = AV_PIX_FMT_YUV420P,
        .width = f->width,
        .height = f->height,
        .fps = f->fps,
        .threads = X264_THREADS,
        .gop = (f->fps.num + f->fps.den / 2) / f->fps.den,
        .matrix = AVCOL_SPC_BT709,
        .range = AVCOL_RANGE_MPEG,
        .transfer = AVCOL_TRC_BT709,
        .timecode = f->timecode,
        .comment = f->recipe,
        .sound = f->sound != NULL,
    };

    return media_writer_open(path, &form, &r->writer, e);
}

static int rendering_open(struct rendering *r, const struct film *film, const char *path,
                          struct error *e)
{
    *r = (struct rendering){.film = film, .frames = film_frames(film)};
    r->samples = film->sound ? film_samples(r->frames, film->fps) : 0;
    if (r->frames <= 0 || r->frames > INT32_MAX)
        return error_set(e, ERROR_INPUT, "the film has no length that can be rendered");
    r->prints = calloc((size_t)r->frames, sizeof *r->prints);
    if (!r->prints)
        return error_memory(e);
    if (film->sound && soundtrack_open(film->sound, &r->sound, e) != 0)
        return -1;
    if (film_ahead_open(film, &r->pictures, e) != 0)
        return -1;
    return open_writer(r, path, e);
}

static void rendering_close(struct rendering *r)
{
    film_ahead_close(r->pictures);
    soundtrack_close(r->sound);
    media_writer_close(r->writer);
    free(r->prints);
}

/* The next samples of the film: silence behind the sound's own end. */
static AVFrame *samples_of(struct rendering *r, struct error *e)
{
    int64_t left = r->samples - r->heard;
    int count = left < MEDIA_SOUND_FRAME ? (int)left : MEDIA_SOUND_FRAME;
    AVFrame *f = soundtrack_next(r->sound, count, e);

    if (!f)
        return NULL;
    for (int c = 0; c < 2; c++)
        for (int i = f->nb_samples; i < count; i++)
            ((float *)(void *)f->data[c])[i] = 0;
    f->nb_samples = count;
    return f;
}

/* Sound up to the end of so many frames. */
static int put_sound(struct rendering *r, int64_t frames, struct error *e)
{
    int64_t until = film_samples(frames, r->film->fps);

    while (r->heard < r->samples && r->heard < until) {
        AVFrame *f = samples_of(r, e);
        int rc;

        if (!f)
            return -1;
        rc = media_writer_put_sound(r->writer, f, r->heard, e);
        r->heard += f->nb_samples;
        av_frame_free(&f);
        if (rc != 0)
            return -1;
    }
    return 0;
}

static int put_all(struct rendering *r, struct error *e)
{
    const struct film *film = r->film;
    AVFrame *f;
    int64_t n = 0;
    int rc = 0;

    while (rc == 0 && (f = film_ahead_next(r->pictures, e))) {
        if (film->cancelled(film->ctx)) {
            rc = error_set(e, ERROR_CANCELLED, "interrupted");
        } else {
            print_of(f, &r->prints[n]);
            rc = media_writer_put(r->writer, f, n++, e);
        }
        av_frame_free(&f);
        if (rc == 0 && film->sound)
            rc = put_sound(r, n, e);
        if (rc == 0 && film->progress)
            film->progress(film->ctx, n, r->frames);
    }
    if (rc != 0 || e->code != ERROR_NONE)
        return -1;
    return media_writer_finish(r->writer, e);
}

int film_render(const struct film *f, const char *path, struct error *e)
{
    struct rendering r;
    int rc = -1;

    media_quiet();
    error_clear(e);
    if (rendering_open(&r, f, path, e) == 0 && put_all(&r, e) == 0)
        rc = film_check(f, path, r.prints, e);
    rendering_close(&r);
    return rc;
}
