/* Queries and keys normed and turned in one pass: a block holds a token, a thread eight numbers of
 * a head. */
#include "kernels/cuda/numbers.cuh"

/* TOKENS: a thread has the same place in so many, one behind another: what it asks for of them is
 * under way together. */
enum { MOST_THREADS = 1024, HEAD_THREADS = 256, TOKENS = 4 };

struct heads_job {
    void *x;
    int type, kind;
    int heads, lanes, tokens; /* lanes: threads of a head, dim / 8 */
    int64_t item_stride, token_stride, head_stride;
    const float *weight, *bias;
    float eps;
    const float *cos, *sin;
    int64_t from, turning;
    bool halves;
};

/* A thread's part of a token, as it was read. */
template <int TYPE> struct part {
    uint4 raw[TYPE == DTYPE_F32 ? 2 : 1];
};

template <int TYPE>
static __device__ __forceinline__ void read_part(struct part<TYPE> &p, const void *x, int64_t at)
{
    const uint4 *from = (const uint4 *)((const char *)x + at * (TYPE == DTYPE_F32 ? 4 : 2));

    p.raw[0] = from[0];
    if constexpr (TYPE == DTYPE_F32)
        p.raw[1] = from[1];
}

template <int TYPE>
static __device__ __forceinline__ void unpack(const struct part<TYPE> &p, float *v)
{
    if constexpr (TYPE == DTYPE_F32) {
#pragma unroll
        for (int k = 0; k < 2; k++) {
            v[4 * k] = __uint_as_float(p.raw[k].x), v[4 * k + 1] = __uint_as_float(p.raw[k].y);
            v[4 * k + 2] = __uint_as_float(p.raw[k].z), v[4 * k + 3] = __uint_as_float(p.raw[k].w);
        }
    } else {
        unpack_eight<TYPE>(p.raw[0], v);
    }
}

static __device__ __forceinline__ float squares_of(const float *v, float mean)
{
    float sum = 0;

#pragma unroll
    for (int k = 0; k < CHUNK; k++)
        sum += (v[k] - mean) * (v[k] - mean);
    return sum;
}

/* Mean, and what the numbers are multiplied with, of TOKENS tokens at once. */
template <int KIND, int TYPE>
static __device__ __forceinline__ void
statistics(const struct heads_job &j, const struct part<TYPE> *p, float *mean, float *scale)
{
    __shared__ float shared[TOKENS][MOST_THREADS / 32];
    float v[CHUNK], n = (float)(j.lanes * CHUNK);

#pragma unroll
    for (int t = 0; t < TOKENS; t++) {
        unpack(p[t], v);
        mean[t] = 0;
        if (KIND == HEADS_LAYER)
            mean[t] = lanes_sum(v[0] + v[1] + v[2] + v[3] + v[4] + v[5] + v[6] + v[7], j.lanes) / n;
        scale[t] = lanes_sum(squares_of(v, mean[t]), KIND == HEADS_TOGETHER_RMS ? 32 : j.lanes);
    }
    if (KIND == HEADS_TOGETHER_RMS) {
        if (threadIdx.x % 32 == 0)
            for (int t = 0; t < TOKENS; t++)
                shared[t][threadIdx.x / 32] = scale[t];
        __syncthreads();
        for (int t = 0; t < TOKENS; t++) {
            scale[t] = 0;
            for (int i = 0; i < (int)blockDim.x / 32; i++)
                scale[t] += shared[t][i];
        }
        n *= (float)j.heads;
    }
#pragma unroll
    for (int t = 0; t < TOKENS; t++)
        scale[t] = rsqrtf(scale[t] / n + j.eps);
}

