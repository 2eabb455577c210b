/* What the denoiser is given besides latents: prompt, guidance, timestep, positions; and the memory
 * for one size. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/generate/hunyuan_transformer_impl.h"

int hunyuan_transformer_channels(const struct hunyuan_transformer *m)
{
    return m->channels;
}

int hunyuan_transformer_text_dim(const struct hunyuan_transformer *m)
{
    return m->text_dim;
}

int hunyuan_transformer_pooled_dim(const struct hunyuan_transformer *m)
{
    return m->pooled_dim;
}

const int *hunyuan_transformer_patch(const struct hunyuan_transformer *m)
{
    return m->patch;
}

/* ---- embedders */

void hunyuan_embed(struct hunyuan_transformer *m, const struct hunyuan_embedder *by,
                   const struct tensor *x, const struct tensor *add, struct tensor *out)
{
    op_linear(m->device, &m->hidden, x, &by->first, ACT_SILU);
    if (add)
        op_linear_add(m->device, out, &m->hidden, &by->second, add);
    else
        op_linear(m->device, out, &m->hidden, &by->second, ACT_NONE);
}

/* In F32 as the reference has it: its rounding is part of what the model learned. One or two of its
 * frequencies are off by a last place, which ones differs from machine to machine (they are right
 * here); a guidance of 6, told as 6000, makes 2e-5 of the model's output of that. */
void hunyuan_write_scalar(struct hunyuan_transformer *m, float value)
{
    int half = HUNYUAN_FREQUENCIES / 2;
    struct tensor host = TENSOR_F32(m->host_frequencies, 1, HUNYUAN_FREQUENCIES);

    for (int i = 0; i < half; i++) {
        float exponent = (float)-log(10000) * (float)i / (float)half;
        float angle = value * expf(exponent);
        m->host_frequencies[i] = cosf(angle);
        m->host_frequencies[half + i] = sinf(angle);
    }
    op_write(m->device, &m->frequencies, &host);
}

/* ---- the prompt */

static void mean_of_rows(const struct tensor *x, float *out)
{
    int64_t rows = x->shape[0], width = x->shape[1];
    const float *from = x->data;

    for (int64_t i = 0; i < width; i++) {
        double sum = 0;
        for (int64_t r = 0; r < rows; r++)
            sum += from[r * width + i];
        out[i] = (float)(sum / (double)rows);
    }
}

/* scratch: on the device; host: not. */
static int fill(struct hunyuan_transformer *m, const struct tensor *embeddings,
                const struct tensor *pooled, double guidance, struct hunyuan_conditioning *c,
                struct arena *scratch, struct arena *host, struct error *e)
{
    struct device *d = m->device;
    struct tensor text = ACTIVATION_NEW(d, scratch, c->words, m->text_dim);
    struct tensor mean = TENSOR_NEW(scratch, 1, m->text_dim);
    struct tensor summary = TENSOR_NEW(scratch, 1, m->pooled_dim);
    struct tensor host_mean = TENSOR_NEW(host, 1, m->text_dim);
    struct tensor host_summary = TENSOR_VIEW(*pooled, 1, m->pooled_dim);

    c->text = ACTIVATION_NEW(d, &c->arena, c->words, m->dim);
    c->constant = TENSOR_NEW(&c->arena, 1, m->dim);
    c->refiner_constant = TENSOR_NEW(&c->arena, 1, m->dim);
    if (!text.data || !mean.data || !summary.data || !host_mean.data || !c->text.data ||
        !c->constant.data || !c->refiner_constant.data)
        return error_memory(e);
    mean_of_rows(embeddings, host_mean.data);
    op_write(d, &text, embeddings);
    op_write(d, &mean, &host_mean);
    op_write(d, &summary, &host_summary);
    op_linear(d, &c->text, &text, &m->text_in, ACT_NONE);
    hunyuan_embed(m, &m->refiner_pooled, &mean, NULL, &c->refiner_constant);
    hunyuan_embed(m, &m->pooled, &summary, NULL, &c->constant);
    if (m->guided) {
        hunyuan_write_scalar(m, (float)guidance * 1000);
        hunyuan_embed(m, &m->guidance, &m->frequencies, &c->constant, &c->constant);
    }
    return device_status(d, e);
}

int hunyuan_transformer_prepare(struct hunyuan_transformer *m, const struct tensor *embeddings,
                                const struct tensor *pooled, double guidance,
                                struct hunyuan_conditioning **out, struct error *e)
{
    struct hunyuan_conditioning *c;
    struct arena scratch, host = {0};
    int rc;

