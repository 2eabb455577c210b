/* The forms of attention, each for the cases it takes: attention.cu asks one after another. All
 * work on [items, tokens, heads, dim] views; `bias` is never NULL. */
#ifndef AUTEUR_KERNELS_CUDA_ATTENTION_CUH
#define AUTEUR_KERNELS_CUDA_ATTENTION_CUH

#include "kernels/cuda/cuda.cuh"

struct attention {
    struct context *c;
    const struct tensor *out, *q, *k, *v;
    float scale;
    const struct attention_bias *bias;
};

/* Halves that can be read 16 bytes at a time: a dense last axis of whole chunks of eight, the
 * others strided in such chunks and not repeated. */
static inline bool attention_aligned(const struct tensor *t)
{
    if (t->dtype == DTYPE_F32 || ((uintptr_t)t->data & 15) != 0 || t->shape[3] % 8 != 0 ||
        t->stride[3] != 1)
        return false;
    for (int i = 0; i < 3; i++)
        if (t->shape[i] > 1 && (t->stride[i] % 8 != 0 || t->stride[i] == 0))
            return false;
    return true;
}
static inline bool attention_aligned(const struct attention *a)
{
    return attention_aligned(a->q) && attention_aligned(a->k) && attention_aligned(a->v) &&
           attention_aligned(a->out);
}
static inline bool attention_biased(const struct attention *a)
{
    return a->bias->causal || a->bias->key.data || a->bias->relative.data;
}

/* Each: false when it has nothing for this case, and nothing was done (or something failed). */

/* FP8 on Hopper: long sequences, heads of 64 or 128 numbers, each with keys of its own, no bias. */
bool fp8_attention(const struct attention *a);
/* cuDNN's: halves, heads of up to 256 numbers, no bias. */
bool cudnn_attention(const struct attention *a);
/* Our own: halves, heads of up to 128 numbers, every bias. */
bool flash_attention(const struct attention *a);

#endif
