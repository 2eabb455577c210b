#include "kernels/reference/reference.h"

#include <float.h>
#include <math.h>
#include <string.h>

static float at(const struct tensor *t, int64_t i, float otherwise)
{
    return t ? ((const float *)t->data)[i] : otherwise;
}

void reference_layer_norm(struct device *d, struct tensor *out, const struct tensor *x,
                          const struct tensor *weight, const struct tensor *bias, float eps)
{
    int64_t c = x->shape[x->rank - 1];
    (void)d;
    for (int64_t r = 0; r < tensor_rows(x); r++) {
        const float *from = tensor_row(x, r);
        float *to = tensor_row(out, r);
        double mean = 0, variance = 0, scale;
        for (int64_t i = 0; i < c; i++)
            mean += from[i];
        mean /= (double)c;
        for (int64_t i = 0; i < c; i++)
            variance += (from[i] - mean) * (from[i] - mean);
        scale = 1 / sqrt(variance / (double)c + eps);
        for (int64_t i = 0; i < c; i++)
            to[i] = (float)((from[i] - mean) * scale * at(weight, i, 1) + at(bias, i, 0));
    }
}

static double squares(const float *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

void reference_rms_norm(struct device *d, struct tensor *out, const struct tensor *x,
                        const struct tensor *weight, float eps)
{
    int64_t c = x->shape[x->rank - 1];
    (void)d;
    for (int64_t r = 0; r < tensor_rows(x); r++) {
        const float *from = tensor_row(x, r);
        double scale = 1 / sqrt(squares(from, c) / (double)c + eps);
        for (int64_t i = 0; i < c; i++)
            tensor_row(out, r)[i] = (float)(from[i] * scale * at(weight, i, 1));
    }
}

void reference_channel_norm(struct device *d, struct tensor *out, const struct tensor *x,
                            const struct tensor *gamma, enum activation act)
{
    int64_t c = x->shape[x->rank - 1];
    (void)d;
    for (int64_t r = 0; r < tensor_rows(x); r++) {
        const float *from = tensor_row(x, r);
        double scale = sqrt((double)c) / fmax(sqrt(squares(from, c)), 1e-12);
        for (int64_t i = 0; i < c; i++)
            tensor_row(out, r)[i] = reference_activation(act, from[i] * scale * at(gamma, i, 1));
    }
}

void reference_softmax(struct device *d, struct tensor *out, const struct tensor *x)
{
    int64_t c = x->shape[x->rank - 1];
    (void)d;
    for (int64_t r = 0; r < tensor_rows(x); r++) {
        const float *from = tensor_row(x, r);
        double most = -DBL_MAX, total = 0;
        for (int64_t i = 0; i < c; i++)
            most = fmax(most, from[i]);
        for (int64_t i = 0; i < c; i++)
            total += exp(from[i] - most);
        for (int64_t i = 0; i < c; i++)
            tensor_row(out, r)[i] = (float)(exp(from[i] - most) / total);
    }
}

void reference_rope(struct device *d, struct tensor *x, const struct tensor *cos,
                    const struct tensor *sin)
{
    int64_t half = x->shape[2] / 2;
    (void)d;
    for (int64_t t = 0; t < x->shape[0]; t++)
        for (int64_t h = 0; h < x->shape[1]; h++) {
            float *row = (float *)x->data + t * x->stride[0] + h * x->stride[1];
            for (int64_t i = 0; i < half; i++) {
                double c = ((float *)cos->data)[t * half + i];
                double s = ((float *)sin->data)[t * half + i];
                double a = row[2 * i], b = row[2 * i + 1];
                row[2 * i] = (float)(a * c - b * s);
                row[2 * i + 1] = (float)(a * s + b * c);
            }
        }
}

void reference_embed(struct device *d, struct tensor *out, const struct tensor *table,
                     const struct tensor *ids)
{
    const int32_t *id = ids->data;
    for (int64_t i = 0; i < ids->shape[0]; i++) {
        struct tensor row;
        if (id[i] < 0 || id[i] >= table->shape[0]) {
            device_fail(d, ERROR_INTERNAL, "embed: id %d is outside a table of %lld", id[i],
                        (long long)table->shape[0]);
            return;
        }
        row = tensor_slice(*table, 0, id[i], 1);
        tensor_to_f32(&row, tensor_row(out, i));
    }
}

void reference_activate(struct device *d, struct tensor *out, const struct tensor *x,
                        enum activation act)
{
    int64_t c = x->shape[x->rank - 1];
    (void)d;
    for (int64_t r = 0; r < tensor_rows(x); r++)
        for (int64_t i = 0; i < c; i++)
            tensor_row(out, r)[i] = reference_activation(act, tensor_row(x, r)[i]);
}

void reference_add(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct tensor *y)
{
    reference_add_gated(d, out, x, y, NULL);
}

void reference_mul(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct tensor *y)
{
    int64_t c = x->shape[x->rank - 1];
    (void)d;
    for (int64_t r = 0; r < tensor_rows(x); r++)
        for (int64_t i = 0; i < c; i++)
            tensor_row(out, r)[i] = tensor_row(x, r)[i] * tensor_row(y, r)[i];
}

void reference_add_gated(struct device *d, struct tensor *out, const struct tensor *x,
                         const struct tensor *y, const struct tensor *gate)
{
    int64_t c = x->shape[x->rank - 1];
    (void)d;
    for (int64_t r = 0; r < tensor_rows(x); r++)
        for (int64_t i = 0; i < c; i++)
            tensor_row(out, r)[i] =
                (float)(tensor_row(x, r)[i] + (double)at(gate, i, 1) * tensor_row(y, r)[i]);
}

void reference_modulate(struct device *d, struct tensor *out, const struct tensor *x,
                        const struct tensor *scale, const struct tensor *shift)
{
    int64_t c = x->shape[x->rank - 1];
    (void)d;
    for (int64_t r = 0; r < tensor_rows(x); r++)
        for (int64_t i = 0; i < c; i++)
            tensor_row(out, r)[i] =
                (float)(tensor_row(x, r)[i] * (1.0 + at(scale, i, 0)) + at(shift, i, 0));
}

static void copy_axis(const struct tensor *out, const struct tensor *x, int axis, float *to,
                      const float *from)
{
    if (axis == x->rank) {
        *to = *from;
        return;
    }
    for (int64_t i = 0; i < x->shape[axis]; i++)
        copy_axis(out, x, axis + 1, to + i * out->stride[axis], from + i * x->stride[axis]);
}

void reference_copy(struct device *d, struct tensor *out, const struct tensor *x)
{
    (void)d;
    copy_axis(out, x, 0, out->data, x->data);
}
