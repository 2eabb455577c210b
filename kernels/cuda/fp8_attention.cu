/* Attention in 8 bits on Hopper's warpgroup products: 192 queries a block, as three warpgroups of
 * 64, walk over the keys, which a fourth brings to shared memory a tile at a time. While one group
 * makes weights of its scores the products of the others run. Weights go to the second product
 * from the registers they were made in, since the values' keys are in that order. Eight more
 * columns of ones beside the values make the sums of the very weights that were rounded. */
#include <cuda_fp8.h>

#include "kernels/cuda/fp8_attention.cuh"
#include "kernels/cuda/hopper.cuh"
#include "kernels/cuda/numbers.cuh"

enum { GROUPS = FP8_QUERIES / 64, THREADS = 128 * (GROUPS + 1), DEPTH = 3, ONES = 8 };

struct job {
    struct fp8_operands o;
    void *out;
    int64_t item, token, head; /* strides of out */
    int type, heads, queries, keys, blocks;
};

template <int DIM> struct shared {
    unsigned char q[FP8_QUERIES * DIM];
    unsigned char k[DEPTH][FP8_KEYS * DIM];
    unsigned char v[DEPTH][(DIM + ONES) * FP8_KEYS];
    uint64_t q_full, k_full[DEPTH], k_empty[DEPTH], v_full[DEPTH], v_empty[DEPTH];
};

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

/* Weights are 2^(score - most + LIFT), with a `most` that may be out of date by up to SLACK: E4M3
 * ends at 448, and what is beyond 2^-9 below one is lost. */
static const float LIFT = 5, SLACK = 3;

/* ---- a warpgroup's 64 queries: a thread has two rows, and of every eight columns two */

/* Scores begin as the bits of this float, so that what INT8 products add up to can be read as the
 * float ORIGIN + sum: exact, as no sum reaches 2^22. */
static const int ORIGIN_BITS = 0x4b400000;
static const float ORIGIN = 12582912;

template <int DIM> struct held {
    int score[64]; /* and weights, as floats */
    float out[(DIM + ONES) / 2];
    unsigned weight[16];
    float most[2];
};

template <int DIM> static __device__ __forceinline__ void clear(held<DIM> &h)
{
#pragma unroll
    for (int i = 0; i < 64; i++)
        h.score[i] = ORIGIN_BITS;
}

template <int DIM>
static __device__ __forceinline__ void compare(held<DIM> &h, const void *q, const void *k)
{
    uint64_t a = matrix_at<DIM>(q), b = matrix_at<DIM>(k);
#pragma unroll
    for (int s = 0; s < DIM / 32; s++)
        multiply_128(h.score, a + 2 * s, b + 2 * s);
}

template <int DIM> static __device__ __forceinline__ void mix(held<DIM> &h, const void *v)
{
    uint64_t b = matrix_at<FP8_KEYS>(v);
#pragma unroll
    for (int s = 0; s < FP8_KEYS / 32; s++)
        if constexpr (DIM == 128)
            multiply_136(h.out, h.weight + 4 * s, b + 2 * s);
        else
            multiply_72(h.out, h.weight + 4 * s, b + 2 * s);
}

