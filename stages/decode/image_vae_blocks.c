#include "stages/decode/image_vae_blocks.h"

#include <math.h>
#include <string.h>

/* ---- config.json */

/* The list `name` must be one `type` for each level. */
static int read_types(const struct config *c, const char *name, const char *type, int levels,
                      struct error *e)
{
    const json_t *list = json_object_get(c->root, name), *item;
    size_t i;

    if (json_is_array(list) ? json_array_size(list) != (size_t)levels : levels != 1)
        return error_set(e, ERROR_MODEL, "%s: %s and block_out_channels must be as many", c->path,
                         name);
    json_array_foreach((json_t *)list, i, item)
    {
        const char *found = json_string_value(item);
        if (!found || strcmp(found, type) != 0)
            return error_set(e, ERROR_MODEL, "%s: %s[%zu] is %.60s: only %s is supported", c->path,
                             name, i, found ? found : "not a name", type);
    }
    return 0;
}

static int read_widths(const struct config *c, struct image_form *f, struct error *e)
{
    f->width[0] = 64;
    f->levels = 1;
    if (config_ints(c, "block_out_channels", 1, 1 << 14, IMAGE_LEVELS_MAX, f->width, &f->levels, e))
        return -1;
    for (int i = 0; i < f->levels; i++)
        if (f->width[i] % f->groups)
            return error_set(e, ERROR_MODEL,
                             "%s: block_out_channels[%d] %d cannot be shared among %d groups of "
                             "norms",
                             c->path, i, f->width[i], f->groups);
    return 0;
}

/* A list of one number for each latent channel, or nothing. */
static int read_statistics(const struct config *c, const char *name, int channels, double *values,
                           int *count, struct error *e)
{
    const json_t *list = json_object_get(c->root, name);

    *count = 0;
    if (!list || json_is_null(list))
        return 0;
    if (config_numbers(c, name, IMAGE_CHANNELS_MAX, values, count, e))
        return -1;
    if (*count != channels)
        return error_set(e, ERROR_MODEL, "%s: %s has %d values for %d latent_channels", c->path,
                         name, *count, channels);
    return 0;
}

/* With statistics: latents * std / scaling + mean; else latents / scaling + shift. */
static int read_scaling(const struct config *c, struct image_form *f, struct error *e)
{
    double mean[IMAGE_CHANNELS_MAX], std[IMAGE_CHANNELS_MAX], scaling = 0.18215, shift = 0;
    int means, stds;

    if (config_number(c, "scaling_factor", 1e-6, 1e6, &scaling, e) ||
        config_number(c, "shift_factor", -1e6, 1e6, &shift, e) ||
        read_statistics(c, "latents_mean", f->channels, mean, &means, e) ||
        read_statistics(c, "latents_std", f->channels, std, &stds, e))
        return -1;
    for (int i = 0; i < f->channels; i++) {
        bool known = means && stds;
        f->gain[i] = (float)((known ? std[i] : 1) / scaling);
        f->offset[i] = (float)(known ? mean[i] : shift);
    }
    return 0;
}

int image_form_read(const struct config *c, bool temporal, struct image_form *out, struct error *e)
{
    struct image_form f = {.channels = 4,
                           .layers = 1,
                           .groups = 32,
                           .attends = true,
                           .quant = true,
                           .post_quant = !temporal,
                           .force_upcast = true};
    int rgb = 3;

    if (config_int(c, "in_channels", 3, 3, &rgb, e) ||
        config_int(c, "out_channels", 3, 3, &rgb, e) ||
        config_int(c, "latent_channels", 1, IMAGE_CHANNELS_MAX, &f.channels, e) ||
        config_int(c, "layers_per_block", 1, IMAGE_LAYERS_MAX, &f.layers, e) ||
        config_bool(c, "force_upcast", &f.force_upcast, e))
        return -1;
    if (!temporal && (config_expect(c, "act_fn", "silu", e) ||
                      config_int(c, "norm_num_groups", 1, 1 << 14, &f.groups, e) ||
                      config_bool(c, "use_quant_conv", &f.quant, e) ||
                      config_bool(c, "use_post_quant_conv", &f.post_quant, e) ||
                      config_bool(c, "mid_block_add_attention", &f.attends, e)))
        return -1;
    if (read_widths(c, &f, e) || read_scaling(c, &f, e) ||
        read_types(c, "down_block_types", "DownEncoderBlock2D", f.levels, e) ||
        (!temporal && read_types(c, "up_block_types", "UpDecoderBlock2D", f.levels, e)))
        return -1;
    *out = f;
    return 0;
}

/* ---- weights */

void image_load_norm(struct loader *l, struct image_norm *n, int64_t width, const char *name)
{
    load_vector(l, &n->weight, width, "%s.weight", name);
    load_vector(l, &n->bias, width, "%s.bias", name);
}

void image_load_resnet(struct loader *l, struct image_resnet *r, int64_t in, int64_t out,
                       const char *name)
{
    char part[IMAGE_NAME_SIZE];

    r->in = in;
    r->out = out;
    snprintf(part, sizeof part, "%s.norm1", name);
    image_load_norm(l, &r->norm1, in, part);
    load_conv(l, &r->conv1, out, in, 0, 3, 3, "%s.conv1", name);
    snprintf(part, sizeof part, "%s.norm2", name);
    image_load_norm(l, &r->norm2, out, part);
    load_conv(l, &r->conv2, out, out, 0, 3, 3, "%s.conv2", name);
    if (in != out)
        load_pointwise(l, &r->shortcut, out, in, "%s.conv_shortcut", name);
}

