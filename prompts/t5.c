#include "prompts/t5.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/loader.h"
#include "prompts/encoder.h"

struct layer {
    struct tensor attention_norm, feed_norm; /* [width] */
    struct linear qkv, o;                    /* queries, keys and values side by side */
    struct linear up, down;                  /* wi, or wi_0 and wi_1 side by side; wo */
    const struct tensor *relative; /* [buckets, heads] as stored; NULL: the layer before has it */
};

/* For texts of up to `room` tokens; shorter ones use the first rows. */
struct work {
    struct arena arena, host; /* the device's, and the buckets' */
    int room;
    struct tensor x;        /* [room, width] F32: the sum that runs through the layers */
    struct tensor normal;   /* [room, width] */
    struct tensor qkv;      /* [room, 3 inner] */
    struct tensor seen;     /* [room, inner] */
    struct tensor feed;     /* [room, feed], twice as wide where it is gated */
    struct tensor gathered; /* [2 room - 1, heads] F32 */
    struct tensor relative; /* [heads * (2 room - 1)] F32 */
    int32_t *bucket;        /* [2 room - 1]: of the distances 1 - room .. room - 1 */
};

struct t5 {
    struct arena memory; /* the device's: weights */
    struct device *device;
    struct safetensors *weights; /* stays open: tables are read from the map */
    const struct tensor *table;  /* [vocabulary, width] as stored */
    bool shared;                 /* the first layer's bias serves all: T5 */
    int width, dim, heads, inner, feed, layer_count, vocabulary;
    int buckets, max_distance;
    bool gated;
    enum activation activation;
    double eps;
    struct tensor final_norm; /* [width] */
    struct layer *layers;
    struct weight_stream *stream; /* of the layers; NULL: all are on the device */
    struct work work;
};

/* What a config leaves out is the library's default for its type. */
static int read_type(struct t5 *m, const struct config *c, const char **feed_forward,
                     struct error *e)
{
    const char *type = NULL;

    if (json_get_string(c->root, c->path, "model_type", &type, e) != 0)
        return -1;
    m->shared = strcmp(type, "t5") == 0;
    if (!m->shared && strcmp(type, "umt5") != 0)
        return error_set(e, ERROR_MODEL, "%s: model_type is %.100s: only t5 and umt5 are supported",
                         c->path, type);
    m->vocabulary = m->shared ? 32128 : 250112;
    m->width = 512;
    m->dim = 64;
    m->feed = m->shared ? 2048 : 1024;
    m->layer_count = m->shared ? 6 : 8;
    m->heads = m->shared ? 8 : 6;
    m->buckets = 32;
    m->max_distance = 128;
    m->eps = 1e-6;
    *feed_forward = m->shared ? "relu" : "gated-gelu";
    return 0;
}

/* "relu" or "gated-silu" and the like; in "gated-gelu" gelu means gelu_new. dense_act_fn and
 * is_gated_act, which say the same, have the last word. */
static int read_feed_forward(struct t5 *m, const struct config *c, const char *form,
                             struct error *e)
{
    if (json_get_string(c->root, c->path, "feed_forward_proj", &form, e) != 0)
        return -1;
    m->gated = strncmp(form, "gated-", 6) == 0;
    const char *act = !m->gated ? form : strcmp(form, "gated-gelu") == 0 ? "gelu_new" : form + 6;
    const char *key = json_is_string(json_object_get(c->root, "dense_act_fn"))
                          ? "dense_act_fn"
                          : "feed_forward_proj";
    if (json_get_string(c->root, c->path, "dense_act_fn", &act, e) != 0)
        return -1;
    if (config_bool(c, "is_gated_act", &m->gated, e) != 0)
        return -1;
    return encoder_activation(c, key, act, &m->activation, e);
}

static int read_config(struct t5 *m, const char *dir, struct error *e)
{
    struct config c = {0};
    const char *form = NULL;
    int rc = -1;

    if (config_open(dir, NULL, &c, e) == 0 && read_type(m, &c, &form, e) == 0 &&
        config_int(&c, "vocab_size", 1, 1 << 24, &m->vocabulary, e) == 0 &&
        config_int(&c, "d_model", 1, 1 << 16, &m->width, e) == 0 &&
        config_int(&c, "d_kv", 1, 1 << 12, &m->dim, e) == 0 &&
        config_int(&c, "num_heads", 1, 1 << 10, &m->heads, e) == 0 &&
        config_int(&c, "d_ff", 1, 1 << 18, &m->feed, e) == 0 &&
        config_int(&c, "num_layers", 1, 1 << 10, &m->layer_count, e) == 0 &&
        config_int(&c, "relative_attention_num_buckets", 4, 1 << 12, &m->buckets, e) == 0 &&
        config_int(&c, "relative_attention_max_distance", 2, 1 << 16, &m->max_distance, e) == 0 &&
        config_number(&c, "layer_norm_epsilon", 0, 1, &m->eps, e) == 0 &&
        read_feed_forward(m, &c, form, e) == 0)
        rc = 0;
    if (rc == 0 && m->max_distance <= m->buckets / 4)
        rc = error_set(e, ERROR_MODEL,
                       "%s: relative_attention_max_distance (%d) must be above a quarter of "
                       "relative_attention_num_buckets (%d)",
                       c.path, m->max_distance, m->buckets);
    m->inner = m->heads * m->dim;
    config_close(&c);
    return rc;
}

