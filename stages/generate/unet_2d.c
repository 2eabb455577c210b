#include "stages/generate/unet_2d.h"

#include <stdlib.h>
#include <string.h>

#include "stages/generate/unet.h"

struct unet_2d {
    struct unet unet;
    int pooled_width, id_dim; /* an id becomes so many waves */
};

/* ---- config.json */

/* A null is another model than a missing key. */
static int expect(const struct config *c, const char *name, const char *value, struct error *e)
{
    if (json_is_null(json_object_get(c->root, name)))
        return error_set(e, ERROR_MODEL, "%s: %s is null: only %s is supported", c->path, name,
                         value);
    return config_expect(c, name, value, e);
}

static int check_form(const struct config *c, struct error *e)
{
    static const char *const refused[] = {"center_input_sample",
                                          "only_cross_attention",
                                          "mid_block_only_cross_attention",
                                          "reverse_transformer_layers_per_block",
                                          "encoder_hid_dim",
                                          "encoder_hid_dim_type",
                                          "num_attention_heads",
                                          "dual_cross_attention",
                                          "class_embed_type",
                                          "num_class_embeds",
                                          "class_embeddings_concat",
                                          "resnet_skip_time_act",
                                          "time_embedding_act_fn",
                                          "timestep_post_act",
                                          "time_cond_proj_dim",
                                          "cross_attention_norm"};
    static const char *const expected[][2] = {{"mid_block_type", "UNetMidBlock2DCrossAttn"},
                                              {"act_fn", "silu"},
                                              {"resnet_time_scale_shift", "default"},
                                              {"time_embedding_type", "positional"},
                                              {"attention_type", "default"}};
    double one = 1, scale = 1;
    int padding = 1;

    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (config_refuse(c, refused[i], e))
            return -1;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (expect(c, expected[i][0], expected[i][1], e))
            return -1;
    if (!json_is_string(json_object_get(c->root, "addition_embed_type")))
        return error_set(e, ERROR_MODEL,
                         "%s: addition_embed_type is not set: only text_time, SDXL's, is supported",
                         c->path);
    return config_expect(c, "addition_embed_type", "text_time", e) ||
                   config_number(c, "resnet_out_scale_factor", 1, 1, &one, e) ||
                   config_number(c, "mid_block_scale_factor", 1, 1, &scale, e) ||
                   config_int(c, "downsample_padding", 1, 1, &padding, e)
               ? -1
               : 0;
}

static int read_embedding(struct unet_2d *m, const struct config *c, struct error *e)
{
    struct unet *u = &m->unet;

    u->time_in = (int)u->down[0].channels;
    u->time_dim = 4 * u->time_in;
    u->cosine_first = true;
    if (config_int(c, "time_embedding_dim", 1, 1 << 16, &u->time_dim, e) ||
        config_bool(c, "flip_sin_to_cos", &u->cosine_first, e) ||
        config_number(c, "freq_shift", 0, 1, &u->freq_shift, e) ||
        config_int(c, "addition_time_embed_dim", 2, 1 << 14, &m->id_dim, e) ||
        config_int(c, "projection_class_embeddings_input_dim", 1, 1 << 20, &u->added_in, e))
        return -1;
    m->pooled_width = u->added_in - UNET_2D_TIME_IDS * m->id_dim;
    if (m->pooled_width < 1)
        return error_set(e, ERROR_MODEL,
                         "%s: projection_class_embeddings_input_dim %d leaves no room for a pooled "
                         "prompt beside %d sizes of %d numbers",
                         c->path, u->added_in, UNET_2D_TIME_IDS, m->id_dim);
    if (u->time_in % 2 || m->id_dim % 2 || u->time_in / 2 <= u->freq_shift ||
        m->id_dim / 2 <= u->freq_shift)
        return error_set(e, ERROR_MODEL,
                         "%s: block_out_channels[0] %d and addition_time_embed_dim %d must be even "
                         "and above twice freq_shift",
                         c->path, u->time_in, m->id_dim);
    return 0;
}

