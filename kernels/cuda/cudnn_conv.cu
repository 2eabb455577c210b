/* Convolutions by cuDNN: channels last, halves, channels in multiples of 8. Bias and residual are
 * part of the graph where an engine takes them, else one pass of ours after it. */
#include "kernels/cuda/conv.cuh"
#include "kernels/cuda/cudnn.cuh"

static const size_t WORKSPACE = (size_t)512 << 20;
enum { GUESSES = 16, ROUNDS = 2 };
/* Convolutions of fewer operations are over in some 40 microseconds, and an engine takes a second
 * to compile. */
static const double LEAST_WORK = 3e10;
/* What is less than this much faster is not: timing is no more precise. */
static const float MARGIN = 0.98f;

/* Axes of space: with time, or height and width alone. */
static int axes_of(const struct conv_call *call)
{
    return call->x.shape[1] > 1 || call->kernel[0] > 1 ? 3 : 2;
}

static cudnnBackendDescriptor_t picture(cudnn_graph *g, int64_t uid, cudnnDataType_t type,
                                        const struct tensor *t, int axes)
{
    int64_t size[5] = {t->shape[0], t->shape[4]}, stride[5] = {t->stride[0], 1};

    for (int i = 0; i < axes; i++) {
        size[2 + i] = t->shape[4 - axes + i];
        stride[2 + i] = t->stride[4 - axes + i];
    }
    return g->tensor(uid, type, 2 + axes, size, stride);
}

static cudnnBackendDescriptor_t weights(cudnn_graph *g, cudnnDataType_t type,
                                        const struct conv_call *call, int axes)
{
    int64_t in = call->x.shape[4], size[5] = {call->y.shape[4], in}, stride[5], step = in;

    for (int i = axes - 1; i >= 0; i--) {
        size[2 + i] = call->kernel[3 - axes + i];
        stride[2 + i] = step;
        step *= size[2 + i];
    }
    stride[0] = step;
    stride[1] = 1;
    return g->tensor(UID_W, type, 2 + axes, size, stride);
}

static cudnnBackendDescriptor_t one_pixel(cudnn_graph *g, int64_t channels, int axes)
{
    int64_t size[5] = {1, channels, 1, 1, 1};
    int64_t stride[5] = {channels, 1, channels, channels, channels};

    return g->tensor(UID_BIAS, CUDNN_DATA_FLOAT, 2 + axes, size, stride);
}

static void describe(cudnn_graph &g, const struct conv_call *call)
{
    int axes = axes_of(call), skip = 3 - axes;
    cudnnDataType_t half = cudnn_type(call->x.dtype), made = cudnn_type(call->y.dtype);
    const int64_t strides[3] = {axes == 3 ? 1 : call->stride, call->stride, call->stride};
    int64_t next = UID_VIRTUAL;
    bool bias = call->bias != NULL, add = call->add.data != NULL;
    cudnnBackendDescriptor_t last = picture(&g, bias || add ? next++ : (int64_t)UID_Y,
                                            bias || add ? CUDNN_DATA_FLOAT : made, &call->y, axes);

    g.convolve(axes, strides, call->before + skip, call->after + skip,
               picture(&g, UID_X, half, &call->x, axes), weights(&g, half, call, axes), last);
    if (bias) {
        cudnnBackendDescriptor_t y = picture(&g, add ? next++ : (int64_t)UID_Y,
                                             add ? CUDNN_DATA_FLOAT : made, &call->y, axes);
        g.pointwise(CUDNN_POINTWISE_ADD, last, one_pixel(&g, call->y.shape[4], axes), y);
        last = y;
    }
    if (add)
        g.pointwise(CUDNN_POINTWISE_ADD, last,
                    picture(&g, UID_ADD, cudnn_type(call->add.dtype), &call->add, axes),
                    picture(&g, UID_Y, made, &call->y, axes));
}

/* A call's tensors as a plan is given them. */
struct operands {
    int count;
    int64_t uids[5];
    void *pointers[5];
};

static struct operands operands_of(const struct conv_call *call)
{
    return {3 + (call->bias != NULL) + (call->add.data != NULL),
            {UID_X, UID_W, UID_Y, call->bias ? UID_BIAS : UID_ADD, UID_ADD},
            {call->x.data, (void *)call->weights, call->y.data,
             call->bias ? (void *)call->bias : call->add.data, call->add.data}};
}

