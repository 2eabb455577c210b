/* The two resizings that image-to-video models were trained behind. Pictures are 8-bit RGB,
 * [height][width][3]; sizes are at least 1, and `to` has room for to_width * to_height * 3. Both
 * fail only when memory has run out. */
#ifndef AUTEUR_PROMPTS_PICTURE_RESIZE_H
#define AUTEUR_PROMPTS_PICTURE_RESIZE_H

#include <stdint.h>

#include "kernels/base/error.h"

/* Lanczos-3, widened where the picture shrinks, in steps of 8 bits and with weights of 22: what
 * Pillow's Image.resize gives, to the bit. A picture of the right size already is copied. */
int picture_resize_lanczos(const uint8_t *from, int width, int height, uint8_t *to, int to_width,
                           int to_height, struct error *e);

/* Gaussian blur with sigma (width / to_width - 1) / 2 across, likewise down, over a kernel of about
 * 4 sigma and reflected at the edges; then bicubic (a = -0.75) with the corner pixels on the
 * corners: how Stable Video Diffusion gives its picture to CLIP. Values 0..255 become -1..1 first;
 * the result may go a little beyond. */
int picture_resize_blurred(const uint8_t *from, int width, int height, float *to, int to_width,
                           int to_height, struct error *e);

#endif
