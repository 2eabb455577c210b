#include <stdio.h>
#include <stdlib.h>

#include "kernels/config.h"
#include "kernels/loader.h"
#include "stages/generate/hunyuan_transformer_impl.h"

/* ---- config.json */

static int read_layers(struct hunyuan_transformer *m, const struct config *c, struct error *e)
{
    m->dual_layers = 20;
    m->single_layers = 40;
    m->refiner_layers = 2;
    m->mlp_ratio = 4;
    if (config_int(c, "num_layers", 0, HUNYUAN_MAX_LAYERS, &m->dual_layers, e) ||
        config_int(c, "num_single_layers", 0, HUNYUAN_MAX_LAYERS, &m->single_layers, e) ||
        config_int(c, "num_refiner_layers", 0, HUNYUAN_MAX_LAYERS, &m->refiner_layers, e) ||
        config_number(c, "mlp_ratio", 0, 64, &m->mlp_ratio, e))
        return -1;
    m->ffn = (int64_t)((double)m->dim * m->mlp_ratio);
    if (m->ffn < 1)
        return error_set(e, ERROR_MODEL, "%s: mlp_ratio %g leaves no feed-forward", c->path,
                         m->mlp_ratio);
    return 0;
}

static int read_positions(struct hunyuan_transformer *m, const struct config *c, struct error *e)
{
    int axes = 3;

    m->axes[0] = 16;
    m->axes[1] = m->axes[2] = 56;
    m->rope_theta = 256;
    if (config_ints(c, "rope_axes_dim", 2, 1024, 3, m->axes, &axes, e) ||
        config_number(c, "rope_theta", 1e-3, 1e9, &m->rope_theta, e))
        return -1;
    if (axes != 3 || m->axes[0] % 2 || m->axes[1] % 2 || m->axes[2] % 2 ||
        m->axes[0] + m->axes[1] + m->axes[2] != m->head_dim)
        return error_set(e, ERROR_MODEL,
                         "%s: rope_axes_dim must be three even numbers whose sum is "
                         "attention_head_dim (%d)",
                         c->path, m->head_dim);
    return 0;
}

static int read_channels(struct hunyuan_transformer *m, const struct config *c, struct error *e)
{
    int out;

    m->channels = 16;
    if (config_int(c, "in_channels", 1, 1024, &m->channels, e))
        return -1;
    out = 16;
    if (config_int(c, "out_channels", 1, 1024, &out, e))
        return -1;
    if (out != m->channels)
        return error_set(e, ERROR_MODEL,
                         "%s: in_channels %d and out_channels %d differ: the image-to-video form "
                         "is not supported",
                         c->path, m->channels, out);
    return 0;
}

/* qk_norm: absent is rms_norm, null is none. */
static int read_qk_norm(struct hunyuan_transformer *m, const struct config *c, struct error *e)
{
    const json_t *value = json_object_get(c->root, "qk_norm");

    m->qk_norm = !value || !json_is_null(value);
    return config_expect(c, "qk_norm", "rms_norm", e);
}

static int read_sizes(struct hunyuan_transformer *m, const struct config *c, struct error *e)
{
    m->patch[0] = 1;
    m->patch[1] = 2;
    m->heads = 24;
    m->head_dim = 128;
    m->text_dim = 4096;
    m->pooled_dim = 768;
    m->guided = true;
    if (config_int(c, "patch_size_t", 1, 16, &m->patch[0], e) ||
        config_int(c, "patch_size", 1, 16, &m->patch[1], e) ||
        config_int(c, "num_attention_heads", 1, 1024, &m->heads, e) ||
        config_int(c, "attention_head_dim", 6, 1024, &m->head_dim, e) ||
        config_int(c, "text_embed_dim", 1, 65536, &m->text_dim, e) ||
        config_int(c, "pooled_projection_dim", 1, 65536, &m->pooled_dim, e) ||
        config_bool(c, "guidance_embeds", &m->guided, e))
        return -1;
    m->patch[2] = m->patch[1];
    m->dim = (int64_t)m->heads * m->head_dim;
    return read_channels(m, c, e) || read_layers(m, c, e) || read_positions(m, c, e) ||
                   read_qk_norm(m, c, e)
               ? -1
               : 0;
}

