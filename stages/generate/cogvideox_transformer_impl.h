/* The denoiser's own parts, shared by its loader, its positions and its forward pass. */
#ifndef AUTEUR_STAGES_COGVIDEOX_TRANSFORMER_IMPL_H
#define AUTEUR_STAGES_COGVIDEOX_TRANSFORMER_IMPL_H

#include "kernels/weight_stream.h"
#include "stages/generate/cogvideox_transformer.h"

enum { COGVIDEOX_MAX_LAYERS = 128, COGVIDEOX_MAX_TOKENS = 4096 /* of text */ };

/* A block norms twice, the video's rows and the text's each with numbers of their own. */
enum cogvideox_norm { ATTENTION_VIDEO, ATTENTION_TEXT, FF_VIDEO, FF_TEXT, COGVIDEOX_NORMS };

struct cogvideox_block {
    struct linear modulation;             /* to [3][COGVIDEOX_NORMS][dim]: scale, shift, gate */
    struct tensor norm_weight, norm_bias; /* [COGVIDEOX_NORMS, dim] */
    struct linear qkv, out;
    struct tensor norm_q, norm_q_bias, norm_k, norm_k_bias; /* [head_dim] */
    struct linear ff_in, ff_out;
};

/* Everything whose size depends on the shot's. */
struct cogvideox_workspace {
    struct arena arena;
    int64_t items, text, shape[4]; /* what it is for */
    int64_t grid[3], tokens;       /* patches in time, rows, columns, and in all */
    struct tensor words;           /* [items, text, dim]: the texts, embedded */
    struct tensor latents;         /* [T, C, H, W] F32 */
    struct tensor patches;         /* [tokens, channels * patch] */
    struct tensor x, normed;       /* [items, text + tokens, dim] */
    struct tensor wide;            /* [items, text + tokens, 4 * dim]: queries, keys, values and
                                      what attention makes of them; then the feed-forward's inside */
    struct tensor projected;       /* [items, tokens, channels * patch] F32 */
    struct tensor out;             /* [items, T, C, H, W] F32 */
    struct tensor cos, sin;        /* second form: [tokens, head_dim / 2] */
    struct tensor times, places;   /* first form: [grid[0], dim / 4], [rows * columns, 3 dim / 4] */
};

struct cogvideox_transformer {
    struct arena host, arena; /* names; weights, on the device */
    struct device *device;
    const char *dir;
    struct cogvideox_sizes sizes;

    int heads, head_dim, layers, time_dim;
    double freq_shift, eps, space_scale, time_scale;
    bool cos_first, qkv_bias, patch_bias, affine;
    enum activation ff_act, time_act;
    int64_t dim; /* heads * head_dim */

    struct linear patch_embedding, text, time_1, time_2, modulation_out, out;
    struct cogvideox_block *blocks;
    struct weight_stream *stream; /* of the blocks; NULL: all are on the device */
    struct tensor norm_final, norm_final_bias, norm_out, norm_out_bias; /* [dim]; the first two
                                                                           NULL for none */

    /* Small, a step: F32. mods: of one block. */
    struct tensor frequencies, time_hidden, time, mods, mods_out;
    struct tensor weight, bias, weight_out, bias_out; /* of the norms: [COGVIDEOX_NORMS, dim] */
    struct cogvideox_workspace work;
    struct device_graph graph; /* a step without cache */
    struct step_cache *cache;  /* NULL: every step by itself */
};

/* The workspace for texts [items, text] and latents of this shape, unless it is there already. */
int cogvideox_make_workspace(struct cogvideox_transformer *m, int64_t items, int64_t text,
                             const int64_t shape[4], struct error *e);

/* First form: rows that are added to the patches, times to the first quarter of their numbers and
 * places to the rest. */
void cogvideox_added_tables(const struct cogvideox_transformer *m, const int64_t grid[3],
                            float *times, float *places);

#endif
