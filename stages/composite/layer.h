/* The title layer: "titles.mkv", FFV1 in Matroska, 8-bit R'G'B' with straight alpha (AV_PIX_FMT_
 * BGRA), of the picture's size. A frame is stored only where the layer changes and holds until the
 * next one; its timestamp is the frame's time. Frame 0 is always stored, so that the layer begins
 * where the shot does. Straight alpha, so that an editor can lay it over the master in any program;
 * eight bits, because colours are asked for in eight. */
#ifndef AUTEUR_STAGES_COMPOSITE_LAYER_H
#define AUTEUR_STAGES_COMPOSITE_LAYER_H

#include "stages/composite/layout.h"

/* Writes the layer of these items over so many frames of the board's size to `path`. The typesetter
 * sets running timecode, the board's; items with it are set again for every frame. *stored: how
 * many frames are in the file. */
int layer_write(struct stage_job *job, const struct board *b, int frames, struct typesetter *t,
                struct placed *items, size_t count, const char *path, int *stored, struct error *e);

#endif
