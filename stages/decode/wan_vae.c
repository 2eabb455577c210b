#include "stages/decode/wan_vae.h"

#include <math.h>

#include "stages/decode/wan_vae_impl.h"

int wan_vae_channels(const struct wan_vae *v)
{
    return v->channels;
}

int wan_vae_time_factor(const struct wan_vae *v)
{
    int factor = 1;
    for (int i = 0; i < v->blocks - 1; i++)
        factor *= v->doubles_time[i] ? 2 : 1;
    return factor;
}

int wan_vae_space_factor(const struct wan_vae *v)
{
    return 1 << (v->blocks - 1);
}

int wan_vae_frames(const struct wan_vae *v, int latent_frames)
{
    return 1 + (latent_frames - 1) * wan_vae_time_factor(v);
}

/* Latents that go through together. */
struct pass {
    struct wan_vae *v;
    bool first;   /* nothing was before them */
    int64_t made; /* pictures in v->rgb */
};

struct tensor vae_frames(const struct tensor *flat, int64_t n, int64_t h, int64_t w, int64_t c)
{
    return TENSOR_VIEW(tensor_slice(*flat, 0, 0, n * h * w * c), n, h, w, c);
}

/* Frames like x's, of other channels. */
static struct tensor like(const struct tensor *flat, const struct tensor *x, int64_t channels)
{
    return vae_frames(flat, x->shape[0], x->shape[1], x->shape[2], channels);
}

/* ---- causal convolutions */

static bool is_ring(const struct vae_causal *c)
{
    return c->past.shape[0] == c->conv.kt;
}

/* A slice of n frames with its past in front. */
static struct tensor padded(const struct wan_vae *v, const struct vae_causal *c, int64_t n)
{
    const int64_t *s = c->past.shape;

    return vae_frames(&v->padded, n + c->conv.kt - 1, s[1], s[2], s[3]);
}

/* Where the next n input frames go. */
static struct tensor causal_next(const struct wan_vae *v, const struct vae_causal *c, int64_t n)
{
    if (is_ring(c))
        return tensor_slice(c->past, 0, c->seen % c->conv.kt, 1);
    return tensor_slice(padded(v, c, n), 0, c->conv.kt - 1, n);
}

/* They have been filled: what `conv` makes of each and the two before, which are zeros at the
 * beginning. */
static void causal_run(const struct wan_vae *v, const struct vae_causal *c, const struct conv *conv,
                       struct tensor *out, const struct tensor *residual)
{
    struct tensor tap[CONV_MAX_TAPS];
    const struct tensor *x[CONV_MAX_TAPS];
    int64_t taps = c->conv.kt, n = out->shape[0];

    for (int i = 0; i < taps; i++) {
        int64_t at = c->seen - (taps - 1 - i);
        if (is_ring(c) && at >= 0)
            tap[i] = tensor_slice(c->past, 0, at % taps, 1);
        else if (!is_ring(c))
            tap[i] = tensor_slice(padded(v, c, n), 0, i, n);
        x[i] = is_ring(c) && at < 0 ? NULL : &tap[i];
    }
    op_conv(v->device, out, x, conv, residual);
}

/* Before: what was before the n frames, in front of them. */
static void causal_recall(const struct wan_vae *v, const struct vae_causal *c, int64_t n)
{
    struct tensor front;

    if (is_ring(c))
        return;
    front = tensor_slice(padded(v, c, n), 0, 0, c->conv.kt - 1);
    op_copy(v->device, &front, &c->past);
}

/* After: the last of them are the past. */
static void causal_remember(const struct wan_vae *v, struct vae_causal *c, int64_t n)
{
    struct tensor last;

    if (is_ring(c)) {
        c->seen += n;
        return;
    }
    last = tensor_slice(padded(v, c, n), 0, n, c->conv.kt - 1);
    op_copy(v->device, &c->past, &last);
}

