/* The VAE decoder's own parts, shared by its loader and its pass. */
#ifndef AUTEUR_STAGES_HUNYUAN_VAE_IMPL_H
#define AUTEUR_STAGES_HUNYUAN_VAE_IMPL_H

#include "stages/decode/hunyuan_vae.h"
#include "stages/decode/picture_stream.h"

enum { HUNYUAN_VAE_MAX_BLOCKS = 8, HUNYUAN_VAE_MAX_RESNETS = 16 };
enum { HUNYUAN_VAE_SLICE_MOST = 4 }; /* frames: longer slices are no faster */

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

/* Where a block works, for one size of latents. */
struct hunyuan_level {
    int64_t frames, height, width, in, out;
    int64_t slot;  /* numbers from frame to frame */
    int64_t slice; /* frames that its first convolution takes together, at most */
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

    int64_t widest;   /* of all layers, in channels */
    int64_t shape[3]; /* frames, height, width of the latents that work is for */
    struct hunyuan_level level[HUNYUAN_VAE_MAX_BLOCKS];
    struct tensor room[2]; /* [numbers] */
    struct tensor affine;  /* [3 widest] */
    struct tensor rgb;     /* [frames, height, width, 3], F32 */
    int64_t latents_room;  /* pixels that host_latents holds; 0: there is no memory yet */
    float *host_latents;   /* [T, H, W, C] */
    int64_t slice;         /* frames that are taken together, at most */
    int slots;             /* of a picture stream: slices on their way to the host */
    /* Of a pass but its last layer, whose pictures go to the host in between. A tile and what is
     * left at the end of a clip are two keys. */
    struct device_graphs graphs;
    int tile;      /* pictures; 0: no tiles */
    size_t memory; /* bytes that work should keep to; 0: any */
    struct arena host;
};

static inline int64_t hunyuan_least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Memory for a tile of latents of this shape, unless it is there already. */
int hunyuan_vae_make_work(struct hunyuan_vae *v, const int64_t shape[3], struct error *e);
/* The device is told to decode the tile in v->host_latents; its pictures go to the stream. */
int hunyuan_vae_run(struct hunyuan_vae *v, struct picture_stream *to);

#endif
