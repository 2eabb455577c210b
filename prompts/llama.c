#include "prompts/llama.h"

#include <math.h>
#include <stdlib.h>

#include "kernels/loader.h"
#include "prompts/encoder.h"
#include "prompts/llama_rope.h"

struct layer {
    struct tensor attention_norm, feed_norm; /* [width] */
    struct linear q, kv, o;                  /* keys and values side by side */
    struct linear gate_up, down;
};

/* For texts of up to `room` tokens; shorter ones use the first rows. */
struct work {
    struct arena arena; /* the device's */
    int room;
    struct tensor x;        /* [room, width] F32: the sum that runs through the layers */
    struct tensor normal;   /* [room, width] */
    struct tensor q, seen;  /* [room, heads * dim] */
    struct tensor kv;       /* [room, 2 groups * dim] */
    struct tensor gate_up;  /* [room, 2 feed] */
    struct tensor cos, sin; /* [room, dim / 2] */
};

struct llama {
    struct arena memory; /* the device's: weights */
    struct device *device;
    struct safetensors *weights; /* stays open: the embedding table is read from the map */
    const struct tensor *table;  /* [vocabulary, width] as stored */
    int width, heads, groups, dim, feed, vocabulary;
    int layer_count; /* the ones that are run */
    bool normed;     /* all of them, and the final norm */
    bool attention_bias, feed_bias;
    enum activation activation;
    double eps;
    struct llama_rope rope;
    struct layer *layers;
    struct weight_stream *stream; /* of the layers; NULL: all are on the device */
    struct tensor final_norm;
    struct work work;
};

static int check_sizes(struct llama *m, const char *path, int skip, struct error *e)
{
    if (m->groups == 0)
        m->groups = m->heads;
    if (m->dim == 0 && m->width % m->heads == 0)
        m->dim = m->width / m->heads;
    if (m->dim == 0 || m->dim % 2 != 0)
        return error_set(
            e, ERROR_MODEL,
            "%s: head_dim (or hidden_size / num_attention_heads, %d / %d) must be even", path,
            m->width, m->heads);
    if (m->heads % m->groups != 0)
        return error_set(e, ERROR_MODEL,
                         "%s: num_attention_heads (%d) does not divide by num_key_value_heads (%d)",
                         path, m->heads, m->groups);
    if (skip < 0 || skip > m->layer_count)
        return error_set(e, ERROR_MODEL, "%s: num_hidden_layers is %d: the last %d are left out",
                         path, m->layer_count, skip);
    m->layer_count -= skip;
    m->normed = skip == 0;
    return 0;
}

static int read_config(struct llama *m, const char *dir, int skip, struct error *e)
{
    struct config c = {0};
    const char *act = "silu";
    int rc = -1;

    m->vocabulary = 32000;
    m->width = 4096;
    m->feed = 11008;
    m->layer_count = 32;
    m->heads = 32;
    m->eps = 1e-6;
    if (config_open(dir, NULL, &c, e) == 0 && config_expect(&c, "model_type", "llama", e) == 0 &&
        config_int(&c, "vocab_size", 1, 1 << 24, &m->vocabulary, e) == 0 &&
        config_int(&c, "hidden_size", 1, 1 << 16, &m->width, e) == 0 &&
        config_int(&c, "intermediate_size", 1, 1 << 18, &m->feed, e) == 0 &&
        config_int(&c, "num_hidden_layers", 1, 1 << 10, &m->layer_count, e) == 0 &&
        config_int(&c, "num_attention_heads", 1, 1 << 10, &m->heads, e) == 0 &&
        config_int(&c, "num_key_value_heads", 0, 1 << 10, &m->groups, e) == 0 &&
        config_int(&c, "head_dim", 0, 1 << 12, &m->dim, e) == 0 &&
        config_bool(&c, "attention_bias", &m->attention_bias, e) == 0 &&
        config_bool(&c, "mlp_bias", &m->feed_bias, e) == 0 &&
        config_number(&c, "rms_norm_eps", 0, 1, &m->eps, e) == 0 &&
        json_get_string(c.root, c.path, "hidden_act", &act, e) == 0 &&
        encoder_activation(&c, "hidden_act", act, &m->activation, e) == 0 &&
        check_sizes(m, c.path, skip, e) == 0 && llama_rope_read(&c, &m->rope, e) == 0)
        rc = 0;
    config_close(&c);
    return rc;
}