/* out = the convolution of the normed and activated frames of x, + residual. */
static void normed_convolution(const struct wan_vae *v, const struct tensor *x,
                               const struct tensor *norm, struct vae_causal *c, struct tensor *out,
                               const struct tensor *residual)
{
    struct tensor next = causal_next(v, c, x->shape[0]);

    causal_recall(v, c, x->shape[0]);
    op_channel_norm(v->device, &next, x, norm, ACT_SILU);
    causal_run(v, c, &c->conv, out, residual);
    causal_remember(v, c, x->shape[0]);
}

/* ---- blocks */

/* x becomes the block's output, in place where the widths agree; returns where it is. */
static struct tensor resnet(const struct wan_vae *v, struct vae_resnet *r, struct tensor x)
{
    struct tensor between = like(&r->between, &x, r->out), out = x;
    const struct tensor *in = &x;

    if (r->in != r->out) {
        out = like(&r->result, &x, r->out);
        op_conv(v->device, &out, &in, &r->shortcut, NULL);
    }
    normed_convolution(v, &x, &r->norm1, &r->conv1, &between, NULL);
    normed_convolution(v, &between, &r->norm2, &r->conv2, &out, &out);
    return out;
}

/* One head over the pixels of a frame. */
static void attend(const struct wan_vae *v, struct tensor *x)
{
    struct device *d = v->device;
    int64_t n = x->shape[0], pixels = x->shape[1] * x->shape[2], dim = x->shape[3];
    struct tensor normed = like(&v->normed, x, dim), attended = like(&v->attended, x, dim);
    struct tensor qkv = like(&v->qkv_frame, x, 3 * dim);
    struct tensor rows = TENSOR_VIEW(qkv, n, pixels, 1, 3 * dim);
    struct tensor q = tensor_slice(rows, 3, 0, dim), k = tensor_slice(rows, 3, dim, dim);
    struct tensor value = tensor_slice(rows, 3, 2 * dim, dim);
    struct tensor out = TENSOR_VIEW(attended, n, pixels, 1, dim);
    const struct tensor *from = &normed, *told = &attended;

    op_channel_norm(d, &normed, x, &v->attention_norm, ACT_NONE);
    op_conv(d, &qkv, &from, &v->qkv, NULL);
    op_attention(d, &out, &q, &k, &value, 1 / sqrtf((float)dim), NULL);
    op_conv(d, x, &told, &v->attention_out, x);
}

static void leave(struct pass *p, const struct tensor *x)
{
    struct wan_vae *v = p->v;
    struct tensor rgb = tensor_slice(v->rgb, 0, p->made, x->shape[0]);

    normed_convolution(v, x, &v->norm_out, &v->out, &rgb, NULL);
    p->made += x->shape[0];
}

/* Frames of out, every `step`th from `first` on. */
static struct tensor every(const struct tensor *out, int64_t first, int64_t step, int64_t count)
{
    struct tensor t = tensor_slice(*out, 0, first, 1);

    t.shape[0] = count;
    t.stride[0] = step * out->stride[0];
    return t;
}

/* The first frame of all passes once, and leaves no trace in the history of the convolution in
 * time; every later one becomes two. */
static struct tensor double_time(const struct pass *p, struct vae_block *b, struct tensor x)
{
    const struct wan_vae *v = p->v;
    int64_t first = p->first, n = x.shape[0] - first;
    struct tensor all = vae_frames(&b->moment, first + 2 * n, x.shape[1], x.shape[2], b->out);

    if (first) {
        struct tensor from = tensor_slice(x, 0, 0, 1), to = tensor_slice(all, 0, 0, 1);
        op_copy(v->device, &to, &from);
    }
    if (n > 0) {
        struct tensor from = tensor_slice(x, 0, first, n), next = causal_next(v, &b->time, n);
        struct tensor even = every(&all, first, 2, n), odd = every(&all, first + 1, 2, n);
        causal_recall(v, &b->time, n);
        op_copy(v->device, &next, &from);
        causal_run(v, &b->time, &b->time.conv, &even, NULL);
        causal_run(v, &b->time, &b->time_odd, &odd, NULL);
        causal_remember(v, &b->time, n);
    }
    return all;
}

static void up_from(struct pass *p, int i, const struct tensor *frames);

static void leave_block(struct pass *p, int i, const struct tensor *x)
{
    if (i + 1 == p->v->blocks)
        leave(p, x);
    else
        up_from(p, i + 1, x);
}

