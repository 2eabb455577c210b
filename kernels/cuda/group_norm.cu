/* Group norm in two passes over x. Sums are taken around the first pixel's number of each channel,
 * so that a large mean costs no digits; partial sums meet in double, always in the same order. */
#include "kernels/cuda/halves.cuh"

enum { THREADS = 256, COLUMN_CHUNKS = 128, SLABS = 1024 };
enum { AT_ONCE = 4 }; /* pixels that a thread has on their way together */

struct group_job {
    void *out;
    const void *x;
    int out_type, x_type, act;
    int64_t items, pixels, channels; /* pixels of an item */
    int64_t item, frames, frame; /* x: from item to item; frames of an item, from one to the next */
    int groups, slabs;           /* slabs: of all frames of an item */
    float eps;
    const float *weight, *bias;
    const float *shift; /* added to x first, [channels] for each run of items; NULL: none */
    int64_t run;        /* items of one */
    float gain;         /* of what is written */
    float *sums;        /* [items][slabs][2][channels]: of (x - first), of its square */
    float *affine;      /* [items][3][channels]: mean, scale, shift */
    bool aligned;
};

/* Which chunk of channels a thread has, and its first pixel of those between. */
struct lane {
    int64_t column;
    int n, first, step; /* pixels first, first + step, ... of a slab */
};

static __device__ bool lane_of(const struct group_job &j, struct lane *l)
{
    int64_t chunks = (j.channels + CHUNK - 1) / CHUNK;
    int64_t begin = (int64_t)blockIdx.y * COLUMN_CHUNKS;
    int width = (int)(chunks - begin < COLUMN_CHUNKS ? chunks - begin : COLUMN_CHUNKS);

    l->step = THREADS / width;
    l->first = (int)threadIdx.x / width;
    l->column = (begin + threadIdx.x % width) * CHUNK;
    l->n = (int)(j.channels - l->column < CHUNK ? j.channels - l->column : CHUNK);
    return l->first < l->step;
}

static __device__ __forceinline__ void add(const float *v, const float *zero, float *sum,
                                           float *squares)
{
#pragma unroll
    for (int k = 0; k < CHUNK; k++) {
        float away = v[k] - zero[k];
        sum[k] += away;
        squares[k] += away * away;
    }
}

/* A thread's pixels of a slab: halves, aligned. */
template <typename T>
static __device__ __forceinline__ void add_halves(const uint4 *x, int64_t pixels, int64_t step,
                                                  const float *zero, float *sum, float *squares)
{
    for (; pixels >= AT_ONCE; pixels -= AT_ONCE, x += AT_ONCE * step) {
        uint4 raw[AT_ONCE];
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++)
            raw[i] = x[i * step];
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) {
            float v[CHUNK];
            unpack(raw[i], v, (const T *)NULL);
            add(v, zero, sum, squares);
        }
    }
    for (; pixels > 0; pixels--, x += step) {
        float v[CHUNK];
        unpack(*x, v, (const T *)NULL);
        add(v, zero, sum, squares);
    }
}

