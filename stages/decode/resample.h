/* A window of a picture, at any real position and size, onto a rectangle of pixels: separable
 * Lanczos-3, widened where the window has more pixels than the rectangle. Positions are real
 * numbers throughout, so that a slow move over a still glides and does not step. */
#ifndef AUTEUR_STAGES_DECODE_RESAMPLE_H
#define AUTEUR_STAGES_DECODE_RESAMPLE_H

#include "stages/decode/picture.h"

struct window {
    double x, y, width, height; /* in pixels of the picture; pixel 0 covers 0..1 */
};
struct resampler; /* tables and a scratch picture, for windows of one rectangle */

int resampler_open(int width, int height, struct resampler **out, struct error *e);
/* out: a picture of the resampler's size. Beyond its edges a picture repeats its edge. */
int resample(struct resampler *r, const struct picture *from, struct window window,
             struct picture *out, struct error *e);
void resampler_close(struct resampler *r); /* NULL-safe */

#endif
