/* Which algorithm a product is computed with. cuBLASLt guesses well, not best: on an H200 the best
 * of its eight guesses is up to 16 % faster than its first. So they are timed on the operands at
 * hand, and the choice is kept (kernels/tuning.h). */
#include <string.h>

#include "kernels/cuda/gemm.cuh"

enum { CANDIDATES = 32, ROUNDS = 2 };
/* Products of fewer operations are over in a few microseconds: the guess will do. */
static const double LEAST_WORK = 1e9;
/* What is less than this much faster is not: timing is no more precise. */
static const float MARGIN = 0.98f;

struct candidates {
    cublasLtMatmulHeuristicResult_t result[CANDIDATES];
    float best[CANDIDATES]; /* milliseconds */
    int count;
};

static cublasStatus_t prefer(cublasLtMatmulPreference_t preference, const struct gemm_key *k)
{
    static const cublasLtMatmulPreferenceAttributes_t names[4] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    const int bytes[4] = {k->alignment_b, k->alignment_a, k->alignment_c, k->alignment_d};
    cublasStatus_t s =
        cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                             &GEMM_WORKSPACE, sizeof GEMM_WORKSPACE);

    for (int i = 0; s == CUBLAS_STATUS_SUCCESS && i < 4; i++) {
        uint32_t b = (uint32_t)bytes[i];
        s = cublasLtMatmulPreferenceSetAttribute(preference, names[i], &b, sizeof b);
    }
    return s;
}

cublasStatus_t gemm_guess(struct context *c, const struct gemm_key *key,
                          const struct gemm_plan *plan, int wanted,
                          cublasLtMatmulHeuristicResult_t *out, int *count)
{
    cublasLtMatmulPreference_t preference = NULL;
    cublasStatus_t s = cublasLtMatmulPreferenceCreate(&preference);

    if (s == CUBLAS_STATUS_SUCCESS)
        s = prefer(preference, key);
    if (s == CUBLAS_STATUS_SUCCESS) {
        s = cublasLtMatmulAlgoGetHeuristic(c->blas, plan->matmul, plan->a, plan->b, plan->c,
                                           plan->d, preference, wanted, out, count);
        if (s == CUBLAS_STATUS_NOT_SUPPORTED) {
            s = CUBLAS_STATUS_SUCCESS;
            *count = 0;
        }
    }
    if (preference)
        cublasLtMatmulPreferenceDestroy(preference);
    return s;
}

/* ---- timing */

struct stopwatch {
    cudaEvent_t from, to;
};

/* Milliseconds of one product; negative: it cannot be run. */
static float once(struct context *c, const struct gemm_plan *plan, const struct product *p, void *d,
                  void *workspace, const cublasLtMatmulAlgo_t *algorithm, struct stopwatch w,
                  int times)
{
    float took = -1;
    bool ran = cudaEventRecord(w.from, c->stream) == cudaSuccess;

    for (int i = 0; ran && i < times; i++)
        ran = gemm_run(c, plan, algorithm, p, d, workspace) == CUBLAS_STATUS_SUCCESS;
    if (cudaEventRecord(w.to, c->stream) != cudaSuccess ||
        cudaEventSynchronize(w.to) != cudaSuccess || !ran ||
        cudaEventElapsedTime(&took, w.from, w.to) != cudaSuccess)
        return -1;
    return took / (float)times;
}

/* In turns, so that a GPU that warms up or slows down does so for all. */
static void time_all(struct context *c, const struct gemm_plan *plan, const struct product *p,
                     void *d, void *workspace, struct candidates *all, struct stopwatch w)
{
    for (int round = 0; round <= ROUNDS; round++)
        for (int i = 0; i < all->count; i++) {
            float before = round ? all->best[i] : 0;
            int times = round ? (int)(1 / (before + 0.05f)) + 1 : 1;
            float took =
                before < 0 ? -1 : once(c, plan, p, d, workspace, &all->result[i].algo, w, times);
            if (round <= 1 || took < before) /* the first is to warm up */
                all->best[i] = took;
        }
}

