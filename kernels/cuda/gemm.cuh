/* A product as cuBLASLt is told of it: described and given an algorithm once, then run. */
#ifndef AUTEUR_KERNELS_CUDA_GEMM_CUH
#define AUTEUR_KERNELS_CUDA_GEMM_CUH

#include "kernels/cuda/cuda.cuh"

static const size_t GEMM_WORKSPACE = (size_t)64 << 20;

/* All that an algorithm is chosen by. Padding is zero: it is hashed, and kept on disk. */
struct gemm_key {
    char kind[8];
    int64_t m, n, k, batch;
    int64_t lda, ldb, ldc, ldd, batch_a, batch_b, batch_c, batch_d;
    int type_in, type_out, epilogue;
    int b_transposed, adds, alignment_a, alignment_b, alignment_c, alignment_d;
};

struct gemm_plan {
    cublasLtMatmulDesc_t matmul;
    cublasLtMatrixLayout_t a, b, c, d;
    cublasLtMatmulAlgo_t algorithm;
    bool possible;
};

/* Enqueues the product with this algorithm; d: where its result goes. */
cublasStatus_t gemm_run(struct context *c, const struct gemm_plan *plan,
                        const cublasLtMatmulAlgo_t *algorithm, const struct product *p, void *d,
                        void *workspace);
/* As many algorithms as wanted, the most promising first; none where nothing takes this product. */
cublasStatus_t gemm_guess(struct context *c, const struct gemm_key *key,
                          const struct gemm_plan *plan, int wanted,
                          cublasLtMatmulHeuristicResult_t *out, int *count);
/* Finds the algorithm: the one kept on disk, else the fastest of those that are offered, else,
 * where looking does not pay, the first of them. The product is run in doing so, not for good. */
cublasStatus_t gemm_choose(struct context *c, const struct gemm_key *key, struct gemm_plan *plan,
                           const struct product *p);

#endif
