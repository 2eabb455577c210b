#include "prompts/clip_text.h"

#include <math.h>
#include <stdlib.h>

#include "kernels/loader.h"
#include "prompts/encoder.h"

struct norm {
    struct tensor weight, bias; /* [width] */
};

struct layer {
    struct norm attention_norm, feed_norm;
    struct linear qkv, out; /* queries, keys and values side by side */
    struct linear up, down; /* fc1, fc2 */
};

/* For texts of `limit` tokens; shorter ones use the first rows. */
struct work {
    struct tensor x;      /* [limit, width] F32: the sum that runs through the layers */
    struct tensor kept;   /* [limit, width] F32: the hidden states that are asked for */
    struct tensor normal; /* [limit, width] */
    struct tensor qkv;    /* [limit, 3 width] */
    struct tensor seen;   /* [limit, width] */
    struct tensor feed;   /* [limit, feed] */
    struct tensor last;   /* [1, width] F32 */
    struct tensor pooled; /* [1, projection] F32 */
};

struct clip_text {
    struct arena memory; /* the device's: weights and workspace */
    struct device *device;
    struct safetensors *weights; /* stays open: the embedding table is read from the map */
    const struct tensor *table;  /* [vocabulary, width] as stored */
    int width, heads, feed, layer_count, vocabulary, limit, eos;
    int projection; /* 0: none */
    enum activation activation;
    double eps;
    struct tensor positions; /* [limit, width] */
    struct layer *layers;
    struct norm final_norm;
    struct linear project;
    struct work work;
};

static int read_config(struct clip_text *m, const char *dir, bool projection, struct error *e)
{
    struct config c = {0};
    const char *act = "quick_gelu";
    int projected = 512, rc = -1;

    m->vocabulary = 49408;
    m->width = 512;
    m->feed = 2048;
    m->layer_count = 12;
    m->heads = 8;
    m->limit = 77;
    m->eos = 49407;
    m->eps = 1e-5;
    if (config_open(dir, NULL, &c, e) == 0 &&
        config_expect(&c, "model_type", "clip_text_model", e) == 0 &&
        config_int(&c, "vocab_size", 1, 1 << 24, &m->vocabulary, e) == 0 &&
        config_int(&c, "hidden_size", 1, 1 << 16, &m->width, e) == 0 &&
        config_int(&c, "intermediate_size", 1, 1 << 18, &m->feed, e) == 0 &&
        config_int(&c, "num_hidden_layers", 1, 1 << 10, &m->layer_count, e) == 0 &&
        config_int(&c, "num_attention_heads", 1, 1 << 10, &m->heads, e) == 0 &&
        config_int(&c, "max_position_embeddings", 1, 1 << 16, &m->limit, e) == 0 &&
        config_int(&c, "projection_dim", 1, 1 << 16, &projected, e) == 0 &&
        config_int(&c, "eos_token_id", 0, 1 << 24, &m->eos, e) == 0 &&
        config_number(&c, "layer_norm_eps", 0, 1, &m->eps, e) == 0 &&
        json_get_string(c.root, c.path, "hidden_act", &act, e) == 0 &&
        encoder_activation(&c, "hidden_act", act, &m->activation, e) == 0)
        rc = 0;
    if (rc == 0 && m->width % m->heads != 0)
        rc = error_set(e, ERROR_MODEL,
                       "%s: hidden_size (%d) does not divide by num_attention_heads (%d)", c.path,
                       m->width, m->heads);
    m->projection = projection ? projected : 0;
    config_close(&c);
    return rc;
}

static void load_norm(struct loader *l, struct norm *to, int width, const char *prefix,
                      const char *name)
{
    load_vector(l, &to->weight, width, "%s%s.weight", prefix, name);
    load_vector(l, &to->bias, width, "%s%s.bias", prefix, name);
}

static void load_layer(struct loader *l, const struct clip_text *m, const char *model, int i,
                       struct layer *to)
{
    static const char *const qkv[] = {"q_proj", "k_proj", "v_proj"};
    char prefix[64];

