#include "kernels/cuda/entry.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The cores that this process may run on. */
static int cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

static int open_cpu(int threads, struct device **out, struct error *e)
{
    struct device *d = calloc(1, sizeof *d);
    if (!d)
        return error_memory(e);
    d->kind = DEVICE_CPU;
    d->threads = threads > 0 ? threads : cores();
    if (pool_open(d->threads, &d->pool, e)) {
        free(d);
        return -1;
    }
    ops_init_reference(&d->ops);
    *out = d;
    return 0;
}

int device_open_reference(int threads, struct device **out, struct error *e)
{
    return open_cpu(threads, out, e);
}

int device_open(const struct device_options *o, struct device **out, struct error *e)
{
    bool cuda = o->kind == DEVICE_CUDA;
    struct device *d;

    if (open_cpu(o->threads, &d, e))
        return -1;
    d->activations = cuda ? o->activations : DTYPE_F32;
    d->attention = o->attention;
    if (cuda && cuda_load(d, o->index, e)) {
        if (!o->or_cpu || e->code != ERROR_USAGE) {
            device_close(d);
            return -1;
        }
        error_clear(e);
        d->activations = DTYPE_F32;
        cuda = false;
    }
    if (!cuda)
        ops_init_cpu(&d->ops);
    *out = d;
    return 0;
}

int device_open_beside(const struct device *d, enum dtype activations, struct device **out,
                       struct error *e)
{
    return device_open(&(struct device_options){.kind = d->kind,
                                                .threads = d->threads,
                                                .activations = activations,
                                                .attention = d->attention,
                                                .index = d->index},
                       out, e);
}

void device_close(struct device *d)
{
    if (!d)
        return;
    device_trim(d);
    if (d->close)
        d->close(d);
    pool_close(d->pool);
    free(d);
}

enum device_kind device_kind(const struct device *d)
{
    return d->kind;
}

int device_threads(const struct device *d)
{
    return d->threads;
}

enum dtype device_activations(const struct device *d)
{
    return d->activations;
}

struct arena device_arena(struct device *d)
{
    return (struct arena){.source = d ? d->source : NULL};
}

struct tensor activation_new(struct device *d, struct arena *a, int rank, const int64_t *shape)
{
    return tensor_new_of(a, d ? d->activations : DTYPE_F32, rank, shape);
}

struct tensor residual_new(struct device *d, struct arena *a, int rank, const int64_t *shape)
{
    enum dtype t = d ? d->activations : DTYPE_F32;
    return tensor_new_of(a, t == DTYPE_F16 ? DTYPE_F32 : t, rank, shape);
}

int device_status(struct device *d, struct error *e)
{
    if (d->wait)
        d->wait(d);
    if (!d->failed)
        return 0;
    *e = d->error;
    error_clear(&d->error);
    d->failed = false;
    return -1;
}

size_t device_memory_peak(const struct device *d)
{
    return d->memory_peak;
}

void device_trim(struct device *d)
{
    free(d->scratch);
    d->scratch = NULL;
    d->scratch_size = 0;
    if (d->trim)
        d->trim(d);
}

void device_fail(struct device *d, enum error_code code, const char *format, ...)
{
    char text[sizeof d->error.text];
    va_list args;

    if (d->failed)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    error_set(&d->error, code, "%s", text);
    d->failed = true;
}

void *device_scratch(struct device *d, size_t size)
{
    size = (size + 63) / 64 * 64;
    if (size <= d->scratch_size)
        return d->scratch;
    free(d->scratch);
    d->scratch = aligned_alloc(64, size);
    d->scratch_size = d->scratch ? size : 0;
    if (!d->scratch)
        device_fail(d, ERROR_MEMORY, "out of memory: %zu MiB of scratch", size >> 20);
    return d->scratch;
}

int64_t tensor_rows(const struct tensor *t)
{
    int64_t rows = 1;
    for (int i = 0; i + 1 < t->rank; i++)
        rows *= t->shape[i];
    return rows;
}

int64_t tensor_row_stride(const struct tensor *t)
{
    int64_t stride = 0, span = 1;
    for (int i = t->rank - 2; i >= 0; i--) {
        if (t->shape[i] == 1)
            continue;
        if (stride == 0)
            stride = t->stride[i];
        else if (t->stride[i] != stride * span)
            return -1;
        span *= t->shape[i];
    }
    return stride;
}
