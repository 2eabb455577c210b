/* The device itself: opened, its memory, its failures. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <new>

#include "kernels/cuda/cuda.cuh"

struct context *context_of(struct device *d)
{
    struct context *c = (struct context *)d->backend;
    cudaSetDevice(c->index); /* of this thread; a few nanoseconds when it already is */
    return c;
}

bool cuda_ok(struct context *c, cudaError_t status, const char *what)
{
    if (status == cudaSuccess)
        return true;
    cudaGetLastError(); /* told here: else the next launch would tell it again, after a mend */
    c->host.fail(c->device, status == cudaErrorMemoryAllocation ? ERROR_MEMORY : ERROR_INTERNAL,
                 "the GPU: %s: %s", what, cudaGetErrorString(status));
    return false;
}

bool blas_ok(struct context *c, cublasStatus_t status, const char *what)
{
    if (status == CUBLAS_STATUS_SUCCESS)
        return true;
    c->host.fail(c->device, status == CUBLAS_STATUS_ALLOC_FAILED ? ERROR_MEMORY : ERROR_INTERNAL,
                 "cuBLASLt: %s: %s", what, cublasLtGetStatusString(status));
    return false;
}

bool launched(struct context *c, const char *what)
{
    return cuda_ok(c, cudaGetLastError(), what);
}

bool is_recording(struct context *c)
{
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    return cudaStreamIsCapturing(c->stream, &status) != cudaSuccess ||
           status != cudaStreamCaptureStatusNone;
}

/* All memory of the GPU comes through here. */
void *memory_take(struct context *c, size_t size)
{
    void *bytes = NULL;

    if (!c->host.take(c->device, size))
        return NULL;
    if (cudaMalloc(&bytes, size) == cudaSuccess)
        return bytes;
    cudaGetLastError(); /* forget it: memory running out harms nothing else */
    c->host.give(c->device, size, true);
    return NULL;
}

void *memory_try(struct context *c, size_t size)
{
    struct memory_refusal before = c->device->refusal;
    void *bytes = memory_take(c, size);

    c->device->refusal = before;
    return bytes;
}

void memory_give(struct context *c, void *bytes, size_t size)
{
    if (!bytes)
        return;
    cuda_ok(c, cudaFree(bytes), "freeing memory");
    c->host.give(c->device, size, false);
}

/* Grows to `size`: waits for what still uses the old memory. */
void *scratch_take(struct context *c, enum scratch_purpose purpose, size_t size)
{
    void **bytes = &c->scratch[purpose];

    if (size <= c->scratch_size[purpose] && *bytes)
        return *bytes;
    size = (size + 0xfffff) & ~(size_t)0xfffff;
    if (c->device->recording) { /* was there when the operations were issued before, or should be */
        c->host.fail(c->device, ERROR_INTERNAL, "scratch memory cannot grow in a recording");
        return NULL;
    }
    c->device->memory_changes++;
    if (!cuda_ok(c, cudaStreamSynchronize(c->stream), "waiting for it"))
        return NULL;
    memory_give(c, *bytes, c->scratch_size[purpose]);
    *bytes = memory_take(c, size);
    c->scratch_size[purpose] = *bytes ? size : 0;
    if (!*bytes)
        c->host.fail(c->device, ERROR_MEMORY, "out of GPU memory: %zu MiB of scratch", size >> 20);
    return *bytes;
}

struct tensor device_tensor(void *data, int type, int rank, const int64_t *shape)
{
    struct tensor t = {};

    t.dtype = (enum dtype)type;
    t.device = DEVICE_CUDA;
    t.rank = rank;
    t.data = data;
    int64_t stride = 1;
    for (int i = rank - 1; i >= 0; i--) {
        t.shape[i] = shape[i];
        t.stride[i] = stride;
        stride *= shape[i];
    }
    return t;
}

/* ---- memory for arenas */

static void *source_get(struct arena_source *s, size_t size)
{
    struct context *c = (struct context *)s;

    cudaSetDevice(c->index);
    void *bytes = memory_take(c, size);
    if (bytes && !cuda_ok(c, cudaMemsetAsync(bytes, 0, size, c->stream), "clearing memory")) {
        memory_give(c, bytes, size);
        return NULL;
    }
    return bytes; /* NULL: whoever asked reports it */
}

static void source_put(struct arena_source *s, void *bytes, size_t size)
{
    struct context *c = (struct context *)s;

    cudaSetDevice(c->index);
    c->device->memory_changes++;
    cuda_ok(c, cudaStreamSynchronize(c->stream), "waiting for it");
    memory_give(c, bytes, size);
}

