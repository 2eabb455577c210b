/* Where each overlay's block stands, and which frames it is seen in. */
#ifndef AUTEUR_STAGES_COMPOSITE_LAYOUT_H
#define AUTEUR_STAGES_COMPOSITE_LAYOUT_H

#include "stages/composite/typeset.h"
#include "stages/stage.h"

/* An overlay on its way to the picture. */
struct placed {
    const struct overlay *overlay;
    struct block block;
    int x, y;        /* of the block's top left */
    int first, last; /* frames, both seen; first > last: never */
};

/* The frames of a time in seconds: a frame is seen when its own time (n / fps) is in [in, out). */
void layout_times(struct placed *p, struct rational fps, int frames);

/* Gives every item its place inside the safe area: where its position (or style) says, moved away
 * from others that are seen at the same time, so that the first listed stands above the next.
 * ERROR_INPUT when there is no room; it names the overlays' lines. */
int layout_place(struct placed *items, size_t count, int width, int height, struct error *e);

/* 0 at the edges of its time to 1, by its fades; at the middle of frame n. */
double layout_opacity(const struct placed *p, int frame, struct rational fps);

#endif
