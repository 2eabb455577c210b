#include "stages/decode/cogvideox_vae.h"

#include "stages/decode/cogvideox_vae_impl.h"

int cogvideox_vae_channels(const struct cogvideox_vae *v)
{
    return v->channels;
}

int cogvideox_vae_time_factor(const struct cogvideox_vae *v)
{
    return 1 << v->time_doublings;
}

int cogvideox_vae_space_factor(const struct cogvideox_vae *v)
{
    return 1 << (v->blocks - 1);
}

int cogvideox_vae_frames(const struct cogvideox_vae *v, int latent_frames)
{
    int factor = cogvideox_vae_time_factor(v);
    return latent_frames % 2 ? 1 + (latent_frames - 1) * factor : latent_frames * factor;
}

/* One batch. */
struct pass {
    struct cogvideox_vae *v;
    bool first; /* nothing was before it */
    int level;  /* how often time has been doubled */
    struct cogvideox_clip x;
};

/* The beginning of a flat buffer as frames. */
static struct tensor clip_of(const struct tensor *buffer, int64_t n, int64_t h, int64_t w,
                             int64_t c)
{
    struct tensor part = tensor_slice(*buffer, 0, 0, n * h * w * c);
    return TENSOR_VIEW(part, n, h, w, c);
}

static struct tensor current(const struct pass *p)
{
    return clip_of(&p->v->frames[p->x.at], p->x.n, p->x.h, p->x.w, p->x.c);
}

/* ---- norms */

/* out = silu(group norm of x, scaled and shifted by the latents under each pixel). */
static void spatial_norm(const struct pass *p, const struct cogvideox_spatial_norm *norm,
                         const struct tensor *x, struct tensor *out)
{
    struct cogvideox_vae *v = p->v;
    int64_t n = x->shape[0], h = x->shape[1], w = x->shape[2], c = x->shape[3];
    struct tensor latents =
        clip_of(&v->latents[p->level], n, v->latent_height, v->latent_width, v->channels);
    struct tensor scale = clip_of(&v->scales, n, v->latent_height, v->latent_width, c);
    struct tensor shift = clip_of(&v->shifts, n, v->latent_height, v->latent_width, c);
    struct tensor together = TENSOR_VIEW(*x, 1, n, h, w, c),
                  affine = tensor_slice(v->affine, 0, 0, 3 * c);
    const struct tensor *in = &latents;

    affine = TENSOR_VIEW(affine, 1, 3, c);
    op_conv(v->device, &scale, &in, &norm->scale, NULL);
    op_conv(v->device, &shift, &in, &norm->shift, NULL);
    op_group_statistics(v->device, &affine, &together, v->groups, &norm->weight, &norm->bias,
                        1e-6F);
    op_normalise(v->device, out, x, &affine,
                 &(struct normalise_form){.scale = &scale, .shift = &shift, .act = ACT_SILU});
}

/* ---- convolutions in time */

/* Where the input of a causal convolution goes, n frames of c channels: behind room for its past.
 */
static struct tensor causal_input(const struct pass *p, int64_t c)
{
    struct tensor all = clip_of(&p->v->padded, p->x.n + 2, p->x.h, p->x.w, c);
    return tensor_slice(all, 0, 2, p->x.n);
}

/* That input has been filled. */
static void causal_run(const struct pass *p, struct cogvideox_causal *c, struct tensor *out,
                       const struct tensor *residual)
{
    struct device *d = p->v->device;
    struct tensor all = clip_of(&p->v->padded, p->x.n + 2, p->x.h, p->x.w, c->conv.in);
    struct tensor past = tensor_slice(all, 0, 0, 2), last = tensor_slice(all, 0, p->x.n, 2);
    struct tensor before = c->past, tap[3];
    const struct tensor *x[3];

    if (p->first) {
        before = tensor_slice(all, 0, 2, 1);
        before.shape[0] = 2;
        before.stride[0] = 0; /* the first frame, twice */
    }
    op_copy(d, &past, &before);
    for (int i = 0; i < 3; i++) {
        tap[i] = tensor_slice(all, 0, i, p->x.n);
        x[i] = &tap[i];
    }
    op_conv(d, out, x, &c->conv, residual);
    op_copy(d, &c->past, &last);
}

/* ---- blocks */

static void resnet(struct pass *p, struct cogvideox_resnet *r)
{
    struct cogvideox_vae *v = p->v;
    struct cogvideox_clip *x = &p->x;
    struct tensor in = current(p), padded = causal_input(p, r->in);
    struct tensor between = clip_of(&v->frames[!x->at], x->n, x->h, x->w, r->out);
    const struct tensor *from = &in;

    spatial_norm(p, &r->norm1, &in, &padded);
    causal_run(p, &r->conv1, &between, NULL);
    padded = causal_input(p, r->out);
    spatial_norm(p, &r->norm2, &between, &padded);
    if (r->in == r->out) {
        causal_run(p, &r->conv2, &in, &in);
        return;
    }
    op_conv(v->device, &between, &from, &r->shortcut, NULL);
    causal_run(p, &r->conv2, &between, &between);
    x->at = !x->at;
    x->c = r->out;
}

/* Every frame of [n, ...] twice, but an odd number's first once. */
static void double_time(struct device *d, struct tensor *out, const struct tensor *x)
{
    int64_t n = x->shape[0], odd = n % 2, size = tensor_count(x) / n;
    struct tensor from = tensor_slice(*x, 0, odd, n - odd);
    struct tensor to = tensor_slice(*out, 0, odd, out->shape[0] - odd);
    struct tensor single = tensor_slice(*x, 0, 0, odd), first = tensor_slice(*out, 0, 0, odd);

    if (odd)
        op_copy(d, &first, &single);
    if (n == odd)
        return;
    from = TENSOR_VIEW(from, n - odd, 1, size);
    from.shape[1] = 2;
    from.stride[1] = 0;
    to = TENSOR_VIEW(to, n - odd, 2, size);
    op_copy(d, &to, &from);
}

