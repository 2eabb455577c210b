/* The denoiser's own parts, shared by its loader and its forward pass. */
#ifndef AUTEUR_STAGES_WAN_TRANSFORMER_IMPL_H
#define AUTEUR_STAGES_WAN_TRANSFORMER_IMPL_H

#include "kernels/weight_stream.h"
#include "stages/generate/wan_transformer.h"

enum { WAN_MAX_LAYERS = 128 };

struct wan_block {
    struct linear qkv, out; /* self-attention */
    struct linear cross_q, cross_kv, cross_out;
    struct tensor norm_q, norm_k, cross_norm_q, cross_norm_k; /* [dim] */
    struct tensor cross_weight, cross_bias; /* norm before cross-attention; data NULL for none */
    struct linear ffn_in, ffn_out;
    struct tensor table; /* [6 * dim]: shift, 1 + scale, gate; the same of the feed-forward */
};

/* Everything whose size depends on the latents' shape. */
struct wan_workspace {
    struct arena memory;
    int64_t shape[4];            /* of the latents it is for */
    struct tensor latents, flow; /* as the latents, F32 */
    struct tensor unguided;      /* the negative prompt\'s part of the flow, likewise */
    struct tensor patches;       /* [tokens, channels * patch] */
    struct tensor x;             /* [tokens, dim] */
    struct tensor normed, mixed; /* [tokens, dim] */
    struct tensor qkv;           /* [tokens, 3 * dim] */
    struct tensor hidden;        /* [tokens, ffn] */
    struct tensor projected;     /* [tokens, out_channels * patch] */
    struct tensor cos, sin;      /* [tokens, head_dim / 2] */
};

struct wan_transformer {
    struct arena arena, memory; /* memory: the device's */
    struct device *device;
    const char *dir;

    int patch[3], heads, head_dim, in_channels, out_channels, text_dim, freq_dim, ffn_dim, layers;
    int rope_length; /* positions along an axis, at most */
    bool cross_norm;
    double eps;
    int64_t dim; /* heads * head_dim */

    struct linear patch_embedding, text_1, text_2, time_1, time_2, time_proj, out;
    struct tensor table; /* [2 * dim]: shift, 1 + scale of the last norm */
    struct wan_block *blocks;
    struct weight_stream *stream; /* of the blocks; NULL: all are on the device */

    struct tensor frequencies, time, time_silu, modulation, mods; /* small, per step; F32 */
    struct tensor host_frequencies;
    struct tensor ones; /* [dim] */
    struct wan_workspace work;
    struct device_graph graph;             /* a step without cache */
    struct step_cache *cache;              /* NULL: every step by itself */
    const struct wan_conditioning *prompt; /* of the pass in hand */
};

struct wan_conditioning {
    struct arena arena, memory;
    struct tensor key_bias; /* [keys]; data NULL when there is no padding */
    struct tensor *kv;      /* a block: [keys, 2 * dim], keys normed */
    int64_t keys;
};

/* Positions of the tokens of latents of this shape: [tokens, head_dim / 2] each. */
void wan_rope_tables(const struct wan_transformer *m, const int64_t shape[4], float *cos,
                     float *sin);

#endif
