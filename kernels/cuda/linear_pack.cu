/* Weights of linear layers as the device wants them: linear.cuh. */
#include "kernels/cuda/linear.cuh"

static size_t f8_size(const struct linear *w)
{
    return bias_offset(w) + aligned((size_t)w->out * sizeof(float)) +
           2 * aligned((size_t)w->out * sizeof(__half));
}

/* A stored weight to FP8 rows, a few of them at a time through the memory of transfers. */
static bool upload_f8(struct context *c, char *to, float *scales, const struct tensor *from)
{
    int64_t columns = from->shape[1];
    size_t row = (size_t)columns * size_of(from->dtype);
    int64_t at_once = row < RAW_SIZE ? (int64_t)(RAW_SIZE / row) : 1;
    at_once = at_once < from->shape[0] ? at_once : from->shape[0];
    void *raw = scratch_take(c, SCRATCH_TRANSFER, (size_t)at_once * row);

    for (int64_t at = 0; raw && at < from->shape[0]; at += at_once) {
        int64_t rows = from->shape[0] - at < at_once ? from->shape[0] - at : at_once;
        int64_t shape[2] = {rows, columns};
        struct tensor source = device_tensor(raw, from->dtype, 2, shape);
        struct tensor target = device_tensor(to + at * columns, DTYPE_F8_E4M3, 2, shape);
        target.scale = scales + at;
        if (!upload(c, raw, (const char *)from->data + (size_t)at * row, (size_t)rows * row))
            return false;
        rows_map(c, &target, &source, NULL, ACT_NONE);
    }
    return raw && !c->device->failed;
}

static const void *pack_f8(struct context *c, struct arena *a, int count,
                           const struct tensor *const *weight, const struct linear *shape)
{
    struct linear w = *shape;
    int64_t at = 0;

    w.packed = c->host.alloc(a, f8_size(shape));
    if (!w.packed)
        return NULL;
    struct f8_layer l = f8_parts(&w);
    for (int i = 0; i < count; i++) {
        if (!upload_f8(c, (char *)w.packed + at * w.in, (float *)l.scales + at, weight[i]))
            return NULL;
        at += weight[i]->shape[0];
    }
    for (int i = 0; i < 2 && w.bias; i++) {
        struct tensor from = device_tensor((void *)w.bias, DTYPE_F32, 1, &w.out);
        struct tensor to =
            device_tensor((void *)l.bias[i], i == BIAS_BF16 ? DTYPE_BF16 : DTYPE_F16, 1, &w.out);
        copy_any(c, &to, &from);
    }
    return c->device->failed ? NULL : w.packed;
}

bool f8_open(struct context *c)
{
    struct device *d = c->device;
    const struct device_facts *f = &d->facts;

    d->own_f8 = true;
    if (d->linears != DTYPE_F8_E4M3)
        return false;
    if (f->major * 10 + f->minor >= 89 && gemm_has_f8(c))
        return true;
    c->host.note(d, NOTE_FP8, NOTE_UNAVAILABLE, "%s",
                 f->major * 10 + f->minor < 89
                     ? "it has no FP8 units"
                     : "its cuBLAS has no FP8 products with a scale for each row");
    return false;
}

const void *cuda_linear_pack(struct device *d, struct arena *a, int count,
                             const struct tensor *const *weight, const struct linear *shape)
{
    struct context *c = context_of(d);
    int type = shape->dtype;
    size_t at = 0, bias = bias_offset(shape);

    if (type == DTYPE_F8_E4M3)
        return pack_f8(c, a, count, weight, shape);
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
