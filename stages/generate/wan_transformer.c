#include "stages/generate/wan_transformer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/generate/wan_transformer_impl.h"

int wan_transformer_channels(const struct wan_transformer *m)
{
    return m->in_channels;
}

int wan_transformer_text_dim(const struct wan_transformer *m)
{
    return m->text_dim;
}

const int *wan_transformer_patch(const struct wan_transformer *m)
{
    return m->patch;
}

/* ---- the prompt */

static int fill_conditioning(struct wan_transformer *m, const struct tensor *embeddings,
                             int padded_length, struct wan_conditioning *c, struct arena *scratch,
                             struct error *e)
{
    struct device *d = m->device;
    int64_t tokens = embeddings->shape[0], padding = padded_length - tokens;
    struct tensor text, hidden, embedded, real;

    c->keys = tokens + (padding > 0);
    text = TENSOR_NEW(scratch, c->keys, m->text_dim); /* the row after the tokens stays zero */
    hidden = ACTIVATION_NEW(d, scratch, c->keys, m->dim);
    embedded = ACTIVATION_NEW(d, scratch, c->keys, m->dim);
    c->kv = arena_array(&c->arena, (size_t)m->layers, sizeof *c->kv);
    if (!text.data || !hidden.data || !embedded.data || !c->kv)
        return error_memory(e);
    if (padding > 0) {
        struct tensor bias = TENSOR_NEW(&c->arena, c->keys);
        if (!bias.data)
            return error_memory(e);
        ((float *)bias.data)[tokens] = logf((float)padding);
        if (tensor_upload(d, &c->memory, &bias, &c->key_bias, e))
            return -1;
    }
    real = tensor_slice(text, 0, 0, tokens);
    if (tokens > 0)
        op_write(d, &real, embeddings);
    op_linear(d, &hidden, &text, &m->text_1, ACT_GELU_TANH);
    op_linear(d, &embedded, &hidden, &m->text_2, ACT_NONE);
    for (int i = 0; i < m->layers; i++) {
        struct tensor key;
        c->kv[i] = ACTIVATION_NEW(d, &c->memory, c->keys, 2 * m->dim);
        if (!c->kv[i].data)
            return error_memory(e);
        weight_stream_use(m->stream, i);
        op_linear(d, &c->kv[i], &embedded, &m->blocks[i].cross_kv, ACT_NONE);
        key = tensor_slice(c->kv[i], 1, 0, m->dim);
        op_rms_norm(d, &key, &key, &m->blocks[i].cross_norm_k, (float)m->eps);
    }
    return device_status(d, e);
}

int wan_transformer_prepare(struct wan_transformer *m, const struct tensor *embeddings,
                            int padded_length, struct wan_conditioning **out, struct error *e)
{
    struct wan_conditioning *c;
    struct arena scratch = device_arena(m->device);
    int rc;

    if (embeddings->rank != 2 || embeddings->shape[1] != m->text_dim || padded_length < 1 ||
        embeddings->shape[0] > padded_length)
        return error_set(e, ERROR_MODEL,
                         "%s: a prompt of %lld tokens of width %lld does not fit: text_dim is %d "
                         "and the longest prompt %d tokens",
                         m->dir, (long long)embeddings->shape[0], (long long)embeddings->shape[1],
                         m->text_dim, padded_length);
    c = calloc(1, sizeof *c);
    if (!c)
        return error_memory(e);
    c->memory = device_arena(m->device);
    rc = fill_conditioning(m, embeddings, padded_length, c, &scratch, e);
    arena_free(&scratch);
    if (rc)
        wan_conditioning_free(c);
    else
        *out = c;
    return rc;
}

void wan_conditioning_free(struct wan_conditioning *c)
{
    if (!c)
        return;
    arena_free(&c->memory);
    arena_free(&c->arena);
    free(c);
}

/* ---- positions */

/* The head's numbers are shared out among time, rows and columns: the last two get a third each,
 * rounded down to pairs, time the rest. Pair i of an axis of n numbers turns by
 * position / 10000^(2i/n). */
void wan_rope_tables(const struct wan_transformer *m, const int64_t shape[4], float *cosines,
                     float *sines)
{
    int64_t frames = shape[1] / m->patch[0], rows = shape[2] / m->patch[1];
    int64_t columns = shape[3] / m->patch[2], third = 2 * (m->head_dim / 6);
    int64_t share[3] = {m->head_dim - 2 * third, third, third};

    for (int64_t token = 0; token < frames * rows * columns; token++) {
        int64_t position[3] = {token / (rows * columns), token / columns % rows, token % columns};
        for (int axis = 0; axis < 3; axis++)
            for (int64_t i = 0; i < share[axis] / 2; i++) {
                double angle =
                    (double)position[axis] * (1 / pow(10000, 2 * (double)i / (double)share[axis]));
                *cosines++ = (float)cos(angle);
                *sines++ = (float)sin(angle);
            }
    }
}

