#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/config.h"
#include "kernels/loader.h"
#include "stages/decode/wan_vae_impl.h"

/* ---- config.json */

/* What the class has where a config does not say: those of Wan 2.1's VAE. */
enum { PUBLISHED_CHANNELS = 16 };
static const double published_mean[PUBLISHED_CHANNELS] = {
    -0.7571, -0.7089, -0.9113, 0.1075,  -0.1745, 0.9653,  -0.1517, 1.5508,
    0.4134,  -0.0715, 0.5517,  -0.3632, -0.1922, -0.9497, 0.2503,  -0.2921};
static const double published_std[PUBLISHED_CHANNELS] = {
    2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
    3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160};

static int read_latent_statistics(struct wan_vae *v, const struct config *c, struct error *e)
{
    double mean[VAE_MAX_CHANNELS], std[VAE_MAX_CHANNELS];
    int means = PUBLISHED_CHANNELS, stds = PUBLISHED_CHANNELS;

    memcpy(mean, published_mean, sizeof published_mean);
    memcpy(std, published_std, sizeof published_std);

    if (config_numbers(c, "latents_mean", VAE_MAX_CHANNELS, mean, &means, e) ||
        config_numbers(c, "latents_std", VAE_MAX_CHANNELS, std, &stds, e))
        return -1;
    if (means != v->channels || stds != v->channels)
        return error_set(e, ERROR_MODEL,
                         "%s: latents_mean and latents_std must have z_dim (%d) values each",
                         c->path, v->channels);
    struct tensor a = TENSOR_NEW(&v->arena, v->channels), b = TENSOR_NEW(&v->arena, v->channels);
    if (!a.data || !b.data)
        return error_memory(e);
    for (int i = 0; i < v->channels; i++) {
        ((float *)a.data)[i] = (float)mean[i];
        ((float *)b.data)[i] = (float)(std[i] - 1);
    }
    return v->device && (tensor_upload(v->device, &v->memory, &a, &v->mean, e) ||
                         tensor_upload(v->device, &v->memory, &b, &v->scale, e))
               ? -1
               : 0;
}

static int read_sizes(struct wan_vae *v, const struct config *c, struct error *e)
{
    static const int mult[] = {1, 2, 4, 4};
    bool down[VAE_MAX_BLOCKS] = {false, true, true};
    int downs = 3, out = 3;

    memcpy(v->mult, mult, sizeof mult);
    v->blocks = 4;
    v->base_dim = 96;
    v->channels = 16;
    v->resnets = 2;
    if (config_int(c, "base_dim", 1, 4096, &v->base_dim, e) ||
        config_int(c, "decoder_base_dim", 1, 4096, &v->base_dim, e) ||
        config_int(c, "z_dim", 1, VAE_MAX_CHANNELS, &v->channels, e) ||
        config_int(c, "num_res_blocks", 1, VAE_MAX_RESNETS - 1, &v->resnets, e) ||
        config_int(c, "out_channels", 3, 3, &out, e) ||
        config_ints(c, "dim_mult", 1, 64, VAE_MAX_BLOCKS, v->mult, &v->blocks, e) ||
        config_bools(c, "temperal_downsample", VAE_MAX_BLOCKS, down, &downs, e))
        return -1;
    v->resnets++; /* the decoder has one more a block */
    if (downs != v->blocks - 1)
        return error_set(e, ERROR_MODEL,
                         "%s: temperal_downsample must have one value fewer than dim_mult",
                         c->path);
    for (int i = 0; i < downs; i++)
        v->doubles_time[i] = down[downs - 1 - i];
    for (int i = 0; i < v->blocks - 1; i++)
        if (v->base_dim * v->mult[i + 1] % 2)
            return error_set(e, ERROR_MODEL, "%s: base_dim * dim_mult[%d] must be even", c->path,
                             i + 1);
    return 0;
}

static int read_config(struct wan_vae *v, struct error *e)
{
    struct config c;
    int rc = -1;

    if (config_open(v->dir, "AutoencoderKLWan", &c, e))
        return -1;
    if (config_refuse(&c, "is_residual", e) || config_refuse(&c, "patch_size", e) ||
        config_refuse(&c, "attn_scales", e) || read_sizes(v, &c, e) ||
        read_latent_statistics(v, &c, e))
        goto done;
    rc = 0;
done:
    config_close(&c);
    return rc;
}

/* ---- weights */

static void load_resnet(struct loader *l, struct vae_resnet *r, int64_t in, int64_t out,
                        const char *name)
{
    r->in = in;
    r->out = out;
    load_vector(l, &r->norm1, in, "%s.norm1.gamma", name);
    load_conv(l, &r->conv1.conv, out, in, 3, 3, 3, "%s.conv1", name);
    load_vector(l, &r->norm2, out, "%s.norm2.gamma", name);
    load_conv(l, &r->conv2.conv, out, out, 3, 3, 3, "%s.conv2", name);
    if (in != out)
        load_conv(l, &r->shortcut, out, in, 1, 1, 1, "%s.conv_shortcut", name);
}

