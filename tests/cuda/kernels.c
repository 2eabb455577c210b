/* The runtime: what nvcc's code calls to register kernels and to launch them, and their limits. */
#include <cuda_runtime_api.h>
#include <string.h>

#include "tests/cuda/fake.h"

/* As nvcc's code calls them; no header for C declares them. */
void **__cudaRegisterFatBinary(void *code);
void __cudaRegisterFatBinaryEnd(void **handle);
void __cudaUnregisterFatBinary(void **handle);
void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name,
                            int threads, uint3 *tid, uint3 *bid, dim3 *block, dim3 *grid,
                            int *wide);
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, void *stream);
cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream);
cudaError_t __cudaGetKernel(cudaKernel_t *out, const void *function);
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **arguments,
                               size_t shared, cudaStream_t stream);

static _Thread_local struct {
    dim3 grid, block;
    size_t shared;
    void *stream;
} configured;

FAKE void **__cudaRegisterFatBinary(void *code)
{
    static void *handle;

    (void)code;
    return &handle;
}

FAKE void __cudaRegisterFatBinaryEnd(void **handle)
{
    (void)handle;
}

FAKE void __cudaUnregisterFatBinary(void **handle)
{
    (void)handle;
}

FAKE void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name,
                                 int threads, uint3 *tid, uint3 *bid, dim3 *block, dim3 *grid,
                                 int *wide)
{
    (void)handle, (void)host, (void)device, (void)name, (void)threads;
    (void)tid, (void)bid, (void)block, (void)grid, (void)wide;
}

FAKE unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, void *stream)
{
    configured.grid = grid;
    configured.block = block;
    configured.shared = shared;
    configured.stream = stream;
    return 0;
}

FAKE cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream)
{
    *grid = configured.grid;
    *block = configured.block;
    *shared = configured.shared;
    memcpy(stream, &configured.stream, sizeof configured.stream);
    return cudaSuccess;
}

static bool fits(dim3 grid, dim3 block)
{
    return grid.x && grid.y && grid.z && grid.x <= 0x7fffffff && grid.y <= 65535 &&
           grid.z <= 65535 && block.x && block.y && block.z && block.x <= 1024 && block.y <= 1024 &&
           block.z <= 64 && (size_t)block.x * block.y * block.z <= 1024;
}

FAKE cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **arguments,
                                  size_t shared, cudaStream_t stream)
{
    struct thing *allowed = thing_find(FUNCTION, function, 1);

    (void)arguments;
    if (fault_here(FAULT_LAUNCH))
        return runtime_error(cudaErrorLaunchOutOfResources);
    if (!thing_need(STREAM, stream, 1, "a kernel's stream"))
        return runtime_error(cudaErrorInvalidResourceHandle);
    if (recording_stream() && recording_stream() != (void *)stream)
        misuse("a kernel in another stream than the one that this thread records");
    if (!fits(grid, block))
        misuse("a grid of %u x %u x %u, blocks of %u x %u x %u", grid.x, grid.y, grid.z, block.x,
               block.y, block.z);
    else if (shared > (allowed ? allowed->shared : SHARED_PLAIN))
        misuse("a kernel with %zu bytes of shared memory, more than it was allowed", shared);
    else
        return cudaSuccess;
    return runtime_error(cudaErrorInvalidConfiguration);
}

FAKE cudaError_t __cudaGetKernel(cudaKernel_t *out, const void *function)
{
    memcpy(out, &function, sizeof *out);
    return cudaSuccess;
}

FAKE cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **arguments,
                                    size_t shared, cudaStream_t stream)
{
    return cudaLaunchKernel((const void *)kernel, grid, block, arguments, shared, stream);
}

FAKE cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute name, int value)
{
    struct thing *t = thing_find(FUNCTION, function, 1);

    if (name != cudaFuncAttributeMaxDynamicSharedMemorySize)
        return cudaSuccess;
    if (value > SHARED_MOST) {
        misuse("a kernel is allowed %d bytes of shared memory: more than there is", value);
        return runtime_error(cudaErrorInvalidValue);
    }
    if (!t)
        t = thing_add(FUNCTION, (void *)(uintptr_t)function, 1);
    if (t)
        t->shared = (size_t)value;
    return cudaSuccess;
}

FAKE cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *out, const void *function)
{
    (void)function;
    memset(out, 0, sizeof *out);
    out->binaryVersion = 90;
    return cudaSuccess;
}
