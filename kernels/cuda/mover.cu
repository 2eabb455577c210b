/* Weights from the host while the device works: copies in a stream of their own, ordered with the
 * device's by events. */
#include <string.h>
#include <sys/mman.h>

#include <new>

#include "kernels/cuda/cuda.cuh"

enum { SLOTS_MAX = 8 };
struct copies {
    cudaStream_t stream;
    cudaEvent_t reached, arrived[SLOTS_MAX];
    int slots;
};

static void mover_close(struct device *d, void *queue)
{
    struct context *c = context_of(d);
    struct copies *q = (struct copies *)queue;

    if (q->stream) {
        cuda_ok(c, cudaStreamSynchronize(q->stream), "bringing weights");
        cudaStreamDestroy(q->stream);
    }
    cuda_ok(c, cudaStreamSynchronize(c->stream), "working"); /* it may be keeping a block */
    if (q->reached)
        cudaEventDestroy(q->reached);
    for (int i = 0; i < q->slots; i++)
        if (q->arrived[i])
            cudaEventDestroy(q->arrived[i]);
    delete q;
}

static void *mover_open(struct device *d, int slots)
{
    struct context *c = context_of(d);
    struct copies *q = slots <= SLOTS_MAX ? new (std::nothrow) copies() : NULL;

    if (!q) {
        c->host.fail(d, ERROR_MEMORY, "out of memory");
        return NULL;
    }
    q->slots = slots;
    cudaError_t status = cudaStreamCreateWithFlags(&q->stream, cudaStreamNonBlocking);
    if (status == cudaSuccess)
        status = cudaEventCreateWithFlags(&q->reached, cudaEventDisableTiming);
    for (int i = 0; status == cudaSuccess && i < slots; i++)
        status = cudaEventCreateWithFlags(&q->arrived[i], cudaEventDisableTiming);
    if (cuda_ok(c, status, "a queue for weights"))
        return q;
    mover_close(d, q);
    return NULL;
}

/* ---- host memory: large pages, given by the system to all threads at once, then pinned. One call
 * that allocates pinned memory takes three times as long. */

enum { TOUCH_PIECE = 2 << 20, PAGE_LEAST = 4096 };

static void touch(const void *job, int64_t from, int64_t to, int thread)
{
    (void)thread;
    char *bytes = (char *)*(void *const *)job;
    for (size_t at = (size_t)from * TOUCH_PIECE; at < (size_t)to * TOUCH_PIECE; at += PAGE_LEAST)
        bytes[at] = 0; /* where pages are small after all, every one */
}

static size_t whole_pages(size_t size)
{
    return (size + TOUCH_PIECE - 1) & ~(size_t)(TOUCH_PIECE - 1);
}

static void *mover_take(struct device *d, size_t size, bool *pinned)
{
    struct context *c = context_of(d);
    size_t whole = whole_pages(size);
    void *bytes = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (bytes == MAP_FAILED)
        return NULL;
    madvise(bytes, whole, MADV_HUGEPAGE); /* a wish */
    if (!*pinned)
        return bytes;
    c->host.pool_run(d->pool, (int64_t)(whole / TOUCH_PIECE), 1, touch, &bytes);
    *pinned = cudaHostRegister(bytes, whole, cudaHostRegisterPortable) == cudaSuccess;
    if (!*pinned)
        cudaGetLastError(); /* a limit of the system's: slower, but right */
    return bytes;
}

static void mover_give(struct device *d, void *bytes, size_t size, bool pinned)
{
    struct context *c = context_of(d);

    if (pinned)
        cuda_ok(c, cudaHostUnregister(bytes), "unpinning memory");
    munmap(bytes, whole_pages(size));
}

/* ---- copies */

static void mover_keep(struct device *d, void *host, const void *bytes, size_t size)
{
    struct context *c = context_of(d);
    cuda_ok(c, cudaMemcpyAsync(host, bytes, size, cudaMemcpyDeviceToHost, c->stream),
            "keeping weights on the host");
}

static void mover_follow(struct device *d, void *queue)
{
    struct context *c = context_of(d);
    struct copies *q = (struct copies *)queue;

    if (cuda_ok(c, cudaEventRecord(q->reached, c->stream), "bringing weights"))
        cuda_ok(c, cudaStreamWaitEvent(q->stream, q->reached, 0), "bringing weights");
}

static void mover_bring(struct device *d, void *queue, void *bytes, const void *host, size_t size)
{
    struct context *c = context_of(d);
    struct copies *q = (struct copies *)queue;

    cuda_ok(c, cudaMemcpyAsync(bytes, host, size, cudaMemcpyHostToDevice, q->stream),
            "bringing weights");
}

static void mover_brought(struct device *d, void *queue, int slot)
{
    struct context *c = context_of(d);
    struct copies *q = (struct copies *)queue;

    cuda_ok(c, cudaEventRecord(q->arrived[slot], q->stream), "bringing weights");
}

static void mover_await(struct device *d, void *queue, int slot)
{
    struct context *c = context_of(d);
    struct copies *q = (struct copies *)queue;

    cuda_ok(c, cudaStreamWaitEvent(c->stream, q->arrived[slot], 0), "bringing weights");
}

const struct weight_mover cuda_mover = {mover_open,  mover_close,   mover_take,
                                        mover_give,  mover_keep,    mover_follow,
                                        mover_bring, mover_brought, mover_await};
