/* Large uploads: every thread of the pool takes pieces, each through pinned memory of its own, so
 * that reading the source (a mapped file: waiting for its pages) and copying never wait for each
 * other. On 16 cores this fills a PCIe 5 link from the page cache. */
#include <string.h>

#include <atomic>
#include <new>

#include "kernels/cuda/cuda.cuh"

/* Small, so that all threads share a weight of some 10 MiB evenly. */
static const size_t PIECE = 1 << 20, LEAST = 8 << 20;

struct lane {
    char *bytes[2];
    cudaEvent_t done[2]; /* the copy out of it */
    int now;
};

struct bulk {
    void *slab;
    bool pinned;
    size_t size;
    int lanes;
    struct lane *lane; /* a thread */
};

struct bulk_job {
    struct context *context;
    char *to;
    const char *from;
    size_t size;
    std::atomic<int> *status; /* the first failure */
};

static void bulk_part(const void *job, int64_t from, int64_t to, int thread)
{
    const struct bulk_job *j = (const struct bulk_job *)job;
    struct context *c = j->context;
    struct lane *l = &c->bulk->lane[thread];
    cudaError_t status = cudaSetDevice(c->index);

    for (int64_t i = from; i < to && status == cudaSuccess; i++) {
        size_t at = (size_t)i * PIECE, left = j->size - at;
        size_t n = left < PIECE ? left : PIECE;
        char *bytes = l->bytes[l->now];
        cudaEvent_t done = l->done[l->now];
        l->now ^= 1;
        status = cudaEventSynchronize(done);
        memcpy(bytes, j->from + at, n);
        if (status == cudaSuccess)
            status = cudaMemcpyAsync(j->to + at, bytes, n, cudaMemcpyHostToDevice, c->stream);
        if (status == cudaSuccess)
            status = cudaEventRecord(done, c->stream);
    }
    int none = cudaSuccess;
    if (status != cudaSuccess)
        j->status->compare_exchange_strong(none, (int)status);
}

void bulk_close(struct context *c)
{
    struct bulk *b = c->bulk;

    if (!b)
        return;
    for (int i = 0; b->lane && i < b->lanes; i++)
        for (int k = 0; k < 2; k++)
            if (b->lane[i].done[k])
                cudaEventDestroy(b->lane[i].done[k]);
    if (b->slab)
        cuda_mover.give(c->device, b->slab, b->size, b->pinned);
    delete[] b->lane;
    delete b;
    c->bulk = NULL;
}

static bool bulk_open(struct context *c)
{
    struct bulk *b = new (std::nothrow) bulk();

    c->bulk_tried = true;
    if (!b)
        return false;
    c->bulk = b;
    b->lanes = c->device->threads;
    b->size = PIECE * 2 * (size_t)b->lanes;
    b->lane = new (std::nothrow) lane[b->lanes]();
    b->pinned = true;
    b->slab = b->lane ? cuda_mover.take(c->device, b->size, &b->pinned) : NULL;
    cudaError_t status = b->slab && b->pinned ? cudaSuccess : cudaErrorMemoryAllocation;
    for (int i = 0; status == cudaSuccess && i < 2 * b->lanes; i++) {
        b->lane[i / 2].bytes[i % 2] = (char *)b->slab + (size_t)i * PIECE;
        status = cudaEventCreateWithFlags(&b->lane[i / 2].done[i % 2], cudaEventDisableTiming);
    }
    if (status == cudaSuccess)
        return true;
    bulk_close(c); /* upload() has another way */
    return false;
}

bool bulk_upload(struct context *c, void *to, const void *from, size_t size, bool *done)
{
    std::atomic<int> status(cudaSuccess);

    *done = false;
    if (size < LEAST || (!c->bulk && (c->bulk_tried || !bulk_open(c))))
        return true;
    struct bulk_job job = {c, (char *)to, (const char *)from, size, &status};
    c->host.pool_run(c->device->pool, (int64_t)((size + PIECE - 1) / PIECE), 1, bulk_part, &job);
    *done = true;
    return cuda_ok(c, (cudaError_t)status.load(), "copying to it");
}
