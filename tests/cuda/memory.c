/* The runtime: the GPU itself, its memory, the host's that it may reach, copies. */
#include <cuda_runtime_api.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/cuda/fake.h"

static const size_t GPU_MEMORY = (size_t)64 << 30, ADDRESSES = (size_t)1 << 40, GRAIN = 512;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char *addresses; /* reserved, never to be touched */
static size_t given, held;

/* ---- the GPU */

FAKE cudaError_t cudaSetDevice(int device)
{
    return runtime_error(device == 0 ? cudaSuccess : cudaErrorInvalidDevice);
}

FAKE cudaError_t cudaGetDeviceCount(int *count)
{
    *count = 1;
    return cudaSuccess;
}

FAKE cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device)
{
    if (device != 0)
        return runtime_error(cudaErrorInvalidDevice);
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "Fake Hopper");
    p->major = 9;
    p->multiProcessorCount = 132;
    p->totalGlobalMem = GPU_MEMORY;
    p->memoryBusWidth = 5120;
    p->sharedMemPerBlockOptin = SHARED_MOST;
    return cudaSuccess;
}

FAKE cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr name, int device)
{
    (void)name, (void)device;
    *value = 0;
    return runtime_error(cudaErrorInvalidValue); /* clocks: not told, as some drivers do */
}

FAKE cudaError_t cudaDeviceGetPCIBusId(char *out, int size, int device)
{
    (void)device;
    snprintf(out, (size_t)size, "0000:00:00.0");
    return cudaSuccess;
}

FAKE cudaError_t cudaDriverGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

FAKE cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

FAKE cudaError_t cudaDeviceCanAccessPeer(int *can, int device, int peer)
{
    (void)device, (void)peer;
    *can = 0;
    return cudaSuccess;
}

FAKE cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned flags)
{
    (void)peer, (void)flags;
    return runtime_error(cudaErrorPeerAccessUnsupported);
}

FAKE cudaError_t cudaDeviceDisablePeerAccess(int peer)
{
    (void)peer;
    return runtime_error(cudaErrorPeerAccessNotEnabled);
}

/* ---- its memory */