void image_load_attention(struct loader *l, struct image_attention *a, int64_t dim,
                          const char *name)
{
    static const char *const now[] = {"to_q", "to_k", "to_v"};
    static const char *const before[] = {"query", "key", "value"};
    char part[IMAGE_NAME_SIZE];
    bool old;

    a->dim = dim;
    snprintf(part, sizeof part, "%s.group_norm", name);
    image_load_norm(l, &a->norm, dim, part);
    snprintf(part, sizeof part, "%s.query.weight", name);
    old = safetensors_find(l->weights, part) != NULL;
    load_linears(l, &a->qkv, dim, dim, true, 3, old ? before : now, "%s.", name);
    load_linear(l, &a->out, dim, dim, true, "%s.%s", name, old ? "proj_attn" : "to_out.0");
}

/* ---- memory */

static void grow(int64_t *room, int64_t count)
{
    if (*room < count)
        *room = count;
}

void image_resnet_room(struct image_room *room, const struct image_resnet *r, int64_t pixels)
{
    grow(&room->normed, pixels * r->in);
    grow(&room->between, pixels * r->out);
}

void image_attention_room(struct image_room *room, const struct image_attention *a, int64_t pixels)
{
    grow(&room->normed, pixels * a->dim);
    grow(&room->between, 3 * pixels * a->dim);
}

bool image_scratch_make(struct device *d, struct arena *a, const struct image_room *room,
                        struct image_scratch *out)
{
    out->normed = ACTIVATION_NEW(d, a, room->normed);
    out->between = ACTIVATION_NEW(d, a, room->between);
    return out->normed.data && out->between.data;
}

struct tensor image_frame(const struct tensor *flat, int64_t height, int64_t width,
                          int64_t channels)
{
    return TENSOR_VIEW(tensor_slice(*flat, 0, 0, height * width * channels), height, width,
                       channels);
}

struct tensor image_nth(const struct tensor *clip, int64_t n)
{
    return TENSOR_VIEW(tensor_slice(*clip, 0, n, 1), clip->shape[1], clip->shape[2],
                       clip->shape[3]);
}

struct tensor image_rows(const struct tensor *x)
{
    int64_t columns = x->shape[x->rank - 1];

    return TENSOR_VIEW(*x, tensor_count(x) / columns, columns);
}

/* ---- running */

void image_norm_run(struct device *d, const struct image_form *f, const struct image_norm *n,
                    const struct tensor *x, struct tensor *out, enum activation act)
{
    struct tensor from = TENSOR_VIEW(*x, 1, x->shape[0], x->shape[1], x->shape[2]);
    struct tensor to = TENSOR_VIEW(*out, 1, x->shape[0], x->shape[1], x->shape[2]);

    op_group_norm(d, &to, &from, f->groups, &n->weight, &n->bias, IMAGE_EPS, act);
}

void image_resnet_run(struct device *d, const struct image_form *f, const struct image_resnet *r,
                      struct image_scratch *s, const struct tensor *x, struct tensor *out)
{
    int64_t h = x->shape[0], w = x->shape[1];
    struct tensor normed = image_frame(&s->normed, h, w, r->in);
    struct tensor between = image_frame(&s->between, h, w, r->out);
    const struct tensor *conv1_in = &normed, *conv2_in = &between;

    image_norm_run(d, f, &r->norm1, x, &normed, ACT_SILU);
    op_conv(d, &between, &conv1_in, &r->conv1, NULL);
    image_norm_run(d, f, &r->norm2, &between, &between, ACT_SILU);
    if (r->in != r->out) {
        struct tensor rows = image_rows(x), sum = image_rows(out);
        op_linear(d, &sum, &rows, &r->shortcut, ACT_NONE);
        x = out;
    }
    op_conv(d, out, &conv2_in, &r->conv2, x);
}

void image_attention_run(struct device *d, const struct image_form *f,
                         const struct image_attention *a, struct image_scratch *s, struct tensor *x)
{
    int64_t h = x->shape[0], w = x->shape[1], dim = a->dim;
    struct tensor normed = image_frame(&s->normed, h, w, dim);
    struct tensor qkv = image_frame(&s->between, h, w, 3 * dim);
    struct tensor rows = image_rows(&normed), all = image_rows(&qkv), sum = image_rows(x);
    struct tensor heads = TENSOR_VIEW(qkv, h * w, 1, 3 * dim);
    struct tensor q = tensor_slice(heads, 2, 0, dim), k = tensor_slice(heads, 2, dim, dim);
    struct tensor v = tensor_slice(heads, 2, 2 * dim, dim);
    struct tensor seen = TENSOR_VIEW(normed, h * w, 1, dim);

    image_norm_run(d, f, &a->norm, x, &normed, ACT_NONE);
    op_linear(d, &all, &rows, &a->qkv, ACT_NONE);
    op_attention(d, &seen, &q, &k, &v, 1 / sqrtf((float)dim), NULL);
    op_linear_add(d, &sum, &rows, &a->out, &sum);
}
