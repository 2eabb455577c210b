/* Decoding within a limit of memory, for every family: as much of a picture at once as fits, else
 * tiles that overlap and fade into one another; as many frames at once as fit.
 *
 * Slices in time are exact: a decoder carries what its convolutions remember from one to the next,
 * and norms over a whole clip are measured before they are applied. Tiles in space are not, where
 * norms take their statistics over the picture that they see (all but Wan's), where attention looks
 * at all of it, and near a tile's edges, which to a convolution are those of the picture: so the
 * outermost part of a tile is not shown. bench/seams measures what that comes to, and `bench vae
 * --vae-tile` for any VAE.
 *
 * Tiles of one shape are decoded through the same memory, so that what the device is told for one
 * is recorded (kernels/device.h: graphs) and replayed for the others, and for the next shots: the
 * latents are written before, the pictures read after. Every form that a family's slices have (the
 * first of a clip, those after it, the last) has a recording of its own. */
#ifndef AUTEUR_STAGES_TILING_H
#define AUTEUR_STAGES_TILING_H

#include "stages/decode/vae_limits.h"
#include "stages/generate/family.h"

/* Whole where it fits, in a share of the memory that is free, and so that an eleventh of all is
 * left, as forecasts have it (stages/forecast/fit.h: a tenth of what is needed). */
enum { VAE_SHARE = 80, VAE_LEAVES = 11 }; /* percent; a part */

struct tiling {
    int64_t rows, columns; /* of tiles; 1, 1: whole */
    int64_t height, width; /* of a tile, in latents */
    int64_t overlap;       /* latents that neighbours share, at least; 0: as tiling.c has it */
    int factor;            /* pixels a latent */
    size_t budget;         /* bytes that decoding may take besides the weights */
    size_t room;           /* of them those that the family is told of (vae_memory) */
};

/* A share of the memory that is free now: for limits.memory of a session whose model has just been
 * loaded. Asked for later it would count what earlier decodes hold. */
size_t tiling_budget(struct device *d);

/* Tiles for latents of this shape. Not even the smallest fits: ERROR_INPUT where a
 * person set the limit, else ERROR_MEMORY. */
int tiling_choose(const struct family *f, void *vae, struct device *d,
                  const struct vae_limits *limits, const int64_t shape[4], struct tiling *out,
                  struct error *e);

/* Whether several tiles show this pixel of the picture. */
bool tiling_shares(const struct tiling *t, const int64_t shape[4], int x, int y);

/* family->decode() within the limits; says on the device which tiles were taken. */
int tiling_decode(const struct family *f, void *vae, struct device *d,
                  const struct vae_limits *limits, const struct tensor *latents,
                  family_frame_fn *frame, void *ctx, struct error *e);

/* One rung down, for when memory has run out after all: smaller pieces where the family has such
 * (vae_smaller), else half of what limits allow on the device, or of what they would, but no less
 * than the smallest tile of latents of this shape takes; false: it was no more than that. */
bool tiling_smaller(const struct family *f, void *vae, struct device *d, const int64_t shape[4],
                    struct vae_limits *limits);

#endif
