/* Attention by cuDNN's fused kernels, where it has one: halves, heads of up to 256 numbers (a
 * multiple of 8), any strides on 16 bytes; with a bias for each key where queries are many; grouped
 * queries from 9.13.1 on. */
#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/cudnn.cuh"

enum { B, H, S, D }; /* cuDNN's order of axes; ours is [items, tokens, heads, dim] */
static const size_t WORKSPACE = (size_t)1 << 30;

struct view {
    int64_t size[4], stride[4];
};

static struct view view_of(const struct tensor *t)
{
    return {{t->shape[0], t->shape[2], t->shape[1], t->shape[3]},
            {t->stride[0], t->stride[2], t->stride[1], t->stride[3]}};
}

/* What all plans of one shape are made from. */
struct shape {
    cudnnDataType_t half;
    struct view q, k, v, out;
    bool biased; /* by key */
};

static struct cudnn_plan plan_as_one(struct cudnn *n, const struct shape *s)
{
    cudnn_graph g(n);

    g.attend(g.tensor(UID_X, s->half, 4, s->q.size, s->q.stride),
             g.tensor(UID_W, s->half, 4, s->k.size, s->k.stride),
             g.tensor(UID_ADD, s->half, 4, s->v.size, s->v.stride), g.scalar(UID_SCALE, 4),
             g.tensor(UID_Y, s->half, 4, s->out.size, s->out.stride));
    return g.plan(WORKSPACE);
}

/* The tensors between the operations, of F32 but for the weights. */
struct between {
    cudnn_graph *g;
    int64_t uid, size[4];

    cudnnBackendDescriptor_t next(int64_t columns, cudnnDataType_t type = CUDNN_DATA_FLOAT)
    {
        const int64_t shape[4] = {size[B], size[H], size[S], columns};
        const int64_t stride[4] = {size[H] * size[S] * columns, size[S] * columns, columns, 1};
        return g->tensor(uid++, type, 4, shape, stride);
    }
};

/* The same spelt out, down to the logarithm of each row's sum, which nobody reads but without
 * which cuDNN does not see what this is. */
static struct cudnn_plan plan_in_steps(struct cudnn *n, const struct shape *s)
{
    cudnn_graph g(n);
    int64_t keys = s->k.size[S];
    const int64_t turned[4] = {s->k.size[B], s->k.size[H], s->k.size[D], keys};
    const int64_t stride[4] = {s->k.stride[B], s->k.stride[H], s->k.stride[D], s->k.stride[S]};
    const int64_t row[4] = {1, 1, 1, keys}, row_stride[4] = {keys, keys, keys, 1};
    struct between t = {&g, UID_VIRTUAL, {s->q.size[B], s->q.size[H], s->q.size[S], keys}};
    cudnnBackendDescriptor_t product = t.next(keys), scores = t.next(keys), most = t.next(1);
    cudnnBackendDescriptor_t less = t.next(keys), powers = t.next(keys), sum = t.next(1);
    cudnnBackendDescriptor_t log = t.next(1), both = t.next(1), weights = t.next(keys, s->half);

    g.multiply(g.tensor(UID_X, s->half, 4, s->q.size, s->q.stride),
               g.tensor(UID_W, s->half, 4, turned, stride), product);
    g.pointwise(CUDNN_POINTWISE_MUL, product, g.scalar(UID_SCALE, 4), scores);
    if (s->biased) {
        cudnnBackendDescriptor_t plain = scores;
        scores = t.next(keys);
        g.pointwise(CUDNN_POINTWISE_ADD, plain,
                    g.tensor(UID_BIAS, CUDNN_DATA_FLOAT, 4, row, row_stride), scores);
    }
    g.reduce(CUDNN_REDUCE_TENSOR_MAX, scores, most);
    g.pointwise(CUDNN_POINTWISE_SUB, scores, most, less);
    g.pointwise(CUDNN_POINTWISE_EXP, less, NULL, powers);
    g.reduce(CUDNN_REDUCE_TENSOR_ADD, powers, sum);
    g.pointwise(CUDNN_POINTWISE_LOG, sum, NULL, log);
    g.pointwise(CUDNN_POINTWISE_ADD, most, log, both);
    g.pointwise(CUDNN_POINTWISE_DIV, powers, sum, weights);
    g.multiply(weights, g.tensor(UID_ADD, s->half, 4, s->v.size, s->v.stride),
               g.tensor(UID_Y, s->half, 4, s->out.size, s->out.stride));
    return g.plan(WORKSPACE);
}

/* On an H200 the one operation is faster for long items, the steps for a text's few keys. */
static struct cudnn_plan plan_attention(struct cudnn *n, const struct shape *s)
{
    struct cudnn_plan plan = {};

    if (s->biased || (s->k.size[S] <= 128 && s->q.size[H] == s->k.size[H]))
        plan = plan_in_steps(n, s);
    return plan.plan || s->biased ? plan : plan_as_one(n, s);
}

/* A bias for each key pays where there are many queries; flash_attention() has the others. */
static bool takes_bias(const struct attention *a)
{
    const struct attention_bias *b = a->bias;
    return !b->causal && !b->relative.data && ((uintptr_t)b->key.data & 15) == 0 &&
           a->q->shape[1] >= 512 && a->q->shape[2] == a->k->shape[2];
}

bool cudnn_attention(const struct attention *a)
{
    struct context *c = a->c;

    if (!c->cudnn || (attention_biased(a) && !takes_bias(a)) || !attention_aligned(a) ||
        a->q->shape[3] > 256)
        return false;
    const struct shape shape = {cudnn_type(a->q->dtype), view_of(a->q),   view_of(a->k),
                                view_of(a->v),           view_of(a->out), attention_biased(a)};
    std::vector<int64_t> key = {'a', a->q->dtype, shape.biased};
    const struct view *views[4] = {&shape.q, &shape.k, &shape.v, &shape.out};
    for (int i = 0; i < 4; i++) {
        key.insert(key.end(), views[i]->size, views[i]->size + 4);
        key.insert(key.end(), views[i]->stride, views[i]->stride + 4);
    }
    auto known = c->cudnn->plans.find(key);
    if (known == c->cudnn->plans.end()) {
        struct cudnn_plan plan = plan_attention(c->cudnn, &shape);
        known = c->cudnn->plans.emplace(key, plan).first;
    }
    if (!known->second.plan)
        return false;
    const int64_t uids[6] = {UID_X, UID_W, UID_ADD, UID_Y, UID_SCALE, UID_BIAS};
    void *const pointers[6] = {a->q->data,   a->k->data,        a->v->data,
                               a->out->data, (void *)&a->scale, a->bias->key.data};
    switch (cudnn_run(c, &known->second, shape.biased ? 6 : 5, uids, pointers)) {
    case CUDNN_RAN:
        c->host.note(c->device, NOTE_FUSED_ATTENTION, NOTE_ACTIVE,
                     "Fused Attention Activated (cuDNN).");
        return true;
    case CUDNN_REFUSED:
        c->cudnn->call.unmake(known->second.plan);
        known->second = {};
        return false;
    default:
        return true;
    }
}
