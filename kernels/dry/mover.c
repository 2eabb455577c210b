/* Weights that come from the host: two clocks, the device's and the queue's, that wait for each
 * other where the real ones would. */
#include <stdlib.h>
#include <sys/mman.h>

#include "kernels/dry/impl.h"

struct queue {
    double clock;     /* when what it was told so far is done */
    double arrived[]; /* of each slot */
};

static void *mover_open(struct device *d, int slots)
{
    struct queue *q = calloc(1, sizeof *q + (size_t)slots * sizeof *q->arrived);

    if (!q)
        device_fail(d, ERROR_MEMORY, "out of memory");
    return q;
}

static void mover_close(struct device *d, void *queue)
{
    (void)d;
    free(queue);
}

/* Addresses again. */
static void *mover_take(struct device *d, size_t size, bool *pinned)
{
    void *bytes = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    (void)pinned; /* as wanted */
    if (bytes == MAP_FAILED)
        return NULL;
    d->dry->streamed += size;
    return bytes;
}

static void mover_give(struct device *d, void *bytes, size_t size, bool pinned)
{
    (void)pinned;
    munmap(bytes, size);
    d->dry->streamed -= size;
}

static void mover_keep(struct device *d, void *host, const void *bytes, size_t size)
{
    (void)d, (void)host, (void)bytes, (void)size; /* a part of loading */
}

static void mover_follow(struct device *d, void *queue)
{
    struct queue *q = queue;
    q->clock = q->clock > d->dry->seconds ? q->clock : d->dry->seconds;
}

static void mover_bring(struct device *d, void *queue, void *bytes, const void *host, size_t size)
{
    struct queue *q = queue;

    (void)bytes, (void)host;
    if (d->dry->rates.link > 0)
        q->clock += (double)size / d->dry->rates.link;
}

static void mover_brought(struct device *d, void *queue, int slot)
{
    struct queue *q = queue;
    (void)d;
    q->arrived[slot] = q->clock;
}

static void mover_await(struct device *d, void *queue, int slot)
{
    const struct queue *q = queue;
    if (q->arrived[slot] > d->dry->seconds)
        d->dry->seconds = q->arrived[slot];
}

const struct weight_mover dry_mover = {
    .open = mover_open,
    .close = mover_close,
    .take = mover_take,
    .give = mover_give,
    .keep = mover_keep,
    .follow = mover_follow,
    .bring = mover_bring,
    .brought = mover_brought,
    .await = mover_await,
};
