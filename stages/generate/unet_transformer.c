#include <math.h>

#include "stages/generate/unet.h"

/* Numbers of a feed-forward's hidden layer at once; and the rows that its pieces are multiples of,
 * where they can be: whole tiles of a product, and scales of FP8 rows that lie on 16 bytes. */
enum { FF_ROOM = 1 << 27, FF_ROWS = 256 };

/* The norm before the blocks, and those inside, have these everywhere. */
static const float group_eps = 1e-6f, layer_eps = 1e-5f;

/* The rows that a transformer works on: hidden states, and memory beside them. */
struct rows {
    struct tensor h;      /* [rows, C] */
    struct tensor normed; /* likewise */
    int64_t pixels;       /* rows of a frame */
};

int64_t unet_feed_forward_room(int64_t rows, int64_t channels)
{
    int64_t all = rows * 8 * channels;
    return all < FF_ROOM ? all : FF_ROOM > 8 * channels ? FF_ROOM : 8 * channels;
}

/* The normed rows, as the layer reads them. */
static struct tensor norm(struct unet *m, struct rows *r, const struct unet_norm *n,
                          const struct linear *w)
{
    struct tensor out = activation_as_input(w, r->normed);

    op_layer_norm(m->device, &out, &r->h, &n->weight, &n->bias, layer_eps);
    return out;
}

/* Rows of the pieces that a feed-forward goes in: about as many each. */
static int64_t piece_of(int64_t rows, int64_t most)
{
    int64_t pieces = (rows + most - 1) / most, each = pieces ? (rows + pieces - 1) / pieces : 1;
    int64_t whole = (each + FF_ROWS - 1) / FF_ROWS * FF_ROWS;

    return whole <= most ? whole : each;
}

static bool is_one(const struct unet *m, const struct unet_feed_forward *ff)
{
    return ff->in.dtype == ff->out.dtype && linear_glu_is_fused(m->device, &ff->in, ACT_GELU);
}

/* The hidden layer of these rows, as `out` reads it. */
static struct tensor hidden_layer(struct unet *m, const struct unet_feed_forward *ff,
                                  const struct tensor *x)
{
    int64_t rows = x->shape[0];
    struct tensor both, value, gate, hidden;

    if (is_one(m, ff)) {
        hidden = UNET_VIEW(&m->work.ff, rows, ff->width);
        op_linear_glu(m->device, &hidden, x, &ff->in, ACT_GELU);
        return hidden;
    }
    both = unet_scaled(UNET_VIEW(&m->work.ff, rows, 2 * ff->width), &m->work.ff_scales);
    value = tensor_slice(both, 1, 0, ff->width);
    gate = tensor_slice(both, 1, ff->width, ff->width);
    hidden = activation_as_input(&ff->out, value);
    op_linear(m->device, &both, x, &ff->in, ACT_NONE);
    op_glu(m->device, &hidden, &value, &gate, ACT_GELU);
    return hidden;
}

/* h += ff(norm(h)), a run of rows after the other, so that the hidden layer stays small. */
static void feed_forward(struct unet *m, const struct unet_norm *n,
                         const struct unet_feed_forward *ff, struct rows *r)
{
    struct device *d = m->device;
    struct tensor normed = norm(m, r, n, &ff->in);
    int64_t rows = r->h.shape[0];
    int64_t row = is_one(m, ff) ? ff->width : 2 * ff->width;
    int64_t step = piece_of(rows, tensor_count(&m->work.ff) / row);

    for (int64_t from = 0; from < rows; from += step) {
        int64_t run = rows - from < step ? rows - from : step;
        struct tensor x = tensor_slice(normed, 0, from, run);
        struct tensor h = tensor_slice(r->h, 0, from, run);
        struct tensor hidden = hidden_layer(m, ff, &x);

        op_linear_add(d, &h, &hidden, &ff->out, &h);
    }
}

/* Rows [items * tokens, C] as [items, tokens, heads, C / heads]. */
static struct tensor heads_of(struct tensor rows, int64_t items, int64_t tokens, int heads)
{
    int64_t dim = rows.shape[1] / heads, stride = rows.stride[0];

    rows.rank = 4;
    rows.shape[0] = items;
    rows.shape[1] = tokens;
    rows.shape[2] = heads;
    rows.shape[3] = dim;
    rows.stride[0] = tokens * stride;
    rows.stride[1] = stride;
    rows.stride[2] = dim;
    rows.stride[3] = 1;
    return rows;
}

/* The same with the first two axes changed: a pixel's frames are what attends to each other. */
static struct tensor turned(struct tensor rows, int64_t frames, int64_t pixels, int heads)
{
    return tensor_permute(heads_of(rows, frames, pixels, heads), (const int[]){1, 0, 2, 3});
}

static float scale_of(int64_t channels, int heads)
{
    return 1 / sqrtf((float)(channels / heads));
}

