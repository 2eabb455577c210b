/* What the UNets of SDXL and SVD share: levels of residual blocks and transformers that halve a
 * picture on the way down, and double it on the way up, where every block also reads what its
 * counterpart on the way down gave (O. Ronneberger et al., arXiv 1505.04597; R. Rombach et al.,
 * arXiv 2112.10752). For films each block has a second half that looks along time, mixed in by a
 * learned share (A. Blattmann et al., arXiv 2311.15127).
 *
 * This is the inside of unet_2d.c and unet_spatio_temporal.c, which read the configs and are what
 * others call. A batch is `clips` clips of `frames` frames each (pictures: frames 1); all frames
 * of a batch are N items of [N, H, W, C].
 */
#ifndef AUTEUR_STAGES_GENERATE_UNET_H
#define AUTEUR_STAGES_GENERATE_UNET_H

#include "kernels/config.h"
#include "kernels/device.h"
#include "kernels/loader.h"

enum { UNET_LEVELS_MAX = 8, UNET_LAYERS_MAX = 8, UNET_BLOCKS_MAX = 32 };
enum { UNET_SKIPS_MAX = 1 + UNET_LEVELS_MAX * (UNET_LAYERS_MAX + 1) };

/* Weight and bias of a norm, each [C]. */
struct unet_norm {
    struct tensor weight, bias;
};

/* x + conv2(silu(norm2(conv1(silu(norm1(x))) + time))), x through `shortcut` when in != out. */
struct unet_residual {
    int64_t in, out;
    struct unet_norm norm1, norm2;
    struct conv conv1, conv2; /* of 3x3, or along time of 3x1x1 */
    struct linear time;       /* from the timestep's embedding */
    struct linear shortcut;
};

struct unet_resnet {
    struct unet_residual spatial, temporal; /* temporal.out 0: none */
    float eps;
    float share; /* of the spatial half in the sum; the temporal one has the rest */
};

/* GEGLU: out(v gelu(g)), where v and g are the halves of in(x). */
struct unet_feed_forward {
    struct linear in, out;
    int64_t width; /* of v */
};

struct unet_block {
    struct unet_norm norm_in, norm1, norm2, norm3;
    struct unet_feed_forward ff_in, ff; /* ff_in.width 0: none */
    struct linear qkv, out;             /* self-attention */
    /* cross_q.out 0: there is one token to attend to, and so nothing to choose from. */
    struct linear cross_q, cross_kv, cross_out;
};

struct unet_transformer {
    int64_t channels;
    int heads, layers;
    int first; /* of its blocks in unet_context.cross: spatial ones, then temporal ones */
    struct unet_norm norm;
    struct linear in, out;
    struct unet_block *blocks, *temporal; /* [layers]; temporal NULL: none */
    struct linear position_1, position_2; /* of a frame in its clip */
    float share;
};

/* The fields before `resnets` are set before unet_load(). */
struct unet_level {
    int64_t channels;
    int layers; /* residual blocks */
    int heads, blocks;
    bool attends, resamples;
    float eps;
    struct unet_resnet *resnets;
    struct unet_transformer *transformers; /* as many, in the middle one fewer; NULL: none */
    struct conv resample;                  /* to the next level */
};

struct unet_workspace {
    struct arena arena, host;
    int64_t clips, frames, height, width;          /* that it is for */
    struct tensor input, output;                   /* [N, H, W, channels] */
    struct tensor sample, predicted;               /* F32 [N, channels, H, W] */
    struct tensor skips[UNET_SKIPS_MAX];           /* [N, h, w, C] each */
    struct tensor wide, state, normed, x, mix, ff; /* flat; used again and again */
    struct tensor normed_scales, ff_scales;        /* a row each, for layers with FP8 weights */
    struct tensor host_waves, waves;               /* [clips, time_in] */
    struct tensor embedded, silu;                  /* [clips, time_dim] */
    struct tensor shift;                           /* flat: [clips, C] */
    struct conv unscaled[UNET_LEVELS_MAX];         /* upsamplers to odd sizes */
    struct device_graph graph;                     /* of a forward pass */
};

struct unet {
    struct arena arena;   /* host: lists */
    struct arena weights; /* on the device */
    struct device *device;
    const char *dir;

    /* Settings, from config.json. */
    int in_channels, out_channels, context_dim, added_in, time_in, time_dim, groups, levels;
    int conv_in_size, conv_out_size;
    float norm_eps; /* of the last norm */
    double freq_shift;
    bool cosine_first, temporal;

