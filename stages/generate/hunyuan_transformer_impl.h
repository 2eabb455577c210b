/* The denoiser's own parts, shared by its loader, its forward pass and its conditioning. */
#ifndef AUTEUR_STAGES_HUNYUAN_TRANSFORMER_IMPL_H
#define AUTEUR_STAGES_HUNYUAN_TRANSFORMER_IMPL_H

#include "kernels/weight_stream.h"
#include "stages/generate/hunyuan_transformer.h"

enum { HUNYUAN_MAX_LAYERS = 256, HUNYUAN_FREQUENCIES = 256 };
#define HUNYUAN_EPS 1e-6f /* of every norm; not in config.json */

/* Two layers with SiLU between: embedders of the timestep, the guidance and pooled texts. */
struct hunyuan_embedder {
    struct linear first, second;
};

/* Modulations give, each [dim]: shift, 1 + scale, gate; the same of the feed-forward. The one is
 * in the bias of the layer, so that norms may use the scales as weights. */
struct hunyuan_side {
    struct linear modulation, qkv, out, ffn_in, ffn_out;
    struct tensor norm_q, norm_k; /* [head_dim]; data NULL where qk_norm is null */
};
struct hunyuan_dual {
    struct hunyuan_side video, words;
};
struct hunyuan_single {
    struct linear modulation, qkv, ffn_in, out; /* modulation: shift, 1 + scale, gate */
    struct tensor norm_q, norm_k;
};
struct hunyuan_refiner {
    struct linear gates, qkv, out, ffn_in, ffn_out; /* gates: of attention, of the feed-forward */
    struct tensor weight_1, bias_1, weight_2, bias_2;
};

/* Everything whose size depends on the latents' shape and the number of words. Rows: the video's
 * tokens, then the words. */
struct hunyuan_workspace {
    struct arena arena;
    int64_t shape[4];                 /* of the latents it is for */
    int64_t video;                    /* tokens */
    int64_t words;                    /* at most */
    struct tensor latents;            /* F32, in and out */
    struct tensor patches, projected; /* [video, channels * patch] */
    struct tensor x, normed;          /* [rows, dim] */
    struct tensor qkv;                /* [rows, 3 * dim] */
    struct tensor wide;               /* [rows, dim + the widest feed-forward] */
    struct tensor cos, sin;           /* [video, head_dim / 2] */
};

struct hunyuan_transformer {
    struct arena arena, device_arena;
    struct device *device;
    const char *dir;

    int patch[3], heads, head_dim, channels, text_dim, pooled_dim;
    int dual_layers, single_layers, refiner_layers;
    int axes[3]; /* numbers of a head that turn with time, rows, columns */
    double mlp_ratio, rope_theta;
    bool guided, qk_norm;
    int64_t dim, ffn; /* heads * head_dim; of the blocks' feed-forward */

    struct linear patch_embedding, text_in, out, out_modulation; /* 1 + scale, shift */
    struct hunyuan_embedder time, guidance, pooled;              /* of the blocks */
    struct hunyuan_embedder refiner_time, refiner_pooled;
    struct hunyuan_refiner *refiners;
    struct hunyuan_dual *duals;
    struct hunyuan_single *singles;
    struct weight_stream *stream; /* of the duals, then the singles; NULL: all are on the device */

    /* Small and F32, on the device, per step: [1, ...]. */
    struct tensor frequencies, hidden;    /* of the embedder in use */
    struct tensor signal, refiner_signal; /* SiLU of what modulates */
    struct tensor video_mods, word_mods;  /* [1, 6 * dim] */
    float host_frequencies[HUNYUAN_FREQUENCIES];
    struct hunyuan_workspace work;
    int64_t words;             /* of the step in hand */
    struct device_graph graph; /* a step without cache */
    struct step_cache *cache;  /* NULL: every step by itself */
};

struct hunyuan_conditioning {
    struct arena arena;
    int64_t words;
    struct tensor text;                       /* [words, dim] */
    struct tensor constant, refiner_constant; /* [1, dim] F32: what is added to the timestep's */
};

/* m->frequencies = cos and sin of `value` at frequencies from 1 down to 1/10000. */
void hunyuan_write_scalar(struct hunyuan_transformer *m, float value);
/* out [1, dim] = embedder(x) + add, where add may be NULL. */
void hunyuan_embed(struct hunyuan_transformer *m, const struct hunyuan_embedder *by,
                   const struct tensor *x, const struct tensor *add, struct tensor *out);

/* Positions of the tokens of latents of this shape, into cos and sin in host memory. */
void hunyuan_rope_tables(const struct hunyuan_transformer *m, const int64_t shape[4], float *cos,
                         float *sin);
/* The workspace for these latents and at least so many words. */
int hunyuan_make_workspace(struct hunyuan_transformer *m, const int64_t shape[4], int64_t words,
                           struct error *e);

#endif