/* place: of the token, a row of cos and sin; lane: which eight of the head. */
static __device__ __forceinline__ void turn_neighbours(const struct heads_job &j, float *v,
                                                       int64_t place, int lane)
{
    int64_t at = (place * j.lanes + lane) * (CHUNK / 2);
    float4 c = *(const float4 *)(j.cos + at), s = *(const float4 *)(j.sin + at);
    const float cs[4] = {c.x, c.y, c.z, c.w}, ss[4] = {s.x, s.y, s.z, s.w};

#pragma unroll
    for (int k = 0; k < CHUNK / 2; k++) {
        float a = v[2 * k], b = v[2 * k + 1];
        v[2 * k] = a * cs[k] - b * ss[k];
        v[2 * k + 1] = b * cs[k] + a * ss[k];
    }
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

/* A block has some heads (blockIdx.y) of TOKENS tokens, or all where they are normed together. */
template <int KIND, bool HALVES, int TYPE>
static __global__ void __launch_bounds__(KIND == HEADS_TOGETHER_RMS ? MOST_THREADS : HEAD_THREADS)
    heads_kernel(const __grid_constant__ struct heads_job j)
{
    int i = (int)(blockIdx.y * blockDim.x + threadIdx.x);
    int head = i / j.lanes, lane = i - head * j.lanes, first = (int)blockIdx.x * TOKENS;
    int vector = (KIND == HEADS_TOGETHER_RMS ? i : lane) * CHUNK;
    bool real = i < j.heads * j.lanes;
    int64_t at =
        blockIdx.z * j.item_stride + first * j.token_stride + head * j.head_stride + lane * CHUNK;
    struct part<TYPE> p[TOKENS] = {
    };
    float w[CHUNK], b[CHUNK], mean[TOKENS] = {}, scale[TOKENS];

#pragma unroll
    for (int t = 0; t < TOKENS; t++)
        if (real && first + t < j.tokens)
            read_part(p[t], j.x, at + t * j.token_stride);
    if (KIND != HEADS_AS_THEY_ARE) {
        if (real && j.weight)
            load_eight(j.weight, DTYPE_F32, vector, w);
        if (KIND == HEADS_LAYER && real && j.bias)
            load_eight(j.bias, DTYPE_F32, vector, b);
        statistics<KIND>(j, p, mean, scale);
    }
#pragma unroll
    for (int t = 0; t < TOKENS; t++) {
        int64_t place = first + t - j.from;
        bool here = real && first + t < j.tokens;
        bool turns = here && j.cos && place >= 0 && place < j.turning;
        float v[CHUNK];
        unpack(p[t], v);
        if (KIND != HEADS_AS_THEY_ARE) {
#pragma unroll
            for (int k = 0; k < CHUNK; k++) {
                v[k] = (v[k] - mean[t]) * scale[t] * (j.weight ? w[k] : 1.0f);
                if (KIND == HEADS_LAYER && j.bias)
                    v[k] += b[k];
            }
        }
        if (HALVES)
            turn_halves(j, v, place, lane, turns);
        else if (turns)
            turn_neighbours(j, v, place, lane);
        if (here)
            store_eight(j.x, TYPE, at + t * j.token_stride, v);
    }
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
    if (x->shape[3] % CHUNK || x->shape[0] > 65535 || x->shape[1] > 1 << 30 ||
        !on_16_bytes(x->data) || !on_16_bytes(j->weight) || !on_16_bytes(j->bias) ||
        !on_16_bytes(j->cos) || !on_16_bytes(j->sin))
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
    dim3 grid((unsigned)((x->shape[1] + TOKENS - 1) / TOKENS),
              (unsigned)((total + threads - 1) / threads), (unsigned)x->shape[0]);

#define RUN(kind, halves, type)                                                                    \
    heads_kernel<kind, halves, type><<<grid, threads, 0, c->stream>>>(*j)
#define RUN_TYPE(kind, halves)                                                                     \
    (j->type == DTYPE_F32   ? (void)(RUN(kind, halves, DTYPE_F32))                                 \
     : j->type == DTYPE_F16 ? (void)(RUN(kind, halves, DTYPE_F16))                                 \
                            : (void)(RUN(kind, halves, DTYPE_BF16)))
#define CASE(kind)                                                                                 \
    case kind:                                                                                     \
        j->halves ? RUN_TYPE(kind, true) : RUN_TYPE(kind, false);                                  \
        break
    switch (j->kind) {
        CASE(HEADS_AS_THEY_ARE);
        CASE(HEADS_RMS);
        CASE(HEADS_LAYER);
        CASE(HEADS_TOGETHER_RMS);
    }
#undef CASE
#undef RUN_TYPE
#undef RUN
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
    j.tokens = (int)x->shape[1];
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
