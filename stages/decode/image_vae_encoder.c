#include "stages/decode/image_vae_encoder.h"

#include <stdio.h>

/* ---- weights */

static void load_level(struct image_encoder *v, struct loader *l, int i, int64_t in, int64_t out)
{
    static const struct conv_form halving = {.scale = 1, .stride = 2, .edge = CONV_ZEROS_AFTER};
    struct image_encoder_level *level = &v->level[i];
    char name[IMAGE_NAME_SIZE];

    for (int r = 0; r < v->form.layers; r++) {
        snprintf(name, sizeof name, "encoder.down_blocks.%d.resnets.%d", i, r);
        image_load_resnet(l, &level->resnets[r], r ? out : in, out, name);
    }
    if (i < v->form.levels - 1)
        load_conv_form(l, &level->halve, halving, out, out, 0, 3, 3,
                       "encoder.down_blocks.%d.downsamplers.0.conv", i);
}

int image_encoder_load(struct image_encoder *v, const struct safetensors *weights, struct error *e)
{
    const struct image_form *f = &v->form;
    struct loader loader = {.device = v->device, .weights = weights, .error = e}, *l = &loader;
    int64_t width = f->width[0], moments = 2 * f->channels;

    if (v->device)
        v->weights = device_arena(v->device);
    l->arena = &v->weights;
    load_conv(l, &v->in, width, 3, 0, 3, 3, "encoder.conv_in");
    for (int i = 0; i < f->levels && !l->failed; i++) {
        load_level(v, l, i, width, f->width[i]);
        width = f->width[i];
    }
    image_load_resnet(l, &v->mid[0], width, width, "encoder.mid_block.resnets.0");
    if (f->attends)
        image_load_attention(l, &v->attention, width, "encoder.mid_block.attentions.0");
    image_load_resnet(l, &v->mid[1], width, width, "encoder.mid_block.resnets.1");
    image_load_norm(l, &v->norm_out, width, "encoder.conv_norm_out");
    load_conv(l, &v->out, moments, width, 0, 3, 3, "encoder.conv_out");
    if (f->quant)
        load_pointwise(l, &v->quant, moments, moments, "quant_conv");
    return l->failed ? -1 : 0;
}

void image_encoder_free(struct image_encoder *v)
{
    arena_free(&v->work.host);
    arena_free(&v->work.arena);
    arena_free(&v->weights);
}

/* ---- memory */

static void grow(int64_t *room, int64_t count)
{
    if (*room < count)
        *room = count;
}

static int make_work(struct image_encoder *v, int64_t height, int64_t width, struct error *e)
{
    struct image_encoder_work *w = &v->work;
    const struct image_form *f = &v->form;
    struct image_room room = {0};
    int64_t h = height, x = width, clip = 3 * h * x;

    if (w->height == height && w->width == width)
        return 0;
    arena_free(&w->arena);
    arena_free(&w->host);
    *w = (struct image_encoder_work){
        .arena = device_arena(v->device), .height = height, .width = width};
    for (int i = 0; i < f->levels; i++) {
        h /= i ? 2 : 1;
        x /= i ? 2 : 1;
        image_resnet_room(&room, &v->level[i].resnets[0], h * x);
        grow(&clip, h * x * f->width[i]);
    }
    image_resnet_room(&room, &v->mid[0], h * x);
    image_attention_room(&room, &v->attention, h * x);
    grow(&clip, 2 * f->channels * h * x);
    for (int i = 0; i < 2; i++)
        w->clip[i] = ACTIVATION_NEW(v->device, &w->arena, clip);
    w->host_moments = TENSOR_NEW(&w->host, h, x, 2 * f->channels);
    if (image_scratch_make(v->device, &w->arena, &room, &w->scratch) && w->clip[0].data &&
        w->clip[1].data && w->host_moments.data)
        return 0;
    w->height = 0; /* for no size */
    return error_set(e, ERROR_MEMORY,
                     "%s: not enough memory to encode a picture of %lld x %lld; make it smaller",
                     v->dir, (long long)width, (long long)height);
}

/* ---- running */

/* What goes from layer to layer: a frame [H, W, C] at the head of one of the two clips. */
struct state {
    int at;
    struct tensor x;
};

static struct state beside(const struct image_encoder *v, const struct state *s, int64_t height,
                           int64_t width, int64_t channels)
{
    return (struct state){!s->at, image_frame(&v->work.clip[!s->at], height, width, channels)};
}

static void run_resnet(struct image_encoder *v, const struct image_resnet *r, struct state *s)
{
    struct state out = *s;

    if (r->in != r->out)
        out = beside(v, s, s->x.shape[0], s->x.shape[1], r->out);
    image_resnet_run(v->device, &v->form, r, &v->work.scratch, &s->x, &out.x);
    *s = out;
}

static void run_conv(struct image_encoder *v, const struct conv *w, int64_t shrink, struct state *s)
{
    struct state out = beside(v, s, s->x.shape[0] / shrink, s->x.shape[1] / shrink, w->out);
    const struct tensor *x = &s->x;

    op_conv(v->device, &out.x, &x, w, NULL);
    *s = out;
}

static void run_layers(struct image_encoder *v, struct state *s)
{
    const struct image_form *f = &v->form;

    run_conv(v, &v->in, 1, s);
    for (int i = 0; i < f->levels; i++) {
        for (int r = 0; r < f->layers; r++)
            run_resnet(v, &v->level[i].resnets[r], s);
        if (i < f->levels - 1)
            run_conv(v, &v->level[i].halve, 2, s);
    }
    run_resnet(v, &v->mid[0], s);
    if (f->attends)
        image_attention_run(v->device, f, &v->attention, &v->work.scratch, &s->x);
    run_resnet(v, &v->mid[1], s);
    image_norm_run(v->device, f, &v->norm_out, &s->x, &s->x, ACT_SILU);
    run_conv(v, &v->out, 1, s);
    if (f->quant) {
        struct state out = beside(v, s, s->x.shape[0], s->x.shape[1], s->x.shape[2]);
        struct tensor from = image_rows(&s->x), to = image_rows(&out.x);
        op_linear(v->device, &to, &from, &v->quant, ACT_NONE);
        *s = out;
    }
}

/* Channels are means, then logarithms of variances, which are not wanted. */
int image_encoder_run(struct image_encoder *v, const struct tensor *picture, struct tensor *means,
                      struct error *e)
{
    int64_t channels = v->form.channels, area;
    const float *moments;
    struct state s = {0};

    if (make_work(v, picture->shape[0], picture->shape[1], e))
        return -1;
    s.x = image_frame(&v->work.clip[0], picture->shape[0], picture->shape[1], 3);
    op_write(v->device, &s.x, picture);
    run_layers(v, &s);
    op_read(v->device, &v->work.host_moments, &s.x);
    if (device_status(v->device, e))
        return -1;
    area = s.x.shape[0] * s.x.shape[1];
    moments = v->work.host_moments.data;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < area; i++)
            ((float *)means->data)[c * area + i] = moments[i * 2 * channels + c];
    return 0;
}
