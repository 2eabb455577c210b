/* Linear layers. */
#include "kernels/cuda/linear.cuh"

/* x as FP8 rows. */
static bool f8_input(struct context *c, const struct tensor *x, struct product *p)
{
    size_t numbers = aligned((size_t)(x->shape[0] * x->shape[1]));

    if (x->dtype == DTYPE_F8_E4M3) {
        p->a = {x->data, DTYPE_F8_E4M3, x->stride[0], 0};
        p->scale_a = x->scale;
        return true;
    }
    char *bytes =
        (char *)scratch_take(c, SCRATCH_CONVERTED, numbers + (size_t)x->shape[0] * sizeof(float));
    if (!bytes)
        return false;
    struct tensor made = device_tensor(bytes, DTYPE_F8_E4M3, 2, x->shape);
    made.scale = (float *)(void *)(bytes + numbers);
    rows_map(c, &made, x, NULL, ACT_NONE);
    p->a = {bytes, DTYPE_F8_E4M3, x->shape[1], 0};
    p->scale_a = made.scale;
    return !c->device->failed;
}

/* x as cuBLASLt can take it: in the weights' dtype, rows of at least their width apart. */
static bool input_of(struct context *c, const struct tensor *x, struct product *p)
{
    int type = c->device->activations;
    struct tensor converted;

    if ((int)x->dtype == type && (x->stride[0] >= x->shape[1] || x->shape[0] == 1)) {
        p->a = {x->data, type, x->stride[0], 0};
        return true;
    }
    void *bytes =
        scratch_take(c, SCRATCH_CONVERTED, (size_t)(x->shape[0] * x->shape[1]) * size_of(type));
    if (!bytes)
        return false;
    converted = device_tensor(bytes, type, 2, x->shape);
    copy_any(c, &converted, x);
    p->a = {bytes, type, x->shape[1], 0};
    return true;
}

/* The product by itself into memory of its own, the rest after it. */
static void in_parts(struct context *c, struct product *p, struct tensor *out, const float *bias,
                     enum activation act, const struct tensor *residual)
{
    void *bytes = scratch_take(c, SCRATCH_UNFUSED, (size_t)(p->m * p->n) * size_of(out->dtype));

    if (!bytes)
        return;
    struct tensor product = device_tensor(bytes, out->dtype, 2, out->shape);
    p->d = {bytes, out->dtype, p->n, 0};
    p->beta = 0;
    if (!gemm(c, p)) {
        if (!c->device->failed)
            c->host.fail(c->device, ERROR_INTERNAL,
                         "cuBLASLt has no product for m %lld, n %lld, k %lld of these dtypes",
                         (long long)p->m, (long long)p->n, (long long)p->k);
        return;
    }
    bias_add(c, out, &product, bias, residual);
    if (act != ACT_NONE)
        bias_activate(c, out, NULL, act);
}

/* p has a, b and their scales; the rest is as of op_linear(). `bias` as the epilogue wants it. */
static void multiply(struct context *c, struct product *p, struct tensor *out,
                     const struct linear *w, const void *bias, const float *plain_bias,
                     enum activation act, const struct tensor *residual)
{
    p->m = out->shape[0];
    p->n = w->out;
    p->k = w->in;
    p->batch = 1;
    p->b_transposed = true;
    p->d = {out->data, out->dtype, out->stride[0], 0};
    p->alpha = 1;
    p->bias = bias;
    p->act = gemm_fuses(act) ? act : ACT_NONE;
    if (residual) {
        p->beta = 1;
        if (residual->dtype != out->dtype) {
            copy_any(c, out, residual);
            residual = out;
        }
        p->c = {residual->data, residual->dtype, residual->stride[0], 0};
    }
    if (gemm(c, p)) {
        if (p->act != act)
            bias_activate(c, out, NULL, act);
        return;
    }
    /* No algorithm with this epilogue, or with these strides. */
    p->bias = NULL;
    p->act = ACT_NONE;
    if (!c->device->failed && gemm(c, p))
        bias_activate(c, out, plain_bias, act);
    else if (!c->device->failed)
        in_parts(c, p, out, plain_bias, act, residual);
}