/* With the plan, or the first after it that is not refused; it is the plan from then on. False:
 * none takes it, and nothing was done. */
static bool run(struct context *c, struct cudnn_plan *plan, const struct conv_call *call)
{
    struct operands o = operands_of(call);

    while (plan->plan && cudnn_run(c, plan, o.count, o.uids, o.pointers) == CUDNN_REFUSED) {
        cudnn_graph g(c->cudnn);
        describe(g, call);
        c->cudnn->call.unmake(plan->plan);
        *plan = g.plan(WORKSPACE, plan->guess + 1);
    }
    return plan->plan != NULL;
}

/* ---- which of cuDNN's guesses: as gemm_search.cu does it, but only for the most patient. Engines
 * are compiled when they are tried: five guesses for each large convolution of HunyuanVideo's VAE
 * took 20 s on an H200, and the decode was no faster (2026-11-21). */

/* Milliseconds; negative: it cannot be run, which is no failure of what was asked for. */
static float once(struct context *c, const struct cudnn_plan *plan, const struct operands *o,
                  void *workspace, const cudaEvent_t *event)
{
    float took = -1;
    bool ran = cudaEventRecord(event[0], c->stream) == cudaSuccess &&
               cudnn_execute(c->cudnn, plan, o->count, o->uids, o->pointers, workspace) ==
                   CUDNN_STATUS_SUCCESS;

    if (cudaEventRecord(event[1], c->stream) != cudaSuccess ||
        cudaEventSynchronize(event[1]) != cudaSuccess || !ran ||
        cudaEventElapsedTime(&took, event[0], event[1]) != cudaSuccess)
        return -1;
    return took;
}

/* The best of ROUNDS after one to warm up. */
static float time_plan(struct context *c, const struct cudnn_plan *plan,
                       const struct conv_call *call, const cudaEvent_t *event)
{
    struct operands o = operands_of(call);
    void *workspace = plan->workspace ? memory_try(c, plan->workspace) : NULL;
    float took = plan->workspace && !workspace ? -1 : once(c, plan, &o, workspace, event);

    for (int k = 0; k < ROUNDS && took >= 0; k++) {
        float again = once(c, plan, &o, workspace, event);
        took = k == 0 || again < took ? again : took;
    }
    memory_give(c, workspace, plan->workspace);
    return took;
}

/* `best` and all guesses after it; the fastest stays. *least: its milliseconds; negative: none
 * could be timed. */
static struct cudnn_plan fastest(struct context *c, cudnn_graph &g, const struct conv_call *call,
                                 struct cudnn_plan best, const cudaEvent_t *event, float *least)
{
    *least = time_plan(c, &best, call, event);

    for (struct cudnn_plan next = g.plan(WORKSPACE, best.guess + 1); next.plan;) {
        float took = time_plan(c, &next, call, event);
        int from = next.guess + 1;
        if (took >= 0 && (*least < 0 || took < MARGIN * *least)) {
            struct cudnn_plan slower = best;
            best = next;
            next = slower;
            *least = took;
        }
        c->cudnn->call.unmake(next.plan);
        next = g.plan(WORKSPACE, from);
    }
    return best;
}

/* The best of some guesses, timed on the operands at hand; or the first where none could be. */
static struct cudnn_plan compete(struct context *c, cudnn_graph &g, struct conv_call call,
                                 bool *timed)
{
    float least = -1;
    struct cudnn_plan best = g.plan(WORKSPACE);
    size_t numbers = (size_t)(call.y.shape[0] * call.y.stride[0]);
    size_t size = call.add.data ? numbers * size_of(call.y.dtype) : 0;
    void *beside = size ? memory_try(c, size) : NULL;
    cudaEvent_t event[2] = {};

    if (best.plan && (!size || beside) && cudaEventCreate(&event[0]) == cudaSuccess &&
        cudaEventCreate(&event[1]) == cudaSuccess) {
        call.y.data = beside ? beside : call.y.data; /* not over what is read */
        best = fastest(c, g, &call, best, event, &least);
    }
    for (int i = 0; i < 2; i++)
        if (event[i])
            cudaEventDestroy(event[i]);
    memory_give(c, beside, size);
    cudaGetLastError(); /* what did not run is not chosen */
    *timed = least >= 0;
    return best;
}

