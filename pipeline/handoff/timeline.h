/* A film as editing programs see it: tracks of clips that refer to delivered media, transitions
 * between them, markers. All times are counts of frames at the film's rate; `start` and a medium's
 * `timecode` count from 00:00:00:00.
 *
 * A cut lies between two neighbouring clips of a track. A transition lies over a cut: it begins
 * `before` frames ahead of it, while the earlier clip still runs, and ends `after` frames behind
 * it; so the earlier medium must go on for `after` frames behind its clip's end, and the later one
 * must have `before` frames ahead of its clip's start. timeline_fits() tells. Between a clip and a
 * gap it lies wholly over the clip: out of nothing `before` is 0, into it `after` is.
 *
 * Each writer below makes one format's text from it; they know nothing of journals or boards.
 */
#ifndef AUTEUR_PIPELINE_HANDOFF_TIMELINE_H
#define AUTEUR_PIPELINE_HANDOFF_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/error.h"
#include "storyboards/board.h"

/* A delivered file, or one that the board brought. */
struct medium {
    const char *path;  /* relative to the production's folder, with '/'; or absolute */
    const char *reel;  /* at most 8 of A-Z 0-9 _ - */
    int64_t timecode;  /* of its first frame */
    int64_t frames;    /* that it holds */
    bool video, sound; /* what it holds of; a title layer is video with alpha */
    bool alpha;
};

struct marker {
    int64_t at;              /* frames from the clip's first */
    const char *name, *text; /* "" for none */
};

struct transition {
    enum transition_kind kind; /* TRANSITION_CUT: there is none */
    int64_t before, after;
};

struct clip {
    const char *name;            /* the shot's id */
    const struct medium *medium; /* NULL: a gap */
    int64_t in, frames;          /* what is used of it, from its first frame on */
    struct transition from;      /* from the clip before it; of the first, from black */
    const struct marker *markers;
    size_t marker_count;
};

struct track {
    const char *name; /* "V1", "Narration" */
    bool sound;
    const struct clip *clips; /* one after another, without holes but for gaps */
    size_t count;
};

struct timeline {
    const char *name;
    struct rational fps;
    bool drop; /* timecode is counted drop-frame */
    int width, height;
    int64_t start;              /* timecode of its first frame */
    const char *root;           /* the production's folder, absolute */
    const struct track *tracks; /* pictures first, from below */
    size_t count;
};

int64_t track_frames(const struct track *t);
int64_t timeline_frames(const struct timeline *t); /* of its longest track */
/* ERROR_INPUT names the clip whose medium or whose transitions do not fit, and the mend. */
int timeline_fits(const struct timeline *t, struct error *e);

/* The text, which the caller frees; NULL and *e when out of memory, or when the format cannot say
 * what the timeline has. */
char *timeline_otio(const struct timeline *t, struct error *e); /* OpenTimelineIO, JSON */
/* CMX 3600: the first track of pictures and the first two of sound, for that is all it has. */
char *timeline_edl(const struct timeline *t, struct error *e);
char *timeline_fcp7(const struct timeline *t, struct error *e); /* Final Cut Pro 7 XML, version 5 */
char *timeline_fcpxml(const struct timeline *t, struct error *e); /* FCPXML 1.8 */

#endif
