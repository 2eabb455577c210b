#include <stdio.h>
#include <stdlib.h>

#include "kernels/config.h"
#include "kernels/loader.h"
#include "stages/decode/hunyuan_vae_impl.h"

/* ---- config.json */

enum { TIME_FACTOR = 4, TIME_DOUBLINGS = 2 };

/* Space is doubled in the first blocks, time in the last but one and the one before. */
static int plan_blocks(struct hunyuan_vae *v, const struct config *c, struct error *e)
{
    int doublings = 0;

    for (int factor = v->space_factor; factor > 1 && factor % 2 == 0; factor /= 2)
        doublings++;
    if (1 << doublings != v->space_factor || doublings > v->blocks || v->blocks <= TIME_DOUBLINGS)
        return error_set(e, ERROR_MODEL,
                         "%s: spatial_compression_ratio %d and temporal_compression_ratio %d do "
                         "not fit %d block_out_channels",
                         c->path, v->space_factor, TIME_FACTOR, v->blocks);
    for (int i = 0; i < v->blocks; i++) {
        v->block[i].doubles_space = i < doublings;
        v->block[i].doubles_time = i >= v->blocks - 1 - TIME_DOUBLINGS && i < v->blocks - 1;
    }
    return 0;
}

static int read_sizes(struct hunyuan_vae *v, const struct config *c, struct error *e)
{
    int out = 3, time = TIME_FACTOR;

    v->channels = 16;
    v->groups = 32;
    v->resnets = 2;
    v->space_factor = 8;
    v->attends = true;
    v->scaling = 0.476986;
    v->blocks = 4;
    v->width[0] = 128;
    v->width[1] = 256;
    v->width[2] = v->width[3] = 512;
    if (config_int(c, "latent_channels", 1, 1024, &v->channels, e) ||
        config_int(c, "out_channels", 3, 3, &out, e) ||
        config_ints(c, "block_out_channels", 1, 65536, HUNYUAN_VAE_MAX_BLOCKS, v->width, &v->blocks,
                    e) ||
        config_int(c, "layers_per_block", 1, HUNYUAN_VAE_MAX_RESNETS - 1, &v->resnets, e) ||
        config_int(c, "norm_num_groups", 1, 65536, &v->groups, e) ||
        config_number(c, "scaling_factor", 1e-6, 1e6, &v->scaling, e) ||
        config_int(c, "spatial_compression_ratio", 1, 256, &v->space_factor, e) ||
        config_int(c, "temporal_compression_ratio", TIME_FACTOR, TIME_FACTOR, &time, e) ||
        config_bool(c, "mid_block_add_attention", &v->attends, e))
        return -1;
    v->resnets++; /* the decoder has one more a block */
    for (int i = 0; i < v->blocks; i++)
        v->widest = v->width[i] > v->widest ? v->width[i] : v->widest;
    for (int i = 0; i < v->blocks; i++)
        if (v->width[i] % v->groups)
            return error_set(e, ERROR_MODEL,
                             "%s: block_out_channels %d cannot be shared among norm_num_groups %d",
                             c->path, v->width[i], v->groups);
    return plan_blocks(v, c, e);
}

static int read_config(struct hunyuan_vae *v, struct error *e)
{
    struct config c;
    int rc;

    if (config_open(v->dir, "AutoencoderKLHunyuanVideo", &c, e))
        return -1;
    rc = config_expect(&c, "act_fn", "silu", e) || read_sizes(v, &c, e) ? -1 : 0;
    config_close(&c);
    return rc;
}

/* ---- weights */

enum { NAME_SIZE = 128 };

/* Resnets' inputs are written with their edges around them. */
static const struct conv_form given = {.scale = 1, .stride = 1, .edge = CONV_GIVEN};
static const struct conv_form causal = {.scale = 1, .stride = 1, .edge = CONV_REPLICATE};
static const struct conv_form point = {.scale = 1, .stride = 1};

static void load_norm(struct loader *l, struct hunyuan_norm *n, int64_t width, const char *name)
{
    load_vector(l, &n->weight, width, "%s.weight", name);
    load_vector(l, &n->bias, width, "%s.bias", name);
}

