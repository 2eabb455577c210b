/* The device itself: opened, its memory, what goes in and out, its failures. */
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

/* Grows to `size`: waits for what still uses the old memory. */
void *scratch_take(struct context *c, enum scratch_purpose purpose, size_t size)
{
    void **bytes = &c->scratch[purpose];

    if (size <= c->scratch_size[purpose] && *bytes)
        return *bytes;
    size = (size + 0xfffff) & ~(size_t)0xfffff;
    if (!cuda_ok(c, cudaStreamSynchronize(c->stream), "waiting for it"))
        return NULL;
    cudaFree(*bytes);
    *bytes = NULL;
    c->scratch_size[purpose] = 0;
    cudaError_t status = cudaMalloc(bytes, size);
    if (status != cudaSuccess) {
        *bytes = NULL;
        cudaGetLastError(); /* forget it: memory running out harms nothing else */
        c->host.fail(c->device, ERROR_MEMORY, "out of GPU memory: %zu MiB of scratch", size >> 20);
        return NULL;
    }
    c->scratch_size[purpose] = size;
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
    void *bytes = NULL;

    cudaSetDevice(c->index);
    if (cudaMalloc(&bytes, size) != cudaSuccess) {
        cudaGetLastError();
        return NULL; /* whoever asked reports it */
    }
    if (!cuda_ok(c, cudaMemsetAsync(bytes, 0, size, c->stream), "clearing memory")) {
        cudaFree(bytes);
        return NULL;
    }
    return bytes;
}

static void source_put(struct arena_source *s, void *bytes)
{
    struct context *c = (struct context *)s;

    cudaSetDevice(c->index);
    cuda_ok(c, cudaStreamSynchronize(c->stream), "waiting for it");
    cuda_ok(c, cudaFree(bytes), "freeing memory");
}

/* ---- pinned memory */

/* A part of the stage of at most `wanted` bytes; *got says how many. Waits only when every stage is
 * still on its way. */
static struct stage *stage_take(struct context *c, size_t wanted, char **bytes, size_t *got)
{
    struct stage *s = &c->stage[c->stage_now];

    if (wanted > STAGE_SIZE)
        wanted = STAGE_SIZE;
    if (s->used + wanted > STAGE_SIZE) {
        c->stage_now = (c->stage_now + 1) % STAGES;
        s = &c->stage[c->stage_now];
        s->used = 0;
        if (s->bytes && !cuda_ok(c, cudaEventSynchronize(s->done), "waiting for a transfer"))
            return NULL;
    }
    if (!s->bytes) {
        if (!cuda_ok(c, cudaMallocHost((void **)&s->bytes, STAGE_SIZE), "pinned memory"))
            return NULL;
    }
    *bytes = s->bytes + s->used;
    *got = wanted;
    s->used += (wanted + 255) & ~(size_t)255;
    return s;
}

struct move {
    char *to;
    const char *from;
    size_t size;
};
enum { MOVE_PIECE = 1 << 18 };

static void move_part(const void *job, int64_t from, int64_t to, int thread)
{
    const struct move *m = (const struct move *)job;
    (void)thread;
    size_t start = (size_t)from * MOVE_PIECE, end = (size_t)to * MOVE_PIECE;
    if (end > m->size)
        end = m->size;
    memcpy(m->to + start, m->from + start, end - start);
}

/* By all threads: reading a mapped file is waiting for its pages. */
static void move_bytes(struct context *c, char *to, const char *from, size_t size)
{
    struct move m = {to, from, size};
    int64_t pieces = (int64_t)((size + MOVE_PIECE - 1) / MOVE_PIECE);

    if (pieces > 1)
        c->host.pool_run(c->device->pool, pieces, 1, move_part, &m);
    else
        memcpy(to, from, size);
}

