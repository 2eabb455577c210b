#include "kernels/tensor.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} dtypes[DTYPES] = {
    [DTYPE_F32] = {"F32", 4},         [DTYPE_F16] = {"F16", 2},         [DTYPE_BF16] = {"BF16", 2},
    [DTYPE_F8_E4M3] = {"F8_E4M3", 1}, [DTYPE_F8_E5M2] = {"F8_E5M2", 1}, [DTYPE_I64] = {"I64", 8},
    [DTYPE_I32] = {"I32", 4},         [DTYPE_U8] = {"U8", 1},
};

size_t dtype_size(enum dtype t)
{
    return dtypes[t].size;
}

bool dtype_is_float(enum dtype t)
{
    return t <= DTYPE_F8_E5M2;
}

const char *dtype_name(enum dtype t)
{
    return dtypes[t].name;
}

struct tensor tensor_of(enum dtype t, void *data, int rank, const int64_t *shape)
{
    struct tensor out = {.dtype = t, .device = DEVICE_CPU, .rank = rank, .data = data};
    int64_t stride = 1;
    assert(rank >= 0 && rank <= TENSOR_MAX_RANK);
    for (int i = rank - 1; i >= 0; i--) {
        out.shape[i] = shape[i];
        out.stride[i] = stride;
        stride *= shape[i];
    }
    return out;
}

struct tensor tensor_f32(float *data, int rank, const int64_t *shape)
{
    return tensor_of(DTYPE_F32, data, rank, shape);
}

struct tensor tensor_new(struct arena *a, int rank, const int64_t *shape)
{
    return tensor_new_of(a, DTYPE_F32, rank, shape);
}

struct tensor tensor_new_of(struct arena *a, enum dtype t, int rank, const int64_t *shape)
{
    struct tensor out = tensor_of(t, NULL, rank, shape);
    out.data = arena_array(a, (size_t)tensor_count(&out), dtype_size(t));
    out.device = a->source && !a->source->host ? DEVICE_CUDA : DEVICE_CPU;
    return out;
}

int64_t tensor_count(const struct tensor *t)
{
    int64_t count = 1;
    for (int i = 0; i < t->rank; i++)
        count *= t->shape[i];
    return count;
}

bool tensor_contiguous(const struct tensor *t)
{
    int64_t stride = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (t->shape[i] != 1 && t->stride[i] != stride)
            return false;
        stride *= t->shape[i];
    }
    return true;
}

struct tensor tensor_slice(struct tensor t, int axis, int64_t from, int64_t count)
{
    assert(axis >= 0 && axis < t.rank && from >= 0 && count >= 0 && from + count <= t.shape[axis]);
    t.data = (char *)t.data + (size_t)(from * t.stride[axis]) * dtype_size(t.dtype);
    if (t.scale && axis + 1 < t.rank)
        t.scale += from * t.stride[axis] / t.stride[t.rank - 2];
    t.shape[axis] = count;
    return t;
}

struct tensor tensor_view(struct tensor t, int rank, const int64_t *shape)
{
    struct tensor out = tensor_of(t.dtype, t.data, rank, shape);
    assert(tensor_contiguous(&t) && tensor_count(&t) == tensor_count(&out));
    out.device = t.device;
    if (rank > 1 && t.rank > 1 && shape[rank - 1] == t.shape[t.rank - 1])
        out.scale = t.scale;
    return out;
}

struct tensor tensor_permute(struct tensor t, const int *order)
{
    struct tensor out = t;
    out.scale = NULL; /* rows are others now */
    for (int i = 0; i < t.rank; i++) {
        assert(order[i] >= 0 && order[i] < t.rank);
        out.shape[i] = t.shape[order[i]];
        out.stride[i] = t.stride[order[i]];
    }
    return out;
}

char *tensor_shape_text(const struct tensor *t, char *buffer, size_t size)
{
    size_t n = (size_t)snprintf(buffer, size, "[");
    for (int i = 0; i < t->rank && n < size; i++)
        n +=
            (size_t)snprintf(buffer + n, size - n, "%s%lld", i ? ", " : "", (long long)t->shape[i]);
    if (n < size)
        snprintf(buffer + n, size - n, "]");
    return buffer;
}

static float from_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Any float with `e` exponent and `m` mantissa bits and IEEE infinities; denormals included. */
static float from_small_float(uint32_t bits, int e, int m)
{
    uint32_t sign = bits >> (e + m) & 1, exponent = bits >> m & ((1u << e) - 1);
    uint32_t mantissa = bits & ((1u << m) - 1);
    int bias = (1 << (e - 1)) - 1;

    if (exponent == (1u << e) - 1)
        return from_bits(sign << 31 | 0x7f800000u | mantissa << (23 - m));
    if (exponent == 0) {
        float v = ldexpf((float)mantissa, 1 - bias - m);
        return sign ? -v : v;
    }
    return from_bits(sign << 31 | (exponent + 127 - (uint32_t)bias) << 23 | mantissa << (23 - m));
}

static float from_e4m3(uint8_t bits)
{
    uint32_t sign = bits >> 7, exponent = bits >> 3 & 15, mantissa = bits & 7;
    float v;

    if (exponent == 15 && mantissa == 7)
        return from_bits(sign << 31 | 0x7fc00000u);
    v = exponent ? ldexpf((float)(8 + mantissa), (int)exponent - 10) : ldexpf((float)mantissa, -9);
    return sign ? -v : v;
}

/* A checkpoint promises no alignment. */
static uint16_t half_at(const uint8_t *bytes, int64_t i)
{
    uint16_t h;
    memcpy(&h, bytes + 2 * i, sizeof h);
    return h;
}

void tensor_to_f32(const struct tensor *t, float *out)
{
    int64_t n = tensor_count(t);
    const uint8_t *bytes = t->data;

    assert(tensor_contiguous(t));
    switch (t->dtype) {
    case DTYPE_F32:
        memcpy(out, t->data, (size_t)n * sizeof *out);
        return;
    case DTYPE_F16:
        for (int64_t i = 0; i < n; i++)
            out[i] = from_small_float(half_at(bytes, i), 5, 10);
        return;
    case DTYPE_BF16:
        for (int64_t i = 0; i < n; i++)
            out[i] = from_bits((uint32_t)half_at(bytes, i) << 16);
        return;
    case DTYPE_F8_E4M3:
        for (int64_t i = 0; i < n; i++)
            out[i] = from_e4m3(bytes[i]);
        return;
    case DTYPE_F8_E5M2:
        for (int64_t i = 0; i < n; i++)
            out[i] = from_small_float(bytes[i], 5, 2);
        return;
    default:
        assert(!"not a float dtype");
    }
}
