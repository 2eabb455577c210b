/* Queries and keys normed and turned in one pass: a block holds a token, a thread eight numbers of
 * a head. */
#include "kernels/cuda/numbers.cuh"

enum { MOST_THREADS = 1024, HEAD_THREADS = 256 };

struct heads_job {
    void *x;
    int type, kind;
    int heads, lanes; /* lanes: threads of a head, dim / 8 */
    int64_t item_stride, token_stride, head_stride;
    const float *weight, *bias;
    float eps;
    const float *cos, *sin;
    int64_t from, turning;
    bool halves;
};

/* What the numbers of a head, or of all, are to be multiplied with, after `mean` was taken. */
template <int KIND>
static __device__ __forceinline__ float statistics(const struct heads_job &j, const float *v,
                                                   float *shared, float *mean)
{
    float sum = 0, squares = 0, n = (float)(j.lanes * CHUNK);

    *mean = 0;
    if (KIND == HEADS_LAYER) {
#pragma unroll
        for (int k = 0; k < CHUNK; k++)
            sum += v[k];
        *mean = lanes_sum(sum, j.lanes) / n;
    }
#pragma unroll
    for (int k = 0; k < CHUNK; k++)
        squares += (v[k] - *mean) * (v[k] - *mean);
    if (KIND == HEADS_TOGETHER_RMS) {
        squares = lanes_sum(squares, 32);
        if (threadIdx.x % 32 == 0)
            shared[threadIdx.x / 32] = squares;
        __syncthreads();
        squares = 0;
        for (int i = 0; i < (int)blockDim.x / 32; i++)
            squares += shared[i];
        n *= (float)j.heads;
    } else {
        squares = lanes_sum(squares, j.lanes);
    }
    return rsqrtf(squares / n + j.eps);
}

/* The other half of a pair is another thread's: all of the warp take part. */
static __device__ __forceinline__ void turn_halves(const struct heads_job &j, float *v,
                                                   int64_t place, int lane, bool turns)
{
    int half = j.lanes / 2;
    float c[CHUNK], s[CHUNK], other[CHUNK], sign = lane < half ? -1.0f : 1.0f;
    int64_t at = place * half * CHUNK + lane % half * CHUNK;

#pragma unroll
    for (int k = 0; k < CHUNK; k++)
        other[k] = __shfl_xor_sync(0xffffffffu, v[k], half);
    if (!turns)
        return;
    load_eight(j.cos, DTYPE_F32, at, c);
    load_eight(j.sin, DTYPE_F32, at, s);
#pragma unroll
    for (int k = 0; k < CHUNK; k++)
        v[k] = v[k] * c[k] + sign * other[k] * s[k];
}

/* All that a thread needs is asked for before the first of it is used. A block has some of a
 * token's heads (blockIdx.y), or all where they are normed together. */
template <int KIND, bool HALVES>
static __global__ void __launch_bounds__(KIND == HEADS_TOGETHER_RMS ? MOST_THREADS : HEAD_THREADS)
    heads_kernel(const __grid_constant__ struct heads_job j)
{
    __shared__ float shared[32];
    int64_t place = (int64_t)blockIdx.x - j.from;
    int total = j.heads * j.lanes, i = (int)(blockIdx.y * blockDim.x + threadIdx.x);
    int head = i / j.lanes, lane = i - head * j.lanes;
    bool real = i < total, turns = real && j.cos && place >= 0 && place < j.turning;
    int64_t at = blockIdx.z * j.item_stride + blockIdx.x * j.token_stride + head * j.head_stride +
                 lane * CHUNK;
    int vector = KIND == HEADS_TOGETHER_RMS ? i * CHUNK : lane * CHUNK;
    float v[CHUNK] = {}, w[CHUNK], b[CHUNK] = {}, mean;
    float4 c = {1, 1, 1, 1}, s = {};

#pragma unroll
    for (int k = 0; k < CHUNK; k++)
        w[k] = 1;
    if (KIND != HEADS_AS_THEY_ARE && real && j.weight)
        load_eight(j.weight, DTYPE_F32, vector, w);
    if (KIND == HEADS_LAYER && real && j.bias)
        load_eight(j.bias, DTYPE_F32, vector, b);
    if (!HALVES && turns) {
        int64_t angle = (place * j.lanes + lane) * (CHUNK / 2);
        c = *(const float4 *)(j.cos + angle);
        s = *(const float4 *)(j.sin + angle);
    }
    if (real)
        load_eight(j.x, j.type, at, v);
    if (KIND != HEADS_AS_THEY_ARE) {
        float scale = statistics<KIND>(j, v, shared, &mean);
#pragma unroll
        for (int k = 0; k < CHUNK; k++)
            v[k] = (v[k] - mean) * scale * w[k] + b[k];
    }
    if (HALVES) {
        turn_halves(j, v, place, lane, turns);
    } else {
        const float cs[4] = {c.x, c.y, c.z, c.w}, ss[4] = {s.x, s.y, s.z, s.w};
#pragma unroll
        for (int k = 0; k < CHUNK / 2; k++) {
            float x = v[2 * k], y = v[2 * k + 1];
            v[2 * k] = x * cs[k] - y * ss[k];
            v[2 * k + 1] = y * cs[k] + x * ss[k];
        }
    }
    if (real)
        store_eight(j.x, j.type, at, v);
}

