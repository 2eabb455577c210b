/* Weights as they were published become weights as a device wants them: F32, then its own layout.
 */
#include <string.h>

#include "kernels/device_impl.h"

enum { SHAPE_TEXT = 96 };

int tensor_upload(struct device *d, struct arena *a, const struct tensor *t, struct tensor *out,
                  struct error *e)
{
    (void)d;
    if (!dtype_is_float(t->dtype) || !tensor_contiguous(t))
        return error_set(e, ERROR_MODEL, "its dtype %s is none of F32, F16, BF16 and FP8",
                         dtype_name(t->dtype));
    *out = tensor_new(a, t->rank, t->shape);
    if (!out->data)
        return error_memory(e);
    tensor_to_f32(t, out->data);
    return 0;
}

static int pack_shape(int count, const struct tensor *const *weight,
                      const struct tensor *const *bias, struct linear *out, struct error *e)
{
    char text[SHAPE_TEXT];

    memset(out, 0, sizeof *out);
    for (int i = 0; i < count; i++) {
        const struct tensor *w = weight[i];
        if (w->rank != 2 || (i > 0 && w->shape[1] != out->in) || w->shape[0] < 1 || w->shape[1] < 1)
            return error_set(e, ERROR_MODEL, "a linear layer's weight has the shape %s",
                             tensor_shape_text(w, text, sizeof text));
        if (bias && bias[i] && tensor_count(bias[i]) != w->shape[0])
            return error_set(e, ERROR_MODEL, "a linear layer's bias has the shape %s",
                             tensor_shape_text(bias[i], text, sizeof text));
        out->in = w->shape[1];
        out->out += w->shape[0];
    }
    return 0;
}

int linear_pack_many(struct device *d, struct arena *a, int count,
                     const struct tensor *const *weight, const struct tensor *const *bias,
                     struct linear *out, struct error *e)
{
    struct arena scratch = {0};
    struct tensor part = {0}, joined, b;
    int64_t row = 0;
    int rc = -1;

    if (pack_shape(count, weight, bias, out, e))
        return -1;
    joined = TENSOR_NEW(&scratch, out->out, out->in);
    b = TENSOR_NEW(a, out->out);
    if (!joined.data || !b.data) {
        error_memory(e);
        goto done;
    }
    for (int i = 0; i < count; i++) {
        int64_t rows = weight[i]->shape[0];
        if (tensor_upload(d, &scratch, weight[i], &part, e))
            goto done;
        memcpy((float *)joined.data + row * out->in, part.data,
               (size_t)(rows * out->in) * sizeof(float));
        if (bias && bias[i]) {
            if (tensor_upload(d, &scratch, bias[i], &part, e))
                goto done;
            memcpy((float *)b.data + row, part.data, (size_t)rows * sizeof(float));
            out->bias = b.data;
        }
        row += rows;
    }
    out->packed = d->ops.linear_pack(d, a, joined.data, out->out, out->in);
    rc = out->packed ? 0 : error_memory(e);
done:
    arena_free(&scratch);
    return rc;
}

int linear_pack(struct device *d, struct arena *a, const struct tensor *weight,
                const struct tensor *bias, struct linear *out, struct error *e)
{
    return linear_pack_many(d, a, 1, &weight, bias ? &bias : NULL, out, e);
}

static bool conv_shape(const struct tensor *w, int scale, struct conv *out)
{
    bool time = w->rank == 5;
    if (w->rank != 4 && !time)
        return false;
    *out = (struct conv){.out = w->shape[0],
                         .in = w->shape[1],
                         .kt = time ? (int)w->shape[2] : 1,
                         .kh = (int)w->shape[w->rank - 2],
                         .kw = (int)w->shape[w->rank - 1],
                         .scale = scale};
    if (scale == 2 && (out->kt != 1 || out->kh != 3 || out->kw != 3))
        return false;
    return out->out >= 1 && out->in >= 1 && out->kt >= 1 && out->kt <= CONV_MAX_TAPS &&
           (out->kh == 1 || out->kh == 3) && (out->kw == 1 || out->kw == 3);
}

/* [out, in, taps] to [out, taps, in] */
static void taps_first(const float *from, float *to, int64_t out, int64_t in, int64_t taps)
{
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t t = 0; t < taps; t++)
                to[(o * taps + t) * in + i] = from[(o * in + i) * taps + t];
}

int conv_pack(struct device *d, struct arena *a, const struct tensor *weight,
              const struct tensor *bias, int scale, struct conv *out, struct error *e)
{
    struct arena scratch = {0};
    struct tensor w = {0}, b = {0};
    char text[SHAPE_TEXT];
    float *turned;
    int rc = -1;

    if (!conv_shape(weight, scale, out) || (bias && tensor_count(bias) != out->out))
        return error_set(e, ERROR_MODEL, "a convolution's weight has the shape %s",
                         tensor_shape_text(weight, text, sizeof text));
    if (tensor_upload(d, &scratch, weight, &w, e) || (bias && tensor_upload(d, a, bias, &b, e)))
        goto done;
    turned = arena_array(&scratch, (size_t)tensor_count(&w), sizeof *turned);
    if (!turned) {
        error_memory(e);
        goto done;
    }
    taps_first(w.data, turned, out->out, out->in, (int64_t)out->kt * out->kh * out->kw);
    out->bias = bias ? b.data : NULL;
    out->packed = d->ops.conv_pack(d, a, turned, out);
    rc = out->packed ? 0 : error_memory(e);
done:
    arena_free(&scratch);
    return rc;
}