    struct unet_level down[UNET_LEVELS_MAX], mid, up[UNET_LEVELS_MAX];
    struct unet_transformer *transformers; /* all of them, as the levels have them */
    int transformer_count, block_count;
    struct conv conv_in, conv_out;
    struct unet_norm norm_out;
    struct linear time_1, time_2, added_1, added_2;

    struct unet_workspace work;
};

/* What is known of a shot before the first step. */
struct unet_context {
    struct arena arena;
    int64_t clips, frames, tokens;
    struct tensor added; /* [clips, time_dim]: embedded sizes, rates, pooled words */
    /* A block: keys and values of the context [clips * tokens, 2C]; where there is one token, what
     * attending to it adds and, before it, the bias of the self-attention's last layer, [clips, C].
     */
    struct tensor *cross;
    struct tensor *positions; /* a transformer: [clips * frames, C]; data NULL for none */
};

/* ---- config */

/* A list of `levels` whole numbers, or one for all levels. Missing: the fallback, which is a list
 * of `count` or, for 1, one for all. */
int unet_read_levels(const struct config *c, const char *name, int low, int high, int levels,
                     const int *fallback, int count, int *values, struct error *e);
/* A list of block types: attends[i] says whether the i-th is `attending`; any other but `plain` is
 * refused. A missing list is the published one: of four, attending all but the last (last_plain)
 * or all but the first. */
int unet_read_types(const struct config *c, const char *name, const char *plain,
                    const char *attending, bool last_plain, int *levels, bool *attends,
                    struct error *e);
/* Fills the levels from block_out_channels, layers_per_block, transformer_layers_per_block,
 * cross_attention_dim and the heads of `heads_name`; eps is left to the caller. */
int unet_read_sizes(struct unet *m, const struct config *c, const char *plain_suffix,
                    const char *heads_name, const int *heads, int heads_count, int context_dim,
                    struct error *e);

/* ---- loading */

/* Settings and levels are filled in. With device NULL tensors are looked up only. */
int unet_load(struct unet *m, struct error *e);
void unet_free(struct unet *m); /* a zeroed or half-built one too; not m itself */

/* ---- running */

/* Where a number t stands, as sines and cosines of it at rates from 1 down to 1/10000: out[dim],
 * dim even; in F32, whose rounding is part of what was learned. */
void unet_waves(const struct unet *m, float t, int dim, float *out);

/* context [clips, tokens, context_dim] and added [clips, added_in], host. */
int unet_context_make(struct unet *m, const struct tensor *context, const struct tensor *added,
                      int64_t frames, struct unet_context **out, struct error *e);
void unet_context_free(struct unet_context *c); /* NULL-safe */

/* Memory for a batch of this size, unless it is there already. */
int unet_make_workspace(struct unet *m, int64_t clips, int64_t frames, int64_t height,
                        int64_t width, struct error *e);
void unet_free_workspace(struct unet *m); /* a zeroed one too */
/* sample [n, in_channels, H, W]: n is clips * frames, or the frames of the first few clips, which
 * the next as many read again, and so on; out [clips * frames, out_channels, H, W]; host,
 * contiguous. Any H and W >= 1. */
int unet_forward(struct unet *m, const struct unet_context *c, const struct tensor *sample,
                 float timestep, struct tensor *out, struct error *e);

/* out may be a skip or work.x; x may be work.wide and is then spoilt. [N, H, W, C] both. */
void unet_resnet_forward(struct unet *m, const struct unet_resnet *r, const struct tensor *x,
                         struct tensor *out);
/* x is in work.x; out may be it, or columns of work.wide. */
void unet_transformer_forward(struct unet *m, const struct unet_context *c,
                              const struct unet_transformer *t, const struct tensor *x,
                              struct tensor *out);

/* The head of flat memory as a tensor of this shape. */
struct tensor unet_view(const struct tensor *flat, int rank, const int64_t *shape);
#define UNET_VIEW(flat, ...)                                                                       \
    unet_view((flat), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                   \
              (const int64_t[]){__VA_ARGS__})
/* [N, H, W, C], or columns of one, as [N * H * W, C] */
struct tensor unet_rows(const struct tensor *x);
/* The same with room for the scales of its rows. */
struct tensor unet_scaled(struct tensor rows, const struct tensor *scales);
/* Numbers that a feed-forward's hidden layer may take at once. */
int64_t unet_feed_forward_room(int64_t rows, int64_t channels);

#endif
