#include "stages/generate/unet.h"

struct tensor unet_view(const struct tensor *flat, int rank, const int64_t *shape)
{
    int64_t count = 1;

    for (int i = 0; i < rank; i++)
        count *= shape[i];
    return tensor_view(tensor_slice(*flat, 0, 0, count), rank, shape);
}

struct tensor unet_rows(const struct tensor *x)
{
    struct tensor rows = *x;

    rows.rank = 2;
    rows.shape[0] = tensor_count(x) / x->shape[3];
    rows.shape[1] = x->shape[3];
    rows.stride[0] = x->stride[2];
    rows.stride[1] = x->stride[3];
    return rows;
}

struct tensor unet_scaled(struct tensor rows, const struct tensor *scales)
{
    rows.scale = scales->data;
    return rows;
}

/* ---- in and out */

/* The sample's n items, channels last, for each run of n frames. */
static void take_sample(struct unet *m, const struct tensor *sample)
{
    struct unet_workspace *w = &m->work;
    struct tensor turned = tensor_permute(*sample, (const int[]){0, 2, 3, 1});
    int64_t n = sample->shape[0];

    for (int64_t from = 0; from < w->clips * w->frames; from += n) {
        struct tensor part = tensor_slice(w->input, 0, from, n);
        op_copy(m->device, &part, &turned);
    }
}

static void give_prediction(struct unet *m)
{
    struct tensor turned = tensor_permute(m->work.predicted, (const int[]){0, 2, 3, 1});

    op_copy(m->device, &turned, &m->work.output);
}

static void write_timestep(struct unet *m, float timestep)
{
    struct unet_workspace *w = &m->work;

    for (int64_t i = 0; i < w->clips; i++)
        unet_waves(m, timestep, m->time_in, (float *)w->host_waves.data + i * m->time_in);
    op_write(m->device, &w->waves, &w->host_waves);
}

static void embed_time(struct unet *m, const struct unet_context *c)
{
    struct unet_workspace *w = &m->work;
    struct device *d = m->device;

    op_linear(d, &w->silu, &w->waves, &m->time_1, ACT_SILU);
    op_linear(d, &w->embedded, &w->silu, &m->time_2, ACT_NONE);
    op_add(d, &w->embedded, &w->embedded, &c->added);
    op_activation(d, &w->silu, &w->embedded, ACT_SILU);
}

/* ---- down, through the middle, up */

static void conv(struct unet *m, struct tensor *out, const struct tensor *x, const struct conv *w)
{
    op_conv(m->device, out, &x, w, NULL);
}

/* Layer j of a level, from x to out. */
static void layer(struct unet *m, const struct unet_context *c, const struct unet_level *v, int j,
                  bool attended, const struct tensor *x, struct tensor *out)
{
    struct tensor mid = unet_view(&m->work.x, 4, out->shape);

    unet_resnet_forward(m, &v->resnets[j], x, attended ? &mid : out);
    if (attended)
        unet_transformer_forward(m, c, &v->transformers[j], &mid, out);
}

/* Returns how many skips there are. */
static int go_down(struct unet *m, const struct unet_context *c)
{
    struct tensor *skips = m->work.skips;
    int skip = 0;

    conv(m, &skips[skip], &m->work.input, &m->conv_in);
    for (int i = 0; i < m->levels; i++) {
        const struct unet_level *v = &m->down[i];
        for (int j = 0; j < v->layers; j++, skip++)
            layer(m, c, v, j, v->attends, &skips[skip], &skips[skip + 1]);
        if (!v->resamples)
            continue;
        conv(m, &skips[skip + 1], &skips[skip], &v->resample);
        skip++;
    }
    return skip + 1;
}

/* Every second row and column, from the first or the second. */
static struct tensor every_second(struct tensor t, int axis, int from)
{
    int64_t count = (t.shape[axis] + 1 - from) / 2;

    t = tensor_slice(t, axis, from, 0);
    t.shape[axis] = count;
    t.stride[axis] *= 2;
    return t;
}

/* x [N, h, w, C] enlarged twice each way (nearest), and its last row or column left out where `out`
 * is odd. */
static void enlarge(struct unet *m, struct tensor *out, const struct tensor *x)
{
    for (int dy = 0; dy < 2; dy++)
        for (int dx = 0; dx < 2; dx++) {
            struct tensor to = every_second(every_second(*out, 1, dy), 2, dx);
            struct tensor from = tensor_slice(*x, 1, 0, to.shape[1]);
            from = tensor_slice(from, 2, 0, to.shape[2]);
            if (tensor_count(&to))
                op_copy(m->device, &to, &from);
        }
}

