/* Lettering over a number of frames, as a title layer (layer.h): for the shot's own, and for what
 * is burned into proxies. */
#ifndef AUTEUR_STAGES_COMPOSITE_COMPOSITE_H
#define AUTEUR_STAGES_COMPOSITE_COMPOSITE_H

#include "stages/stage.h"

/* Of the board its size, rate and timecode count. The job is for interruption and progress.
 * *stored: how many frames are in the file, for the layer holds until the next one. */
int composite_layer(struct stage_job *job, const struct board *b, int frames,
                    const struct overlay *overlays, size_t count, const char *path, int *stored,
                    struct error *e);
/* Whether fonts are there for all of them, glyph by glyph, and whether they have room. The error
 * names the overlay's line in the board, the font, the character or the words, and the mend. */
int composite_check_overlays(const struct board *b, int frames, const struct overlay *overlays,
                             size_t count, struct error *e);

#endif
