/* Eight halves at a time, of a type that is known when a kernel is compiled: what passes over
 * activations are made of where nothing is odd. */
#ifndef AUTEUR_KERNELS_CUDA_HALVES_CUH
#define AUTEUR_KERNELS_CUDA_HALVES_CUH

#include "kernels/cuda/numbers.cuh"

static __device__ __forceinline__ void unpack(const uint4 &raw, float *v, const __half *)
{
    const __half2 *h = (const __half2 *)&raw;
#pragma unroll
    for (int k = 0; k < CHUNK / 2; k++) {
        float2 f = __half22float2(h[k]);
        v[2 * k] = f.x, v[2 * k + 1] = f.y;
    }
}

static __device__ __forceinline__ void unpack(const uint4 &raw, float *v, const __nv_bfloat16 *)
{
    const __nv_bfloat162 *h = (const __nv_bfloat162 *)&raw;
#pragma unroll
    for (int k = 0; k < CHUNK / 2; k++) {
        float2 f = __bfloat1622float2(h[k]);
        v[2 * k] = f.x, v[2 * k + 1] = f.y;
    }
}

static __device__ __forceinline__ uint4 packed(const float *v, const __half *)
{
    uint4 raw;
    __half2 *h = (__half2 *)&raw;
#pragma unroll
    for (int k = 0; k < CHUNK / 2; k++)
        h[k] = __floats2half2_rn(v[2 * k], v[2 * k + 1]);
    return raw;
}

static __device__ __forceinline__ uint4 packed(const float *v, const __nv_bfloat16 *)
{
    uint4 raw;
    __nv_bfloat162 *h = (__nv_bfloat162 *)&raw;
#pragma unroll
    for (int k = 0; k < CHUNK / 2; k++)
        h[k] = __floats2bfloat162_rn(v[2 * k], v[2 * k + 1]);
    return raw;
}

/* Whether a tensor's data may be taken so: halves, on 16 bytes. */
static inline bool is_halves(const struct tensor *t)
{
    return (t->dtype == DTYPE_F16 || t->dtype == DTYPE_BF16) && ((uintptr_t)t->data & 15) == 0;
}

#endif