/* Where the products that are timed go: where the real one will, unless that is read, too. */
static void *result_of(struct context *c, const struct product *p, size_t *size)
{
    *size = 0;
    if (p->beta == 0)
        return (void *)p->d.data;
    *size =
        ((size_t)((p->batch - 1) * p->d.batch + (p->m - 1) * p->d.ld + p->n)) * size_of(p->d.type);
    return memory_try(c, *size);
}

static int fastest(const struct candidates *all)
{
    int at = 0;

    for (int i = 1; i < all->count; i++)
        if (all->best[i] >= 0 &&
            (all->best[at] < 0 || all->best[i] < (at ? 1 : MARGIN) * all->best[at]))
            at = i;
    return at;
}

/* The index of the fastest; -1 where nothing could be timed. */
static int compete(struct context *c, const struct gemm_plan *plan, const struct product *p,
                   struct candidates *all)
{
    struct stopwatch w = {};
    size_t size;
    void *workspace = scratch_take(c, SCRATCH_VENDOR, GEMM_WORKSPACE);
    void *d = result_of(c, p, &size);
    int at = -1;

    if (workspace && d && cudaEventCreate(&w.from) == cudaSuccess &&
        cudaEventCreate(&w.to) == cudaSuccess) {
        time_all(c, plan, p, d, workspace, all, w);
        at = fastest(all);
    }
    if (w.from)
        cudaEventDestroy(w.from);
    if (w.to)
        cudaEventDestroy(w.to);
    if (size)
        memory_give(c, d, size);
    cudaGetLastError(); /* what did not run is not chosen */
    return at;
}

/* How many guesses to ask for: one, where looking for a better one does not pay. */
static int wanted(struct context *c, const struct product *p)
{
    double work = 2.0 * (double)p->m * (double)p->n * (double)p->k * (double)p->batch;

    if (c->device->patience == PATIENCE_NONE || is_recording(c))
        return 1;
    return c->device->patience >= PATIENCE_ENOUGH ? CANDIDATES : work >= LEAST_WORK ? 8 : 1;
}

static bool known(struct context *c, const struct gemm_key *key, struct gemm_plan *plan)
{
    cublasLtMatmulHeuristicResult_t result;
    int effort = c->device->patience;

    return c->tuning && effort != PATIENCE_NONE &&
           c->host.tuning_find(c->tuning, key, sizeof *key, effort, &plan->algorithm,
                               sizeof plan->algorithm) &&
           cublasLtMatmulAlgoCheck(c->blas, plan->matmul, plan->a, plan->b, plan->c, plan->d,
                                   &plan->algorithm, &result) == CUBLAS_STATUS_SUCCESS &&
           result.workspaceSize <= GEMM_WORKSPACE;
}

cublasStatus_t gemm_choose(struct context *c, const struct gemm_key *key, struct gemm_plan *plan,
                           const struct product *p)
{
    struct candidates all = {};
    int many = wanted(c, p);

    plan->possible = true;
    if (many > 1 && known(c, key, plan)) {
        search_note(c);
        return CUBLAS_STATUS_SUCCESS;
    }
    cublasStatus_t s = gemm_guess(c, key, plan, many, all.result, &all.count);
    plan->possible = s == CUBLAS_STATUS_SUCCESS && all.count > 0;
    if (!plan->possible)
        return s;
    int best = all.count > 1 ? compete(c, plan, p, &all) : -1;
    plan->algorithm = all.result[best < 0 ? 0 : best].algo;
    if (best >= 0 && c->tuning && !c->device->failed) {
        c->host.tuning_keep(c->tuning, key, sizeof *key, c->device->patience, &plan->algorithm,
                            sizeof plan->algorithm);
        search_note(c);
    }
    return s;
}
