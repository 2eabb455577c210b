/* FCPXML 1.8 (Apple, "FCPXML Reference"), as Final Cut Pro and Resolve read it: the last version in
 * which an asset says itself where it lies. Times are fractions of a second, whole frames each:
 * "48048/24000s". The first track of pictures is the spine; what lies above it or sounds below it
 * is connected to the clip of the spine that it begins over, by lanes; clips that transitions join
 * are connected as a storyline of their own, whose time begins at nought. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/handoff/media_url.h"
#include "pipeline/handoff/timeline.h"
#include "pipeline/handoff/xml.h"

struct fcpxml {
    const struct timeline *t;
    struct xml xml;
};

static void add_time(struct fcpxml *x, const char *name, int64_t frames)
{
    if (frames == 0)
        xml_attribute(&x->xml, name, "0s");
    else
        xml_attribute(&x->xml, name, "%" PRId64 "/%ds", frames * x->t->fps.den, x->t->fps.num);
}

static void add_asset(struct fcpxml *x, const struct clip *c, int number)
{
    const struct medium *m = c->medium;
    char *url = media_url_absolute(x->t, m, "");

    x->xml.failed |= !url;
    xml_open(&x->xml, "asset");
    xml_attribute(&x->xml, "id", "r%d", number);
    xml_attribute(&x->xml, "name", "%s", c->name);
    xml_attribute(&x->xml, "src", "%s", url ? url : "");
    add_time(x, "start", m->timecode);
    add_time(x, "duration", m->frames);
    if (m->video) {
        xml_attribute(&x->xml, "hasVideo", "1");
        xml_attribute(&x->xml, "format", "r1");
    }
    if (m->sound) {
        xml_attribute(&x->xml, "hasAudio", "1");
        xml_attribute(&x->xml, "audioSources", "1");
        xml_attribute(&x->xml, "audioChannels", "2");
        xml_attribute(&x->xml, "audioRate", "48000");
    }
    xml_open(&x->xml, "metadata");
    xml_open(&x->xml, "md");
    xml_attribute(&x->xml, "key", "com.apple.proapps.studio.reel");
    xml_attribute(&x->xml, "value", "%s", m->reel);
    xml_close(&x->xml);
    xml_close(&x->xml);
    xml_close(&x->xml);
    free(url);
}

/* Assets are numbered from r2 on, by the clip that uses them first. */
static int asset_of(const struct timeline *t, const struct medium *m, bool *first,
                    const struct clip *c)
{
    int n = 2;

    for (size_t i = 0; i < t->count; i++)
        for (size_t k = 0; k < t->tracks[i].count; k++, n++)
            if (t->tracks[i].clips[k].medium == m) {
                *first = &t->tracks[i].clips[k] == c;
                return n;
            }
    return 0;
}

static void add_resources(struct fcpxml *x)
{
    const struct timeline *t = x->t;

    xml_open(&x->xml, "resources");
    xml_open(&x->xml, "format");
    xml_attribute(&x->xml, "id", "r1");
    add_time(x, "frameDuration", 1);
    xml_attribute(&x->xml, "width", "%d", t->width);
    xml_attribute(&x->xml, "height", "%d", t->height);
    xml_attribute(&x->xml, "colorSpace", "1-1-1 (Rec. 709)");
    xml_close(&x->xml);
    for (size_t i = 0; i < t->count; i++)
        for (size_t k = 0; k < t->tracks[i].count; k++) {
            const struct clip *c = &t->tracks[i].clips[k];
            bool first;
            int number = c->medium ? asset_of(t, c->medium, &first, c) : 0;

            if (number && first)
                add_asset(x, c, number);
        }
    xml_close(&x->xml);
}

static void add_markers(struct fcpxml *x, const struct clip *c)
{
    for (size_t i = 0; i < c->marker_count; i++) {
        xml_open(&x->xml, "marker");
        add_time(x, "start", c->medium->timecode + c->in + c->markers[i].at);
        add_time(x, "duration", 1);
        xml_attribute(&x->xml, "value", "%s", c->markers[i].name);
        if (c->markers[i].text[0])
            xml_attribute(&x->xml, "note", "%s", c->markers[i].text);
        xml_close(&x->xml);
    }
}

/* Opens the element of a clip; its caller closes it. `offset` is in its parent's time; lane 0 is
 * the spine; role: of sound. */
static void open_clip(struct fcpxml *x, const struct clip *c, int64_t offset, int lane,
                      const char *role)
{
    bool first;

    xml_open(&x->xml, c->medium ? "asset-clip" : "gap");
    xml_attribute(&x->xml, "name", "%s", c->name);
    if (c->medium)
        xml_attribute(&x->xml, "ref", "r%d", asset_of(x->t, c->medium, &first, c));
    if (lane)
        xml_attribute(&x->xml, "lane", "%d", lane);
    add_time(x, "offset", offset);
    add_time(x, "start", c->medium ? c->medium->timecode + c->in : 0);
    add_time(x, "duration", c->frames);
    if (c->medium) {
        xml_attribute(&x->xml, "tcFormat", x->t->drop ? "DF" : "NDF");
        if (c->medium->video)
            xml_attribute(&x->xml, "format", "r1");
        if (role) {
            xml_attribute(&x->xml, "srcEnable", "audio");
            xml_attribute(&x->xml, "audioRole", "%s", role);
        }
    }
}

