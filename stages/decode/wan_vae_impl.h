/* The VAE decoder's own parts, shared by its loader and its streaming pass. */
#ifndef AUTEUR_STAGES_WAN_VAE_IMPL_H
#define AUTEUR_STAGES_WAN_VAE_IMPL_H

#include "stages/decode/wan_vae.h"

enum { VAE_MAX_BLOCKS = 8, VAE_MAX_RESNETS = 16, VAE_MAX_CHANNELS = 256 };

/* A causal convolution and what it remembers. Where frames go through one at a time, its last three
 * inputs in a ring, which it reads where they are; else the last two, which are put in front of the
 * next slice. */
struct vae_causal {
    struct conv conv;
    struct tensor past; /* [3 or 2, h, w, in] */
    int64_t seen;       /* frames that a ring was given so far */
};

struct vae_resnet {
    int64_t in, out;
    struct tensor norm1, norm2;
    struct vae_causal conv1, conv2;
    struct conv shortcut;  /* when in != out */
    struct tensor between; /* frames, flat; shared by blocks in a row */
    struct tensor result;  /* frames; the input's own when in == out */
};

struct vae_block {
    struct vae_resnet resnets[VAE_MAX_RESNETS];
    bool upsamples, doubles_time;
    int64_t out;
    int64_t together;       /* frames that go through it at once, at most */
    struct vae_causal time; /* conv: the even one of the two frames it makes */
    struct conv time_odd;
    struct conv resample;         /* enlarges */
    struct tensor moment, result; /* frames, flat */
};

struct wan_vae {
    struct arena arena, memory, work; /* memory: weights; work: frames for one size */
    struct device *device;
    const char *dir;

    int channels, base_dim, resnets, blocks, mult[VAE_MAX_BLOCKS];
    bool doubles_time[VAE_MAX_BLOCKS]; /* in decoding order */
    struct tensor mean, scale;         /* scale: standard deviation - 1 */

    struct conv post_quant;
    struct vae_causal in;
    struct vae_resnet mid[2];
    struct tensor attention_norm;
    struct conv qkv, attention_out;
    struct vae_block block[VAE_MAX_BLOCKS];
    struct tensor norm_out;
    struct vae_causal out;

    size_t limit;          /* bytes that work should keep to; 0: any */
    int together;          /* latent frames at once, as was asked for; 0: to be chosen */
    int64_t latents;       /* latent frames that begin together */
    int64_t height, width; /* of the latents that work is for; 0: for none */
    struct tensor planes;  /* frames of the latents, channels last, F32 */
    struct tensor latent, x, normed, attended, qkv_frame; /* flat */
    struct tensor rgb;                                    /* of a pass, F32 */
    struct tensor padded; /* flat: a slice, the two frames before it in front */
    struct tensor zero;   /* one number */
    struct arena host;    /* for that size */
    struct tensor host_planes;
    float *picture; /* [height, width, 3] */
    /* Of a pass over latents that begin together: the first, those after it, the last; two or more
     * of them. A single one finds its past in rings, by turns in other places, and counts them: it
     * is issued every time. */
    struct device_graphs graphs;
};

/* Frames for latents of this size, unless they are there already. */
int vae_make_frames(struct wan_vae *v, int64_t height, int64_t width, struct error *e);

/* The beginning of flat memory as frames. */
struct tensor vae_frames(const struct tensor *flat, int64_t n, int64_t h, int64_t w, int64_t c);

#endif