/* One convolution makes both frames that a moment becomes, side by side in its channels: it is kept
 * as two, so that each frame comes out whole. */
static void load_time(struct loader *l, struct vae_block *b, const char *name)
{
    const struct tensor *weight, *bias;
    struct conv *half[2] = {&b->time.conv, &b->time_odd};
    char text[128];

    snprintf(text, sizeof text, "%s.weight", name);
    if (l->failed ||
        SAFETENSORS_GET(l->weights, text, &weight, l->error, 2 * b->out, b->out, 3, 1, 1)) {
        l->failed = true;
        return;
    }
    snprintf(text, sizeof text, "%s.bias", name);
    if (SAFETENSORS_GET(l->weights, text, &bias, l->error, 2 * b->out)) {
        l->failed = true;
        return;
    }
    for (int i = 0; i < 2 && l->device && !l->failed; i++) {
        struct tensor w = tensor_slice(*weight, 0, i * b->out, b->out);
        struct tensor o = tensor_slice(*bias, 0, i * b->out, b->out);
        l->failed = conv_pack(l->device, l->arena, &w, &o,
                              (struct conv_form){.scale = 1, .stride = 1}, half[i], l->error) != 0;
    }
}

static void load_block(struct wan_vae *v, struct loader *l, int i, int64_t in, int64_t out)
{
    struct vae_block *b = &v->block[i];
    char name[96];

    b->out = out;
    b->upsamples = i < v->blocks - 1;
    b->doubles_time = b->upsamples && v->doubles_time[i];
    for (int r = 0; r < v->resnets; r++) {
        snprintf(name, sizeof name, "decoder.up_blocks.%d.resnets.%d", i, r);
        load_resnet(l, &b->resnets[r], r ? out : in, out, name);
    }
    if (!b->upsamples)
        return;
    load_conv_form(l, &b->resample, (struct conv_form){.scale = 2, .stride = 1}, out / 2, out, 0, 3,
                   3, "decoder.up_blocks.%d.upsamplers.0.resample.1", i);
    snprintf(name, sizeof name, "decoder.up_blocks.%d.upsamplers.0.time_conv", i);
    if (b->doubles_time)
        load_time(l, b, name);
}

static void load_all(struct wan_vae *v, struct loader *l)
{
    int64_t dim = (int64_t)v->base_dim * v->mult[v->blocks - 1], in = dim;

    load_conv(l, &v->post_quant, v->channels, v->channels, 1, 1, 1, "post_quant_conv");
    load_conv(l, &v->in.conv, dim, v->channels, 3, 3, 3, "decoder.conv_in");
    load_resnet(l, &v->mid[0], dim, dim, "decoder.mid_block.resnets.0");
    load_vector(l, &v->attention_norm, dim, "decoder.mid_block.attentions.0.norm.gamma");
    load_conv(l, &v->qkv, 3 * dim, dim, 0, 1, 1, "decoder.mid_block.attentions.0.to_qkv");
    load_conv(l, &v->attention_out, dim, dim, 0, 1, 1, "decoder.mid_block.attentions.0.proj");
    load_resnet(l, &v->mid[1], dim, dim, "decoder.mid_block.resnets.1");
    for (int i = 0; i < v->blocks && !l->failed; i++) {
        int64_t out = (int64_t)v->base_dim * v->mult[v->blocks - 1 - i];
        load_block(v, l, i, in, out);
        dim = out;
        in = out / 2;
    }
    load_vector(l, &v->norm_out, dim, "decoder.norm_out.gamma");
    load_conv(l, &v->out.conv, 3, dim, 3, 3, 3, "decoder.conv_out");
}

static int load_weights(struct wan_vae *v, struct error *e)
{
    struct safetensors *weights;
    struct loader l = {.device = v->device, .arena = &v->memory, .error = e};

    if (safetensors_open(v->dir, &weights, e))
        return -1;
    l.weights = weights;
    load_all(v, &l);
    safetensors_close(weights);
    return l.failed ? -1 : 0;
}

int wan_vae_load(const char *dir, struct device *d, struct wan_vae **out, struct error *e)
{
    struct wan_vae *v = calloc(1, sizeof *v);

    if (!v)
        return error_memory(e);
    v->device = d;
    v->memory = v->work = device_arena(d);
    v->dir = arena_strdup(&v->arena, dir);
    if (!v->dir)
        error_memory(e);
    if (!v->dir || read_config(v, e) || load_weights(v, e)) {
        wan_vae_free(v);
        return -1;
    }
    *out = v;
    return 0;
}

void wan_vae_free(struct wan_vae *v)
{
    if (!v)
        return;
    device_graphs_free(&v->graphs);
    arena_free(&v->host);
    arena_free(&v->work);
    arena_free(&v->memory);
    arena_free(&v->arena);
    free(v);
}