static int read_config(struct hunyuan_transformer *m, struct error *e)
{
    struct config c;
    int rc;

    if (config_open(m->dir, "HunyuanVideoTransformer3DModel", &c, e))
        return -1;
    rc = config_refuse(&c, "image_condition_type", e) || read_sizes(m, &c, e) ? -1 : 0;
    config_close(&c);
    return rc;
}

/* ---- weights */

enum { NAME_SIZE = 160 };

/* A layer that makes `parts` vectors of dim, one added to those that are scales: bit i of `scales`.
 */
static void load_modulation(struct hunyuan_transformer *m, struct loader *l, struct linear *to,
                            int parts, unsigned scales, const char *name)
{
    const struct tensor *weight, *bias;
    struct arena host = {0};
    struct tensor shifted;
    char text[NAME_SIZE + 16];

    if (l->failed)
        return;
    l->failed = true;
    snprintf(text, sizeof text, "%s.weight", name);
    if (SAFETENSORS_GET(l->weights, text, &weight, l->error, parts * m->dim, m->dim))
        return;
    snprintf(text, sizeof text, "%s.bias", name);
    if (SAFETENSORS_GET(l->weights, text, &bias, l->error, parts * m->dim))
        return;
    l->failed = false;
    if (!l->device)
        return;
    shifted = TENSOR_NEW(&host, parts * m->dim);
    if (shifted.data) {
        float *values = shifted.data;
        tensor_to_f32(bias, values);
        for (int64_t i = 0; i < parts * m->dim; i++)
            values[i] += scales >> i / m->dim & 1;
        l->failed = linear_pack(l->device, l->arena, weight, &shifted, to, l->error) != 0;
    } else {
        error_memory(l->error);
        l->failed = true;
    }
    arena_free(&host);
}

enum { SIDE_SCALES = 1u << 1 | 1u << 4, SINGLE_SCALES = 1u << 1, OUT_SCALES = 1u << 0 };

static void load_embedder(struct hunyuan_transformer *m, struct loader *l,
                          struct hunyuan_embedder *to, int64_t in, const char *name)
{
    load_linear(l, &to->first, m->dim, in, true, "%s.linear_1", name);
    load_linear(l, &to->second, m->dim, m->dim, true, "%s.linear_2", name);
}

static void load_embedders(struct hunyuan_transformer *m, struct loader *l)
{
    load_embedder(m, l, &m->time, HUNYUAN_FREQUENCIES, "time_text_embed.timestep_embedder");
    load_embedder(m, l, &m->pooled, m->pooled_dim, "time_text_embed.text_embedder");
    if (m->guided)
        load_embedder(m, l, &m->guidance, HUNYUAN_FREQUENCIES, "time_text_embed.guidance_embedder");
    load_embedder(m, l, &m->refiner_time, HUNYUAN_FREQUENCIES,
                  "context_embedder.time_text_embed.timestep_embedder");
    load_embedder(m, l, &m->refiner_pooled, m->text_dim,
                  "context_embedder.time_text_embed.text_embedder");
}

static void load_feed_forward(struct hunyuan_transformer *m, struct loader *l, struct linear *in,
                              struct linear *out, int64_t width, const char *name)
{
    load_linear(l, in, width, m->dim, true, "%s.net.0.proj", name);
    load_linear(l, out, m->dim, width, true, "%s.net.2", name);
}

static const char *const qkv_parts[] = {"to_q", "to_k", "to_v"};