    snprintf(prefix, sizeof prefix, "%sencoder.layers.%d.", model, i);
    load_norm(l, &to->attention_norm, m->width, prefix, "layer_norm1");
    load_linears(l, &to->qkv, m->width, m->width, true, 3, qkv, "%sself_attn.", prefix);
    load_linear(l, &to->out, m->width, m->width, true, "%sself_attn.out_proj", prefix);
    load_norm(l, &to->feed_norm, m->width, prefix, "layer_norm2");
    load_linear(l, &to->up, m->feed, m->width, true, "%smlp.fc1", prefix);
    load_linear(l, &to->down, m->width, m->feed, true, "%smlp.fc2", prefix);
}

static int load_weights(struct clip_text *m, const char *dir, struct error *e)
{
    const char *prefix = "text_model.", *table = "text_model.embeddings.token_embedding.weight";

    if (safetensors_open(dir, &m->weights, e) != 0)
        return -1;
    if (safetensors_find(m->weights, "embeddings.token_embedding.weight")) {
        prefix = "";
        table = "embeddings.token_embedding.weight";
    }
    if (SAFETENSORS_GET(m->weights, table, &m->table, e, m->vocabulary, m->width) != 0)
        return -1;
    m->layers = calloc((size_t)m->layer_count, sizeof *m->layers);
    if (!m->layers)
        return error_memory(e);
    struct loader l = {.device = m->device, .arena = &m->memory, .weights = m->weights, .error = e};
    load_vector(&l, &m->positions, (int64_t)m->limit * m->width,
                "%sembeddings.position_embedding.weight", prefix);
    for (int i = 0; i < m->layer_count && !l.failed; i++)
        load_layer(&l, m, prefix, i, &m->layers[i]);
    load_norm(&l, &m->final_norm, m->width, prefix, "final_layer_norm");
    if (m->projection)
        load_linear(&l, &m->project, m->projection, m->width, false, "text_projection");
    return l.failed ? -1 : 0;
}

static int make_work(struct clip_text *m, struct error *e)
{
    struct device *d = m->device;
    struct arena *a = &m->memory;
    struct work *w = &m->work;

    m->positions = TENSOR_VIEW(m->positions, m->limit, m->width);
    w->x = TENSOR_NEW(a, m->limit, m->width);
    w->kept = TENSOR_NEW(a, m->limit, m->width);
    w->normal = ACTIVATION_NEW(d, a, m->limit, m->width);
    w->qkv = ACTIVATION_NEW(d, a, m->limit, 3 * m->width);
    w->seen = ACTIVATION_NEW(d, a, m->limit, m->width);
    w->feed = ACTIVATION_NEW(d, a, m->limit, m->feed);
    w->last = TENSOR_NEW(a, 1, m->width);
    w->pooled = TENSOR_NEW(a, 1, clip_text_pooled_width(m));
    return w->x.data && w->kept.data && w->normal.data && w->qkv.data && w->seen.data &&
                   w->feed.data && w->last.data && w->pooled.data
               ? 0
               : error_memory(e);
}

int clip_text_load(const char *dir, bool projection, struct device *d, struct clip_text **out,
                   struct error *e)
{
    struct clip_text *m = calloc(1, sizeof *m);

    if (!m)
        return error_memory(e);
    m->device = d;
    if (d)
        m->memory = device_arena(d);
    if (read_config(m, dir, projection, e) != 0 || load_weights(m, dir, e) != 0 ||
        (d && make_work(m, e) != 0)) {
        clip_text_free(m);
        return -1;
    }
    *out = m;
    return 0;
}

void clip_text_free(struct clip_text *m)
{
    if (!m)
        return;
    arena_free(&m->memory);
    safetensors_close(m->weights);
    free(m->layers);
    free(m);
}

int clip_text_width(const struct clip_text *m)
{
    return m->width;
}

int clip_text_pooled_width(const struct clip_text *m)
{
    return m->projection ? m->projection : m->width;
}

int clip_text_layers(const struct clip_text *m)
{
    return m->layer_count;
}

int clip_text_vocabulary(const struct clip_text *m)
{
    return m->vocabulary;
}

int clip_text_limit(const struct clip_text *m)
{
    return m->limit;
}

