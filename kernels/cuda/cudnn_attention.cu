/* Attention as one fused operation of cuDNN (9.13.1 and later), where it takes the shape: halves,
 * heads of up to 256 numbers (a multiple of 8), any strides on 16 bytes, grouped queries, no bias.
 */
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

static bool fits(const struct tensor *t)
{
    if (((uintptr_t)t->data & 15) != 0 || t->shape[3] % 8 != 0 || t->shape[3] > 256 ||
        t->stride[3] != 1)
        return false;
    for (int i = 0; i < 3; i++)
        if (t->shape[i] > 1 && (t->stride[i] % 8 != 0 || t->stride[i] == 0))
            return false;
    return true;
}

static struct cudnn_plan plan_attention(struct cudnn *n, int type, const struct view *q,
                                        const struct view *k, const struct view *v,
                                        const struct view *out)
{
    cudnn_graph g(n);
    cudnnDataType_t half = cudnn_type(type);

    g.attend(g.tensor(UID_X, half, 4, q->size, q->stride),
             g.tensor(UID_W, half, 4, k->size, k->stride),
             g.tensor(UID_ADD, half, 4, v->size, v->stride), g.scalar(UID_SCALE, 4),
             g.tensor(UID_Y, half, 4, out->size, out->stride));
    return g.plan(WORKSPACE);
}

bool cudnn_attention(struct context *c, const struct tensor *out, const struct tensor *q,
                     const struct tensor *k, const struct tensor *v, float scale,
                     const struct attention_bias *bias)
{
    struct view vq, vk, vv, vo;

    if (!c->cudnn || !is_half(c) || bias->causal || bias->relative.data || bias->key.data ||
        !fits(q) || !fits(k) || !fits(v) || !fits(out))
        return false;
    vq = view_of(q);
    vk = view_of(k);
    vv = view_of(v);
    vo = view_of(out);
    std::vector<int64_t> key = {'a', q->dtype};
    const struct view *views[4] = {&vq, &vk, &vv, &vo};
    for (int i = 0; i < 4; i++) {
        key.insert(key.end(), views[i]->size, views[i]->size + 4);
        key.insert(key.end(), views[i]->stride, views[i]->stride + 4);
    }
    auto known = c->cudnn->plans.find(key);
    if (known == c->cudnn->plans.end()) {
        struct cudnn_plan plan = plan_attention(c->cudnn, q->dtype, &vq, &vk, &vv, &vo);
        known = c->cudnn->plans.emplace(key, plan).first;
    }
    if (!known->second.plan)
        return false;
    const int64_t uids[5] = {UID_X, UID_W, UID_ADD, UID_Y, UID_SCALE};
    void *const pointers[5] = {q->data, k->data, v->data, out->data, &scale};
    if (cudnn_run(c, &known->second, 5, uids, pointers))
        c->host.note(c->device, NOTE_FUSED_ATTENTION, NOTE_ACTIVE,
                     "Fused Attention Activated (cuDNN).");
    return true;
}