static void load_refiner(struct hunyuan_transformer *m, struct loader *l, int i)
{
    struct hunyuan_refiner *b = &m->refiners[i];
    char at[96], name[NAME_SIZE];

    snprintf(at, sizeof at, "context_embedder.token_refiner.refiner_blocks.%d", i);
    load_linear(l, &b->gates, 2 * m->dim, m->dim, true, "%s.norm_out.linear", at);
    load_linears(l, &b->qkv, m->dim, m->dim, true, 3, qkv_parts, "%s.attn.", at);
    load_linear(l, &b->out, m->dim, m->dim, true, "%s.attn.to_out.0", at);
    snprintf(name, sizeof name, "%s.ff", at);
    load_feed_forward(m, l, &b->ffn_in, &b->ffn_out, 4 * m->dim, name);
    load_vector(l, &b->weight_1, m->dim, "%s.norm1.weight", at);
    load_vector(l, &b->bias_1, m->dim, "%s.norm1.bias", at);
    load_vector(l, &b->weight_2, m->dim, "%s.norm2.weight", at);
    load_vector(l, &b->bias_2, m->dim, "%s.norm2.bias", at);
}

static void load_head_norms(struct hunyuan_transformer *m, struct loader *l, struct tensor *q,
                            struct tensor *k, const char *at, const char *kind)
{
    if (!m->qk_norm)
        return;
    load_vector(l, q, m->head_dim, "%s.attn.norm_%sq.weight", at, kind);
    load_vector(l, k, m->head_dim, "%s.attn.norm_%sk.weight", at, kind);
}

static void load_dual(struct hunyuan_transformer *m, struct loader *l, int i)
{
    static const char *const added[] = {"add_q_proj", "add_k_proj", "add_v_proj"};
    struct hunyuan_side *video = &m->duals[i].video, *words = &m->duals[i].words;
    char at[96], name[NAME_SIZE];

    snprintf(at, sizeof at, "transformer_blocks.%d", i);
    snprintf(name, sizeof name, "%s.norm1.linear", at);
    load_modulation(m, l, &video->modulation, 6, SIDE_SCALES, name);
    load_linears(l, &video->qkv, m->dim, m->dim, true, 3, qkv_parts, "%s.attn.", at);
    load_head_norms(m, l, &video->norm_q, &video->norm_k, at, "");
    load_linear(l, &video->out, m->dim, m->dim, true, "%s.attn.to_out.0", at);
    snprintf(name, sizeof name, "%s.ff", at);
    load_feed_forward(m, l, &video->ffn_in, &video->ffn_out, m->ffn, name);

    snprintf(name, sizeof name, "%s.norm1_context.linear", at);
    load_modulation(m, l, &words->modulation, 6, SIDE_SCALES, name);
    load_linears(l, &words->qkv, m->dim, m->dim, true, 3, added, "%s.attn.", at);
    load_head_norms(m, l, &words->norm_q, &words->norm_k, at, "added_");
    load_linear(l, &words->out, m->dim, m->dim, true, "%s.attn.to_add_out", at);
    snprintf(name, sizeof name, "%s.ff_context", at);
    load_feed_forward(m, l, &words->ffn_in, &words->ffn_out, m->ffn, name);
}

static void load_single(struct hunyuan_transformer *m, struct loader *l, int i)
{
    struct hunyuan_single *b = &m->singles[i];
    char at[96], name[NAME_SIZE];

    snprintf(at, sizeof at, "single_transformer_blocks.%d", i);
    snprintf(name, sizeof name, "%s.norm.linear", at);
    load_modulation(m, l, &b->modulation, 3, SINGLE_SCALES, name);
    load_linears(l, &b->qkv, m->dim, m->dim, true, 3, qkv_parts, "%s.attn.", at);
    load_head_norms(m, l, &b->norm_q, &b->norm_k, at, "");
    load_linear(l, &b->ffn_in, m->ffn, m->dim, true, "%s.proj_mlp", at);
    load_linear(l, &b->out, m->dim, m->dim + m->ffn, true, "%s.proj_out", at);
}

