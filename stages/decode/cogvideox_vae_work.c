/* What the decoder needs for one size of latents: the largest clip that lies in each buffer, found
 * by following the pass (cogvideox_vae.c) with sizes alone. */
#include "stages/decode/cogvideox_vae_impl.h"

struct needs {
    int64_t frames[2], padded, table, widest; /* elements; channels */
};

static void at_least(int64_t *room, int64_t count)
{
    *room = *room > count ? *room : count;
}

static void follow_resnet(const struct cogvideox_resnet *r, struct cogvideox_clip *x,
                          struct needs *needs)
{
    int64_t area = x->h * x->w, widest = r->in > r->out ? r->in : r->out;

    at_least(&needs->frames[x->at], x->n * area * r->in);
    at_least(&needs->frames[!x->at], x->n * area * r->out);
    at_least(&needs->padded, (x->n + 2) * area * widest);
    at_least(&needs->table, x->n * widest);
    at_least(&needs->widest, widest);
    if (r->in != r->out)
        x->at = !x->at;
    x->c = r->out;
}

static void follow_upsampling(const struct cogvideox_up_block *b, struct cogvideox_clip *x,
                              struct needs *needs)
{
    x->h *= 2;
    x->w *= 2;
    at_least(&needs->frames[!x->at], x->n * x->h * x->w * x->c);
    if (!b->doubles_time || x->n == 1) {
        x->at = !x->at;
        return;
    }
    x->n = cogvideox_doubled(x->n);
    at_least(&needs->frames[x->at], x->n * x->h * x->w * x->c);
}

static struct cogvideox_clip follow(const struct cogvideox_vae *v, struct cogvideox_clip x,
                                    struct needs *needs)
{
    at_least(&needs->padded, (x.n + 2) * x.h * x.w * v->channels);
    for (int i = 0; i < 2; i++)
        follow_resnet(&v->mid[i], &x, needs);
    for (int i = 0; i < v->blocks; i++) {
        for (int r = 0; r < v->resnets; r++)
            follow_resnet(&v->block[i].resnets[r], &x, needs);
        if (v->block[i].upsamples)
            follow_upsampling(&v->block[i], &x, needs);
    }
    return x;
}

static struct tensor flat(struct cogvideox_vae *v, int64_t count, bool *failed)
{
    struct tensor t = ACTIVATION_NEW(v->device, &v->work, count);
    *failed |= !t.data;
    return t;
}

static void make_past(struct cogvideox_vae *v, struct cogvideox_causal *c, int64_t h, int64_t w,
                      bool *failed)
{
    c->past = ACTIVATION_NEW(v->device, &v->work, 2, h, w, c->conv.in);
    *failed |= !c->past.data;
}

static void make_pasts(struct cogvideox_vae *v, int64_t h, int64_t w, bool *failed)
{
    make_past(v, &v->in, h, w, failed);
    for (int i = 0; i < 2; i++) {
        make_past(v, &v->mid[i].conv1, h, w, failed);
        make_past(v, &v->mid[i].conv2, h, w, failed);
    }
    for (int i = 0; i < v->blocks; i++) {
        for (int r = 0; r < v->resnets; r++) {
            make_past(v, &v->block[i].resnets[r].conv1, h, w, failed);
            make_past(v, &v->block[i].resnets[r].conv2, h, w, failed);
        }
        if (v->block[i].upsamples) {
            h *= 2;
            w *= 2;
        }
    }
    make_past(v, &v->out, h, w, failed);
}

int cogvideox_vae_make_work(struct cogvideox_vae *v, int64_t batch, int64_t height, int64_t width,
                            struct error *e)
{
    struct cogvideox_clip last, first = {0, batch, height, width, v->width[0]};
    struct needs needs = {0};
    int64_t n = batch;
    bool failed = false;

    if (v->batch == batch && v->latent_height == height && v->latent_width == width)
        return 0;
    arena_free(&v->work);
    v->batch = 0;
    last = follow(v, first, &needs);
    v->planar = TENSOR_NEW(&v->work, batch, v->channels, height, width);
    for (int i = 0; i <= v->time_doublings; i++) {
        v->latents[i] = flat(v, n * height * width * v->channels, &failed);
        n = n == 1 ? 1 : cogvideox_doubled(n);
    }
    for (int i = 0; i < 2; i++)
        v->frames[i] = flat(v, needs.frames[i], &failed);
    v->padded = flat(v, needs.padded, &failed);
    v->scales = flat(v, needs.table * height * width, &failed);
    v->shifts = flat(v, needs.table * height * width, &failed);
    make_pasts(v, height, width, &failed);
    v->affine = TENSOR_NEW(&v->work, 3 * needs.widest);
    v->rgb = TENSOR_NEW(&v->work, last.n, last.h, last.w, 3);
    if (failed || !v->planar.data || !v->affine.data || !v->rgb.data)
        return error_memory(e);
    v->batch = batch;
    v->latent_height = height;
    v->latent_width = width;
    return 0;
}

static int64_t past_of(const struct cogvideox_causal *c, int64_t pixels)
{
    return 2 * pixels * c->conv.in;
}

size_t cogvideox_vae_bytes(const struct cogvideox_vae *v, int64_t frames, int64_t height,
                           int64_t width)
{
    int64_t batch = frames < COGVIDEOX_BATCH ? frames : COGVIDEOX_BATCH + frames % COGVIDEOX_BATCH;
    struct cogvideox_clip last, first = {0, batch, height, width, v->width[0]};
    int64_t pixels = height * width, pasts = past_of(&v->in, pixels);
    struct needs needs = {0};

    last = follow(v, first, &needs);
    for (int i = 0; i < 2; i++)
        pasts += past_of(&v->mid[i].conv1, pixels) + past_of(&v->mid[i].conv2, pixels);
    for (int i = 0; i < v->blocks; i++) {
        for (int r = 0; r < v->resnets; r++)
            pasts += past_of(&v->block[i].resnets[r].conv1, pixels) +
                     past_of(&v->block[i].resnets[r].conv2, pixels);
        pixels *= v->block[i].upsamples ? 4 : 1;
    }
    pasts += past_of(&v->out, pixels);
    return (size_t)(needs.frames[0] + needs.frames[1] + needs.padded + pasts +
                    2 * needs.table * height * width) *
               dtype_size(device_activations(v->device)) +
           (size_t)(last.n * last.h * last.w) * (3 + 2 * 3 + 8) * sizeof(float);
}