/* A run of rows may begin anywhere, but cuBLASLt wants their scales on 16 bytes. */
static bool align_scales(struct context *c, struct product *p, int64_t rows)
{
    size_t size = (size_t)rows * sizeof(float);
    void *copy;

    if (((uintptr_t)p->scale_a & 15) == 0)
        return true;
    copy = scratch_take(c, SCRATCH_SCALES, size);
    if (!copy ||
        !cuda_ok(c, cudaMemcpyAsync(copy, p->scale_a, size, cudaMemcpyDeviceToDevice, c->stream),
                 "a copy"))
        return false;
    p->scale_a = (const float *)copy;
    return true;
}

static void f8_multiply(struct context *c, struct tensor *out, const struct product *input,
                        const struct linear *w, const struct f8_layer *l, enum activation act,
                        const struct tensor *residual)
{
    struct product p = *input;

    p.b = {w->packed, DTYPE_F8_E4M3, w->in, 0};
    p.scale_b = l->scales;
    if (!align_scales(c, &p, out->shape[0]))
        return;
    multiply(c, &p, out, w, l->bias[out->dtype == DTYPE_F16 ? BIAS_F16 : BIAS_BF16], l->plain_bias,
             act, residual);
    c->host.note(c->device, NOTE_FP8, NOTE_ACTIVE, "sm_%d%d FP8 Path Activated.",
                 c->device->facts.major, c->device->facts.minor);
}

void cuda_linear(struct device *d, struct tensor *out, const struct tensor *x,
                 const struct linear *w, enum activation act, const struct tensor *residual)
{
    struct context *c = context_of(d);
    struct product p = {};
    const void *bias = !w->bias                  ? NULL
                       : out->dtype != DTYPE_F32 ? (const char *)w->packed + bias_offset(w)
                                                 : (const void *)w->bias;

    if (w->dtype == DTYPE_F8_E4M3) {
        struct f8_layer l = f8_parts(w);
        if (f8_input(c, x, &p))
            f8_multiply(c, out, &p, w, &l, act, residual);
        return;
    }
    if (!input_of(c, x, &p))
        return;
    p.b = {w->packed, d->activations, w->in, 0};
    multiply(c, &p, out, w, bias, w->bias, act, residual);
}

/* ---- with a gate */

struct gated_job {
    const float *gate, *scales, *bias;
    float *gated_scales, *gated_bias;
    void *small_bias;
    int64_t total, out;
    bool f16;
};

/* What is multiplied with a column of the product may as well be multiplied with its scale. */
static __global__ void __launch_bounds__(256) gated_kernel(const struct gated_job j)
{
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, n = i % j.out;

    if (i >= j.total)
        return;
    j.gated_scales[i] = j.scales[n] * j.gate[i];
    if (!j.bias)
        return;
    float b = j.bias[n] * j.gate[i];
    j.gated_bias[i] = b;
    if (j.f16)
        ((__half *)j.small_bias)[i] = __float2half_rn(b);
    else
        ((__nv_bfloat16 *)j.small_bias)[i] = __float2bfloat16_rn(b);
}

/* The layer as each of `runs` gates has it, one after another; false: failed. Outputs are multiples
 * of 16, so that each begins on 16 bytes. */
static bool gate_layer(struct context *c, const struct linear *w, const struct tensor *gate,
                       int64_t runs, bool f16, struct f8_layer *out)
{
    struct f8_layer l = f8_parts(w);
    struct gated_job j = {};
    size_t total = (size_t)(runs * w->out), part = aligned(total * sizeof(float));
    char *bytes = (char *)scratch_take(c, SCRATCH_GATED, 3 * part);

    if (!bytes)
        return false;
    j.gate = (const float *)gate->data;
    j.scales = l.scales;
    j.bias = l.plain_bias;
    j.gated_scales = (float *)(void *)bytes;
    j.gated_bias = (float *)(void *)(bytes + part);
    j.small_bias = bytes + 2 * part;
    j.total = (int64_t)total;
    j.out = w->out;
    j.f16 = f16;
    gated_kernel<<<(unsigned)((total + 255) / 256), 256, 0, c->stream>>>(j);
    *out = {j.gated_scales, {j.small_bias, j.small_bias}, j.gated_bias};
    if (!j.bias)
        *out = {j.gated_scales, {NULL, NULL}, NULL};
    return launched(c, "a gate");
}

static struct tensor rows_from(const struct tensor *t, int64_t from, int64_t count)
{
    struct tensor part = *t;

    part.data = (char *)t->data + (size_t)(from * t->stride[0]) * size_of(t->dtype);
    part.shape[0] = count;
    return part;
}

/* The same product from row `from` of x on. */
static struct product product_from(const struct product *p, int64_t from)
{
    struct product part = *p;

