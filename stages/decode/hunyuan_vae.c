#include "stages/decode/hunyuan_vae.h"

#include <math.h>
#include <string.h>

#include "stages/decode/hunyuan_vae_impl.h"

#define EPS 1e-6f /* of every norm; not in config.json */

enum { TIME_FACTOR = 4 };

int hunyuan_vae_channels(const struct hunyuan_vae *v)
{
    return v->channels;
}

int hunyuan_vae_time_factor(const struct hunyuan_vae *v)
{
    (void)v; /* others are refused at load */
    return TIME_FACTOR;
}

int hunyuan_vae_space_factor(const struct hunyuan_vae *v)
{
    return v->space_factor;
}

int hunyuan_vae_frames(const struct hunyuan_vae *v, int latent_frames)
{
    return 1 + (latent_frames - 1) * hunyuan_vae_time_factor(v);
}

/* One pass over a clip; or, before it, the same way gone without computing, to see how large the
 * clips must be. */
struct pass {
    struct hunyuan_vae *v;
    bool measuring;
    int64_t need[HUNYUAN_VAE_CLIPS];
};

/* Where the picture is: a view [frames, height, width, channels] of clip `at`. */
struct clip {
    int at;
    int64_t frames, height, width, channels;
    struct tensor t;
};

static struct clip clip_of(struct pass *p, int at, int64_t frames, int64_t height, int64_t width,
                           int64_t channels)
{
    struct clip c = {
        .at = at, .frames = frames, .height = height, .width = width, .channels = channels};
    int64_t count = frames * height * width * channels;

    if (p->measuring)
        p->need[at] = count > p->need[at] ? count : p->need[at];
    else
        c.t =
            TENSOR_VIEW(tensor_slice(p->v->clip[at], 0, 0, count), frames, height, width, channels);
    return c;
}

/* Of the same size as x, in one of the two clips where x is not (which: 1 or 2). */
static struct clip beside(struct pass *p, const struct clip *x, int which, int64_t channels)
{
    return clip_of(p, (x->at + which) % HUNYUAN_VAE_CLIPS, x->frames, x->height, x->width,
                   channels);
}

/* ---- layers */

static void norm(struct pass *p, struct clip *out, const struct clip *x,
                 const struct hunyuan_norm *n, enum activation act)
{
    struct tensor from, to;

    if (p->measuring)
        return;
    from = TENSOR_VIEW(x->t, 1, x->frames, x->height, x->width, x->channels);
    to = TENSOR_VIEW(out->t, 1, x->frames, x->height, x->width, x->channels);
    op_group_norm(p->v->device, &to, &from, p->v->groups, &n->weight, &n->bias, EPS, act);
}

/* Output frames `first` and on, count of them, from the input frames that begin at from[tap]. */
static void convolve_run(struct pass *p, struct clip *out, const struct clip *x,
                         const struct conv *w, const struct clip *residual, int64_t first,
                         int64_t count, const int64_t from[CONV_MAX_TAPS])
{
    struct tensor taps[CONV_MAX_TAPS], to, add;
    const struct tensor *x_at[CONV_MAX_TAPS];

    if (count < 1)
        return;
    to = tensor_slice(out->t, 0, first, count);
    if (residual)
        add = tensor_slice(residual->t, 0, first, count);
    for (int i = 0; i < w->kt; i++) {
        taps[i] = tensor_slice(x->t, 0, from[i], count);
        x_at[i] = &taps[i];
    }
    op_conv(p->v->device, &to, x_at, w, residual ? &add : NULL);
}

/* Causal: the first frame stands for those before it. */
static void convolve(struct pass *p, struct clip *out, const struct clip *x, const struct conv *w,
                     const struct clip *residual)
{
    if (p->measuring)
        return;
    if (w->kt == 1) {
        convolve_run(p, out, x, w, residual, 0, x->frames, (const int64_t[]){0, 0, 0});
        return;
    }
    convolve_run(p, out, x, w, residual, 0, 1, (const int64_t[]){0, 0, 0});
    if (x->frames > 1)
        convolve_run(p, out, x, w, residual, 1, 1, (const int64_t[]){0, 0, 1});
    convolve_run(p, out, x, w, residual, 2, x->frames - 2, (const int64_t[]){0, 1, 2});
}

