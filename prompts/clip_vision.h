/* CLIP's picture encoder (A. Radford et al., arXiv 2103.00020) as published:
 * CLIPVisionModelWithProjection, what Stable Video Diffusion looks at its picture with. Sizes come
 * from config.json.
 *
 * Goldens: image_embeddings is clip_vision_encode() of the picture that clip_pixels_prepare()
 * makes; the unconditional half is zeros.
 */
#ifndef AUTEUR_PROMPTS_CLIP_VISION_H
#define AUTEUR_PROMPTS_CLIP_VISION_H

#include <stdint.h>

#include "kernels/device.h"

struct clip_vision;

/* dir holds config.json and the weights. The device must outlive the model. With device NULL the
 * config is read and every tensor looked up, no weights: for a check; only the sizes may be asked.
 */
int clip_vision_load(const char *dir, struct device *d, struct clip_vision **out, struct error *e);
void clip_vision_free(struct clip_vision *m); /* NULL-safe */

int clip_vision_size(const struct clip_vision *m);  /* of its square picture: 224 */
int clip_vision_width(const struct clip_vision *m); /* of the embedding: projection_dim */

/* pixels: [size, size, 3], normalised; embedding: [width]; both contiguous F32 in host memory. */
int clip_vision_encode(struct clip_vision *m, const struct tensor *pixels, struct tensor *embedding,
                       struct error *e);

/* How a checkpoint wants its pixels, from a preprocessor_config.json: mean and deviation of each
 * channel, as published where the file does not say. */
struct clip_pixels {
    double mean[3], std[3];
};
int clip_pixels_read(const char *path, struct clip_pixels *out, struct error *e);
/* An 8-bit RGB picture of any size becomes pixels [size, size, 3]: resized as Stable Video
 * Diffusion does (picture_resize.h), neither cropped nor kept in shape, then normalised. */
int clip_pixels_prepare(const struct clip_pixels *p, const uint8_t *rgb, int width, int height,
                        struct tensor *pixels, struct error *e);

#endif
