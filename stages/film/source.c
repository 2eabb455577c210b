#include "stages/film/source.h"

#include <stdlib.h>
#include <string.h>

#include "stages/film/fit.h"
#include "stages/film/lettering.h"
#include "stages/media/media.h"
#include "stages/media/reader.h"

struct film_source {
    const struct film_clip *clip;
    struct rational fps;
    struct media_reader *file; /* NULL: a gap */
    AVFrame *card;             /* all that a gap shows */
    struct fitter fitter;
    int64_t at; /* the frame that is wanted next */
};

AVFrame *film_black(const struct film *film, struct error *e)
{
    AVFrame *f = media_frame_new(AV_PIX_FMT_YUV420P, film->width, film->height, e);

    for (int p = 0; f && p < 3; p++)
        memset(f->data[p], p ? 128 : 16,
               (size_t)f->linesize[p] * (size_t)(p ? film->height / 2 : film->height));
    return f;
}

/* Black, with what is missing; black alone where the font is missing too. */
static int make_card(struct film_source *s, const struct film *film, struct error *e)
{
    AVFrame *rgb = media_frame_new(AV_PIX_FMT_RGB24, film->width, film->height, e);
    double em = film->height * 0.07;
    int x = film->width / 20, width = film->width - 2 * x;
    const struct label labels[] = {
        {x, (int)(film->height / 2 - 1.3 * em), width, 1, em, true, true, 0xD8DCE0, s->clip->name},
        {x, film->height / 2, width, 1, em * 0.6, false, true, 0x9AA1A8, "not delivered"},
    };
    int rc = -1;

    if (!rgb)
        return -1;
    memset(rgb->data[0], 0, (size_t)rgb->linesize[0] * (size_t)rgb->height);
    rc = lettering_draw(rgb, labels, 2, e);
    if (rc != 0 && e->code == ERROR_MEDIA) {
        error_clear(e);
        rc = 0;
    }
    if (rc == 0) {
        s->card = fitter_fit(&s->fitter, rgb, e);
        rc = s->card ? 0 : -1;
    }
    av_frame_free(&rgb);
    return rc;
}

/* A stretch that is thrown away costs decoding; going to a key frame saves that of a long one. */
static void skip_ahead(struct film_source *s, int64_t first)
{
    const AVStream *stream = media_reader_stream(s->file);

    if (first * s->fps.den > (int64_t)2 * s->fps.num)
        media_reader_seek(s->file,
                          av_rescale_q(first, av_inv_q(media_rational(s->fps)), stream->time_base));
}

int film_source_open(const struct film *film, const struct film_clip *clip, int64_t first,
                     struct film_source **out, struct error *e)
{
    struct film_source *s = calloc(1, sizeof *s);
    int rc;

    if (!s)
        return error_memory(e);
    *s = (struct film_source){.clip = clip, .fps = film->fps, .at = first};
    s->fitter =
        (struct fitter){.format = AV_PIX_FMT_YUV420P, .width = film->width, .height = film->height};
    if (clip->path) {
        rc = media_reader_open(clip->path, clip->path, film->threads, &s->file, e);
        if (rc == 0)
            skip_ahead(s, first);
    } else {
        rc = make_card(s, film, e);
    }
    if (rc != 0) {
        error_wrap(e, "shot %s", clip->name);
        film_source_close(s);
        return -1;
    }
    *out = s;
    return 0;
}

void film_source_close(struct film_source *s)
{
    if (!s)
        return;
    media_reader_close(s->file);
    av_frame_free(&s->card);
    fitter_close(&s->fitter);
    free(s);
}

/* The file's picture of frame s->at, the reader's own. */
static int find(struct film_source *s, AVFrame **picture, struct error *e)
{
    AVRational base = media_reader_stream(s->file)->time_base;
    AVRational frame = av_inv_q(media_rational(s->fps));
    int got;

    while ((got = media_reader_next(s->file, picture, e)) == 1) {
        int64_t n = av_rescale_q((*picture)->pts, base, frame);

        if (n == s->at)
            return 0;
        if (n > s->at || (*picture)->pts == AV_NOPTS_VALUE)
            return error_set(e, ERROR_MEDIA, "%s has no frame %lld: make the shot again",
                             s->clip->path, (long long)s->at);
    }
    return got < 0 ? -1
                   : error_set(e, ERROR_MEDIA,
                               "%s ends before frame %lld, which the timeline asks for: make the "
                               "shot again",
                               s->clip->path, (long long)s->at);
}

AVFrame *film_source_next(struct film_source *s, struct error *e)
{
    AVFrame *picture = s->card, *out = NULL;

    if (s->file && find(s, &picture, e) != 0)
        goto failed;
    s->at++;
    if (fitter_fits(&s->fitter, picture)) {
        out = av_frame_clone(picture);
        if (!out)
            error_memory(e);
    } else {
        out = fitter_fit(&s->fitter, picture, e);
    }
    if (out)
        return out;
failed:
    error_wrap(e, "shot %s", s->clip->name);
    return NULL;
}
