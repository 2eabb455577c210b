#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/generate/unet.h"

/* Here expf() rounds correctly; PyTorch's is a unit off at one rate in thirty or so, which at large
 * t shows as some 3e-6 of what the UNet gives. */
void unet_waves(const struct unet *m, float t, int dim, float *out)
{
    int half = dim / 2, cosines = m->cosine_first ? 0 : half;

    for (int i = 0; i < half; i++) {
        float exponent = (float)-log(10000) * (float)i / (float)(half - m->freq_shift);
        float angle = t * expf(exponent);
        out[cosines + i] = cosf(angle);
        out[half - cosines + i] = sinf(angle);
    }
}

/* Sizes, rates and pooled words, to be added to each step's embedding. */
static int embed_added(struct unet *m, struct unet_context *c, const struct tensor *added,
                       struct arena *scratch, struct error *e)
{
    struct tensor in = TENSOR_NEW(scratch, c->clips, m->added_in);
    struct tensor hidden = TENSOR_NEW(scratch, c->clips, m->time_dim);

    c->added = TENSOR_NEW(&c->arena, c->clips, m->time_dim);
    if (!in.data || !hidden.data || !c->added.data)
        return error_memory(e);
    op_write(m->device, &in, added);
    op_linear(m->device, &hidden, &in, &m->added_1, ACT_SILU);
    op_linear(m->device, &c->added, &hidden, &m->added_2, ACT_NONE);
    return 0;
}

/* What every block's cross-attention has of the context; rows [clips * tokens, context_dim]. */
static int attend_to(struct unet *m, struct unet_context *c, const struct unet_block *b,
                     const struct tensor *rows, struct arena *scratch, struct tensor *out,
                     struct error *e)
{
    int64_t count = rows->shape[0];
    struct tensor value, bias;

    if (b->cross_q.out) {
        *out = ACTIVATION_NEW(m->device, &c->arena, count, b->cross_kv.out);
        if (!out->data)
            return error_memory(e);
        op_linear(m->device, out, rows, &b->cross_kv, ACT_NONE);
        return 0;
    }
    value = TENSOR_NEW(scratch, count, b->cross_kv.out);
    *out = TENSOR_NEW(&c->arena, count, b->cross_out.out);
    if (!value.data || !out->data)
        return error_memory(e);
    op_linear(m->device, &value, rows, &b->cross_kv, ACT_NONE);
    op_linear(m->device, out, &value, &b->cross_out, ACT_NONE);
    bias = TENSOR_VIEW(tensor_slice(*out, 0, 0, 1), out->shape[1]);
    bias.data = (void *)b->out.bias;
    op_modulate(m->device, out, out, NULL, &bias);
    return 0;
}

static int embed_context(struct unet *m, struct unet_context *c, const struct tensor *context,
                         struct arena *scratch, struct error *e)
{
    struct tensor flat = TENSOR_VIEW(*context, c->clips * c->tokens, m->context_dim);
    struct tensor rows = TENSOR_NEW(scratch, c->clips * c->tokens, m->context_dim);

    if (!rows.data)
        return error_memory(e);
    op_write(m->device, &rows, &flat);
    for (int i = 0; i < m->transformer_count; i++) {
        const struct unet_transformer *t = &m->transformers[i];
        int blocks = t->temporal ? 2 * t->layers : t->layers;
        for (int j = 0; j < blocks; j++)
            if (attend_to(m, c, &t->blocks[j], &rows, scratch, &c->cross[t->first + j], e))
                return -1;
    }
    return 0;
}

/* Where each frame stands in its clip. */
static int embed_positions(struct unet *m, struct unet_context *c, const struct unet_transformer *t,
                           struct tensor *out, struct arena *scratch, struct error *e)
{
    int64_t rows = c->clips * c->frames, channels = t->channels;
    struct arena host = {0};
    struct tensor waves = TENSOR_NEW(&host, rows, channels);
    struct tensor in = TENSOR_NEW(scratch, rows, channels);
    struct tensor hidden = TENSOR_NEW(scratch, rows, t->position_1.out);
    int rc = -1;

    *out = TENSOR_NEW(&c->arena, rows, channels);
    if (!waves.data || !in.data || !hidden.data || !out->data) {
        error_memory(e);
        goto done;
    }
    for (int64_t i = 0; i < rows; i++)
        unet_waves(m, (float)(i % c->frames), (int)channels, (float *)waves.data + i * channels);
    op_write(m->device, &in, &waves);
    op_linear(m->device, &hidden, &in, &t->position_1, ACT_SILU);
    op_linear(m->device, out, &hidden, &t->position_2, ACT_NONE);
    rc = device_status(m->device, e); /* what was written from the host has been read */
done:
    arena_free(&host);
    return rc;
}

static int fill(struct unet *m, struct unet_context *c, const struct tensor *context,
                const struct tensor *added, struct arena *scratch, struct error *e)
{
    if (embed_added(m, c, added, scratch, e) || embed_context(m, c, context, scratch, e))
        return -1;
    for (int i = 0; m->temporal && i < m->transformer_count; i++)
        if (embed_positions(m, c, &m->transformers[i], &c->positions[i], scratch, e))
            return -1;
    return device_status(m->device, e);
}

int unet_context_make(struct unet *m, const struct tensor *context, const struct tensor *added,
                      int64_t frames, struct unet_context **out, struct error *e)
{
    struct arena scratch = device_arena(m->device);
    struct unet_context *c = calloc(1, sizeof *c);
    int rc = -1;

    if (!c)
        return error_memory(e);
    c->arena = device_arena(m->device);
    c->clips = context->shape[0];
    c->tokens = context->shape[1];
    c->frames = frames;
    c->cross = calloc((size_t)m->block_count + 1, sizeof *c->cross);
    c->positions = calloc((size_t)m->transformer_count + 1, sizeof *c->positions);
    if (!c->cross || !c->positions)
        error_memory(e);
    else
        rc = fill(m, c, context, added, &scratch, e);
    arena_free(&scratch);
    if (rc)
        unet_context_free(c);
    else
        *out = c;
    return rc;
}

void unet_context_free(struct unet_context *c)
{
    if (!c)
        return;
    free(c->cross);
    free(c->positions);
    arena_free(&c->arena);
    free(c);
}