/* q, k and v stand side by side in `wide`; the result goes where the normed rows were. */
static void attend_in_frames(struct unet *m, struct rows *r, struct tensor *const qkv, int heads)
{
    int64_t frames = r->h.shape[0] / r->pixels;
    struct tensor q = heads_of(qkv[0], frames, r->pixels, heads);
    struct tensor k = heads_of(qkv[1], frames, r->pixels, heads);
    struct tensor v = heads_of(qkv[2], frames, r->pixels, heads);
    struct tensor out = heads_of(r->normed, frames, r->pixels, heads);

    op_attention(m->device, &out, &q, &k, &v, scale_of(r->h.shape[1], heads), NULL);
}

static void attend_along_time(struct unet *m, struct rows *r, struct tensor *const qkv, int heads)
{
    int64_t frames = m->work.frames, rows = frames * r->pixels;

    for (int64_t clip = 0; clip < m->work.clips; clip++) {
        struct tensor part[4];
        for (int i = 0; i < 4; i++)
            part[i] = turned(tensor_slice(i < 3 ? qkv[i] : r->normed, 0, clip * rows, rows), frames,
                             r->pixels, heads);
        op_attention(m->device, &part[3], &part[0], &part[1], &part[2],
                     scale_of(r->h.shape[1], heads), NULL);
    }
}

/* Where there is one token to attend to, what that adds is added here. */
static void self_attention(struct unet *m, const struct unet_block *b, const struct tensor *cross,
                           struct rows *r, int heads, bool along_time)
{
    int64_t rows = r->h.shape[0], channels = r->h.shape[1];
    struct tensor all = UNET_VIEW(&m->work.wide, rows, 3 * channels), qkv[3], in;

    for (int i = 0; i < 3; i++)
        qkv[i] = tensor_slice(all, 1, i * channels, channels);
    in = norm(m, r, &b->norm1, &b->qkv);
    op_linear(m->device, &all, &in, &b->qkv, ACT_NONE);
    if (along_time)
        attend_along_time(m, r, qkv, heads);
    else
        attend_in_frames(m, r, qkv, heads);
    if (b->cross_q.out)
        op_linear_add(m->device, &r->h, &r->normed, &b->out, &r->h);
    else
        op_linear_shifted(m->device, &r->h, &r->normed, &b->out, cross, &r->h);
}

static void cross_attention(struct unet *m, const struct unet_context *c,
                            const struct unet_block *b, const struct tensor *cross, struct rows *r,
                            int heads)
{
    int64_t rows = r->h.shape[0], channels = r->h.shape[1];
    struct tensor q = UNET_VIEW(&m->work.wide, rows, channels), in, k, v, out;

    in = norm(m, r, &b->norm2, &b->cross_q);
    op_linear(m->device, &q, &in, &b->cross_q, ACT_NONE);
    q = heads_of(q, c->clips, rows / c->clips, heads);
    k = heads_of(tensor_slice(*cross, 1, 0, channels), c->clips, c->tokens, heads);
    v = heads_of(tensor_slice(*cross, 1, channels, channels), c->clips, c->tokens, heads);
    out = heads_of(r->normed, c->clips, rows / c->clips, heads);
    op_attention(m->device, &out, &q, &k, &v, scale_of(channels, heads), NULL);
    op_linear_add(m->device, &r->h, &r->normed, &b->cross_out, &r->h);
}

static void block_forward(struct unet *m, const struct unet_context *c, const struct unet_block *b,
                          const struct tensor *cross, struct rows *r, int heads, bool along_time)
{
    if (b->ff_in.width)
        feed_forward(m, &b->norm_in, &b->ff_in, r);
    self_attention(m, b, cross, r, heads, along_time);
    if (b->cross_q.out)
        cross_attention(m, c, b, cross, r, heads);
    feed_forward(m, &b->norm3, &b->ff, r);
}

void unet_transformer_forward(struct unet *m, const struct unet_context *c,
                              const struct unet_transformer *t, const struct tensor *x,
                              struct tensor *out)
{
    struct unet_workspace *w = &m->work;
    struct device *d = m->device;
    struct tensor x_rows = unet_rows(x), out_rows = unet_rows(out);
    struct tensor normed = unet_view(&w->normed, 4, x->shape);
    const struct tensor *cross = c->cross + t->first;
    const struct tensor *positions = &c->positions[t - m->transformers];
    struct rows r = {.h = unet_view(&w->state, 2, x_rows.shape),
                     .normed = unet_scaled(unet_rows(&normed), &w->normed_scales),
                     .pixels = x->shape[1] * x->shape[2]};
    struct rows mix = r;

    op_group_norm(d, &normed, x, m->groups, &t->norm.weight, &t->norm.bias, group_eps, ACT_NONE);
    op_linear(d, &r.h, &r.normed, &t->in, ACT_NONE);
    if (t->temporal)
        mix.h = unet_view(&w->mix, 2, x_rows.shape);
    for (int i = 0; i < t->layers; i++) {
        block_forward(m, c, &t->blocks[i], &cross[i], &r, t->heads, false);
        if (!t->temporal)
            continue;
        op_modulate(d, &mix.h, &r.h, NULL, positions);
        block_forward(m, c, &t->temporal[i], &cross[t->layers + i], &mix, t->heads, true);
        op_blend(d, &r.h, t->share, &r.h, 1 - t->share, &mix.h);
    }
    op_linear_add(d, &out_rows, &r.h, &t->out, &x_rows);
}
