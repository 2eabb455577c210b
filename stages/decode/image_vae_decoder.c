#include "stages/decode/image_vae_decoder.h"

#include <stdio.h>
#include <string.h>

/* ---- weights */

static void load_block(struct image_decoder *v, struct loader *l, struct image_block *b, int64_t in,
                       int64_t out, const char *name)
{
    char spatial[IMAGE_NAME_SIZE];

    snprintf(spatial, sizeof spatial, "%s%s", name, v->temporal ? ".spatial_res_block" : "");
    image_load_resnet(l, &b->spatial, in, out, spatial);
    if (v->temporal)
        image_temporal_load(l, &v->arena, &b->temporal, out, name);
}

/* A picture's decoder has two blocks in its middle, a clip's as many as a level's layers; the one
 * attention is there in any case, and comes to use between the first two. */
static void load_mid(struct image_decoder *v, struct loader *l, int64_t width)
{
    char name[IMAGE_NAME_SIZE];

    v->mids = v->temporal ? v->form.layers : 2;
    for (int i = 0; i < v->mids; i++) {
        snprintf(name, sizeof name, "decoder.mid_block.resnets.%d", i);
        load_block(v, l, &v->mid[i], width, width, name);
    }
    if (v->form.attends)
        image_load_attention(l, &v->attention, width, "decoder.mid_block.attentions.0");
    if (v->temporal && v->mids > 2)
        v->mids = 2; /* published code goes by pairs of block and attention: the rest are idle */
}

static void load_level(struct image_decoder *v, struct loader *l, int i, int64_t in, int64_t out)
{
    struct image_level *level = &v->level[i];
    char name[IMAGE_NAME_SIZE];

    for (int r = 0; r <= v->form.layers; r++) {
        snprintf(name, sizeof name, "decoder.up_blocks.%d.resnets.%d", i, r);
        load_block(v, l, &level->blocks[r], r ? out : in, out, name);
    }
    if (i > 0)
        load_conv_form(l, &level->enlarge, (struct conv_form){.scale = 2, .stride = 1}, in, in, 0,
                       3, 3, "decoder.up_blocks.%d.upsamplers.0.conv", i - 1);
}

int image_decoder_load(struct image_decoder *v, const struct safetensors *weights, struct error *e)
{
    const struct image_form *f = &v->form;
    struct loader loader = {.device = v->device, .weights = weights, .error = e}, *l = &loader;
    int64_t width = f->width[f->levels - 1];

    if (v->device)
        v->weights = device_arena(v->device);
    l->arena = &v->weights;
    if (f->post_quant)
        load_pointwise(l, &v->post_quant, f->channels, f->channels, "post_quant_conv");
    load_conv(l, &v->in, width, f->channels, 0, 3, 3, "decoder.conv_in");
    load_mid(v, l, width);
    for (int i = 0; i < f->levels && !l->failed; i++) {
        int64_t out = f->width[f->levels - 1 - i];
        load_level(v, l, i, width, out);
        width = out;
    }
    image_load_norm(l, &v->norm_out, width, "decoder.conv_norm_out");
    load_conv(l, &v->out, 3, width, 0, 3, 3, "decoder.conv_out");
    if (v->temporal)
        load_conv(l, &v->time_out, 3, 3, 3, 1, 1, "decoder.time_conv_out");
    return l->failed ? -1 : 0;
}

void image_decoder_free(struct image_decoder *v)
{
    device_graphs_free(&v->work.graphs);
    arena_free(&v->work.host);
    arena_free(&v->work.arena);
    arena_free(&v->weights);
    arena_free(&v->arena);
}

/* ---- memory */

struct room {
    struct image_room blocks;
    int64_t clip, enlarged;
};

static void grow(int64_t *room, int64_t count)
{
    if (*room < count)
        *room = count;
}

static void plan(const struct image_decoder *v, int64_t frames, int64_t pixels, struct room *r)
{
    const struct image_form *f = &v->form;

    frames += v->temporal ? IMAGE_TEMPORAL_ROOM : 0;
    grow(&r->clip, frames * pixels * f->channels);
    image_resnet_room(&r->blocks, &v->mid[0].spatial, pixels);
    image_attention_room(&r->blocks, &v->attention, pixels);
    for (int i = 0; i < f->levels; i++) {
        const struct image_resnet *first = &v->level[i].blocks[0].spatial;
        if (i > 0) {
            pixels *= 4;
            grow(&r->enlarged, pixels * first->in);
        }
        image_resnet_room(&r->blocks, first, pixels);
        grow(&r->clip, frames * pixels * first->out);
    }
    grow(&r->blocks.normed, pixels * v->norm_out.weight.shape[0]);
}

