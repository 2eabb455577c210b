/* What the object asks the driver for by name: maps of matrices that tiles are brought by. */
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <string.h>

#include "tests/cuda/fake.h"

static bool is_box(const cuuint64_t *size, const cuuint32_t *box, const cuuint32_t *every)
{
    for (int i = 0; i < 2; i++)
        if (size[i] == 0 || size[i] > (cuuint64_t)1 << 32 || box[i] == 0 || box[i] > 256 ||
            every[i] != 1)
            return false;
    return true;
}

/* Of halves in two axes, rows of at most 128 bytes that change places. */
static CUresult encode(CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank, void *at,
                       const cuuint64_t *size, const cuuint64_t *pitch, const cuuint32_t *box,
                       const cuuint32_t *every, CUtensorMapInterleave interleave,
                       CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion,
                       CUtensorMapFloatOOBfill fill)
{
    (void)promotion, (void)fill;
    memset(map, 0, sizeof *map);
    if (rank != 2 || (uintptr_t)map % 64 || (uintptr_t)at % 16 || pitch[0] % 16 || pitch[0] >> 40 ||
        pitch[0] < size[0] * 2 || !is_box(size, box, every) ||
        interleave != CU_TENSOR_MAP_INTERLEAVE_NONE || swizzle != CU_TENSOR_MAP_SWIZZLE_128B ||
        box[0] * 2 > 128 || box[0] * 2 % 16 ||
        (type != CU_TENSOR_MAP_DATA_TYPE_FLOAT16 && type != CU_TENSOR_MAP_DATA_TYPE_BFLOAT16)) {
        misuse("a map of %llu rows of %llu numbers, %llu bytes apart, boxes of %u x %u",
               (unsigned long long)size[1], (unsigned long long)size[0],
               (unsigned long long)pitch[0], box[1], box[0]);
        return CUDA_ERROR_INVALID_VALUE;
    }
    thing_need(DEVICE_MEMORY, at, (size_t)((size[1] - 1) * pitch[0] + size[0] * 2), "a map");
    return CUDA_SUCCESS;
}

FAKE cudaError_t cudaGetDriverEntryPointByVersion(const char *name, void **out, unsigned version,
                                                  unsigned long long flags,
                                                  enum cudaDriverEntryPointQueryResult *result)
{
    CUresult (*function)(CUtensorMap *, CUtensorMapDataType, cuuint32_t, void *, const cuuint64_t *,
                         const cuuint64_t *, const cuuint32_t *, const cuuint32_t *,
                         CUtensorMapInterleave, CUtensorMapSwizzle, CUtensorMapL2promotion,
                         CUtensorMapFloatOOBfill) = encode;

    (void)version, (void)flags, (void)result;
    *out = NULL;
    if (strcmp(name, "cuTensorMapEncodeTiled") == 0)
        memcpy(out, &function, sizeof function);
    return cudaSuccess;
}
