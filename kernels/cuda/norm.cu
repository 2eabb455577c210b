/* Norms over the last axis: a row belongs to 2..32 lanes of a warp, or to a whole block
 * where it is long. A row is read once where it fits the registers. */
#include "kernels/cuda/numbers.cuh"

enum norm { NORM_LAYER, NORM_RMS, NORM_CHANNEL };
enum { THREADS = 128 };
/* HELD: the chunks of a row that a thread keeps in registers, 1, 4 or 8; FAST: see is_fast() */

struct norm_job {
    struct domain shape;
    struct operand out, x;
    struct vector weight, bias;
    float eps;
    int act, lanes;
    bool aligned, vectors_aligned;
};

/* The sum over all threads of the row; the same in each. */
static __device__ float row_sum(float v, int lanes, float *shared)
{
    v = lanes_sum(v, lanes < 32 ? lanes : 32);
    if (lanes <= 32)
        return v;
    __syncthreads();
    if (threadIdx.x % 32 == 0)
        shared[threadIdx.x / 32] = v;
    __syncthreads();
    v = 0;
    for (int i = 0; i < THREADS / 32; i++)
        v += shared[i];
    return v;
}

/* One thread's share of a row: chunks first, first + lanes, ... */
template <int HELD> struct share {
    float held[HELD][CHUNK];
    int64_t from; /* of the row, in x */
    int first, lanes, chunks;
};

template <bool FAST>
static __device__ __forceinline__ int chunk_width(const struct norm_job &j, int chunk)
{
    if (FAST)
        return CHUNK;
    int64_t left = j.shape.columns - (int64_t)chunk * CHUNK;
    return left < CHUNK ? (int)left : CHUNK;
}

/* Calls f(v, column, width) for each chunk, with its numbers. */
template <bool FAST, int HELD, typename F>
static __device__ __forceinline__ void each_chunk(const struct norm_job &j, struct share<HELD> &s,
                                                  F f)
{
#pragma unroll
    for (int i = 0; i < HELD; i++) {
        int chunk = s.first + i * s.lanes;
        if (chunk < s.chunks)
            f(s.held[i], chunk, chunk_width<FAST>(j, chunk));
    }
    for (int chunk = s.first + HELD * s.lanes; chunk < s.chunks; chunk += s.lanes) {
        float v[CHUNK];
        int n = chunk_width<FAST>(j, chunk);
        load_chunk(j.x.data, j.x.type, s.from + (int64_t)chunk * CHUNK, n, FAST || j.aligned, v);
        f(v, chunk, n);
    }
}

template <int NORM, bool FAST>
static __device__ __forceinline__ void finish(const struct norm_job &j, float *v, int chunk, int n,
                                              int64_t row, int64_t to, float mean, float scale)
{
    int64_t column = (int64_t)chunk * CHUNK;
    float w[CHUNK], b[CHUNK] = {};

#pragma unroll
    for (int k = 0; k < CHUNK; k++)
        w[k] = 1.0f;
    if (j.weight.data)
        load_chunk(j.weight.data, DTYPE_F32, vector_row(j.weight, row) * j.shape.columns + column,
                   n, FAST || j.vectors_aligned, w);
    if (NORM == NORM_LAYER && j.bias.data)
        load_chunk(j.bias.data, DTYPE_F32, vector_row(j.bias, row) * j.shape.columns + column, n,
                   FAST || j.vectors_aligned, b);
#pragma unroll
    for (int k = 0; k < CHUNK; k++) {
        w[k] = (v[k] - mean) * scale * w[k] + b[k];
        if (NORM == NORM_CHANNEL)
            w[k] = activate(j.act, w[k]);
    }
    store_chunk(j.out.data, j.out.type, to + column, n, FAST || j.aligned, w);
}

/* What is taken from every number and what it is multiplied with. */
template <int NORM, bool FAST, int HELD>
static __device__ __forceinline__ void statistics(const struct norm_job &j, struct share<HELD> &s,
                                                  float *shared, float *mean, float *scale)
{
    float columns = (float)j.shape.columns, sum = 0, squares = 0;

    *mean = 0;
    if (NORM == NORM_LAYER) {
        each_chunk<FAST>(j, s, [&](float *v, int, int) { /* zeros beyond n add nothing */
                                                         for (int k = 0; k < CHUNK; k++)
                                                             sum += v[k];
        });
        *mean = row_sum(sum, s.lanes, shared) / columns;
    }
    each_chunk<FAST>(j, s, [&](float *v, int, int n) {
        for (int k = 0; k < CHUNK; k++)
            if (k < n)
                squares += (v[k] - *mean) * (v[k] - *mean);
    });
    squares = row_sum(squares, s.lanes, shared);
    *scale = NORM == NORM_CHANNEL ? sqrtf(columns) / fmaxf(sqrtf(squares), 1e-12f)
                                  : 1.0f / sqrtf(squares / columns + j.eps);
}

