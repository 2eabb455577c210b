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

/* One pass over the latents: who gets the pictures, and how many there were. */
struct pass {
    struct wan_vae *v;
    wan_vae_frame_fn *frame;
    void *ctx;
    int count;
    struct error *error;
};

/* Where the next input frame of a causal convolution goes. */
static struct tensor *causal_next(struct vae_causal *c)
{
    return &c->ring[c->seen % c->conv.kt];
}

/* That frame has been filled: convolve it with the two before, or with zeros at the beginning. */
static void causal_run(struct device *d, struct vae_causal *c, const struct conv *conv,
                       struct tensor *out, const struct tensor *residual)
{
    const struct tensor *x[CONV_MAX_TAPS];
    int taps = c->conv.kt;

    for (int i = 0; i < taps; i++) {
        int64_t at = c->seen - (taps - 1 - i);
        x[i] = at < 0 ? NULL : &c->ring[at % taps];
    }
    op_conv(d, out, x, conv, residual);
}

/* x becomes the block's output, in place where the widths agree; returns where it is. */
static struct tensor *resnet(struct device *d, struct vae_resnet *r, struct tensor *x)
{
    const struct tensor *in = x;
    struct tensor *out = x;

    if (r->in != r->out) {
        out = &r->result;
        op_conv(d, out, &in, &r->shortcut, NULL);
    }
    op_channel_norm(d, causal_next(&r->conv1), x, &r->norm1, ACT_SILU);
    causal_run(d, &r->conv1, &r->conv1.conv, &r->between, NULL);
    r->conv1.seen++;
    op_channel_norm(d, causal_next(&r->conv2), &r->between, &r->norm2, ACT_SILU);
    causal_run(d, &r->conv2, &r->conv2.conv, out, out);
    r->conv2.seen++;
    return out;
}

/* One head over the pixels of a frame. */
static void attend(struct wan_vae *v, struct tensor *x)
{
    struct device *d = v->device;
    int64_t pixels = x->shape[0] * x->shape[1], dim = x->shape[2];
    struct tensor rows = TENSOR_VIEW(v->qkv_frame, pixels, 1, 3 * dim);
    struct tensor q = tensor_slice(rows, 2, 0, dim), k = tensor_slice(rows, 2, dim, dim);
    struct tensor value = tensor_slice(rows, 2, 2 * dim, dim);
    struct tensor out = TENSOR_VIEW(v->attended, pixels, 1, dim);
    const struct tensor *normed = &v->normed, *attended = &v->attended;

    op_channel_norm(d, &v->normed, x, &v->attention_norm, ACT_NONE);
    op_conv(d, &v->qkv_frame, &normed, &v->qkv, NULL);
    op_attention(d, &out, &q, &k, &value, 1 / sqrtf((float)dim), NULL);
    op_conv(d, x, &attended, &v->attention_out, x);
}

static int deliver(struct pass *p, struct tensor *x)
{
    struct wan_vae *v = p->v;
    float *rgb = v->picture.data;

    op_channel_norm(v->device, causal_next(&v->out), x, &v->norm_out, ACT_SILU);
    causal_run(v->device, &v->out, &v->out.conv, &v->rgb, NULL);
    v->out.seen++;
    op_read(v->device, &v->picture, &v->rgb);
    if (device_status(v->device, p->error))
        return -1;
    for (int64_t i = 0; i < tensor_count(&v->picture); i++) /* NaN stays, to be noticed */
        rgb[i] = rgb[i] < -1 ? -1 : rgb[i] > 1 ? 1 : rgb[i];
    return p->frame(p->ctx, p->count++, rgb, (int)v->rgb.shape[1], (int)v->rgb.shape[0], p->error)
               ? -1
               : 0;
}

static int up_from(struct pass *p, int i, struct tensor *x);

static int enlarge(struct pass *p, int i, struct tensor *x)
{
    struct vae_block *b = &p->v->block[i];
    const struct tensor *in = x;

    op_conv(p->v->device, &b->result, &in, &b->resample, NULL);
    return up_from(p, i + 1, &b->result);
}

