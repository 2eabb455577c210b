/* What the VAEs of pictures share: the settings of config.json, residual blocks, and attention of
 * one head over the pixels. Everything works on one frame [H, W, C] at a time, so that only what is
 * between layers is as large as a clip. For image_vae*.c and temporal_vae*.c. */
#ifndef AUTEUR_STAGES_IMAGE_VAE_BLOCKS_H
#define AUTEUR_STAGES_IMAGE_VAE_BLOCKS_H

#include "kernels/config.h"
#include "kernels/device.h"
#include "kernels/loader.h"

enum { IMAGE_LEVELS_MAX = 8, IMAGE_LAYERS_MAX = 8, IMAGE_CHANNELS_MAX = 256 };
enum { IMAGE_NAME_SIZE = 160 };

#define IMAGE_EPS 1e-6f /* of every norm in space; not in config.json */

struct image_form {
    int channels; /* of the latents */
    int levels, layers, groups;
    int width[IMAGE_LEVELS_MAX]; /* channels of each level, the finest first */
    bool attends, quant, post_quant, force_upcast;
    /* What the decoder reads is gain * latents + offset. */
    float gain[IMAGE_CHANNELS_MAX], offset[IMAGE_CHANNELS_MAX];
};

/* temporal: an AutoencoderKLTemporalDecoder's settings; else an AutoencoderKL's. */
int image_form_read(const struct config *c, bool temporal, struct image_form *out, struct error *e);

struct image_norm {
    struct tensor weight, bias; /* [C] */
};

/* x + conv2(silu(norm2(conv1(silu(norm1(x)))))), x through `shortcut` when in != out. */
struct image_resnet {
    int64_t in, out;
    struct image_norm norm1, norm2;
    struct conv conv1, conv2;
    struct linear shortcut;
};

struct image_attention {
    int64_t dim; /* 0: there is none */
    struct image_norm norm;
    struct linear qkv, out;
};

/* Flat device memory that every block uses again. */
struct image_scratch {
    struct tensor normed, between;
};
/* Numbers it must hold; grows by what a block of a frame of `pixels` needs. */
struct image_room {
    int64_t normed, between;
};

void image_load_norm(struct loader *l, struct image_norm *n, int64_t width, const char *name);
void image_load_resnet(struct loader *l, struct image_resnet *r, int64_t in, int64_t out,
                       const char *name);
/* Under the names of today or of before 2023 ("query", "proj_attn"). */
void image_load_attention(struct loader *l, struct image_attention *a, int64_t dim,
                          const char *name);

void image_resnet_room(struct image_room *room, const struct image_resnet *r, int64_t pixels);
void image_attention_room(struct image_room *room, const struct image_attention *a, int64_t pixels);
bool image_scratch_make(struct device *d, struct arena *a, const struct image_room *room,
                        struct image_scratch *out);

/* x [H, W, in], out [H, W, out]: the same view where in == out, or another. */
void image_resnet_run(struct device *d, const struct image_form *f, const struct image_resnet *r,
                      struct image_scratch *s, const struct tensor *x, struct tensor *out);
/* x [H, W, dim], in place. */
void image_attention_run(struct device *d, const struct image_form *f,
                         const struct image_attention *a, struct image_scratch *s,
                         struct tensor *x);
/* out = act(norm(x)) of one frame; in place too. */
void image_norm_run(struct device *d, const struct image_form *f, const struct image_norm *n,
                    const struct tensor *x, struct tensor *out, enum activation act);

/* The head of flat memory as a frame [H, W, C]. */
struct tensor image_frame(const struct tensor *flat, int64_t height, int64_t width,
                          int64_t channels);
/* Frame n of a clip [N, H, W, C]. */
struct tensor image_nth(const struct tensor *clip, int64_t n);
/* [.., C] as rows of C. */
struct tensor image_rows(const struct tensor *x);

#endif
