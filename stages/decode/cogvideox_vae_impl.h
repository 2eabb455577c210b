/* The VAE decoder's own parts, shared by its loader and its pass. */
#ifndef AUTEUR_STAGES_COGVIDEOX_VAE_IMPL_H
#define AUTEUR_STAGES_COGVIDEOX_VAE_IMPL_H

#include "stages/decode/cogvideox_vae.h"

enum {
    COGVIDEOX_MAX_BLOCKS = 6,
    COGVIDEOX_MAX_RESNETS = 16,
    COGVIDEOX_BATCH = 2, /* latent frames that are decoded together */
};

/* A convolution over three frames, and the last two of its input so far. */
struct cogvideox_causal {
    struct conv conv;
    struct tensor past; /* [2, H, W, in] */
};

/* Group norm, scaled and shifted by the latents that lie under a pixel; SiLU follows. */
struct cogvideox_spatial_norm {
    struct tensor weight, bias; /* [channels] */
    struct conv scale, shift;   /* latents to channels, 1 x 1 */
};

struct cogvideox_resnet {
    int64_t in, out;
    struct cogvideox_spatial_norm norm1, norm2;
    struct cogvideox_causal conv1, conv2;
    struct conv shortcut; /* when in != out */
};

struct cogvideox_up_block {
    struct cogvideox_resnet resnets[COGVIDEOX_MAX_RESNETS];
    int64_t out;
    bool upsamples, doubles_time;
    struct conv resample; /* enlarges */
};

/* Frames on their way: [n, h, w, c] at the beginning of v->frames[at]. */
struct cogvideox_clip {
    int at;
    int64_t n, h, w, c;
};

struct cogvideox_vae {
    struct arena host, arena, work; /* names; weights; what one size of latents needs */
    struct device *device;
    const char *dir;

    int channels, blocks, resnets, groups, time_doublings;
    int width[COGVIDEOX_MAX_BLOCKS]; /* channels of each block, in decoding order */
    double scaling;

    struct cogvideox_causal in, out;
    struct cogvideox_resnet mid[2];
    struct cogvideox_up_block block[COGVIDEOX_MAX_BLOCKS];
    struct cogvideox_spatial_norm norm_out;

    int64_t batch, latent_height, latent_width; /* that work is for */
    struct tensor planar;                       /* [batch, C, H, W] F32 */
    /* The batch's latents, [n, H, W, C], at the number of frames after each doubling in time. */
    struct tensor latents[COGVIDEOX_MAX_BLOCKS];
    struct tensor frames[2], padded; /* flat: frames; a convolution's input, its past in front */
    struct tensor scales, shifts;    /* flat */
    struct tensor affine;            /* [3 widest], F32 */
    struct tensor rgb;               /* [n, H', W', 3], F32 */
    /* Of a batch; the first, those after it. The past that convolutions remember stays where it is.
     */
    struct device_graphs graphs;
};

/* Frames that n become where time is doubled: an odd number's first stays single. */
static inline int64_t cogvideox_doubled(int64_t n)
{
    return n % 2 ? 2 * n - 1 : 2 * n;
}

/* Memory for batches of up to `batch` latent frames of this size, unless it is there already. */
int cogvideox_vae_make_work(struct cogvideox_vae *v, int64_t batch, int64_t height, int64_t width,
                            struct error *e);

#endif
