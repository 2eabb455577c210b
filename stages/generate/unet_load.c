#include <math.h>
#include <string.h>

#include "stages/generate/unet.h"

/* A level's name, a layer's in it, a block's in that, and the parts of a block. */
enum { LEVEL_NAME = 32, LAYER_NAME = 64, BLOCK_NAME = 128, PART_NAME = 160 };
enum { F8_AFTER_ATTENTION = 1280 }; /* channels */

static void load_norm(struct loader *l, struct unet_norm *n, int64_t channels, const char *name,
                      const char *part)
{
    load_vector(l, &n->weight, channels, "%s%s.weight", name, part);
    load_vector(l, &n->bias, channels, "%s%s.bias", name, part);
}

/* Group norms need whole groups. */
static void check_groups(struct unet *m, struct loader *l, int64_t channels, const char *name)
{
    if (l->failed || channels % m->groups == 0)
        return;
    l->failed = true;
    error_set(l->error, ERROR_MODEL, "%s: %s has %lld channels, which %d groups do not divide",
              safetensors_path(l->weights), name, (long long)channels, m->groups);
}

/* frames: taps along time; 0 for a block of pictures. share: of what is added. */
static void load_residual(struct unet *m, struct loader *l, struct unet_residual *r, int64_t in,
                          int64_t out, int frames, float share, const char *name)
{
    int side = frames ? 1 : 3;

    r->in = in;
    r->out = out;
    check_groups(m, l, in, name);
    check_groups(m, l, out, name);
    load_norm(l, &r->norm1, in, name, ".norm1");
    load_conv(l, &r->conv1, out, in, frames, side, side, "%s.conv1", name);
    load_linear(l, &r->time, out, m->time_dim, true, "%s.time_emb_proj", name);
    load_norm(l, &r->norm2, out, name, ".norm2");
    load_conv_share(l, &r->conv2, share, out, out, frames, side, side, "%s.conv2", name);
    if (in != out)
        load_pointwise(l, &r->shortcut, out, in, "%s.conv_shortcut", name);
}

/* A learned number becomes a share between 0 and 1. */
static void load_share(struct unet *m, struct loader *l, float *share, const char *name)
{
    float *factor = NULL;

    load_host_vector(l, &m->arena, &factor, 1, "%s.time_mixer.mix_factor", name);
    if (factor)
        *share = 1 / (1 + expf(-*factor));
}

static void load_resnet(struct unet *m, struct loader *l, struct unet_resnet *r, float eps,
                        int64_t in, int64_t out, const char *name)
{
    char part[BLOCK_NAME];

    r->eps = eps;
    if (!m->temporal) {
        load_residual(m, l, &r->spatial, in, out, 0, 1, name);
        return;
    }
    snprintf(part, sizeof part, "%s.spatial_res_block", name);
    load_residual(m, l, &r->spatial, in, out, 0, 1, part);
    load_share(m, l, &r->share, name);
    snprintf(part, sizeof part, "%s.temporal_res_block", name);
    load_residual(m, l, &r->temporal, out, out, 3, 1 - r->share, part);
}

/* ---- transformers */

static void load_feed_forward(struct loader *l, struct unet_feed_forward *ff, int64_t channels,
                              const char *name)
{
    ff->width = 4 * channels;
    load_linear(l, &ff->in, 2 * ff->width, channels, true, "%s.net.0.proj", name);
    load_linear(l, &ff->out, channels, ff->width, true, "%s.net.2", name);
}

/* What reads attention's results. No norm stands between, so with FP8 weights its input takes a
 * pass of its own: three bytes a number, which is more than such a product gains where rows are
 * narrow, and a wide one gains little. */
static void load_after_attention(struct loader *l, struct linear *to, int64_t channels,
                                 const char *name)
{
    struct loader plain = *l;

    if (channels < F8_AFTER_ATTENTION)
        plain.keep = NULL;
    load_linear(&plain, to, channels, channels, true, "%s", name);
    l->failed = plain.failed;
}

/* Where there is one token to attend to, its weight is 1 whatever the query: the query's tensors
 * are looked up, like all others, and not read. */
