/* Vectors for the CPU kernels, as wide as the file that includes this is compiled for: the same C
 * becomes AVX-512, AVX2, NEON or whatever the compiler's baseline has. Weights are packed in blocks
 * of 16 columns for every width, so that packed memory means the same to all of them.
 *
 * No names with linkage here but by SIMD_NAME(): each instruction set has its own.
 */
#ifndef AUTEUR_KERNELS_SIMD_H
#define AUTEUR_KERNELS_SIMD_H

#include <stdint.h>
#include <string.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "kernels/cpu/sizes.h"
#include "kernels/ops.h"

#if defined(__AVX512F__)
#define SIMD_FLOATS 16
#define SIMD_SUFFIX avx512
#elif defined(__AVX2__)
#define SIMD_FLOATS 8
#define SIMD_SUFFIX avx2
#else
#define SIMD_FLOATS 4
#define SIMD_SUFFIX base
#endif

#define SIMD_JOIN_(a, b) a##_##b
#define SIMD_JOIN(a, b)  SIMD_JOIN_(a, b)
#define SIMD_NAME(name)  SIMD_JOIN(name, SIMD_SUFFIX)

#define SIMD_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define SIMD_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SIMD_UNROLL _Pragma("GCC unroll 32")
#endif

enum { VECS = BLOCK / SIMD_FLOATS }; /* vectors a block */

typedef float vf __attribute__((vector_size(SIMD_FLOATS * 4)));
typedef float vf_loose __attribute__((vector_size(SIMD_FLOATS * 4), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(SIMD_FLOATS * 4)));

SIMD_INLINE vf vf_load(const float *p)
{
    return *(const vf_loose *)p;
}

SIMD_INLINE void vf_store(float *p, vf v)
{
    *(vf_loose *)p = v;
}

SIMD_INLINE vf vf_all(float x)
{
    return x - (vf){0};
}

SIMD_INLINE vf vf_select(vi mask, vf yes, vf no)
{
    return (vf)((mask & (vi)yes) | (~mask & (vi)no));
}

/* Both give b when either is NaN. */
SIMD_INLINE vf vf_max(vf a, vf b)
{
#if defined(__AVX512F__)
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return vf_select(a > b, a, b);
#endif
}

SIMD_INLINE vf vf_min(vf a, vf b)
{
#if defined(__AVX512F__)
    return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#else
    return vf_select(a < b, a, b);
#endif
}

/* The last n < SIMD_FLOATS numbers of a row; the rest reads as zero. */
SIMD_INLINE vf vf_load_part(const float *p, int64_t n)
{
    vf v = {0};
    memcpy(&v, p, (size_t)n * sizeof *p);
    return v;
}

SIMD_INLINE void vf_store_part(float *p, vf v, int64_t n)
{
    memcpy(p, &v, (size_t)n * sizeof *p);
}

/* Lane i gets lane i ^ half. */
#if SIMD_FLOATS == 16
#define VF_SWAP8(v)                                                                                \
    __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)
#define VF_SWAP4(v)                                                                                \
    __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11)
#define VF_SWAP2(v)                                                                                \
    __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)
#define VF_SWAP1(v)                                                                                \
    __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14)
#elif SIMD_FLOATS == 8
#define VF_SWAP4(v) __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3)
#define VF_SWAP2(v) __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5)
#define VF_SWAP1(v) __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6)
#else
#define VF_SWAP2(v) __builtin_shufflevector(v, v, 2, 3, 0, 1)
#define VF_SWAP1(v) __builtin_shufflevector(v, v, 1, 0, 3, 2)
#endif

SIMD_INLINE float vf_sum(vf v)
{
#if SIMD_FLOATS >= 16
    v += VF_SWAP8(v);
#endif
#if SIMD_FLOATS >= 8
    v += VF_SWAP4(v);
#endif
    v += VF_SWAP2(v);
    v += VF_SWAP1(v);
    return v[0];
}

SIMD_INLINE float vf_most(vf v)
{
#if SIMD_FLOATS >= 16
    v = vf_max(v, VF_SWAP8(v));
#endif
#if SIMD_FLOATS >= 8
    v = vf_max(v, VF_SWAP4(v));
#endif
    v = vf_max(v, VF_SWAP2(v));
    v = vf_max(v, VF_SWAP1(v));
    return v[0];
}

/* 2^x, relative error about 1e-7: below -126 it is 0, above 127 infinity, NaN stays NaN. The
 * polynomial is the Taylor series of 2^f on -1/2..1/2. */
SIMD_INLINE vf vf_exp2(vf x)
{
    const vf magic = vf_all(12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer */
    vf clamped = vf_min(vf_all(128.0f), vf_max(vf_all(-127.0f), x));
    vf shifted = clamped + magic, f = clamped - (shifted - magic), p;
    vi exponent = (vi)shifted - 0x4b400000;

    p = 1.5403530e-4f * f + 1.3333558e-3f;
    p = p * f + 9.6181291e-3f;
    p = p * f + 5.5504109e-2f;
    p = p * f + 2.4022651e-1f;
    p = p * f + 6.9314718e-1f;
    p = p * f + 1.0f;
    p = p * (vf)((exponent + 127) << 23); /* 2^-127 and 2^128 come out as 0 and infinity */
    return p;
}

SIMD_INLINE vf vf_exp(vf x)
{
    return vf_exp2(x * 1.44269504088896341f);
}

/* ACT_GELU (erf) is left to the reference. */
SIMD_INLINE vf vf_activation(enum activation act, vf x)
{
    switch (act) {
    case ACT_SILU:
        return x / (1.0f + vf_exp(-x));
    case ACT_GELU_TANH: /* 1 + tanh(u) = 2 / (1 + exp(-2u)) */
        return x / (1.0f + vf_exp(x * (-1.5957691216f - 0.0713548163f * x * x)));
    case ACT_RELU:
        return vf_max(vf_all(0), x);
    case ACT_QUICK_GELU:
        return x / (1.0f + vf_exp(-1.702f * x));
    default:
        return x;
    }
}

#endif