static void load_layer(struct loader *l, const struct t5 *m, int i, struct layer *to)
{
    static const char *const qkv[] = {"q", "k", "v"}, *const up[] = {"wi_0", "wi_1"};
    char attention[64], feed[64], name[128];

    snprintf(attention, sizeof attention, "encoder.block.%d.layer.0.", i);
    snprintf(feed, sizeof feed, "encoder.block.%d.layer.1.", i);
    load_vector(l, &to->attention_norm, m->width, "%slayer_norm.weight", attention);
    load_linears(l, &to->qkv, m->inner, m->width, false, 3, qkv, "%sSelfAttention.", attention);
    load_linear(l, &to->o, m->width, m->inner, false, "%sSelfAttention.o", attention);
    load_vector(l, &to->feed_norm, m->width, "%slayer_norm.weight", feed);
    if (m->gated)
        load_linears(l, &to->up, m->feed, m->width, false, 2, up, "%sDenseReluDense.", feed);
    else
        load_linear(l, &to->up, m->feed, m->width, false, "%sDenseReluDense.wi", feed);
    load_linear(l, &to->down, m->width, m->feed, false, "%sDenseReluDense.wo", feed);
    if (i > 0 && m->shared)
        return;
    snprintf(name, sizeof name, "%sSelfAttention.relative_attention_bias.weight", attention);
    if (!l->failed &&
        SAFETENSORS_GET(l->weights, name, &to->relative, l->error, m->buckets, m->heads) != 0)
        l->failed = true;
}

static int load_weights(struct t5 *m, const char *dir, struct error *e)
{
    const char *table = "shared.weight"; /* some checkpoints keep it under the encoder's own name */

    if (safetensors_open(dir, &m->weights, e) != 0)
        return -1;
    if (!safetensors_find(m->weights, table) &&
        safetensors_find(m->weights, "encoder.embed_tokens.weight"))
        table = "encoder.embed_tokens.weight";
    if (SAFETENSORS_GET(m->weights, table, &m->table, e, m->vocabulary, m->width) != 0)
        return -1;
    m->layers = calloc((size_t)m->layer_count, sizeof *m->layers);
    if (!m->layers)
        return error_memory(e);
    struct loader l = {.device = m->device, .arena = &m->memory, .weights = m->weights, .error = e};
    load_stream(&l, &m->stream);
    for (int i = 0; i < m->layer_count && !l.failed; i++) {
        load_block_begin(&l);
        load_layer(&l, m, i, &m->layers[i]);
        load_block_end(&l);
    }
    load_no_more(&l, "encoder.block.%d.", m->layer_count);
    load_vector(&l, &m->final_norm, m->width, "encoder.final_layer_norm.weight");
    return l.failed ? -1 : 0;
}

int t5_load(const char *dir, struct device *d, struct t5 **out, struct error *e)
{
    struct t5 *m = calloc(1, sizeof *m);

    if (!m)
        return error_memory(e);
    m->device = d;
    if (d)
        m->memory = m->work.arena = device_arena(d);
    if (read_config(m, dir, e) != 0 || load_weights(m, dir, e) != 0) {
        t5_free(m);
        return -1;
    }
    *out = m;
    return 0;
}

void t5_free(struct t5 *m)
{
    if (!m)
        return;
    weight_stream_close(m->stream);
    arena_free(&m->work.host);
    arena_free(&m->work.arena);
    arena_free(&m->memory);
    safetensors_close(m->weights);
    free(m->layers);
    free(m);
}

int t5_width(const struct t5 *m)
{
    return m->width;
}

int t5_vocabulary(const struct t5 *m)
{
    return m->vocabulary;
}

/* Which bias a key at `distance` (its position less the query's) gets: half of the buckets for keys
 * after the query; of a half, half for one distance each and the rest for logarithmically wider
 * ranges up to max_distance. F32 as published, because a range's end can hinge on a rounding. */
static int bucket(const struct t5 *m, int distance)
{
    int half = m->buckets / 2, exact = half / 2;
    int base = distance > 0 ? half : 0;
    int apart = abs(distance);
    if (apart < exact)
        return base + apart;
    float part = logf((float)apart / (float)exact) /
                 (float)log((double)m->max_distance / (double)exact) * (float)(half - exact);
    int wide = exact + (int)part;
    return base + (wide < half ? wide : half - 1);
}

