#include <math.h>

#include "stages/decode/master.h"
#include "stages/decode/sources.h"
#include "stages/media/media.h"
#include "stages/media/reader.h"

/* Container timestamps may be rounded to a millisecond; a frame this close to its time is on it. */
#define ON_TIME 0.0011
/* A clip this far in is sought rather than decoded from its start. */
#define SEEK_FROM 3.0

struct clip {
    const struct shot *shot;
    struct media_reader *file;
    struct picture_reader *converter;
    AVFrame *current, *next;       /* current is on screen, next follows it; empty at the end */
    double start, end, next_start; /* of them, in seconds from the clip's first picture */
    double frame_seconds;          /* of the clip, nominal */
    int64_t count;                 /* pictures read */
    double rest;                   /* next's own duration */
};

static int clip_open(struct clip *c, const struct shot *shot, int threads, struct error *e)
{
    const AVStream *s;
    AVRational rate;

    *c = (struct clip){.shot = shot};
    c->current = av_frame_alloc();
    c->next = av_frame_alloc();
    if (!c->current || !c->next)
        return error_memory(e);
    if (media_reader_open(shot->source.path, shot->source.written, threads, &c->file, e) != 0)
        return -1;
    s = media_reader_stream(c->file);
    rate = s->avg_frame_rate.num > 0 ? s->avg_frame_rate : s->r_frame_rate;
    c->frame_seconds = rate.num > 0 && rate.den > 0 ? av_q2d(av_inv_q(rate)) : 1 / 25.0;
    return 0;
}

static void clip_close(struct clip *c)
{
    av_frame_free(&c->current);
    av_frame_free(&c->next);
    picture_reader_free(c->converter);
    media_reader_close(c->file);
}

/* next becomes current, and the file's next picture becomes next. 1: there is a current one. */
static int clip_advance(struct clip *c, struct error *e)
{
    double tick = av_q2d(media_reader_stream(c->file)->time_base);
    AVFrame *read;
    int got;

    av_frame_unref(c->current);
    av_frame_move_ref(c->current, c->next);
    c->start = c->next_start;
    c->end = c->start + c->rest;
    got = media_reader_next(c->file, &read, e);
    if (got < 0)
        return -1;
    if (got == 1) {
        av_frame_move_ref(c->next, read);
        c->next_start = c->next->pts == AV_NOPTS_VALUE ? (double)c->count * c->frame_seconds
                                                       : (double)c->next->pts * tick;
        c->rest =
            c->next->pkt_duration > 0 ? (double)c->next->pkt_duration * tick : c->frame_seconds;
        c->count++;
    }
    return c->current->buf[0] != NULL;
}

/* Fills current and next with the first pictures. */
static int clip_start(struct clip *c, struct error *e)
{
    if (clip_advance(c, e) < 0 || clip_advance(c, e) < 0)
        return -1;
    if (!c->current->buf[0])
        return error_set(e, ERROR_MEDIA, "%s holds no whole picture", c->shot->source.written);
    return 0;
}

/* At the picture that is on screen at source.in. */
static int clip_begin(struct clip *c, int threads, struct error *e)
{
    double in = c->shot->source.in, tick = av_q2d(media_reader_stream(c->file)->time_base);
    const struct shot *shot = c->shot;

    if (in > SEEK_FROM && media_reader_seek(c->file, (int64_t)(in / tick)) == 0) {
        if (clip_start(c, e) == 0 && c->start <= in + ON_TIME && c->current->pts != AV_NOPTS_VALUE)
            return 0;
        /* The index led to a wrong place or into the middle of a group: read it all. */
        error_clear(e);
        clip_close(c);
        if (clip_open(c, shot, threads, e) != 0)
            return -1;
    }
    return clip_start(c, e);
}

static int too_short(const struct shot *shot, struct rational fps, int have, struct error *e)
{
    char from[48] = "";

    if (shot->source.in > 0)
        snprintf(from, sizeof from, " from %g s on", shot->source.in);
    return error_set(e, ERROR_MEDIA,
                     "%s ends early: it has %d frames at %g frames a second%s, the shot needs %d; "
                     "shorten the shot, begin earlier or take a longer clip",
                     shot->source.written, have, (double)fps.num / fps.den, from, shot->frames);
}