/* The same over x with every frame but the first shown twice: of the three frames that an output
 * sees, two are the same. */
static void convolve_doubled(struct pass *p, struct clip *out, const struct clip *x,
                             const struct conv *w)
{
    if (p->measuring)
        return;
    convolve_run(p, out, x, w, NULL, 0, 1, (const int64_t[]){0, 0, 0});
    for (int64_t t = 1; t < x->frames; t++) {
        convolve_run(p, out, x, w, NULL, 2 * t - 1, 1, (const int64_t[]){t - 1, t - 1, t});
        convolve_run(p, out, x, w, NULL, 2 * t, 1, (const int64_t[]){t - 1, t, t});
    }
}

/* x is spoilt; returns where the result is. */
static struct clip resnet(struct pass *p, struct clip x, const struct hunyuan_resnet *r)
{
    struct clip between = beside(p, &x, 1, r->out), out = x;

    if (r->in != r->out) { /* the sum is begun before x is normed where it is */
        out = beside(p, &x, 2, r->out);
        convolve(p, &out, &x, &r->shortcut, NULL);
        norm(p, &x, &x, &r->norm_1, ACT_SILU);
        convolve(p, &between, &x, &r->conv_1, NULL);
        norm(p, &between, &between, &r->norm_2, ACT_SILU);
    } else {
        struct clip normed = beside(p, &x, 2, r->in);
        norm(p, &normed, &x, &r->norm_1, ACT_SILU);
        convolve(p, &between, &normed, &r->conv_1, NULL);
        norm(p, &between, &between, &r->norm_2, ACT_SILU);
    }
    convolve(p, &out, &between, &r->conv_2, &out);
    return out;
}

/* One head over all pixels of a frame and of the frames before it. */
static void attend(struct pass *p, struct clip *x)
{
    struct hunyuan_vae *v = p->v;
    int64_t dim = x->channels, pixels = x->height * x->width, rows = x->frames * pixels;
    struct clip normed = beside(p, x, 1, dim), qkv = beside(p, x, 2, 3 * dim);
    struct tensor flat, told, all;

    if (!v->attends)
        return;
    norm(p, &normed, x, &v->attention_norm, ACT_NONE);
    if (p->measuring)
        return;
    flat = TENSOR_VIEW(x->t, rows, dim);
    told = TENSOR_VIEW(normed.t, rows, dim);
    all = TENSOR_VIEW(qkv.t, rows, 3 * dim);
    op_linear(v->device, &all, &told, &v->qkv, ACT_NONE);
    all = TENSOR_VIEW(qkv.t, rows, 1, 3 * dim);
    for (int64_t t = 0; t < x->frames; t++) {
        struct tensor queries = tensor_slice(all, 0, t * pixels, pixels);
        struct tensor seen = tensor_slice(all, 0, 0, (t + 1) * pixels);
        struct tensor q = tensor_slice(queries, 2, 0, dim), k = tensor_slice(seen, 2, dim, dim);
        struct tensor value = tensor_slice(seen, 2, 2 * dim, dim);
        struct tensor out = TENSOR_VIEW(tensor_slice(told, 0, t * pixels, pixels), pixels, 1, dim);
        op_attention(v->device, &out, &q, &k, &value, 1 / sqrtf((float)dim), NULL);
    }
    op_linear_add(v->device, &flat, &told, &v->attention_out, &flat);
}

static struct clip up(struct pass *p, struct clip x, const struct hunyuan_up *b)
{
    int64_t scale = b->doubles_space ? 2 : 1;
    struct clip out;

    for (int r = 0; r < p->v->resnets; r++)
        x = resnet(p, x, &b->resnets[r]);
    if (!b->doubles_time && !b->doubles_space)
        return x;
    out = clip_of(p, (x.at + 1) % HUNYUAN_VAE_CLIPS, b->doubles_time ? 2 * x.frames - 1 : x.frames,
                  x.height * scale, x.width * scale, x.channels);
    if (b->doubles_time)
        convolve_doubled(p, &out, &x, &b->enlarge);
    else
        convolve(p, &out, &x, &b->enlarge, NULL);
    return out;
}

