#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/config.h"
#include "kernels/loader.h"
#include "stages/decode/cogvideox_vae_impl.h"

/* ---- config.json */

/* Time is doubled log2(temporal_compression_ratio) times, in the first blocks. */
static int read_doublings(struct cogvideox_vae *v, const struct config *c, struct error *e)
{
    double ratio = 4;

    if (config_number(c, "temporal_compression_ratio", 1, 64, &ratio, e))
        return -1;
    for (v->time_doublings = 0; 1 << v->time_doublings < ratio; v->time_doublings++)
        ;
    if (1 << v->time_doublings == ratio && v->time_doublings < v->blocks)
        return 0;
    return error_set(e, ERROR_MODEL,
                     "%s: temporal_compression_ratio must be a power of two of fewer doublings "
                     "than there are block_out_channels",
                     c->path);
}

static int read_widths(struct cogvideox_vae *v, const struct config *c, struct error *e)
{
    int widths[COGVIDEOX_MAX_BLOCKS] = {128, 256, 256, 512};

    v->blocks = 4;
    if (config_ints(c, "block_out_channels", 1, 65536, COGVIDEOX_MAX_BLOCKS, widths, &v->blocks, e))
        return -1;
    for (int i = 0; i < v->blocks; i++) {
        v->width[i] = widths[v->blocks - 1 - i];
        if (v->width[i] % v->groups)
            return error_set(e, ERROR_MODEL,
                             "%s: block_out_channels must be multiples of norm_num_groups (%d)",
                             c->path, v->groups);
    }
    return 0;
}

static int check_block_types(const struct cogvideox_vae *v, const struct config *c, struct error *e)
{
    const json_t *list = json_object_get(c->root, "up_block_types");

    if (!list || json_is_null(list))
        return v->blocks == 4 ? 0
                              : error_set(e, ERROR_MODEL, "%s: up_block_types is missing", c->path);
    if (!json_is_array(list) || json_array_size(list) != (size_t)v->blocks)
        return error_set(e, ERROR_MODEL,
                         "%s: up_block_types must be a list as long as block_out_channels",
                         c->path);
    for (int i = 0; i < v->blocks; i++) {
        const char *name = json_string_value(json_array_get(list, (size_t)i));
        if (!name || strcmp(name, "CogVideoXUpBlock3D") != 0)
            return error_set(e, ERROR_MODEL,
                             "%s: up_block_types[%d] is %.100s: only CogVideoXUpBlock3D is "
                             "supported",
                             c->path, i, name ? name : "no string");
    }
    return 0;
}

static int read_sizes(struct cogvideox_vae *v, const struct config *c, struct error *e)
{
    const char *act = "silu";
    int out = 3;

    v->channels = 16;
    v->resnets = 3;
    v->groups = 32;
    v->scaling = 1.15258426;
    if (config_int(c, "latent_channels", 1, 1024, &v->channels, e) ||
        config_int(c, "layers_per_block", 1, COGVIDEOX_MAX_RESNETS - 1, &v->resnets, e) ||
        config_int(c, "norm_num_groups", 1, 65536, &v->groups, e) ||
        config_int(c, "out_channels", 3, 3, &out, e) ||
        config_number(c, "scaling_factor", 1e-6, 1e6, &v->scaling, e) ||
        json_get_string(c->root, c->path, "act_fn", &act, e))
        return -1;
    v->resnets++; /* the decoder has one more a block */
    if (strcmp(act, "silu") != 0 && strcmp(act, "swish") != 0)
        return error_set(e, ERROR_MODEL, "%s: act_fn is %.100s: only silu is supported", c->path,
                         act);
    return read_widths(v, c, e) || check_block_types(v, c, e) || read_doublings(v, c, e) ? -1 : 0;
}

static int read_config(struct cogvideox_vae *v, struct error *e)
{
    struct config c;
    int rc;

    if (config_open(v->dir, "AutoencoderKLCogVideoX", &c, e))
        return -1;
    rc = config_refuse(&c, "use_post_quant_conv", e) || read_sizes(v, &c, e) ? -1 : 0;
    config_close(&c);
    return rc;
}

/* ---- weights */