static int make_work(struct t5 *m, int room, struct error *e)
{
    struct device *d = m->device;
    struct work *w = &m->work;
    struct arena *a = &w->arena;

    if (room <= w->room)
        return 0;
    arena_free(a);
    arena_free(&w->host);
    w->room = 0;
    w->x = TENSOR_NEW(a, room, m->width);
    w->normal = ACTIVATION_NEW(d, a, room, m->width);
    w->qkv = ACTIVATION_NEW(d, a, room, 3 * m->inner);
    w->seen = ACTIVATION_NEW(d, a, room, m->inner);
    w->feed = ACTIVATION_NEW(d, a, room, m->gated ? 2 * m->feed : m->feed);
    w->gathered = TENSOR_NEW(a, 2 * room - 1, m->heads);
    w->relative = TENSOR_NEW(a, (int64_t)m->heads * (2 * room - 1));
    w->bucket = arena_array(&w->host, 2 * (size_t)room - 1, sizeof *w->bucket);
    if (!w->x.data || !w->normal.data || !w->qkv.data || !w->seen.data || !w->feed.data ||
        !w->gathered.data || !w->relative.data || !w->bucket)
        return error_memory(e);
    for (int distance = 1 - room; distance < room; distance++)
        w->bucket[distance + room - 1] = bucket(m, distance);
    w->room = room;
    return 0;
}

/* The workspace of a text of `count` tokens. */
static struct work work_rows(const struct t5 *m, int count)
{
    struct work w = m->work;
    struct tensor *const part[] = {&w.x, &w.normal, &w.qkv, &w.seen, &w.feed};

    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        *part[i] = tensor_slice(*part[i], 0, 0, count);
    w.gathered = tensor_slice(w.gathered, 0, 0, 2 * count - 1);
    w.relative = tensor_slice(w.relative, 0, 0, (int64_t)m->heads * (2 * count - 1));
    w.relative = TENSOR_VIEW(w.relative, m->heads, 2 * count - 1);
    w.bucket += w.room - count;
    return w;
}

static void attend(const struct t5 *m, const struct layer *l, int count, struct work *w)
{
    struct device *d = m->device;
    struct tensor q = encoder_heads(w->qkv, 0, m->heads, m->dim);
    struct tensor k = encoder_heads(w->qkv, m->inner, m->heads, m->dim);
    struct tensor v = encoder_heads(w->qkv, 2 * (int64_t)m->inner, m->heads, m->dim);
    struct tensor seen = encoder_heads(w->seen, 0, m->heads, m->dim);
    struct attention_bias bias = {.relative = w->relative};

    if (l->relative) {
        struct tensor by_head = tensor_permute(w->gathered, (int[]){1, 0});
        encoder_embed(d, &w->gathered, l->relative, w->bucket, 2 * count - 1);
        op_copy(d, &w->relative, &by_head);
    }
    op_rms_norm(d, &w->normal, &w->x, &l->attention_norm, (float)m->eps);
    op_linear(d, &w->qkv, &w->normal, &l->qkv, ACT_NONE);
    op_attention(d, &seen, &q, &k, &v, 1, &bias);
    op_linear_add(d, &w->x, &w->seen, &l->o, &w->x);
}

static void feed_forward(const struct t5 *m, const struct layer *l, struct work *w)
{
    struct device *d = m->device;
    struct tensor inner = w->feed;

    op_rms_norm(d, &w->normal, &w->x, &l->feed_norm, (float)m->eps);
    op_linear(d, &w->feed, &w->normal, &l->up, m->gated ? ACT_NONE : m->activation);
    if (m->gated) {
        struct tensor gate = tensor_slice(w->feed, 1, 0, m->feed);
        inner = tensor_slice(w->feed, 1, m->feed, m->feed);
        op_glu(d, &inner, &inner, &gate, m->activation);
    }
    op_linear_add(d, &w->x, &inner, &l->down, &w->x);
}

int t5_encode(struct t5 *m, const int32_t *ids, int count, struct tensor *out, struct error *e)
{
    if (count < 1)
        return error_set(e, ERROR_INTERNAL, "text encoder: no tokens");
    if (make_work(m, count, e) != 0)
        return -1;
    struct work w = work_rows(m, count);
    encoder_embed(m->device, &w.x, m->table, ids, count);
    for (int i = 0; i < m->layer_count; i++) {
        weight_stream_use(m->stream, i);
        attend(m, &m->layers[i], count, &w);
        feed_forward(m, &m->layers[i], &w);
    }
    op_rms_norm(m->device, &w.x, &w.x, &m->final_norm, (float)m->eps);
    op_read(m->device, out, &w.x);
    return device_status(m->device, e);
}
