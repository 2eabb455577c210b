/* Final Cut Pro 7's interchange XML, version 5 (Apple, "Final Cut Pro XML Interchange Format"), as
 * Premiere Pro and Resolve read it.
 *
 * A clip item's `in` and `out` count from its file's first frame. Beside a transition its `start`
 * or `end` is -1, and `in` or `out` is where the transition begins or ends. A file is described
 * where it is first used and named by its id after that. */
#include <stdlib.h>

#include "pipeline/handoff/media_url.h"
#include "pipeline/handoff/timeline.h"
#include "pipeline/handoff/xml.h"

struct fcp7 {
    const struct timeline *t;
    struct xml xml;
    int items;
};

static int timebase(const struct timeline *t)
{
    return (t->fps.num + t->fps.den - 1) / t->fps.den;
}

static void add_rate(struct fcp7 *x)
{
    xml_open(&x->xml, "rate");
    xml_number(&x->xml, "timebase", timebase(x->t));
    xml_text(&x->xml, "ntsc", x->t->fps.den == 1001 ? "TRUE" : "FALSE");
    xml_close(&x->xml);
}

/* reel: NULL for none. */
static void add_timecode(struct fcp7 *x, int64_t frame, const char *reel)
{
    char text[TIMECODE_SIZE];

    timecode_format(frame, x->t->fps, x->t->drop, text);
    xml_open(&x->xml, "timecode");
    add_rate(x);
    xml_text(&x->xml, "string", text);
    xml_number(&x->xml, "frame", frame);
    xml_text(&x->xml, "displayformat", x->t->drop ? "DF" : "NDF");
    if (reel) {
        xml_open(&x->xml, "reel");
        xml_text(&x->xml, "name", reel);
        xml_close(&x->xml);
    }
    xml_close(&x->xml);
}

static void add_picture_form(struct fcp7 *x)
{
    xml_open(&x->xml, "samplecharacteristics");
    add_rate(x);
    xml_number(&x->xml, "width", x->t->width);
    xml_number(&x->xml, "height", x->t->height);
    xml_text(&x->xml, "anamorphic", "FALSE");
    xml_text(&x->xml, "pixelaspectratio", "square");
    xml_text(&x->xml, "fielddominance", "none");
    xml_close(&x->xml);
}

static void add_sound_form(struct fcp7 *x)
{
    xml_open(&x->xml, "samplecharacteristics");
    xml_number(&x->xml, "depth", 24);
    xml_number(&x->xml, "samplerate", 48000);
    xml_close(&x->xml);
}

/* Whether a clip before this one uses the same medium. */
static bool used_before(const struct timeline *t, const struct clip *c)
{
    for (size_t i = 0; i < t->count; i++)
        for (size_t k = 0; k < t->tracks[i].count; k++) {
            if (&t->tracks[i].clips[k] == c)
                return false;
            if (t->tracks[i].clips[k].medium == c->medium)
                return true;
        }
    return false;
}

/* A name for the medium: the place of the clip that used it first. */
static int number_of(const struct timeline *t, const struct medium *m)
{
    int n = 1;

    for (size_t i = 0; i < t->count; i++)
        for (size_t k = 0; k < t->tracks[i].count; k++, n++)
            if (t->tracks[i].clips[k].medium == m)
                return n;
    return 0;
}

static void add_file(struct fcp7 *x, const struct clip *c, bool again)
{
    const struct medium *m = c->medium;
    const char *slash = m->path;
    char *url;

    xml_open(&x->xml, "file");
    xml_attribute(&x->xml, "id", "file-%d", number_of(x->t, m));
    if (!again && !used_before(x->t, c)) {
        for (const char *s = m->path; *s; s++)
            if (*s == '/')
                slash = s + 1;
        url = media_url_absolute(x->t, m, "localhost");
        x->xml.failed |= !url;
        xml_text(&x->xml, "name", slash);
        xml_text(&x->xml, "pathurl", url ? url : "");
        free(url);
        add_rate(x);
        xml_number(&x->xml, "duration", m->frames);
        add_timecode(x, m->timecode, m->reel);
        xml_open(&x->xml, "media");
        if (m->video) {
            xml_open(&x->xml, "video");
            add_picture_form(x);
            xml_close(&x->xml);
        }
        if (m->sound) {
            xml_open(&x->xml, "audio");
            add_sound_form(x);
            xml_number(&x->xml, "channelcount", 2);
            xml_close(&x->xml);
        }
        xml_close(&x->xml);
    }
    xml_close(&x->xml);
}

