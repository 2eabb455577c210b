/* What goes to the device and comes from it, through pinned memory: weights, tables, inputs,
 * results. */
#include <string.h>

#include "kernels/cuda/cuda.cuh"

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
    bool done;

    if (!bulk_upload(c, to, from, size, &done) || done)
        return !c->device->failed;
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
    int64_t count = count_of(from), piece = (int64_t)RAW_SIZE / 4;

    if ((int)from->dtype == type)
        return upload(c, to, from->data, (size_t)count * size_of(type));
    void *raw = scratch_take(c, SCRATCH_TRANSFER, RAW_SIZE);
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