/* From latents in v->host_latents to a clip of three channels. */
static struct clip run(struct pass *p, int64_t frames, int64_t height, int64_t width)
{
    struct hunyuan_vae *v = p->v;
    struct clip z = clip_of(p, 0, frames, height, width, v->channels);
    struct clip latents = beside(p, &z, 1, v->channels), x, rgb;

    if (!p->measuring) {
        struct tensor host = TENSOR_F32(v->host_latents, frames, height, width, v->channels);
        op_write(v->device, &z.t, &host);
    }
    convolve(p, &latents, &z, &v->post_quant, NULL);
    x = beside(p, &latents, 1, v->width[v->blocks - 1]);
    convolve(p, &x, &latents, &v->in, NULL);
    x = resnet(p, x, &v->mid[0]);
    attend(p, &x);
    x = resnet(p, x, &v->mid[1]);
    for (int i = 0; i < v->blocks; i++)
        x = up(p, x, &v->block[i]);
    norm(p, &x, &x, &v->norm_out, ACT_SILU);
    rgb = beside(p, &x, 1, 3);
    convolve(p, &rgb, &x, &v->out, NULL);
    return rgb;
}

/* ---- memory for one size */

static int make_clips(struct hunyuan_vae *v, const int64_t shape[3], struct error *e)
{
    struct pass p = {.v = v, .measuring = true};
    struct clip rgb = run(&p, shape[0], shape[1], shape[2]);
    int64_t pixels = rgb.frames * rgb.height * rgb.width, total = 0;
    bool failed = false;

    v->work = device_arena(v->device);
    for (int i = 0; i < HUNYUAN_VAE_CLIPS; i++) {
        total += p.need[i];
        v->clip[i] = ACTIVATION_NEW(v->device, &v->work, p.need[i]);
        failed |= !v->clip[i].data;
    }
    v->host_latents = arena_array(&v->host, (size_t)(shape[0] * shape[1] * shape[2] * v->channels),
                                  sizeof(float));
    v->pixels = arena_array(&v->host, (size_t)pixels * 3, sizeof(float));
    if (!failed && v->host_latents && v->pixels)
        return 0;
    return error_set(e, ERROR_MEMORY,
                     "out of memory: decoding %lld frames of %lld x %lld at once takes %.1f GB; "
                     "fewer frames or a smaller picture need less",
                     (long long)rgb.frames, (long long)rgb.width, (long long)rgb.height,
                     (double)total * (double)dtype_size(device_activations(v->device)) / 1e9);
}

static int make_work(struct hunyuan_vae *v, const int64_t shape[3], struct error *e)
{
    if (memcmp(v->shape, shape, sizeof v->shape) == 0)
        return 0;
    arena_free(&v->work);
    arena_free(&v->host);
    memset(v->shape, 0, sizeof v->shape);
    if (make_clips(v, shape, e))
        return -1;
    memcpy(v->shape, shape, sizeof v->shape);
    return 0;
}

/* ---- a clip */

/* Frames from .. of [C, T, H, W] to [T, H, W, C], scaled: as many as work is for. */
static void take_latents(struct hunyuan_vae *v, const struct tensor *latents, int64_t from)
{
    int64_t frame = latents->shape[2] * latents->shape[3], area = v->shape[0] * frame;
    float scaling = (float)v->scaling;

    for (int64_t c = 0; c < v->channels; c++) {
        const float *plane = (const float *)latents->data + (c * latents->shape[1] + from) * frame;
        for (int64_t i = 0; i < area; i++)
            v->host_latents[i * v->channels + c] = plane[i] / scaling;
    }
}

/* Latent frames from .. from + count - 1 become v->pixels. */
static int decode_tile(struct hunyuan_vae *v, const struct tensor *latents, int64_t from,
                       int64_t count, struct clip *out, struct error *e)
{
    struct pass p = {.v = v};
    struct tensor host;

    if (make_work(v, (int64_t[]){count, latents->shape[2], latents->shape[3]}, e))
        return -1;
    take_latents(v, latents, from);
    *out = run(&p, v->shape[0], v->shape[1], v->shape[2]);
    host = TENSOR_F32(v->pixels, out->frames, out->height, out->width, 3);
    op_read(v->device, &host, &out->t);
    return device_status(v->device, e);
}