static void load_layer(struct loader *l, const struct llama *m, const char *model, int i,
                       struct layer *to)
{
    static const char *const kv[] = {"k_proj", "v_proj"}, *const gate_up[] = {"gate_proj",
                                                                              "up_proj"};
    int64_t queries = (int64_t)m->heads * m->dim, keys = (int64_t)m->groups * m->dim;
    bool biased = m->attention_bias;
    char prefix[64];

    snprintf(prefix, sizeof prefix, "%slayers.%d.", model, i);
    load_vector(l, &to->attention_norm, m->width, "%sinput_layernorm.weight", prefix);
    load_linear(l, &to->q, queries, m->width, biased, "%sself_attn.q_proj", prefix);
    load_linears(l, &to->kv, keys, m->width, biased, 2, kv, "%sself_attn.", prefix);
    load_linear(l, &to->o, m->width, queries, biased, "%sself_attn.o_proj", prefix);
    load_vector(l, &to->feed_norm, m->width, "%spost_attention_layernorm.weight", prefix);
    load_linears(l, &to->gate_up, m->feed, m->width, m->feed_bias, 2, gate_up, "%smlp.", prefix);
    load_linear(l, &to->down, m->width, m->feed, m->feed_bias, "%smlp.down_proj", prefix);
}

static int load_weights(struct llama *m, const char *dir, struct error *e)
{
    const char *prefix = "", *table = "embed_tokens.weight";

    if (safetensors_open(dir, &m->weights, e) != 0)
        return -1;
    if (!safetensors_find(m->weights, table)) {
        prefix = "model.";
        table = "model.embed_tokens.weight";
    }
    if (SAFETENSORS_GET(m->weights, table, &m->table, e, m->vocabulary, m->width) != 0)
        return -1;
    m->layers = calloc((size_t)m->layer_count + 1, sizeof *m->layers);
    if (!m->layers)
        return error_memory(e);
    struct loader l = {.device = m->device, .arena = &m->memory, .weights = m->weights, .error = e};
    load_stream(&l, &m->stream);
    for (int i = 0; i < m->layer_count && !l.failed; i++) {
        load_block_begin(&l);
        load_layer(&l, m, prefix, i, &m->layers[i]);
        load_block_end(&l);
    }
    if (m->normed)
        load_vector(&l, &m->final_norm, m->width, "%snorm.weight", prefix);
    return l.failed ? -1 : 0;
}

int llama_load(const char *dir, int skip, struct device *d, struct llama **out, struct error *e)
{
    struct llama *m = calloc(1, sizeof *m);

    if (!m)
        return error_memory(e);
    m->device = d;
    if (d)
        m->memory = m->work.arena = device_arena(d);
    if (read_config(m, dir, skip, e) != 0 || load_weights(m, dir, e) != 0) {
        llama_free(m);
        return -1;
    }
    *out = m;
    return 0;
}

void llama_free(struct llama *m)
{
    if (!m)
        return;
    weight_stream_close(m->stream);
    arena_free(&m->work.arena);
    arena_free(&m->memory);
    safetensors_close(m->weights);
    free(m->layers);
    free(m);
}

int llama_width(const struct llama *m)
{
    return m->width;
}

int llama_vocabulary(const struct llama *m)
{
    return m->vocabulary;
}

static int make_work(struct llama *m, int room, struct error *e)
{
    struct device *d = m->device;
    struct work *w = &m->work;
    struct arena *a = &w->arena;

    if (room <= w->room)
        return 0;
    arena_free(a);
    w->room = 0;
    w->x = TENSOR_NEW(a, room, m->width);
    w->normal = ACTIVATION_NEW(d, a, room, m->width);
    w->q = ACTIVATION_NEW(d, a, room, m->heads * m->dim);
    w->seen = ACTIVATION_NEW(d, a, room, m->heads * m->dim);
    w->kv = ACTIVATION_NEW(d, a, room, 2 * m->groups * m->dim);
    w->gate_up = ACTIVATION_NEW(d, a, room, 2 * m->feed);
    if (!w->x.data || !w->normal.data || !w->q.data || !w->seen.data || !w->kv.data ||
        !w->gate_up.data)
        return error_memory(e);
    if (llama_rope_tables(&m->rope, d, a, m->dim, room, &w->cos, &w->sin, e) != 0)
        return -1;
    w->room = room;
    return 0;
}

