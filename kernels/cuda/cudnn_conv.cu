/* Convolutions by cuDNN: channels last, halves, channels in multiples of 8. Bias and residual are
 * part of the graph where an engine takes them, else one pass of ours after it. */
#include "kernels/cuda/cudnn.cuh"

static const size_t WORKSPACE = (size_t)512 << 20;

enum form { FUSED, BARE };

/* Everything that makes one convolution's plan. */
struct shape {
    int type, axes; /* of space: 3 with time, else 2 */
    int64_t items;
    int64_t x[3], y[3], kernel[3], stride[3], before[3], after[3];
    int64_t in, out, weight_row;
    bool bias, add;
};

/* [items, channels, (time,) height, width], channels last. */
static cudnnBackendDescriptor_t picture(cudnn_graph *g, int64_t uid, cudnnDataType_t type,
                                        const struct shape *s, const int64_t *space,
                                        int64_t channels)
{
    int64_t size[5] = {s->items, channels}, stride[5], step = channels;

    for (int i = s->axes - 1; i >= 0; i--) {
        size[2 + i] = space[i];
        stride[2 + i] = step;
        step *= space[i];
    }
    stride[0] = step;
    stride[1] = 1;
    return g->tensor(uid, type, 2 + s->axes, size, stride);
}

static cudnnBackendDescriptor_t weights(cudnn_graph *g, cudnnDataType_t type, const struct shape *s)
{
    int64_t size[5] = {s->out, s->in}, stride[5], step = s->in;

    for (int i = s->axes - 1; i >= 0; i--) {
        size[2 + i] = s->kernel[i];
        stride[2 + i] = step;
        step *= s->kernel[i];
    }
    stride[0] = s->weight_row;
    stride[1] = 1;
    return g->tensor(UID_W, type, 2 + s->axes, size, stride);
}

static struct cudnn_plan plan_conv(struct cudnn *n, const struct shape *s, enum form form)
{
    cudnn_graph g(n);
    cudnnDataType_t half = cudnn_type(s->type);
    cudnnBackendDescriptor_t last = NULL;
    int64_t ones[3] = {1, 1, 1}, next = UID_VIRTUAL;
    bool bias = form == FUSED && s->bias, add = form == FUSED && s->add;

    last = bias || add ? picture(&g, next++, CUDNN_DATA_FLOAT, s, s->y, s->out)
                       : picture(&g, UID_Y, half, s, s->y, s->out);
    g.convolve(s->axes, s->stride, s->before, s->after, picture(&g, UID_X, half, s, s->x, s->in),
               weights(&g, half, s), last);
    if (bias) {
        struct shape one = *s;
        one.items = 1;
        cudnnBackendDescriptor_t y = add ? picture(&g, next++, CUDNN_DATA_FLOAT, s, s->y, s->out)
                                         : picture(&g, UID_Y, half, s, s->y, s->out);
        g.pointwise(CUDNN_POINTWISE_ADD, last,
                    picture(&g, UID_BIAS, CUDNN_DATA_FLOAT, &one, ones, s->out), y);
        last = y;
    }
    if (add)
        g.pointwise(CUDNN_POINTWISE_ADD, last, picture(&g, UID_ADD, half, s, s->y, s->out),
                    picture(&g, UID_Y, half, s, s->y, s->out));
    struct cudnn_plan plan = g.plan(WORKSPACE);
    plan.form = form;
    return plan;
}

static const struct cudnn_plan *plan_for(struct cudnn *n, const struct shape *s)
{
    std::vector<int64_t> key = {'c',    s->type,       s->axes, s->items, s->in,
                                s->out, s->weight_row, s->bias, s->add};

    for (int i = 0; i < s->axes; i++)
        key.insert(key.end(),
                   {s->x[i], s->y[i], s->kernel[i], s->stride[i], s->before[i], s->after[i]});
    auto known = n->plans.find(key);
    if (known != n->plans.end())
        return &known->second;
    struct cudnn_plan plan = plan_conv(n, s, FUSED);
    if (!plan.plan)
        plan = plan_conv(n, s, BARE);
    return &n->plans.emplace(key, plan).first->second;
}

static size_t numbers_of(const struct tensor *t)
{
    size_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= (size_t)t->shape[i];
    return n;
}

bool cudnn_conv(struct context *c, const struct tensor *out, const struct conv_input *x,
                const struct conv *w, const struct tensor *residual)
{
    struct shape s = {};
    int at = 0; /* the axes from here on are height and width */

    if (!c->cudnn || !is_half(c) || w->in % 8 || w->out % 8 ||
        ((uintptr_t)x->data | (uintptr_t)out->data) & 15 ||
        (residual && ((uintptr_t)residual->data & 15)))
        return false;
    s.type = c->device->activations;
    s.items = x->items;
    if (x->depth > 1) {
        s.x[0] = x->depth;
        s.kernel[0] = w->kt;
        s.y[0] = x->depth - w->kt + 1;
        s.stride[0] = 1;
        at = 1;
    }
    s.axes = 2 + at;
    s.x[at] = x->height;
    s.x[at + 1] = x->width;
    s.y[at] = out->shape[1];
    s.y[at + 1] = out->shape[2];
    s.kernel[at] = w->kh;
    s.kernel[at + 1] = w->kw;
    for (int i = 0; i < 2; i++) {
        int64_t k = s.kernel[at + i];
        s.stride[at + i] = w->form.stride;
        s.before[at + i] = x->padded || w->form.edge == CONV_ZEROS_AFTER ? 0 : k / 2;
        s.after[at + i] = x->padded ? 0 : k / 2; /* of the k - 1 zeros after, one half is seen */
    }
    s.in = w->in;
    s.out = w->out;
    s.weight_row = (int64_t)w->kt * w->kh * w->kw * w->in;
    s.bias = w->bias != NULL;
    s.add = residual != NULL;
    const struct cudnn_plan *plan = plan_for(c->cudnn, &s);
    if (!plan->plan)
        return false;
    void *add = residual ? residual->data : NULL, *to = out->data;
    if (plan->form == BARE && (s.bias || s.add)) { /* not over a residual in place */
        to = scratch_take(c, SCRATCH_WEIGHTS, numbers_of(out) * size_of(s.type));
        if (!to)
            return false;
    }
    const int64_t uids[5] = {UID_X, UID_W, UID_Y, s.bias ? UID_BIAS : UID_ADD, UID_ADD};
    void *const pointers[5] = {(void *)x->data, (void *)w->packed, to,
                               s.bias ? (void *)w->bias : add, add};
    int extra = plan->form == FUSED ? s.bias + s.add : 0;
    if (cudnn_run(c, plan, 3 + extra, uids, pointers) && to != out->data) {
        struct tensor bare = *out;
        bare.data = to;
        bias_add(c, out, &bare, w->bias, residual);
    }
    if (s.axes == 3)
        c->host.note(c->device, NOTE_CHANNELS_LAST, NOTE_ACTIVE,
                     "Channels_Last_3D Memory Format Applied.");
    return true;
}