static void load_resnet(struct loader *l, struct hunyuan_resnet *r, int64_t in, int64_t out,
                        const char *at)
{
    char name[NAME_SIZE];

    r->in = in;
    r->out = out;
    snprintf(name, sizeof name, "%s.norm1", at);
    load_norm(l, &r->norm_1, in, name);
    load_conv_form(l, &r->conv_1, given, out, in, 3, 3, 3, "%s.conv1.conv", at);
    snprintf(name, sizeof name, "%s.norm2", at);
    load_norm(l, &r->norm_2, out, name);
    load_conv_form(l, &r->conv_2, given, out, out, 3, 3, 3, "%s.conv2.conv", at);
    if (in != out)
        load_conv_form(l, &r->shortcut, point, out, in, 1, 1, 1, "%s.conv_shortcut.conv", at);
}

static void load_mid(struct hunyuan_vae *v, struct loader *l, int64_t width)
{
    static const char *const qkv[] = {"to_q", "to_k", "to_v"};
    const char *at = "decoder.mid_block.attentions.0";

    load_resnet(l, &v->mid[0], width, width, "decoder.mid_block.resnets.0");
    if (v->attends) {
        load_norm(l, &v->attention_norm, width, "decoder.mid_block.attentions.0.group_norm");
        load_linears(l, &v->qkv, width, width, true, 3, qkv, "%s.", at);
        load_linear(l, &v->attention_out, width, width, true, "%s.to_out.0", at);
    }
    load_resnet(l, &v->mid[1], width, width, "decoder.mid_block.resnets.1");
}

static void load_block(struct hunyuan_vae *v, struct loader *l, int i, int64_t in, int64_t out)
{
    struct hunyuan_up *b = &v->block[i];
    struct conv_form form = causal;
    char name[NAME_SIZE];

    form.scale = b->doubles_space ? 2 : 1;
    for (int r = 0; r < v->resnets; r++) {
        snprintf(name, sizeof name, "decoder.up_blocks.%d.resnets.%d", i, r);
        load_resnet(l, &b->resnets[r], r ? out : in, out, name);
    }
    if (b->doubles_time || b->doubles_space)
        load_conv_form(l, &b->enlarge, form, out, out, 3, 3, 3,
                       "decoder.up_blocks.%d.upsamplers.0.conv.conv", i);
}

static void load_all(struct hunyuan_vae *v, struct loader *l)
{
    int64_t width = v->width[v->blocks - 1];

    load_conv_form(l, &v->post_quant, point, v->channels, v->channels, 1, 1, 1, "post_quant_conv");
    load_conv_form(l, &v->in, causal, width, v->channels, 3, 3, 3, "decoder.conv_in.conv");
    load_mid(v, l, width);
    for (int i = 0; i < v->blocks && !l->failed; i++) {
        int64_t out = v->width[v->blocks - 1 - i];
        load_block(v, l, i, width, out);
        width = out;
    }
    load_norm(l, &v->norm_out, width, "decoder.conv_norm_out");
    load_conv_form(l, &v->out, given, 3, width, 3, 3, 3, "decoder.conv_out.conv");
}

static int load_weights(struct hunyuan_vae *v, struct error *e)
{
    struct safetensors *weights;
    struct loader l = {.device = v->device, .arena = &v->weights, .error = e};

    if (safetensors_open(v->dir, &weights, e))
        return -1;
    l.weights = weights;
    load_all(v, &l);
    safetensors_close(weights);
    return l.failed ? -1 : 0;
}

int hunyuan_vae_load(const char *dir, struct device *d, struct hunyuan_vae **out, struct error *e)
{
    struct hunyuan_vae *v = calloc(1, sizeof *v);

    if (!v)
        return error_memory(e);
    v->device = d;
    v->tile = 16;
    if (d)
        v->weights = device_arena(d);
    v->dir = arena_strdup(&v->arena, dir);
    if (!v->dir)
        error_memory(e);
    if (!v->dir || read_config(v, e) || load_weights(v, e)) {
        hunyuan_vae_free(v);
        return -1;
    }
    *out = v;
    return 0;
}

void hunyuan_vae_free(struct hunyuan_vae *v)
{
    if (!v)
        return;
    device_graphs_free(&v->graphs);
    arena_free(&v->host);
    arena_free(&v->work);
    arena_free(&v->weights);
    arena_free(&v->arena);
    free(v);
}