/* Frames that are doubled in time are alike, so they are convolved once. */
static void upsample(struct pass *p, const struct cogvideox_up_block *b)
{
    struct cogvideox_vae *v = p->v;
    struct cogvideox_clip *x = &p->x;
    struct tensor in = current(p), large, doubled;
    const struct tensor *from = &in;

    x->h *= 2;
    x->w *= 2;
    large = clip_of(&v->frames[!x->at], x->n, x->h, x->w, x->c);
    op_conv(v->device, &large, &from, &b->resample, NULL);
    if (b->doubles_time)
        p->level++;
    if (!b->doubles_time || x->n == 1) {
        x->at = !x->at;
        return;
    }
    x->n = cogvideox_doubled(x->n);
    doubled = current(p);
    double_time(v->device, &doubled, &large);
}

/* ---- the pass */

/* The batch's latents, scaled and channels last, and as they are after each doubling in time. */
static void take_latents(struct pass *p)
{
    struct cogvideox_vae *v = p->v;
    int64_t n = p->x.n, h = v->latent_height, w = v->latent_width;
    struct tensor planar = tensor_slice(v->planar, 0, 0, n);
    struct tensor last = tensor_permute(planar, (const int[]){0, 2, 3, 1});
    struct tensor to = clip_of(&v->latents[0], n, h, w, v->channels), next;

    op_blend(v->device, &planar, (float)(1 / v->scaling), &planar, 0, NULL);
    op_copy(v->device, &to, &last);
    for (int i = 1; i <= v->time_doublings; i++) {
        n = cogvideox_doubled(n); /* one stays one */
        next = clip_of(&v->latents[i], n, h, w, v->channels);
        double_time(v->device, &next, &to);
        to = next;
    }
}

/* Pictures of so many latent frames, in v->rgb. */
static struct tensor pictures_of(const struct cogvideox_vae *v, int64_t n)
{
    for (int i = 0; i < v->time_doublings; i++)
        n = cogvideox_doubled(n);
    return tensor_slice(v->rgb, 0, 0, n);
}

/* The n latent frames in v->planar become pictures. Operations alone, the same for the same key. */
static void forward(struct cogvideox_vae *v, int64_t n, bool first)
{
    struct pass p = {
        .v = v, .first = first, .x = {0, n, v->latent_height, v->latent_width, v->width[0]}};
    struct tensor in = causal_input(&p, v->channels), x = current(&p), rgb = pictures_of(v, n);
    struct tensor latents = clip_of(&v->latents[0], n, p.x.h, p.x.w, v->channels);

    take_latents(&p);
    op_copy(v->device, &in, &latents);
    causal_run(&p, &v->in, &x, NULL);
    for (int i = 0; i < 2; i++)
        resnet(&p, &v->mid[i]);
    for (int i = 0; i < v->blocks; i++) {
        for (int r = 0; r < v->resnets; r++)
            resnet(&p, &v->block[i].resnets[r]);
        if (v->block[i].upsamples)
            upsample(&p, &v->block[i]);
    }
    x = current(&p);
    in = causal_input(&p, p.x.c);
    spatial_norm(&p, &v->norm_out, &x, &in);
    causal_run(&p, &v->out, &rgb, NULL);
}

static int decode_batch(struct cogvideox_vae *v, const struct tensor *batch, bool first,
                        struct picture_stream *to)
{
    int64_t n = batch->shape[0];
    struct tensor planar = tensor_slice(v->planar, 0, 0, n), rgb = pictures_of(v, n);
    const struct {
        int64_t frames, first, room, height, width;
        const void *planar, *clip[2], *rgb;
    } key = {n,
             first,
             v->batch,
             v->latent_height,
             v->latent_width,
             v->planar.data,
             {v->frames[0].data, v->frames[1].data},
             v->rgb.data};
    struct device_graph *graph = device_graph_for(&v->graphs, &key, sizeof key);

    graph->of = "Decoding";
    op_write(v->device, &planar, batch);
    while (device_graph(v->device, graph, &key, sizeof key))
        forward(v, n, first);
    return picture_stream_put(to, &rgb);
}

int cogvideox_vae_decode(struct cogvideox_vae *v, const struct tensor *latents,
                         cogvideox_vae_frame_fn *frame, void *ctx, struct error *e)
{
    struct picture_stream to = {.device = v->device, .take = frame, .ctx = ctx, .error = e};
    int64_t total = latents->rank == 4 ? latents->shape[0] : 0;
    int64_t batch = total < COGVIDEOX_BATCH ? total : COGVIDEOX_BATCH + total % COGVIDEOX_BATCH;
    char text[96];

    if (latents->rank != 4 || latents->shape[1] != v->channels || tensor_count(latents) < 1)
        return error_set(e, ERROR_MODEL, "%s: latents of shape %s do not fit a VAE of %d channels",
                         v->dir, tensor_shape_text(latents, text, sizeof text), v->channels);
    if (cogvideox_vae_make_work(v, batch, latents->shape[2], latents->shape[3], e))
        return -1;
    for (int64_t from = 0; from < total; from += batch, batch = COGVIDEOX_BATCH) {
        struct tensor part = tensor_slice(*latents, 0, from, batch);
        if (decode_batch(v, &part, from == 0, &to))
            return -1;
    }
    return picture_stream_end(&to);
}
