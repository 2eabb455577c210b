#include "kernels/f8.h"

#include <math.h>

uint8_t f8_of(float v)
{
    uint8_t sign = signbit(v) ? 0x80 : 0;
    float a = fabsf(v);
    int exponent, digits;

    if (v != v)
        return 0x7f | sign;
    if (a >= F8_MOST)
        return 0x7e | sign;
    if (a < 0x1p-6f)
        return (uint8_t)(sign | (int)rintf(a * 0x1p9f)); /* eight of them are the first normal */
    frexpf(a, &exponent);
    digits = (int)rintf(ldexpf(a, 4 - exponent)); /* 8..16; 16 carries into the exponent */
    return (uint8_t)(sign | (((exponent + 6) << 3) + digits - 8));
}

static float scale_of(const float *v, int64_t n)
{
    float most = F8_LEAST;

    for (int64_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(v[i]));
    return most;
}

/* Elements before row r, and which scale is its. */
static int64_t row_offset(const struct tensor *t, int64_t r)
{
    int64_t offset = 0;

    for (int i = t->rank - 2; i >= 0; i--) {
        offset += r % t->shape[i] * t->stride[i];
        r /= t->shape[i];
    }
    return offset;
}

static int64_t rows_of(const struct tensor *t)
{
    int64_t columns = t->shape[t->rank - 1];
    return columns ? tensor_count(t) / columns : 0;
}

static void write_row(uint8_t *to, float *scale, const float *v, int64_t n)
{
    float most = scale_of(v, n), inverse = F8_MOST / most;

    for (int64_t i = 0; i < n; i++)
        to[i] = f8_of(v[i] * inverse);
    *scale = most / F8_MOST;
}

void f8_write_rows(const struct tensor *out, const struct tensor *x)
{
    for (int64_t r = 0; r < rows_of(x); r++) {
        int64_t to = row_offset(out, r);
        write_row((uint8_t *)out->data + to, &out->scale[to / out->stride[out->rank - 2]],
                  (const float *)x->data + row_offset(x, r), x->shape[x->rank - 1]);
    }
}

void f8_read_rows(const struct tensor *out, const struct tensor *x)
{
    for (int64_t r = 0; r < rows_of(x); r++) {
        int64_t from = row_offset(x, r), n = x->shape[x->rank - 1];
        float scale = x->scale[from / x->stride[x->rank - 2]];
        float *to = (float *)out->data + row_offset(out, r);
        struct tensor row =
            tensor_of(DTYPE_F8_E4M3, (uint8_t *)x->data + from, 1, &x->shape[x->rank - 1]);

        tensor_to_f32(&row, to);
        for (int64_t i = 0; i < n; i++)
            to[i] *= scale;
    }
}

void f8_round_rows(float *v, int64_t rows, int64_t columns)
{
    for (int64_t r = 0; r < rows; r++, v += columns) {
        float most = scale_of(v, columns), inverse = F8_MOST / most, scale = most / F8_MOST;

        for (int64_t i = 0; i < columns; i++) {
            uint8_t number = f8_of(v[i] * inverse);
            struct tensor one = tensor_of(DTYPE_F8_E4M3, &number, 0, NULL);
            tensor_to_f32(&one, &v[i]);
            v[i] *= scale;
        }
    }
}
