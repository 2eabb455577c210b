/* A thread that takes pictures one after another while the next is made: a model's decoder keeps
 * all cores busy, what becomes of its pictures (resampling, looking at them, writing the master)
 * only one.
 *
 *   picture_lane_open(); for every picture: p = picture_lane_room(); fill *p; picture_lane_put();
 *   picture_lane_finish()
 *
 * One thread fills. take() runs on the lane's own, in order; after it has failed once it is not
 * called again. */
#ifndef AUTEUR_STAGES_DECODE_PICTURE_LANE_H
#define AUTEUR_STAGES_DECODE_PICTURE_LANE_H

#include "stages/decode/picture.h"

struct picture_lane;

/* count: as picture_lane_put() was given it. */
typedef int picture_lane_take(void *ctx, const struct picture *p, int count, struct error *e);

/* Two pictures of that size are at hand. */
int picture_lane_open(int width, int height, picture_lane_take *take, void *ctx,
                      struct picture_lane **out, struct error *e);
/* Waits until one is free. NULL: take() has failed, *e says how. */
struct picture *picture_lane_room(struct picture_lane *lane, struct error *e);
void picture_lane_put(struct picture_lane *lane, int count);
/* Waits until all are taken. */
int picture_lane_finish(struct picture_lane *lane, struct error *e);
void picture_lane_close(struct picture_lane *lane); /* NULL-safe; what was put is taken first */

#endif