    if (embeddings->rank != 2 || embeddings->shape[0] < 1 || embeddings->shape[1] != m->text_dim ||
        tensor_count(pooled) != m->pooled_dim)
        return error_set(e, ERROR_MODEL,
                         "%s: a prompt of %lld tokens of width %lld and a summary of %lld do not "
                         "fit: text_embed_dim is %d and pooled_projection_dim %d",
                         m->dir, (long long)embeddings->shape[0], (long long)embeddings->shape[1],
                         (long long)tensor_count(pooled), m->text_dim, m->pooled_dim);
    c = calloc(1, sizeof *c);
    if (!c)
        return error_memory(e);
    c->arena = device_arena(m->device);
    c->words = embeddings->shape[0];
    scratch = device_arena(m->device);
    rc = fill(m, embeddings, pooled, guidance, c, &scratch, &host, e);
    arena_free(&scratch);
    arena_free(&host);
    if (rc)
        hunyuan_conditioning_free(c);
    else
        *out = c;
    return rc;
}

void hunyuan_conditioning_free(struct hunyuan_conditioning *c)
{
    if (!c)
        return;
    arena_free(&c->arena);
    free(c);
}

/* ---- positions */

/* Pair i of an axis of n numbers turns by position / theta^(2i/n), in F32 as the reference has it.
 */
void hunyuan_rope_tables(const struct hunyuan_transformer *m, const int64_t shape[4],
                         float *cosines, float *sines)
{
    int64_t frames = shape[1] / m->patch[0], rows = shape[2] / m->patch[1];
    int64_t columns = shape[3] / m->patch[2];
    float theta = (float)m->rope_theta;

    for (int64_t token = 0; token < frames * rows * columns; token++) {
        int64_t position[3] = {token / (rows * columns), token / columns % rows, token % columns};
        for (int axis = 0; axis < 3; axis++)
            for (int i = 0; i < m->axes[axis]; i += 2) {
                float turn = 1 / powf(theta, (float)i / (float)m->axes[axis]);
                float angle = (float)position[axis] * turn;
                *cosines++ = cosf(angle);
                *sines++ = sinf(angle);
            }
    }
}

/* ---- memory for one size */

static int fill_positions(struct hunyuan_transformer *m, struct error *e)
{
    struct hunyuan_workspace *w = &m->work;
    struct arena host = {0};
    struct tensor cos = TENSOR_NEW(&host, w->video, m->head_dim / 2);
    struct tensor sin = TENSOR_NEW(&host, w->video, m->head_dim / 2);
    int rc = 0;

    if (!cos.data || !sin.data)
        rc = error_memory(e);
    if (rc == 0) {
        hunyuan_rope_tables(m, w->shape, cos.data, sin.data);
        op_write(m->device, &w->cos, &cos);
        op_write(m->device, &w->sin, &sin);
        rc = device_status(m->device, e);
    }
    arena_free(&host);
    return rc;
}

static int make(struct hunyuan_transformer *m, const int64_t shape[4], int64_t words,
                struct error *e)
{
    struct hunyuan_workspace *w = &m->work;
    struct device *d = m->device;
    int64_t patch = (int64_t)m->patch[0] * m->patch[1] * m->patch[2];
    int64_t video = shape[1] * shape[2] * shape[3] / patch, rows = video + words, dim = m->dim;
    int64_t wide = dim + m->ffn > 4 * dim ? dim + m->ffn : 4 * dim; /* 4: the refiner's */

    w->video = video;
    w->words = words;
    w->latents = tensor_new(&w->arena, 4, shape);
    w->patches = ACTIVATION_NEW(d, &w->arena, video, m->channels * patch);
    w->projected = ACTIVATION_NEW(d, &w->arena, video, m->channels * patch);
    w->x = RESIDUAL_NEW(d, &w->arena, rows, dim);
    w->normed = ACTIVATION_NEW(d, &w->arena, rows, dim);
    w->qkv = ACTIVATION_NEW(d, &w->arena, rows, 3 * dim);
    w->wide = ACTIVATION_NEW(d, &w->arena, rows, wide);
    w->cos = TENSOR_NEW(&w->arena, video, m->head_dim / 2);
    w->sin = TENSOR_NEW(&w->arena, video, m->head_dim / 2);
    if (!w->latents.data || !w->patches.data || !w->projected.data || !w->x.data ||
        !w->normed.data || !w->qkv.data || !w->wide.data || !w->cos.data || !w->sin.data)
        return error_set(e, ERROR_MEMORY,
                         "out of memory: %lld video tokens of width %lld and their workspace; "
                         "fewer frames or a smaller picture need less",
                         (long long)video, (long long)dim);
    memcpy(w->shape, shape, sizeof w->shape);
    return fill_positions(m, e);
}

int hunyuan_make_workspace(struct hunyuan_transformer *m, const int64_t shape[4], int64_t words,
                           struct error *e)
{
    struct hunyuan_workspace *w = &m->work;

    if (memcmp(w->shape, shape, sizeof w->shape) == 0 && words <= w->words)
        return 0;
    arena_free(&w->arena);
    *w = (struct hunyuan_workspace){.arena = device_arena(m->device)};
    if (make(m, shape, words, e) == 0)
        return 0;
    arena_free(&w->arena);
    *w = (struct hunyuan_workspace){0};
    return -1;
}
