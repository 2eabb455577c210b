/* Large uploads: every thread of the pool takes pieces, each through pinned memory of its own, so
 * that reading the source (a mapped file: waiting for its disk) and copying never wait for each
 * other. On 16 cores this fills a PCIe 5 link from the page cache. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <atomic>
#include <new>

#include "kernels/cuda/cuda.cuh"

/* Pinned memory for all threads; at most and at least of a piece, of which a thread has two there,
 * and of what is cut in pieces. Pieces of 1 MiB and of 8 were slower (bench/README.md). */
static const size_t SLAB = 128 << 20, PIECE = 4 << 20, GRAIN = 1 << 16, LEAST = 8 << 20;

struct lane {
    char *bytes[2];
    cudaEvent_t done[2]; /* the copy out of it */
    int now;
};

struct bulk {
    void *slab;
    bool pinned;
    size_t size, most; /* bytes of it; of a piece */
    int lanes;
    struct lane *lane; /* a thread */
};

struct bulk_job {
    struct context *context;
    char *to;
    const char *from;
    size_t size, piece;
    int file; /* that `from` is mapped from; -1: it is read where it is */
    int64_t at;
    std::atomic<int> *status; /* the first failure */
    std::atomic<bool> *unread;
};

/* Straight from the file where there is one: the mapping is not touched, so that no page of it has
 * to be found, nor given up when it is closed. */
static bool fetch(const struct bulk_job *j, char *to, size_t at, size_t size)
{
    if (j->file < 0) {
        memcpy(to, j->from + at, size);
        return true;
    }
    while (size > 0) {
        ssize_t n = pread(j->file, to, size, (off_t)(j->at + (int64_t)at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        to += n;
        at += (size_t)n;
        size -= (size_t)n;
    }
    return true;
}

static void bulk_part(const void *job, int64_t from, int64_t to, int thread)
{
    const struct bulk_job *j = (const struct bulk_job *)job;
    struct context *c = j->context;
    struct lane *l = &c->bulk->lane[thread];
    cudaError_t status = cudaSetDevice(c->index);

    for (int64_t i = from; i < to && status == cudaSuccess && !j->unread->load(); i++) {
        size_t at = (size_t)i * j->piece, left = j->size - at;
        size_t n = left < j->piece ? left : j->piece;
        char *bytes = l->bytes[l->now];
        cudaEvent_t done = l->done[l->now];
        l->now ^= 1;
        status = cudaEventSynchronize(done);
        if (status == cudaSuccess && !fetch(j, bytes, at, n)) {
            j->unread->store(true);
            return;
        }
        if (status == cudaSuccess)
            status = cudaMemcpyAsync(j->to + at, bytes, n, cudaMemcpyHostToDevice, c->stream);
        if (status == cudaSuccess)
            status = cudaEventRecord(done, c->stream);
    }
    int none = cudaSuccess;
    if (status != cudaSuccess)
        j->status->compare_exchange_strong(none, (int)status);
}

/* So that all threads have as many, whatever the size. */
static size_t piece_of(const struct bulk *b, size_t size)
{
    size_t round = b->most * (size_t)b->lanes,
           pieces = (size + round - 1) / round * (size_t)b->lanes;
    size_t piece = (size + pieces - 1) / pieces;

    return (piece + GRAIN - 1) / GRAIN * GRAIN;
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
    b->most = SLAB / 2 / (size_t)b->lanes / GRAIN * GRAIN;
    b->most = b->most > PIECE ? PIECE : b->most < GRAIN ? GRAIN : b->most;
    b->size = b->most * 2 * (size_t)b->lanes;
    b->lane = new (std::nothrow) lane[b->lanes]();
    b->pinned = true;
    b->slab = b->lane ? cuda_mover.take(c->device, b->size, &b->pinned) : NULL;
    cudaError_t status = b->slab && b->pinned ? cudaSuccess : cudaErrorMemoryAllocation;
    for (int i = 0; status == cudaSuccess && i < 2 * b->lanes; i++) {
        b->lane[i / 2].bytes[i % 2] = (char *)b->slab + (size_t)i * b->most;
        status = cudaEventCreateWithFlags(&b->lane[i / 2].done[i % 2], cudaEventDisableTiming);
    }
    if (status == cudaSuccess)
        return true;
    bulk_close(c);
    cudaGetLastError(); /* upload() has another way */
    return false;
}

bool bulk_upload(struct context *c, void *to, const void *from, size_t size, bool *done)
{
    std::atomic<int> status(cudaSuccess);
    std::atomic<bool> unread(false);
    int64_t at = 0;

    *done = false;
    if (size < LEAST || (!c->bulk && (c->bulk_tried || !bulk_open(c))))
        return true;
    int file = c->host.file_map_source(from, size, &at);
    size_t piece = piece_of(c->bulk, size);
    struct bulk_job job = {c,       (char *)to, (const char *)from, size, piece, file, at,
                           &status, &unread};
    c->host.pool_run(c->device->pool, (int64_t)((size + piece - 1) / piece), 1, bulk_part, &job);
    *done = true;
    if (unread.load())
        c->host.fail(c->device, ERROR_IO,
                     "a file of weights cannot be read any more: it was cut short, or its disk "
                     "fails");
    return cuda_ok(c, (cudaError_t)status.load(), "copying to it") && !unread.load();
}
