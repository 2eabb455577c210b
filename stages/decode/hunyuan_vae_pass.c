/* One pass over a tile of latents: layer by layer over all its frames. */
#include <math.h>

#include "stages/decode/hunyuan_vae_impl.h"

#define EPS 1e-6f /* of every norm; not in config.json */

/* Where the pass is: frames [T, height, width, channels], `slot` numbers apart, in room[level % 2];
 * the other room holds padded slices meanwhile. */
struct pass {
    struct hunyuan_vae *v;
    int level;
    struct tensor x;
};

static const struct hunyuan_level *level_of(const struct pass *p)
{
    return &p->v->level[p->level];
}

/* Of a slot's frame, and so of every slot's, what begins `offset` numbers into the room. */
static struct tensor in_slots(const struct pass *p, int level, int64_t offset, int64_t channels)
{
    const struct hunyuan_level *l = &p->v->level[level];
    int64_t frame = l->height * l->width * channels;
    struct tensor t = tensor_slice(p->v->room[level % 2], 0, offset, frame);

    t = TENSOR_VIEW(t, 1, l->height, l->width, channels);
    t.shape[0] = l->frames;
    t.stride[0] = l->slot;
    return t;
}

/* The beginning of the room that the level does not live in. */
static struct tensor beside(const struct pass *p, int64_t offset, int64_t frames, int64_t height,
                            int64_t width, int64_t channels)
{
    struct tensor all = p->v->room[(p->level + 1) % 2];
    int64_t count = frames * height * width * channels;

    return TENSOR_VIEW(tensor_slice(all, 0, offset, count), frames, height, width, channels);
}

static void measure(struct pass *p, const struct tensor *x, const struct hunyuan_norm *n)
{
    struct hunyuan_vae *v = p->v;
    struct tensor clip = *x, affine = tensor_slice(v->affine, 0, 0, 3 * x->shape[3]);

    for (int i = 4; i > 0; i--) {
        clip.shape[i] = x->shape[i - 1];
        clip.stride[i] = x->stride[i - 1];
    }
    clip.rank = 5;
    clip.shape[0] = 1;
    clip.stride[0] = x->shape[0] * x->stride[0];
    affine = TENSOR_VIEW(affine, 1, 3, x->shape[3]);
    op_group_statistics(v->device, &affine, &clip, v->groups, &n->weight, &n->bias, EPS);
}

/* Frames first .. first + count - 1 of x, normed as measured, with their edges around them. */
static void normalise(struct pass *p, struct tensor *out, const struct tensor *x, int64_t first,
                      int64_t count, enum activation act, int border)
{
    struct tensor part = tensor_slice(*x, 0, first, count);
    struct tensor affine = tensor_slice(p->v->affine, 0, 0, 3 * x->shape[3]);

    affine = TENSOR_VIEW(affine, 1, 3, x->shape[3]);
    op_normalise(p->v->device, out, &part, &affine,
                 &(struct normalise_form){.act = act, .border = border});
}

enum { PAST = 2 };

/* How many frames go through a convolution together, as the other room holds them. */
static int64_t slice_of(const struct pass *p, const struct tensor *x)
{
    int64_t frame = (x->shape[1] + 2) * (x->shape[2] + 2) * x->shape[3];
    int64_t most = p->v->room[(p->level + 1) % 2].shape[0] / frame - PAST;

    most = most < x->shape[0] ? most : x->shape[0];
    /* What comes into a level has as many slots in front of it as its slices are long. */
    return hunyuan_least(most, x->shape[3] == level_of(p)->in ? level_of(p)->slice
                                                              : HUNYUAN_VAE_SLICE_MOST);
}

/* Frames first .. first + count - 1 of x as a convolution wants them: normed, their edges around
 * them, the two frames before them in front (of the first frame, itself). `step`: what was before.
 */
static struct tensor next_slice(struct pass *p, const struct tensor *x, int64_t first,
                                int64_t count, int64_t step)
{
    struct tensor all = beside(p, 0, step + PAST, x->shape[1] + 2, x->shape[2] + 2, x->shape[3]);
    struct tensor to = tensor_slice(all, 0, PAST, count);

    for (int i = 0; i < PAST; i++) {
        struct tensor past = tensor_slice(all, 0, i, 1), last = tensor_slice(all, 0, step + i, 1);
        if (first == 0)
            normalise(p, &past, x, 0, 1, ACT_SILU, 1);
        else
            op_copy(p->v->device, &past, &last);
    }
    normalise(p, &to, x, first, count, ACT_SILU, 1);
    return tensor_slice(all, 0, 0, PAST + count);
}

/* Causal: output frame n sees frames n .. n + 2 of a clip that begins with its past. */
static void convolve(struct pass *p, struct tensor *out, const struct tensor *clip,
                     const struct conv *w, const struct tensor *residual)
{
    struct tensor taps[CONV_MAX_TAPS];
    const struct tensor *at[CONV_MAX_TAPS];

    for (int i = 0; i < w->kt; i++) {
        taps[i] = tensor_slice(*clip, 0, i, out->shape[0]);
        at[i] = &taps[i];
    }
    op_conv(p->v->device, out, at, w, residual);
}

