/* Numbers of every stored dtype, read and written as F32, eight at a time where they lie well. The
 * dtype is a run-time value: the branch is the same for a whole grid and costs nothing beside the
 * memory, and each kernel is compiled once instead of once for every mix. */
#ifndef AUTEUR_KERNELS_CUDA_NUMBERS_CUH
#define AUTEUR_KERNELS_CUDA_NUMBERS_CUH

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <stdint.h>

#include "kernels/cuda/cuda.cuh"

enum { CHUNK = 8 }; /* numbers a thread handles at once: 16 bytes of halves */

static __device__ __forceinline__ float load_one(const void *data, int type, int64_t i)
{
    switch (type) {
    case DTYPE_F32:
        return ((const float *)data)[i];
    case DTYPE_F16:
        return __half2float(((const __half *)data)[i]);
    case DTYPE_BF16:
        return __bfloat162float(((const __nv_bfloat16 *)data)[i]);
    case DTYPE_F8_E4M3:
        return float(((const __nv_fp8_e4m3 *)data)[i]);
    default:
        return float(((const __nv_fp8_e5m2 *)data)[i]);
    }
}

static __device__ __forceinline__ void store_one(void *data, int type, int64_t i, float v)
{
    switch (type) {
    case DTYPE_F32:
        ((float *)data)[i] = v;
        break;
    case DTYPE_F16:
        ((__half *)data)[i] = __float2half_rn(v);
        break;
    default:
        ((__nv_bfloat16 *)data)[i] = __float2bfloat16_rn(v);
        break;
    }
}

/* Eight from i, which is aligned to 16 bytes. */
static __device__ __forceinline__ void load_eight(const void *data, int type, int64_t i, float *v)
{
    if (type == DTYPE_F32) {
        const float4 *p = (const float4 *)((const float *)data + i);
        float4 a = p[0], b = p[1];
        v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w;
        v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
    } else if (type == DTYPE_F16) {
        uint4 raw = *(const uint4 *)((const __half *)data + i);
        const __half2 *h = (const __half2 *)&raw;
#pragma unroll
        for (int k = 0; k < 4; k++) {
            float2 f = __half22float2(h[k]);
            v[2 * k] = f.x, v[2 * k + 1] = f.y;
        }
    } else {
        uint4 raw = *(const uint4 *)((const __nv_bfloat16 *)data + i);
        const __nv_bfloat162 *h = (const __nv_bfloat162 *)&raw;
#pragma unroll
        for (int k = 0; k < 4; k++) {
            float2 f = __bfloat1622float2(h[k]);
            v[2 * k] = f.x, v[2 * k + 1] = f.y;
        }
    }
}

static __device__ __forceinline__ void store_eight(void *data, int type, int64_t i, const float *v)
{
    if (type == DTYPE_F32) {
        float4 *p = (float4 *)((float *)data + i);
        p[0] = make_float4(v[0], v[1], v[2], v[3]);
        p[1] = make_float4(v[4], v[5], v[6], v[7]);
    } else if (type == DTYPE_F16) {
        uint4 raw;
        __half2 *h = (__half2 *)&raw;
#pragma unroll
        for (int k = 0; k < 4; k++)
            h[k] = __floats2half2_rn(v[2 * k], v[2 * k + 1]);
        *(uint4 *)((__half *)data + i) = raw;
    } else {
        uint4 raw;
        __nv_bfloat162 *h = (__nv_bfloat162 *)&raw;
#pragma unroll
        for (int k = 0; k < 4; k++)
            h[k] = __floats2bfloat162_rn(v[2 * k], v[2 * k + 1]);
        *(uint4 *)((__nv_bfloat16 *)data + i) = raw;
    }
}

/* n of eight from i; the rest become zero. `aligned`: i is, to 16 bytes. */
static __device__ __forceinline__ void load_chunk(const void *data, int type, int64_t i, int n,
                                                  bool aligned, float *v)
{
    if (aligned && n == CHUNK && type <= DTYPE_BF16) {
        load_eight(data, type, i, v);
        return;
    }
#pragma unroll
    for (int k = 0; k < CHUNK; k++)
        v[k] = k < n ? load_one(data, type, i + k) : 0.0f;
}

