#include "prompts/clip_vision.h"

#include <stdio.h>
#include <stdlib.h>

#include "prompts/clip_layers.h"
#include "prompts/picture_resize.h"

/* Tokens: the class, then the patches row by row. */
struct work {
    struct arena host;
    struct tensor host_patches; /* [patches, 3 * patch * patch] */
    struct tensor patches;      /* the same on the device */
    struct clip_work layers;
    struct tensor last;      /* [1, width] F32 */
    struct tensor embedding; /* [1, projection] F32 */
};

struct clip_vision {
    struct arena memory; /* the device's: weights and workspace */
    struct device *device;
    struct clip_sizes sizes;
    int size, patch, projection;
    struct linear patches;
    struct tensor class;     /* [width] */
    struct tensor positions; /* [tokens, width] */
    struct clip_norm first_norm, last_norm;
    struct clip_layer *layers;
    struct linear project;
    struct work work;
};

/* ---- loading */

static int read_sizes(struct clip_vision *m, const struct config *c, struct error *e)
{
    int channels = 3;

    if (config_expect(c, "model_type", "clip_vision_model", e) ||
        clip_sizes_read(c, &m->sizes, e) ||
        config_int(c, "projection_dim", 1, 1 << 16, &m->projection, e) ||
        config_int(c, "num_channels", 3, 3, &channels, e) ||
        config_int(c, "image_size", 1, 1 << 12, &m->size, e) ||
        config_int(c, "patch_size", 1, 1 << 12, &m->patch, e))
        return -1;
    if (m->patch > m->size)
        return error_set(e, ERROR_MODEL, "%s: patch_size (%d) is more than image_size (%d)",
                         c->path, m->patch, m->size);
    return 0;
}

static int read_config(struct clip_vision *m, const char *dir, struct error *e)
{
    struct config c;
    int rc;

    m->sizes =
        (struct clip_sizes){.width = 768, .heads = 12, .feed = 3072, .layers = 12, .eps = 1e-5};
    m->projection = 512;
    m->size = 224;
    m->patch = 32;
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

/* A convolution whose steps are as long as its kernel is wide is a linear layer of each patch. */
static void load_patch_embedding(struct loader *l, struct clip_vision *m)
{
    const struct tensor *weight;
    struct tensor flat;

    if (!l->failed)
        l->failed = SAFETENSORS_GET(l->weights, "vision_model.embeddings.patch_embedding.weight",
                                    &weight, l->error, m->sizes.width, 3, m->patch, m->patch) != 0;
    if (l->failed || !l->device)
        return;
    flat = TENSOR_VIEW(*weight, m->sizes.width, 3 * (int64_t)m->patch * m->patch);
    l->failed = linear_pack(l->device, l->arena, &flat, NULL, &m->patches, l->error) != 0;
}

static int load_weights(struct clip_vision *m, const char *dir, struct error *e)
{
    struct safetensors *weights;
    int64_t tokens = patch_count(m) + 1;
    char name[64];

    m->layers = calloc((size_t)m->sizes.layers, sizeof *m->layers);
    if (!m->layers)
        return error_memory(e);
    if (safetensors_open(dir, &weights, e))
        return -1;
    struct loader l = {.device = m->device, .arena = &m->memory, .weights = weights, .error = e};
    load_patch_embedding(&l, m);
    load_vector(&l, &m->class, m->sizes.width, "vision_model.embeddings.class_embedding");
    load_vector(&l, &m->positions, tokens * m->sizes.width,
                "vision_model.embeddings.position_embedding.weight");
    clip_norm_load(&l, &m->first_norm, m->sizes.width,
                   "vision_model.pre_layrnorm"); /* as published */
    for (int i = 0; i < m->sizes.layers && !l.failed; i++) {
        snprintf(name, sizeof name, "vision_model.encoder.layers.%d", i);
        clip_layer_load(&l, &m->sizes, &m->layers[i], name);
    }
    clip_norm_load(&l, &m->last_norm, m->sizes.width, "vision_model.post_layernorm");
    load_linear(&l, &m->project, m->projection, m->sizes.width, false, "visual_projection");
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

    m->positions = TENSOR_VIEW(m->positions, tokens, m->sizes.width);
    m->class = TENSOR_VIEW(m->class, 1, m->sizes.width);
    w->host_patches = TENSOR_NEW(&w->host, patches, numbers);
    w->patches = ACTIVATION_NEW(d, a, patches, numbers);
    w->last = TENSOR_NEW(a, 1, m->sizes.width);
    w->embedding = TENSOR_NEW(a, 1, m->projection);
    if (!w->host_patches.data || !w->patches.data || !w->last.data || !w->embedding.data)
        return error_memory(e);
    return clip_work_make(d, a, &m->sizes, tokens, &w->layers, e);
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
    struct tensor *x = &w->layers.x;
    struct tensor class = tensor_slice(*x, 0, 0, 1), rest = tensor_slice(*x, 0, 1, patch_count(m));

    op_write(d, &w->patches, &w->host_patches);
    op_copy(d, &class, &m->class);
    op_linear(d, &rest, &w->patches, &m->patches, ACT_NONE);
    op_add(d, x, x, &m->positions);
    clip_norm_run(d, &m->sizes, &m->first_norm, x, x);
}

int clip_vision_encode(struct clip_vision *m, const struct tensor *pixels, struct tensor *embedding,
                       struct error *e)
{
    struct work *w = &m->work;
    struct tensor class = tensor_slice(w->layers.x, 0, 0, 1), out;

    if (pixels->rank != 3 || pixels->shape[0] != m->size || pixels->shape[1] != m->size ||
        pixels->shape[2] != 3 || tensor_count(embedding) != m->projection)
        return error_set(e, ERROR_INTERNAL, "picture encoder: %lld x %lld pixels, not %d x %d",
                         (long long)pixels->shape[1], (long long)pixels->shape[0], m->size,
                         m->size);
    gather_patches(m, pixels->data, w->host_patches.data);
    embed(m);
    for (int i = 0; i < m->sizes.layers; i++)
        clip_layer_run(m->device, &m->sizes, &m->layers[i], false, &w->layers);
    clip_norm_run(m->device, &m->sizes, &m->last_norm, &class, &w->last);
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