/* x, in work.x, to the size of the skip that is read next; returns it in work.state. */
static struct tensor upsample(struct unet *m, int level, const struct tensor *x,
                              const struct tensor *skip)
{
    struct unet_workspace *w = &m->work;
    int64_t shape[] = {skip->shape[0], skip->shape[1], skip->shape[2], x->shape[3]};
    struct tensor out = unet_view(&w->state, 4, shape);

    if (shape[1] % 2 || shape[2] % 2) {
        struct tensor large = unet_view(&w->wide, 4, shape);
        enlarge(m, &large, x);
        conv(m, &out, &large, &w->unscaled[level]);
    } else {
        conv(m, &out, x, &m->up[level].resample);
    }
    return out;
}

/* Room for x of so many channels and a skip side by side, in work.wide. */
static struct tensor both_of(struct unet *m, int64_t channels, const struct tensor *skip)
{
    const int64_t *s = skip->shape;
    return UNET_VIEW(&m->work.wide, s[0], s[1], s[2], channels + s[3]);
}

/* Puts them there; x may be there already. */
static struct tensor beside(struct unet *m, const struct tensor *x, const struct tensor *skip)
{
    struct tensor both = both_of(m, x->shape[3], skip);
    struct tensor left = tensor_slice(both, 3, 0, x->shape[3]);
    struct tensor right = tensor_slice(both, 3, x->shape[3], skip->shape[3]);

    if (x->data != left.data)
        op_copy(m->device, &left, x);
    op_copy(m->device, &right, skip);
    return both;
}

/* A transformer writes where the next layer wants to find x beside its skip. */
static struct tensor go_up(struct unet *m, const struct unet_context *c, int skip, struct tensor x)
{
    struct unet_workspace *w = &m->work;

    for (int i = 0; i < m->levels; i++) {
        const struct unet_level *v = &m->up[i];
        for (int j = 0; j < v->layers; j++) {
            struct tensor both = beside(m, &x, &w->skips[--skip]), next;
            int64_t shape[] = {both.shape[0], both.shape[1], both.shape[2], v->channels};
            x = unet_view(&w->x, 4, shape);
            if (v->attends && j + 1 < v->layers) {
                next = both_of(m, v->channels, &w->skips[skip - 1]);
                x = tensor_slice(next, 3, 0, v->channels);
            }
            layer(m, c, v, j, v->attends, &both, &x);
        }
        if (v->resamples)
            x = upsample(m, i, &x, &w->skips[skip - 1]);
    }
    return x;
}

static void run(struct unet *m, const struct unet_context *c, const struct tensor *sample)
{
    struct unet_workspace *w = &m->work;
    const struct tensor *last;
    struct tensor x;
    int skips;

    take_sample(m, sample);
    embed_time(m, c);
    skips = go_down(m, c);
    last = &w->skips[skips - 1];
    x = unet_view(&w->x, 4, last->shape);
    layer(m, c, &m->mid, 0, true, last, &x);
    layer(m, c, &m->mid, 1, false, &x, &x);
    x = go_up(m, c, skips, x);
    op_group_norm(m->device, &x, &x, m->groups, &m->norm_out.weight, &m->norm_out.bias, m->norm_eps,
                  ACT_SILU);
    conv(m, &w->output, &x, &m->conv_out);
    give_prediction(m);
}

static bool fits(const struct unet *m, const struct unet_context *c, const struct tensor *sample,
                 const struct tensor *out)
{
    int64_t all = c->clips * c->frames;

    return sample->rank == 4 && out->rank == 4 && tensor_contiguous(sample) &&
           tensor_contiguous(out) && sample->shape[1] == m->in_channels && sample->shape[0] >= 1 &&
           all % sample->shape[0] == 0 && sample->shape[0] % c->frames == 0 &&
           sample->shape[2] >= 1 && sample->shape[3] >= 1 && out->shape[0] == all &&
           out->shape[1] == m->out_channels && out->shape[2] == sample->shape[2] &&
           out->shape[3] == sample->shape[3];
}

int unet_forward(struct unet *m, const struct unet_context *c, const struct tensor *sample,
                 float timestep, struct tensor *out, struct error *e)
{
    struct unet_workspace *w = &m->work;
    struct {
        const struct unet_context *context;
        int64_t items;
    } key = {c, sample->shape[0]}; /* the workspace has a graph of its own */
    struct tensor there;
    char text[96];

    if (!fits(m, c, sample, out))
        return error_set(e, ERROR_MODEL,
                         "%s: latents of shape %s do not fit a UNet of %d channels and %lld frames",
                         m->dir, tensor_shape_text(sample, text, sizeof text), m->in_channels,
                         (long long)(c->clips * c->frames));
    if (unet_make_workspace(m, c->clips, c->frames, sample->shape[2], sample->shape[3], e))
        return -1;
    there = tensor_slice(w->sample, 0, 0, sample->shape[0]);
    op_write(m->device, &there, sample);
    write_timestep(m, timestep);
    while (device_graph(m->device, &w->graph, &key, sizeof key))
        run(m, c, &there);
    op_read(m->device, out, &w->predicted);
    return device_status(m->device, e);
}