static __device__ __forceinline__ void store_chunk(void *data, int type, int64_t i, int n,
                                                   bool aligned, const float *v)
{
    if (aligned && n == CHUNK) {
        store_eight(data, type, i, v);
        return;
    }
#pragma unroll
    for (int k = 0; k < CHUNK; k++)
        if (k < n)
            store_one(data, type, i + k, v[k]);
}

/* a / b; most numbers fit 32 bits, where the division is a few instructions. a >= 0, b > 0. */
static __device__ __forceinline__ int64_t divide(int64_t a, int64_t b)
{
    return ((a | b) >> 32) == 0 ? (int64_t)((uint32_t)a / (uint32_t)b) : a / b;
}

template <bool SMALL> struct index_of {
    typedef int64_t type;
};
template <> struct index_of<true> {
    typedef uint32_t type;
};
static __device__ __forceinline__ int64_t quotient(int64_t a, int64_t b)
{
    return divide(a, b);
}
static __device__ __forceinline__ uint32_t quotient(uint32_t a, uint32_t b)
{
    return a / b;
}

/* x / (1 + exp(-k x)), to a few units in the last place; 0 where exp() overflows. */
static __device__ __forceinline__ float gated(float x, float k)
{
    return __fdividef(x, 1.0f + __expf(-k * x));
}

static __device__ __forceinline__ float activate(int act, float x)
{
    switch (act) {
    case ACT_SILU:
        return gated(x, 1.0f);
    case ACT_GELU:
        return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
    case ACT_GELU_TANH: /* (1 + tanh u) / 2 = 1 / (1 + exp(-2 u)) */
        return gated(x, 1.59576912160573072f * (1.0f + 0.044715f * x * x));
    case ACT_RELU:
        return x < 0.0f ? 0.0f : x;
    case ACT_QUICK_GELU:
        return gated(x, 1.702f);
    default:
        return x;
    }
}

static __device__ __forceinline__ float power_of_two(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

static __device__ __forceinline__ float reciprocal(float x)
{
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* GELU to about 3e-7 of |x|: the error function by formula 7.1.26 of Abramowitz and Stegun,
 * "Handbook of Mathematical Functions", its z = |x| / sqrt 2 and the half of GELU worked into the
 * constants. What is kept in halves or fewer bits loses nothing by it. Beyond 64 what is taken off
 * is zero, but must not be 0 times infinity. */
static __device__ __forceinline__ float gelu_of_halves(float x)
{
    float t = reciprocal(fmaf(0.23164189f, fabsf(x), 1.0f));
    float p = fmaf(0.5307027145f, t, -0.7265760135f);

    p = fmaf(p, t, 0.7107068705f);
    p = fmaf(p, t, -0.142248368f);
    p = fmaf(p, t, 0.127414796f);
    float tail = p * t * power_of_two(-0.72134752f * x * x); /* (1 - erf(z)) / 2 */
    return fmaf(-fminf(fabsf(x), 64.0f), tail, fmaxf(x, 0.0f));
}

/* The row of a vector that goes with row r of x. */
static __device__ __forceinline__ int64_t vector_row(const struct vector &v, int64_t r)
{
    return r < v.run ? 0 : divide(r, v.run);
}

/* Where row r of an operand begins. */
static __device__ __forceinline__ int64_t row_offset(const struct domain &s,
                                                     const struct operand &o, int64_t r)
{
    int64_t offset = 0;
    for (int i = s.axes - 1; i > 0; i--) {
        int64_t up = divide(r, s.size[i]);
        offset += (r - up * s.size[i]) * o.stride[i];
        r = up;
    }
    return s.axes > 0 ? offset + r * o.stride[0] : 0;
}

/* Sums over the lanes of a group of 2, 4 .. 32 threads of a warp. */
static __device__ __forceinline__ float lanes_sum(float v, int lanes)
{
    for (int o = lanes / 2; o > 0; o /= 2)
        v += __shfl_xor_sync(0xffffffffu, v, o);
    return v;
}
static __device__ __forceinline__ float lanes_max(float v, int lanes)
{
    for (int o = lanes / 2; o > 0; o /= 2)
        v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, o));
    return v;
}

#endif