static void add_markers(struct fcp7 *x, const struct clip *c)
{
    for (size_t i = 0; i < c->marker_count; i++) {
        xml_open(&x->xml, "marker");
        xml_text(&x->xml, "comment", c->markers[i].text);
        xml_text(&x->xml, "name", c->markers[i].name);
        xml_number(&x->xml, "in", c->in + c->markers[i].at);
        xml_number(&x->xml, "out", -1);
        xml_close(&x->xml);
    }
}

/* Of a stereo sound each channel is a track of its own, as Premiere Pro and Final Cut have it; its
 * clip items are linked, so that they move as one. */
enum { CHANNELS = 2 };
struct channel {
    int track, number; /* the first channel's track, from 1; which of its channels */
    int item;          /* its clip items so far */
};

static void add_links(struct fcp7 *x, const struct channel *c)
{
    for (int i = 0; i < CHANNELS; i++) {
        char item[40];

        snprintf(item, sizeof item, "sound-%d-%d", c->track + i, c->item);
        xml_open(&x->xml, "link");
        xml_text(&x->xml, "linkclipref", item);
        xml_text(&x->xml, "mediatype", "audio");
        xml_number(&x->xml, "trackindex", c->track + i);
        xml_number(&x->xml, "clipindex", c->item);
        xml_number(&x->xml, "groupindex", 1);
        xml_close(&x->xml);
    }
}

static void add_source_track(struct fcp7 *x, int channel)
{
    xml_open(&x->xml, "sourcetrack");
    xml_text(&x->xml, "mediatype", "audio");
    xml_number(&x->xml, "trackindex", channel + 1);
    xml_close(&x->xml);
}

static void add_clip(struct fcp7 *x, const struct clip *c, const struct transition *next,
                     int64_t at, struct channel *channel)
{
    bool first = c->from.kind == TRANSITION_CUT, last = !next || next->kind == TRANSITION_CUT;

    if (!c->medium)
        return;
    xml_open(&x->xml, "clipitem");
    if (channel) {
        xml_attribute(&x->xml, "id", "sound-%d-%d", channel->track + channel->number,
                      ++channel->item);
        xml_attribute(&x->xml, "premiereChannelType", "stereo");
    } else {
        xml_attribute(&x->xml, "id", "clipitem-%d", ++x->items);
    }
    xml_text(&x->xml, "name", c->name);
    xml_text(&x->xml, "enabled", "TRUE");
    xml_number(&x->xml, "duration", c->medium->frames);
    add_rate(x);
    xml_number(&x->xml, "start", first ? at : -1);
    xml_number(&x->xml, "end", last ? at + c->frames : -1);
    xml_number(&x->xml, "in", c->in - (first ? 0 : c->from.before));
    xml_number(&x->xml, "out", c->in + c->frames + (last ? 0 : next->after));
    if (c->medium->alpha)
        xml_text(&x->xml, "alphatype", "straight");
    add_file(x, c, channel && channel->number > 0);
    if (channel)
        add_source_track(x, channel->number);
    add_markers(x, c);
    if (channel)
        add_links(x, channel);
    xml_close(&x->xml);
}

/* A transition from or to nothing is one of black's. */
static const char *alignment_of(const struct transition *t, const struct clip *before,
                                const struct clip *after)
{
    if (t->before == 0)
        return before && before->medium ? "start" : "start-black";
    if (t->after == 0)
        return after->medium ? "end" : "end-black";
    return "center";
}

