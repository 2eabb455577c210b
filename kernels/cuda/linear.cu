/* Linear layers. Packed: the weights [out, in] in the activation dtype and, for halves, the bias in
 * it too (256-aligned behind them), which is what the epilogue of a product with halves wants. */
#include "kernels/cuda/cuda.cuh"

static size_t bias_offset(const struct context *c, int64_t out, int64_t in)
{
    return ((size_t)(out * in) * size_of(c->device->activations) + 255) & ~(size_t)255;
}

const void *cuda_linear_pack(struct device *d, struct arena *a, int count,
                             const struct tensor *const *weight, const struct linear *shape)
{
    struct context *c = context_of(d);
    int type = d->activations;
    size_t at = 0, bias = bias_offset(c, shape->out, shape->in);
    char *packed =
        (char *)c->host.alloc(a, bias + (shape->bias ? (size_t)shape->out * sizeof(float) : 0));

    if (!packed)
        return NULL;
    for (int i = 0; i < count; i++) {
        if (!upload_as(c, packed + at, type, weight[i]))
            return NULL;
        at += (size_t)(weight[i]->shape[0] * weight[i]->shape[1]) * size_of(type);
    }
    if (shape->bias && is_half(c)) {
        struct tensor from = device_tensor((void *)shape->bias, DTYPE_F32, 1, &shape->out);
        struct tensor to = device_tensor(packed + bias, type, 1, &shape->out);
        copy_any(c, &to, &from);
    }
    return d->failed ? NULL : packed;
}

/* x as cuBLASLt can take it: in the weights' dtype, rows of at least their width apart. */
static bool input_of(struct context *c, const struct tensor *x, struct matrix *out)
{
    int type = c->device->activations;
    struct tensor converted;

    if ((int)x->dtype == type && (x->stride[0] >= x->shape[1] || x->shape[0] == 1)) {
        *out = {x->data, type, x->stride[0], 0};
        return true;
    }
    void *bytes =
        scratch_take(c, SCRATCH_CONVERTED, (size_t)(x->shape[0] * x->shape[1]) * size_of(type));
    if (!bytes)
        return false;
    converted = device_tensor(bytes, type, 2, x->shape);
    copy_any(c, &converted, x);
    *out = {bytes, type, x->shape[1], 0};
    return true;
}

void cuda_linear(struct device *d, struct tensor *out, const struct tensor *x,
                 const struct linear *w, enum activation act, const struct tensor *residual)
{
    struct context *c = context_of(d);
    struct product p = {};
    bool half_out = out->dtype != DTYPE_F32;
    const void *bias = !w->bias   ? NULL
                       : half_out ? (const char *)w->packed + bias_offset(c, w->out, w->in)
                                  : (const void *)w->bias;

    if (!input_of(c, x, &p.a))
        return;
    p.m = x->shape[0];
    p.n = w->out;
    p.k = w->in;
    p.batch = 1;
    p.b = {w->packed, d->activations, w->in, 0};
    p.b_transposed = true;
    p.d = {out->data, out->dtype, out->stride[0], 0};
    p.alpha = 1;
    p.bias = bias;
    p.act = gemm_fuses(act) ? act : ACT_NONE;
    if (residual) {
        p.beta = 1;
        if (residual->dtype != out->dtype) {
            copy_any(c, out, residual);
            residual = out;
        }
        p.c = {residual->data, residual->dtype, residual->stride[0], 0};
    }
    if (gemm(c, &p)) {
        if (p.act != act)
            bias_activate(c, out, NULL, act);
        return;
    }
    if (d->failed)
        return;
    /* No algorithm with this epilogue: the product by itself, the rest after it. */
    p.bias = NULL;
    p.act = ACT_NONE;
    if (gemm(c, &p))
        bias_activate(c, out, w->bias, act);
    else if (!d->failed)
        c->host.fail(d, ERROR_INTERNAL,
                     "cuBLASLt has no product for m %lld, n %lld, k %lld of these dtypes",
                     (long long)p.m, (long long)p.n, (long long)p.k);
}

void cuda_linear_gated(struct device *d, struct tensor *out, const struct tensor *x,
                       const struct linear *w, const struct tensor *residual,
                       const struct tensor *gate)
{
    struct context *c = context_of(d);
    int64_t shape[2] = {x->shape[0], w->out};
    void *bytes =
        scratch_take(c, SCRATCH_UNFUSED, (size_t)(shape[0] * shape[1]) * size_of(d->activations));

    if (!bytes)
        return;
    struct tensor product = device_tensor(bytes, d->activations, 2, shape);
    cuda_linear(d, &product, x, w, ACT_NONE, NULL);
    if (!d->failed)
        cuda_add_gated(d, out, residual, &product, gate);
}