static void load_cross(struct unet *m, struct loader *l, struct unet_block *b, int64_t channels,
                       const char *name)
{
    static const char *const kv[] = {"to_k", "to_v"};
    struct loader look = *l;
    char out[PART_NAME];

    look.device = NULL;
    if (m->temporal) {
        load_norm(&look, &b->norm2, channels, name, ".norm2");
        load_linear(&look, &b->cross_q, channels, channels, false, "%s.attn2.to_q", name);
        load_linear(&look, &b->cross_q, channels, m->context_dim, false, "%s.attn2.to_k", name);
        l->failed = look.failed;
        load_linear(l, &b->cross_kv, channels, m->context_dim, false, "%s.attn2.to_v", name);
    } else {
        load_norm(l, &b->norm2, channels, name, ".norm2");
        load_linear(l, &b->cross_q, channels, channels, false, "%s.attn2.to_q", name);
        load_linears(l, &b->cross_kv, channels, m->context_dim, false, 2, kv, "%s.attn2.", name);
    }
    snprintf(out, sizeof out, "%s.attn2.to_out.0", name);
    load_after_attention(l, &b->cross_out, channels, out);
}

static void load_block(struct unet *m, struct loader *l, struct unet_block *b, int64_t channels,
                       bool along_time, const char *name)
{
    static const char *const qkv[] = {"to_q", "to_k", "to_v"};
    char part[PART_NAME];

    if (along_time) {
        load_norm(l, &b->norm_in, channels, name, ".norm_in");
        snprintf(part, sizeof part, "%s.ff_in", name);
        load_feed_forward(l, &b->ff_in, channels, part);
    }
    load_norm(l, &b->norm1, channels, name, ".norm1");
    load_linears(l, &b->qkv, channels, channels, false, 3, qkv, "%s.attn1.", name);
    snprintf(part, sizeof part, "%s.attn1.to_out.0", name);
    load_after_attention(l, &b->out, channels, part);
    load_cross(m, l, b, channels, name);
    load_norm(l, &b->norm3, channels, name, ".norm3");
    snprintf(part, sizeof part, "%s.ff", name);
    load_feed_forward(l, &b->ff, channels, part);
}

static void load_along_time(struct unet *m, struct loader *l, struct unet_transformer *t,
                            const char *name)
{
    int64_t channels = t->channels;
    char part[BLOCK_NAME];

    for (int i = 0; i < t->layers && !l->failed; i++) {
        snprintf(part, sizeof part, "%s.temporal_transformer_blocks.%d", name, i);
        load_block(m, l, &t->temporal[i], channels, true, part);
    }
    load_linear(l, &t->position_1, 4 * channels, channels, true, "%s.time_pos_embed.linear_1",
                name);
    load_linear(l, &t->position_2, channels, 4 * channels, true, "%s.time_pos_embed.linear_2",
                name);
    load_share(m, l, &t->share, name);
}

static void load_transformer(struct unet *m, struct loader *l, struct unet_transformer *t,
                             const char *name)
{
    char part[BLOCK_NAME];

    if (!l->failed && (t->channels % t->heads || (t->temporal && t->channels % 2))) {
        l->failed = true;
        error_set(l->error, ERROR_MODEL, "%s: %s: %lld channels do not fit %d heads",
                  safetensors_path(l->weights), name, (long long)t->channels, t->heads);
    }
    check_groups(m, l, t->channels, name);
    load_norm(l, &t->norm, t->channels, name, ".norm");
    load_pointwise(l, &t->in, t->channels, t->channels, "%s.proj_in", name);
    for (int i = 0; i < t->layers && !l->failed; i++) {
        snprintf(part, sizeof part, "%s.transformer_blocks.%d", name, i);
        load_block(m, l, &t->blocks[i], t->channels, false, part);
    }
    if (t->temporal)
        load_along_time(m, l, t, name);
    load_pointwise(l, &t->out, t->channels, t->channels, "%s.proj_out", name);
}

/* ---- levels */

/* Lists of a level's parts; its transformers are the next of all. */
static int make_level(struct unet *m, struct unet_level *v, int transformers, struct error *e)
{
    int kinds = m->temporal ? 2 : 1;

    v->resnets = arena_array(&m->arena, (size_t)v->layers, sizeof *v->resnets);
    if (!v->resnets)
        return error_memory(e);
    if (!v->attends)
        return 0;
    v->transformers = m->transformers + m->transformer_count;
    for (int i = 0; i < transformers; i++) {
        struct unet_transformer *t = &v->transformers[i];
        t->channels = v->channels;
        t->heads = v->heads;
        t->layers = v->blocks;
        t->first = m->block_count;
        t->blocks = arena_array(&m->arena, (size_t)(kinds * v->blocks), sizeof *t->blocks);
        if (!t->blocks)
            return error_memory(e);
        t->temporal = m->temporal ? t->blocks + v->blocks : NULL;
        m->block_count += kinds * v->blocks;
    }
    m->transformer_count += transformers;
    return 0;
}

