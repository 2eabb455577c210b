/* Watching pictures go by for what must not be delivered: black, flat and frozen shots.
 *
 * A frame is black when hardly anything in it is brighter than black, flat when every channel
 * hardly varies over it, frozen when it hardly differs from the one before, anywhere. What share
 * of such frames a shot may have depends on its kind: watch_rules[] has the figures and reasons.
 */
#ifndef AUTEUR_STAGES_MEDIA_WATCH_H
#define AUTEUR_STAGES_MEDIA_WATCH_H

#include <stdint.h>

#include <libavutil/frame.h>

#include "kernels/base/error.h"
#include "storyboards/board.h"

struct watch_rule {
    double black, flat, frozen; /* a shot fails when more than this share of its frames is so;
                                   1 and above: never */
};
extern const struct watch_rule watch_rules[]; /* by enum shot_kind */

struct watch {
    int frames, black, flat, frozen; /* counts so far */
    int first_bad;                   /* the first black or flat frame, or -1 */
    int width, height;
    uint16_t *before; /* luma of the frame before */
    uint32_t *blocks; /* one row of blocks' differences */
};

int watch_open(struct watch *w, int width, int height, struct error *e);
/* A master frame (AV_PIX_FMT_GBRP10). */
void watch_add(struct watch *w, const AVFrame *master);
/* ERROR_MEDIA when the shot so far breaks the rule of its kind: what, in how many frames. */
int watch_verdict(const struct watch *w, enum shot_kind kind, struct error *e);
void watch_close(struct watch *w); /* a zeroed one too */

#endif
