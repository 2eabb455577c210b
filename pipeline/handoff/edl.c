/* CMX 3600: one track of pictures and two of sound, cuts, dissolves and wipes, timecode. Columns as
 * the format's users print them: event, reel, channel, kind of edit and its frames, source in and
 * out, record in and out.
 *
 * A dissolve is two lines under one number: the clip that goes, for no frames at all, and the clip
 * that comes, whose source and record times begin where the dissolve does. A fade is a dissolve to
 * black (reel BL) and one from it, each as long as its side of the cut. */
#include <stdlib.h>

#include "kernels/base/strbuf.h"
#include "pipeline/handoff/timeline.h"

struct edl {
    const struct timeline *t;
    struct strbuf text;
    int event;
    int64_t at; /* record time of the clip in hand, from the film's first frame */
};

/* One line: `frames` of a medium from `in` on (a medium's own timecode), recorded at `at`. */
static void line(struct edl *x, const char *reel, const char *channel, const char *edit, int64_t in,
                 int64_t at, int64_t frames)
{
    const int64_t times[4] = {in, in + frames, x->t->start + at, x->t->start + at + frames};
    char text[TIMECODE_SIZE];

    strbuf_addf(&x->text, "%03d  %-8s %-5s %-8s", x->event, reel, channel, edit);
    for (int i = 0; i < 4; i++) {
        timecode_format(times[i], x->t->fps, x->t->drop, text);
        strbuf_addf(&x->text, " %s", text);
    }
    strbuf_add(&x->text, "\n");
}

static void add_line(struct edl *x, const char *value)
{
    for (; *value; value++)
        strbuf_addn(&x->text, *value == '\n' || *value == '\r' ? " " : value, 1);
    strbuf_add(&x->text, "\n");
}

static void comment(struct edl *x, const char *what, const char *value)
{
    strbuf_addf(&x->text, "* %s: ", what);
    add_line(x, value);
}

static const char *reel_of(const struct clip *c)
{
    return c && c->medium ? c->medium->reel : "BL";
}

static int64_t source_of(const struct clip *c)
{
    return c && c->medium ? c->medium->timecode + c->in : 0;
}

static void add_comments(struct edl *x, const struct clip *before, const struct clip *c)
{
    char timecode[TIMECODE_SIZE];

    if (before && before->medium)
        comment(x, "FROM CLIP NAME", before->name);
    if (c->medium) {
        comment(x, before ? "TO CLIP NAME" : "FROM CLIP NAME", c->name);
        comment(x, "SOURCE FILE", c->medium->path);
    }
    for (size_t i = 0; i < c->marker_count; i++) {
        timecode_format(x->t->start + x->at + c->markers[i].at, x->t->fps, x->t->drop, timecode);
        strbuf_addf(&x->text, "* LOC: %s GREEN   ", timecode);
        add_line(x, *c->markers[i].text ? c->markers[i].text : c->markers[i].name);
    }
}

/* From one clip (NULL: black) to the next over `frames`, which begin at `at`; the next then runs
 * for `rest` frames more. `into` is how far into the next one's medium the transition begins. */
static void mix(struct edl *x, const struct clip *from, int64_t from_source, const struct clip *to,
                int64_t to_source, const char *kind, int64_t frames, int64_t at, int64_t length,
                const char *channel)
{
    char edit[16];

    x->event++;
    line(x, reel_of(from), channel, "C", from_source, at, 0);
    snprintf(edit, sizeof edit, "%-4s %03d", kind, (int)frames);
    line(x, reel_of(to), channel, edit, to_source, at, length);
}

/* A clip, up to where the transition into the next begins. */
static void add_clip(struct edl *x, const struct track *track, size_t i, const char *channel)
{
    const struct clip *c = &track->clips[i], *before = i ? c - 1 : NULL;
    const struct transition *in = &c->from;
    int64_t leaving = i + 1 < track->count ? c[1].from.before : 0;
    int64_t source = source_of(c), end = x->at + c->frames - leaving;

    switch (in->kind) {
    case TRANSITION_CUT:
        if (c->medium) {
            x->event++;
            line(x, reel_of(c), channel, "C", source, x->at, end - x->at);
        }
        break;
    case TRANSITION_FADE: /* down to black, up from it */
        if (in->before)
            mix(x, before, before ? source_of(before) + before->frames - in->before : 0, NULL, 0,
                "D", in->before, x->at - in->before, in->before, channel);
        mix(x, NULL, 0, c, source, "D", in->after, x->at, end - x->at, channel);
        break;
    default:
        mix(x, before, before ? source_of(before) + before->frames - in->before : 0, c,
            source - in->before, in->kind == TRANSITION_WIPE ? "W001" : "D", in->before + in->after,
            x->at - in->before, end - x->at + in->before, channel);
    }
    add_comments(x, in->kind == TRANSITION_CUT ? NULL : before, c);
    x->at += c->frames;
}

static void add_track(struct edl *x, const struct track *track, const char *channel)
{
    x->at = 0;
    for (size_t i = 0; i < track->count; i++)
        add_clip(x, track, i, channel);
}

char *timeline_edl(const struct timeline *t, struct error *e)
{
    static const char *const sounds[] = {"A", "A2"};
    struct edl x = {.t = t};
    size_t pictures = 0, sound = 0;
    char *text;

    strbuf_addf(&x.text, "TITLE: %s\nFCM: %s\n\n", t->name,
                t->drop ? "DROP FRAME" : "NON-DROP FRAME");
    for (size_t i = 0; i < t->count; i++) {
        if (t->tracks[i].sound && sound < sizeof sounds / sizeof sounds[0])
            add_track(&x, &t->tracks[i], sounds[sound++]);
        else if (!t->tracks[i].sound && pictures++ == 0)
            add_track(&x, &t->tracks[i], "V");
    }
    text = strbuf_take(&x.text);
    if (!text)
        error_memory(e);
    return text;
}
