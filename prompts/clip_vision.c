#include "prompts/clip_vision.h"

#include <math.h>
#include <stdlib.h>

#include "kernels/loader.h"
#include "prompts/encoder.h"
#include "prompts/picture_resize.h"

struct norm {
    struct tensor weight, bias; /* [width] */
};

struct layer {
    struct norm attention_norm, feed_norm;
    struct linear qkv, out; /* queries, keys and values side by side */
    struct linear up, down; /* fc1, fc2 */
};

/* Tokens: the class, then the patches row by row. */
struct work {
    struct arena host;
    struct tensor host_patches; /* [patches, 3 * patch * patch] */
    struct tensor patches;      /* the same on the device */
    struct tensor x;            /* [tokens, width] F32: the sum that runs through the layers */
    struct tensor normal;       /* [tokens, width] */
    struct tensor qkv;          /* [tokens, 3 width] */
    struct tensor seen;         /* [tokens, width] */
    struct tensor feed;         /* [tokens, feed] */
    struct tensor last;         /* [1, width] F32 */
    struct tensor embedding;    /* [1, projection] F32 */
};

struct clip_vision {
    struct arena memory; /* the device's: weights and workspace */
    struct device *device;
    int width, heads, feed, layer_count, size, patch, projection;
    enum activation activation;
    double eps;
    struct linear patches;
    struct tensor class;     /* [width] */
    struct tensor positions; /* [tokens, width] */
    struct norm first_norm, last_norm;
    struct layer *layers;
    struct linear project;
    struct work work;
};

/* ---- loading */

static int read_sizes(struct clip_vision *m, const struct config *c, struct error *e)
{
    const char *act = "quick_gelu";
    int channels = 3;

    if (config_expect(c, "model_type", "clip_vision_model", e) ||
        config_int(c, "hidden_size", 1, 1 << 16, &m->width, e) ||
        config_int(c, "intermediate_size", 1, 1 << 18, &m->feed, e) ||
        config_int(c, "projection_dim", 1, 1 << 16, &m->projection, e) ||
        config_int(c, "num_hidden_layers", 1, 1 << 10, &m->layer_count, e) ||
        config_int(c, "num_attention_heads", 1, 1 << 10, &m->heads, e) ||
        config_int(c, "num_channels", 3, 3, &channels, e) ||
        config_int(c, "image_size", 1, 1 << 12, &m->size, e) ||
        config_int(c, "patch_size", 1, 1 << 12, &m->patch, e) ||
        config_number(c, "layer_norm_eps", 0, 1, &m->eps, e) ||
        json_get_string(c->root, c->path, "hidden_act", &act, e) ||
        encoder_activation(c, "hidden_act", act, &m->activation, e))
        return -1;
    if (m->width % m->heads)
        return error_set(e, ERROR_MODEL,
                         "%s: hidden_size (%d) does not divide by num_attention_heads (%d)",
                         c->path, m->width, m->heads);
    if (m->patch > m->size)
        return error_set(e, ERROR_MODEL, "%s: patch_size (%d) is more than image_size (%d)",
                         c->path, m->patch, m->size);
    return 0;
}

static int read_config(struct clip_vision *m, const char *dir, struct error *e)
{
    struct config c;
    int rc;

    m->width = 768;
    m->feed = 3072;
    m->projection = 512;
    m->layer_count = m->heads = 12;
    m->size = 224;
    m->patch = 32;
    m->eps = 1e-5;
    if (config_open(dir, NULL, &c, e))
        return -1;
    rc = read_sizes(m, &c, e);
    config_close(&c);
    return rc;
}

static int64_t patch_count(const struct clip_vision *m)
{
    int64_t side = m->size / m->patch;
    return side * side;
}

static void load_norm(struct loader *l, struct norm *to, int width, const char *name)
{
    load_vector(l, &to->weight, width, "%s.weight", name);
    load_vector(l, &to->bias, width, "%s.bias", name);
}

static void load_layer(struct loader *l, const struct clip_vision *m, int i, struct layer *to)
{
    static const char *const qkv[] = {"q_proj", "k_proj", "v_proj"};
    char at[64], norm[80];

    snprintf(at, sizeof at, "vision_model.encoder.layers.%d", i);
    snprintf(norm, sizeof norm, "%s.layer_norm1", at);
    load_norm(l, &to->attention_norm, m->width, norm);
    load_linears(l, &to->qkv, m->width, m->width, true, 3, qkv, "%s.self_attn.", at);
    load_linear(l, &to->out, m->width, m->width, true, "%s.self_attn.out_proj", at);
    snprintf(norm, sizeof norm, "%s.layer_norm2", at);
    load_norm(l, &to->feed_norm, m->width, norm);
    load_linear(l, &to->up, m->feed, m->width, true, "%s.mlp.fc1", at);
    load_linear(l, &to->down, m->width, m->feed, true, "%s.mlp.fc2", at);
}

