#include "prompts/clip_text.h"

#include <stdio.h>
#include <stdlib.h>

#include "prompts/clip_layers.h"
#include "prompts/encoder.h"

/* For texts of `limit` tokens; shorter ones use the first rows. */
struct work {
    struct clip_work layers;
    struct tensor kept;   /* [limit, width] F32: the hidden states that are asked for */
    struct tensor last;   /* [1, width] F32 */
    struct tensor pooled; /* [1, projection] F32 */
};

struct clip_text {
    struct arena memory; /* the device's: weights and workspace */
    struct device *device;
    struct safetensors *weights; /* stays open: the embedding table is read from the map */
    const struct tensor *table;  /* [vocabulary, width] as stored */
    struct clip_sizes sizes;
    int vocabulary, limit, eos;
    int projection;          /* 0: none */
    struct tensor positions; /* [limit, width] */
    struct clip_layer *layers;
    struct clip_norm final_norm;
    struct linear project;
    struct work work;
};

static int read_config(struct clip_text *m, const char *dir, bool projection, struct error *e)
{
    struct config c = {0};
    int projected = 512, rc = -1;

    m->sizes =
        (struct clip_sizes){.width = 512, .heads = 8, .feed = 2048, .layers = 12, .eps = 1e-5};
    m->vocabulary = 49408;
    m->limit = 77;
    m->eos = 49407;
    if (config_open(dir, NULL, &c, e) == 0 &&
        config_expect(&c, "model_type", "clip_text_model", e) == 0 &&
        clip_sizes_read(&c, &m->sizes, e) == 0 &&
        config_int(&c, "vocab_size", 1, 1 << 24, &m->vocabulary, e) == 0 &&
        config_int(&c, "max_position_embeddings", 1, 1 << 16, &m->limit, e) == 0 &&
        config_int(&c, "projection_dim", 1, 1 << 16, &projected, e) == 0 &&
        config_int(&c, "eos_token_id", 0, 1 << 24, &m->eos, e) == 0)
        rc = 0;
    m->projection = projection ? projected : 0;
    config_close(&c);
    return rc;
}

static int load_weights(struct clip_text *m, const char *dir, struct error *e)
{
    const char *prefix = "text_model.", *table = "text_model.embeddings.token_embedding.weight";
    char name[64];

    if (safetensors_open(dir, &m->weights, e) != 0)
        return -1;
    if (safetensors_find(m->weights, "embeddings.token_embedding.weight")) {
        prefix = "";
        table = "embeddings.token_embedding.weight";
    }
    if (SAFETENSORS_GET(m->weights, table, &m->table, e, m->vocabulary, m->sizes.width) != 0)
        return -1;
    m->layers = calloc((size_t)m->sizes.layers, sizeof *m->layers);
    if (!m->layers)
        return error_memory(e);
    struct loader l = {.device = m->device, .arena = &m->memory, .weights = m->weights, .error = e};
    load_vector(&l, &m->positions, (int64_t)m->limit * m->sizes.width,
                "%sembeddings.position_embedding.weight", prefix);
    for (int i = 0; i < m->sizes.layers && !l.failed; i++) {
        snprintf(name, sizeof name, "%sencoder.layers.%d", prefix, i);
        clip_layer_load(&l, &m->sizes, &m->layers[i], name);
    }
    clip_norm_load(&l, &m->final_norm, m->sizes.width, "%sfinal_layer_norm", prefix);
    if (m->projection)
        load_linear(&l, &m->project, m->projection, m->sizes.width, false, "text_projection");
    return l.failed ? -1 : 0;
}

static int make_work(struct clip_text *m, struct error *e)
{
    struct device *d = m->device;
    struct arena *a = &m->memory;
    struct work *w = &m->work;

    m->positions = TENSOR_VIEW(m->positions, m->limit, m->sizes.width);
    w->kept = TENSOR_NEW(a, m->limit, m->sizes.width);
    w->last = TENSOR_NEW(a, 1, m->sizes.width);
    w->pooled = TENSOR_NEW(a, 1, clip_text_pooled_width(m));
    if (!w->kept.data || !w->last.data || !w->pooled.data)
        return error_memory(e);
    return clip_work_make(d, a, &m->sizes, m->limit, &w->layers, e);
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
    return m->sizes.width;
}

int clip_text_pooled_width(const struct clip_text *m)
{
    return m->projection ? m->projection : m->sizes.width;
}

int clip_text_layers(const struct clip_text *m)
{
    return m->sizes.layers;
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

    w.layers = clip_work_rows(&all->layers, count);
    w.kept = tensor_slice(w.kept, 0, 0, count);
    return w;
}

static void layer_norm(const struct clip_text *m, struct tensor *out, const struct tensor *x)
{
    clip_norm_run(m->device, &m->sizes, &m->final_norm, x, out);
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
    struct tensor row = tensor_slice(w->layers.x, 0, at, 1);

    if (!m->projection) {
        layer_norm(m, &w->pooled, &row);
        return;
    }
    layer_norm(m, &w->last, &row);
    op_linear(m->device, &w->pooled, &w->last, &m->project, ACT_NONE);
}

int clip_text_encode(struct clip_text *m, const int32_t *ids, int count, int skip,
                     struct tensor *hidden, struct tensor *pooled, struct error *e)
{
    struct device *d = m->device;

    if (count < 1 || count > m->limit || skip < CLIP_TEXT_NORMED || skip > m->sizes.layers)
        return error_set(e, ERROR_INTERNAL, "text encoder: %d tokens of %d, %d layers less of %d",
                         count, m->limit, skip, m->sizes.layers);
    struct work w = work_rows(&m->work, count);
    struct tensor positions = tensor_slice(m->positions, 0, 0, count);
    int keep = m->sizes.layers - (skip > 0 ? skip : 0); /* the states after this many layers */
    int layers = pooled ? m->sizes.layers : keep;

    encoder_embed(d, &w.layers.x, m->table, ids, count);
    op_add(d, &w.layers.x, &w.layers.x, &positions);
    for (int i = 0; i < layers; i++) {
        if (hidden && i == keep)
            op_copy(d, &w.kept, &w.layers.x);
        clip_layer_run(d, &m->sizes, &m->layers[i], true, &w.layers);
    }
    if (pooled)
        pool(m, end_of_text(m, ids, count), &w);
    if (hidden && skip == CLIP_TEXT_NORMED)
        layer_norm(m, &w.layers.x, &w.layers.x);
    if (hidden)
        op_read(d, hidden, keep < layers ? &w.kept : &w.layers.x);
    if (pooled)
        op_read(d, pooled, &w.pooled);
    return device_status(d, e);
}