static int upload_positions(struct wan_transformer *m, const int64_t shape[4], int64_t tokens,
                            struct error *e)
{
    struct arena host = {0};
    struct tensor cos = TENSOR_NEW(&host, tokens, m->head_dim / 2);
    struct tensor sin = TENSOR_NEW(&host, tokens, m->head_dim / 2);
    struct wan_workspace *w = &m->work;
    int rc = cos.data && sin.data ? 0 : error_memory(e);

    if (rc == 0) {
        wan_rope_tables(m, shape, cos.data, sin.data);
        rc = tensor_upload(m->device, &w->memory, &cos, &w->cos, e) ||
                     tensor_upload(m->device, &w->memory, &sin, &w->sin, e)
                 ? -1
                 : 0;
    }
    arena_free(&host);
    return rc;
}

static int make_workspace(struct wan_transformer *m, const int64_t shape[4], struct error *e)
{
    struct wan_workspace *w = &m->work;
    struct device *d = m->device;
    int64_t patch = (int64_t)m->patch[0] * m->patch[1] * m->patch[2];
    int64_t tokens = shape[1] * shape[2] * shape[3] / patch;

    if (memcmp(w->shape, shape, sizeof w->shape) == 0)
        return 0;
    arena_free(&w->memory);
    *w = (struct wan_workspace){.memory = device_arena(d)};
    w->latents = TENSOR_NEW(&w->memory, shape[0], shape[1], shape[2], shape[3]);
    w->flow = TENSOR_NEW(&w->memory, m->out_channels, shape[1], shape[2], shape[3]);
    w->unguided = TENSOR_NEW(&w->memory, m->out_channels, shape[1], shape[2], shape[3]);
    w->patches = ACTIVATION_NEW(d, &w->memory, tokens, m->in_channels * patch);
    w->x = RESIDUAL_NEW(d, &w->memory, tokens, m->dim);
    w->normed = ACTIVATION_NEW(d, &w->memory, tokens, m->dim);
    w->mixed = ACTIVATION_NEW(d, &w->memory, tokens, m->dim);
    w->qkv = ACTIVATION_NEW(d, &w->memory, tokens, 3 * m->dim);
    w->hidden = ACTIVATION_NEW(d, &w->memory, tokens, m->ffn_dim);
    w->projected = ACTIVATION_NEW(d, &w->memory, tokens, m->out_channels * patch);
    if (!w->latents.data || !w->flow.data || !w->unguided.data || !w->patches.data || !w->x.data ||
        !w->normed.data || !w->mixed.data || !w->qkv.data || !w->hidden.data || !w->projected.data)
        return error_memory(e);
    if (upload_positions(m, shape, tokens, e))
        return -1;
    memcpy(w->shape, shape, sizeof w->shape);
    return 0;
}

/* ---- one step */

static struct tensor part(const struct tensor *vectors, int64_t dim, int i)
{
    struct tensor flat = TENSOR_VIEW(*vectors, tensor_count(vectors));
    return tensor_slice(flat, 0, i * dim, dim);
}

static struct tensor heads_of(const struct wan_transformer *m, const struct tensor *rows,
                              int64_t column)
{
    struct tensor t = *rows;
    t.rank = 3;
    t.shape[1] = m->heads;
    t.shape[2] = m->head_dim;
    t.stride[1] = m->head_dim;
    t.stride[2] = 1;
    t.data = (char *)rows->data + (size_t)column * dtype_size(rows->dtype);
    return t;
}

/* cos and sin of the timestep at frequencies from 1 down to 1/10000, in F32 as the reference has
 * them: its rounding is part of what the model learned. */
static void write_time(struct wan_transformer *m, float timestep)
{
    float *frequencies = m->host_frequencies.data;
    int half = m->freq_dim / 2;

    for (int i = 0; i < half; i++) {
        float exponent = (float)-log(10000) * (float)i / (float)half;
        float angle = timestep * expf(exponent);
        frequencies[i] = cosf(angle);
        frequencies[half + i] = sinf(angle);
    }
    op_write(m->device, &m->frequencies, &m->host_frequencies);
}

static void embed_time(struct wan_transformer *m)
{
    struct device *d = m->device;

    op_linear(d, &m->time_silu, &m->frequencies, &m->time_1, ACT_SILU);
    op_linear(d, &m->time, &m->time_silu, &m->time_2, ACT_NONE);
    op_activation(d, &m->time_silu, &m->time, ACT_SILU);
    op_linear(d, &m->modulation, &m->time_silu, &m->time_proj, ACT_NONE);
}

