/* OpenTimelineIO's JSON: schemas Timeline.1, Stack.1, Track.1, Clip.2, Gap.1, Transition.1,
 * ExternalReference.1, Marker.2, as its documentation gives them. Times inside a clip are its
 * medium's own timecode. */
#include <jansson.h>
#include <stdlib.h>

#include "pipeline/handoff/media_url.h"
#include "pipeline/handoff/timeline.h"

/* jansson frees what it is given also on failure and takes NULL as failure: objects are built
 * without a check each, and a NULL at the end tells. */

static double rate(const struct timeline *t)
{
    return (double)t->fps.num / t->fps.den;
}

static json_t *rational_time(const struct timeline *t, int64_t frames)
{
    return json_pack("{s:s,s:f,s:f}", "OTIO_SCHEMA", "RationalTime.1", "rate", rate(t), "value",
                     (double)frames);
}

static json_t *time_range(const struct timeline *t, int64_t start, int64_t frames)
{
    return json_pack("{s:s,s:o,s:o}", "OTIO_SCHEMA", "TimeRange.1", "start_time",
                     rational_time(t, start), "duration", rational_time(t, frames));
}

static json_t *markers(const struct timeline *t, const struct clip *c)
{
    json_t *list = json_array();

    for (size_t i = 0; i < c->marker_count; i++) {
        const struct marker *m = &c->markers[i];

        json_array_append_new(
            list, json_pack("{s:s,s:s,s:s,s:s,s:o,s:{}}", "OTIO_SCHEMA", "Marker.2", "name",
                            m->name, "comment", m->text, "color", "GREEN", "marked_range",
                            time_range(t, c->medium->timecode + c->in + m->at, 0), "metadata"));
    }
    return list;
}

static json_t *gap(const struct timeline *t, const struct clip *c)
{
    return json_pack("{s:s,s:s,s:o,s:b,s:[],s:[],s:{}}", "OTIO_SCHEMA", "Gap.1", "name", c->name,
                     "source_range", time_range(t, 0, c->frames), "enabled", 1, "effects",
                     "markers", "metadata");
}

static json_t *clip(const struct timeline *t, const struct clip *c)
{
    const struct medium *m = c->medium;
    char *url = m ? media_url(t, m) : NULL;
    json_t *reference, *out;

    if (!m)
        return gap(t, c);
    reference = json_pack("{s:s,s:s,s:s?,s:o,s:n,s:{s:s}}", "OTIO_SCHEMA", "ExternalReference.1",
                          "name", c->name, "target_url", url, "available_range",
                          time_range(t, m->timecode, m->frames), "available_image_bounds",
                          "metadata", "reel", m->reel);
    out = url ? json_pack("{s:s,s:s,s:o,s:o,s:b,s:s,s:{s:o},s:[],s:{s:{s:s}}}", "OTIO_SCHEMA",
                          "Clip.2", "name", c->name, "source_range",
                          time_range(t, m->timecode + c->in, c->frames), "markers", markers(t, c),
                          "enabled", 1, "active_media_reference_key", "DEFAULT_MEDIA",
                          "media_references", "DEFAULT_MEDIA", reference, "effects", "metadata",
                          "cmx_3600", "reel", m->reel)
              : NULL;
    if (!url)
        json_decref(reference);
    free(url);
    return out;
}

/* The two names that OpenTimelineIO knows. */
static const char *type_of(enum transition_kind kind)
{
    return kind == TRANSITION_DISSOLVE ? "SMPTE_Dissolve" : "Custom_Transition";
}

static json_t *transition(const struct timeline *t, const struct transition *x)
{
    return json_pack("{s:s,s:s,s:s,s:o,s:o,s:{}}", "OTIO_SCHEMA", "Transition.1", "name",
                     transition_kind_name(x->kind), "transition_type", type_of(x->kind),
                     "in_offset", rational_time(t, x->before), "out_offset",
                     rational_time(t, x->after), "metadata");
}

static json_t *track(const struct timeline *t, const struct track *from)
{
    json_t *children = json_array();
    int failed = children == NULL;

    for (size_t i = 0; i < from->count; i++) {
        const struct clip *c = &from->clips[i];

        if (c->from.kind != TRANSITION_CUT)
            failed |= json_array_append_new(children, transition(t, &c->from)) != 0;
        failed |= json_array_append_new(children, clip(t, c)) != 0;
    }
    if (failed) {
        json_decref(children);
        return NULL;
    }
    return json_pack("{s:s,s:s,s:s,s:o,s:n,s:b,s:[],s:[],s:{}}", "OTIO_SCHEMA", "Track.1", "name",
                     from->name, "kind", from->sound ? "Audio" : "Video", "children", children,
                     "source_range", "enabled", 1, "effects", "markers", "metadata");
}

char *timeline_otio(const struct timeline *t, struct error *e)
{
    json_t *tracks = json_array(), *root = NULL;
    char *text = NULL;
    int failed = tracks == NULL;

    for (size_t i = 0; i < t->count; i++)
        failed |= json_array_append_new(tracks, track(t, &t->tracks[i])) != 0;
    if (!failed)
        root = json_pack("{s:s,s:s,s:o,s:{},s:{s:s,s:s,s:O,s:n,s:b,s:[],s:[],s:{}}}", "OTIO_SCHEMA",
                         "Timeline.1", "name", t->name, "global_start_time",
                         rational_time(t, t->start), "metadata", "tracks", "OTIO_SCHEMA", "Stack.1",
                         "name", "tracks", "children", tracks, "source_range", "enabled", 1,
                         "effects", "markers", "metadata");
    if (root)
        text = json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    json_decref(root);
    json_decref(tracks);
    if (!text)
        error_memory(e);
    return text;
}