static __global__ void __launch_bounds__(THREADS) sums_kernel(const struct group_job j)
{
    __shared__ float shared[2][COLUMN_CHUNKS * CHUNK];
    struct lane l;
    bool busy = lane_of(j, &l);
    int64_t item = blockIdx.z, slabs = j.slabs / j.frames, pixels = j.pixels / j.frames;
    int64_t frame = blockIdx.x / slabs, per_slab = (pixels + slabs - 1) / slabs;
    int64_t from = per_slab * (blockIdx.x - frame * slabs);
    int64_t to = from + per_slab < pixels ? from + per_slab : pixels;
    int64_t base = item * j.item + frame * j.frame + l.column;
    float zero[CHUNK], sum[CHUNK] = {}, squares[CHUNK] = {};

    if (busy) {
        load_chunk(j.x, j.x_type, item * j.item + l.column, l.n, j.aligned, zero);
        int64_t mine = to > from + l.first ? (to - from - l.first + l.step - 1) / l.step : 0;
        const uint4 *x =
            (const uint4 *)((const __half *)j.x + base + (from + l.first) * j.channels);
        int64_t step = (int64_t)l.step * j.channels / CHUNK;
        if (j.aligned && j.x_type == DTYPE_F16)
            add_halves<__half>(x, mine, step, zero, sum, squares);
        else if (j.aligned && j.x_type == DTYPE_BF16)
            add_halves<__nv_bfloat16>(x, mine, step, zero, sum, squares);
        else
            for (int64_t p = from + l.first; p < to; p += l.step) {
                float v[CHUNK];
                load_chunk(j.x, j.x_type, base + p * j.channels, l.n, j.aligned, v);
                add(v, zero, sum, squares);
            }
    }
    /* The pixels' threads add in turn: the same order every time. */
    int64_t at = l.column - (int64_t)blockIdx.y * COLUMN_CHUNKS * CHUNK;
    for (int turn = 0; turn < l.step; turn++) {
        if (busy && l.first == turn)
            for (int k = 0; k < CHUNK; k++) {
                shared[0][at + k] = (turn ? shared[0][at + k] : 0.0f) + sum[k];
                shared[1][at + k] = (turn ? shared[1][at + k] : 0.0f) + squares[k];
            }
        __syncthreads();
    }
    if (busy && l.first == 0) {
        float *out = j.sums + (item * j.slabs + blockIdx.x) * 2 * j.channels + l.column;
        for (int k = 0; k < l.n; k++) {
            out[k] = shared[0][at + k];
            out[j.channels + k] = shared[1][at + k];
        }
    }
}

static __device__ double block_sum(double v, double *shared)
{
    for (int o = 16; o > 0; o /= 2)
        v += __shfl_xor_sync(0xffffffffu, v, o);
    __syncthreads();
    if (threadIdx.x % 32 == 0)
        shared[threadIdx.x / 32] = v;
    __syncthreads();
    v = 0;
    for (int i = 0; i < THREADS / 32; i++)
        v += shared[i];
    return v;
}

static __device__ __forceinline__ double shift_of(const struct group_job &j, int64_t item,
                                                  int64_t channel)
{
    return j.shift ? (double)j.shift[divide(item, j.run) * j.channels + channel] : 0;
}

/* What a channel's sums are taken around, as it is when x is shifted. */
static __device__ __forceinline__ double middle(const struct group_job &j, int64_t item,
                                                int64_t channel)
{
    return (double)load_one(j.x, j.x_type, item * j.item + channel) + shift_of(j, item, channel);
}

/* One block a group of an item. */
static __global__ void __launch_bounds__(THREADS) affine_kernel(const struct group_job j)
{
    __shared__ double shared[THREADS / 32];
    int64_t item = blockIdx.y, width = j.channels / j.groups, begin = blockIdx.x * width;
    double total = 0, squares = 0;
    double count = (double)j.pixels * (double)width;
    const float *sums = j.sums + item * j.slabs * 2 * j.channels;

    for (int64_t i = threadIdx.x; i < width * j.slabs; i += THREADS) {
        int64_t slab = i / width, channel = begin + i % width;
        total += (double)sums[slab * 2 * j.channels + channel];
    }
    for (int64_t i = threadIdx.x; i < width; i += THREADS)
        total += (double)j.pixels * middle(j, item, begin + i);
    double mean = block_sum(total, shared) / count;
    for (int64_t i = threadIdx.x; i < width * j.slabs; i += THREADS) {
        int64_t slab = i / width, channel = begin + i % width;
        double away = middle(j, item, channel) - mean;
        const float *s = sums + slab * 2 * j.channels + channel;
        squares += (double)s[j.channels] + 2 * away * (double)s[0];
    }
    for (int64_t i = threadIdx.x; i < width; i += THREADS) {
        double away = middle(j, item, begin + i) - mean;
        squares += (double)j.pixels * away * away;
    }
    double variance = block_sum(squares, shared) / count;
    if (variance < 0) /* rounding; NaN stays */
        variance = 0;
    double scale = 1 / sqrt(variance + j.eps);
    float *out = j.affine + item * 3 * j.channels;
    for (int64_t i = begin + threadIdx.x; i < begin + width; i += THREADS) {
        out[i] = (float)(mean - shift_of(j, item, i));
        out[j.channels + i] = (float)(scale * (j.weight ? j.weight[i] : 1.0f));
        out[2 * j.channels + i] = j.bias ? j.bias[i] : 0.0f;
    }
}

