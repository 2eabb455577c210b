#include "stages/film/cut.h"

#include <stdlib.h>

#include "stages/film/fit.h"
#include "stages/film/mix.h"
#include "stages/film/source.h"
#include "stages/media/media.h"

struct film_cut {
    const struct film *film;
    size_t clip;
    int64_t at;                               /* frames of the clip that are done */
    struct film_source *before, *now, *after; /* of the clip before, this one, the next */
    AVFrame *black;
    struct mix_weights weights;
};

/* Whether both pictures are seen in it. */
static bool overlaps(const struct film_clip *c)
{
    return c->kind == TRANSITION_DISSOLVE || c->kind == TRANSITION_WIPE;
}

int film_cut_open(const struct film *film, struct film_cut **out, struct error *e)
{
    struct film_cut *c = calloc(1, sizeof *c);

    if (!c)
        return error_memory(e);
    c->film = film;
    c->black = film_black(film, e);
    if (!c->black || mix_weights_open(&c->weights, film->width, e) != 0) {
        film_cut_close(c);
        return -1;
    }
    *out = c;
    return 0;
}

void film_cut_close(struct film_cut *c)
{
    if (!c)
        return;
    film_source_close(c->before);
    film_source_close(c->now);
    film_source_close(c->after);
    av_frame_free(&c->black);
    mix_weights_close(&c->weights);
    free(c);
}

static int open_clip(struct film_cut *c, size_t i, struct film_source **out, struct error *e)
{
    const struct film_clip *clip = &c->film->clips[i];

    return film_source_open(c->film, clip, clip->in - (overlaps(clip) ? clip->before : 0), out, e);
}

static void next_clip(struct film_cut *c)
{
    film_source_close(c->before);
    c->before = c->now;
    c->now = c->after;
    c->after = NULL;
    c->clip++;
    c->at = 0;
}

/* A source's next picture; none: black. */
static AVFrame *picture_of(struct film_cut *c, struct film_source *s, struct error *e)
{
    AVFrame *f = s ? film_source_next(s, e) : av_frame_clone(c->black);

    if (!f && !s)
        error_memory(e);
    return f;
}

/* One frame of a transition, of which `share` is over at its middle. */
static AVFrame *mixed(struct film_cut *c, struct film_source *from, struct film_source *to,
                      enum transition_kind kind, double share, struct error *e)
{
    const struct film *film = c->film;
    AVFrame *a = picture_of(c, from, e), *b = a ? picture_of(c, to, e) : NULL;
    AVFrame *out = b ? media_frame_new(AV_PIX_FMT_YUV420P, film->width, film->height, e) : NULL;

    if (out) {
        if (kind == TRANSITION_WIPE)
            mix_edge(&c->weights, share, WIPE_SOFT);
        else
            mix_evenly(&c->weights, share);
        mix_pictures(a, b, &c->weights, out);
    }
    av_frame_free(&a);
    av_frame_free(&b);
    return out;
}

/* Frame `at` of the transition into `clip`, which comes from `from` and leads to `to`. */
static AVFrame *transition(struct film_cut *c, const struct film_clip *clip,
                           struct film_source *from, struct film_source *to, int64_t at,
                           struct error *e)
{
    double middle = (double)at + 0.5;

    if (overlaps(clip))
        return mixed(c, from, to, clip->kind, middle / (double)(clip->before + clip->after), e);
    if (at < clip->before)
        return mixed(c, from, NULL, clip->kind, middle / (double)clip->before, e);
    return mixed(c, NULL, to, clip->kind, (middle - (double)clip->before) / (double)clip->after, e);
}

AVFrame *film_cut_next(struct film_cut *c, struct error *e)
{
    const struct film *film = c->film;
    const struct film_clip *clip, *next;
    int64_t at, left;

    while (c->clip < film->count && c->at == film->clips[c->clip].frames)
        next_clip(c);
    if (c->clip == film->count)
        return NULL;
    clip = &film->clips[c->clip];
    next = c->clip + 1 < film->count ? clip + 1 : NULL;
    if (!c->now && open_clip(c, c->clip, &c->now, e) != 0)
        return NULL;
    at = c->at++;
    left = clip->frames - at;
    if (at < clip->after)
        return transition(c, clip, c->before, c->now, clip->before + at, e);
    film_source_close(c->before); /* seen for the last time */
    c->before = NULL;
    if (!next || left > next->before)
        return picture_of(c, c->now, e);
    if (overlaps(next) && !c->after && open_clip(c, c->clip + 1, &c->after, e) != 0)
        return NULL;
    return transition(c, next, c->now, c->after, next->before - left, e);
}