/* The first frame of all passes once, and leaves no trace in the history of the convolution in
 * time; every later one becomes two. */
static int double_time(struct pass *p, int i, struct tensor *x)
{
    struct vae_block *b = &p->v->block[i];
    struct device *d = p->v->device;

    if (p->count == 0)
        return enlarge(p, i, x);
    op_copy(d, causal_next(&b->time), x);
    causal_run(d, &b->time, &b->time.conv, &b->moment, NULL);
    if (enlarge(p, i, &b->moment))
        return -1;
    causal_run(d, &b->time, &b->time_odd, &b->moment, NULL);
    b->time.seen++;
    return enlarge(p, i, &b->moment);
}

/* A frame enters block i, and goes on through all that follow. */
static int up_from(struct pass *p, int i, struct tensor *x)
{
    struct wan_vae *v = p->v;
    struct vae_block *b = &v->block[i];

    if (i == v->blocks)
        return deliver(p, x);
    for (int r = 0; r < v->resnets; r++)
        x = resnet(v->device, &b->resnets[r], x);
    if (!b->upsamples)
        return up_from(p, i + 1, x);
    return b->doubles_time ? double_time(p, i, x) : enlarge(p, i, x);
}

/* Frame t of [C, T, H, W] as [H, W, C]. */
static void gather_channels(struct tensor *to, const struct tensor *latents, int64_t t)
{
    int64_t channels = latents->shape[0], area = latents->shape[2] * latents->shape[3];
    const float *from = (const float *)latents->data + t * area;

    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < area; i++)
            ((float *)to->data)[i * channels + c] = from[c * latents->shape[1] * area + i];
}

static int decode_frame(struct pass *p, const struct tensor *latents, int64_t t)
{
    struct wan_vae *v = p->v;
    struct device *d = v->device;
    const struct tensor *scaled = &v->latent;

    gather_channels(&v->host_planes, latents, t);
    op_write(d, &v->planes, &v->host_planes);
    op_modulate(d, &v->latent, &v->planes, &v->scale, &v->mean);
    op_conv(d, causal_next(&v->in), &scaled, &v->post_quant, NULL);
    causal_run(d, &v->in, &v->in.conv, &v->x, NULL);
    v->in.seen++;
    resnet(d, &v->mid[0], &v->x);
    attend(v, &v->x);
    resnet(d, &v->mid[1], &v->x);
    return up_from(p, 0, &v->x);
}

/* No convolution remembers the frames of another decode. */
static void forget(struct wan_vae *v)
{
    v->in.seen = v->out.seen = 0;
    for (int i = 0; i < 2; i++)
        v->mid[i].conv1.seen = v->mid[i].conv2.seen = 0;
    for (int i = 0; i < v->blocks; i++) {
        struct vae_block *b = &v->block[i];
        b->time.seen = 0;
        for (int r = 0; r < v->resnets; r++)
            b->resnets[r].conv1.seen = b->resnets[r].conv2.seen = 0;
    }
}

int wan_vae_decode(struct wan_vae *v, const struct tensor *latents, wan_vae_frame_fn *frame,
                   void *ctx, struct error *e)
{
    struct pass p = {.v = v, .frame = frame, .ctx = ctx, .error = e};
    char text[96];

    if (latents->rank != 4 || latents->shape[0] != v->channels || tensor_count(latents) < 1)
        return error_set(e, ERROR_MODEL, "%s: latents of shape %s do not fit a VAE of %d channels",
                         v->dir, tensor_shape_text(latents, text, sizeof text), v->channels);
    if (vae_make_frames(v, latents->shape[2], latents->shape[3], e))
        return -1;
    forget(v);
    for (int64_t t = 0; t < latents->shape[1]; t++)
        if (decode_frame(&p, latents, t))
            return -1;
    return 0;
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
