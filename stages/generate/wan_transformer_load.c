#include <math.h>
#include <stdlib.h>

#include "kernels/config.h"
#include "kernels/loader.h"
#include "stages/generate/wan_transformer_impl.h"

static int read_sizes(struct wan_transformer *m, const struct config *c, struct error *e)
{
    int axes = 3;

    m->patch[0] = 1;
    m->patch[1] = m->patch[2] = 2;
    m->freq_dim = 256;
    m->rope_length = 1024;
    m->cross_norm = true;
    m->eps = 1e-6;
    m->heads = 40;
    m->head_dim = 128;
    m->in_channels = 16;
    m->text_dim = 4096;
    m->ffn_dim = 13824;
    m->layers = 40;
    if (config_ints(c, "patch_size", 1, 16, 3, m->patch, &axes, e) ||
        config_int(c, "num_attention_heads", 1, 1024, &m->heads, e) ||
        config_int(c, "attention_head_dim", 6, 1024, &m->head_dim, e) ||
        config_int(c, "in_channels", 1, 1024, &m->in_channels, e))
        return -1;
    m->out_channels = m->in_channels;
    if (config_int(c, "out_channels", 1, 1024, &m->out_channels, e) ||
        config_int(c, "text_dim", 1, 65536, &m->text_dim, e) ||
        config_int(c, "freq_dim", 2, 65536, &m->freq_dim, e) ||
        config_int(c, "ffn_dim", 1, 1 << 20, &m->ffn_dim, e) ||
        config_int(c, "num_layers", 1, WAN_MAX_LAYERS, &m->layers, e) ||
        config_int(c, "rope_max_seq_len", 1, 65536, &m->rope_length, e) ||
        config_bool(c, "cross_attn_norm", &m->cross_norm, e) ||
        config_number(c, "eps", 0, 1, &m->eps, e))
        return -1;
    if (axes != 3 || m->head_dim % 2 || m->freq_dim % 2)
        return error_set(e, ERROR_MODEL,
                         "%s: patch_size must have three axes, and attention_head_dim and "
                         "freq_dim must be even",
                         c->path);
    m->dim = (int64_t)m->heads * m->head_dim;
    return 0;
}

static int read_config(struct wan_transformer *m, struct error *e)
{
    struct config c;
    int rc = -1;

    if (config_open(m->dir, "WanTransformer3DModel", &c, e))
        return -1;
    if (config_refuse(&c, "image_dim", e) || config_refuse(&c, "added_kv_proj_dim", e) ||
        config_refuse(&c, "pos_embed_seq_len", e) ||
        config_expect(&c, "qk_norm", "rms_norm_across_heads", e) || read_sizes(m, &c, e))
        goto done;
    if (m->in_channels != m->out_channels)
        error_set(e, ERROR_MODEL,
                  "%s: in_channels %d and out_channels %d differ: the image-to-video form is not "
                  "supported",
                  c.path, m->in_channels, m->out_channels);
    else
        rc = 0;
done:
    config_close(&c);
    return rc;
}

/* One is added to the scales of a table of modulations, so that norms may use them as weights. */
static void add_one(struct wan_transformer *m, const struct loader *l, const struct tensor *table,
                    int which)
{
    struct tensor scale;

    if (l->failed || !l->device)
        return;
    scale = tensor_slice(*table, 0, which * m->dim, m->dim);
    op_add(l->device, &scale, &scale, &m->ones);
}

static void load_block(struct wan_transformer *m, struct loader *l, int i)
{
    static const char *const qkv[] = {"to_q", "to_k", "to_v"};
    struct wan_block *b = &m->blocks[i];
    int64_t dim = m->dim;

    load_linears(l, &b->qkv, dim, dim, true, 3, qkv, "blocks.%d.attn1.", i);
    load_linear(l, &b->out, dim, dim, true, "blocks.%d.attn1.to_out.0", i);
    load_vector(l, &b->norm_q, dim, "blocks.%d.attn1.norm_q.weight", i);
    load_vector(l, &b->norm_k, dim, "blocks.%d.attn1.norm_k.weight", i);
    load_linear(l, &b->cross_q, dim, dim, true, "blocks.%d.attn2.to_q", i);
    load_linears(l, &b->cross_kv, dim, dim, true, 2, qkv + 1, "blocks.%d.attn2.", i);
    load_linear(l, &b->cross_out, dim, dim, true, "blocks.%d.attn2.to_out.0", i);
    load_vector(l, &b->cross_norm_q, dim, "blocks.%d.attn2.norm_q.weight", i);
    load_vector(l, &b->cross_norm_k, dim, "blocks.%d.attn2.norm_k.weight", i);
    if (m->cross_norm) {
        load_vector(l, &b->cross_weight, dim, "blocks.%d.norm2.weight", i);
        load_vector(l, &b->cross_bias, dim, "blocks.%d.norm2.bias", i);
    }
    load_linear(l, &b->ffn_in, m->ffn_dim, dim, true, "blocks.%d.ffn.net.0.proj", i);
    load_linear(l, &b->ffn_out, dim, m->ffn_dim, true, "blocks.%d.ffn.net.2", i);
    load_vector(l, &b->table, 6 * dim, "blocks.%d.scale_shift_table", i);
    add_one(m, l, &b->table, 1);
    add_one(m, l, &b->table, 4);
}

