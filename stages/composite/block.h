/* One overlay's lettering and the panel under it, as an image. Layout places the block: the panel,
 * or lines of text with their full height, so that words with and without descenders share a
 * baseline. The image may stand out over the block (a glow). */
#ifndef AUTEUR_STAGES_COMPOSITE_BLOCK_H
#define AUTEUR_STAGES_COMPOSITE_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/error.h"

struct block {
    int width, height;                        /* of the block */
    int left, top, image_width, image_height; /* of the image; left and top from the block's */
    float *rgba; /* premultiplied, 0..1, [image_height][image_width][4] */
};

/* Clear, and the image as large as the block. */
int block_alloc(struct block *b, int width, int height, struct error *e);
void block_free(struct block *b); /* a zeroed one too */

/* Makes the image reach at least over these edges (in the block's pixels). */
int block_reach(struct block *b, int left, int top, int right, int bottom, struct error *e);
/* Replaces what is there. Inside the block. */
void block_rectangle(struct block *b, int x, int y, int width, int height, uint32_t rgb,
                     float alpha);
/* Lays a colour over what is there, as strongly as the mask (0..255) times opacity says. Inside the
 * image. */
void block_mask(struct block *b, int x, int y, int width, int height, const uint8_t *mask,
                ptrdiff_t stride, uint32_t rgb, float opacity);

#endif
