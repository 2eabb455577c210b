/* The VAE decoder's own parts, shared by its loader and its streaming pass. */
#ifndef AUTEUR_STAGES_WAN_VAE_IMPL_H
#define AUTEUR_STAGES_WAN_VAE_IMPL_H

#include "stages/decode/wan_vae.h"

enum { VAE_MAX_BLOCKS = 8, VAE_MAX_RESNETS = 16, VAE_MAX_CHANNELS = 256 };

/* A causal convolution and the last three frames of its input, in a ring. */
struct vae_causal {
    struct conv conv;
    struct tensor ring[CONV_MAX_TAPS];
    int64_t seen; /* frames given so far */
};

struct vae_resnet {
    int64_t in, out;
    struct tensor norm1, norm2;
    struct vae_causal conv1, conv2;
    struct conv shortcut;          /* when in != out */
    struct tensor between, result; /* frames; result is the input's own when in == out */
};

struct vae_block {
    struct vae_resnet resnets[VAE_MAX_RESNETS];
    bool upsamples, doubles_time;
    int64_t out;
    struct vae_causal time; /* conv: the even one of the two frames it makes */
    struct conv time_odd;
    struct conv resample;         /* enlarges */
    struct tensor moment, result; /* frames */
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

    int64_t height, width; /* of the latents that work is for */
    struct tensor planes;  /* a frame of the latents, channels last, F32 */
    struct tensor latent, x, normed, attended, qkv_frame, rgb;
    struct arena host; /* for that size */
    struct tensor host_planes, picture;
};

/* Frames for latents of this size, unless they are there already. */
int vae_make_frames(struct wan_vae *v, int64_t height, int64_t width, struct error *e);

#endif