/* The workspace of a text of `count` tokens. */
static struct work work_rows(const struct work *all, int count)
{
    struct work w = *all;
    struct tensor *const part[] = {&w.x,  &w.normal,  &w.q,   &w.seen,
                                   &w.kv, &w.gate_up, &w.cos, &w.sin};

    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        *part[i] = tensor_slice(*part[i], 0, 0, count);
    return w;
}

/* Words see the words up to themselves; padding, all of which stands behind, sees every word. */
static void attend(const struct llama *m, int real, struct work *w)
{
    struct device *d = m->device;
    struct tensor q = encoder_heads(w->q, 0, m->heads, m->dim);
    struct tensor k = encoder_heads(w->kv, 0, m->groups, m->dim);
    struct tensor v = encoder_heads(w->kv, (int64_t)m->groups * m->dim, m->groups, m->dim);
    struct tensor out = encoder_heads(w->seen, 0, m->heads, m->dim);
    struct attention_bias causal = {.causal = true};
    float scale = 1 / sqrtf((float)m->dim);
    int64_t padding = q.shape[0] - real;

    op_rope(d, &q, &w->cos, &w->sin, ROPE_HALVES);
    op_rope(d, &k, &w->cos, &w->sin, ROPE_HALVES);
    k = tensor_slice(k, 0, 0, real);
    v = tensor_slice(v, 0, 0, real);
    struct tensor q_part = tensor_slice(q, 0, 0, real), out_part = tensor_slice(out, 0, 0, real);
    op_attention(d, &out_part, &q_part, &k, &v, scale, &causal);
    if (padding > 0) {
        q_part = tensor_slice(q, 0, real, padding);
        out_part = tensor_slice(out, 0, real, padding);
        op_attention(d, &out_part, &q_part, &k, &v, scale, NULL);
    }
}

static void run_layer(const struct llama *m, const struct layer *l, int real, struct work *w)
{
    struct device *d = m->device;
    struct tensor gate = tensor_slice(w->gate_up, 1, 0, m->feed);
    struct tensor up = tensor_slice(w->gate_up, 1, m->feed, m->feed);

    op_rms_norm(d, &w->normal, &w->x, &l->attention_norm, (float)m->eps);
    op_linear(d, &w->q, &w->normal, &l->q, ACT_NONE);
    op_linear(d, &w->kv, &w->normal, &l->kv, ACT_NONE);
    attend(m, real, w);
    op_linear_add(d, &w->x, &w->seen, &l->o, &w->x);

    op_rms_norm(d, &w->normal, &w->x, &l->feed_norm, (float)m->eps);
    op_linear(d, &w->gate_up, &w->normal, &l->gate_up, ACT_NONE);
    op_glu(d, &up, &up, &gate, m->activation);
    op_linear_add(d, &w->x, &up, &l->down, &w->x);
}

int llama_encode(struct llama *m, const int32_t *ids, int count, int real, struct tensor *out,
                 struct error *e)
{
    int64_t rows = out->shape[0];

    if (real < 1 || real > count || rows > count)
        return error_set(e, ERROR_INTERNAL,
                         "text encoder: %lld states of %d tokens, %d of them words",
                         (long long)rows, count, real);
    if (make_work(m, count, e) != 0)
        return -1;
    struct work w = work_rows(&m->work, count);
    encoder_embed(m->device, &w.x, m->table, ids, count);
    for (int i = 0; i < m->layer_count; i++) {
        weight_stream_use(m->stream, i);
        run_layer(m, &m->layers[i], real, &w);
    }
    if (m->normed)
        op_rms_norm(m->device, &w.x, &w.x, &m->final_norm, (float)m->eps);
    struct tensor last = tensor_slice(w.x, 0, count - rows, rows);
    op_read(m->device, out, &last);
    return device_status(m->device, e);
}
