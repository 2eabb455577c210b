/* Weights as they were published, on their way to a device. */
#include <string.h>

#include "kernels/device_impl.h"
#include "kernels/f8.h"
#include "kernels/load_watch.h"

enum { SHAPE_TEXT = 96 };

static int not_floats(const struct tensor *t, struct error *e)
{
    return error_set(e, ERROR_MODEL, "its dtype %s is none of F32, F16, BF16 and FP8",
                     dtype_name(t->dtype));
}

static bool holds_floats(const struct tensor *t)
{
    return dtype_is_float(t->dtype) && tensor_contiguous(t);
}

int tensor_upload(struct device *d, struct arena *a, const struct tensor *t, struct tensor *out,
                  struct error *e)
{
    struct arena scratch = {0};
    struct tensor host;
    int rc = -1;

    if (!holds_floats(t))
        return not_floats(t, e);
    *out = tensor_new(a, t->rank, t->shape);
    host = out->device == DEVICE_CPU ? *out : tensor_new(&scratch, t->rank, t->shape);
    if (!out->data || !host.data) {
        error_memory(e);
        goto done;
    }
    tensor_to_f32(t, host.data);
    if (out->device != DEVICE_CPU)
        op_write(d, out, &host);
    rc = d->failed ? device_status(d, e) : 0;
done:
    arena_free(&scratch);
    return rc;
}

float *weights_as_f32(struct arena *a, int count, const struct tensor *const *weight)
{
    size_t total = 0, at = 0;
    float *joined;

    for (int i = 0; i < count; i++)
        total += (size_t)tensor_count(weight[i]);
    joined = arena_array(a, total, sizeof *joined);
    for (int i = 0; joined && i < count; i++) {
        tensor_to_f32(weight[i], joined + at);
        at += (size_t)tensor_count(weight[i]);
    }
    return joined;
}

float *linear_as_f32(struct arena *a, int count, const struct tensor *const *weight,
                     const struct linear *shape)
{
    float *joined = weights_as_f32(a, count, weight);

    if (joined && shape->dtype == DTYPE_F8_E4M3)
        f8_round_rows(joined, shape->out, shape->in);
    return joined;
}

float *conv_weight_taps_first(struct arena *a, const struct tensor *weight)
{
    int64_t out = weight->shape[0], in = weight->shape[1];
    int64_t taps = tensor_count(weight) / (out * in);
    float *from = weights_as_f32(a, 1, &weight);
    float *to = arena_array(a, (size_t)tensor_count(weight), sizeof *to);

    if (!from || !to)
        return NULL;
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t t = 0; t < taps; t++)
                to[(o * taps + t) * in + i] = from[(o * in + i) * taps + t];
    return to;
}

static int linear_shape(int count, const struct tensor *const *weight,
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
        if (!holds_floats(w) || (bias && bias[i] && !holds_floats(bias[i])))
            return not_floats(holds_floats(w) ? bias[i] : w, e);
        out->in = w->shape[1];
        out->out += w->shape[0];
    }
    return 0;
}

static size_t bytes_of(const struct tensor *t)
{
    return (size_t)tensor_count(t) * dtype_size(t->dtype);
}

/* Biases side by side, on the device. */
static int upload_bias(struct device *d, struct arena *a, int count,
                       const struct tensor *const *bias, const float **out, struct error *e)
{
    struct arena scratch = {0};
    float *joined = weights_as_f32(&scratch, count, bias);
    struct tensor host, on_device = {0};
    int64_t total = 0;
    int rc;

    for (int i = 0; i < count; i++)
        total += tensor_count(bias[i]);
    host = TENSOR_F32(joined, total);
    rc = joined ? tensor_upload(d, a, &host, &on_device, e) : error_memory(e);
    *out = on_device.data;
    arena_free(&scratch);
    return rc;
}

/* A pack slot gave NULL: memory, or what the device says. */
static int pack_failed(struct device *d, struct error *e)
{
    return d->failed ? device_status(d, e) : error_memory(e);
}

int linear_pack_as(struct device *d, struct arena *a, enum dtype dtype, int count,
                   const struct tensor *const *weight, const struct tensor *const *bias,
                   struct linear *out, struct error *e)
{
    if (linear_shape(count, weight, bias, out, e))
        return -1;
    out->dtype = d->activations;
    if (dtype == DTYPE_F8_E4M3 && d->has_f8 && out->in % 16 == 0 && out->out % 16 == 0 &&
        out->in <= F8_MAX_COLUMNS)
        out->dtype = DTYPE_F8_E4M3;
    if (bias && bias[0] && upload_bias(d, a, count, bias, &out->bias, e))
        return -1;
    out->packed = d->ops.linear_pack(d, a, count, weight, out);
    if (!out->packed)
        return pack_failed(d, e);
    for (int i = 0; i < count; i++)
        load_did(bytes_of(weight[i]));
    return 0;
}

int linear_pack_many(struct device *d, struct arena *a, int count,
                     const struct tensor *const *weight, const struct tensor *const *bias,
                     struct linear *out, struct error *e)
{
    return linear_pack_as(d, a, d->activations, count, weight, bias, out, e);
}

int linear_pack(struct device *d, struct arena *a, const struct tensor *weight,
                const struct tensor *bias, struct linear *out, struct error *e)
{
    return linear_pack_many(d, a, 1, &weight, bias ? &bias : NULL, out, e);
}

static bool conv_shape(const struct tensor *w, struct conv_form form, struct conv *out)
{
    bool time = w->rank == 5;
    if (w->rank != 4 && !time)
        return false;
    *out = (struct conv){.out = w->shape[0],
                         .in = w->shape[1],
                         .kt = time ? (int)w->shape[2] : 1,
                         .kh = (int)w->shape[w->rank - 2],
                         .kw = (int)w->shape[w->rank - 1],
                         .form = form};
    if (form.scale < 1 || form.scale > 2 || form.stride < 1 || form.stride > 2 ||
        (form.scale == 2 && form.stride == 2))
        return false;
    if (form.scale == 2 && (out->kh != 3 || out->kw != 3))
        return false;
    if ((form.edge == CONV_ZEROS_AFTER && form.stride != 2) ||
        (form.edge == CONV_GIVEN && (form.stride != 1 || form.scale != 1)))
        return false;
    return out->out >= 1 && out->in >= 1 && out->kt >= 1 && out->kt <= CONV_MAX_TAPS &&
           (out->kh == 1 || out->kh == 3) && (out->kw == 1 || out->kw == 3);
}

int conv_pack(struct device *d, struct arena *a, const struct tensor *weight,
              const struct tensor *bias, struct conv_form form, struct conv *out, struct error *e)
{
    char text[SHAPE_TEXT];

    if (!conv_shape(weight, form, out) || (bias && tensor_count(bias) != out->out))
        return error_set(e, ERROR_MODEL, "a convolution's weight has the shape %s",
                         tensor_shape_text(weight, text, sizeof text));
    if (!holds_floats(weight) || (bias && !holds_floats(bias)))
        return not_floats(holds_floats(weight) ? bias : weight, e);
    if (bias && upload_bias(d, a, 1, &bias, &out->bias, e))
        return -1;
    out->packed = d->ops.conv_pack(d, a, weight, out);
    if (!out->packed)
        return pack_failed(d, e);
    load_did(bytes_of(weight));
    return 0;
}