/* Queries or keys, normed as one row a token; turn NULL: they have no place. */
static void norm_heads(struct wan_transformer *m, struct tensor *heads, const struct tensor *weight,
                       const struct turn *turn)
{
    struct head_norm norm = {HEADS_TOGETHER_RMS, weight, NULL, (float)m->eps};
    op_norm_rope(m->device, heads, &norm, turn);
}

static void self_attention(struct wan_transformer *m, const struct wan_block *b,
                           const struct tensor *in, const struct tensor *gate)
{
    struct device *d = m->device;
    struct wan_workspace *w = &m->work;
    struct tensor q_heads = heads_of(m, &w->qkv, 0), k_heads = heads_of(m, &w->qkv, m->dim);
    struct tensor v_heads = heads_of(m, &w->qkv, 2 * m->dim), out = heads_of(m, &w->mixed, 0);
    struct turn turn = {&w->cos, &w->sin, ROPE_NEIGHBOURS, 0};

    op_linear(d, &w->qkv, in, &b->qkv, ACT_NONE);
    norm_heads(m, &q_heads, &b->norm_q, &turn);
    norm_heads(m, &k_heads, &b->norm_k, &turn);
    op_attention(d, &out, &q_heads, &k_heads, &v_heads, 1 / sqrtf((float)m->head_dim), NULL);
    op_linear_gated(d, &w->x, &w->mixed, &b->out, &w->x, gate);
}

static void cross_attention(struct wan_transformer *m, const struct wan_block *b,
                            const struct wan_conditioning *c, const struct tensor *kv)
{
    struct device *d = m->device;
    struct wan_workspace *w = &m->work;
    struct attention_bias bias = {.key = c->key_bias};
    struct tensor q = tensor_slice(w->qkv, 1, 0, m->dim), q_heads = heads_of(m, &w->qkv, 0);
    struct tensor k_heads = heads_of(m, kv, 0), v_heads = heads_of(m, kv, m->dim);
    struct tensor out = heads_of(m, &w->mixed, 0), in = w->x;

    if (m->cross_norm) {
        in = activation_as_input(&b->cross_q, w->normed);
        op_layer_norm(d, &in, &w->x, &b->cross_weight, &b->cross_bias, (float)m->eps);
    }
    op_linear(d, &q, &in, &b->cross_q, ACT_NONE);
    norm_heads(m, &q_heads, &b->cross_norm_q, NULL);
    op_attention(d, &out, &q_heads, &k_heads, &v_heads, 1 / sqrtf((float)m->head_dim), &bias);
    op_linear_add(d, &w->x, &w->mixed, &b->cross_out, &w->x);
}

/* Leaves the block's modulation in m->mods, and out = the norm of x under its first part. */
static void modulated(struct wan_transformer *m, const struct wan_block *b, struct tensor *out)
{
    struct tensor table = TENSOR_VIEW(b->table, 1, 6 * m->dim);
    struct tensor shift = part(&m->mods, m->dim, 0), scale = part(&m->mods, m->dim, 1);

    op_add(m->device, &m->mods, &table, &m->modulation);
    op_layer_norm(m->device, out, &m->work.x, &scale, &shift, (float)m->eps);
}

static void first_modulated(void *model, struct tensor *out)
{
    struct wan_transformer *m = model;
    weight_stream_use(m->stream, 0);
    modulated(m, &m->blocks[0], out);
}

static void block(void *model, int i)
{
    struct wan_transformer *m = model;
    struct device *d = m->device;
    struct wan_workspace *w = &m->work;
    const struct wan_block *b = &m->blocks[i];
    struct tensor gate = part(&m->mods, m->dim, 2), ffn_shift = part(&m->mods, m->dim, 3);
    struct tensor ffn_scale = part(&m->mods, m->dim, 4), ffn_gate = part(&m->mods, m->dim, 5);
    struct tensor in = activation_as_input(&b->qkv, w->normed);

    weight_stream_use(m->stream, i);
    modulated(m, b, &in);
    self_attention(m, b, &in, &gate);
    cross_attention(m, b, m->prompt, &m->prompt->kv[i]);
    in = activation_as_input(&b->ffn_in, w->normed);
    op_layer_norm(d, &in, &w->x, &ffn_scale, &ffn_shift, (float)m->eps);
    op_linear(d, &w->hidden, &in, &b->ffn_in, ACT_GELU_TANH);
    op_linear_gated(d, &w->x, &w->hidden, &b->ffn_out, &w->x, &ffn_gate);
}

