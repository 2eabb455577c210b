/* Decoded frames of a shot, kept to be held against another decoding of it. */
#ifndef AUTEUR_BENCH_FRAMES_H
#define AUTEUR_BENCH_FRAMES_H

#include "kernels/base/error.h"

struct frames {
    int count, room, width, height;
    float *rgb; /* [count][height][width][3], clamped to 0..1 */
};
/* A family_frame_fn: adds a frame of -1..1. ctx: struct frames. */
int frames_keep(void *ctx, int index, const float *rgb, int width, int height, struct error *e);
void frames_free(struct frames *f); /* a zeroed one too */

/* Of equal sizes, else NaN. PSNR over all numbers, peak 1, in dB. SSIM of luma (Rec. 709), windows
 * of 8 x 8 that begin 4 apart: Z. Wang et al., "Image Quality Assessment: From Error Visibility to
 * Structural Similarity" (2004), without its Gaussian. */
double frames_psnr(const struct frames *a, const struct frames *b);
double frames_ssim(const struct frames *a, const struct frames *b);

#endif