/* The workspace of a text of `count` tokens. */
static struct work work_rows(const struct work *all, int count)
{
    struct work w = *all;
    struct tensor *const part[] = {&w.x, &w.kept, &w.normal, &w.qkv, &w.seen, &w.feed};

    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        *part[i] = tensor_slice(*part[i], 0, 0, count);
    return w;
}

static void layer_norm(const struct clip_text *m, struct tensor *out, const struct tensor *x,
                       const struct norm *n)
{
    op_layer_norm(m->device, out, x, &n->weight, &n->bias, (float)m->eps);
}

static void run_layer(const struct clip_text *m, const struct layer *l, struct work *w)
{
    struct device *d = m->device;
    int dim = m->width / m->heads;
    struct tensor q = encoder_heads(w->qkv, 0, m->heads, dim);
    struct tensor k = encoder_heads(w->qkv, m->width, m->heads, dim);
    struct tensor v = encoder_heads(w->qkv, 2 * (int64_t)m->width, m->heads, dim);
    struct tensor seen = encoder_heads(w->seen, 0, m->heads, dim);
    struct attention_bias causal = {.causal = true};

    layer_norm(m, &w->normal, &w->x, &l->attention_norm);
    op_linear(d, &w->qkv, &w->normal, &l->qkv, ACT_NONE);
    op_attention(d, &seen, &q, &k, &v, 1 / sqrtf((float)dim), &causal);
    op_linear_add(d, &w->x, &w->seen, &l->out, &w->x);

    layer_norm(m, &w->normal, &w->x, &l->feed_norm);
    op_linear(d, &w->feed, &w->normal, &l->up, m->activation);
    op_linear_add(d, &w->x, &w->feed, &l->down, &w->x);
}

/* Whose state stands for the whole text. Configs written before the end token's id was put right
 * (transformers, pull request 24773) say 2 for whatever it is; it was always the largest id. */
static int end_of_text(const struct clip_text *m, const int32_t *ids, int count)
{
    int at = 0;

    if (m->eos == 2) {
        for (int i = 1; i < count; i++)
            if (ids[i] > ids[at])
                at = i;
        return at;
    }
    for (int i = 0; i < count; i++)
        if (ids[i] == m->eos)
            return i;
    return 0; /* as published */
}

/* The pooled state of the token `at` into the workspace. */
static void pool(const struct clip_text *m, int at, struct work *w)
{
    struct tensor row = tensor_slice(w->x, 0, at, 1);

    if (!m->projection) {
        layer_norm(m, &w->pooled, &row, &m->final_norm);
        return;
    }
    layer_norm(m, &w->last, &row, &m->final_norm);
    op_linear(m->device, &w->pooled, &w->last, &m->project, ACT_NONE);
}

int clip_text_encode(struct clip_text *m, const int32_t *ids, int count, int skip,
                     struct tensor *hidden, struct tensor *pooled, struct error *e)
{
    struct device *d = m->device;

    if (count < 1 || count > m->limit || skip < CLIP_TEXT_NORMED || skip > m->layer_count)
        return error_set(e, ERROR_INTERNAL, "text encoder: %d tokens of %d, %d layers less of %d",
                         count, m->limit, skip, m->layer_count);
    struct work w = work_rows(&m->work, count);
    struct tensor positions = tensor_slice(m->positions, 0, 0, count);
    int keep = m->layer_count - (skip > 0 ? skip : 0); /* the states after this many layers */
    int layers = pooled ? m->layer_count : keep;

    encoder_embed(d, &w.x, m->table, ids, count);
    op_add(d, &w.x, &w.x, &positions);
    for (int i = 0; i < layers; i++) {
        if (hidden && i == keep)
            op_copy(d, &w.kept, &w.x);
        run_layer(m, &m->layers[i], &w);
    }
    if (pooled)
        pool(m, end_of_text(m, ids, count), &w);
    if (hidden && skip == CLIP_TEXT_NORMED)
        layer_norm(m, &w.x, &w.x, &m->final_norm);
    if (hidden)
        op_read(d, hidden, keep < layers ? &w.kept : &w.x);
    if (pooled)
        op_read(d, pooled, &w.pooled);
    return device_status(d, e);
}
