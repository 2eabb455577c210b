/* cuBLASLt: what a product is described by is kept, and held against memory when it is run. */
#include <cublasLt.h>
#include <string.h>

#include "tests/cuda/fake.h"

enum { GUESSES = 3, BLAS_VERSION = 130000 };

struct layout {
    cudaDataType type;
    uint64_t rows, columns;
    int64_t ld, stride;
    int32_t batch;
};

/* Vectors of the GPU that are part of a description. */
struct description {
    const void *vectors[3];
};

static cublasStatus_t made(const void *handle)
{
    return handle ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_ALLOC_FAILED;
}

static cublasStatus_t dropped(enum thing_kind kind, const void *handle, const char *what)
{
    return thing_drop(kind, handle, what) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

FAKE cublasStatus_t cublasLtCreate(cublasLtHandle_t *out)
{
    *out = fault_here(FAULT_DESCRIPTOR) ? NULL : thing_new(BLAS_HANDLE, 0);
    return made(*out);
}

FAKE cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    return dropped(BLAS_HANDLE, handle, "cublasLtDestroy");
}

FAKE size_t cublasLtGetVersion(void)
{
    return BLAS_VERSION;
}

FAKE const char *cublasLtGetStatusString(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_ALLOC_FAILED ? "out of memory" : "an error of the fake cuBLASLt";
}

/* ---- matrices */

FAKE cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *out, cudaDataType type,
                                               uint64_t rows, uint64_t columns, int64_t ld)
{
    struct layout *own;

    *out = fault_here(FAULT_DESCRIPTOR) ? NULL : thing_new(BLAS_DESCRIPTOR, sizeof *own);
    own = *out ? thing_own(BLAS_DESCRIPTOR, *out, "cublasLtMatrixLayoutCreate") : NULL;
    if (!own)
        return CUBLAS_STATUS_ALLOC_FAILED;
    *own = (struct layout){type, rows, columns, ld, 0, 1};
    if (ld < (int64_t)rows)
        misuse("a matrix of %llu rows with a leading dimension of %lld", (unsigned long long)rows,
               (long long)ld);
    return CUBLAS_STATUS_SUCCESS;
}

FAKE cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
    return dropped(BLAS_DESCRIPTOR, layout, "cublasLtMatrixLayoutDestroy");
}

FAKE cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                     cublasLtMatrixLayoutAttribute_t name,
                                                     const void *value, size_t size)
{
    struct layout *own = thing_own(BLAS_DESCRIPTOR, layout, "cublasLtMatrixLayoutSetAttribute");

    if (!own)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (name == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT && size == sizeof own->batch)
        memcpy(&own->batch, value, size);
    else if (name == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET && size == sizeof own->stride)
        memcpy(&own->stride, value, size);
    else
        misuse("attribute %d of a matrix, of %zu bytes", (int)name, size);
    return CUBLAS_STATUS_SUCCESS;
}

static size_t bytes_of(const struct layout *m)
{
    size_t size = m->type == CUDA_R_32F ? 4 : m->type == CUDA_R_8F_E4M3 ? 1 : 2;

    if (!m->rows || !m->columns || !m->batch)
        return 0;
    return ((size_t)(m->batch - 1) * (size_t)m->stride + (m->columns - 1) * (size_t)m->ld +
            m->rows) *
           size;
}

/* ---- products */

FAKE cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *out, cublasComputeType_t compute,
                                             cudaDataType_t scale)
{
    (void)compute, (void)scale;
    *out = fault_here(FAULT_DESCRIPTOR) ? NULL
                                        : thing_new(BLAS_DESCRIPTOR, sizeof(struct description));
    return made(*out);
}

FAKE cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t product)
{
    return dropped(BLAS_DESCRIPTOR, product, "cublasLtMatmulDescDestroy");
}

FAKE cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product,
                                                   cublasLtMatmulDescAttributes_t name,
                                                   const void *value, size_t size)
{
    struct description *own = thing_own(BLAS_DESCRIPTOR, product, "cublasLtMatmulDescSetAttribute");
    int at = name == CUBLASLT_MATMUL_DESC_BIAS_POINTER      ? 0
             : name == CUBLASLT_MATMUL_DESC_A_SCALE_POINTER ? 1
             : name == CUBLASLT_MATMUL_DESC_B_SCALE_POINTER ? 2
                                                            : -1;

    if (!own)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (at >= 0 && size == sizeof own->vectors[at])
        memcpy(&own->vectors[at], value, size);
    return CUBLAS_STATUS_SUCCESS;
}

