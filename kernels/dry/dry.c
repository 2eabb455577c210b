#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernels/dry/impl.h"

/* The driver gives memory in pages of this size, the system in smaller ones. */
static const size_t PAGE = (size_t)2 << 20, SMALL_PAGE = 4096;
/* As the CUDA side's arenas have it, and those of the heap. */
static const size_t BLOCK = (size_t)32 << 20, SMALL_BLOCK = 64 * 1024;

struct dry {
    struct arena_source source; /* first: arenas hand back its address */
    struct dry_run *run;
    size_t scratch[DRY_SCRATCHES];
};

static size_t pages(const struct dry *y, size_t size)
{
    size_t page = y->run->threads > 0 ? SMALL_PAGE : PAGE;

    return (size + page - 1) / page * page;
}

static void take(struct dry *y, size_t size)
{
    struct dry_run *r = y->run;

    r->used += pages(y, size);
    if (r->used > r->peak) {
        r->peak = r->used;
        r->scratch_peak = r->scratch;
    }
}

void dry_begin(struct dry_run *run)
{
    struct dry_run fresh = {
        .rates = run->rates, .facts = run->facts, .threads = run->threads, .base = run->base};

    fresh.used = run->used > run->base ? run->used : run->base;
    fresh.scratch = fresh.scratch_peak = run->scratch;
    fresh.streamed = run->streamed;
    fresh.peak = fresh.used;
    *run = fresh;
}

/* ---- memory for arenas */

/* A processor's is the host's, where small weights are put without an operation. */
static void *source_get(struct arena_source *s, size_t size)
{
    int may = s->host ? PROT_READ | PROT_WRITE : PROT_NONE;
    void *bytes = mmap(NULL, size, may, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (bytes == MAP_FAILED)
        return NULL;
    take((struct dry *)s, size);
    return bytes;
}

static void source_put(struct arena_source *s, void *bytes, size_t size)
{
    munmap(bytes, size);
    ((struct dry *)s)->run->used -= pages((struct dry *)s, size);
}

static void source_clear(struct arena_source *s, void *bytes, size_t size)
{
    (void)s, (void)bytes, (void)size; /* there is nothing */
}

void dry_take_scratch(struct device *d, enum dry_scratch purpose, size_t size)
{
    struct dry *y = d->backend;
    size_t had = pages(y, y->scratch[purpose]), has = pages(y, size);

    if (has <= had || (purpose == DRY_PROCESSOR) != (y->run->threads > 0))
        return;
    y->scratch[purpose] = size;
    y->run->scratch += has - had;
    y->run->used -= had; /* the old one goes first */
    take(y, has);
}

void dry_pass(struct device *d, size_t size)
{
    struct dry *y = d->backend;

    take(y, size);
    y->run->used -= pages(y, size);
}

/* ---- what is counted */

void dry_work(struct device *d, enum dry_class class, double flops, double bytes)
{
    struct dry_run *r = d->dry;
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
    struct dry_run *r = d->dry;
    r->stored += (double)tensor_count(weight) * (double)dtype_size(weight->dtype);
}

void dry_see_host(struct device *d)
{
    struct dry_run *r = d->dry;
    struct mallinfo2 heap = mallinfo2();

    if (heap.uordblks + heap.hblkhd > r->host_peak)
        r->host_peak = heap.uordblks + heap.hblkhd;
}

/* ---- the device */

static void dry_trim(struct device *d)
{
    struct dry *y = d->backend;

    for (int i = 0; y && i < DRY_SCRATCHES; i++) {
        y->run->used -= pages(y, y->scratch[i]);
        y->run->scratch -= pages(y, y->scratch[i]);
        y->scratch[i] = 0;
    }
}

static void dry_close(struct device *d)
{
    struct dry *y = d->backend;

    dry_trim(d);
    free(y);
    d->backend = NULL;
    d->source = NULL;
}

static void dry_memory(struct device *d, size_t *free_bytes, size_t *total_bytes)
{
    size_t used = d->dry->used;

    *total_bytes = d->facts.memory;
    *free_bytes = used < *total_bytes ? *total_bytes - used : 0;
}

/* f8_open() in kernels/cuda/linear_pack.cu asks cuBLASLt for products with a scale for each row,
 * which Hopper alone was seen to have. */
bool dry_has_f8(const struct device_facts *facts)
{
    return facts->major == 9;
}

int dry_open(struct device *d, struct error *e)
{
    struct dry_run *run = d->dry;
    struct dry *y = calloc(1, sizeof *y);
    bool gpu = run->threads == 0;

    if (!y)
        return error_memory(e);
    y->source = (struct arena_source){.get = source_get,
                                      .put = source_put,
                                      .clear = source_clear,
                                      .block_size = gpu ? BLOCK : SMALL_BLOCK,
                                      .host = !gpu};
    y->run = run;
    if (run->used < run->base)
        run->used = run->peak = run->base;
    d->kind = gpu ? DEVICE_CUDA : DEVICE_CPU;
    d->source = &y->source;
    d->backend = y;
    d->facts = run->facts;
    d->has_f8 = dry_has_f8(&run->facts);
    d->own_f8 = true;
    d->memory = dry_memory;
    d->mover = gpu ? &dry_mover : NULL;
    d->trim = dry_trim;
    d->close = dry_close;
    dry_fill_slots(&d->ops);
    if (gpu)
        return 0;
    d->products_f16 = d->activations != DTYPE_F32;
    d->activations = DTYPE_F32;
    dry_processor_slots(&d->ops);
    return 0;
}
