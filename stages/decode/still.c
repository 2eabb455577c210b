#include <math.h>

#include "stages/decode/master.h"
#include "stages/decode/sources.h"
#include "stages/media/media.h"
#include "stages/media/reader.h"

/* The picture of a file, upright. */
static int load(const struct shot *shot, struct picture *p, double *aspect, struct error *e)
{
    struct picture_reader *converter = NULL;
    struct media_reader *file = NULL;
    AVFrame *frame;
    bool mirrored;
    int rc = -1, turns;

    if (media_reader_open(shot->source.path, shot->source.written, 1, &file, e) != 0)
        return -1;
    rc = media_reader_next(file, &frame, e);
    if (rc == 0)
        error_set(e, ERROR_MEDIA, "%s holds no whole picture", shot->source.written);
    if (rc <= 0) {
        rc = -1;
        goto done;
    }
    turns = media_reader_turns(file, frame, &mirrored);
    *aspect = frame->sample_aspect_ratio.num > 0 ? av_q2d(frame->sample_aspect_ratio) : 1;
    if (!(*aspect > 0.1 && *aspect < 10))
        *aspect = 1;
    if (turns & 1)
        *aspect = 1 / *aspect;
    rc = picture_read(&converter, frame, p, e);
    if (rc == 0)
        rc = picture_turn(p, turns, mirrored, e);
    if (rc != 0)
        error_wrap(e, "%s", shot->source.written);
done:
    picture_reader_free(converter);
    media_reader_close(file);
    return rc;
}

int check_still(const struct shot *shot, struct error *e)
{
    struct picture p = {0};
    double aspect;
    int rc = load(shot, &p, &aspect, e);

    picture_free(&p);
    return rc;
}

/* A picture much larger than needed is brought down once, so that every frame costs little: to two
 * samples an output pixel where the move comes closest. */
static int reduce(struct picture *p, const struct shot *shot, struct placement *at, double aspect,
                  const struct board *b, struct error *e)
{
    double closest = 1 - shot->source.amount;
    double most = 2 * at->width / (at->seen.width * fmin(closest, 1 / (1 + shot->source.amount)));
    double most_down =
        2 * at->height / (at->seen.height * fmin(closest, 1 / (1 + shot->source.amount)));
    int width = (int)ceil(p->width * most), height = (int)ceil(p->height * most_down);
    struct resampler *r = NULL;
    struct picture small = {0};
    int rc = -1;

    if (width >= p->width || height >= p->height)
        return 0;
    if (resampler_open(width, height, &r, e) == 0 &&
        resample(r, p, (struct window){0, 0, p->width, p->height}, &small, e) == 0) {
        aspect *= (double)p->width / p->height * height / width;
        picture_free(p);
        *p = small;
        small = (struct picture){0};
        *at = place_source(p, aspect, shot->source.fit, b->width, b->height);
        rc = 0;
    }
    resampler_close(r);
    picture_free(&small);
    return rc;
}

static int render(struct stage_job *job, const struct picture *p, const struct placement *at,
                  struct master *m, struct error *e)
{
    const struct board *b = job->env->board;
    const struct source *s = &job->shot->source;
    struct picture scratch = {0}, board = {0};
    struct resampler *r = NULL;
    int rc = -1, last = job->shot->frames - 1;
    bool moves = s->move != MOVE_NONE && s->amount > 0;

    if (resampler_open(at->width, at->height, &r, e) != 0 ||
        picture_alloc(&board, b->width, b->height, e) != 0)
        goto done;
    for (int n = 0; n <= last; n++) {
        double t = last > 0 ? (double)n / last : 0;
        struct window w = still_window(p, at->seen, s->move, s->amount, t);

        if (n > 0 && !moves) {
            if (master_repeat(m, e) != 0)
                goto done;
            continue;
        }
        if (place_picture(r, p, w, at, &scratch, &board, e) != 0 || master_add(m, &board, e) != 0)
            goto done;
    }
    rc = 0;
done:
    resampler_close(r);
    picture_free(&scratch);
    picture_free(&board);
    return rc;
}

int decode_still(struct stage_job *job, struct error *e)
{
    const struct board *b = job->env->board;
    struct picture p = {0};
    struct master *m = NULL;
    struct placement at;
    double aspect;
    int rc = -1;

    if (load(job->shot, &p, &aspect, e) != 0)
        goto done;
    at = place_source(&p, aspect, job->shot->source.fit, b->width, b->height);
    if (reduce(&p, job->shot, &at, aspect, b, e) != 0 || master_open(job, &m, e) != 0 ||
        render(job, &p, &at, m, e) != 0)
        goto done;
    rc = master_finish(m, e);
done:
    master_close(m);
    picture_free(&p);
    return rc;
}