static void load_all(struct hunyuan_transformer *m, struct loader *l)
{
    int64_t patch = (int64_t)m->patch[0] * m->patch[1] * m->patch[2];

    load_patches(l, &m->patch_embedding, m->dim, m->channels, m->patch, "x_embedder.proj");
    load_linear(l, &m->text_in, m->dim, m->text_dim, true, "context_embedder.proj_in");
    load_embedders(m, l);
    for (int i = 0; i < m->refiner_layers && !l->failed; i++)
        load_refiner(m, l, i);
    load_stream(l, &m->stream);
    for (int i = 0; i < m->dual_layers && !l->failed; i++) {
        load_block_begin(l);
        load_dual(m, l, i);
        load_block_end(l);
    }
    for (int i = 0; i < m->single_layers && !l->failed; i++) {
        load_block_begin(l);
        load_single(m, l, i);
        load_block_end(l);
    }
    load_no_more(l, "transformer_blocks.%d.", m->dual_layers);
    load_no_more(l, "single_transformer_blocks.%d.", m->single_layers);
    load_modulation(m, l, &m->out_modulation, 2, OUT_SCALES, "norm_out.linear");
    load_linear(l, &m->out, m->channels * patch, m->dim, true, "proj_out");
}

static const struct keep kept[] = {
    {"x_embedder.proj", "a step's whole input goes through it, and it is a thousandth of the work"},
    {"context_embedder.*", "the words before the blocks: a few rows, which all blocks read"},
    {"time_text_embed.*", "timestep, guidance and summary: one row, which modulates all blocks"},
    {"*norm*.linear", "modulation of one row: what it scales and gates is the whole video"},
    {"proj_out", "the flow itself; a thousandth of the work"},
    {NULL, NULL},
};

static int load_weights(struct hunyuan_transformer *m, struct error *e)
{
    struct safetensors *weights;
    struct loader l = {.device = m->device, .arena = &m->device_arena, .keep = kept, .error = e};

    if (safetensors_open(m->dir, &weights, e))
        return -1;
    l.weights = weights;
    load_all(m, &l);
    safetensors_close(weights);
    return l.failed ? -1 : 0;
}

/* ---- the model */

static int make_vectors(struct hunyuan_transformer *m, struct error *e)
{
    m->device_arena = device_arena(m->device);
    m->frequencies = TENSOR_NEW(&m->device_arena, 1, HUNYUAN_FREQUENCIES);
    m->hidden = TENSOR_NEW(&m->device_arena, 1, m->dim);
    m->signal = TENSOR_NEW(&m->device_arena, 1, m->dim);
    m->refiner_signal = TENSOR_NEW(&m->device_arena, 1, m->dim);
    m->video_mods = TENSOR_NEW(&m->device_arena, 1, 6 * m->dim);
    m->word_mods = TENSOR_NEW(&m->device_arena, 1, 6 * m->dim);
    return m->frequencies.data && m->hidden.data && m->signal.data && m->refiner_signal.data &&
                   m->video_mods.data && m->word_mods.data
               ? 0
               : error_memory(e);
}

static int make_layers(struct hunyuan_transformer *m, struct error *e)
{
    m->refiners = arena_array(&m->arena, (size_t)m->refiner_layers + 1, sizeof *m->refiners);
    m->duals = arena_array(&m->arena, (size_t)m->dual_layers + 1, sizeof *m->duals);
    m->singles = arena_array(&m->arena, (size_t)m->single_layers + 1, sizeof *m->singles);
    return m->refiners && m->duals && m->singles ? 0 : error_memory(e);
}

int hunyuan_transformer_load(const char *dir, struct device *d, struct hunyuan_transformer **out,
                             struct error *e)
{
    struct hunyuan_transformer *m = calloc(1, sizeof *m);
    int rc;

    if (!m)
        return error_memory(e);
    m->device = d;
    m->dir = arena_strdup(&m->arena, dir);
    rc = m->dir ? 0 : error_memory(e);
    if (rc == 0)
        rc = read_config(m, e) || make_layers(m, e) || (d && make_vectors(m, e)) ||
             load_weights(m, e);
    if (rc)
        hunyuan_transformer_free(m);
    else
        *out = m;
    return rc ? -1 : 0;
}

void hunyuan_transformer_free(struct hunyuan_transformer *m)
{
    if (!m)
        return;
    device_graph_free(&m->graph);
    weight_stream_close(m->stream);
    arena_free(&m->work.arena);
    arena_free(&m->device_arena);
    arena_free(&m->arena);
    free(m);
}