/* A thread's pixels of a piece: halves on both sides, aligned. */
template <typename T>
static __device__ __forceinline__ void apply_halves(const struct group_job &j, int64_t from,
                                                    int64_t pixels, int64_t step, const float *mean,
                                                    const float *scale, const float *shift)
{
    const uint4 *x = (const uint4 *)((const T *)j.x + from);
    uint4 *out = (uint4 *)((T *)j.out + from);

    for (; pixels > 0; pixels -= AT_ONCE, x += AT_ONCE * step, out += AT_ONCE * step) {
        uint4 raw[AT_ONCE];
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++)
            if (i < pixels)
                raw[i] = x[i * step];
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) {
            float v[CHUNK];
            if (i >= pixels)
                break;
            unpack(raw[i], v, (const T *)NULL);
#pragma unroll
            for (int k = 0; k < CHUNK; k++) {
                v[k] = (v[k] - mean[k]) * scale[k] + shift[k];
                v[k] = j.gain * (j.act == ACT_SILU ? gated(v[k], 1.0f) : v[k]);
            }
            out[i * step] = packed(v, (const T *)NULL);
        }
    }
}

static __global__ void __launch_bounds__(THREADS) apply_kernel(const struct group_job j)
{
    struct lane l;
    if (!lane_of(j, &l))
        return;
    int64_t item = blockIdx.z, per_slab = (j.pixels + gridDim.x - 1) / gridDim.x;
    int64_t from = per_slab * blockIdx.x;
    int64_t to = from + per_slab < j.pixels ? from + per_slab : j.pixels;
    int64_t base = item * j.pixels * j.channels + l.column;
    const float *affine = j.affine + item * 3 * j.channels + l.column;
    float mean[CHUNK], scale[CHUNK], shift[CHUNK];

    load_chunk(affine, DTYPE_F32, 0, l.n, false, mean);
    load_chunk(affine, DTYPE_F32, j.channels, l.n, false, scale);
    load_chunk(affine, DTYPE_F32, 2 * j.channels, l.n, false, shift);
    if (j.aligned && j.x_type == j.out_type && j.x_type != DTYPE_F32) {
        int64_t first = base + (from + l.first) * j.channels, step = l.step * j.channels / CHUNK;
        int64_t mine = to > from + l.first ? (to - from - l.first + l.step - 1) / l.step : 0;
        if (j.x_type == DTYPE_F16)
            apply_halves<__half>(j, first, mine, step, mean, scale, shift);
        else
            apply_halves<__nv_bfloat16>(j, first, mine, step, mean, scale, shift);
        return;
    }
    for (int64_t p = from + l.first; p < to; p += l.step) {
        float v[CHUNK];
        load_chunk(j.x, j.x_type, base + p * j.channels, l.n, j.aligned, v);
#pragma unroll
        for (int k = 0; k < CHUNK; k++)
            v[k] = j.gain * activate(j.act, (v[k] - mean[k]) * scale[k] + shift[k]);
        store_chunk(j.out, j.out_type, base + p * j.channels, l.n, j.aligned, v);
    }
}

/* Sums and what follows from them. affine: where it goes, or NULL for scratch memory. False:
 * failed, and reported. */