int check_footage(const struct stage_env *env, const struct shot *shot, struct error *e)
{
    struct rational fps = env->board->fps;
    const AVStream *s;
    struct clip c;
    double seconds = 0, have;
    int rc = -1;

    if (clip_open(&c, shot, 1, e) != 0 || clip_start(&c, e) != 0)
        goto done;
    s = media_reader_stream(c.file);
    if (s->duration > 0)
        seconds = (double)s->duration * av_q2d(s->time_base);
    else if (media_reader_container(c.file)->duration > 0)
        seconds = (double)media_reader_container(c.file)->duration / AV_TIME_BASE;
    have = (seconds - shot->source.in) * fps.num / fps.den;
    /* Headers are rough; only a clear lack is certain before the clip has been read. */
    if (seconds > 0 && have < shot->frames - 1)
        rc = too_short(shot, fps, have > 0 ? (int)have : 0, e);
    else
        rc = 0;
done:
    clip_close(&c);
    return rc;
}

/* The clip's current picture on the board. */
static int show(struct clip *c, struct resampler **r, struct picture *scratch,
                struct picture *board, struct error *e)
{
    struct picture p = {0};
    struct placement at;
    AVRational sar = c->current->sample_aspect_ratio;
    double aspect = sar.num > 0 ? av_q2d(sar) : 1;
    bool mirrored;
    int turns = media_reader_turns(c->file, c->current, &mirrored), rc = -1;

    if (!(aspect > 0.1 && aspect < 10))
        aspect = 1;
    if (picture_read(&c->converter, c->current, &p, e) != 0 ||
        picture_turn(&p, turns, mirrored, e) != 0)
        goto done;
    at = place_source(&p, turns & 1 ? 1 / aspect : aspect, c->shot->source.fit, board->width,
                      board->height);
    if (scratch->width != at.width || scratch->height != at.height || !*r) {
        resampler_close(*r);
        *r = NULL;
        if (resampler_open(at.width, at.height, r, e) != 0 ||
            picture_alloc(scratch, at.width, at.height, e) != 0)
            goto done;
    }
    rc = place_picture(*r, &p, at.seen, &at, scratch, board, e);
done:
    picture_free(&p);
    return rc;
}

static int conform(struct clip *c, struct stage_job *job, struct master *m, struct error *e)
{
    struct rational fps = job->env->board->fps;
    struct picture scratch = {0}, board = {0};
    struct resampler *r = NULL;
    bool fresh = true;
    int rc = -1;

    if (picture_alloc(&board, job->env->board->width, job->env->board->height, e) != 0)
        goto done;
    for (int n = 0; n < job->shot->frames; n++) {
        double at = job->shot->source.in + (double)n * fps.den / fps.num;

        while (c->next->buf[0] && c->next_start <= at + ON_TIME) {
            if (clip_advance(c, e) < 0)
                goto done;
            fresh = true;
        }
        if (!c->next->buf[0] && at > c->end - ON_TIME) {
            too_short(job->shot, fps, n, e);
            goto done;
        }
        if (fresh ? show(c, &r, &scratch, &board, e) != 0 || master_add(m, &board, e) != 0
                  : master_repeat(m, e) != 0)
            goto done;
        fresh = false;
    }
    rc = 0;
done:
    resampler_close(r);
    picture_free(&scratch);
    picture_free(&board);
    return rc;
}

int decode_footage(struct stage_job *job, struct error *e)
{
    struct master *m = NULL;
    struct clip c;
    int rc = -1;

    if (clip_open(&c, job->shot, job->env->device.threads, e) == 0 &&
        clip_begin(&c, job->env->device.threads, e) == 0 && master_open(job, &m, e) == 0 &&
        conform(&c, job, m, e) == 0)
        rc = master_finish(m, e);
    master_close(m);
    clip_close(&c);
    return rc;
}