/* What comes of each slice of x, normed: out = w over it, and + out itself where it is to be added.
 * skip: NULL, or what is first made of x's own frames. */
static void normed_convolution(struct pass *p, const struct tensor *x, const struct hunyuan_norm *n,
                               const struct conv *w, struct tensor *out, bool add,
                               const struct conv *skip, struct tensor *skipped)
{
    int64_t step = slice_of(p, x);

    measure(p, x, n);
    for (int64_t first = 0; first < x->shape[0]; first += step) {
        int64_t count = hunyuan_least(step, x->shape[0] - first);
        struct tensor clip = next_slice(p, x, first, count, step);
        struct tensor part = tensor_slice(*out, 0, first, count), past;
        if (skip) {
            past = tensor_slice(*x, 0, first, count);
            struct tensor to = tensor_slice(*skipped, 0, first, count);
            convolve(p, &to, &past, skip, NULL);
        }
        convolve(p, &part, &clip, w, add ? &part : NULL);
    }
}

/* Where a residual block leaves its frames, behind what its first convolution makes of each. */
static struct tensor result(const struct pass *p, int64_t channels)
{
    return in_slots(p, p->level, level_of(p)->height * level_of(p)->width * channels, channels);
}

/* A slot holds what the two convolutions make side by side. Where the width changes, x lies some
 * slots further on, and is overwritten behind where it is read. */
static void resnet(struct pass *p, const struct hunyuan_resnet *r)
{
    struct tensor between = in_slots(p, p->level, 0, r->out), out = result(p, r->out);
    bool changes = r->in != r->out;

    normed_convolution(p, &p->x, &r->norm_1, &r->conv_1, &between, false,
                       changes ? &r->shortcut : NULL, &out);
    normed_convolution(p, &between, &r->norm_2, &r->conv_2, &out, true, NULL, NULL);
    p->x = out;
}

/* One head over all pixels of a frame and of the frames before it. */
static void attend(struct pass *p)
{
    struct hunyuan_vae *v = p->v;
    const struct hunyuan_level *l = level_of(p);
    int64_t dim = p->x.shape[3], pixels = l->height * l->width, rows = l->frames * pixels;
    struct tensor normed = beside(p, 0, l->frames, l->height, l->width, dim);
    struct tensor all = beside(p, rows * dim, 1, 1, rows, 3 * dim);
    struct tensor told = TENSOR_VIEW(normed, rows, dim), qkv = TENSOR_VIEW(all, rows, 3 * dim);

    if (!v->attends)
        return;
    measure(p, &p->x, &v->attention_norm);
    normalise(p, &normed, &p->x, 0, l->frames, ACT_NONE, 0);
    op_linear(v->device, &qkv, &told, &v->qkv, ACT_NONE);
    all = TENSOR_VIEW(qkv, rows, 1, 3 * dim);
    for (int64_t t = 0; t < l->frames; t++) {
        struct tensor queries = tensor_slice(all, 0, t * pixels, pixels);
        struct tensor seen = tensor_slice(all, 0, 0, (t + 1) * pixels);
        struct tensor q = tensor_slice(queries, 2, 0, dim), k = tensor_slice(seen, 2, dim, dim);
        struct tensor value = tensor_slice(seen, 2, 2 * dim, dim);
        struct tensor part = tensor_slice(told, 0, t * pixels, pixels);
        struct tensor out = TENSOR_VIEW(part, pixels, 1, dim);
        struct tensor sum = TENSOR_VIEW(tensor_slice(p->x, 0, t, 1), pixels, dim);
        op_attention(v->device, &out, &q, &k, &value, 1 / sqrtf((float)dim), NULL);
        op_linear_add(v->device, &sum, &part, &v->attention_out, &sum);
    }
}

/* ---- from level to level */

/* Output frames first, first + step, .. of out, `count` of them, from the frames of x that begin at
 * from[tap]. */
static void enlarge_run(struct pass *p, const struct tensor *out, const struct tensor *x,
                        const struct conv *w, int64_t first, int64_t step, int64_t count,
                        const int64_t from[CONV_MAX_TAPS])
{
    struct tensor taps[CONV_MAX_TAPS], to;
    const struct tensor *at[CONV_MAX_TAPS];

    if (count < 1)
        return;
    to = tensor_slice(*out, 0, first, 1);
    to.shape[0] = count;
    to.stride[0] = step * out->stride[0];
    for (int i = 0; i < w->kt; i++) {
        taps[i] = tensor_slice(*x, 0, from[i], count);
        at[i] = &taps[i];
    }
    op_conv(p->v->device, &to, at, w, NULL);
}

/* Causal; the first frame stands for those before it. Where time is doubled, every frame but the
 * first is shown twice: of the three frames that an output sees, two are the same. */
