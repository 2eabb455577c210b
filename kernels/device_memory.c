/* A device's memory: how much of it there is, how much of it is held, and tests that take it away.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/device_impl.h"

/* Of this process on each GPU; the last one counts for those beyond. */
enum { GPUS = 64 };
static struct {
    size_t held, peak;
} gpus[GPUS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static int place_of(const struct device *d)
{
    return d->index < GPUS ? d->index : GPUS - 1;
}

/* The number after `name` at the beginning of a line ("" for a file that is one number); SIZE_MAX
 * where there is none. */
static size_t number_in(const char *path, const char *name)
{
    FILE *f = fopen(path, "re");
    size_t found = SIZE_MAX, length = strlen(name);
    unsigned long long n;
    char line[128];

    while (f && found == SIZE_MAX && fgets(line, sizeof line, f))
        if (strncmp(line, name, length) == 0 && sscanf(line + length, " %llu", &n) == 1)
            found = (size_t)n;
    if (f)
        fclose(f);
    return found;
}

/* Of the container that this runs in. Files that could be dropped count as free. */
static void limit_to_container(size_t *free_bytes, size_t *total_bytes)
{
    size_t most = number_in("/sys/fs/cgroup/memory.max", "");
    size_t used = number_in("/sys/fs/cgroup/memory.current", "");
    size_t files = number_in("/sys/fs/cgroup/memory.stat", "file ");

    if (most >= *total_bytes || used == SIZE_MAX)
        return;
    *total_bytes = most;
    used -= files < used ? files : 0;
    size_t left = used < most ? most - used : 0;
    if (left < *free_bytes)
        *free_bytes = left;
}

/* Bytes that can be had without swapping: of the machine, or of the container. */
void host_memory(size_t *free_bytes, size_t *total_bytes)
{
    size_t all = number_in("/proc/meminfo", "MemTotal:");
    size_t left = number_in("/proc/meminfo", "MemAvailable:");

    *total_bytes = all == SIZE_MAX ? 0 : all << 10;
    *free_bytes = left == SIZE_MAX ? 0 : left << 10;
    limit_to_container(free_bytes, total_bytes);
}

/* Of one pool, the driver counts as taken what holds files that could be dropped. */
static void count_files_as_free(size_t *free_bytes, size_t total)
{
    size_t left, all;

    host_memory(&left, &all);
    if (left > total)
        left = total;
    if (left > *free_bytes)
        *free_bytes = left;
}

void device_memory(struct device *d, size_t *free_bytes, size_t *total_bytes)
{
    const struct memory_faults *f = d->faults;

    if (d->memory)
        d->memory(d, free_bytes, total_bytes);
    else
        host_memory(free_bytes, total_bytes);
    if (d->facts.unified && !d->dry)
        count_files_as_free(free_bytes, *total_bytes);
    if (!f || !f->limit || f->limit >= *total_bytes)
        return;
    *total_bytes = f->limit;
    if (*free_bytes > f->limit - f->held)
        *free_bytes = f->limit - f->held;
}

size_t device_memory_peak(const struct device *d)
{
    size_t peak;

    if (d->kind == DEVICE_CPU)
        return 0;
    pthread_mutex_lock(&mutex);
    peak = gpus[place_of(d)].peak;
    pthread_mutex_unlock(&mutex);
    return peak;
}

bool device_can_stream(const struct device *d)
{
    return d->mover && !d->facts.unified;
}

void device_set_memory(struct device *d, enum memory_mode mode)
{
    d->memory_mode = mode;
}

bool device_streams(const struct device *d)
{
    return d->streams > 0;
}

struct memory_refusal device_refusal(const struct device *d)
{
    return d->refusal;
}

static void refuse(struct device *d, size_t wanted, size_t held)
{
    d->refusal = (struct memory_refusal){.wanted = wanted, .held = held};
    device_memory(d, &d->refusal.free_bytes, &d->refusal.total_bytes);
}

static bool faults_allow(struct memory_faults *f, size_t size)
{
    f->taken++;
    if (f->taken == f->fail_at || (f->limit && size > f->limit - f->held))
        return false;
    f->held += size;
    if (f->held > f->peak)
        f->peak = f->held;
    return true;
}

bool device_take(struct device *d, size_t size)
{
    size_t *held = &gpus[place_of(d)].held, *peak = &gpus[place_of(d)].peak;
    bool may;

    if (d->kind == DEVICE_CPU && !d->faults)
        return true;
    pthread_mutex_lock(&mutex);
    may = !d->faults || faults_allow(d->faults, size);
    if (may && d->kind != DEVICE_CPU) {
        if (*held == 0)
            *peak = 0;
        *held += size;
        if (*held > *peak)
            *peak = *held;
    }
    pthread_mutex_unlock(&mutex);
    if (!may)
        refuse(d, size, d->faults->held);
    return may;
}

void device_give(struct device *d, size_t size, bool refused)
{
    size_t *held = &gpus[place_of(d)].held;

    if (d->kind == DEVICE_CPU && !d->faults)
        return;
    pthread_mutex_lock(&mutex);
    if (d->faults)
        d->faults->held -= size;
    if (d->kind != DEVICE_CPU)
        *held -= size;
    pthread_mutex_unlock(&mutex);
    if (refused)
        refuse(d, size, d->kind == DEVICE_CPU ? d->faults->held : *held);
}

/* ---- a CPU with memory of its own */

struct host_source {
    struct arena_source source;
    struct device *device;
};

static void *host_get(struct arena_source *s, size_t size)
{
    struct device *d = ((struct host_source *)s)->device;
    size_t whole = (size + 255) & ~(size_t)255;
    void *bytes;

    if (!device_take(d, size))
        return NULL;
    bytes = aligned_alloc(256, whole);
    if (bytes)
        memset(bytes, 0, whole);
    else
        device_give(d, size, true);
    return bytes;
}

static void host_put(struct arena_source *s, void *bytes, size_t size)
{
    struct device *d = ((struct host_source *)s)->device;

    d->memory_changes++;
    free(bytes);
    device_give(d, size, false);
}

static void host_clear(struct arena_source *s, void *bytes, size_t size)
{
    (void)s;
    memset(bytes, 0, size);
}

/* Its weights come at once: there is but one queue. */
static void *host_open(struct device *d, int slots)
{
    (void)slots;
    return d;
}

static void host_close(struct device *d, void *queue)
{
    (void)d;
    (void)queue;
}

static void *host_take(struct device *d, size_t size, bool *pinned)
{
    (void)d;
    *pinned = false;
    return malloc(size);
}

static void host_give(struct device *d, void *bytes, size_t size, bool pinned)
{
    (void)d;
    (void)size;
    (void)pinned;
    free(bytes);
}

static void host_keep(struct device *d, void *host, const void *bytes, size_t size)
{
    (void)d;
    memcpy(host, bytes, size);
}

static void host_bring(struct device *d, void *queue, void *bytes, const void *host, size_t size)
{
    (void)d;
    (void)queue;
    memcpy(bytes, host, size);
}

static void host_await(struct device *d, void *queue, int slot)
{
    (void)d;
    (void)queue;
    (void)slot;
}

static const struct weight_mover host_mover = {.open = host_open,
                                               .close = host_close,
                                               .take = host_take,
                                               .give = host_give,
                                               .keep = host_keep,
                                               .follow = host_close,
                                               .bring = host_bring,
                                               .brought = host_await,
                                               .await = host_await};

struct arena_source *device_host_source(struct device *d)
{
    struct host_source *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->source = (struct arena_source){.get = host_get,
                                      .put = host_put,
                                      .clear = host_clear,
                                      .block_size = 64 * 1024,
                                      .host = true};
    s->device = d;
    d->mover = &host_mover;
    return &s->source;
}
