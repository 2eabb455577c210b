#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/config.h"
#include "kernels/loader.h"
#include "stages/generate/cogvideox_transformer_impl.h"

/* ---- config.json */

static int read_activation(const struct config *c, const char *key, const char *standard,
                           enum activation *out, struct error *e)
{
    static const struct {
        const char *name;
        enum activation act;
    } known[] = {
        {"gelu-approximate", ACT_GELU_TANH},
        {"gelu", ACT_GELU},
        {"silu", ACT_SILU},
        {"swish", ACT_SILU},
    };
    const char *name = standard;

    if (json_get_string(c->root, c->path, key, &name, e))
        return -1;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i].name) == 0) {
            *out = known[i].act;
            return 0;
        }
    return error_set(e, ERROR_MODEL, "%s: %s is %.100s, which is not supported", c->path, key,
                     name);
}

static int read_activations(struct cogvideox_transformer *m, const struct config *c,
                            struct error *e)
{
    if (read_activation(c, "activation_fn", "gelu-approximate", &m->ff_act, e) ||
        read_activation(c, "timestep_activation_fn", "silu", &m->time_act, e))
        return -1;
    if (m->ff_act == ACT_SILU)
        return error_set(e, ERROR_MODEL, "%s: activation_fn must be gelu-approximate or gelu",
                         c->path);
    if (m->time_act == ACT_GELU_TANH)
        return error_set(e, ERROR_MODEL, "%s: timestep_activation_fn must be silu or gelu",
                         c->path);
    return 0;
}

static int read_sizes(struct cogvideox_transformer *m, const struct config *c, struct error *e)
{
    struct cogvideox_sizes *s = &m->sizes;
    int out_channels = 16, patch_t = 0;

    *s = (struct cogvideox_sizes){.channels = 16,
                                  .patch = 2,
                                  .text_width = 4096,
                                  .text_length = 226,
                                  .sample_height = 60,
                                  .sample_width = 90};
    m->heads = 30;
    m->head_dim = 64;
    m->layers = 30;
    m->time_dim = 512;
    if (config_int(c, "num_attention_heads", 1, 1024, &m->heads, e) ||
        config_int(c, "attention_head_dim", 2, 1024, &m->head_dim, e) ||
        config_int(c, "num_layers", 1, COGVIDEOX_MAX_LAYERS, &m->layers, e) ||
        config_int(c, "time_embed_dim", 1, 65536, &m->time_dim, e) ||
        config_int(c, "in_channels", 1, 1024, &s->channels, e) ||
        config_int(c, "out_channels", 1, 1024, &out_channels, e) ||
        config_int(c, "patch_size", 1, 16, &s->patch, e) ||
        config_int(c, "patch_size_t", 0, 16, &patch_t, e) ||
        config_int(c, "text_embed_dim", 1, 65536, &s->text_width, e) ||
        config_int(c, "max_text_seq_length", 1, COGVIDEOX_MAX_TOKENS, &s->text_length, e) ||
        config_int(c, "sample_height", 1, 65536, &s->sample_height, e) ||
        config_int(c, "sample_width", 1, 65536, &s->sample_width, e))
        return -1;
    if (s->channels != out_channels)
        return error_set(e, ERROR_MODEL,
                         "%s: in_channels %d and out_channels %d differ: the image-to-video form "
                         "is not supported",
                         c->path, s->channels, out_channels);
    s->spans_frames = patch_t > 0;
    s->patch_t = patch_t > 0 ? patch_t : 1;
    m->dim = (int64_t)m->heads * m->head_dim;
    return 0;
}

static int read_forms(struct cogvideox_transformer *m, const struct config *c, struct error *e)
{
    m->freq_shift = 0;
    m->eps = 1e-5;
    m->space_scale = 1.875;
    m->time_scale = 1;
    m->cos_first = m->qkv_bias = m->patch_bias = m->affine = true;
    return config_number(c, "freq_shift", 0, 1, &m->freq_shift, e) ||
                   config_number(c, "norm_eps", 0, 1, &m->eps, e) ||
                   config_number(c, "spatial_interpolation_scale", 1e-6, 1e6, &m->space_scale, e) ||
                   config_number(c, "temporal_interpolation_scale", 1e-6, 1e6, &m->time_scale, e) ||
                   config_bool(c, "flip_sin_to_cos", &m->cos_first, e) ||
                   config_bool(c, "attention_bias", &m->qkv_bias, e) ||
                   config_bool(c, "patch_bias", &m->patch_bias, e) ||
                   config_bool(c, "norm_elementwise_affine", &m->affine, e) ||
                   config_bool(c, "use_rotary_positional_embeddings", &m->sizes.rotary, e) ||
                   read_activations(m, c, e)
               ? -1
               : 0;
}