/* Frames enter block i, as many at once as it takes, and go on through all that follow. */
static void up_from(struct pass *p, int i, const struct tensor *frames)
{
    struct wan_vae *v = p->v;
    struct vae_block *b = &v->block[i];
    int64_t n = frames->shape[0];

    for (int64_t at = 0, count; at < n; at += count) {
        struct tensor x, large;
        const struct tensor *from = &x;
        count = n - at < b->together ? n - at : b->together;
        x = tensor_slice(*frames, 0, at, count);
        for (int r = 0; r < v->resnets; r++)
            x = resnet(v, &b->resnets[r], x);
        if (!b->upsamples) {
            leave_block(p, i, &x);
            continue;
        }
        if (b->doubles_time)
            x = double_time(p, b, x);
        large = vae_frames(&b->result, x.shape[0], 2 * x.shape[1], 2 * x.shape[2], b->out / 2);
        op_conv(v->device, &large, &from, &b->resample, NULL);
        leave_block(p, i, &large);
    }
}

/* ---- the pass */

/* Frames t .. of [C, T, H, W] as [n, H, W, C]. */
static void gather_channels(struct tensor *to, const struct tensor *latents, int64_t t)
{
    int64_t channels = latents->shape[0], area = latents->shape[2] * latents->shape[3];
    const float *from = (const float *)latents->data + t * area;

    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < to->shape[0] * area; i++)
            ((float *)to->data)[i * channels + c] = from[c * latents->shape[1] * area + i];
}

/* The n frames in v->planes become pictures in v->rgb. Operations alone and, where nothing is kept
 * in rings, the same for the same key. */
static void forward(struct wan_vae *v, int64_t n, bool first)
{
    struct pass p = {.v = v, .first = first};
    struct tensor planes = tensor_slice(v->planes, 0, 0, n);
    struct tensor scaled = like(&v->latent, &planes, v->channels);
    struct tensor x = like(&v->x, &planes, v->in.conv.out), next = causal_next(v, &v->in, n);
    const struct tensor *from = &scaled;

    op_modulate(v->device, &scaled, &planes, &v->scale, &v->mean);
    causal_recall(v, &v->in, n);
    op_conv(v->device, &next, &from, &v->post_quant, NULL);
    causal_run(v, &v->in, &v->in.conv, &x, NULL);
    causal_remember(v, &v->in, n);
    resnet(v, &v->mid[0], x);
    attend(v, &x);
    resnet(v, &v->mid[1], x);
    up_from(&p, 0, &x);
}

static void forward_recorded(struct wan_vae *v, int64_t n, bool first)
{
    const struct {
        int64_t frames, first, together, height, width;
        const void *planes, *x, *rgb;
    } key = {n, first, v->latents, v->height, v->width, v->planes.data, v->x.data, v->rgb.data};
    struct device_graph *graph = device_graph_for(&v->graphs, &key, sizeof key);

    graph->of = "Decoding";
    while (device_graph(v->device, graph, &key, sizeof key))
        forward(v, n, first);
}

static int decode_frames(struct wan_vae *v, const struct tensor *latents, int64_t t, int64_t n,
                         struct picture_stream *to)
{
    struct tensor host = tensor_slice(v->host_planes, 0, 0, n);
    struct tensor planes = tensor_slice(v->planes, 0, 0, n);
    int64_t made = n * wan_vae_time_factor(v) - (t ? 0 : wan_vae_time_factor(v) - 1);
    struct tensor rgb = tensor_slice(v->rgb, 0, 0, made);

    gather_channels(&host, latents, t);
    op_write(v->device, &planes, &host);
    if (is_ring(&v->in))
        forward(v, n, t == 0);
    else
        forward_recorded(v, n, t == 0);
    return picture_stream_put(to, &rgb);
}

static void forget_one(const struct wan_vae *v, struct vae_causal *c)
{
    struct tensor nothing = c->past;

    c->seen = 0;
    if (is_ring(c))
        return;
    nothing.data = v->zero.data;
    for (int i = 0; i < nothing.rank; i++)
        nothing.stride[i] = 0;
    op_copy(v->device, &c->past, &nothing);
}