/* Into a clip; `before`: the one before it, NULL for none; `at`: of the cut between them. */
static void add_transition(struct fcp7 *x, const struct clip *before, const struct clip *c,
                           int64_t at)
{
    static const struct {
        const char *name, *id;
    } effects[] = {
        [TRANSITION_CUT] = {"", ""},
        [TRANSITION_DISSOLVE] = {"Cross Dissolve", "Cross Dissolve"},
        [TRANSITION_FADE] = {"Dip to Color Dissolve", "Dip to Color Dissolve"},
        [TRANSITION_WIPE] = {"Edge Wipe", "Edge Wipe"},
    };

    const struct transition *transition = &c->from;

    if (transition->kind == TRANSITION_CUT)
        return;
    xml_open(&x->xml, "transitionitem");
    add_rate(x);
    xml_number(&x->xml, "start", at - transition->before);
    xml_number(&x->xml, "end", at + transition->after);
    xml_text(&x->xml, "alignment", alignment_of(transition, before, c));
    xml_open(&x->xml, "effect");
    xml_text(&x->xml, "name", effects[transition->kind].name);
    xml_text(&x->xml, "effectid", effects[transition->kind].id);
    xml_text(&x->xml, "effecttype", "transition");
    xml_text(&x->xml, "mediatype", "video");
    xml_text(&x->xml, "effectcategory", transition->kind == TRANSITION_WIPE ? "Wipe" : "Dissolve");
    xml_close(&x->xml);
    xml_close(&x->xml);
}

/* channel: NULL for pictures. */
static void add_track(struct fcp7 *x, const struct track *track, struct channel *channel)
{
    int64_t at = 0;

    xml_open(&x->xml, "track");
    if (channel) {
        xml_attribute(&x->xml, "currentExplodedTrackIndex", "%d", channel->number);
        xml_attribute(&x->xml, "totalExplodedTrackCount", "%d", CHANNELS);
        xml_attribute(&x->xml, "premiereTrackType", "Stereo");
    }
    for (size_t i = 0; i < track->count; i++) {
        const struct clip *c = &track->clips[i];

        add_transition(x, i ? c - 1 : NULL, c, at);
        add_clip(x, c, i + 1 < track->count ? &c[1].from : NULL, at, channel);
        at += c->frames;
    }
    xml_close(&x->xml);
}

static void add_sound(struct fcp7 *x, const struct track *track, int first)
{
    for (int i = 0; i < CHANNELS; i++)
        add_track(x, track, &(struct channel){first, i, 0});
}

static void add_tracks(struct fcp7 *x, bool sound)
{
    int tracks = 0;

    xml_open(&x->xml, sound ? "audio" : "video");
    if (sound)
        xml_number(&x->xml, "numOutputChannels", CHANNELS);
    xml_open(&x->xml, "format");
    if (sound)
        add_sound_form(x);
    else
        add_picture_form(x);
    xml_close(&x->xml);
    for (size_t i = 0; i < x->t->count; i++)
        if (x->t->tracks[i].sound != sound)
            continue;
        else if (sound)
            add_sound(x, &x->t->tracks[i], CHANNELS * tracks++ + 1);
        else
            add_track(x, &x->t->tracks[i], NULL);
    xml_close(&x->xml);
}

char *timeline_fcp7(const struct timeline *t, struct error *e)
{
    struct fcp7 x = {.t = t};

    xml_begin(&x.xml, "xmeml");
    xml_open(&x.xml, "xmeml");
    xml_attribute(&x.xml, "version", "5");
    xml_open(&x.xml, "sequence");
    xml_attribute(&x.xml, "id", "%s", t->name);
    xml_text(&x.xml, "name", t->name);
    xml_number(&x.xml, "duration", timeline_frames(t));
    add_rate(&x);
    add_timecode(&x, t->start, NULL);
    xml_open(&x.xml, "media");
    add_tracks(&x, false);
    add_tracks(&x, true);
    xml_close(&x.xml);
    xml_close(&x.xml);
    xml_close(&x.xml);
    return xml_take(&x.xml, e);
}