static int check_forms(const struct cogvideox_transformer *m, const struct config *c,
                       struct error *e)
{
    const struct cogvideox_sizes *s = &m->sizes;

    if (m->dim % 2 || m->freq_shift >= (double)m->dim / 2)
        return error_set(e, ERROR_MODEL,
                         "%s: num_attention_heads * attention_head_dim must be even, and half of "
                         "it more than freq_shift",
                         c->path);
    if (!s->rotary)
        return m->dim % 16 == 0
                   ? 0
                   : error_set(e, ERROR_MODEL,
                               "%s: num_attention_heads * attention_head_dim must be a multiple of "
                               "16 where positions are added",
                               c->path);
    if (m->head_dim % 16)
        return error_set(e, ERROR_MODEL,
                         "%s: attention_head_dim must be a multiple of 16 where positions are "
                         "rotary",
                         c->path);
    if (s->sample_height < s->patch || s->sample_width < s->patch)
        return error_set(e, ERROR_MODEL,
                         "%s: sample_height and sample_width must be at least patch_size", c->path);
    return 0;
}

static int read_config(struct cogvideox_transformer *m, struct error *e)
{
    struct config c;
    int rc;

    if (config_open(m->dir, "CogVideoXTransformer3DModel", &c, e))
        return -1;
    rc = config_refuse(&c, "ofs_embed_dim", e) ||
                 config_refuse(&c, "use_learned_positional_embeddings", e) ||
                 read_sizes(m, &c, e) || read_forms(m, &c, e) || check_forms(m, &c, e)
             ? -1
             : 0;
    config_close(&c);
    return rc;
}

/* ---- weights */

static const struct tensor *find(struct loader *l, const char *name, int rank, const int64_t *shape)
{
    const struct tensor *t = NULL;

    if (!l->failed && safetensors_get(l->weights, name, rank, shape, &t, l->error))
        l->failed = true;
    return t;
}

static void packed(struct loader *l, int rc, const char *name)
{
    if (rc == 0)
        return;
    l->failed = true;
    error_wrap(l->error, "%s: tensor %s", safetensors_path(l->weights), name);
}

/* The patches' embedding is a convolution of frames, or a linear layer where patches span them. */
static void load_patch_embedding(struct cogvideox_transformer *m, struct loader *l)
{
    const struct cogvideox_sizes *s = &m->sizes;
    int64_t area = (int64_t)s->patch * s->patch, features = s->channels * area * s->patch_t;
    const struct tensor *weight, *bias = NULL;
    struct tensor flat;

    if (s->spans_frames) {
        load_linear(l, &m->patch_embedding, m->dim, features, true, "patch_embed.proj");
        return;
    }
    weight =
        find(l, "patch_embed.proj.weight", 4, (int64_t[]){m->dim, s->channels, s->patch, s->patch});
    if (m->patch_bias)
        bias = find(l, "patch_embed.proj.bias", 1, &m->dim);
    if (l->failed || !l->device)
        return;
    flat = TENSOR_VIEW(*weight, m->dim, features);
    packed(l, linear_pack(l->device, l->arena, &flat, bias, &m->patch_embedding, l->error),
           "patch_embed.proj");
}

/* Each norm's own layer makes shift, scale and gate of the video and the same of the text. Both
 * layers are packed as one, like beside like, so that the four norms are prepared together. */
static void load_modulation(struct cogvideox_transformer *m, struct loader *l,
                            struct cogvideox_block *b, int i)
{
    static const int kind[] = {1, 0, 2}; /* scale, shift, gate in the published order of three */
    const struct tensor *weight[2], *bias[2], *weights[3 * COGVIDEOX_NORMS],
        *biases[3 * COGVIDEOX_NORMS];
    struct tensor part[3 * COGVIDEOX_NORMS], part_bias[3 * COGVIDEOX_NORMS];
    int64_t dim = m->dim, width = 6 * dim;
    char name[96];