static void enlarge(struct pass *p, const struct tensor *out, const struct hunyuan_up *b)
{
    const struct tensor *x = &p->x;
    const struct conv *w = &b->enlarge;
    int64_t n = x->shape[0];

    enlarge_run(p, out, x, w, 0, 1, 1, (const int64_t[]){0, 0, 0});
    if (b->doubles_time) {
        enlarge_run(p, out, x, w, 1, 2, n - 1, (const int64_t[]){0, 0, 1});
        enlarge_run(p, out, x, w, 2, 2, n - 1, (const int64_t[]){0, 1, 1});
    } else {
        enlarge_run(p, out, x, w, 1, 1, n > 1, (const int64_t[]){0, 0, 1});
        enlarge_run(p, out, x, w, 2, 1, n - 2, (const int64_t[]){0, 1, 2});
    }
}

/* Where a level's frames come in, for its first residual block to take. */
static struct tensor entrance(const struct pass *p, int level)
{
    const struct hunyuan_level *l = &p->v->level[level];

    return in_slots(p, level, l->in != l->out ? l->slice * l->slot : l->height * l->width * l->out,
                    l->in);
}

static void up(struct pass *p, const struct hunyuan_up *b)
{
    struct tensor next;

    for (int r = 0; r < p->v->resnets; r++)
        resnet(p, &b->resnets[r]);
    if (p->level + 1 == p->v->blocks)
        return;
    next = entrance(p, p->level + 1);
    if (b->doubles_time || b->doubles_space) {
        enlarge(p, &next, b);
    } else {
        op_copy(p->v->device, &next, &p->x);
    }
    p->level++;
    p->x = next;
}

/* Where a tile's latents come in. */
static struct tensor latents_of(const struct pass *p)
{
    const struct hunyuan_level *l = level_of(p);

    return beside(p, 0, l->frames, l->height, l->width, p->v->channels);
}

/* Through the first two layers. */
static void enter(struct pass *p)
{
    struct hunyuan_vae *v = p->v;
    const struct hunyuan_level *l = level_of(p);
    int64_t t = l->frames, h = l->height, w = l->width, count = t * h * w * v->channels;
    struct tensor z = latents_of(p), clip = beside(p, count, PAST + t, h, w, v->channels);
    struct tensor now = tensor_slice(clip, 0, PAST, t), first = tensor_slice(clip, 0, PAST, 1);

    convolve(p, &now, &z, &v->post_quant, NULL);
    for (int i = 0; i < PAST; i++) {
        struct tensor past = tensor_slice(clip, 0, i, 1);
        op_copy(v->device, &past, &first);
    }
    p->x = entrance(p, 0);
    convolve(p, &p->x, &clip, &v->in, NULL);
}

/* All layers but the last, which may be recorded: operations alone, the same for the same key. */
static void forward(struct hunyuan_vae *v)
{
    struct pass p = {.v = v};

    enter(&p);
    resnet(&p, &v->mid[0]);
    attend(&p);
    resnet(&p, &v->mid[1]);
    for (int i = 0; i < v->blocks; i++)
        up(&p, &v->block[i]);
}

/* Where that ends. */
static struct pass after_forward(struct hunyuan_vae *v)
{
    struct pass p = {.v = v, .level = v->blocks - 1};

    p.x = result(&p, level_of(&p)->out);
    return p;
}

/* Pictures, a slice at a time. */
static int leave(struct pass *p, struct picture_stream *to)
{
    struct hunyuan_vae *v = p->v;
    int64_t step = hunyuan_least(slice_of(p, &p->x), v->rgb.shape[0]);

    measure(p, &p->x, &v->norm_out);
    for (int64_t first = 0; first < p->x.shape[0]; first += step) {
        int64_t count = hunyuan_least(step, p->x.shape[0] - first);
        struct tensor clip = next_slice(p, &p->x, first, count, step);
        struct tensor rgb = tensor_slice(v->rgb, 0, 0, count);
        convolve(p, &rgb, &clip, &v->out, NULL);
        if (picture_stream_put(to, &rgb))
            return -1;
    }
    return 0;
}

int hunyuan_vae_run(struct hunyuan_vae *v, struct picture_stream *to)
{
    struct pass begin = {.v = v}, end = after_forward(v);
    struct tensor z = latents_of(&begin);
    struct tensor host =
        TENSOR_F32(v->host_latents, z.shape[0], z.shape[1], z.shape[2], z.shape[3]);
    const struct {
        int64_t shape[3], slice, size[2];
        const void *room[2], *affine;
    } key = {{v->shape[0], v->shape[1], v->shape[2]},
             v->slice,
             {v->room[0].shape[0], v->room[1].shape[0]},
             {v->room[0].data, v->room[1].data},
             v->affine.data};
    struct device_graph *graph = device_graph_for(&v->graphs, &key, sizeof key);

    graph->of = "Decoding";
    op_write(v->device, &z, &host);
    while (device_graph(v->device, graph, &key, sizeof key))
        forward(v);
    return leave(&end, to);
}