template <int DIM> static __device__ __forceinline__ void hide_beyond(held<DIM> &h, int keys)
{
#pragma unroll
    for (int n = 0; n < FP8_KEYS / 8; n++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (n * 8 + (int)threadIdx.x % 4 * 2 + i % 2 >= keys)
                h.score[4 * n + i] = __float_as_int(-INFINITY);
}

/* The largest sum of row r, by all four threads that share it. */
template <int DIM> static __device__ __forceinline__ float largest(const held<DIM> &h, int r)
{
    float m = -INFINITY;
#pragma unroll
    for (int n = 0; n < FP8_KEYS / 8; n++)
        m = fmaxf(m, fmaxf(__int_as_float(h.score[4 * n + 2 * r]),
                           __int_as_float(h.score[4 * n + 2 * r + 1])));
    m = fmaxf(m, __shfl_xor_sync(~0u, m, 1));
    return fmaxf(m, __shfl_xor_sync(~0u, m, 2));
}

/* Scores, which are sums times `scale` of their row, to weights in their place. Where a row's
 * maximum has grown too far it takes the new one, and `by` is what the row has to shrink by.
 * Returns whether one of the warp's does. */
template <int DIM>
static __device__ __forceinline__ bool weigh(held<DIM> &h, const float *scale, float *by)
{
    float plus[2];
    bool grew[2];

#pragma unroll
    for (int r = 0; r < 2; r++) {
        float most = (largest(h, r) - ORIGIN) * scale[r];
        grew[r] = most - h.most[r] > SLACK;
        by[r] = grew[r] ? power_of_two(h.most[r] - most) : 1;
        h.most[r] = grew[r] ? most : h.most[r];
        plus[r] = LIFT - h.most[r] - ORIGIN * scale[r];
    }
#pragma unroll
    for (int i = 0; i < 64; i++)
        h.score[i] = __float_as_int(
            power_of_two(fmaf(__int_as_float(h.score[i]), scale[i / 2 % 2], plus[i / 2 % 2])));
    return __any_sync(~0u, grew[0] || grew[1]);
}

template <int DIM> static __device__ __forceinline__ void shrink(held<DIM> &h, const float *by)
{
#pragma unroll
    for (int i = 0; i < (DIM + ONES) / 2; i++)
        h.out[i] *= by[i / 2 % 2];
}

/* Weights to bytes, in the order of fp8_operands.cu's values. */
template <int DIM> static __device__ __forceinline__ void pack(held<DIM> &h)
{
#pragma unroll
    for (int i = 0; i < 16; i++) {
        const int *w = h.score + 4 * (i / 4 * 4 + i % 4 / 2 * 2) + 2 * (i % 2);
        h.weight[i] = four_bytes(__int_as_float(w[0]), __int_as_float(w[1]), __int_as_float(w[4]),
                                 __int_as_float(w[5]));
    }
}

template <int DIM>
static __device__ __forceinline__ void store(const struct job &j, const held<DIM> &h, int pair,
                                             int query)
{
    int64_t all = j.o.first + pair, at = all / j.heads * j.item + all % j.heads * j.head;
    const float *mean = j.o.mean + (int64_t)(pair * 2 + 1) * DIM;
    float scale = j.o.v_scale[pair];

#pragma unroll
    for (int r = 0; r < 2; r++) {
        int row = query + r * 8;
        float by = scale / h.out[DIM / 2 + 2 * r];
        if (row >= j.queries)
            continue;
#pragma unroll
        for (int n = 0; n < DIM / 8; n++) {
            int column = n * 8 + threadIdx.x % 4 * 2;
            float2 m = *(const float2 *)(mean + column);
            float a = h.out[4 * n + 2 * r] * by + m.x, b = h.out[4 * n + 2 * r + 1] * by + m.y;
            int64_t to = at + row * j.token + column;
            if (j.type == DTYPE_F16)
                *(__half2 *)((__half *)j.out + to) = __floats2half2_rn(a, b);
            else
                *(__nv_bfloat162 *)((__nv_bfloat16 *)j.out + to) = __floats2bfloat162_rn(a, b);
        }
    }
}

/* One thread's work: operands to shared memory, as long as there is room. */
template <int DIM>
static __device__ __forceinline__ void bring_all(const struct job &j, shared<DIM> &s, int pair,
                                                 int first_query, int tiles)
{
    const unsigned char *k = j.o.k + pair * j.o.key_rows * DIM;
    const unsigned char *v = j.o.v + pair * j.o.key_rows * DIM;

    bring(s.q, j.o.q + (pair * j.o.query_rows + first_query) * DIM, FP8_QUERIES * DIM, &s.q_full);
    for (int t = 0; t < tiles; t++) {
        int stage = t % DEPTH, phase = t / DEPTH % 2;
        wait_for(&s.k_empty[stage], phase ^ 1);
        bring(s.k[stage], k + (int64_t)t * FP8_KEYS * DIM, FP8_KEYS * DIM, &s.k_full[stage]);
        wait_for(&s.v_empty[stage], phase ^ 1);
        bring(s.v[stage], v + (int64_t)t * FP8_KEYS * DIM, FP8_KEYS * DIM, &s.v_full[stage]);
    }
}

/* The weights times a stage's values, to the end. */
template <int DIM>
static __device__ __forceinline__ void mix_stage(held<DIM> &h, shared<DIM> &s, int stage, int phase)
{
    wait_for(&s.v_full[stage], phase);
    products_begin();
    mix(h, s.v[stage]);
    products_commit();
    products_wait<0>();
    if (threadIdx.x % 32 == 0)
        arrive(&s.v_empty[stage]);
}

template <int DIM>
static __device__ __forceinline__ void attend(const struct job &j, shared<DIM> &s, int pair,
                                              int first_query, int tiles)
{
    int group = threadIdx.x / 128 - 1, lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
    int row = first_query + group * 64 + warp * 16 + lane / 4, tail = j.keys % FP8_KEYS;
    /* Values of the tile before while weights are made: with 128 numbers the registers are few, and
     * waiting for them first was faster (H200). */
    const bool OVERLAPS = DIM == 64;
    const unsigned char *q = s.q + group * 64 * DIM;
    const float *q_scale = j.o.q_scale + pair * j.o.query_rows + row;
    const float *k_scale = j.o.k_scale + pair * (j.o.key_rows / FP8_KEYS);
    float of_row[2] = {q_scale[0], q_scale[8]}, of_tile = k_scale[0];
    float scale[2] = {of_row[0] * of_tile, of_row[1] * of_tile}, by[2];
    held<DIM> h;

#pragma unroll
    for (int i = 0; i < (DIM + ONES) / 2; i++)
        h.out[i] = 0;
    h.most[0] = h.most[1] = -INFINITY;
    clear(h);
    wait_for(&s.q_full, 0);
    wait_for(&s.k_full[0], 0);
    products_begin();
    compare(h, q, s.k[0]);
    products_commit();
    products_wait<0>();
    if (lane == 0)
        arrive(&s.k_empty[0]);
    if (tiles == 1 && tail)
        hide_beyond(h, tail);
    weigh(h, scale, by);
    pack(h);
    for (int t = 0; t + 1 < tiles; t++) {
        int stage = t % DEPTH, next = (t + 1) % DEPTH;
        of_tile = k_scale[t + 1];
        clear(h);
        if (!OVERLAPS)
            mix_stage(h, s, stage, t / DEPTH % 2);
        wait_for(&s.k_full[next], (t + 1) / DEPTH % 2);
        products_begin();
        compare(h, q, s.k[next]);
        products_commit();
        if (OVERLAPS) {
            wait_for(&s.v_full[stage], t / DEPTH % 2);
            mix(h, s.v[stage]);
            products_commit();
            products_wait<1>();
        } else {
            products_wait<0>();
        }
        if (lane == 0)
            arrive(&s.k_empty[next]);
        if (t + 2 == tiles && tail)
            hide_beyond(h, tail);
        scale[0] = of_row[0] * of_tile;
        scale[1] = of_row[1] * of_tile;
        bool grew = weigh(h, scale, by);
        if (OVERLAPS) {
            products_wait<0>();
            if (lane == 0)
                arrive(&s.v_empty[stage]);
        }
        pack(h);
        if (grew)
            shrink(h, by);
    }
    mix_stage(h, s, (tiles - 1) % DEPTH, (tiles - 1) / DEPTH % 2);
    store(j, h, pair, row);
}

template <int DIM> static __device__ __forceinline__ void prepare(shared<DIM> &s)
{
    if (threadIdx.x == 0) {
        barrier_init(&s.q_full, 1);
        for (int i = 0; i < DEPTH; i++) {
            barrier_init(&s.k_full[i], 1);
            barrier_init(&s.v_full[i], 1);
            barrier_init(&s.k_empty[i], GROUPS * 4);
            barrier_init(&s.v_empty[i], GROUPS * 4);
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    for (int i = threadIdx.x; i < DEPTH * ONES * FP8_KEYS / 4; i += THREADS) {
        int stage = i / (ONES * FP8_KEYS / 4), at = i % (ONES * FP8_KEYS / 4);
        *(unsigned *)(s.v[stage] + DIM * FP8_KEYS + at * 4) = 0x38383838; /* ones */
    }
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncthreads();
}
#endif

template <int DIM>
static __global__ void __launch_bounds__(THREADS, 1) fp8_kernel(const __grid_constant__ job j)
{
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    extern __shared__ __align__(1024) unsigned char memory[];
    shared<DIM> &s = *(shared<DIM> *)memory;
    int pair = (int)blockIdx.x / j.blocks, first = (int)blockIdx.x % j.blocks * FP8_QUERIES;
    int tiles = (j.keys + FP8_KEYS - 1) / FP8_KEYS;

    prepare(s);
    if (threadIdx.x < 128) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 32;");
        if (threadIdx.x == 0)
            bring_all(j, s, pair, first, tiles);
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 160;");
        attend(j, s, pair, first, tiles);
    }
#endif
}

/* ---- choosing */

/* Making the operands moves some 13 bytes for each number of q, in five small kernels before the
 * large one; of 1,024 tokens that takes about what the products gain (reckoned, not measured). */
static bool is_long(const struct attention *a)
{
    return a->q->shape[1] >= FP8_LEAST && a->k->shape[1] >= FP8_LEAST && a->q->shape[1] < 1 << 30 &&
           a->k->shape[1] < 1 << 30;
}

static int64_t padded(int64_t rows, int64_t tile)
{
    return (rows + tile - 1) / tile * tile;
}

static const size_t OPERANDS_BYTES = (size_t)320 << 20;

static size_t align(size_t size)
{
    return (size + 1023) & ~(size_t)1023;
}

/* Memory for as many pairs at once as OPERANDS_BYTES hold. False: failed, and reported. */
static bool make_room(const struct attention *a, struct fp8_operands *o)
{
    int64_t dim = a->q->shape[3], pairs = a->q->shape[0] * a->q->shape[2];

    o->query_rows = padded(a->q->shape[1], 2 * FP8_QUERIES); /* whole tiles of keys, too */
    o->key_rows = padded(a->k->shape[1], FP8_KEYS);
    size_t q = (size_t)(o->query_rows * dim), k = (size_t)(o->key_rows * dim);
    size_t floats =
        (size_t)(o->query_rows + o->key_rows / FP8_KEYS + 1 + (2 + FP8_SLICES * FP8_PARTS) * dim) *
        sizeof(float);
    int64_t fit = (int64_t)(OPERANDS_BYTES / (q + 2 * k + floats));
    o->pairs = fit < 1 ? 1 : fit > pairs ? pairs : fit;
    o->pairs = padded(pairs, o->pairs) / o->pairs; /* rounds */
    o->pairs = padded(pairs, o->pairs) / o->pairs; /* of about as many each */
    size_t n = (size_t)o->pairs, at = 0;
    char *memory = (char *)scratch_take(a->c, SCRATCH_OPERANDS,
                                        align(n * q) + 2 * align(n * k) + align(n * floats) + 4096);
    if (!memory)
        return false;
    o->q = (unsigned char *)memory;
    o->k = (unsigned char *)memory + (at += align(n * q));
    o->v = (unsigned char *)memory + (at += align(n * k));
    o->mean = (float *)(memory + (at += align(n * k)));
    o->parts = o->mean + n * 2 * (size_t)dim;
    o->q_scale = o->parts + n * FP8_SLICES * FP8_PARTS * (size_t)dim;
    o->k_scale = o->q_scale + n * (size_t)o->query_rows;
    o->v_scale = o->k_scale + n * (size_t)(o->key_rows / FP8_KEYS);
    return true;
}

template <int DIM> static bool run(const struct attention *a, struct job *j)
{
    int64_t pairs = a->q->shape[0] * a->q->shape[2], most = j->o.pairs;
    auto *kernel = fp8_kernel<DIM>;
    const int size = sizeof(shared<DIM>);

    if (!cuda_ok(a->c,
                 cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, size),
                 "attention: shared memory"))
        return false;
    for (j->o.first = 0; j->o.first < pairs; j->o.first += most) {
        j->o.pairs = pairs - j->o.first < most ? pairs - j->o.first : most;
        if (!fp8_operands_make(a, &j->o))
            return false;
        kernel<<<(unsigned)(j->blocks * j->o.pairs), THREADS, size, a->c->stream>>>(*j);
        if (!launched(a->c, "FP8 attention"))
            return false;
    }
    a->c->host.note(a->c->device, NOTE_FP8_ATTENTION, NOTE_ACTIVE, "FP8 Attention Activated.");
    return true;
}

bool fp8_attention(const struct attention *a)
{
    int64_t dim = a->q->shape[3];
    struct job j = {};

    if (a->bias->precise || attention_biased(a) || !(a->scale > 0) ||
        a->q->shape[2] != a->k->shape[2] || (dim != 64 && dim != 128) || !is_long(a) ||
        !attention_aligned(a))
        return false;
    if (!is_hopper((const void *)fp8_kernel<128>)) {
        a->c->host.note(a->c->device, NOTE_FP8_ATTENTION, NOTE_UNAVAILABLE,
                        "its kernel is for Hopper (sm_90) alone; attention stays in 16 bits");
        return false;
    }
    if (!make_room(a, &j.o))
        return false;
    j.out = a->out->data;
    j.item = a->out->stride[0];
    j.token = a->out->stride[1];
    j.head = a->out->stride[2];
    j.type = a->out->dtype;
    j.heads = (int)a->q->shape[2];
    j.queries = (int)a->q->shape[1];
    j.keys = (int)a->k->shape[1];
    j.blocks = (j.queries + FP8_QUERIES - 1) / FP8_QUERIES;
    return dim == 128 ? run<128>(a, &j) : run<64>(a, &j);
}