bool upload(struct context *c, void *to, const void *from, size_t size)
{
    for (size_t at = 0; at < size;) {
        char *bytes;
        size_t n;
        struct stage *s = stage_take(c, size - at, &bytes, &n);
        if (!s)
            return false;
        move_bytes(c, bytes, (const char *)from + at, n);
        if (!cuda_ok(c,
                     cudaMemcpyAsync((char *)to + at, bytes, n, cudaMemcpyHostToDevice, c->stream),
                     "copying to it") ||
            !cuda_ok(c, cudaEventRecord(s->done, c->stream), "copying to it"))
            return false;
        at += n;
    }
    return true;
}

static int64_t count_of(const struct tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= t->shape[i];
    return n;
}

bool upload_as(struct context *c, void *to, int type, const struct tensor *from)
{
    int64_t count = count_of(from), piece = (int64_t)STAGE_SIZE / 4;

    if ((int)from->dtype == type)
        return upload(c, to, from->data, (size_t)count * size_of(type));
    void *raw = scratch_take(c, SCRATCH_TRANSFER, STAGE_SIZE);
    if (!raw)
        return false;
    for (int64_t at = 0; at < count; at += piece) {
        int64_t n = count - at < piece ? count - at : piece;
        struct tensor source = device_tensor(raw, from->dtype, 1, &n);
        struct tensor target = device_tensor((char *)to + (size_t)at * size_of(type), type, 1, &n);
        if (!upload(c, raw, (const char *)from->data + (size_t)at * size_of(from->dtype),
                    (size_t)n * size_of(from->dtype)))
            return false;
        copy_any(c, &target, &source);
    }
    return !c->device->failed;
}

static bool contiguous(const struct tensor *t)
{
    int64_t stride = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (t->shape[i] != 1 && t->stride[i] != stride)
            return false;
        stride *= t->shape[i];
    }
    return true;
}

void cuda_write(struct device *d, struct tensor *out, const struct tensor *host)
{
    struct context *c = context_of(d);
    size_t size = (size_t)count_of(host) * sizeof(float);

    if (size == 0)
        return;
    if (out->dtype == DTYPE_F32 && contiguous(out)) {
        upload(c, out->data, host->data, size);
        return;
    }
    void *raw = scratch_take(c, SCRATCH_TRANSFER, size);
    if (!raw || !upload(c, raw, host->data, size))
        return;
    struct tensor source = device_tensor(raw, DTYPE_F32, host->rank, host->shape);
    copy_any(c, out, &source);
}

/* Device bytes to the host through pinned memory, waiting for each piece while the next is on its
 * way. */
static void download(struct context *c, char *to, const char *from, size_t size)
{
    char *held = NULL;
    size_t held_at = 0, held_size = 0;
    struct stage *held_stage = NULL;

    for (size_t at = 0; at < size || held;) {
        char *bytes = NULL;
        size_t n = 0;
        struct stage *s = NULL;
        if (at < size) {
            s = stage_take(c, size - at, &bytes, &n);
            if (!s ||
                !cuda_ok(c, cudaMemcpyAsync(bytes, from + at, n, cudaMemcpyDeviceToHost, c->stream),
                         "copying from it") ||
                !cuda_ok(c, cudaEventRecord(s->done, c->stream), "copying from it"))
                return;
        }
        if (held) {
            if (!cuda_ok(c, cudaEventSynchronize(held_stage->done), "working"))
                return;
            move_bytes(c, to + held_at, held, held_size);
        }
        held = bytes;
        held_stage = s;
        held_at = at;
        held_size = n;
        at += n;
    }
}

void cuda_read(struct device *d, struct tensor *host, const struct tensor *x)
{
    struct context *c = context_of(d);
    size_t size = (size_t)count_of(host) * sizeof(float);
    void *raw = x->data;

    if (size == 0)
        return;
    if (x->dtype != DTYPE_F32 || !contiguous(x)) {
        raw = scratch_take(c, SCRATCH_TRANSFER, size);
        if (!raw)
            return;
        struct tensor target = device_tensor(raw, DTYPE_F32, x->rank, x->shape);
        copy_any(c, &target, x);
    }
    download(c, (char *)host->data, (const char *)raw, size);
}