    part.a.data = (const char *)p->a.data + (size_t)(from * p->a.ld) * size_of(p->a.type);
    if (p->scale_a)
        part.scale_a = p->scale_a + from;
    return part;
}

static void f8_gated(struct context *c, struct tensor *out, const struct tensor *x,
                     const struct linear *w, const struct tensor *residual,
                     const struct tensor *gate)
{
    int64_t runs = gate->rank == 2 ? gate->shape[0] : 1, rows = x->shape[0] / runs;
    bool f16 = out->dtype == DTYPE_F16;
    struct product p = {};
    struct f8_layer l;

    if (!gate_layer(c, w, gate, runs, f16, &l) || !f8_input(c, x, &p))
        return;
    for (int64_t g = 0; g < runs && !c->device->failed; g++) {
        struct product part = product_from(&p, g * rows);
        struct f8_layer mine = l;
        struct tensor to = rows_from(out, g * rows, rows);
        struct tensor from = rows_from(residual, g * rows, rows);
        mine.scales += g * w->out;
        if (l.plain_bias) {
            mine.plain_bias += g * w->out;
            mine.bias[0] = mine.bias[1] =
                (const char *)l.bias[0] + (size_t)(g * w->out) * sizeof(__half);
        }
        f8_multiply(c, &to, &part, w, &mine, ACT_NONE, &from);
    }
}

void cuda_linear_gated(struct device *d, struct tensor *out, const struct tensor *x,
                       const struct linear *w, const struct tensor *residual,
                       const struct tensor *gate)
{
    struct context *c = context_of(d);
    int64_t shape[2] = {x->shape[0], w->out};

    if (w->dtype == DTYPE_F8_E4M3) {
        f8_gated(c, out, x, w, residual, gate);
        return;
    }
    void *bytes =
        scratch_take(c, SCRATCH_UNFUSED, (size_t)(shape[0] * shape[1]) * size_of(d->activations));
    if (!bytes)
        return;
    struct tensor product = device_tensor(bytes, d->activations, 2, shape);
    cuda_linear(d, &product, x, w, ACT_NONE, NULL);
    if (!d->failed)
        cuda_add_gated(d, out, residual, &product, gate);
}

/* ---- with another bias for each run of rows */

/* [runs, out] in this dtype, each row on 16 bytes, as epilogues want a bias. False: failed. */
static bool place_biases(struct context *c, const float *biases, int64_t runs, int64_t out,
                         int type, struct tensor *placed)
{
    int64_t pitch = (out + 63) & ~(int64_t)63, shape[2] = {runs, out};
    void *bytes = scratch_take(c, SCRATCH_GATED, (size_t)(runs * pitch) * size_of(type));
    struct tensor from = device_tensor((void *)biases, DTYPE_F32, 2, shape);

    if (!bytes)
        return false;
    *placed = device_tensor(bytes, type, 2, shape);
    placed->stride[0] = pitch;
    copy_any(c, placed, &from);
    return !c->device->failed;
}

void cuda_linear_shifted(struct device *d, struct tensor *out, const struct tensor *x,
                         const struct linear *w, const struct tensor *shift,
                         const struct tensor *residual)
{
    struct context *c = context_of(d);
    int64_t runs = shift->rank == 2 ? shift->shape[0] : 1, rows = x->shape[0] / runs;
    bool f8 = w->dtype == DTYPE_F8_E4M3;
    int type = f8 && out->dtype == DTYPE_F32 ? (int)DTYPE_BF16 : (int)out->dtype;
    struct tensor biases;
    struct product p = {};

    if (!(f8 ? f8_input(c, x, &p) : input_of(c, x, &p)) ||
        !place_biases(c, (const float *)shift->data, runs, w->out, type, &biases))
        return;
    for (int64_t g = 0; g < runs && !d->failed; g++) {
        struct tensor to = rows_from(out, g * rows, rows), bias = rows_from(&biases, g, 1);
        struct tensor from = rows_from(residual, g * rows, rows);
        const float *plain = (const float *)shift->data + g * w->out;
        struct product part = product_from(&p, g * rows);
        if (f8) {
            struct f8_layer mine = {f8_parts(w).scales, {bias.data, bias.data}, plain};
            f8_multiply(c, &to, &part, w, &mine, ACT_NONE, &from);
        } else {
            part.b = {w->packed, d->activations, w->in, 0};
            multiply(c, &part, &to, w, bias.data, plain, ACT_NONE, &from);
        }
    }
}