static void load_norm(struct cogvideox_vae *v, struct loader *l, struct cogvideox_spatial_norm *n,
                      int64_t channels, const char *name)
{
    load_vector(l, &n->weight, channels, "%s.norm_layer.weight", name);
    load_vector(l, &n->bias, channels, "%s.norm_layer.bias", name);
    load_conv(l, &n->scale, channels, v->channels, 1, 1, 1, "%s.conv_y.conv", name);
    load_conv(l, &n->shift, channels, v->channels, 1, 1, 1, "%s.conv_b.conv", name);
}

static void load_resnet(struct cogvideox_vae *v, struct loader *l, struct cogvideox_resnet *r,
                        int64_t in, int64_t out, const char *name)
{
    char norm[128];

    r->in = in;
    r->out = out;
    snprintf(norm, sizeof norm, "%s.norm1", name);
    load_norm(v, l, &r->norm1, in, norm);
    load_conv(l, &r->conv1.conv, out, in, 3, 3, 3, "%s.conv1.conv", name);
    snprintf(norm, sizeof norm, "%s.norm2", name);
    load_norm(v, l, &r->norm2, out, norm);
    load_conv(l, &r->conv2.conv, out, out, 3, 3, 3, "%s.conv2.conv", name);
    if (in != out)
        load_conv(l, &r->shortcut, out, in, 1, 1, 1, "%s.conv_shortcut", name);
}

static void load_block(struct cogvideox_vae *v, struct loader *l, int i)
{
    static const struct conv_form enlarged = {.scale = 2, .stride = 1};
    struct cogvideox_up_block *b = &v->block[i];
    int64_t in = v->width[i ? i - 1 : 0];
    char name[96];

    b->out = v->width[i];
    b->upsamples = i < v->blocks - 1;
    b->doubles_time = i < v->time_doublings;
    for (int r = 0; r < v->resnets; r++) {
        snprintf(name, sizeof name, "decoder.up_blocks.%d.resnets.%d", i, r);
        load_resnet(v, l, &b->resnets[r], r ? b->out : in, b->out, name);
    }
    if (b->upsamples)
        load_conv_form(l, &b->resample, enlarged, b->out, b->out, 0, 3, 3,
                       "decoder.up_blocks.%d.upsamplers.0.conv", i);
}

static void load_all(struct cogvideox_vae *v, struct loader *l)
{
    int64_t first = v->width[0], last = v->width[v->blocks - 1];

    load_conv(l, &v->in.conv, first, v->channels, 3, 3, 3, "decoder.conv_in.conv");
    load_resnet(v, l, &v->mid[0], first, first, "decoder.mid_block.resnets.0");
    load_resnet(v, l, &v->mid[1], first, first, "decoder.mid_block.resnets.1");
    for (int i = 0; i < v->blocks && !l->failed; i++)
        load_block(v, l, i);
    load_norm(v, l, &v->norm_out, last, "decoder.norm_out");
    load_conv(l, &v->out.conv, 3, last, 3, 3, 3, "decoder.conv_out.conv");
}

static int load_weights(struct cogvideox_vae *v, struct error *e)
{
    struct safetensors *weights;
    struct loader l = {.device = v->device, .arena = &v->arena, .error = e};

    if (safetensors_open(v->dir, &weights, e))
        return -1;
    l.weights = weights;
    load_all(v, &l);
    safetensors_close(weights);
    return l.failed ? -1 : 0;
}

int cogvideox_vae_load(const char *dir, struct device *d, struct cogvideox_vae **out,
                       struct error *e)
{
    struct cogvideox_vae *v = calloc(1, sizeof *v);

    if (!v)
        return error_memory(e);
    v->device = d;
    if (d)
        v->arena = v->work = device_arena(d);
    v->dir = arena_strdup(&v->host, dir);
    if (!v->dir)
        error_memory(e);
    if (!v->dir || read_config(v, e) || load_weights(v, e)) {
        cogvideox_vae_free(v);
        return -1;
    }
    *out = v;
    return 0;
}

void cogvideox_vae_free(struct cogvideox_vae *v)
{
    if (!v)
        return;
    device_graphs_free(&v->graphs);
    arena_free(&v->work);
    arena_free(&v->arena);
    arena_free(&v->host);
    free(v);
}
