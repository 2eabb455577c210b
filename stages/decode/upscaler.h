/* A learned upscaler: a frame comes out a whole number of times larger, sharper than a filter makes
 * it. It is the compact network of Real-ESRGAN (Wang et al. 2021, arXiv:2107.10833, and its later
 * small models): 3 x 3 convolutions of one width, each but the last with a PReLU, all over the
 * small frame; the last makes the scale^2 pixels that each pixel becomes (a pixel shuffle), which
 * are added to the pixel itself.
 *
 * Weights: safetensors under the published names (the `params` of those checkpoints), whose shapes
 * tell width, depth and scale: body.0 a convolution [width, 3, 3, 3], body.1 its PReLU [width], and
 * so on by twos; the last convolution makes 3 scale^2 channels. Each frame is made by itself: that
 * consecutive ones agree is what the weights were taught.
 */
#ifndef AUTEUR_STAGES_UPSCALER_H
#define AUTEUR_STAGES_UPSCALER_H

#include "kernels/device.h"

enum { UPSCALER_MOST_SCALE = 8, UPSCALER_MOST_WIDTH = 512, UPSCALER_MOST_LAYERS = 128 };

/* What may be done about a fault of its file, since films can be made without it. */
#define UPSCALER_MEND "; take it away or mend it, or say deliver: {upscale: lanczos}"

struct upscaler;

/* path: a .safetensors file or a folder that holds one. The device outlives it; NULL: weights are
 * only looked through, and it can be closed and nothing else. Weights of another form and folders
 * without any are ERROR_MODEL; what is told of a file's or a folder's fault names the mend. */
int upscaler_open(const char *path, struct device *d, struct upscaler **out, struct error *e);
void upscaler_close(struct upscaler *u); /* NULL-safe */
int upscaler_scale(const struct upscaler *u);
const char *upscaler_path(const struct upscaler *u); /* of the file */

/* rgb: [height][width][3], about -1..1, cut to that where it is finite; what is not stays so. *out:
 * [scale height][scale width][3], likewise, not cut; good until the next call. */
int upscaler_run(struct upscaler *u, const float *rgb, int width, int height, const float **out,
                 struct error *e);
/* All that it does on its device, of a frame that is nobody's: for devices that compute nothing. */
int upscaler_rehearse(struct upscaler *u, int width, int height, struct error *e);

#endif