/* Final Cut Pro's own names of roles. */
static const char *role_of(const struct track *t)
{
    return !t->sound ? NULL : strcmp(t->name, "Music") == 0 ? "music" : "dialogue";
}

/* `at`: where its cut lies in its storyline's time. */
static void add_transition(struct fcpxml *x, const struct transition *transition, int64_t at)
{
    static const char *const names[] = {
        [TRANSITION_CUT] = "",
        [TRANSITION_DISSOLVE] = "Cross Dissolve",
        [TRANSITION_FADE] = "Fade To Color",
        [TRANSITION_WIPE] = "Edge Wipe",
    };

    if (transition->kind == TRANSITION_CUT)
        return;
    xml_open(&x->xml, "transition");
    xml_attribute(&x->xml, "name", "%s", names[transition->kind]);
    add_time(x, "offset", at - transition->before);
    add_time(x, "duration", transition->before + transition->after);
    xml_close(&x->xml);
}

/* Clips of a connected track that transitions join to each other, or to nothing at either end. */
struct run {
    const struct track *track;
    size_t first, end;
    bool transitions; /* it has any: only storylines do */
};

static struct run run_from(const struct track *t, size_t first)
{
    struct run r = {t, first, first, t->clips[first].from.kind != TRANSITION_CUT};

    while (++r.end < t->count && t->clips[r.end].from.kind != TRANSITION_CUT) {
        r.transitions = true;
        if (!t->clips[r.end].medium)
            break;
    }
    return r;
}

static void add_run(struct fcpxml *x, const struct run *r, int64_t offset, int lane)
{
    const struct track *t = r->track;
    int64_t at = r->transitions ? 0 : offset; /* a storyline's time begins with it */

    if (r->transitions) {
        xml_open(&x->xml, "spine");
        xml_attribute(&x->xml, "lane", "%d", lane);
        add_time(x, "offset", offset);
    }
    for (size_t i = r->first; i < r->end; i++) {
        const struct clip *c = &t->clips[i];

        add_transition(x, &c->from, at);
        open_clip(x, c, at, r->transitions ? 0 : lane, role_of(t));
        add_markers(x, c);
        xml_close(&x->xml);
        at += c->frames;
    }
    if (!r->transitions)
        return;
    if (r->end < t->count)
        add_transition(x, &t->clips[r->end].from, at);
    xml_close(&x->xml);
}

/* Everything of the other tracks that begins over this clip of the spine. */
static void add_connected(struct fcpxml *x, const struct clip *spine, int64_t from, bool last)
{
    int64_t zero = spine->medium ? spine->medium->timecode + spine->in : 0;
    int above = 0, below = 0;

    for (size_t i = 1; i < x->t->count; i++) {
        const struct track *track = &x->t->tracks[i];
        int lane = track->sound ? --below : ++above;
        int64_t at = 0;

        for (size_t k = 0; k < track->count;) {
            struct run r = {.track = track, .first = k, .end = k + 1};

            if (track->clips[k].medium) {
                r = run_from(track, k);
                if (at >= from && (last || at < from + spine->frames))
                    add_run(x, &r, zero + at - from, lane);
            }
            for (; k < r.end; k++)
                at += track->clips[k].frames;
        }
    }
}

static void add_spine(struct fcpxml *x)
{
    const struct track *spine = &x->t->tracks[0];
    int64_t at = 0;

    xml_open(&x->xml, "spine");
    for (size_t i = 0; i < spine->count; i++) {
        const struct clip *c = &spine->clips[i];

        add_transition(x, &c->from, x->t->start + at);
        open_clip(x, c, x->t->start + at, 0, NULL);
        add_connected(x, c, at, i + 1 == spine->count);
        add_markers(x, c);
        xml_close(&x->xml);
        at += c->frames;
    }
    xml_close(&x->xml);
}

char *timeline_fcpxml(const struct timeline *t, struct error *e)
{
    struct fcpxml x = {.t = t};

    xml_begin(&x.xml, "fcpxml");
    xml_open(&x.xml, "fcpxml");
    xml_attribute(&x.xml, "version", "1.8");
    add_resources(&x);
    xml_open(&x.xml, "library");
    xml_open(&x.xml, "event");
    xml_attribute(&x.xml, "name", "%s", t->name);
    xml_open(&x.xml, "project");
    xml_attribute(&x.xml, "name", "%s", t->name);
    xml_open(&x.xml, "sequence");
    xml_attribute(&x.xml, "format", "r1");
    add_time(&x, "tcStart", t->start);
    xml_attribute(&x.xml, "tcFormat", t->drop ? "DF" : "NDF");
    add_time(&x, "duration", timeline_frames(t));
    xml_attribute(&x.xml, "audioLayout", "stereo");
    xml_attribute(&x.xml, "audioRate", "48k");
    add_spine(&x);
    for (int open = 0; open < 5; open++)
        xml_close(&x.xml);
    return xml_take(&x.xml, e);
}