    for (int n = 0; n < 2; n++) {
        snprintf(name, sizeof name, "transformer_blocks.%d.norm%d.linear.weight", i, n + 1);
        weight[n] = find(l, name, 2, (int64_t[]){width, m->time_dim});
        snprintf(name, sizeof name, "transformer_blocks.%d.norm%d.linear.bias", i, n + 1);
        bias[n] = find(l, name, 1, &width);
    }
    if (l->failed || !l->device)
        return;
    for (int p = 0; p < 3 * COGVIDEOX_NORMS; p++) {
        int norm = p % COGVIDEOX_NORMS / 2, text = p % 2;
        int64_t from = (3 * text + kind[p / COGVIDEOX_NORMS]) * dim;
        part[p] = tensor_slice(*weight[norm], 0, from, dim);
        part_bias[p] = tensor_slice(*bias[norm], 0, from, dim);
        weights[p] = &part[p];
        biases[p] = &part_bias[p];
    }
    packed(l,
           linear_pack_many(l->device, l->arena, 3 * COGVIDEOX_NORMS, weights, biases,
                            &b->modulation, l->error),
           name);
}

/* Vectors of `dim` numbers one after another, as [count, dim]; each of the two names twice. */
static void load_pair_twice(struct cogvideox_transformer *m, struct loader *l, struct tensor *to,
                            int i, const char *what)
{
    const struct tensor *one[2];
    struct arena scratch = {0};
    struct tensor rows;
    char name[96];

    for (int n = 0; n < 2; n++) {
        snprintf(name, sizeof name, "transformer_blocks.%d.norm%d.norm.%s", i, n + 1, what);
        one[n] = find(l, name, 1, &m->dim);
    }
    if (l->failed || !l->device)
        return;
    rows = TENSOR_NEW(&scratch, COGVIDEOX_NORMS, m->dim);
    for (int r = 0; rows.data && r < COGVIDEOX_NORMS; r++)
        tensor_to_f32(one[r / 2], (float *)rows.data + r * m->dim);
    packed(l,
           rows.data ? tensor_upload(l->device, l->arena, &rows, to, l->error)
                     : error_memory(l->error),
           name);
    arena_free(&scratch);
}

static void load_block(struct cogvideox_transformer *m, struct loader *l, int i)
{
    static const char *const qkv[] = {"to_q", "to_k", "to_v"};
    struct cogvideox_block *b = &m->blocks[i];
    int64_t dim = m->dim;

    load_modulation(m, l, b, i);
    if (m->affine) {
        load_pair_twice(m, l, &b->norm_weight, i, "weight");
        load_pair_twice(m, l, &b->norm_bias, i, "bias");
    }
    load_linears(l, &b->qkv, dim, dim, m->qkv_bias, 3, qkv, "transformer_blocks.%d.attn1.", i);
    load_vector(l, &b->norm_q, m->head_dim, "transformer_blocks.%d.attn1.norm_q.weight", i);
    load_vector(l, &b->norm_q_bias, m->head_dim, "transformer_blocks.%d.attn1.norm_q.bias", i);
    load_vector(l, &b->norm_k, m->head_dim, "transformer_blocks.%d.attn1.norm_k.weight", i);
    load_vector(l, &b->norm_k_bias, m->head_dim, "transformer_blocks.%d.attn1.norm_k.bias", i);
    load_linear(l, &b->out, dim, dim, true, "transformer_blocks.%d.attn1.to_out.0", i);
    load_linear(l, &b->ff_in, 4 * dim, dim, true, "transformer_blocks.%d.ff.net.0.proj", i);
    load_linear(l, &b->ff_out, dim, 4 * dim, true, "transformer_blocks.%d.ff.net.2", i);
}

static void load_all(struct cogvideox_transformer *m, struct loader *l)
{
    const struct cogvideox_sizes *s = &m->sizes;
    int64_t dim = m->dim, features = (int64_t)s->channels * s->patch * s->patch * s->patch_t;

    load_patch_embedding(m, l);
    load_linear(l, &m->text, dim, s->text_width, true, "patch_embed.text_proj");
    load_linear(l, &m->time_1, m->time_dim, dim, true, "time_embedding.linear_1");
    load_linear(l, &m->time_2, m->time_dim, m->time_dim, true, "time_embedding.linear_2");
    load_stream(l, &m->stream);
    for (int i = 0; i < m->layers && !l->failed; i++) {
        load_block_begin(l);
        load_block(m, l, i);
        load_block_end(l);
    }
    load_no_more(l, "transformer_blocks.%d.", m->layers);
    load_linear(l, &m->modulation_out, 2 * dim, m->time_dim, true, "norm_out.linear");
    if (m->affine) {
        load_vector(l, &m->norm_final, dim, "norm_final.weight");
        load_vector(l, &m->norm_final_bias, dim, "norm_final.bias");
        load_vector(l, &m->norm_out, dim, "norm_out.norm.weight");
        load_vector(l, &m->norm_out_bias, dim, "norm_out.norm.bias");
    }
    load_linear(l, &m->out, features, dim, true, "proj_out");
}

