/* Attention in 8 bits on Hopper, in two parts: fp8_operands.cu makes the operands,
 * fp8_attention.cu multiplies them. Scores are products of INT8 (a scale for each query and each
 * tile of keys), which keeps three times closer to them than E4M3 would at the same speed; weights
 * and values are E4M3.
 *
 * Exact rewritings take most of the error out of 8 bits: a key minus the keys' mean changes no
 * weight, and queries and keys turned by the same orthogonal matrix (Hadamard's, which spreads what
 * stands out in one number over all) change no score; values go without their mean, which is added
 * to the result (weights sum to one). NaNs of queries and keys are lost here, those of values are
 * not. */
#ifndef AUTEUR_KERNELS_CUDA_FP8_ATTENTION_CUH
#define AUTEUR_KERNELS_CUDA_FP8_ATTENTION_CUH

#include "kernels/cuda/attention.cuh"

enum { FP8_QUERIES = 192, FP8_KEYS = 128 }; /* a tile of the products */
enum { FP8_LEAST = 2048 };                  /* queries, and keys, that are long */

/* Operands of `pairs` (item, head) pairs from `first` on, as the products want them in shared
 * memory, so that a tile comes in one piece. Rows of queries and keys are `dim` bytes, values are
 * turned: tiles of FP8_KEYS bytes for each of their `dim` numbers, the keys of every 32 in the
 * order in which a thread holds their weights. Chunks of 16 bytes change places within a row so
 * that no two rows begin on one bank (fp8_chunk). Beyond the last key there are zeros. */
struct fp8_operands {
    unsigned char *q, *k, *v;
    float *q_scale;               /* [pairs, query_rows]: of a query's scores, times log2(e) */
    float *k_scale;               /* [pairs, key_rows / FP8_KEYS]: of a tile's */
    float *v_scale;               /* [pairs]: of results */
    float *mean;                  /* [pairs, 2, dim]: of keys, of values */
    float *parts;                 /* [pairs, FP8_SLICES, FP8_PARTS, dim] */
    int64_t query_rows, key_rows; /* a head's, padded to tiles */
    int64_t first, pairs;
};
enum { FP8_SLICES = 64, FP8_PARTS = 4 };

static __device__ __forceinline__ int fp8_chunk(int row, int chunk, int dim)
{
    return dim == 128 ? chunk ^ (row & 7) : chunk ^ (row >> 1 & 3);
}

/* Enqueues what fills the operands, whose memory is there. False: failed, and reported. */
bool fp8_operands_make(const struct attention *a, const struct fp8_operands *o);

#endif
