/* The runtime: recordings of a stream, of one thread each, and graphs. */
#include <cuda_runtime_api.h>
#include <stdatomic.h>

#include "tests/cuda/fake.h"

static _Thread_local void *recorded;
static _Atomic uint64_t recordings;

void *recording_stream(void)
{
    return recorded;
}

bool recording_forbids(const char *what)
{
    struct thing *t = recorded ? thing_find(STREAM, recorded, 1) : NULL;

    if (!t)
        return false;
    misuse("%s while this thread records", what);
    t->broken = true;
    return true;
}

FAKE cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    struct thing *t = thing_need(STREAM, stream, 1, "cudaStreamBeginCapture");

    if (mode != cudaStreamCaptureModeThreadLocal)
        misuse("a recording that forbids other threads to work");
    if (t && !t->recording && !recorded) {
        t->recording = ++recordings;
        t->broken = false;
        recorded = stream;
        return cudaSuccess;
    }
    misuse("a recording within another");
    return runtime_error(cudaErrorIllegalState);
}

FAKE cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out)
{
    struct thing *t = thing_need(STREAM, stream, 1, "cudaStreamEndCapture");

    *out = NULL;
    if (!t || !t->recording || recorded != (void *)stream) {
        misuse("the end of a recording that this thread did not begin");
        return runtime_error(cudaErrorIllegalState);
    }
    t->recording = 0;
    recorded = NULL;
    if (t->broken)
        return runtime_error(cudaErrorStreamCaptureInvalidated);
    *out = thing_new(GRAPH, 0);
    return runtime_error(*out ? cudaSuccess : cudaErrorMemoryAllocation);
}

FAKE cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *out)
{
    struct thing *t = thing_need(STREAM, stream, 1, "cudaStreamIsCapturing");

    *out = t && t->recording ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    return runtime_error(t ? cudaSuccess : cudaErrorInvalidResourceHandle);
}

FAKE cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph,
                                      unsigned long long flags)
{
    (void)flags;
    *out = NULL;
    if (!thing_need(GRAPH, graph, 1, "cudaGraphInstantiate"))
        return runtime_error(cudaErrorInvalidValue);
    *out = fault_here(FAULT_GRAPH) ? NULL : thing_new(GRAPH_RUN, 0);
    return runtime_error(*out ? cudaSuccess : cudaErrorMemoryAllocation);
}

FAKE cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    return runtime_error(thing_drop(GRAPH, graph, "cudaGraphDestroy") ? cudaSuccess
                                                                      : cudaErrorInvalidValue);
}

FAKE cudaError_t cudaGraphExecDestroy(cudaGraphExec_t run)
{
    return runtime_error(
        thing_drop(GRAPH_RUN, run, "cudaGraphExecDestroy") ? cudaSuccess : cudaErrorInvalidValue);
}

FAKE cudaError_t cudaGraphLaunch(cudaGraphExec_t run, cudaStream_t stream)
{
    struct thing *t = thing_need(STREAM, stream, 1, "cudaGraphLaunch");

    if (!t || !thing_need(GRAPH_RUN, run, 1, "cudaGraphLaunch"))
        return runtime_error(cudaErrorInvalidValue);
    if (recording_forbids("cudaGraphLaunch"))
        return runtime_error(cudaErrorStreamCaptureUnsupported);
    if (fault_here(FAULT_LAUNCH))
        return runtime_error(cudaErrorLaunchOutOfResources);
    return cudaSuccess;
}
