/* Reading the title layer back and laying it over the master's frames, in R'G'B' and ten bits:
 * colours of text are mixed at the values that were asked for, before anything becomes Y'CbCr. */
#ifndef AUTEUR_STAGES_ENCODE_TITLES_H
#define AUTEUR_STAGES_ENCODE_TITLES_H

#include <libavutil/frame.h>

#include "kernels/base/error.h"
#include "storyboards/board.h"

struct titles;
/* path NULL: there are none, and titles_apply() does nothing. */
int titles_open(const char *path, const struct board *b, struct titles **out, struct error *e);
/* Goes on to a frame of the shot, which rises from call to call. *layer: what stands then (BGRA,
 * straight alpha; the titles' own) when that is not what stood before, else NULL. The first is
 * never NULL where there are titles. */
int titles_at(struct titles *t, int frame, const AVFrame **layer, struct error *e);
/* Lays what stands over a writable AV_PIX_FMT_GBRP10 frame. */
void titles_apply(const struct titles *t, AVFrame *master);
void titles_close(struct titles *t); /* NULL-safe */

/* The frame in the middle of the longest time that the fullest lettering stands: for the poster of
 * a card. -1: there is no lettering. */
int titles_fullest(const char *path, const struct board *b, int frames, int *out, struct error *e);

#endif
