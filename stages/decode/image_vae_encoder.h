/* The encoder of pictures: the inside of image_vae.c. */
#ifndef AUTEUR_STAGES_IMAGE_VAE_ENCODER_H
#define AUTEUR_STAGES_IMAGE_VAE_ENCODER_H

#include "stages/decode/image_vae_blocks.h"

struct image_encoder_level {
    struct image_resnet resnets[IMAGE_LAYERS_MAX];
    struct conv halve; /* to the next level; the last has none */
};

struct image_encoder_work {
    struct arena arena, host;
    int64_t height, width; /* of the picture that it is for */
    struct tensor clip[2]; /* flat: what goes from layer to layer */
    struct image_scratch scratch;
    struct tensor host_moments; /* [h, w, 2C] */
};

struct image_encoder {
    struct arena weights;
    struct device *device;
    const char *dir;
    struct image_form form;

    struct conv in, out;
    struct image_encoder_level level[IMAGE_LEVELS_MAX]; /* the finest first */
    struct image_resnet mid[2];
    struct image_attention attention;
    struct image_norm norm_out;
    struct linear quant;

    struct image_encoder_work work;
};

/* v is zeroed but for device and dir (which outlive it) and form. With device NULL tensors are
 * looked up only. */
int image_encoder_load(struct image_encoder *v, const struct safetensors *weights, struct error *e);
void image_encoder_free(struct image_encoder *v); /* a zeroed one too; not v itself */

/* picture [H, W, 3] to means [C, H / factor, W / factor], both contiguous F32 in host memory. */
int image_encoder_run(struct image_encoder *v, const struct tensor *picture, struct tensor *means,
                      struct error *e);

#endif
