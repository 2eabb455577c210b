/* What a device was told to do, recorded as a CUDA graph and replayed. Other threads and streams
 * may go on meanwhile: recording is of this thread and stream alone. */
#include "kernels/cuda/cuda.cuh"

static bool graph_begin(struct device *d)
{
    struct context *c = context_of(d);

    if (cudaStreamBeginCapture(c->stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess)
        return true;
    cudaGetLastError(); /* forget it: the operations are issued instead */
    return false;
}

static void *graph_end(struct device *d)
{
    struct context *c = context_of(d);
    cudaGraph_t graph = NULL;
    cudaGraphExec_t run = NULL;
    cudaError_t status = cudaStreamEndCapture(c->stream, &graph);

    if (status == cudaSuccess && !d->failed)
        status = cudaGraphInstantiate(&run, graph, 0);
    if (graph)
        cudaGraphDestroy(graph);
    if (status != cudaSuccess)
        cudaGetLastError();
    return status == cudaSuccess ? run : NULL;
}

static void graph_replay(struct device *d, void *recording)
{
    struct context *c = context_of(d);

    cuda_ok(c, cudaGraphLaunch((cudaGraphExec_t)recording, c->stream), "replaying a graph");
}

static void graph_forget(struct device *d, void *recording)
{
    struct context *c = context_of(d);

    cuda_ok(c, cudaStreamSynchronize(c->stream), "working");
    cuda_ok(c, cudaGraphExecDestroy((cudaGraphExec_t)recording), "freeing a graph");
}

const struct device_recorder cuda_recorder = {graph_begin, graph_end, graph_replay, graph_forget};