static void load_all(struct wan_transformer *m, struct loader *l)
{
    int64_t dim = m->dim, patch = (int64_t)m->patch[0] * m->patch[1] * m->patch[2];

    load_patches(l, &m->patch_embedding, dim, m->in_channels, m->patch, "patch_embedding");
    load_linear(l, &m->text_1, dim, m->text_dim, true, "condition_embedder.text_embedder.linear_1");
    load_linear(l, &m->text_2, dim, dim, true, "condition_embedder.text_embedder.linear_2");
    load_linear(l, &m->time_1, dim, m->freq_dim, true, "condition_embedder.time_embedder.linear_1");
    load_linear(l, &m->time_2, dim, dim, true, "condition_embedder.time_embedder.linear_2");
    load_linear(l, &m->time_proj, 6 * dim, dim, true, "condition_embedder.time_proj");
    load_stream(l, &m->stream);
    for (int i = 0; i < m->layers && !l->failed; i++) {
        load_block_begin(l);
        load_block(m, l, i);
        load_block_end(l);
    }
    load_no_more(l, "blocks.%d.", m->layers);
    load_linear(l, &m->out, m->out_channels * patch, dim, true, "proj_out");
    load_vector(l, &m->table, 2 * dim, "scale_shift_table");
    add_one(m, l, &m->table, 1);
}

static const struct keep kept[] = {
    {"patch_embedding", "a step's whole input goes through it, and it is a thousandth of the work"},
    {"condition_embedder.*", "words and timestep: a few rows, which all blocks read"},
    {"proj_out", "the flow itself; a thousandth of the work"},
    {"blocks.*.attn2.", "keys and values of the words: made once a shot, read by every token"},
    {"blocks.*.attn2.to_[kv]", "the same, by the names that they are counted under"},
    {NULL, NULL},
};

static int load_weights(struct wan_transformer *m, struct error *e)
{
    struct safetensors *weights;
    struct loader l = {.device = m->device, .arena = &m->memory, .keep = kept, .error = e};

    if (safetensors_open(m->dir, &weights, e))
        return -1;
    l.weights = weights;
    load_all(m, &l);
    safetensors_close(weights);
    return l.failed || (m->device && device_status(m->device, e)) ? -1 : 0;
}

/* What does not depend on the latents' shape. */
static int make_small(struct wan_transformer *m, struct error *e)
{
    m->memory = device_arena(m->device);
    m->work.memory = m->memory;
    m->frequencies = TENSOR_NEW(&m->memory, 1, m->freq_dim);
    m->time = TENSOR_NEW(&m->memory, 1, m->dim);
    m->time_silu = TENSOR_NEW(&m->memory, 1, m->dim);
    m->modulation = TENSOR_NEW(&m->memory, 1, 6 * m->dim);
    m->mods = TENSOR_NEW(&m->memory, 1, 6 * m->dim);
    m->host_frequencies = TENSOR_NEW(&m->arena, 1, m->freq_dim);
    struct tensor ones = TENSOR_NEW(&m->arena, m->dim);
    if (!m->frequencies.data || !m->time.data || !m->time_silu.data || !m->modulation.data ||
        !m->mods.data || !m->host_frequencies.data || !ones.data)
        return error_memory(e);
    for (int64_t i = 0; i < m->dim; i++)
        ((float *)ones.data)[i] = 1;
    return m->device ? tensor_upload(m->device, &m->memory, &ones, &m->ones, e) : 0;
}

int wan_transformer_load(const char *dir, struct device *d, struct wan_transformer **out,
                         struct error *e)
{
    struct wan_transformer *m = calloc(1, sizeof *m);

    if (!m)
        return error_memory(e);
    m->device = d;
    m->dir = arena_strdup(&m->arena, dir);
    if (!m->dir) {
        error_memory(e);
        goto failed;
    }
    if (read_config(m, e))
        goto failed;
    m->blocks = arena_array(&m->arena, (size_t)m->layers, sizeof *m->blocks);
    if (!m->blocks) {
        error_memory(e);
        goto failed;
    }
    if (make_small(m, e) || load_weights(m, e))
        goto failed;
    *out = m;
    return 0;
failed:
    wan_transformer_free(m);
    return -1;
}

void wan_transformer_free(struct wan_transformer *m)
{
    if (!m)
        return;
    device_graph_free(&m->graph);
    weight_stream_close(m->stream);
    arena_free(&m->work.memory);
    arena_free(&m->memory);
    arena_free(&m->arena);
    free(m);
}