static void source_clear(struct arena_source *s, void *bytes, size_t size)
{
    struct context *c = (struct context *)s;

    cudaSetDevice(c->index);
    cuda_ok(c, cudaMemsetAsync(bytes, 0, size, c->stream), "clearing memory");
}

static void context_memory(struct device *d, size_t *free_bytes, size_t *total_bytes)
{
    context_of(d);
    if (cudaMemGetInfo(free_bytes, total_bytes) == cudaSuccess)
        return;
    cudaGetLastError(); /* a failure of the work shows where the work is waited for */
    *free_bytes = *total_bytes = 0;
}

/* ---- open, wait, trim, close */

static void context_wait(struct device *d)
{
    struct context *c = context_of(d);
    cuda_ok(c, cudaStreamSynchronize(c->stream), "working");
}

static void context_trim(struct device *d)
{
    struct context *c = context_of(d);

    d->memory_changes++;
    cuda_ok(c, cudaStreamSynchronize(c->stream), "working");
    readings_free(c);
    for (int i = 0; i < SCRATCHES; i++) {
        memory_give(c, c->scratch[i], c->scratch_size[i]);
        c->scratch[i] = NULL;
        c->scratch_size[i] = 0;
    }
}

static void context_free(struct context *c)
{
    cudaSetDevice(c->index);
    if (c->stream)
        cudaStreamSynchronize(c->stream);
    bulk_close(c);
    cudnn_close(c);
    gemm_close(c);
    c->host.tuning_close(c->tuning);
    for (int i = 0; i < SCRATCHES; i++)
        memory_give(c, c->scratch[i], c->scratch_size[i]);
    readings_free(c);
    for (int i = 0; i < STAGES; i++) {
        if (c->stage[i].bytes)
            cudaFreeHost(c->stage[i].bytes);
        if (c->stage[i].done)
            cudaEventDestroy(c->stage[i].done);
    }
    if (c->blas)
        cublasLtDestroy(c->blas);
    if (c->stream)
        cudaStreamDestroy(c->stream);
    delete c;
}

static void context_close(struct device *d)
{
    context_free((struct context *)d->backend);
    d->backend = NULL;
    d->source = NULL;
}

static void fill_slots(struct ops *ops)
{
    ops->linear_pack = cuda_linear_pack;
    ops->conv_pack = cuda_conv_pack;
    ops->write = cuda_write;
    ops->read = cuda_read;
    ops->read_begin = cuda_read_begin;
    ops->read_end = cuda_read_end;
    ops->linear = cuda_linear;
    ops->linear_gated = cuda_linear_gated;
    ops->linear_shifted = cuda_linear_shifted;
    ops->linear_glu = cuda_linear_glu;
    ops->attention = cuda_attention;
    ops->layer_norm = cuda_layer_norm;
    ops->rms_norm = cuda_rms_norm;
    ops->channel_norm = cuda_channel_norm;
    ops->group_norm = cuda_group_norm;
    ops->group_norm_shifted = cuda_group_norm_shifted;
    ops->group_statistics = cuda_group_statistics;
    ops->normalise = cuda_normalise;
    ops->rope = cuda_rope;
    ops->norm_rope = cuda_norm_rope;
    ops->embed = cuda_embed;
    ops->activation = cuda_activation;
    ops->glu = cuda_glu;
    ops->blend = cuda_blend;
    ops->add_gated = cuda_add_gated;
    ops->prelu = cuda_prelu;
    ops->modulate = cuda_modulate;
    ops->distance = cuda_distance;
    ops->copy = cuda_copy;
    ops->conv = cuda_conv;
    ops->conv_clips = cuda_conv_clips;
    ops->patchify = cuda_patchify;
    ops->unpatchify = cuda_unpatchify;
}

static int refuse(struct error *e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    e->code = ERROR_USAGE;
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    return -1;
}

static int attribute(enum cudaDeviceAttr name, int index)
{
    int value = 0;
    return cudaDeviceGetAttribute(&value, name, index) == cudaSuccess ? value : 0;
}

static void fill_facts(struct device_facts *f, const struct cudaDeviceProp *p, int index)
{
    snprintf(f->name, sizeof f->name, "%.95s", p->name);
    f->major = p->major;
    f->minor = p->minor;
    f->processors = p->multiProcessorCount;
    f->clock_khz = attribute(cudaDevAttrClockRate, index);
    f->memory_clock_khz = attribute(cudaDevAttrMemoryClockRate, index);
    f->memory_bits = p->memoryBusWidth;
    f->unified = p->integrated != 0;
    f->memory = p->totalGlobalMem;
    if (cudaDriverGetVersion(&f->driver) != cudaSuccess)
        f->driver = 0;
    if (cudaRuntimeGetVersion(&f->runtime) != cudaSuccess)
        f->runtime = 0;
    if (cudaDeviceGetPCIBusId(f->bus, sizeof f->bus, index) != cudaSuccess)
        f->bus[0] = '\0';
    cudaGetLastError(); /* what is not told is no failure */
}

