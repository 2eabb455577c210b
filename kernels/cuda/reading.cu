/* What goes to the host while the device goes on: a copy of it as F32 is made in turn, and brought
 * by a stream of its own. */
#include "kernels/cuda/cuda.cuh"

static void reading_free(struct context *c, struct read_slot *r)
{
    memory_give(c, r->here, r->size);
    if (r->there)
        cudaFreeHost(r->there);
    if (r->made)
        cudaEventDestroy(r->made);
    if (r->done)
        cudaEventDestroy(r->done);
    *r = {};
}

void readings_free(struct context *c)
{
    if (c->reader)
        cudaStreamSynchronize(c->reader);
    for (int i = 0; i < READ_SLOTS; i++)
        reading_free(c, &c->reading[i]);
    if (c->reader)
        cudaStreamDestroy(c->reader);
    c->reader = NULL;
}

/* Room for `size` bytes on both sides. */
static bool reading_make(struct context *c, struct read_slot *r, size_t size)
{
    if (!c->reader && !cuda_ok(c, cudaStreamCreateWithFlags(&c->reader, cudaStreamNonBlocking),
                               "opening a stream"))
        return false;
    if (size <= r->size)
        return true;
    if (r->size > 0) { /* what has not been used yet is made while the device works */
        cuda_ok(c, cudaStreamSynchronize(c->stream), "working");
        cuda_ok(c, cudaStreamSynchronize(c->reader), "copying from it");
    }
    reading_free(c, r);
    r->here = (float *)memory_take(c, size);
    if (!r->here) {
        c->host.fail(c->device, ERROR_MEMORY, "out of GPU memory: %zu MiB to read", size >> 20);
        return false;
    }
    r->size = size;
    if (cuda_ok(c, cudaMallocHost((void **)&r->there, size), "pinned memory") &&
        cuda_ok(c, cudaEventCreateWithFlags(&r->made, cudaEventDisableTiming), "an event") &&
        cuda_ok(c, cudaEventCreateWithFlags(&r->done, cudaEventDisableTiming), "an event"))
        return true;
    reading_free(c, r); /* what tries again begins anew */
    return false;
}

void cuda_read_begin(struct device *d, int slot, const struct tensor *x)
{
    struct context *c = context_of(d);
    struct read_slot *r = &c->reading[slot];
    size_t size = sizeof(float);

    for (int i = 0; i < x->rank; i++)
        size *= (size_t)x->shape[i];
    if (!reading_make(c, r, size))
        return;
    if (r->begun) /* and never ended */
        cuda_ok(c, cudaStreamWaitEvent(c->stream, r->done, 0), "waiting for a transfer");
    struct tensor copy = device_tensor(r->here, DTYPE_F32, x->rank, x->shape);
    copy_any(c, &copy, x);
    r->begun =
        cuda_ok(c, cudaEventRecord(r->made, c->stream), "copying from it") &&
        cuda_ok(c, cudaStreamWaitEvent(c->reader, r->made, 0), "copying from it") &&
        cuda_ok(c, cudaMemcpyAsync(r->there, r->here, size, cudaMemcpyDeviceToHost, c->reader),
                "copying from it") &&
        cuda_ok(c, cudaEventRecord(r->done, c->reader), "copying from it");
}

const float *cuda_read_end(struct device *d, int slot)
{
    struct context *c = context_of(d);
    struct read_slot *r = &c->reading[slot];

    if (!r->begun || !cuda_ok(c, cudaEventSynchronize(r->done), "working"))
        return NULL;
    r->begun = false;
    return r->there;
}