/* The plan that a kept number stands for: it is from a file, which may hold anything. */
static struct cudnn_plan plan_kept(cudnn_graph &g, int64_t guess)
{
    return g.plan(WORKSPACE, guess >= 0 && guess < GUESSES ? (int)guess : 0);
}

/* Multiplications and additions. */
static double work_of(const struct conv_call *call)
{
    double work = 2.0 * (double)call->x.shape[4];

    for (int i = 0; i < 5; i++)
        work *= (double)call->y.shape[i];
    for (int i = 0; i < 3; i++)
        work *= (double)call->kernel[i];
    return work;
}

static struct cudnn_plan plan_conv(struct context *c, const struct conv_call *call,
                                   const std::vector<int64_t> &key)
{
    cudnn_graph g(c->cudnn);
    enum patience patience = c->device->patience;
    size_t size = key.size() * sizeof key[0];
    int64_t guess = 0;

    describe(g, call);
    if (patience == PATIENCE_NONE || is_recording(c))
        return g.plan(WORKSPACE);
    if (c->tuning &&
        c->host.tuning_find(c->tuning, key.data(), size, patience, &guess, sizeof guess)) {
        struct cudnn_plan known = plan_kept(g, guess);
        search_note(c);
        return known.plan ? known : g.plan(WORKSPACE);
    }
    if (patience < PATIENCE_ENOUGH || (patience == PATIENCE_ENOUGH && work_of(call) < LEAST_WORK))
        return g.plan(WORKSPACE);
    bool timed;
    struct cudnn_plan best = compete(c, g, *call, &timed);
    guess = best.guess;
    if (timed && c->tuning && !c->device->failed) {
        c->host.tuning_keep(c->tuning, key.data(), size, patience, &guess, sizeof guess);
        search_note(c);
    }
    if (best.plan && guess != best.guess) { /* another process was first: what it found counts */
        struct cudnn_plan theirs = plan_kept(g, guess);
        if (theirs.plan) {
            c->cudnn->call.unmake(best.plan);
            return theirs;
        }
    }
    return best;
}

static void add_shape(std::vector<int64_t> *key, const struct tensor *t)
{
    key->push_back(t->data ? (int64_t)t->dtype : -1);
    if (!t->data)
        return;
    key->insert(key->end(), t->shape, t->shape + 5);
    key->insert(key->end(), t->stride, t->stride + 4);
}

static struct cudnn_plan *plan_for(struct context *c, const struct conv_call *call)
{
    struct cudnn *n = c->cudnn;
    std::vector<int64_t> key = {'c', call->stride, call->bias != NULL};

    add_shape(&key, &call->x);
    add_shape(&key, &call->y);
    add_shape(&key, &call->add);
    for (int i = 0; i < 3; i++)
        key.insert(key.end(), {call->kernel[i], call->before[i], call->after[i]});
    auto known = n->plans.find(key);
    if (known != n->plans.end())
        return &known->second;
    return &n->plans.emplace(key, plan_conv(c, call, key)).first->second;
}

bool cudnn_conv(struct context *c, const struct conv_call *call)
{
    struct conv_call bare = *call;

    if (run(c, plan_for(c, call), call)) {
        if (axes_of(call) == 3)
            c->host.note(c->device, NOTE_CHANNELS_LAST, NOTE_ACTIVE,
                         "Channels_Last_3D Memory Format Applied.");
        return true;
    }
    if (!call->bias && !call->add.data)
        return false;
    bare.bias = NULL;
    bare.add.data = NULL; /* nor over a residual in place */
    bare.y = device_tensor(NULL, call->x.dtype, 5, call->y.shape);
    size_t numbers = (size_t)(bare.y.shape[0] * bare.y.stride[0]);
    bare.y.data = scratch_take(c, SCRATCH_WEIGHTS, numbers * size_of(bare.y.dtype));
    if (!bare.y.data || !run(c, plan_for(c, &bare), &bare))
        return false;
    if (!c->device->failed)
        bias_add(c, &call->y, &bare.y, call->bias, call->add.data ? &call->add : NULL);
    return true;
}
