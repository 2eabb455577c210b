/* The decoder of pictures, alone or with a half along time after every residual block: the inside
 * of image_vae.c and temporal_vae.c. */
#ifndef AUTEUR_STAGES_IMAGE_VAE_DECODER_H
#define AUTEUR_STAGES_IMAGE_VAE_DECODER_H

#include "stages/decode/image_vae_blocks.h"
#include "stages/decode/picture_stream.h"

/* The half along time: share x + (1 - share) (x + conv2(silu(norm2(conv1(silu(norm1(x))))))), the
 * statistics over all frames, the convolutions over three. */
struct image_temporal {
    struct image_norm norm1, norm2;
    struct conv conv1, conv2;
    float share;
};

struct image_block {
    struct image_resnet spatial;
    struct image_temporal temporal;
};

struct image_level {
    struct image_block blocks[IMAGE_LAYERS_MAX + 1];
    struct conv enlarge; /* before the blocks, from the level before; the first has none */
};

struct image_decoder_work {
    struct arena arena, host;
    int64_t frames, height, width; /* of the latents that it is for; frames at most */
    struct tensor clip[2];         /* flat: what goes from layer to layer */
    struct image_scratch scratch;
    struct tensor enlarged;      /* flat: a frame */
    struct tensor rgb, smoothed; /* [frames, H, W, 3]; smoothed: along time; the last is F32 */
    struct tensor host_latents;  /* [frames, h, w, C] */
    struct device_graphs graphs; /* of a chunk, and of what is left at the end of a clip */
};

struct image_decoder {
    struct arena arena, weights;
    struct device *device;
    const char *dir;
    struct image_form form;
    bool temporal;

    struct linear post_quant;
    struct conv in, out, time_out;
    struct image_block mid[IMAGE_LAYERS_MAX + 1];
    int mids; /* attention follows the first of them, if another comes after it */
    struct image_attention attention;
    struct image_level level[IMAGE_LEVELS_MAX]; /* the coarsest first */
    struct image_norm norm_out;

    struct image_decoder_work work;
};

/* v is zeroed but for device and dir (which outlive it), form and temporal. With device NULL
 * tensors are looked up only. */
int image_decoder_load(struct image_decoder *v, const struct safetensors *weights, struct error *e);
void image_decoder_free(struct image_decoder *v); /* a zeroed one too; not v itself */

/* latents: `frames` frames together; number c, t, y, x of them stands at
 * latents[t * step[0] + c * step[1] + y * width + x], host. Their pictures go to the stream. */
int image_decoder_run(struct image_decoder *v, const float *latents, const int64_t step[2],
                      int64_t frames, int64_t height, int64_t width, struct picture_stream *to);

/* Bytes that work takes for so many frames of latents of this size. */
size_t image_decoder_bytes(const struct image_decoder *v, int64_t frames, int64_t height,
                           int64_t width);

/* ---- the half along time: image_vae_temporal.c */

void image_temporal_load(struct loader *l, struct arena *host, struct image_temporal *t,
                         int64_t channels, const char *name);
/* x [N, H, W, C], in place; `room`: flat, of (N + IMAGE_TEMPORAL_ROOM) H W C numbers at least. */
enum { IMAGE_TEMPORAL_ROOM = 2 };
void image_temporal_run(struct device *d, const struct image_form *f,
                        const struct image_temporal *t, struct image_scratch *s, struct tensor *x,
                        const struct tensor *room);
/* out = w over three frames of x at a time, zeros before the first and after the last. */
void image_temporal_conv(struct device *d, struct tensor *out, const struct tensor *x,
                         const struct conv *w);

#endif
