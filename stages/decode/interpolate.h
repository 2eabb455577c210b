/* Frames between a model's frames, by motion: FFmpeg's minterpolate (bidirectional block motion,
 * overlapped compensation). It knows pictures of 8 bits alone, so that is what an interpolated shot
 * has, all of it: frames of two depths in turn would flicker. */
#ifndef AUTEUR_STAGES_DECODE_INTERPOLATE_H
#define AUTEUR_STAGES_DECODE_INTERPOLATE_H

#include "stages/decode/picture_lane.h"

struct interpolator;

/* Pictures of width x height come in one by one; frame i of `frames` that go out, to take(), lies
 * at the i * step_num / step_den-th of them. step_num < step_den. */
int interpolator_open(int width, int height, int64_t step_num, int64_t step_den, int frames,
                      picture_lane_take *take, void *ctx, struct interpolator **out,
                      struct error *e);
int interpolator_put(struct interpolator *x, const struct picture *p, struct error *e);
/* No more come in: the rest goes out. ERROR_MEDIA when that is less than was asked for. */
int interpolator_finish(struct interpolator *x, struct error *e);
void interpolator_close(struct interpolator *x); /* NULL-safe */

#endif
