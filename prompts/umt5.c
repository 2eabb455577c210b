#include "prompts/umt5.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/config.h"
#include "kernels/loader.h"

struct layer {
    struct tensor attention_norm, feed_norm; /* [width] */
    struct linear qkv, o;                    /* queries, keys and values side by side */
    struct linear gate, up, down;            /* wi_0, wi_1, wo */
    float *relative;                         /* [buckets, heads], on the host */
};

struct umt5 {
    struct arena arena, memory; /* memory: weights, on the device */
    struct device *device;
    struct safetensors *weights; /* stays open: the embedding table is read from the map */
    const struct tensor *table;  /* [vocabulary, width] as stored */
    int width, head_dim, heads, feed, layer_count, vocabulary;
    int buckets, max_distance;
    double eps;
    struct tensor final_norm; /* [width] */
    struct layer *layers;
};

static int read_config(struct umt5 *m, const char *dir, struct error *e)
{
    struct config c = {0};
    m->buckets = 32;
    m->max_distance = 128;
    m->eps = 1e-6;
    int rc = -1;
    if (config_open(dir, NULL, &c, e) == 0 && config_expect(&c, "model_type", "umt5", e) == 0 &&
        config_expect(&c, "feed_forward_proj", "gated-gelu", e) == 0 &&
        config_expect(&c, "dense_act_fn", "gelu_new", e) == 0 &&
        config_int(&c, "d_model", 1, 1 << 16, &m->width, e) == 0 &&
        config_int(&c, "d_kv", 1, 1 << 12, &m->head_dim, e) == 0 &&
        config_int(&c, "num_heads", 1, 1 << 10, &m->heads, e) == 0 &&
        config_int(&c, "d_ff", 1, 1 << 18, &m->feed, e) == 0 &&
        config_int(&c, "num_layers", 1, 1 << 10, &m->layer_count, e) == 0 &&
        config_int(&c, "vocab_size", 1, 1 << 24, &m->vocabulary, e) == 0 &&
        config_int(&c, "relative_attention_num_buckets", 4, 1 << 12, &m->buckets, e) == 0 &&
        config_int(&c, "relative_attention_max_distance", 2, 1 << 16, &m->max_distance, e) == 0 &&
        config_number(&c, "layer_norm_epsilon", 0, 1, &m->eps, e) == 0)
        rc = 0;
    if (rc == 0 && (m->buckets % 4 != 0 || m->max_distance <= m->buckets / 4))
        rc = error_set(e, ERROR_MODEL,
                       "%s: relative_attention_num_buckets (%d) must divide by 4, and "
                       "relative_attention_max_distance (%d) be above a quarter of it",
                       c.path, m->buckets, m->max_distance);
    config_close(&c);
    return rc;
}

static void load_layer(struct loader *l, struct umt5 *m, int i, struct layer *to)
{
    static const char *const qkv[] = {"q", "k", "v"};
    int inner = m->heads * m->head_dim;
    load_vector(l, &to->attention_norm, m->width, "encoder.block.%d.layer.0.layer_norm.weight", i);
    load_linears(l, &to->qkv, inner, m->width, false, 3, qkv,
                 "encoder.block.%d.layer.0.SelfAttention.", i);
    load_linear(l, &to->o, m->width, inner, false, "encoder.block.%d.layer.0.SelfAttention.o", i);
    load_host_vector(l, &m->arena, &to->relative, (int64_t)m->buckets * m->heads,
                     "encoder.block.%d.layer.0.SelfAttention.relative_attention_bias.weight", i);
    load_vector(l, &to->feed_norm, m->width, "encoder.block.%d.layer.1.layer_norm.weight", i);
    load_linear(l, &to->gate, m->feed, m->width, false,
                "encoder.block.%d.layer.1.DenseReluDense.wi_0", i);
    load_linear(l, &to->up, m->feed, m->width, false,
                "encoder.block.%d.layer.1.DenseReluDense.wi_1", i);
    load_linear(l, &to->down, m->width, m->feed, false,
                "encoder.block.%d.layer.1.DenseReluDense.wo", i);
}

static int load_weights(struct umt5 *m, const char *dir, struct error *e)
{
    if (safetensors_open(dir, &m->weights, e) != 0)
        return -1;
    const char *table = "shared.weight"; /* some checkpoints keep it under the encoder's own name */
    if (!safetensors_find(m->weights, table))
        table = "encoder.embed_tokens.weight";
    if (SAFETENSORS_GET(m->weights, table, &m->table, e, m->vocabulary, m->width) != 0)
        return -1;
    m->layers = arena_array(&m->arena, (size_t)m->layer_count, sizeof *m->layers);
    if (!m->layers)
        return error_memory(e);
    struct loader l = {.device = m->device, .arena = &m->memory, .weights = m->weights, .error = e};
    for (int i = 0; i < m->layer_count && !l.failed; i++)
        load_layer(&l, m, i, &m->layers[i]);
    load_vector(&l, &m->final_norm, m->width, "encoder.final_layer_norm.weight");
    return l.failed ? -1 : 0;
}

int umt5_load(const char *dir, struct device *d, struct umt5 **out, struct error *e)
{
    struct umt5 *m = calloc(1, sizeof *m);
    if (!m)
        return error_memory(e);
    m->device = d;
    m->memory = device_arena(d);
    if (read_config(m, dir, e) != 0 || load_weights(m, dir, e) != 0) {
        umt5_free(m);
        return -1;
    }
    *out = m;
    return 0;
}

void umt5_free(struct umt5 *m)
{
    if (!m)
        return;
    arena_free(&m->memory);
    arena_free(&m->arena);
    safetensors_close(m->weights);
    free(m);
}

int umt5_width(const struct umt5 *m)
{
    return m->width;
}