/* A convolution whose steps are as long as its kernel is wide is a linear layer of each patch. */
static void load_patch_embedding(struct loader *l, struct clip_vision *m)
{
    const struct tensor *weight;
    struct tensor flat;

    if (!l->failed)
        l->failed = SAFETENSORS_GET(l->weights, "vision_model.embeddings.patch_embedding.weight",
                                    &weight, l->error, m->width, 3, m->patch, m->patch) != 0;
    if (l->failed || !l->device)
        return;
    flat = TENSOR_VIEW(*weight, m->width, 3 * (int64_t)m->patch * m->patch);
    l->failed = linear_pack(l->device, l->arena, &flat, NULL, &m->patches, l->error) != 0;
}

static int load_weights(struct clip_vision *m, const char *dir, struct error *e)
{
    struct safetensors *weights;
    int64_t tokens = patch_count(m) + 1;

    m->layers = calloc((size_t)m->layer_count, sizeof *m->layers);
    if (!m->layers)
        return error_memory(e);
    if (safetensors_open(dir, &weights, e))
        return -1;
    struct loader l = {.device = m->device, .arena = &m->memory, .weights = weights, .error = e};
    load_patch_embedding(&l, m);
    load_vector(&l, &m->class, m->width, "vision_model.embeddings.class_embedding");
    load_vector(&l, &m->positions, tokens * m->width,
                "vision_model.embeddings.position_embedding.weight");
    load_norm(&l, &m->first_norm, m->width, "vision_model.pre_layrnorm"); /* as published */
    for (int i = 0; i < m->layer_count && !l.failed; i++)
        load_layer(&l, m, i, &m->layers[i]);
    load_norm(&l, &m->last_norm, m->width, "vision_model.post_layernorm");
    load_linear(&l, &m->project, m->projection, m->width, false, "visual_projection");
    safetensors_close(weights);
    return l.failed ? -1 : 0;
}

static int make_work(struct clip_vision *m, struct error *e)
{
    struct device *d = m->device;
    struct arena *a = &m->memory;
    struct work *w = &m->work;
    int64_t patches = patch_count(m), tokens = patches + 1;
    int64_t numbers = 3 * (int64_t)m->patch * m->patch;

    m->positions = TENSOR_VIEW(m->positions, tokens, m->width);
    m->class = TENSOR_VIEW(m->class, 1, m->width);
    w->host_patches = TENSOR_NEW(&w->host, patches, numbers);
    w->patches = ACTIVATION_NEW(d, a, patches, numbers);
    w->x = TENSOR_NEW(a, tokens, m->width);
    w->normal = ACTIVATION_NEW(d, a, tokens, m->width);
    w->qkv = ACTIVATION_NEW(d, a, tokens, 3 * m->width);
    w->seen = ACTIVATION_NEW(d, a, tokens, m->width);
    w->feed = ACTIVATION_NEW(d, a, tokens, m->feed);
    w->last = TENSOR_NEW(a, 1, m->width);
    w->embedding = TENSOR_NEW(a, 1, m->projection);
    return w->host_patches.data && w->patches.data && w->x.data && w->normal.data && w->qkv.data &&
                   w->seen.data && w->feed.data && w->last.data && w->embedding.data
               ? 0
               : error_memory(e);
}

int clip_vision_load(const char *dir, struct device *d, struct clip_vision **out, struct error *e)
{
    struct clip_vision *m = calloc(1, sizeof *m);

    if (!m)
        return error_memory(e);
    m->device = d;
    if (d)
        m->memory = device_arena(d);
    if (read_config(m, dir, e) || load_weights(m, dir, e) || (d && make_work(m, e))) {
        clip_vision_free(m);
        return -1;
    }
    *out = m;
    return 0;
}

void clip_vision_free(struct clip_vision *m)
{
    if (!m)
        return;
    arena_free(&m->work.host);
    arena_free(&m->memory);
    free(m->layers);
    free(m);
}

int clip_vision_size(const struct clip_vision *m)
{
    return m->size;
}

int clip_vision_width(const struct clip_vision *m)
{
    return m->projection;
}

/* ---- running */

static void layer_norm(const struct clip_vision *m, struct tensor *out, const struct tensor *x,
                       const struct norm *n)
{
    op_layer_norm(m->device, out, x, &n->weight, &n->bias, (float)m->eps);
}

