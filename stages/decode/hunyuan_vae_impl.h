/* The VAE decoder's own parts, shared by its loader and its pass. */
#ifndef AUTEUR_STAGES_HUNYUAN_VAE_IMPL_H
#define AUTEUR_STAGES_HUNYUAN_VAE_IMPL_H

#include "stages/decode/hunyuan_vae.h"

enum { HUNYUAN_VAE_MAX_BLOCKS = 8, HUNYUAN_VAE_MAX_RESNETS = 16, HUNYUAN_VAE_CLIPS = 3 };

struct hunyuan_norm {
    struct tensor weight, bias;
};

struct hunyuan_resnet {
    int64_t in, out;
    struct hunyuan_norm norm_1, norm_2;
    struct conv conv_1, conv_2;
    struct conv shortcut; /* when in != out */
};

struct hunyuan_up {
    struct hunyuan_resnet resnets[HUNYUAN_VAE_MAX_RESNETS];
    bool doubles_time, doubles_space;
    struct conv enlarge; /* when it doubles anything */
};

struct hunyuan_vae {
    struct arena arena, weights, work; /* work: clips for one size */
    struct device *device;
    const char *dir;

    int channels, groups, resnets, blocks, width[HUNYUAN_VAE_MAX_BLOCKS]; /* as in config.json */
    int space_factor;
    bool attends;
    double scaling;

    struct conv post_quant, in, out;
    struct hunyuan_resnet mid[2];
    struct hunyuan_norm attention_norm, norm_out;
    struct linear qkv, attention_out;
    struct hunyuan_up block[HUNYUAN_VAE_MAX_BLOCKS];

    int64_t shape[3];                      /* frames, height, width of the latents work is for */
    struct tensor clip[HUNYUAN_VAE_CLIPS]; /* [numbers] */
    float *host_latents, *pixels;          /* [T, H, W, C] and [frames, height, width, 3] */
    int tile;                              /* pictures; 0: no tiles */
    struct arena host;
};

#endif