int umt5_vocabulary(const struct umt5 *m)
{
    return m->vocabulary;
}

/* Which bias a key at `distance` (its position less the query's) gets: half of the buckets for keys
 * after the query; of a half, half for one distance each and the rest for logarithmically wider
 * ranges up to max_distance. F32 as published, because a range's end can hinge on a rounding. */
static int bucket(const struct umt5 *m, int distance)
{
    int half = m->buckets / 2, exact = half / 2;
    int base = distance > 0 ? half : 0;
    int apart = abs(distance);
    if (apart < exact)
        return base + apart;
    float part = logf((float)apart / (float)exact) /
                 (float)log((double)m->max_distance / (double)exact) * (float)(half - exact);
    int wide = exact + (int)part;
    return base + (wide < half - 1 ? wide : half - 1);
}

/* [heads, 2 count - 1]: what op_attention adds for each distance. */
static void relative_bias(const struct umt5 *m, const struct layer *l, int count, struct tensor *to)
{
    const float *table = l->relative;
    float *out = to->data;
    int span = 2 * count - 1;
    for (int i = 0; i < span; i++) {
        const float *row = table + (ptrdiff_t)bucket(m, i - (count - 1)) * m->heads;
        for (int h = 0; h < m->heads; h++)
            out[(ptrdiff_t)h * span + i] = row[h];
    }
}

/* Everything one text needs while it is encoded. */
struct work {
    struct tensor ids;                  /* [count] */
    struct tensor x, normal, qkv, seen; /* [count, width / width / 3 inner / inner] */
    struct tensor gate, up;             /* [count, feed] */
    struct tensor relative;             /* [heads, 2 count - 1] */
    struct tensor host_relative;        /* the same, to be filled */
};

static int work_make(const struct umt5 *m, struct arena *host, struct arena *a, const int32_t *ids,
                     int count, struct work *w, struct error *e)
{
    struct device *d = m->device;
    int inner = m->heads * m->head_dim;
    int32_t *copy = arena_array(host, (size_t)count, sizeof *copy);
    w->x = TENSOR_NEW(a, count, m->width); /* F32: what layers add up to is large */
    w->normal = ACTIVATION_NEW(d, a, count, m->width);
    w->qkv = ACTIVATION_NEW(d, a, count, 3 * inner);
    w->seen = ACTIVATION_NEW(d, a, count, inner);
    w->gate = ACTIVATION_NEW(d, a, count, m->feed);
    w->up = ACTIVATION_NEW(d, a, count, m->feed);
    w->relative = TENSOR_NEW(a, m->heads, 2 * count - 1);
    w->host_relative = TENSOR_NEW(host, m->heads, 2 * count - 1);
    if (!copy || !w->host_relative.data || !w->x.data || !w->normal.data || !w->qkv.data ||
        !w->seen.data || !w->gate.data || !w->up.data || !w->relative.data)
        return error_memory(e);
    memcpy(copy, ids, (size_t)count * sizeof *copy);
    w->ids = tensor_of(DTYPE_I32, copy, 1, (int64_t[]){count});
    return 0;
}

static void attend(const struct umt5 *m, const struct layer *l, int count, struct work *w)
{
    struct device *d = m->device;
    int inner = m->heads * m->head_dim;
    struct tensor part[3]; /* of [count, 3 inner]: each [count, heads, head_dim] */
    for (int i = 0; i < 3; i++) {
        part[i] = tensor_slice(w->qkv, 1, (int64_t)i * inner, inner);
        part[i].rank = 3;
        part[i].shape[1] = m->heads;
        part[i].shape[2] = m->head_dim;
        part[i].stride[1] = m->head_dim;
        part[i].stride[2] = 1;
    }
    struct tensor out = TENSOR_VIEW(w->seen, count, m->heads, m->head_dim);
    struct attention_bias bias = {.relative = w->relative};

    op_rms_norm(d, &w->normal, &w->x, &l->attention_norm, (float)m->eps);
    op_linear(d, &w->qkv, &w->normal, &l->qkv, ACT_NONE);
    relative_bias(m, l, count, &w->host_relative);
    op_write(d, &w->relative, &w->host_relative);
    op_attention(d, &out, &part[0], &part[1], &part[2], 1.0f, &bias);
    op_linear_add(d, &w->x, &w->seen, &l->o, &w->x);
}

static void feed_forward(const struct umt5 *m, const struct layer *l, struct work *w)
{
    struct device *d = m->device;
    op_rms_norm(d, &w->normal, &w->x, &l->feed_norm, (float)m->eps);
    op_linear(d, &w->gate, &w->normal, &l->gate, ACT_NONE);
    op_linear(d, &w->up, &w->normal, &l->up, ACT_NONE);
    op_glu(d, &w->gate, &w->up, &w->gate, ACT_GELU_TANH);
    op_linear_add(d, &w->x, &w->gate, &l->down, &w->x);
}

int umt5_encode(struct umt5 *m, const int32_t *ids, int count, struct tensor *out, struct error *e)
{
    struct arena host = {0}, a = device_arena(m->device);
    struct work w;
    if (count < 1)
        return error_set(e, ERROR_INTERNAL, "text encoder: no tokens");
    int rc = work_make(m, &host, &a, ids, count, &w, e);
    if (rc == 0) {
        op_embed(m->device, &w.x, m->table, &w.ids);
        for (int i = 0; i < m->layer_count; i++) {
            attend(m, &m->layers[i], count, &w);
            feed_forward(m, &m->layers[i], &w);
        }
        op_rms_norm(m->device, &w.x, &w.x, &m->final_norm, (float)m->eps);
        op_read(m->device, out, &w.x);
        rc = device_status(m->device, e);
    }
    arena_free(&a);
    arena_free(&host);
    return rc;
}
