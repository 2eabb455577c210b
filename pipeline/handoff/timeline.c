#include "pipeline/handoff/timeline.h"

int64_t track_frames(const struct track *t)
{
    int64_t frames = 0;

    for (size_t i = 0; i < t->count; i++)
        frames += t->clips[i].frames;
    return frames;
}

int64_t timeline_frames(const struct timeline *t)
{
    int64_t most = 0;

    for (size_t i = 0; i < t->count; i++)
        if (track_frames(&t->tracks[i]) > most)
            most = track_frames(&t->tracks[i]);
    return most;
}

/* Whether a medium has so many frames before and after what a clip uses of it. */
static int has(const struct clip *c, int64_t before, int64_t after, struct error *e)
{
    if (!c->medium)
        return 0;
    if (c->in < before)
        return error_set(e, ERROR_INPUT,
                         "shot %s: the transition into it needs %lld frames before its first, and "
                         "its file has %lld: shorten the transition",
                         c->name, (long long)before, (long long)c->in);
    if (c->in + c->frames + after > c->medium->frames)
        return error_set(e, ERROR_INPUT,
                         "shot %s: what follows it needs %lld frames of it from frame %lld on, and "
                         "its file has %lld: shorten the transition",
                         c->name, (long long)(c->frames + after), (long long)c->in,
                         (long long)c->medium->frames);
    return 0;
}

static int track_fits(const struct track *t, struct error *e)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct clip *c = &t->clips[i];
        int64_t after = i + 1 < t->count ? t->clips[i + 1].from.after : 0;
        int64_t leaving = i + 1 < t->count ? t->clips[i + 1].from.before : 0;

        if (c->frames <= 0 || c->in < 0)
            return error_set(e, ERROR_INTERNAL, "shot %s: an empty clip", c->name);
        if (c->from.after + leaving > c->frames)
            return error_set(e, ERROR_INPUT,
                             "shot %s: the transitions at its two ends need %lld frames, it has "
                             "%lld: shorten them",
                             c->name, (long long)(c->from.after + leaving), (long long)c->frames);
        if (has(c, c->from.before, after, e) != 0)
            return -1;
    }
    return 0;
}

int timeline_fits(const struct timeline *t, struct error *e)
{
    for (size_t i = 0; i < t->count; i++)
        if (track_fits(&t->tracks[i], e) != 0)
            return -1;
    return 0;
}
