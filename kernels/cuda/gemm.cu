/* Matrix products by cuBLASLt. F32 stays F32 (no TF32); halves are summed in F32. */
#include <string.h>

#include <new>
#include <unordered_map>

#include "kernels/cuda/gemm.cuh"

struct gemm_hash {
    size_t operator()(const struct gemm_key &k) const
    {
        const unsigned char *p = (const unsigned char *)&k;
        size_t h = 14695981039346656037ull;
        for (size_t i = 0; i < sizeof k; i++)
            h = (h ^ p[i]) * 1099511628211ull;
        return h;
    }
};
static bool operator==(const struct gemm_key &a, const struct gemm_key &b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

struct gemm_plans {
    std::unordered_map<struct gemm_key, struct gemm_plan, struct gemm_hash> of;
};

static cudaDataType_t data_type(int type)
{
    return type == DTYPE_F32       ? CUDA_R_32F
           : type == DTYPE_F16     ? CUDA_R_16F
           : type == DTYPE_F8_E4M3 ? CUDA_R_8F_E4M3
                                   : CUDA_R_16BF;
}

bool gemm_fuses(int act)
{
    return act == ACT_NONE || act == ACT_RELU || act == ACT_GELU_TANH;
}

/* cuBLASLt's GELU is the tanh form. */
static cublasLtEpilogue_t epilogue_of(const struct product *p)
{
    switch (p->act) {
    case ACT_RELU:
        return p->bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
    case ACT_GELU_TANH:
        return p->bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
    default:
        return p->bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
    }
}

/* Bytes that a pointer, its rows and its batch are all aligned to, at most 16. */
static int alignment_of(const struct matrix *m, int64_t rows, int64_t batch)
{
    uintptr_t bits = (uintptr_t)m->data | 16;
    if (rows > 1)
        bits |= (uintptr_t)m->ld * size_of(m->type);
    if (batch > 1)
        bits |= (uintptr_t)m->batch * size_of(m->type);
    return (int)(bits & -bits);
}

static struct gemm_key key_of(const struct product *p)
{
    struct gemm_key k;

    memset(&k, 0, sizeof k);
    memcpy(k.kind, "product", sizeof k.kind);
    k.m = p->m;
    k.n = p->n;
    k.k = p->k;
    k.batch = p->batch;
    k.lda = p->a.ld;
    k.ldb = p->b.ld;
    k.ldc = p->c.ld;
    k.ldd = p->d.ld;
    if (p->batch > 1) {
        k.batch_a = p->a.batch;
        k.batch_b = p->b.batch;
        k.batch_c = p->c.batch;
        k.batch_d = p->d.batch;
    }
    k.type_in = p->a.type;
    k.type_out = p->d.type;
    k.epilogue = (int)epilogue_of(p);
    k.b_transposed = p->b_transposed;
    k.adds = p->beta != 0;
    k.alignment_a = alignment_of(&p->a, p->m, p->batch);
    k.alignment_b = alignment_of(&p->b, p->b_transposed ? p->n : p->k, p->batch);
    k.alignment_c = alignment_of(&p->c, p->m, p->batch);
    k.alignment_d = alignment_of(&p->d, p->m, p->batch);
    return k;
}

static cublasStatus_t layout(cublasLtMatrixLayout_t *out, int type, int64_t rows, int64_t columns,
                             int64_t ld, int64_t batch, int64_t batch_stride)
{
    int32_t count = (int32_t)batch;
    cublasStatus_t s =
        cublasLtMatrixLayoutCreate(out, data_type(type), (uint64_t)rows, (uint64_t)columns, ld);
    if (s == CUBLAS_STATUS_SUCCESS && batch > 1)
        s = cublasLtMatrixLayoutSetAttribute(*out, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
                                             sizeof count);
    if (s == CUBLAS_STATUS_SUCCESS && batch > 1)
        s = cublasLtMatrixLayoutSetAttribute(*out, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                             &batch_stride, sizeof batch_stride);
    return s;
}

/* FP8: a scale for each row of A and of W. Sums are kept in fewer digits than F32 between
 * instructions (3e-3 of a sum of 15000, measured on an H200; rounding to E4M3 costs 4e-2), which is
 * up to 15 % faster. The bias is of D's dtype, BF16 where that is F32. */
static cublasStatus_t describe_scaled(const struct gemm_key *k, struct gemm_plan *p)
{
    int32_t mode = CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
    int8_t fast = 1;
    cudaDataType_t bias = k->type_out == DTYPE_F16 ? CUDA_R_16F : CUDA_R_16BF;
    cublasStatus_t s = cublasLtMatmulDescSetAttribute(p->matmul, CUBLASLT_MATMUL_DESC_A_SCALE_MODE,
                                                      &mode, sizeof mode);

    if (s == CUBLAS_STATUS_SUCCESS)
        s = cublasLtMatmulDescSetAttribute(p->matmul, CUBLASLT_MATMUL_DESC_B_SCALE_MODE, &mode,
                                           sizeof mode);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = cublasLtMatmulDescSetAttribute(p->matmul, CUBLASLT_MATMUL_DESC_FAST_ACCUM, &fast,
                                           sizeof fast);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = cublasLtMatmulDescSetAttribute(p->matmul, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &bias,
                                           sizeof bias);
    return s;
}

/* Seen column-major, as cuBLASLt sees it: D'[n, m] = op(B') A'. */
static cublasStatus_t describe(const struct gemm_key *k, struct gemm_plan *p)
{
    cublasOperation_t op_b = k->b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasLtEpilogue_t epilogue = (cublasLtEpilogue_t)k->epilogue;
    cublasStatus_t s = cublasLtMatmulDescCreate(&p->matmul, CUBLAS_COMPUTE_32F, CUDA_R_32F);

    if (s == CUBLAS_STATUS_SUCCESS)
        s = cublasLtMatmulDescSetAttribute(p->matmul, CUBLASLT_MATMUL_DESC_TRANSA, &op_b,
                                           sizeof op_b);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = cublasLtMatmulDescSetAttribute(p->matmul, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
                                           sizeof epilogue);
    if (s == CUBLAS_STATUS_SUCCESS && k->type_in == DTYPE_F8_E4M3)
        s = describe_scaled(k, p);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = k->b_transposed ? layout(&p->a, k->type_in, k->k, k->n, k->ldb, k->batch, k->batch_b)
                            : layout(&p->a, k->type_in, k->n, k->k, k->ldb, k->batch, k->batch_b);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = layout(&p->b, k->type_in, k->k, k->m, k->lda, k->batch, k->batch_a);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = layout(&p->c, k->type_out, k->n, k->m, k->ldc, k->batch, k->batch_c);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = layout(&p->d, k->type_out, k->n, k->m, k->ldd, k->batch, k->batch_d);
    return s;
}

static void forget(struct gemm_plan *p)
{
    if (p->matmul)
        cublasLtMatmulDescDestroy(p->matmul);
    cublasLtMatrixLayout_t all[4] = {p->a, p->b, p->c, p->d};
    for (int i = 0; i < 4; i++)
        if (all[i])
            cublasLtMatrixLayoutDestroy(all[i]);
    *p = {};
}

/* The pointers that are part of a description. */
static cublasStatus_t point(const struct gemm_plan *plan, const struct product *p)
{
    cublasStatus_t s = CUBLAS_STATUS_SUCCESS;

    if (p->bias)
        s = cublasLtMatmulDescSetAttribute(plan->matmul, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                           &p->bias, sizeof p->bias);
    if (s == CUBLAS_STATUS_SUCCESS && p->scale_a) {
        s = cublasLtMatmulDescSetAttribute(plan->matmul, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER,
                                           &p->scale_b, sizeof p->scale_b);
        if (s == CUBLAS_STATUS_SUCCESS)
            s = cublasLtMatmulDescSetAttribute(plan->matmul, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER,
                                               &p->scale_a, sizeof p->scale_a);
    }
    return s;
}

cublasStatus_t gemm_run(struct context *c, const struct gemm_plan *plan,
                        const cublasLtMatmulAlgo_t *algorithm, const struct product *p, void *d,
                        void *workspace)
{
    return cublasLtMatmul(c->blas, plan->matmul, &p->alpha, p->b.data, plan->a, p->a.data, plan->b,
                          &p->beta, p->c.data, plan->c, d, plan->d, algorithm, workspace,
                          GEMM_WORKSPACE, c->stream);
}

/* NULL: failed. */
static struct gemm_plan *plan_for(struct context *c, const struct product *product)
{
    struct gemm_key key = key_of(product);
    struct gemm_plan plan = {};

    if (!c->gemms)
        c->gemms = new (std::nothrow) gemm_plans();
    if (!c->gemms) {
        c->host.fail(c->device, ERROR_MEMORY, "out of memory");
        return NULL;
    }
    auto known = c->gemms->of.find(key);
    if (known != c->gemms->of.end())
        return blas_ok(c, point(&known->second, product), "a product's vectors") ? &known->second
                                                                                 : NULL;
    cublasStatus_t s = describe(&key, &plan);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = point(&plan, product);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = gemm_choose(c, &key, &plan, product);
    if (!blas_ok(c, s, "choosing an algorithm") || c->device->failed) {
        forget(&plan);
        return NULL;
    }
    return &(c->gemms->of[key] = plan);
}

bool gemm(struct context *c, const struct product *given)
{
    struct product p = *given;

    /* One row may have any stride; cuBLASLt wants at least its width. */
    if (p.m == 1) {
        p.a.ld = p.k;
        p.c.ld = p.d.ld = p.n;
    }
    if (p.beta == 0)
        p.c = p.d;
    struct gemm_plan *plan = plan_for(c, &p);
    if (!plan || !plan->possible)
        return false;
    void *workspace = scratch_take(c, SCRATCH_VENDOR, GEMM_WORKSPACE);
    if (!workspace)
        return false;
    cublasStatus_t s = gemm_run(c, plan, &plan->algorithm, &p, (void *)p.d.data, workspace);
    plan->possible = s != CUBLAS_STATUS_NOT_SUPPORTED; /* some are only refused here */
    return plan->possible && blas_ok(c, s, "a matrix product");
}

bool gemm_has_f8(struct context *c)
{
    static const float one = 1;
    struct product p = {};
    struct gemm_plan plan = {};
    cublasLtMatmulHeuristicResult_t result;
    int count = 0;

    p.m = p.n = p.k = 512;
    p.batch = 1;
    p.a = p.b = {NULL, DTYPE_F8_E4M3, 512, 0};
    p.c = p.d = {NULL, DTYPE_BF16, 512, 0};
    p.b_transposed = true;
    p.scale_a = p.scale_b = &one; /* nothing is run */
    struct gemm_key key = key_of(&p);
    bool has = describe(&key, &plan) == CUBLAS_STATUS_SUCCESS &&
               point(&plan, &p) == CUBLAS_STATUS_SUCCESS &&
               gemm_guess(c, &key, &plan, 1, &result, &count) == CUBLAS_STATUS_SUCCESS && count > 0;
    forget(&plan);
    return has;
}

void gemm_close(struct context *c)
{
    if (!c->gemms)
        return;
    for (auto &entry : c->gemms->of)
        forget(&entry.second);
    delete c->gemms;
    c->gemms = NULL;
}