static void project(struct wan_transformer *m)
{
    struct device *d = m->device;
    struct wan_workspace *w = &m->work;
    struct tensor shift = part(&m->mods, m->dim, 0), scale = part(&m->mods, m->dim, 1);
    struct tensor table_shift = part(&m->table, m->dim, 0),
                  table_scale = part(&m->table, m->dim, 1);
    struct tensor time = part(&m->time, m->dim, 0);

    op_add(d, &shift, &table_shift, &time);
    op_add(d, &scale, &table_scale, &time);
    op_layer_norm(d, &w->normed, &w->x, &scale, &shift, (float)m->eps);
    op_linear(d, &w->projected, &w->normed, &m->out, ACT_NONE);
    op_unpatchify(d, &w->flow, &w->projected, m->patch);
}

static int check_latents(const struct wan_transformer *m, const struct tensor *latents,
                         struct error *e)
{
    char text[96];

    if (latents->rank != 4 || latents->shape[0] != m->in_channels)
        return error_set(e, ERROR_MODEL,
                         "%s: latents of shape %s do not fit a model of %d channels", m->dir,
                         tensor_shape_text(latents, text, sizeof text), m->in_channels);
    for (int i = 0; i < 3; i++)
        if (latents->shape[i + 1] < 1 || latents->shape[i + 1] % m->patch[i] ||
            latents->shape[i + 1] / m->patch[i] > m->rope_length)
            return error_set(e, ERROR_MODEL,
                             "%s: latents of shape %s: each of the last three must be a multiple "
                             "of the patch %d x %d x %d and at most %d patches",
                             m->dir, tensor_shape_text(latents, text, sizeof text), m->patch[0],
                             m->patch[1], m->patch[2], m->rope_length);
    return 0;
}

/* The patches and the timestep become work.flow, given one prompt: pass 0, 1 of a step. */
static void pass(struct wan_transformer *m, const struct wan_conditioning *c, int which)
{
    struct step_blocks blocks = {m, m->layers, block, first_modulated, m->work.x};

    m->prompt = c;
    op_linear(m->device, &m->work.x, &m->work.patches, &m->patch_embedding, ACT_NONE);
    step_cache_run(m->cache, &blocks, which);
    project(m);
}

void wan_transformer_cache(struct wan_transformer *m, struct step_cache *cache)
{
    m->cache = cache;
}

/* Timestep and latents, which are there, become work.flow. */
static void step(struct wan_transformer *m, const struct wan_conditioning *prompt,
                 const struct wan_conditioning *negative, float guidance)
{
    struct wan_workspace *w = &m->work;

    embed_time(m);
    op_patchify(m->device, &w->patches, &w->latents, m->patch);
    if (negative) {
        pass(m, negative, 0);
        op_blend(m->device, &w->unguided, 1 - guidance, &w->flow, 0, NULL);
    }
    pass(m, prompt, negative != NULL);
    if (negative)
        op_blend(m->device, &w->flow, guidance, &w->flow, 1, &w->unguided);
}

int wan_transformer_guided(struct wan_transformer *m, const struct wan_conditioning *prompt,
                           const struct wan_conditioning *negative, float guidance,
                           const struct tensor *latents, float timestep, struct tensor *out,
                           struct error *e)
{
    struct wan_workspace *w = &m->work;
    bool cached = m->cache && m->cache->mode != STEP_CACHE_OFF;
    struct {
        const void *x, *prompt, *negative;
        double guidance;
    } key = {NULL, prompt, negative, guidance};

    if (check_latents(m, latents, e) || make_workspace(m, latents->shape, e) ||
        (cached && step_cache_fit(m->cache, m->device, &w->x, negative ? 2 : 1, e)))
        return -1;
    key.x = w->x.data;
    write_time(m, timestep);
    op_write(m->device, &w->latents, latents);
    if (cached) /* it decides in the middle */
        step(m, prompt, negative, guidance);
    else
        while (device_graph(m->device, &m->graph, &key, sizeof key))
            step(m, prompt, negative, guidance);
    op_read(m->device, out, &w->flow);
    return device_status(m->device, e);
}

int wan_transformer_forward(struct wan_transformer *m, const struct wan_conditioning *c,
                            const struct tensor *latents, float timestep, struct tensor *out,
                            struct error *e)
{
    return wan_transformer_guided(m, c, NULL, 1, latents, timestep, out, e);
}

double wan_transformer_flops(const struct wan_transformer *m, const struct wan_conditioning *c,
                             const int64_t shape[4])
{
    double patch = m->patch[0] * m->patch[1] * m->patch[2], dim = (double)m->dim;
    double tokens = (double)(shape[1] * shape[2] * shape[3]) / patch;
    double linears = 6 * dim * dim + 2 * dim * m->ffn_dim;
    double attention = 2 * dim * (tokens + (double)c->keys);

    return 2 * tokens *
           (m->layers * (linears + attention) + dim * patch * (m->in_channels + m->out_channels));
}