size_t image_decoder_bytes(const struct image_decoder *v, int64_t frames, int64_t height,
                           int64_t width)
{
    int64_t pixels = (height * width) << (2 * (v->form.levels - 1));
    size_t size = v->device ? dtype_size(device_activations(v->device)) : sizeof(float);
    struct room r = {0};

    plan(v, frames, height * width, &r);
    return (size_t)(2 * r.clip + r.enlarged + r.blocks.normed + r.blocks.between) * size +
           (size_t)pixels * (size_t)(frames * (v->temporal ? 6 : 3) + 2 * 3 + 8) * sizeof(float);
}

static int make_work(struct image_decoder *v, int64_t frames, int64_t height, int64_t width,
                     struct error *e)
{
    struct image_decoder_work *w = &v->work;
    int64_t factor = (int64_t)1 << (v->form.levels - 1), tall = height * factor,
            wide = width * factor;
    struct room r = {0};
    bool made;

    if (w->frames >= frames && w->height == height && w->width == width)
        return 0;
    device_graphs_free(&w->graphs);
    arena_free(&w->arena);
    arena_free(&w->host);
    *w = (struct image_decoder_work){
        .arena = device_arena(v->device), .frames = frames, .height = height, .width = width};
    plan(v, frames, height * width, &r);
    made = image_scratch_make(v->device, &w->arena, &r.blocks, &w->scratch);
    for (int i = 0; i < 2; i++)
        w->clip[i] = ACTIVATION_NEW(v->device, &w->arena, r.clip);
    w->enlarged = ACTIVATION_NEW(v->device, &w->arena, r.enlarged);
    /* A convolution reads the pictures where one along time follows. */
    w->rgb = v->temporal ? ACTIVATION_NEW(v->device, &w->arena, frames, tall, wide, 3)
                         : TENSOR_NEW(&w->arena, frames, tall, wide, 3);
    if (v->temporal)
        w->smoothed = TENSOR_NEW(&w->arena, frames, tall, wide, 3);
    w->host_latents = TENSOR_NEW(&w->host, frames, height, width, v->form.channels);
    if (made && w->clip[0].data && w->clip[1].data && (!r.enlarged || w->enlarged.data) &&
        w->rgb.data && (!v->temporal || w->smoothed.data) && w->host_latents.data)
        return 0;
    w->frames = 0; /* for no size */
    return error_set(e, ERROR_MEMORY,
                     "%s: not enough memory to decode %lld frames of %lld x %lld together; make "
                     "smaller or fewer",
                     v->dir, (long long)frames, (long long)wide, (long long)tall);
}

/* ---- running */

/* What goes from layer to layer: frames [N, H, W, C] at the head of one of the two clips. */
struct state {
    int at;
    struct tensor x;
};

static struct tensor clip_of(const struct tensor *flat, int64_t frames, int64_t height,
                             int64_t width, int64_t channels)
{
    return TENSOR_VIEW(tensor_slice(*flat, 0, 0, frames * height * width * channels), frames,
                       height, width, channels);
}

/* Another state in the other clip. */
static struct state beside(const struct image_decoder *v, const struct state *s, int64_t height,
                           int64_t width, int64_t channels)
{
    const struct tensor *flat = &v->work.clip[!s->at];

    return (struct state){!s->at, clip_of(flat, s->x.shape[0], height, width, channels)};
}

static void along_time(struct image_decoder *v, const struct image_block *b, struct state *s)
{
    if (v->temporal)
        image_temporal_run(v->device, &v->form, &b->temporal, &v->work.scratch, &s->x,
                           &v->work.clip[!s->at]);
}

static void run_block(struct image_decoder *v, const struct image_block *b, struct state *s)
{
    struct state out = *s;

    if (b->spatial.in != b->spatial.out)
        out = beside(v, s, s->x.shape[1], s->x.shape[2], b->spatial.out);
    for (int64_t n = 0; n < s->x.shape[0]; n++) {
        struct tensor from = image_nth(&s->x, n), to = image_nth(&out.x, n);
        image_resnet_run(v->device, &v->form, &b->spatial, &v->work.scratch, &from, &to);
    }
    *s = out;
    along_time(v, b, s);
}

/* The first block of a level, of frames that are enlarged one by one. */
static void run_enlarged(struct image_decoder *v, const struct image_level *level, struct state *s)
{
    const struct image_block *b = &level->blocks[0];
    int64_t h = 2 * s->x.shape[1], w = 2 * s->x.shape[2];
    struct state out = beside(v, s, h, w, b->spatial.out);
    struct tensor large = image_frame(&v->work.enlarged, h, w, b->spatial.in);

    for (int64_t n = 0; n < s->x.shape[0]; n++) {
        struct tensor from = image_nth(&s->x, n), to = image_nth(&out.x, n);
        const struct tensor *small = &from;
        op_conv(v->device, &large, &small, &level->enlarge, NULL);
        image_resnet_run(v->device, &v->form, &b->spatial, &v->work.scratch, &large, &to);
    }
    *s = out;
    along_time(v, b, s);
}

