#include "kernels/cuda/entry.h"
#include "kernels/dry/impl.h"

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

static int open_plain(int threads, struct note_listener notes, struct device **out, struct error *e)
{
    struct device *d = calloc(1, sizeof *d);
    if (!d)
        return error_memory(e);
    d->kind = DEVICE_CPU;
    d->has_f8 = true;
    d->threads = threads > 0 ? threads : cores();
    d->notebook = notebook_new(notes);
    if (!d->notebook)
        error_memory(e);
    if (!d->notebook || pool_open(d->threads, &d->pool, e)) {
        device_close(d);
        return -1;
    }
    snprintf(d->facts.name, sizeof d->facts.name, "reference");
    ops_init_reference(&d->ops);
    *out = d;
    return 0;
}

int device_open_reference(int threads, struct device **out, struct error *e)
{
    return open_plain(threads, (struct note_listener){0}, out, e);
}

static int become_cpu(struct device *d, struct error *e)
{
    if (d->faults && !(d->source = device_host_source(d)))
        return error_memory(e);
    d->products_f16 = d->activations != DTYPE_F32;
    d->activations = DTYPE_F32;
    ops_init_cpu(&d->ops);
    snprintf(d->facts.name, sizeof d->facts.name, "%s", cpu_instruction_set());
    device_note(d, NOTE_DEVICE, "%s Kernels Activated (%d %s).", d->facts.name, d->threads,
                d->threads == 1 ? "thread" : "threads");
    return 0;
}

int device_open(const struct device_options *o, struct device **out, struct error *e)
{
    struct device *d;

    if (open_plain(o->threads, o->notes, &d, e))
        return -1;
    d->index = o->index;
    d->memory_mode = o->memory;
    d->faults = o->faults;
    d->dry = o->dry;
    d->linears = o->linears;
    d->attention = o->attention;
    d->patience = o->patience;
    d->activations = o->activations;
    *out = d;
    if (o->dry) {
        if (dry_open(d, e) == 0)
            return 0;
    } else if (o->kind != DEVICE_CUDA) {
        if (become_cpu(d, e) == 0)
            return 0;
    } else if (cuda_load(d, o->index, e) == 0) {
        return 0;
    }
    if (o->or_cpu && e->code == ERROR_USAGE) {
        device_note_missing(d, NOTE_GPU, "%s", e->text);
        error_clear(e);
        if (become_cpu(d, e) == 0)
            return 0;
    }
    *out = NULL;
    device_close(d);
    return -1;
}

int device_open_beside(const struct device *d, enum dtype activations, struct device **out,
                       struct error *e)
{
    return device_open(&(struct device_options){.kind = d->kind,
                                                .threads = d->threads,
                                                .activations = activations,
                                                .attention = d->attention,
                                                .patience = d->patience,
                                                .index = d->index,
                                                .memory = d->memory_mode,
                                                .faults = d->faults,
                                                .dry = d->dry,
                                                .notes = notebook_listener(d->notebook)},
                       out, e);
}

void device_close(struct device *d)
{
    if (!d)
        return;
    device_trim(d);
    if (d->close)
        d->close(d);
    else
        free(d->source);
    pool_close(d->pool);
    notebook_free(d->notebook);
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

const struct device_facts *device_facts(const struct device *d)
{
    return &d->facts;
}

enum dtype device_activations(const struct device *d)
{
    return d->activations;
}

bool device_has_f16(const struct device *d)
{
    return d->products_f16 && d->ops.attention_f16;
}

enum dtype device_linears(const struct device *d)
{
    return d->has_f8 && d->linears == DTYPE_F8_E4M3 ? DTYPE_F8_E4M3 : d->activations;
}

struct arena device_arena(struct device *d)
{
    return (struct arena){.source = d ? d->source : NULL};
}

struct tensor activation_new(struct device *d, struct arena *a, int rank, const int64_t *shape)
{
    struct tensor t = tensor_new_of(a, d ? d->activations : DTYPE_F32, rank, shape);
    struct tensor scale;

    if (!d || device_linears(d) != DTYPE_F8_E4M3 || rank < 2 || !t.data)
        return t;
    scale = tensor_new(a, rank - 1, shape);
    t.scale = scale.data;
    if (!scale.data)
        t.data = NULL;
    return t;
}

struct tensor activation_as_input(const struct linear *w, struct tensor buffer)
{
    int64_t size = (int64_t)dtype_size(buffer.dtype);
    int last = buffer.rank - 1;

    if (w->dtype != DTYPE_F8_E4M3 || !buffer.scale || buffer.dtype == DTYPE_F8_E4M3 ||
        buffer.stride[last] != 1 || buffer.stride[last - 1] * size % 16 ||
        (uintptr_t)buffer.data % 16)
        return buffer;
    buffer.dtype = DTYPE_F8_E4M3;
    for (int i = 0; i + 1 < buffer.rank; i++)
        buffer.stride[i] *= size;
    return buffer;
}

struct tensor residual_new(struct device *d, struct arena *a, int rank, const int64_t *shape)
{
    enum dtype t = d ? d->activations : DTYPE_F32;
    return tensor_new_of(a, t == DTYPE_F16 ? DTYPE_F32 : t, rank, shape);
}

int device_status(struct device *d, struct error *e)
{
    if (d->recording)
        device_fail(d, ERROR_INTERNAL, "device_status() while operations are recorded");
    else if (d->wait)
        d->wait(d);
    if (!d->failed)
        return 0;
    *e = d->error;
    error_clear(&d->error);
    d->failed = false;
    return -1;
}

static void drop_scratch(struct device *d)
{
    free(d->scratch);
    if (d->scratch)
        device_give(d, d->scratch_size, false);
    d->scratch = NULL;
    d->scratch_size = 0;
    for (int i = 0; i < READ_SLOTS; i++) {
        arena_free(&d->reads[i]);
        d->read[i] = NULL;
    }
    for (int i = 0; i < 2; i++) {
        free(d->plain[i].data);
        d->plain[i].data = NULL;
        d->plain_size[i] = 0;
    }
}

void device_trim(struct device *d)
{
    drop_scratch(d);
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
    drop_scratch(d);
    if (device_take(d, size)) {
        d->scratch = aligned_alloc(64, size);
        d->scratch_size = size;
        if (!d->scratch)
            device_give(d, size, true);
    }
    if (!d->scratch) {
        d->scratch_size = 0;
        device_fail(d, ERROR_MEMORY, "out of memory: %zu MiB of scratch", size >> 20);
    }
    return d->scratch;
}

struct tensor *device_plain(struct device *d, int which, int rank, const int64_t *shape)
{
    struct tensor *t = &d->plain[which];
    struct tensor fresh = tensor_f32(t->data, rank, shape);
    size_t size = (size_t)tensor_count(&fresh) * sizeof(float);

    *t = fresh;
    if (size <= d->plain_size[which] && t->data)
        return t;
    free(t->data);
    t->data = malloc(size ? size : 1);
    d->plain_size[which] = t->data ? size : 0;
    if (!t->data)
        device_fail(d, ERROR_MEMORY, "out of memory: %zu MiB of scratch", size >> 20);
    return t;
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
