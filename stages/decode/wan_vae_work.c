/* The memory of a pass (wan_vae.c), for latents of one size and so many frames at once. */
#include <string.h>

#include "stages/decode/wan_vae_impl.h"
#include "stages/decode/vae_limits.h"

/* While `measured` is there nothing is made: its bytes are counted. */
struct making {
    struct wan_vae *v;
    size_t *measured;
    int64_t padded; /* numbers */
    bool failed;
};

static struct tensor flat(struct making *m, int64_t count)
{
    struct tensor none = {0}, t;

    if (m->measured) {
        *m->measured += (size_t)count * dtype_size(device_activations(m->v->device));
        return none;
    }
    t = ACTIVATION_NEW(m->v->device, &m->v->work, count);
    m->failed |= !t.data;
    return t;
}

static void make_past(struct making *m, struct vae_causal *c, int64_t together, int64_t h,
                      int64_t w)
{
    int64_t frames = together > 1 ? c->conv.kt - 1 : c->conv.kt, frame = h * w * c->conv.in;
    int64_t padded = (together + c->conv.kt - 1) * frame;

    c->past = flat(m, frames * frame);
    if (c->past.data)
        c->past = vae_frames(&c->past, frames, h, w, c->conv.in);
    if (together > 1 && padded > m->padded)
        m->padded = padded;
}

/* Blocks in a row, which share what none of them keeps. */
static void make_resnets(struct making *m, struct vae_resnet *r, int count, int64_t together,
                         int64_t h, int64_t w)
{
    struct tensor between = flat(m, together * h * w * r[0].out);

    for (int i = 0; i < count; i++) {
        make_past(m, &r[i].conv1, together, h, w);
        make_past(m, &r[i].conv2, together, h, w);
        r[i].between = between;
        if (r[i].in != r[i].out)
            r[i].result = flat(m, together * h * w * r[i].out);
    }
}

/* `latents` at once, 0: one frame at a time everywhere. */
static void make_blocks(struct making *m, int64_t latents, int64_t h, int64_t w)
{
    struct wan_vae *v = m->v;
    int64_t n = latents ? latents : 1, pictures = n * wan_vae_time_factor(v);

    for (int i = 0; i < v->blocks; i++) {
        struct vae_block *b = &v->block[i];
        int64_t made = b->doubles_time && b->upsamples ? 2 * n : n;
        b->together = n;
        make_resnets(m, b->resnets, v->resnets, n, h, w);
        if (!b->upsamples)
            continue;
        if (b->doubles_time) {
            make_past(m, &b->time, n, h, w);
            b->moment = flat(m, made * h * w * b->out);
        }
        h *= 2;
        w *= 2;
        b->result = flat(m, made * h * w * (b->out / 2));
        n = latents ? made : 1;
    }
    make_past(m, &v->out, n, h, w);
    if (m->measured)
        *m->measured += (size_t)(h * w * (pictures * (3 + 2 * 3) + n * 8)) * sizeof(float);
    else
        v->rgb = TENSOR_NEW(&v->work, pictures, h, w, 3);
}

static void make_all(struct making *m, int64_t latents, int64_t h, int64_t w)
{
    struct wan_vae *v = m->v;
    int64_t n = latents ? latents : 1, dim = v->in.conv.out;

    m->padded = 0;
    v->latent = flat(m, n * h * w * v->channels);
    make_past(m, &v->in, n, h, w);
    v->x = flat(m, n * h * w * dim);
    v->normed = flat(m, n * h * w * dim);
    v->attended = flat(m, n * h * w * dim);
    v->qkv_frame = flat(m, n * h * w * 3 * dim);
    make_resnets(m, v->mid, 2, n, h, w);
    make_blocks(m, latents, h, w);
    if (m->padded)
        v->padded = flat(m, m->padded);
    v->zero = flat(m, 1);
}

static size_t measure(struct wan_vae *v, int64_t latents, int64_t h, int64_t w)
{
    struct wan_vae other = *v; /* what has been made stays */
    size_t bytes = 0;

    make_all(&(struct making){.v = &other, .measured = &bytes}, latents, h, w);
    return bytes;
}

enum { LATENTS_MOST = 2 }; /* at once, where that is faster */

static int64_t choose(struct wan_vae *v, int64_t h, int64_t w)
{
    int64_t latents = vae_gains_from_many_frames(v->device) ? LATENTS_MOST : 0;

    if (v->together)
        return v->together;
    while (latents > 0 && v->limit && measure(v, latents, h, w) > v->limit)
        latents--;
    return latents;
}

size_t wan_vae_bytes(struct wan_vae *v, int64_t height, int64_t width)
{
    return measure(v, 0, height, width);
}

void wan_vae_together(struct wan_vae *v, int latents)
{
    v->together = latents;
    v->height = v->width = 0;
}

void wan_vae_memory(struct wan_vae *v, size_t bytes)
{
    if (v->limit == bytes)
        return;
    v->limit = bytes;
    v->height = v->width = 0;
}

int vae_make_frames(struct wan_vae *v, int64_t height, int64_t width, struct error *e)
{
    struct making m = {.v = v};
    int64_t latents;

    if (v->height == height && v->width == width)
        return 0;
    arena_free(&v->work);
    arena_free(&v->host);
    v->height = v->width = 0;
    latents = choose(v, height, width);
    v->latents = latents ? latents : 1;
    v->planes = TENSOR_NEW(&v->work, v->latents, height, width, v->channels);
    v->host_planes = TENSOR_NEW(&v->host, v->latents, height, width, v->channels);
    make_all(&m, latents, height, width);
    v->picture =
        arena_array(&v->host, (size_t)(height * width * 3) << (2 * (v->blocks - 1)), sizeof(float));
    if (m.failed || !v->picture || !v->planes.data || !v->host_planes.data || !v->rgb.data)
        return error_memory(e);
    v->height = height;
    v->width = width;
    vae_say_slices(v->device, latents ? v->rgb.shape[0] : 1);
    if (latents < 2 && vae_gains_from_many_frames(v->device))
        device_note_missing(v->device, NOTE_GRAPH, "the VAE has memory for one frame at a time");
    return 0;
}