static void forget_resnet(const struct wan_vae *v, struct vae_resnet *r)
{
    forget_one(v, &r->conv1);
    forget_one(v, &r->conv2);
}

/* No convolution remembers the frames of another decode. */
static void forget(struct wan_vae *v)
{
    forget_one(v, &v->in);
    forget_one(v, &v->out);
    for (int i = 0; i < 2; i++)
        forget_resnet(v, &v->mid[i]);
    for (int i = 0; i < v->blocks; i++) {
        struct vae_block *b = &v->block[i];
        if (b->upsamples && b->doubles_time)
            forget_one(v, &b->time);
        for (int r = 0; r < v->resnets; r++)
            forget_resnet(v, &b->resnets[r]);
    }
}

/* Who gets the pictures, which the published decoder cuts off at -1 and 1. */
struct clamped {
    wan_vae_frame_fn *frame;
    void *ctx;
    float *picture;
};

static int clamp(void *ctx, int index, const float *rgb, int width, int height, struct error *e)
{
    const struct clamped *c = ctx;
    float *to = c->picture;

    for (int64_t i = 0; i < (int64_t)width * height * 3; i++) /* NaN stays, to be noticed */
        to[i] = rgb[i] < -1 ? -1 : rgb[i] > 1 ? 1 : rgb[i];
    return c->frame(c->ctx, index, to, width, height, e);
}

int wan_vae_decode(struct wan_vae *v, const struct tensor *latents, wan_vae_frame_fn *frame,
                   void *ctx, struct error *e)
{
    struct clamped out = {frame, ctx, NULL};
    struct picture_stream to = {.device = v->device, .take = clamp, .ctx = &out, .error = e};
    char text[96];

    if (latents->rank != 4 || latents->shape[0] != v->channels || tensor_count(latents) < 1)
        return error_set(e, ERROR_MODEL, "%s: latents of shape %s do not fit a VAE of %d channels",
                         v->dir, tensor_shape_text(latents, text, sizeof text), v->channels);
    if (vae_make_frames(v, latents->shape[2], latents->shape[3], e))
        return -1;
    out.picture = v->picture;
    forget(v);
    for (int64_t t = 0, n; t < latents->shape[1]; t += n) {
        n = latents->shape[1] - t < v->latents ? latents->shape[1] - t : v->latents;
        if (decode_frames(v, latents, t, n, &to))
            return -1;
    }
    return picture_stream_end(&to);
}

static double conv_flops(const struct conv *c, double pixels)
{
    return 2 * pixels * (double)(c->in * c->out) * c->kt * c->kh * c->kw;
}

static double resnet_flops(const struct vae_resnet *r, double pixels)
{
    return conv_flops(&r->conv1.conv, pixels) + conv_flops(&r->conv2.conv, pixels) +
           (r->in != r->out ? conv_flops(&r->shortcut, pixels) : 0);
}

double wan_vae_flops(const struct wan_vae *v, const int64_t shape[4])
{
    double area = (double)(shape[2] * shape[3]), frames = (double)shape[1], pixels = area * frames;
    double dim = (double)v->in.conv.out;
    double sum = conv_flops(&v->post_quant, pixels) + conv_flops(&v->in.conv, pixels) +
                 resnet_flops(&v->mid[0], pixels) + resnet_flops(&v->mid[1], pixels) +
                 conv_flops(&v->qkv, pixels) + conv_flops(&v->attention_out, pixels) +
                 4 * area * area * dim * frames;

    for (int i = 0; i < v->blocks; i++) {
        const struct vae_block *b = &v->block[i];
        for (int r = 0; r < v->resnets; r++)
            sum += resnet_flops(&b->resnets[r], pixels);
        if (!b->upsamples)
            continue;
        if (b->doubles_time) {
            sum += 2 * conv_flops(&b->time.conv, area * (frames - 1));
            frames = 2 * frames - 1;
        }
        area *= 4;
        pixels = area * frames;
        sum += conv_flops(&b->resample, pixels);
    }
    return sum + conv_flops(&v->out.conv, pixels);
}