/* What of one tile the next one needs: its last pictures. */
struct tail {
    float *pixels; /* [OVERLAP][height][width][3] */
    int64_t frames;
};
enum { OVERLAP = TIME_FACTOR };

/* The first pictures of a tile come out of the last of the tile before. */
static void fade(const struct tail *before, float *pixels, int64_t frames, int64_t picture)
{
    int64_t extent = before->frames < OVERLAP ? before->frames : OVERLAP;

    extent = extent < frames ? extent : frames;
    for (int64_t x = 0; x < extent; x++) {
        const float *old = before->pixels + (before->frames - extent + x) * picture;
        float part = (float)x / (float)extent;
        for (int64_t i = 0; i < picture; i++)
            pixels[x * picture + i] = old[i] * (1 - part) + pixels[x * picture + i] * part;
    }
}

static void keep_tail(struct tail *t, const float *pixels, int64_t frames, int64_t picture)
{
    t->frames = frames < OVERLAP ? frames : OVERLAP;
    memcpy(t->pixels, pixels + (frames - t->frames) * picture,
           (size_t)(t->frames * picture) * sizeof *pixels);
}

static int deliver(const struct clip *tile, const float *pixels, int64_t count, int *index,
                   hunyuan_vae_frame_fn *frame, void *ctx, struct error *e)
{
    for (int64_t i = 0; i < count; i++, (*index)++)
        if (frame(ctx, *index, pixels + i * tile->height * tile->width * 3, (int)tile->width,
                  (int)tile->height, e))
            return -1;
    return 0;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The published pipeline's way through a clip that is longer than a tile. */
static int decode_tiles(struct hunyuan_vae *v, const struct tensor *latents,
                        hunyuan_vae_frame_fn *frame, void *ctx, struct error *e)
{
    int64_t length = v->tile / TIME_FACTOR, stride = length - 1, frames = latents->shape[1];
    int64_t picture = latents->shape[2] * latents->shape[3] * v->space_factor * v->space_factor * 3;
    int64_t total = hunyuan_vae_frames(v, (int)frames);
    struct arena a = {0};
    struct tail before = {arena_array(&a, (size_t)(OVERLAP * picture), sizeof(float)), 0};
    int index = 0, rc = before.pixels ? 0 : error_memory(e);

    for (int64_t from = 0; rc == 0 && from < frames && index < total; from += stride) {
        int64_t first = from > 0; /* of a later tile the first picture is the beginning's own */
        struct clip tile = {0};
        float *pixels;
        rc = decode_tile(v, latents, from, least(length + 1, frames - from), &tile, e);
        if (rc)
            break;
        pixels = v->pixels + first * picture;
        fade(&before, pixels, tile.frames - first, picture);
        keep_tail(&before, pixels, tile.frames - first, picture);
        rc = deliver(
            &tile, pixels,
            least(least(stride * TIME_FACTOR + 1 - first, tile.frames - first), total - index),
            &index, frame, ctx, e);
    }
    arena_free(&a);
    return rc;
}

void hunyuan_vae_tile(struct hunyuan_vae *v, int pictures)
{
    v->tile = pictures;
}

int hunyuan_vae_decode(struct hunyuan_vae *v, const struct tensor *latents,
                       hunyuan_vae_frame_fn *frame, void *ctx, struct error *e)
{
    struct clip whole;
    char text[96];
    int index = 0;

    if (latents->rank != 4 || latents->shape[0] != v->channels || tensor_count(latents) < 1)
        return error_set(e, ERROR_MODEL, "%s: latents of shape %s do not fit a VAE of %d channels",
                         v->dir, tensor_shape_text(latents, text, sizeof text), v->channels);
    if (v->tile && latents->shape[1] > v->tile / TIME_FACTOR)
        return decode_tiles(v, latents, frame, ctx, e);
    if (decode_tile(v, latents, 0, latents->shape[1], &whole, e))
        return -1;
    return deliver(&whole, v->pixels, whole.frames, &index, frame, ctx, e);
}