static void run_layer(struct clip_vision *m, const struct layer *l)
{
    struct device *d = m->device;
    struct work *w = &m->work;
    int dim = m->width / m->heads;
    struct tensor q = encoder_heads(w->qkv, 0, m->heads, dim);
    struct tensor k = encoder_heads(w->qkv, m->width, m->heads, dim);
    struct tensor v = encoder_heads(w->qkv, 2 * (int64_t)m->width, m->heads, dim);
    struct tensor seen = encoder_heads(w->seen, 0, m->heads, dim);

    layer_norm(m, &w->normal, &w->x, &l->attention_norm);
    op_linear(d, &w->qkv, &w->normal, &l->qkv, ACT_NONE);
    op_attention(d, &seen, &q, &k, &v, 1 / sqrtf((float)dim), NULL);
    op_linear_add(d, &w->x, &w->seen, &l->out, &w->x);

    layer_norm(m, &w->normal, &w->x, &l->feed_norm);
    op_linear(d, &w->feed, &w->normal, &l->up, m->activation);
    op_linear_add(d, &w->x, &w->feed, &l->down, &w->x);
}

/* Features of a patch in the order of a convolution's weight: channel, row, column. What a size
 * has beyond whole patches is left out. */
static void gather_patches(const struct clip_vision *m, const float *pixels, float *to)
{
    int side = m->size / m->patch;

    for (int64_t y = 0; y < side; y++)
        for (int64_t x = 0; x < side; x++)
            for (int c = 0; c < 3; c++)
                for (int64_t i = 0; i < m->patch; i++)
                    for (int64_t j = 0; j < m->patch; j++)
                        *to++ = pixels[((y * m->patch + i) * m->size + x * m->patch + j) * 3 + c];
}

static void embed(struct clip_vision *m)
{
    struct device *d = m->device;
    struct work *w = &m->work;
    struct tensor class = tensor_slice(w->x, 0, 0, 1);
    struct tensor rest = tensor_slice(w->x, 0, 1, patch_count(m));

    op_write(d, &w->patches, &w->host_patches);
    op_copy(d, &class, &m->class);
    op_linear(d, &rest, &w->patches, &m->patches, ACT_NONE);
    op_add(d, &w->x, &w->x, &m->positions);
    layer_norm(m, &w->x, &w->x, &m->first_norm);
}

int clip_vision_encode(struct clip_vision *m, const struct tensor *pixels, struct tensor *embedding,
                       struct error *e)
{
    struct work *w = &m->work;
    struct tensor class = tensor_slice(w->x, 0, 0, 1), out;

    if (pixels->rank != 3 || pixels->shape[0] != m->size || pixels->shape[1] != m->size ||
        pixels->shape[2] != 3 || tensor_count(embedding) != m->projection)
        return error_set(e, ERROR_INTERNAL, "picture encoder: %lld x %lld pixels, not %d x %d",
                         (long long)pixels->shape[1], (long long)pixels->shape[0], m->size,
                         m->size);
    gather_patches(m, pixels->data, w->host_patches.data);
    embed(m);
    for (int i = 0; i < m->layer_count; i++)
        run_layer(m, &m->layers[i]);
    layer_norm(m, &w->last, &class, &m->last_norm);
    op_linear(m->device, &w->embedding, &w->last, &m->project, ACT_NONE);
    out = TENSOR_VIEW(*embedding, 1, m->projection);
    op_read(m->device, &out, &w->embedding);
    return device_status(m->device, e);
}

/* ---- pixels */

static int read_three(const struct config *c, const char *name, double values[3], struct error *e)
{
    int count = 3;

    if (config_numbers(c, name, 3, values, &count, e))
        return -1;
    return count == 3
               ? 0
               : error_set(e, ERROR_MODEL, "%s: %s has %d values, not 3", c->path, name, count);
}

int clip_pixels_read(const char *path, struct clip_pixels *out, struct error *e)
{
    struct clip_pixels p = {{0.48145466, 0.4578275, 0.40821073},
                            {0.26862954, 0.26130258, 0.27577711}};
    struct config c = {.path = path};
    int rc;

    if (json_read(path, &c.root, e))
        return -1;
    rc = read_three(&c, "image_mean", p.mean, e) || read_three(&c, "image_std", p.std, e) ? -1 : 0;
    for (int i = 0; rc == 0 && i < 3; i++)
        if (!(p.std[i] > 0))
            rc = error_set(e, ERROR_MODEL, "%s: image_std[%d] must be more than 0", path, i);
    json_decref(c.root);
    if (rc == 0)
        *out = p;
    return rc;
}

int clip_pixels_prepare(const struct clip_pixels *p, const uint8_t *rgb, int width, int height,
                        struct tensor *pixels, struct error *e)
{
    float *at = pixels->data;

    if (picture_resize_blurred(rgb, width, height, at, (int)pixels->shape[1], (int)pixels->shape[0],
                               e))
        return -1;
    for (int64_t i = 0; i < tensor_count(pixels); i++)
        at[i] = (float)(((at[i] + 1) / 2 - p->mean[i % 3]) / p->std[i % 3]);
    return 0;
}