/* Rows of a table in host memory: gathered there, converted here. */
void cuda_embed(struct device *d, struct tensor *out, const struct tensor *table,
                const struct tensor *ids)
{
    struct context *c = context_of(d);
    const int32_t *id = (const int32_t *)ids->data;
    int64_t n = ids->shape[0], columns = table->shape[1];
    size_t row = (size_t)columns * size_of(table->dtype);

    if (n == 0)
        return;
    char *raw = (char *)scratch_take(c, SCRATCH_TRANSFER, (size_t)n * row);
    int64_t at_once = (int64_t)(STAGE_SIZE / row);
    if (!raw)
        return;
    for (int64_t i = 0; i < n; i += at_once) {
        int64_t rows = n - i < at_once ? n - i : at_once;
        char *bytes;
        size_t got;
        struct stage *s = stage_take(c, (size_t)rows * row, &bytes, &got);
        if (!s)
            return;
        for (int64_t k = 0; k < rows; k++)
            memcpy(bytes + (size_t)k * row, (const char *)table->data + (size_t)id[i + k] * row,
                   row);
        if (!cuda_ok(c,
                     cudaMemcpyAsync(raw + (size_t)i * row, bytes, got, cudaMemcpyHostToDevice,
                                     c->stream),
                     "copying to it") ||
            !cuda_ok(c, cudaEventRecord(s->done, c->stream), "copying to it"))
            return;
    }
    int64_t shape[2] = {n, columns};
    struct tensor source = device_tensor(raw, table->dtype, 2, shape);
    copy_any(c, out, &source);
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

    cuda_ok(c, cudaStreamSynchronize(c->stream), "working");
    for (int i = 0; i < SCRATCHES; i++) {
        cudaFree(c->scratch[i]);
        c->scratch[i] = NULL;
        c->scratch_size[i] = 0;
    }
}

static void context_free(struct context *c)
{
    cudaSetDevice(c->index);
    if (c->stream)
        cudaStreamSynchronize(c->stream);
    cudnn_close(c);
    gemm_close(c);
    for (int i = 0; i < SCRATCHES; i++)
        cudaFree(c->scratch[i]);
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
    ops->linear = cuda_linear;
    ops->attention = cuda_attention;
    ops->layer_norm = cuda_layer_norm;
    ops->rms_norm = cuda_rms_norm;
    ops->channel_norm = cuda_channel_norm;
    ops->group_norm = cuda_group_norm;
    ops->softmax = cuda_softmax;
    ops->rope = cuda_rope;
    ops->embed = cuda_embed;
    ops->activation = cuda_activation;
    ops->mul = cuda_mul;
    ops->glu = cuda_glu;
    ops->blend = cuda_blend;
    ops->add_gated = cuda_add_gated;
    ops->modulate = cuda_modulate;
    ops->copy = cuda_copy;
    ops->conv = cuda_conv;
    ops->modulate_nearest = cuda_modulate_nearest;
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

/* A GPU of this index that this object has code for. */
static int find_gpu(int index, struct error *e)
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
    return 0;
}

extern "C" __attribute__((visibility("default"))) int
auteur_cuda_open(const struct cuda_host *host, struct device *d, int index, struct error *e)
{
    if (host->interface != CUDA_INTERFACE || host->device_size != sizeof(struct device) ||
        host->ops_size != sizeof(struct ops) || host->tensor_size != sizeof(struct tensor))
        return refuse(e, "it was built with another version of auteur-pipe; run `make cuda` again");
    if (find_gpu(index, e))
        return -1;

    struct context *c = new (std::nothrow) context();
    if (!c)
        return refuse(e, "out of memory");
    c->source.get = source_get;
    c->source.put = source_put;
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
    cudnn_open(c);
    d->kind = DEVICE_CUDA;
    d->source = &c->source;
    d->backend = c;
    d->wait = context_wait;
    d->trim = context_trim;
    d->close = context_close;
    fill_slots(&d->ops);
    return 0;
}