static int make_levels(struct unet *m, struct error *e)
{
    m->transformers = arena_array(&m->arena, 2 * UNET_SKIPS_MAX + 1, sizeof *m->transformers);
    if (!m->transformers)
        return error_memory(e);
    for (int i = 0; i < m->levels; i++)
        if (make_level(m, &m->down[i], m->down[i].layers, e) ||
            make_level(m, &m->up[i], m->up[i].layers, e))
            return -1;
    return make_level(m, &m->mid, m->mid.layers - 1, e);
}

/* The i-th residual block of a level, and the transformer after it. */
static void load_layer(struct unet *m, struct loader *l, struct unet_level *v, int i, int64_t in,
                       bool attended, const char *name)
{
    char part[LAYER_NAME];

    snprintf(part, sizeof part, "%s.resnets.%d", name, i);
    load_resnet(m, l, &v->resnets[i], v->eps, in, v->channels, part);
    if (!attended)
        return;
    snprintf(part, sizeof part, "%s.attentions.%d", name, i);
    load_transformer(m, l, &v->transformers[i], part);
}

static void load_levels(struct unet *m, struct loader *l)
{
    const struct conv_form halve = {.scale = 1, .stride = 2}, twice = {.scale = 2, .stride = 1};
    int64_t skips[UNET_SKIPS_MAX], channels = m->down[0].channels;
    int skip = 0;
    char name[LEVEL_NAME];

    skips[skip++] = channels;
    for (int i = 0; i < m->levels; i++) {
        struct unet_level *v = &m->down[i];
        snprintf(name, sizeof name, "down_blocks.%d", i);
        for (int j = 0; j < v->layers && !l->failed; j++) {
            load_layer(m, l, v, j, channels, v->attends, name);
            skips[skip++] = channels = v->channels;
        }
        if (!v->resamples)
            continue;
        load_conv_form(l, &v->resample, halve, channels, channels, 0, 3, 3,
                       "%s.downsamplers.0.conv", name);
        skips[skip++] = channels;
    }
    for (int j = 0; j < m->mid.layers && !l->failed; j++)
        load_layer(m, l, &m->mid, j, channels, j + 1 < m->mid.layers, "mid_block");
    for (int i = 0; i < m->levels && !l->failed; i++) {
        struct unet_level *v = &m->up[i];
        snprintf(name, sizeof name, "up_blocks.%d", i);
        for (int j = 0; j < v->layers && !l->failed; j++) {
            load_layer(m, l, v, j, channels + skips[--skip], v->attends, name);
            channels = v->channels;
        }
        if (v->resamples)
            load_conv_form(l, &v->resample, twice, channels, channels, 0, 3, 3,
                           "%s.upsamplers.0.conv", name);
    }
}

static void load_all(struct unet *m, struct loader *l)
{
    int64_t first = m->down[0].channels;
    int in = m->conv_in_size, out = m->conv_out_size;

    load_conv(l, &m->conv_in, first, m->in_channels, 0, in, in, "conv_in");
    load_linear(l, &m->time_1, m->time_dim, m->time_in, true, "time_embedding.linear_1");
    load_linear(l, &m->time_2, m->time_dim, m->time_dim, true, "time_embedding.linear_2");
    load_linear(l, &m->added_1, m->time_dim, m->added_in, true, "add_embedding.linear_1");
    load_linear(l, &m->added_2, m->time_dim, m->time_dim, true, "add_embedding.linear_2");
    load_levels(m, l);
    check_groups(m, l, first, "conv_norm_out");
    load_norm(l, &m->norm_out, first, "conv_norm_out", "");
    load_conv(l, &m->conv_out, m->out_channels, first, 0, out, out, "conv_out");
}

static const struct keep kept[] = {
    {"time_embedding.*", "the timestep: a row or two, which all blocks read"},
    {"add_embedding.*", "sizes and summary of the words, likewise"},
    {"*time_emb_proj", "a row or two that shift a whole picture"},
    {"*time_pos_embed.*", "a row a frame, once a shot"},
    {"*attn2.to_k", "the words, once a shot"},
    {"*attn2.to_v", "the words, once a shot"},
    {"*conv_shortcut", "the picture itself goes through it, past all that is added to it"},
    {"*proj_in", "reads the picture without a norm that levels its rows"},
    {"*proj_out", "adds to the picture what all of a transformer's blocks made"},
    {NULL, NULL},
};

int unet_load(struct unet *m, struct error *e)
{
    struct safetensors *weights;
    struct loader l = {.device = m->device, .arena = &m->weights, .keep = kept, .error = e};

    if (make_levels(m, e) || safetensors_open(m->dir, &weights, e))
        return -1;
    l.weights = weights;
    load_all(m, &l);
    safetensors_close(weights);
    return l.failed ? -1 : 0;
}

void unet_free(struct unet *m)
{
    unet_free_workspace(m);
    arena_free(&m->weights);
    arena_free(&m->arena);
}
