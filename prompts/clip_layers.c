#include "prompts/clip_layers.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "prompts/encoder.h"

enum { NAME_SIZE = 128 };

int clip_sizes_read(const struct config *c, struct clip_sizes *sizes, struct error *e)
{
    const char *act = "quick_gelu";

    if (config_int(c, "hidden_size", 1, 1 << 16, &sizes->width, e) ||
        config_int(c, "intermediate_size", 1, 1 << 18, &sizes->feed, e) ||
        config_int(c, "num_hidden_layers", 1, 1 << 10, &sizes->layers, e) ||
        config_int(c, "num_attention_heads", 1, 1 << 10, &sizes->heads, e) ||
        config_number(c, "layer_norm_eps", 0, 1, &sizes->eps, e) ||
        json_get_string(c->root, c->path, "hidden_act", &act, e) ||
        encoder_activation(c, "hidden_act", act, &sizes->activation, e))
        return -1;
    if (sizes->width % sizes->heads)
        return error_set(e, ERROR_MODEL,
                         "%s: hidden_size (%d) does not divide by num_attention_heads (%d)",
                         c->path, sizes->width, sizes->heads);
    return 0;
}

void clip_norm_load(struct loader *l, struct clip_norm *to, int width, const char *name, ...)
{
    char text[NAME_SIZE];
    va_list args;

    va_start(args, name);
    vsnprintf(text, sizeof text, name, args);
    va_end(args);
    load_vector(l, &to->weight, width, "%s.weight", text);
    load_vector(l, &to->bias, width, "%s.bias", text);
}

void clip_layer_load(struct loader *l, const struct clip_sizes *sizes, struct clip_layer *to,
                     const char *name)
{
    static const char *const qkv[] = {"q_proj", "k_proj", "v_proj"};
    int width = sizes->width, feed = sizes->feed;

    clip_norm_load(l, &to->attention_norm, width, "%s.layer_norm1", name);
    load_linears(l, &to->qkv, width, width, true, 3, qkv, "%s.self_attn.", name);
    load_linear(l, &to->out, width, width, true, "%s.self_attn.out_proj", name);
    clip_norm_load(l, &to->feed_norm, width, "%s.layer_norm2", name);
    load_linear(l, &to->up, feed, width, true, "%s.mlp.fc1", name);
    load_linear(l, &to->down, width, feed, true, "%s.mlp.fc2", name);
}

int clip_work_make(struct device *d, struct arena *a, const struct clip_sizes *sizes,
                   int64_t tokens, struct clip_work *out, struct error *e)
{
    out->x = TENSOR_NEW(a, tokens, sizes->width);
    out->normal = ACTIVATION_NEW(d, a, tokens, sizes->width);
    out->qkv = ACTIVATION_NEW(d, a, tokens, 3 * sizes->width);
    out->seen = ACTIVATION_NEW(d, a, tokens, sizes->width);
    out->feed = ACTIVATION_NEW(d, a, tokens, sizes->feed);
    return out->x.data && out->normal.data && out->qkv.data && out->seen.data && out->feed.data
               ? 0
               : error_memory(e);
}

struct clip_work clip_work_rows(const struct clip_work *all, int64_t tokens)
{
    struct clip_work w = *all;
    struct tensor *const part[] = {&w.x, &w.normal, &w.qkv, &w.seen, &w.feed};

    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        *part[i] = tensor_slice(*part[i], 0, 0, tokens);
    return w;
}

void clip_norm_run(struct device *d, const struct clip_sizes *sizes, const struct clip_norm *n,
                   const struct tensor *x, struct tensor *out)
{
    op_layer_norm(d, out, x, &n->weight, &n->bias, (float)sizes->eps);
}

void clip_layer_run(struct device *d, const struct clip_sizes *sizes, const struct clip_layer *l,
                    bool causal, struct clip_work *w)
{
    int width = sizes->width, heads = sizes->heads, dim = width / heads;
    struct tensor q = encoder_heads(w->qkv, 0, heads, dim);
    struct tensor k = encoder_heads(w->qkv, width, heads, dim);
    struct tensor v = encoder_heads(w->qkv, 2 * (int64_t)width, heads, dim);
    struct tensor seen = encoder_heads(w->seen, 0, heads, dim);
    struct attention_bias bias = {.causal = causal};

    clip_norm_run(d, sizes, &l->attention_norm, &w->x, &w->normal);
    op_linear(d, &w->qkv, &w->normal, &l->qkv, ACT_NONE);
    op_attention(d, &seen, &q, &k, &v, 1 / sqrtf((float)dim), &bias);
    op_linear_add(d, &w->x, &w->seen, &l->out, &w->x);

    clip_norm_run(d, sizes, &l->feed_norm, &w->x, &w->normal);
    op_linear(d, &w->feed, &w->normal, &l->up, sizes->activation);
    op_linear_add(d, &w->x, &w->feed, &l->down, &w->x);
}