template <int NORM, int HELD, bool FAST>
static __global__ void __launch_bounds__(THREADS) norm_kernel(const struct norm_job j)
{
    __shared__ float shared[THREADS / 32];
    int rows_at_once = THREADS / j.lanes;
    struct share<HELD> s;

    s.first = (int)threadIdx.x % j.lanes;
    s.lanes = j.lanes;
    s.chunks = (int)((j.shape.columns + CHUNK - 1) / CHUNK);
    for (int64_t base = (int64_t)blockIdx.x * rows_at_once; base < j.shape.rows;
         base += (int64_t)gridDim.x * rows_at_once) {
        int64_t row = base + threadIdx.x / j.lanes;
        bool real = row < j.shape.rows; /* every lane of a warp takes part in its sums */
        float mean, scale;
        if (!real)
            row = j.shape.rows - 1;
        s.from = row_offset(j.shape, j.x, row);
#pragma unroll
        for (int i = 0; i < HELD; i++) {
            int chunk = s.first + i * s.lanes;
            if (chunk < s.chunks)
                load_chunk(j.x.data, j.x.type, s.from + (int64_t)chunk * CHUNK,
                           chunk_width<FAST>(j, chunk), FAST || j.aligned, s.held[i]);
        }
        statistics<NORM, FAST>(j, s, shared, &mean, &scale);
        int64_t to = row_offset(j.shape, j.out, row);
        each_chunk<FAST>(j, s, [&](float *v, int chunk, int n) {
            if (real)
                finish<NORM, FAST>(j, v, chunk, n, row, to, mean, scale);
        });
    }
}

template <int NORM>
static void launch_norm(cudaStream_t stream, const struct norm_job *j, int64_t chunks)
{
    int64_t per_block = THREADS / j->lanes, each = (chunks + j->lanes - 1) / j->lanes;
    unsigned blocks = blocks_for((j->shape.rows + per_block - 1) / per_block, 1);
    bool fast = is_fast(j->aligned && j->vectors_aligned, &j->shape, chunks);

    if (!fast)
        norm_kernel<NORM, 4, false><<<blocks, THREADS, 0, stream>>>(*j);
    else if (each <= 1)
        norm_kernel<NORM, 1, true><<<blocks, THREADS, 0, stream>>>(*j);
    else if (each <= 4)
        norm_kernel<NORM, 4, true><<<blocks, THREADS, 0, stream>>>(*j);
    else
        norm_kernel<NORM, 8, true><<<blocks, THREADS, 0, stream>>>(*j);
}

static void run_norm(struct device *d, enum norm norm, struct norm_job *j, const struct tensor *out,
                     const struct tensor *x)
{
    struct context *c = context_of(d);
    const struct tensor *t[2] = {out, x};
    struct operand o[2];

    j->aligned = domain_of(&j->shape, o, t, 2, false);
    j->out = o[0];
    j->x = o[1];
    if (j->shape.rows == 0 || j->shape.columns == 0)
        return;
    j->vectors_aligned = j->shape.columns % 4 == 0 && ((uintptr_t)j->weight.data & 15) == 0 &&
                         ((uintptr_t)j->bias.data & 15) == 0;
    int64_t chunks = (j->shape.columns + CHUNK - 1) / CHUNK;
    for (j->lanes = 1; j->lanes < 32 && j->lanes < chunks; j->lanes *= 2)
        ;
    if (chunks > 32 * 4)
        j->lanes = THREADS;
    switch (norm) {
    case NORM_LAYER:
        launch_norm<NORM_LAYER>(c->stream, j, chunks);
        break;
    case NORM_RMS:
        launch_norm<NORM_RMS>(c->stream, j, chunks);
        break;
    case NORM_CHANNEL:
        launch_norm<NORM_CHANNEL>(c->stream, j, chunks);
        break;
    }
    launched(c, "a norm");
}

void cuda_layer_norm(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct tensor *weight, const struct tensor *bias, float eps)
{
    struct norm_job j = {};
    if (rows_norm(context_of(d), true, out, x, weight, bias, eps))
        return;
    j.weight = vector_of(weight, x);
    j.bias = vector_of(bias, x);
    j.eps = eps;
    run_norm(d, NORM_LAYER, &j, out, x);
}

void cuda_rms_norm(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct tensor *weight, float eps)
{
    struct norm_job j = {};
    if (rows_norm(context_of(d), false, out, x, weight, NULL, eps))
        return;
    j.weight = vector_of(weight, x);
    j.eps = eps;
    run_norm(d, NORM_RMS, &j, out, x);
}

void cuda_channel_norm(struct device *d, struct tensor *out, const struct tensor *x,
                       const struct tensor *gamma, enum activation act)
{
    if (channel_norm_halves(context_of(d), out, x, gamma, act))
        return;
    struct norm_job j = {};
    j.weight = vector_of(gamma, x);
    j.act = act;
    run_norm(d, NORM_CHANNEL, &j, out, x);
}