static int read_sizes(struct unet_2d *m, const struct config *c, struct error *e)
{
    static const int heads = 8;
    struct unet *u = &m->unet;
    double eps = 1e-5;

    u->in_channels = u->out_channels = 4;
    u->groups = 32;
    u->conv_in_size = u->conv_out_size = 3;
    if (config_int(c, "in_channels", 1, 1024, &u->in_channels, e) ||
        config_int(c, "out_channels", 1, 1024, &u->out_channels, e) ||
        config_int(c, "norm_num_groups", 1, 1 << 14, &u->groups, e) ||
        config_number(c, "norm_eps", 0, 1, &eps, e) ||
        config_int(c, "conv_in_kernel", 1, 3, &u->conv_in_size, e) ||
        config_int(c, "conv_out_kernel", 1, 3, &u->conv_out_size, e) ||
        unet_read_sizes(u, c, "2D", "attention_head_dim", &heads, 1, 1280, e))
        return -1;
    if (u->in_channels != u->out_channels)
        return error_set(e, ERROR_MODEL,
                         "%s: in_channels %d and out_channels %d differ: only text to image is "
                         "supported",
                         c->path, u->in_channels, u->out_channels);
    if (u->conv_in_size == 2 || u->conv_out_size == 2)
        return error_set(e, ERROR_MODEL, "%s: conv_in_kernel and conv_out_kernel must be 1 or 3",
                         c->path);
    u->norm_eps = u->mid.eps = (float)eps;
    for (int i = 0; i < u->levels; i++)
        u->down[i].eps = u->up[i].eps = (float)eps;
    return read_embedding(m, c, e);
}

static int read_config(struct unet_2d *m, struct error *e)
{
    struct config c;
    int rc;

    if (config_open(m->unet.dir, "UNet2DConditionModel", &c, e))
        return -1;
    rc = check_form(&c, e) || read_sizes(m, &c, e) ? -1 : 0;
    config_close(&c);
    return rc;
}

/* ---- */

int unet_2d_load(const char *dir, struct device *d, struct unet_2d **out, struct error *e)
{
    struct unet_2d *m = calloc(1, sizeof *m);

    if (!m)
        return error_memory(e);
    m->unet.device = d;
    if (d)
        m->unet.weights = device_arena(d);
    m->unet.dir = arena_strdup(&m->unet.arena, dir);
    if (!m->unet.dir)
        error_memory(e);
    if (!m->unet.dir || read_config(m, e) || unet_load(&m->unet, e)) {
        unet_2d_free(m);
        return -1;
    }
    *out = m;
    return 0;
}

void unet_2d_free(struct unet_2d *m)
{
    if (!m)
        return;
    unet_free(&m->unet);
    free(m);
}

int unet_2d_channels(const struct unet_2d *m)
{
    return m->unet.in_channels;
}

int unet_2d_context_dim(const struct unet_2d *m)
{
    return m->unet.context_dim;
}

int unet_2d_pooled_width(const struct unet_2d *m)
{
    return m->pooled_width;
}

/* ---- a shot */

/* The pooled prompt, then the waves of every id. */
static void fill_added(const struct unet_2d *m, const struct tensor *pooled,
                       const struct tensor *time_ids, struct tensor *added)
{
    float *to = added->data;

    for (int64_t n = 0; n < pooled->shape[0]; n++) {
        const float *ids = (float *)time_ids->data + n * UNET_2D_TIME_IDS;
        memcpy(to, (float *)pooled->data + n * m->pooled_width,
               (size_t)m->pooled_width * sizeof *to);
        to += m->pooled_width;
        for (int i = 0; i < UNET_2D_TIME_IDS; i++, to += m->id_dim)
            unet_waves(&m->unet, ids[i], m->id_dim, to);
    }
}

static bool fits(const struct unet_2d *m, const struct tensor *tokens, const struct tensor *pooled,
                 const struct tensor *time_ids)
{
    int64_t n = tokens->shape[0];

    return tokens->rank == 3 && pooled->rank == 2 && time_ids->rank == 2 && n >= 1 &&
           tokens->shape[1] >= 1 && tokens->shape[2] == m->unet.context_dim &&
           pooled->shape[0] == n && pooled->shape[1] == m->pooled_width &&
           time_ids->shape[0] == n && time_ids->shape[1] == UNET_2D_TIME_IDS;
}

int unet_2d_prepare(struct unet_2d *m, const struct tensor *tokens, const struct tensor *pooled,
                    const struct tensor *time_ids, struct unet_context **out, struct error *e)
{
    struct arena scratch = {0};
    struct tensor added;
    int rc = -1;

    if (!fits(m, tokens, pooled, time_ids))
        return error_set(e, ERROR_MODEL,
                         "%s: prompts of width %lld, pooled %lld, do not fit: the UNet wants %d "
                         "and %d",
                         m->unet.dir, (long long)tokens->shape[tokens->rank - 1],
                         (long long)pooled->shape[pooled->rank - 1], m->unet.context_dim,
                         m->pooled_width);
    added = TENSOR_NEW(&scratch, tokens->shape[0], m->unet.added_in);
    if (!added.data) {
        error_memory(e);
    } else {
        fill_added(m, pooled, time_ids, &added);
        rc = unet_context_make(&m->unet, tokens, &added, 1, out, e);
    }
    arena_free(&scratch);
    return rc;
}

int unet_2d_forward(struct unet_2d *m, const struct unet_context *c, const struct tensor *latents,
                    float timestep, struct tensor *out, struct error *e)
{
    return unet_forward(&m->unet, c, latents, timestep, out, e);
}
