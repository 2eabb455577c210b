/* What a packed linear layer consists of. The weights [out, in] in the activation dtype and, for
 * halves, the bias in it too (256-aligned behind them), which is what the epilogue of a product
 * with halves wants. With FP8 weights: those, a scale for each output, the bias in BF16 and in F16;
 * each 256-aligned. */
#ifndef AUTEUR_KERNELS_CUDA_LINEAR_CUH
#define AUTEUR_KERNELS_CUDA_LINEAR_CUH

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "kernels/cuda/cuda.cuh"

static inline size_t aligned(size_t size)
{
    return (size + 255) & ~(size_t)255;
}

static inline size_t bias_offset(const struct linear *w)
{
    return aligned((size_t)(w->out * w->in) * size_of(w->dtype));
}

struct f8_layer {
    const float *scales;
    const void *bias[2];     /* BF16, F16; or NULL */
    const float *plain_bias; /* or NULL */
};
enum { BIAS_BF16, BIAS_F16 };

static inline struct f8_layer f8_parts(const struct linear *w)
{
    const char *scales = (const char *)w->packed + bias_offset(w);
    const char *bias = scales + aligned((size_t)w->out * sizeof(float));
    struct f8_layer l = {
        (const float *)scales, {bias, bias + aligned((size_t)w->out * sizeof(__half))}, w->bias};

    if (!w->bias)
        l.bias[0] = l.bias[1] = NULL;
    return l;
}

#endif