static bool measure(struct context *c, struct group_job *j, const struct tensor *x,
                    const struct tensor *weight, const struct tensor *bias, float *affine)
{
    j->x = x->data;
    j->x_type = x->dtype;
    j->items = x->shape[0];
    j->channels = x->shape[x->rank - 1];
    j->pixels = 1;
    for (int i = 1; i + 1 < x->rank; i++)
        j->pixels *= x->shape[i];
    j->weight = weight ? (const float *)weight->data : NULL;
    j->bias = bias ? (const float *)bias->data : NULL;
    j->item = x->stride[0];
    j->frames = x->rank == 5 ? x->shape[1] : 1;
    j->frame = x->rank == 5 ? x->stride[1] : 0;
    j->aligned = j->channels % CHUNK == 0 && j->frame % CHUNK == 0 && j->item % CHUNK == 0 &&
                 (((uintptr_t)j->x | (uintptr_t)j->out) & 15) == 0;
    if (j->items == 0 || j->pixels == 0 || j->channels == 0)
        return false;

    int64_t chunks = (j->channels + CHUNK - 1) / CHUNK;
    int64_t columns = (chunks + COLUMN_CHUNKS - 1) / COLUMN_CHUNKS;
    /* Of a frame: at least 64 pixels each, and enough blocks. */
    int64_t slabs = (j->pixels / j->frames + 63) / 64, all = j->items * columns * j->frames;
    int64_t most = (SLABS * 2 + all - 1) / all;
    j->slabs = (int)((slabs < most ? slabs : most) * j->frames);
    size_t sums = (size_t)(j->items * j->slabs * 2 * j->channels) * sizeof(float);
    size_t rest = affine ? 0 : (size_t)(j->items * 3 * j->channels) * sizeof(float);
    j->sums = (float *)scratch_take(c, SCRATCH_WEIGHTS, sums + rest);
    if (!j->sums)
        return false;
    j->affine = affine ? affine : j->sums + sums / sizeof(float);
    /* Items beyond what one launch takes would be a batch of 65536: not a picture. */
    dim3 grid((unsigned)j->slabs, (unsigned)columns, (unsigned)j->items);
    sums_kernel<<<grid, THREADS, 0, c->stream>>>(*j);
    affine_kernel<<<dim3((unsigned)j->groups, (unsigned)j->items), THREADS, 0, c->stream>>>(*j);
    return launched(c, "a group norm");
}

void cuda_group_norm_shifted(struct device *d, struct tensor *out, const struct tensor *x,
                             const struct shifted_norm *n)
{
    struct context *c = context_of(d);
    struct group_job j = {};

    j.out = out->data;
    j.out_type = out->dtype;
    j.act = n->act;
    j.gain = n->gain;
    j.groups = n->groups;
    j.eps = n->eps;
    if (n->shift) {
        j.shift = (const float *)n->shift->data;
        j.run = n->shift->rank == 2 ? x->shape[0] / n->shift->shape[0] : x->shape[0];
    }
    if (!measure(c, &j, x, n->weight, n->bias, NULL))
        return;
    int64_t chunks = (j.channels + CHUNK - 1) / CHUNK;
    int64_t columns = (chunks + COLUMN_CHUNKS - 1) / COLUMN_CHUNKS;
    int64_t rows = THREADS / (chunks < (int64_t)COLUMN_CHUNKS ? chunks : (int64_t)COLUMN_CHUNKS);
    int64_t pieces = (j.pixels + rows * 8 - 1) / (rows * 8); /* eight pixels a thread */
    dim3 grid((unsigned)(pieces < 1       ? 1
                         : pieces > 65535 ? 65535
                                          : pieces),
              (unsigned)columns, (unsigned)j.items);
    apply_kernel<<<grid, THREADS, 0, c->stream>>>(j);
    launched(c, "a group norm");
}

void cuda_group_norm(struct device *d, struct tensor *out, const struct tensor *x, int groups,
                     const struct tensor *weight, const struct tensor *bias, float eps,
                     enum activation act)
{
    const struct shifted_norm n = {groups, weight, bias, NULL, eps, 1, act};

    cuda_group_norm_shifted(d, out, x, &n);
}

void cuda_group_statistics(struct device *d, struct tensor *affine, const struct tensor *x,
                           int groups, const struct tensor *weight, const struct tensor *bias,
                           float eps)
{
    struct group_job j = {};

    j.groups = groups;
    j.eps = eps;
    measure(context_of(d), &j, x, weight, bias, (float *)affine->data);
}
