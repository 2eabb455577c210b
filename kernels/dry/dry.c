#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernels/dry/impl.h"

/* The driver gives memory in pages of this size. */
static const size_t PAGE = (size_t)2 << 20;
static const size_t BLOCK = (size_t)32 << 20; /* as the CUDA side's arenas have it */

/* Addresses that were given out. */
struct block {
    struct block *next;
    void *bytes;
    size_t size;
};

struct dry {
    struct arena_source source; /* first: arenas hand back its address */
    struct dry_run *run;
    struct device *device;
    struct block *blocks;
    size_t scratch[DRY_SCRATCHES];
};

static size_t pages(size_t size)
{
    return (size + PAGE - 1) / PAGE * PAGE;
}

static void take(struct dry *y, size_t size)
{
    struct dry_run *r = y->run;

    r->used += pages(size);
    if (r->used > r->peak) {
        r->peak = r->used;
        r->scratch_peak = r->scratch;
    }
    if (r->used > y->device->memory_peak)
        y->device->memory_peak = r->used;
}

void dry_begin(struct dry_run *run)
{
    struct dry_run fresh = {.rates = run->rates, .memory = run->memory, .base = run->base};

    fresh.used = run->used > run->base ? run->used : run->base;
    fresh.scratch = fresh.scratch_peak = run->scratch;
    fresh.peak = fresh.used;
    *run = fresh;
}

/* ---- memory for arenas */

static void *source_get(struct arena_source *s, size_t size)
{
    struct dry *y = (struct dry *)s;
    struct block *b = malloc(sizeof *b);

    if (!b)
        return NULL;
    b->size = size;
    b->bytes = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (b->bytes == MAP_FAILED) {
        free(b);
        return NULL;
    }
    b->next = y->blocks;
    y->blocks = b;
    take(y, size);
    return b->bytes;
}

static void source_put(struct arena_source *s, void *bytes)
{
    struct dry *y = (struct dry *)s;

    for (struct block **at = &y->blocks; *at; at = &(*at)->next)
        if ((*at)->bytes == bytes) {
            struct block *b = *at;
            *at = b->next;
            munmap(b->bytes, b->size);
            y->run->used -= pages(b->size);
            free(b);
            return;
        }
}

void dry_take_scratch(struct device *d, enum dry_scratch purpose, size_t size)
{
    struct dry *y = d->backend;
    size_t had = pages(y->scratch[purpose]), has = pages(size);

    if (has <= had)
        return;
    y->scratch[purpose] = size;
    y->run->scratch += has - had;
    y->run->used -= had; /* the old one goes first */
    take(y, has);
}

/* ---- what is counted */

void dry_work(struct device *d, enum dry_class class, double flops, double bytes)
{
    struct dry_run *r = ((struct dry *)d->backend)->run;
    const struct dry_rates *rates = &r->rates;
    double arithmetic = rates->flops[class] > 0 ? flops / rates->flops[class] : 0;
    double moving = rates->bytes > 0 ? bytes / rates->bytes : 0;

    r->flops[class] += flops;
    r->bytes += bytes;
    r->launches++;
    r->seconds += (arithmetic > moving ? arithmetic : moving) + rates->launch;
}

void dry_stored(struct device *d, const struct tensor *weight)
{
    struct dry_run *r = ((struct dry *)d->backend)->run;
    r->stored += (double)tensor_count(weight) * (double)dtype_size(weight->dtype);
}

void dry_see_host(struct device *d)
{
    struct dry_run *r = ((struct dry *)d->backend)->run;
    struct mallinfo2 heap = mallinfo2();

    if (heap.uordblks + heap.hblkhd > r->host_peak)
        r->host_peak = heap.uordblks + heap.hblkhd;
}

/* ---- the device */

static void dry_trim(struct device *d)
{
    struct dry *y = d->backend;

    for (int i = 0; y && i < DRY_SCRATCHES; i++) {
        y->run->used -= pages(y->scratch[i]);
        y->run->scratch -= pages(y->scratch[i]);
        y->scratch[i] = 0;
    }
}

static void dry_close(struct device *d)
{
    struct dry *y = d->backend;

    dry_trim(d);
    while (y->blocks) /* what a caller forgot */
        source_put(&y->source, y->blocks->bytes);
    free(y);
    d->backend = NULL;
    d->source = NULL;
}

int dry_open(struct device *d, struct dry_run *run, struct error *e)
{
    struct dry *y = calloc(1, sizeof *y);

    if (!y)
        return error_memory(e);
    y->source = (struct arena_source){source_get, source_put, BLOCK};
    y->run = run;
    y->device = d;
    if (run->used < run->base)
        run->used = run->peak = run->base;
    d->kind = DEVICE_CUDA;
    d->source = &y->source;
    d->backend = y;
    d->memory_peak = run->used;
    d->trim = dry_trim;
    d->close = dry_close;
    dry_fill_slots(&d->ops);
    return 0;
}