static void run_mid(struct image_decoder *v, struct state *s)
{
    run_block(v, &v->mid[0], s);
    if (v->mids < 2)
        return;
    for (int64_t n = 0; v->attention.dim && n < s->x.shape[0]; n++) {
        struct tensor frame = image_nth(&s->x, n);
        image_attention_run(v->device, &v->form, &v->attention, &v->work.scratch, &frame);
    }
    run_block(v, &v->mid[1], s);
}

/* Scaled latents, channels last, in host memory. */
static void gather(struct image_decoder *v, const float *latents, const int64_t step[2],
                   struct tensor *host)
{
    const struct image_form *f = &v->form;
    int64_t area = host->shape[1] * host->shape[2];
    float *to = host->data;

    for (int64_t t = 0; t < host->shape[0]; t++)
        for (int64_t i = 0; i < area; i++)
            for (int c = 0; c < f->channels; c++)
                *to++ = f->gain[c] * latents[t * step[0] + c * step[1] + i] + f->offset[c];
}

/* Where the latents come in. */
static struct state latents_of(const struct image_decoder *v, int64_t frames)
{
    const struct image_decoder_work *w = &v->work;

    return (struct state){0, clip_of(&w->clip[0], frames, w->height, w->width, v->form.channels)};
}

/* The first layer's output. */
static struct state enter(struct image_decoder *v, int64_t frames)
{
    struct state s = latents_of(v, frames);
    int64_t h = s.x.shape[1], w = s.x.shape[2];
    const struct tensor *x = &s.x; /* wherever that is by then */

    if (v->form.post_quant) {
        struct state moved = beside(v, &s, h, w, v->form.channels);
        struct tensor from = image_rows(&s.x), to = image_rows(&moved.x);
        op_linear(v->device, &to, &from, &v->post_quant, ACT_NONE);
        s = moved;
    }
    struct state out = beside(v, &s, h, w, v->in.out);
    op_conv(v->device, &out.x, &x, &v->in, NULL);
    return out;
}

/* Where the pictures are in the end. */
static struct tensor pictures_of(const struct image_decoder *v, int64_t frames)
{
    return tensor_slice(v->temporal ? v->work.smoothed : v->work.rgb, 0, 0, frames);
}

/* Pictures of the last layer's frames. */
static void leave(struct image_decoder *v, const struct state *s)
{
    struct image_decoder_work *w = &v->work;
    int64_t frames = s->x.shape[0];
    struct tensor rgb = tensor_slice(w->rgb, 0, 0, frames), smoothed = pictures_of(v, frames);

    for (int64_t n = 0; n < frames; n++) {
        struct tensor x = image_nth(&s->x, n), to = image_nth(&rgb, n);
        struct tensor normed = image_frame(&w->scratch.normed, x.shape[0], x.shape[1], x.shape[2]);
        const struct tensor *in = &normed;
        image_norm_run(v->device, &v->form, &v->norm_out, &x, &normed, ACT_SILU);
        op_conv(v->device, &to, &in, &v->out, NULL);
    }
    if (v->temporal)
        image_temporal_conv(v->device, &smoothed, &rgb, &v->time_out);
}

/* From latents to pictures: operations alone, the same for the same key. */
static void forward(struct image_decoder *v, int64_t frames)
{
    struct state s = enter(v, frames);

    run_mid(v, &s);
    for (int i = 0; i < v->form.levels; i++) {
        const struct image_level *level = &v->level[i];
        if (i > 0)
            run_enlarged(v, level, &s);
        for (int r = i > 0; r <= v->form.layers; r++)
            run_block(v, &level->blocks[r], &s);
    }
    leave(v, &s);
}

int image_decoder_run(struct image_decoder *v, const float *latents, const int64_t step[2],
                      int64_t frames, int64_t height, int64_t width, struct picture_stream *to)
{
    struct image_decoder_work *w = &v->work;
    const int64_t key = frames; /* the work has graphs of its own */
    struct device_graph *graph;
    struct tensor host, there, rgb;

    if (make_work(v, frames, height, width, to->error))
        return -1;
    host = tensor_slice(w->host_latents, 0, 0, frames);
    there = latents_of(v, frames).x;
    rgb = pictures_of(v, frames);
    gather(v, latents, step, &host);
    op_write(v->device, &there, &host);
    graph = device_graph_for(&w->graphs, &key, sizeof key);
    graph->of = "Decoding";
    while (device_graph(v->device, graph, &key, sizeof key))
        forward(v, frames);
    return picture_stream_put(to, &rgb);
}
