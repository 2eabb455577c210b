/* Plain C, as the formulas read. Sums are in double: this is what the others are measured by. */
#include "kernels/reference/reference.h"

#include <float.h>
#include <math.h>
#include <string.h>

float reference_activation(enum activation act, double x)
{
    switch (act) {
    case ACT_SILU:
        return (float)(x / (1 + exp(-x)));
    case ACT_GELU:
        return (float)(0.5 * x * (1 + erf(x * M_SQRT1_2)));
    case ACT_GELU_TANH:
        return (float)(0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))));
    case ACT_RELU:
        return (float)(x < 0 ? 0 : x);
    case ACT_QUICK_GELU:
        return (float)(x / (1 + exp(-1.702 * x)));
    default:
        return (float)x;
    }
}

const void *reference_linear_pack(struct device *d, struct arena *a, int count,
                                  const struct tensor *const *weight, const struct linear *shape)
{
    (void)d;
    return linear_as_f32(a, count, weight, shape);
}

/* Output n of a row. */
static double output(const float *x, const struct linear *w, int64_t n)
{
    const float *weight = (const float *)w->packed + n * w->in;
    double sum = w->bias ? w->bias[n] : 0;

    for (int64_t k = 0; k < w->in; k++)
        sum += (double)x[k] * weight[k];
    return sum;
}

void reference_linear(struct device *d, struct tensor *out, const struct tensor *x,
                      const struct linear *w, enum activation act, const struct tensor *residual)
{
    (void)d;
    for (int64_t m = 0; m < x->shape[0]; m++)
        for (int64_t n = 0; n < w->out; n++) {
            double sum = output(tensor_row(x, m), w, n);
            if (residual)
                sum += tensor_row(residual, m)[n];
            tensor_row(out, m)[n] = reference_activation(act, sum);
        }
}

void reference_linear_glu(struct device *d, struct tensor *out, const struct tensor *x,
                          const struct linear *w, enum activation act)
{
    int64_t half = w->out / 2;
    (void)d;
    for (int64_t m = 0; m < x->shape[0]; m++)
        for (int64_t n = 0; n < half; n++) {
            double value = output(tensor_row(x, m), w, n);
            double gate = output(tensor_row(x, m), w, half + n);
            tensor_row(out, m)[n] = (float)(value * reference_activation(act, gate));
        }
}

/* One item of [items, tokens, heads, dim]. */
static struct tensor item_of(const struct tensor *t, int64_t item)
{
    struct tensor out = tensor_slice(*t, 0, item, 1);
    for (int i = 0; i < 3; i++) {
        out.shape[i] = out.shape[i + 1];
        out.stride[i] = out.stride[i + 1];
    }
    out.rank = 3;
    return out;
}

static float *head_row(const struct tensor *t, int64_t token, int64_t head)
{
    return (float *)t->data + token * t->stride[0] + head * t->stride[1];
}

static double score(const struct tensor *q, const struct tensor *k, int64_t i, int64_t j, int64_t h,
                    float scale, const struct attention_bias *bias)
{
    int64_t queries = q->shape[0], keys = k->shape[0];
    const float *x = head_row(q, i, h), *y = head_row(k, j, h * k->shape[1] / q->shape[1]);
    double s = 0;

    if (bias->causal && j > keys - queries + i)
        return -INFINITY;
    for (int64_t c = 0; c < q->shape[2]; c++)
        s += (double)x[c] * y[c];
    s *= scale;
    if (bias->key.data)
        s += ((float *)bias->key.data)[j];
    if (bias->relative.data)
        s += ((float *)bias->relative.data)[h * (queries + keys - 1) + j - i + queries - 1];
    return s;
}

/* Two passes over the keys: the largest score, then the weighted sum. */
static void attend(const struct tensor *out, const struct tensor *q, const struct tensor *k,
                   const struct tensor *v, float scale, const struct attention_bias *bias,
                   double *sum)
{
    int64_t dim = q->shape[2], keys = k->shape[0], sharing = q->shape[1] / k->shape[1];

    for (int64_t h = 0; h < q->shape[1]; h++)
        for (int64_t i = 0; i < q->shape[0]; i++) {
            double most = -DBL_MAX, total = 0;
            for (int64_t j = 0; j < keys; j++)
                most = fmax(most, score(q, k, i, j, h, scale, bias));
            memset(sum, 0, (size_t)dim * sizeof *sum);
            for (int64_t j = 0; j < keys; j++) {
                double p = exp(score(q, k, i, j, h, scale, bias) - most);
                total += p;
                for (int64_t c = 0; p != 0 && c < dim; c++)
                    sum[c] += p * head_row(v, j, h / sharing)[c];
            }
            for (int64_t c = 0; c < dim; c++)
                head_row(out, i, h)[c] = (float)(sum[c] / total);
        }
}

void reference_attention(struct device *d, struct tensor *out, const struct tensor *q,
                         const struct tensor *k, const struct tensor *v, float scale,
                         const struct attention_bias *bias)
{
    double *sum = device_scratch(d, (size_t)q->shape[3] * sizeof *sum);

    for (int64_t i = 0; sum && i < q->shape[0]; i++) {
        struct tensor o = item_of(out, i), a = item_of(q, i), b = item_of(k, i), c = item_of(v, i);
        attend(&o, &a, &b, &c, scale, bias, sum);
    }
}
