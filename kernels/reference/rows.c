#include "kernels/reference/reference.h"

#include <math.h>
#include <string.h>

static float at(const struct tensor *t, int64_t i, float otherwise)
{
    return t ? ((const float *)t->data)[i] : otherwise;
}

/* Number i of the vector, [C] or [G, C], that belongs to row r of x. */
static float at_row(const struct tensor *v, const struct tensor *x, int64_t r, int64_t i,
                    float otherwise)
{
    return at(v, r / vector_run(v, x) * x->shape[x->rank - 1] + i, otherwise);
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
            to[i] = (float)((from[i] - mean) * scale * at_row(weight, x, r, i, 1) +
                            at_row(bias, x, r, i, 0));
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

/* One group of one item: `rows` rows of `width` channels, C apart. */
static void normalise_group(float *to, const float *from, int64_t rows, int64_t c, int64_t width,
                            const float *weight, const float *bias, float eps, enum activation act)
{
    double mean = 0, variance = 0, scale;

    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < width; i++)
            mean += from[r * c + i];
    mean /= (double)(rows * width);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < width; i++)
            variance += (from[r * c + i] - mean) * (from[r * c + i] - mean);
    scale = 1 / sqrt(variance / (double)(rows * width) + eps);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < width; i++) {
            double v = (from[r * c + i] - mean) * scale * (weight ? weight[i] : 1);
            to[r * c + i] = reference_activation(act, v + (bias ? bias[i] : 0));
        }
}

void reference_group_norm(struct device *d, struct tensor *out, const struct tensor *x, int groups,
                          const struct tensor *weight, const struct tensor *bias, float eps,
                          enum activation act)
{
    int64_t c = x->shape[x->rank - 1], width = c / groups, rows = tensor_rows(x) / x->shape[0];
    (void)d;
    for (int64_t n = 0; n < x->shape[0]; n++)
        for (int64_t first = 0; first < c; first += width) {
            int64_t begin = n * rows * c + first;
            normalise_group((float *)out->data + begin, (const float *)x->data + begin, rows, c,
                            width, weight ? (const float *)weight->data + first : NULL,
                            bias ? (const float *)bias->data + first : NULL, eps, act);
        }
}

static void rotate(float *row, const float *cos, const float *sin, int64_t half,
                   enum rope_pairs pairs)
{
    for (int64_t i = 0; i < half; i++) {
        float *first = pairs == ROPE_HALVES ? row + i : row + 2 * i;
        float *second = pairs == ROPE_HALVES ? row + i + half : first + 1;
        double a = *first, b = *second;
        *first = (float)(a * cos[i] - b * sin[i]);
        *second = (float)(a * sin[i] + b * cos[i]);
    }
}

void reference_rope(struct device *d, struct tensor *x, const struct tensor *cos,
                    const struct tensor *sin, enum rope_pairs pairs)
{
    int64_t half = x->shape[3] / 2;
    (void)d;
    for (int64_t n = 0; n < x->shape[0]; n++)
        for (int64_t t = 0; t < x->shape[1]; t++)
            for (int64_t h = 0; h < x->shape[2]; h++)
                rotate((float *)x->data + n * x->stride[0] + t * x->stride[1] + h * x->stride[2],
                       (float *)cos->data + t * half, (float *)sin->data + t * half, half, pairs);
}