FAKE cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *out)
{
    *out = fault_here(FAULT_DESCRIPTOR) ? NULL : thing_new(BLAS_DESCRIPTOR, 1);
    return made(*out);
}

FAKE cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference)
{
    return dropped(BLAS_DESCRIPTOR, preference, "cublasLtMatmulPreferenceDestroy");
}

FAKE cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                         cublasLtMatmulPreferenceAttributes_t name,
                                                         const void *value, size_t size)
{
    (void)name, (void)value, (void)size;
    return thing_need(BLAS_DESCRIPTOR, preference, 1, "cublasLtMatmulPreferenceSetAttribute")
               ? CUBLAS_STATUS_SUCCESS
               : CUBLAS_STATUS_INVALID_VALUE;
}

static bool all_alive(cublasLtHandle_t handle, const void *const *descriptors, int count,
                      const char *what)
{
    bool alive = thing_need(BLAS_HANDLE, handle, 1, what);

    for (int i = 0; i < count; i++)
        alive &= thing_need(BLAS_DESCRIPTOR, descriptors[i], 1, what) != NULL;
    return alive;
}

FAKE cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
    cublasLtHandle_t handle, cublasLtMatmulDesc_t product, cublasLtMatrixLayout_t a,
    cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
    cublasLtMatmulPreference_t preference, int wanted, cublasLtMatmulHeuristicResult_t *out,
    int *count)
{
    const void *const all[] = {product, a, b, c, d, preference};

    *count = 0;
    if (!all_alive(handle, all, 6, "cublasLtMatmulAlgoGetHeuristic"))
        return CUBLAS_STATUS_INVALID_VALUE;
    *count = wanted < GUESSES ? wanted : GUESSES;
    memset(out, 0, (size_t)*count * sizeof *out);
    return CUBLAS_STATUS_SUCCESS;
}

FAKE cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t handle, cublasLtMatmulDesc_t product,
                                            cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                            cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                            const cublasLtMatmulAlgo_t *algorithm,
                                            cublasLtMatmulHeuristicResult_t *out)
{
    const void *const all[] = {product, a, b, c, d};

    (void)algorithm;
    memset(out, 0, sizeof *out);
    return all_alive(handle, all, 5, "cublasLtMatmulAlgoCheck") ? CUBLAS_STATUS_SUCCESS
                                                                : CUBLAS_STATUS_INVALID_VALUE;
}

static bool holds(const void *at, cublasLtMatrixLayout_t layout, const char *what)
{
    struct layout *own = thing_own(BLAS_DESCRIPTOR, layout, what);
    size_t size = own ? bytes_of(own) : 0;

    return own && (size == 0 || thing_need(DEVICE_MEMORY, at, size, what));
}

FAKE cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t product,
                                   const void *alpha, const void *A, cublasLtMatrixLayout_t a,
                                   const void *B, cublasLtMatrixLayout_t b, const void *beta,
                                   const void *C, cublasLtMatrixLayout_t c, void *D,
                                   cublasLtMatrixLayout_t d, const cublasLtMatmulAlgo_t *algorithm,
                                   void *workspace, size_t size, cudaStream_t stream)
{
    struct description *own = thing_own(BLAS_DESCRIPTOR, product, "a product");
    bool good = own && thing_need(BLAS_HANDLE, handle, 1, "a product") &&
                thing_need(STREAM, stream, 1, "a product's stream") &&
                holds(A, a, "a product's first") && holds(B, b, "a product's second") &&
                holds(C, c, "what a product is added to") && holds(D, d, "a product's result") &&
                (!size || thing_need(DEVICE_MEMORY, workspace, size, "a product's workspace"));

    (void)alpha, (void)beta, (void)algorithm;
    for (int i = 0; good && i < 3; i++)
        if (own->vectors[i])
            good = thing_need(DEVICE_MEMORY, own->vectors[i], 1, "a product's vectors");
    if (!good)
        return CUBLAS_STATUS_INVALID_VALUE;
    return fault_here(FAULT_PRODUCT) ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
}