static char *take(size_t size)
{
    size_t room = (size + GRAIN - 1) / GRAIN * GRAIN + GRAIN; /* a gap after each */
    char *bytes = NULL;

    pthread_mutex_lock(&mutex);
    if (!addresses)
        addresses =
            mmap(NULL, ADDRESSES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (addresses != MAP_FAILED && size <= GPU_MEMORY - held && room <= ADDRESSES - given) {
        bytes = addresses + given;
        given += room;
        held += size;
    }
    pthread_mutex_unlock(&mutex);
    return bytes;
}

bool memory_is_gone(const void *at)
{
    const char *p = at;
    bool was;

    pthread_mutex_lock(&mutex);
    was = addresses && p >= addresses && p < addresses + given;
    pthread_mutex_unlock(&mutex);
    return was && !thing_find(DEVICE_MEMORY, at, 1);
}

FAKE cudaError_t cudaMalloc(void **out, size_t size)
{
    *out = NULL;
    if (recording_forbids("cudaMalloc"))
        return runtime_error(cudaErrorStreamCaptureUnsupported);
    if (size == 0)
        return cudaSuccess;
    *out = fault_here(FAULT_MEMORY) ? NULL : take(size);
    if (!*out || !thing_add(DEVICE_MEMORY, *out, size))
        return runtime_error(cudaErrorMemoryAllocation);
    return cudaSuccess;
}

/* Waits for all that goes on, as the real one does. */
FAKE cudaError_t cudaFree(void *bytes)
{
    struct thing *t = bytes ? thing_find(DEVICE_MEMORY, bytes, 1) : NULL;
    size_t size = t ? t->size : 0;

    if (recording_forbids("cudaFree"))
        return runtime_error(cudaErrorStreamCaptureUnsupported);
    if (!bytes)
        return cudaSuccess;
    copy_finish(NULL, copy_turn());
    if (!thing_drop(DEVICE_MEMORY, bytes, "cudaFree"))
        return runtime_error(cudaErrorInvalidValue);
    pthread_mutex_lock(&mutex);
    held -= size;
    pthread_mutex_unlock(&mutex);
    return cudaSuccess;
}

FAKE cudaError_t cudaMemGetInfo(size_t *left, size_t *all)
{
    pthread_mutex_lock(&mutex);
    *left = GPU_MEMORY - held;
    *all = GPU_MEMORY;
    pthread_mutex_unlock(&mutex);
    return cudaSuccess;
}

/* ---- the host's */

FAKE cudaError_t cudaMallocHost(void **out, size_t size)
{
    *out = NULL;
    if (recording_forbids("cudaMallocHost"))
        return runtime_error(cudaErrorStreamCaptureUnsupported);
    *out = fault_here(FAULT_PINNED) ? NULL : malloc(size ? size : 1);
    if (!*out || !thing_add(PINNED_MEMORY, *out, size))
        return runtime_error(cudaErrorMemoryAllocation);
    return cudaSuccess;
}

FAKE cudaError_t cudaFreeHost(void *bytes)
{
    struct thing *t = bytes ? thing_find(PINNED_MEMORY, bytes, 1) : NULL;

    if (!bytes)
        return cudaSuccess;
    if (t)
        copy_release(t->at, t->size, "cudaFreeHost");
    if (!thing_drop(PINNED_MEMORY, bytes, "cudaFreeHost"))
        return runtime_error(cudaErrorInvalidValue);
    free(bytes);
    return cudaSuccess;
}

FAKE cudaError_t cudaHostRegister(void *bytes, size_t size, unsigned flags)
{
    (void)flags;
    if (recording_forbids("cudaHostRegister"))
        return runtime_error(cudaErrorStreamCaptureUnsupported);
    if (fault_here(FAULT_PINNED) || !thing_add(REGISTERED_MEMORY, bytes, size))
        return runtime_error(cudaErrorMemoryAllocation);
    return cudaSuccess;
}

FAKE cudaError_t cudaHostUnregister(void *bytes)
{
    struct thing *t = thing_find(REGISTERED_MEMORY, bytes, 1);

    if (t)
        copy_release(t->at, t->size, "cudaHostUnregister");
    return runtime_error(thing_drop(REGISTERED_MEMORY, bytes, "cudaHostUnregister")
                             ? cudaSuccess
                             : cudaErrorInvalidValue);
}

/* ---- copies */

FAKE cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, enum cudaMemcpyKind kind,
                                 cudaStream_t stream)
{
    bool up = kind == cudaMemcpyHostToDevice, down = kind == cudaMemcpyDeviceToHost;
    struct thing *s = thing_need(STREAM, stream, 1, "a copy's stream");

    if (kind == cudaMemcpyDefault) {
        up = !thing_find(DEVICE_MEMORY, from, size);
        down = !thing_find(DEVICE_MEMORY, to, size);
    }
    if (!s || (!down && !thing_need(DEVICE_MEMORY, to, size, "a copy's target")) ||
        (!up && !thing_need(DEVICE_MEMORY, from, size, "a copy's source")))
        return runtime_error(cudaErrorInvalidValue);
    if (s->recording && (up || down)) /* allowed, but it would copy what is there at a replay */
        misuse("a copy between host and GPU in a recording");
    if (down)
        copy_noise(to, size);
    if (up || down)
        copy_begin(stream, up ? from : to, size, down);
    return cudaSuccess;
}

FAKE cudaError_t cudaMemsetAsync(void *bytes, int value, size_t size, cudaStream_t stream)
{
    (void)value;
    if (!thing_need(STREAM, stream, 1, "cudaMemsetAsync's stream") ||
        !thing_need(DEVICE_MEMORY, bytes, size, "cudaMemsetAsync"))
        return runtime_error(cudaErrorInvalidValue);
    return cudaSuccess;
}

FAKE cudaError_t cudaMemset(void *bytes, int value, size_t size)
{
    (void)value;
    if (recording_forbids("cudaMemset") || !thing_need(DEVICE_MEMORY, bytes, size, "cudaMemset"))
        return runtime_error(cudaErrorInvalidValue);
    return cudaSuccess;
}
