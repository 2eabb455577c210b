/* The layers of CLIP's text and picture encoders, which differ in what goes in and in whether a
 * token sees those after it (A. Radford et al., arXiv 2103.00020). For clip_text.c and
 * clip_vision.c. */
#ifndef AUTEUR_PROMPTS_CLIP_LAYERS_H
#define AUTEUR_PROMPTS_CLIP_LAYERS_H

#include "kernels/config.h"
#include "kernels/device.h"
#include "kernels/loader.h"

struct clip_sizes {
    int width, heads, feed, layers;
    enum activation activation;
    double eps;
};
/* hidden_size and its like; what is in *sizes is the default. */
int clip_sizes_read(const struct config *c, struct clip_sizes *sizes, struct error *e);

struct clip_norm {
    struct tensor weight, bias; /* [width] */
};
struct clip_layer {
    struct clip_norm attention_norm, feed_norm;
    struct linear qkv, out; /* queries, keys and values side by side */
    struct linear up, down; /* fc1, fc2 */
};

/* Names in front of ".weight" and ".bias"; of a layer in front of ".self_attn" and its like. */
void clip_norm_load(struct loader *l, struct clip_norm *to, int width, const char *name, ...)
    __attribute__((format(printf, 4, 5)));
void clip_layer_load(struct loader *l, const struct clip_sizes *sizes, struct clip_layer *to,
                     const char *name);

struct clip_work {
    struct tensor x;      /* [tokens, width] F32: the sum that runs through the layers */
    struct tensor normal; /* [tokens, width] */
    struct tensor qkv;    /* [tokens, 3 width] */
    struct tensor seen;   /* [tokens, width] */
    struct tensor feed;   /* [tokens, feed] */
};
int clip_work_make(struct device *d, struct arena *a, const struct clip_sizes *sizes,
                   int64_t tokens, struct clip_work *out, struct error *e);
/* The part of it for fewer tokens. */
struct clip_work clip_work_rows(const struct clip_work *all, int64_t tokens);

/* In place too. */
void clip_norm_run(struct device *d, const struct clip_sizes *sizes, const struct clip_norm *n,
                   const struct tensor *x, struct tensor *out);
void clip_layer_run(struct device *d, const struct clip_sizes *sizes, const struct clip_layer *l,
                    bool causal, struct clip_work *w);

#endif