/* A GPU of this index that this object has code for. */
static int find_gpu(int index, struct device_facts *facts, struct error *e)
{
    struct cudaDeviceProp properties;
    int count = 0;
    cudaError_t status = cudaGetDeviceCount(&count);

    if (status != cudaSuccess)
        return refuse(e, "no GPU can be used: %s", cudaGetErrorString(status));
    if (index < 0 || index >= count)
        return refuse(e, "there is no GPU %d: this machine has %d", index, count);
    status = cudaGetDeviceProperties(&properties, index);
    if (status != cudaSuccess)
        return refuse(e, "GPU %d: %s", index, cudaGetErrorString(status));
    if (properties.major < 8)
        return refuse(e, "GPU %d (%s) is too old: sm_80 (Ampere) or newer is needed", index,
                      properties.name);
    fill_facts(facts, &properties, index);
    facts->gpus = count;
    return 0;
}

/* What is the fastest depends on the GPU and on who offers it. */
static struct tuning *open_tuning(struct context *c)
{
    const struct device_facts *f = &c->device->facts;
    char identity[160];

    snprintf(identity, sizeof identity, "%s sm_%d%d %d processors cuBLASLt %zu cuDNN %d", f->name,
             f->major, f->minor, f->processors, cublasLtGetVersion(), f->cudnn);
    return c->host.tuning_open(identity);
}

void search_note(struct context *c)
{
    const char *path = c->host.tuning_path(c->tuning);

    c->host.note(c->device, NOTE_SEARCH, NOTE_ACTIVE, "Algorithm Search Activated (kept in %s).",
                 *path ? path : "memory");
}

extern "C" __attribute__((visibility("default"))) int
auteur_cuda_open(const struct cuda_host *host, struct device *d, int index, struct error *e)
{
    if (host->interface != CUDA_INTERFACE || host->device_size != sizeof(struct device) ||
        host->ops_size != sizeof(struct ops) || host->tensor_size != sizeof(struct tensor))
        return refuse(e, "it was built with another version of auteur-pipe; run `make cuda` again");
    if (find_gpu(index, &d->facts, e))
        return -1;

    struct context *c = new (std::nothrow) context();
    if (!c)
        return refuse(e, "out of memory");
    c->source.get = source_get;
    c->source.put = source_put;
    c->source.clear = source_clear;
    c->source.block_size = (size_t)32 << 20;
    c->host = *host;
    c->device = d;
    c->index = index;
    cudaError_t status = cudaSetDevice(index);
    if (status == cudaSuccess)
        status = cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking);
    for (int i = 0; status == cudaSuccess && i < STAGES; i++)
        status = cudaEventCreateWithFlags(&c->stage[i].done, cudaEventDisableTiming);
    if (status != cudaSuccess) {
        refuse(e, "GPU %d cannot be used: %s", index, cudaGetErrorString(status));
        context_free(c);
        return -1;
    }
    cublasStatus_t blas = cublasLtCreate(&c->blas);
    if (blas != CUBLAS_STATUS_SUCCESS) {
        refuse(e, "cuBLASLt cannot be used: %s", cublasLtGetStatusString(blas));
        context_free(c);
        return -1;
    }
    host->note(d, NOTE_DEVICE, NOTE_ACTIVE, "%s Activated (sm_%d%d, %.0f GB%s).", d->facts.name,
               d->facts.major, d->facts.minor, (double)d->facts.memory / 1e9,
               d->facts.unified ? " unified with the host's" : "");
    cudnn_open(c);
    c->tuning = open_tuning(c);
    d->has_f8 = f8_open(c);
    d->kind = DEVICE_CUDA;
    d->source = &c->source;
    d->backend = c;
    d->memory = context_memory;
    d->mover = &cuda_mover;
    d->wait = context_wait;
    d->trim = context_trim;
    d->probe = cuda_probe;
    d->close = context_close;
    /* AUTEUR_GRAPHS=0: without, to compare. */
    const char *graphs = getenv("AUTEUR_GRAPHS");
    if (!graphs || graphs[0] != '0')
        d->recorder = &cuda_recorder;
    else
        host->note(d, NOTE_GRAPH, NOTE_OFF, "AUTEUR_GRAPHS=0");
    fill_slots(&d->ops);
    linear_glu_open(c);
    return 0;
}