static bool on_16_bytes(const void *data)
{
    return ((uintptr_t)data & 15) == 0;
}

/* Whether the kernel has this form. */
static bool fits(const struct heads_job *j, const struct tensor *x)
{
    size_t size = size_of(x->dtype);
    bool even = (j->lanes & (j->lanes - 1)) == 0 && j->lanes <= 32;

    for (int i = 0; i < 3; i++)
        if (x->shape[i] > 1 && ((size_t)x->stride[i] * size & 15))
            return false;
    if (x->shape[3] % CHUNK || x->shape[0] > 65535 || !on_16_bytes(x->data) ||
        !on_16_bytes(j->weight) || !on_16_bytes(j->bias) || !on_16_bytes(j->cos) ||
        !on_16_bytes(j->sin))
        return false;
    if (j->kind == HEADS_TOGETHER_RMS && j->heads * j->lanes > MOST_THREADS)
        return false;
    if ((j->kind == HEADS_RMS || j->kind == HEADS_LAYER) && !even)
        return false;
    return !j->halves || (even && j->lanes > 1);
}

static bool run(struct context *c, const struct heads_job *j, const struct tensor *x)
{
    int total = (j->heads * j->lanes + 31) & ~31, threads = total;

    if (j->kind != HEADS_TOGETHER_RMS && threads > HEAD_THREADS)
        threads = HEAD_THREADS;
    /* Heads do not straddle blocks: a head's threads are a power of two, or take no part in sums.
     */
    dim3 grid((unsigned)x->shape[1], (unsigned)((total + threads - 1) / threads),
              (unsigned)x->shape[0]);

    switch (j->kind) {
#define CASE(kind)                                                                                 \
    case kind:                                                                                     \
        if (j->halves)                                                                             \
            heads_kernel<kind, true><<<grid, threads, 0, c->stream>>>(*j);                         \
        else                                                                                       \
            heads_kernel<kind, false><<<grid, threads, 0, c->stream>>>(*j);                        \
        break
        CASE(HEADS_AS_THEY_ARE);
        CASE(HEADS_RMS);
        CASE(HEADS_LAYER);
        CASE(HEADS_TOGETHER_RMS);
#undef CASE
    }
    return launched(c, "norm and rope");
}

/* Rows of a table of angles, whatever its shape. */
static int64_t turn_rows(const struct tensor *t, int64_t half)
{
    int64_t count = 1;

    for (int i = 0; i < t->rank; i++)
        count *= t->shape[i];
    return count / half;
}

bool cuda_norm_rope(struct device *d, struct tensor *x, const struct head_norm *norm,
                    const struct turn *turn)
{
    struct context *c = context_of(d);
    struct heads_job j = {};

    j.x = x->data;
    j.type = x->dtype;
    j.kind = norm->kind;
    j.heads = (int)x->shape[2];
    j.lanes = (int)(x->shape[3] / CHUNK);
    j.item_stride = x->stride[0];
    j.token_stride = x->stride[1];
    j.head_stride = x->stride[2];
    j.weight = norm->weight ? (const float *)norm->weight->data : NULL;
    j.bias = norm->bias ? (const float *)norm->bias->data : NULL;
    j.eps = norm->eps;
    if (turn) {
        j.cos = (const float *)turn->cos->data;
        j.sin = (const float *)turn->sin->data;
        j.from = turn->from;
        j.turning = x->shape[3] < 2 ? 0 : turn_rows(turn->cos, x->shape[3] / 2);
        j.halves = turn->pairs == ROPE_HALVES;
    }
    if (!fits(&j, x))
        return false;
    if (norm->kind != HEADS_AS_THEY_ARE && turn)
        c->host.note(d, NOTE_FUSED_ROPE, NOTE_ACTIVE, "Fused QK-Norm + RoPE Activated.");
    run(c, &j, x);
    return true;
}