void reference_embed(struct device *d, struct tensor *out, const struct tensor *table,
                     const struct tensor *ids)
{
    (void)d;
    for (int64_t i = 0; i < ids->shape[0]; i++) {
        struct tensor row = tensor_slice(*table, 0, ((const int32_t *)ids->data)[i], 1);
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

void reference_glu(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct tensor *gate, enum activation act)
{
    int64_t c = x->shape[x->rank - 1];
    (void)d;
    for (int64_t r = 0; r < tensor_rows(x); r++)
        for (int64_t i = 0; i < c; i++)
            tensor_row(out, r)[i] =
                tensor_row(x, r)[i] * reference_activation(act, tensor_row(gate, r)[i]);
}

void reference_blend(struct device *d, struct tensor *out, float a, const struct tensor *x, float b,
                     const struct tensor *y)
{
    int64_t c = x->shape[x->rank - 1];
    (void)d;
    for (int64_t r = 0; r < tensor_rows(x); r++)
        for (int64_t i = 0; i < c; i++)
            tensor_row(out, r)[i] = (float)((double)a * tensor_row(x, r)[i] +
                                            (y ? (double)b * tensor_row(y, r)[i] : 0));
}

void reference_prelu(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct tensor *slope)
{
    int64_t c = x->shape[x->rank - 1];
    (void)d;
    for (int64_t r = 0; r < tensor_rows(x); r++)
        for (int64_t i = 0; i < c; i++) {
            float v = tensor_row(x, r)[i];
            tensor_row(out, r)[i] = v > 0 ? v : v * at_row(slope, x, r, i, 1);
        }
}

void reference_add_gated(struct device *d, struct tensor *out, const struct tensor *x,
                         const struct tensor *y, const struct tensor *gate)
{
    int64_t c = x->shape[x->rank - 1];
    (void)d;
    for (int64_t r = 0; r < tensor_rows(x); r++)
        for (int64_t i = 0; i < c; i++)
            tensor_row(out, r)[i] = (float)(tensor_row(x, r)[i] +
                                            (double)at_row(gate, x, r, i, 1) * tensor_row(y, r)[i]);
}

void reference_modulate(struct device *d, struct tensor *out, const struct tensor *x,
                        const struct tensor *scale, const struct tensor *shift)
{
    int64_t c = x->shape[x->rank - 1];
    (void)d;
    for (int64_t r = 0; r < tensor_rows(x); r++)
        for (int64_t i = 0; i < c; i++)
            tensor_row(out, r)[i] =
                (float)(tensor_row(x, r)[i] * (1.0 + at_row(scale, x, r, i, 0)) +
                        at_row(shift, x, r, i, 0));
}

static void copy_axis(const struct tensor *out, const struct tensor *x, int axis, float *to,
                      const float *from)
{
    if (axis == x->rank) {
        *to = *from;
        return;
    }
    if (axis == x->rank - 1 && out->stride[axis] == 1 && x->stride[axis] == 1) {
        memcpy(to, from, (size_t)x->shape[axis] * sizeof *to);
        return;
    }
    for (int64_t i = 0; i < x->shape[axis]; i++)
        copy_axis(out, x, axis + 1, to + i * out->stride[axis], from + i * x->stride[axis]);
}

void reference_distance(struct device *d, struct tensor *out, const struct tensor *x,
                        const struct tensor *y)
{
    int64_t c = x->shape[x->rank - 1];
    double apart = 0, size = 0;
    (void)d;
    for (int64_t r = 0; r < tensor_rows(x); r++)
        for (int64_t i = 0; i < c; i++) {
            apart += fabs((double)tensor_row(x, r)[i] - tensor_row(y, r)[i]);
            size += fabs((double)tensor_row(y, r)[i]);
        }
    ((float *)out->data)[0] = (float)apart;
    ((float *)out->data)[1] = (float)size;
}

void reference_copy(struct device *d, struct tensor *out, const struct tensor *x)
{
    (void)d;
    copy_axis(out, x, 0, out->data, x->data);
}

void reference_write(struct device *d, struct tensor *out, const struct tensor *host)
{
    (void)d;
    memcpy(out->data, host->data, (size_t)tensor_count(host) * sizeof(float));
}

void reference_read(struct device *d, struct tensor *host, const struct tensor *x)
{
    reference_write(d, host, x);
}

/* There is no queue: it is there at once. */
void reference_read_begin(struct device *d, int slot, const struct tensor *x)
{
    struct arena *a = &d->reads[slot];
    struct tensor copy;

    arena_free(a);
    copy = tensor_new(a, x->rank, x->shape);
    d->read[slot] = copy.data;
    if (copy.data)
        reference_copy(d, &copy, x);
    else
        device_fail(d, ERROR_MEMORY, "out of memory: what is read from the device");
}

const float *reference_read_end(struct device *d, int slot)
{
    return d->read[slot];
}