static const struct keep kept[] = {
    {"patch_embed.*", "words and the step's whole input; a thousandth of the work"},
    {"time_embedding.*", "the timestep: one row, which modulates all blocks"},
    {"*norm*.linear", "modulation of one row: what it scales and gates is the whole video"},
    {"proj_out", "the prediction itself; a thousandth of the work"},
    {NULL, NULL},
};

static int load_weights(struct cogvideox_transformer *m, struct error *e)
{
    struct safetensors *weights;
    struct loader l = {.device = m->device, .arena = &m->arena, .keep = kept, .error = e};

    if (safetensors_open(m->dir, &weights, e))
        return -1;
    l.weights = weights;
    load_all(m, &l);
    safetensors_close(weights);
    return l.failed ? -1 : 0;
}

/* Norms without weights of their own are prepared from ones and zeros. */
static int make_plain_norms(struct cogvideox_transformer *m, struct error *e)
{
    struct arena scratch = {0};
    struct tensor rows = TENSOR_NEW(&scratch, COGVIDEOX_NORMS, m->dim), ones, zeros;
    int rc = rows.data ? tensor_upload(m->device, &m->arena, &rows, &zeros, e) : error_memory(e);

    for (int64_t i = 0; rc == 0 && i < tensor_count(&rows); i++)
        ((float *)rows.data)[i] = 1;
    if (rc == 0)
        rc = tensor_upload(m->device, &m->arena, &rows, &ones, e);
    arena_free(&scratch);
    if (rc)
        return -1;
    for (int i = 0; i < m->layers; i++) {
        m->blocks[i].norm_weight = ones;
        m->blocks[i].norm_bias = zeros;
    }
    ones = tensor_slice(ones, 0, 0, 1);
    zeros = tensor_slice(zeros, 0, 0, 1);
    m->norm_out = TENSOR_VIEW(ones, m->dim);
    m->norm_out_bias = TENSOR_VIEW(zeros, m->dim);
    return 0;
}

static int make_vectors(struct cogvideox_transformer *m, struct error *e)
{
    struct arena *a = &m->arena;

    m->frequencies = TENSOR_NEW(a, 1, m->dim);
    m->time_hidden = TENSOR_NEW(a, 1, m->time_dim);
    m->time = TENSOR_NEW(a, 1, m->time_dim);
    m->mods = TENSOR_NEW(a, 1, 3 * COGVIDEOX_NORMS * m->dim);
    m->mods_out = TENSOR_NEW(a, 1, 2 * m->dim);
    m->weight = TENSOR_NEW(a, COGVIDEOX_NORMS, m->dim);
    m->bias = TENSOR_NEW(a, COGVIDEOX_NORMS, m->dim);
    m->weight_out = TENSOR_NEW(a, m->dim);
    m->bias_out = TENSOR_NEW(a, m->dim);
    return m->frequencies.data && m->time_hidden.data && m->time.data && m->mods.data &&
                   m->mods_out.data && m->weight.data && m->bias.data && m->weight_out.data &&
                   m->bias_out.data
               ? 0
               : error_memory(e);
}

int cogvideox_transformer_load(const char *dir, struct device *d,
                               struct cogvideox_transformer **out, struct error *e)
{
    struct cogvideox_transformer *m = calloc(1, sizeof *m);
    int rc;

    if (!m)
        return error_memory(e);
    m->device = d;
    if (d)
        m->work.arena = m->arena = device_arena(d);
    m->dir = arena_strdup(&m->host, dir);
    rc = m->dir ? read_config(m, e) : error_memory(e);
    if (rc == 0) {
        m->blocks = arena_array(&m->host, (size_t)m->layers, sizeof *m->blocks);
        rc = m->blocks ? load_weights(m, e) : error_memory(e);
    }
    if (rc == 0 && d)
        rc = make_vectors(m, e);
    if (rc == 0 && d && !m->affine)
        rc = make_plain_norms(m, e);
    if (rc == 0)
        *out = m;
    else
        cogvideox_transformer_free(m);
    return rc;
}

void cogvideox_transformer_free(struct cogvideox_transformer *m)
{
    if (!m)
        return;
    device_graph_free(&m->graph);
    weight_stream_close(m->stream);
    arena_free(&m->work.arena);
    arena_free(&m->arena);
    arena_free(&m->host);
    free(m);
}
