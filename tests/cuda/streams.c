/* The runtime: errors, streams, events. */
#include <cuda_runtime_api.h>
#include <stdlib.h>

#include "tests/cuda/fake.h"

static _Thread_local int last_error;

int runtime_error(int status)
{
    if (status != cudaSuccess)
        last_error = status;
    return status;
}

FAKE cudaError_t cudaGetLastError(void)
{
    int status = last_error;

    last_error = cudaSuccess;
    return status;
}

FAKE const char *cudaGetErrorString(cudaError_t status)
{
    return status == cudaSuccess                 ? "no error"
           : status == cudaErrorMemoryAllocation ? "out of memory"
                                                 : "an error of the fake CUDA";
}

/* ---- streams */

FAKE cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags)
{
    (void)flags;
    *out = fault_here(FAULT_HANDLE) ? NULL : thing_new(STREAM, 0);
    return runtime_error(*out ? cudaSuccess : cudaErrorMemoryAllocation);
}

FAKE cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    struct thing *t = thing_find(STREAM, stream, 1);

    if (t && t->recording)
        misuse("a stream is destroyed while it is recorded");
    return runtime_error(thing_drop(STREAM, stream, "cudaStreamDestroy")
                             ? cudaSuccess
                             : cudaErrorInvalidResourceHandle);
}

FAKE cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    struct thing *t = thing_need(STREAM, stream, 1, "cudaStreamSynchronize");

    if (!t)
        return runtime_error(cudaErrorInvalidResourceHandle);
    if (recording_forbids("cudaStreamSynchronize"))
        return runtime_error(cudaErrorStreamCaptureUnsupported);
    if (t->recording)
        misuse("a stream is waited for while another thread records it");
    copy_finish(stream, copy_turn());
    return cudaSuccess;
}

FAKE cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags)
{
    struct thing *s = thing_need(STREAM, stream, 1, "cudaStreamWaitEvent");
    struct thing *e = thing_need(EVENT, event, 1, "cudaStreamWaitEvent");

    (void)flags;
    if (!s || !e)
        return runtime_error(cudaErrorInvalidResourceHandle);
    if (s->recording == e->recording || (!s->recording && !e->stream))
        return cudaSuccess;
    misuse("a stream waits for an event across the border of a recording");
    return runtime_error(cudaErrorStreamCaptureIsolation);
}

/* ---- events */

FAKE cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags)
{
    (void)flags;
    *out = fault_here(FAULT_HANDLE) ? NULL : thing_new(EVENT, 0);
    return runtime_error(*out ? cudaSuccess : cudaErrorMemoryAllocation);
}

FAKE cudaError_t cudaEventCreate(cudaEvent_t *out)
{
    return cudaEventCreateWithFlags(out, 0);
}

FAKE cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    return runtime_error(thing_drop(EVENT, event, "cudaEventDestroy")
                             ? cudaSuccess
                             : cudaErrorInvalidResourceHandle);
}

FAKE cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    struct thing *e = thing_need(EVENT, event, 1, "cudaEventRecord");
    struct thing *s = thing_need(STREAM, stream, 1, "cudaEventRecord");

    if (!s || !e)
        return runtime_error(cudaErrorInvalidResourceHandle);
    e->stream = stream;
    e->turn = copy_turn();
    e->recording = s->recording;
    return cudaSuccess;
}

FAKE cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    struct thing *e = thing_need(EVENT, event, 1, "cudaEventSynchronize");

    if (!e)
        return runtime_error(cudaErrorInvalidResourceHandle);
    if (recording_forbids("cudaEventSynchronize"))
        return runtime_error(cudaErrorStreamCaptureUnsupported);
    if (e->stream)
        copy_finish(e->stream, e->turn);
    return cudaSuccess;
}

FAKE cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to)
{
    struct thing *a = thing_need(EVENT, from, 1, "cudaEventElapsedTime");
    struct thing *b = thing_need(EVENT, to, 1, "cudaEventElapsedTime");

    if (!a || !b)
        return runtime_error(cudaErrorInvalidResourceHandle);
    if (!a->stream || !b->stream)
        misuse("the time between events that were not recorded");
    *ms = 1 + (float)(rand() % 100) / 100; /* so that a search does not always take the first */
    return cudaSuccess;
}
