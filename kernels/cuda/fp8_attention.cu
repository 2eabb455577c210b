/* Attention in FP8 on Hopper's warpgroup products: 192 queries a block, as three warpgroups of 64,
 * walk over the keys, which a fourth brings to shared memory a tile at a time. While one group
 * makes weights of its scores the products of the others run. Weights go to the second product
 * from the registers they were made in, since the values' keys are in that order. Eight more
 * columns of ones beside the values make the sums of the very weights that were rounded. */
#include <cuda_fp8.h>
#include <stdlib.h>

#include "kernels/cuda/fp8_attention.cuh"
#include "kernels/cuda/numbers.cuh"

enum { DEPTH = 3, ONES = 8 };
struct job {
    struct fp8_operands o;
    void *out;
    int64_t item, token, head; /* strides of out */
    int type, heads, queries, keys, blocks;
};

template <int DIM, int GROUPS> struct shared {
    unsigned char q[GROUPS * 64 * DIM];
    unsigned char k[DEPTH][FP8_KEYS * DIM];
    unsigned char v[DEPTH][(DIM + ONES) * FP8_KEYS];
    uint64_t q_full, k_full[DEPTH], k_empty[DEPTH], v_full[DEPTH], v_empty[DEPTH];
};

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

/* Weights are 2^(score - most + LIFT), with a `most` that may be out of date by up to SLACK: E4M3
 * ends at 448, and what is beyond 2^-9 below one is lost. */
static const float LIFT = 5, SLACK = 3;

/* ---- pieces of machine code */

static __device__ __forceinline__ unsigned shared_address(const void *p)
{
    return (unsigned)__cvta_generic_to_shared(p);
}

static __device__ __forceinline__ void barrier_init(uint64_t *b, int arrivals)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(b)), "r"(arrivals));
}

static __device__ __forceinline__ void arrive(uint64_t *b)
{
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(b)) : "memory");
}

static __device__ __forceinline__ void wait_for(uint64_t *b, int phase)
{
    unsigned done;
    do
        asm volatile("{.reg .pred p;"
                     "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;"
                     "selp.b32 %0, 1, 0, p;}"
                     : "=r"(done)
                     : "r"(shared_address(b)), "r"(phase)
                     : "memory");
    while (!done);
}

/* `size` bytes on their way to shared memory; the barrier completes when they are there. */
static __device__ __forceinline__ void bring(void *to, const void *from, int size, uint64_t *b)
{
    unsigned barrier = shared_address(b);
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(size)
                 : "memory");
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
                 "[%0], [%1], %2, [%3];" ::"r"(shared_address(to)),
                 "l"(from), "r"(size), "r"(barrier)
                 : "memory");
}

/* A matrix of rows of WIDTH bytes, 64 or 128, whose chunks have changed places. */
template <int WIDTH> static __device__ __forceinline__ uint64_t matrix_at(const void *p)
{
    const uint64_t eight_rows = WIDTH * 8 / 16, swizzle = WIDTH == 128 ? 1 : 2;
    return (uint64_t)(shared_address(p) >> 4 & 0x3fff) | (uint64_t)1 << 16 | eight_rows << 32 |
           swizzle << 62;
}

static __device__ __forceinline__ void products_begin()
{
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

static __device__ __forceinline__ void products_commit()
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

static __device__ __forceinline__ void products_wait()
{
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
}

#define FOUR(d, i)  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define EIGHT(d, i) FOUR(d, i), FOUR(d, i + 4)

/* d[64, n] (+)= a[64, 32] b[n, 32]^T, n in the name; a in shared memory or in registers. */
static __device__ __forceinline__ void multiply_128(float *d, uint64_t a, uint64_t b, int adds)
{
    asm volatile("{.reg .pred p; setp.ne.b32 p, %66, 0;"
                 "wgmma.mma_async.sync.aligned.m64n128k32.f32.e4m3.e4m3 {"
                 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
                 "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
                 "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "
                 "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
                 "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
                 "%60, %61, %62, %63"
                 "}, %64, %65, p, 1, 1;}"
                 : EIGHT(d, 0), EIGHT(d, 8), EIGHT(d, 16), EIGHT(d, 24), EIGHT(d, 32), EIGHT(d, 40),
                   EIGHT(d, 48), EIGHT(d, 56)
                 : "l"(a), "l"(b), "r"(adds));
}

static __device__ __forceinline__ void multiply_136(float *d, const unsigned *a, uint64_t b,
                                                    int adds)
{
    asm volatile("{.reg .pred p; setp.ne.b32 p, %73, 0;"
                 "wgmma.mma_async.sync.aligned.m64n136k32.f32.e4m3.e4m3 {"
                 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
                 "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
                 "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "
                 "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
                 "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
                 "%60, %61, %62, %63, %64, %65, %66, %67"
                 "}, {%68, %69, %70, %71}, %72, p, 1, 1;}"
                 : EIGHT(d, 0), EIGHT(d, 8), EIGHT(d, 16), EIGHT(d, 24), EIGHT(d, 32), EIGHT(d, 40),
                   EIGHT(d, 48), EIGHT(d, 56), FOUR(d, 64)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(adds));
}

static __device__ __forceinline__ void multiply_72(float *d, const unsigned *a, uint64_t b,
                                                   int adds)
{
    asm volatile("{.reg .pred p; setp.ne.b32 p, %41, 0;"
                 "wgmma.mma_async.sync.aligned.m64n72k32.f32.e4m3.e4m3 {"
                 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
                 "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
                 "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35"
                 "}, {%36, %37, %38, %39}, %40, p, 1, 1;}"
                 : EIGHT(d, 0), EIGHT(d, 8), EIGHT(d, 16), EIGHT(d, 24), FOUR(d, 32)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(adds));
}

static __device__ __forceinline__ float power_of_two(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

static __device__ __forceinline__ unsigned four_bytes(float a, float b, float c, float d)
{
    unsigned r;
    asm("{.reg .b16 low, high;"
        "cvt.rn.satfinite.e4m3x2.f32 low, %2, %1;"
        "cvt.rn.satfinite.e4m3x2.f32 high, %4, %3;"
        "mov.b32 %0, {low, high};}"
        : "=r"(r)
        : "f"(a), "f"(b), "f"(c), "f"(d));
    return r;
}

/* ---- a warpgroup's 64 queries: a thread has two rows, and of every eight columns two */

template <int DIM> struct held {
    float out[(DIM + ONES) / 2];
    unsigned weight[16];
    float most[2];
};

template <int DIM>
static __device__ __forceinline__ void multiply_keys(float *score, const void *q, const void *k)
{
    uint64_t a = matrix_at<DIM>(q), b = matrix_at<DIM>(k);
#pragma unroll
    for (int s = 0; s < DIM / 32; s++)
        multiply_128(score, a + 2 * s, b + 2 * s, s > 0);
}

template <int DIM> static __device__ __forceinline__ void mix(held<DIM> &h, const void *v)
{
    uint64_t b = matrix_at<FP8_KEYS>(v);
#pragma unroll
    for (int s = 0; s < FP8_KEYS / 32; s++)
        if constexpr (DIM == 128)
            multiply_136(h.out, h.weight + 4 * s, b + 2 * s, 1);
        else
            multiply_72(h.out, h.weight + 4 * s, b + 2 * s, 1);
}

/* The largest score of each row, by all four threads that share it. */
static __device__ __forceinline__ void largest(const float *score, float *most)
{
#pragma unroll
    for (int r = 0; r < 2; r++) {
        float m = fmaxf(score[2 * r], score[2 * r + 1]);
#pragma unroll
        for (int n = 1; n < FP8_KEYS / 8; n++)
            m = fmaxf(m, fmaxf(score[4 * n + 2 * r], score[4 * n + 2 * r + 1]));
        m = fmaxf(m, __shfl_xor_sync(~0u, m, 1));
        most[r] = fmaxf(m, __shfl_xor_sync(~0u, m, 2));
    }
}

/* Takes a row's new maximum where it has grown too far, and says by what the row shrinks then.
 * Returns whether one of the warp's does. */
static __device__ __forceinline__ bool grows(float *most, const float *tile, float scale, float *by)
{
    bool grew[2];

#pragma unroll
    for (int r = 0; r < 2; r++) {
        grew[r] = (tile[r] - most[r]) * scale > SLACK;
        by[r] = grew[r] ? power_of_two((most[r] - tile[r]) * scale) : 1;
        most[r] = grew[r] ? tile[r] : most[r];
    }
    return __any_sync(~0u, grew[0] || grew[1]);
}

template <int DIM> static __device__ __forceinline__ void shrink(held<DIM> &h, const float *by)
{
#pragma unroll
    for (int i = 0; i < (DIM + ONES) / 2; i++)
        h.out[i] *= by[i / 2 % 2];
}

/* Scores to weights, in their place. */
static __device__ __forceinline__ void weigh(float *score, const float *most, float scale)
{
    float minus[2];

#pragma unroll
    for (int r = 0; r < 2; r++)
        minus[r] = LIFT - most[r] * scale;
#pragma unroll
    for (int i = 0; i < 64; i++)
        score[i] = power_of_two(fmaf(score[i], scale, minus[i / 2 % 2]));
}

/* To bytes, in the order of fp8_operands.cu's values. */
static __device__ __forceinline__ void pack(unsigned *weight, const float *score)
{
#pragma unroll
    for (int i = 0; i < 16; i++) {
        const float *w = score + 4 * (i / 4 * 4 + i % 4 / 2 * 2) + 2 * (i % 2);
        weight[i] = four_bytes(w[0], w[1], w[4], w[5]);
    }
}

static __device__ __forceinline__ void hide_beyond(float *score, int keys)
{
#pragma unroll
    for (int n = 0; n < FP8_KEYS / 8; n++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (n * 8 + (int)threadIdx.x % 4 * 2 + i % 2 >= keys)
                score[4 * n + i] = -INFINITY;
}

template <int DIM>
static __device__ __forceinline__ void store(const struct job &j, const held<DIM> &h, int pair,
                                             int query)
{
    int64_t all = j.o.first + pair, at = all / j.heads * j.item + all % j.heads * j.head;
    const float *mean = j.o.mean + (int64_t)(pair * 2 + 1) * DIM;
    float scale = j.o.scale[pair * 2 + 1];

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
template <int DIM, int GROUPS>
static __device__ __forceinline__ void bring_all(const struct job &j, shared<DIM, GROUPS> &s,
                                                 int pair, int first_query, int tiles)
{
    const unsigned char *k = j.o.k + pair * j.o.key_rows * DIM;
    const unsigned char *v = j.o.v + pair * j.o.key_rows * DIM;

    bring(s.q, j.o.q + (pair * j.o.query_rows + first_query) * DIM, GROUPS * 64 * DIM, &s.q_full);
    for (int t = 0; t < tiles; t++) {
        int stage = t % DEPTH, phase = t / DEPTH % 2;
        wait_for(&s.k_empty[stage], phase ^ 1);
        bring(s.k[stage], k + (int64_t)t * FP8_KEYS * DIM, FP8_KEYS * DIM, &s.k_full[stage]);
        wait_for(&s.v_empty[stage], phase ^ 1);
        bring(s.v[stage], v + (int64_t)t * FP8_KEYS * DIM, FP8_KEYS * DIM, &s.v_full[stage]);
    }
}

static __device__ __forceinline__ void products_wait_but_one()
{
    asm volatile("wgmma.wait_group.sync.aligned 1;" ::: "memory");
}

template <int DIM, int GROUPS, int FORM>
static __device__ __forceinline__ void attend(const struct job &j, shared<DIM, GROUPS> &s, int pair,
                                              int first_query, int tiles)
{
    int group = threadIdx.x / 128 - 1, lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
    const unsigned char *q = s.q + group * 64 * DIM;
    float scale = j.o.scale[pair * 2], score[64], most[2], by[2];
    held<DIM> h;

#pragma unroll
    for (int i = 0; i < (DIM + ONES) / 2; i++)
        h.out[i] = 0;
    h.most[0] = h.most[1] = -INFINITY;
    wait_for(&s.q_full, 0);
    wait_for(&s.k_full[0], 0);
    products_begin();
    multiply_keys<DIM>(score, q, s.k[0]);
    products_commit();
    products_wait();
    if (lane == 0)
        arrive(&s.k_empty[0]);
    if (tiles == 1 && j.keys % FP8_KEYS)
        hide_beyond(score, j.keys % FP8_KEYS);
    largest(score, most);
    grows(h.most, most, scale, by);
    weigh(score, h.most, scale);
    pack(h.weight, score);
    for (int t = 0; t + 1 < tiles; t++) {
        int stage = t % DEPTH, next = (t + 1) % DEPTH;
        if (FORM == 2) {
            wait_for(&s.k_full[next], (t + 1) / DEPTH % 2);
            products_begin();
            multiply_keys<DIM>(score, q, s.k[next]);
            products_commit();
            wait_for(&s.v_full[stage], t / DEPTH % 2);
            mix(h, s.v[stage]);
            products_commit();
            products_wait_but_one();
            if (lane == 0)
                arrive(&s.k_empty[next]);
            if (t + 2 == tiles && j.keys % FP8_KEYS)
                hide_beyond(score, j.keys % FP8_KEYS);
            largest(score, most);
            bool grew = grows(h.most, most, scale, by);
            weigh(score, h.most, scale);
            products_wait();
            if (lane == 0)
                arrive(&s.v_empty[stage]);
            pack(h.weight, score);
            if (grew)
                shrink(h, by);
        } else {
            wait_for(&s.v_full[stage], t / DEPTH % 2);
            if (FORM == 0)
                wait_for(&s.k_full[next], (t + 1) / DEPTH % 2);
            products_begin();
            mix(h, s.v[stage]);
            if (FORM == 1) {
                products_commit();
                products_wait();
                wait_for(&s.k_full[next], (t + 1) / DEPTH % 2);
                products_begin();
            }
            multiply_keys<DIM>(score, q, s.k[next]);
            products_commit();
            products_wait();
            if (lane == 0) {
                arrive(&s.v_empty[stage]);
                arrive(&s.k_empty[next]);
            }
            if (t + 2 == tiles && j.keys % FP8_KEYS)
                hide_beyond(score, j.keys % FP8_KEYS);
            largest(score, most);
            if (grows(h.most, most, scale, by))
                shrink(h, by);
            weigh(score, h.most, scale);
            pack(h.weight, score);
        }
    }
    wait_for(&s.v_full[(tiles - 1) % DEPTH], (tiles - 1) / DEPTH % 2);
    products_begin();
    mix(h, s.v[(tiles - 1) % DEPTH]);
    products_commit();
    products_wait();
    store(j, h, pair, first_query + group * 64 + warp * 16 + lane / 4);
}

template <int DIM, int GROUPS>
static __device__ __forceinline__ void prepare(shared<DIM, GROUPS> &s)
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
    for (int i = threadIdx.x; i < DEPTH * ONES * FP8_KEYS / 4; i += 128 * (GROUPS + 1)) {
        int stage = i / (ONES * FP8_KEYS / 4), at = i % (ONES * FP8_KEYS / 4);
        *(unsigned *)(s.v[stage] + DIM * FP8_KEYS + at * 4) = 0x38383838; /* ones */
    }
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncthreads();
}
#endif

template <int DIM, int GROUPS, int FORM>
static __global__ void __launch_bounds__(128 * (GROUPS + 1), 1)
    fp8_kernel(const __grid_constant__ job j)
{
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    extern __shared__ __align__(1024) unsigned char memory[];
    shared<DIM, GROUPS> &s = *(shared<DIM, GROUPS> *)memory;
    int pair = (int)blockIdx.x / j.blocks, first = (int)blockIdx.x % j.blocks * GROUPS * 64;
    int tiles = (j.keys + FP8_KEYS - 1) / FP8_KEYS;

    prepare(s);
    if (threadIdx.x < 128) {
        if constexpr (GROUPS == 3)
            asm volatile("setmaxnreg.dec.sync.aligned.u32 32;");
        else
            asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
        if (threadIdx.x == 0)
            bring_all(j, s, pair, first, tiles);
    } else {
        if constexpr (GROUPS == 3)
            asm volatile("setmaxnreg.inc.sync.aligned.u32 160;");
        else
            asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
        attend<DIM, GROUPS, FORM>(j, s, pair, first, tiles);
    }
#endif
}

/* ---- choosing */

/* Whether this GPU is one whose own instructions the kernel was compiled for. */
static bool is_hopper(const void *kernel)
{
    struct cudaFuncAttributes attributes;
    if (cudaFuncGetAttributes(&attributes, kernel) != cudaSuccess) {
        cudaGetLastError();
        return false;
    }
    return attributes.binaryVersion == 90;
}

static bool is_long(const struct attention *a)
{
    return a->q->shape[1] >= 1024 && a->k->shape[1] >= 1024 && a->q->shape[1] < 1 << 30 &&
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
    size_t floats = (size_t)(5 + 2 * dim + FP8_SLICES * 7 * dim) * sizeof(float);
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
    o->scale = o->parts + n * FP8_SLICES * 7 * (size_t)dim;
    o->limit = o->scale + n * 2;
    return true;
}

template <int DIM, int GROUPS, int FORM> static bool run(const struct attention *a, struct job *j)
{
    int64_t pairs = a->q->shape[0] * a->q->shape[2], most = j->o.pairs;
    int blocks = (j->queries + GROUPS * 64 - 1) / (GROUPS * 64), size = sizeof(shared<DIM, GROUPS>);
    auto *kernel = fp8_kernel<DIM, GROUPS, FORM>;

    j->blocks = blocks;
    if (!cuda_ok(a->c,
                 cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, size),
                 "attention: shared memory"))
        return false;
    for (j->o.first = 0; j->o.first < pairs; j->o.first += most) {
        j->o.pairs = pairs - j->o.first < most ? pairs - j->o.first : most;
        if (!fp8_operands_make(a, &j->o))
            return false;
        kernel<<<(unsigned)(blocks * j->o.pairs), 128 * (GROUPS + 1), size, a->c->stream>>>(*j);
        if (!launched(a->c, "FP8 attention"))
            return false;
    }
    return true;
}

bool fp8_attention(const struct attention *a)
{
    int64_t dim = a->q->shape[3];
    struct job j = {};

    if (a->bias->precise || attention_biased(a) || !(a->scale > 0) ||
        a->q->shape[2] != a->k->shape[2] || (dim != 64 && dim != 128) || !is_long(a) ||
        !attention_aligned(a) || !is_hopper((const void *)fp8_kernel<128, 2, 0>) ||
        !make_room(a, &j.o))
        return false;
    j.out = a->out->data;
    j.item = a->out->stride[0];
    j.token = a->out->stride[1];
    j.head = a->out->stride[2];
    j.type = a->out->dtype;
    j.heads = (int)a->q->shape[2];
    j.queries = (int)a->q->shape[1];
    j.keys = (int)a->k->shape[1];
    const char *form = getenv("FORM");
    int f = form ? atoi(form) : 0;
    if (dim == 128)
        return f == 0   ? run<128, 2, 0>(a, &j)
               : f == 1 ? run<128, 3, 1>(a, &j)
               : f == 2 ? run<128, 3, 2>(a, &j)
                        : run<128, 2, 2>(a, &j);
    return f == 0   ? run<64, 3, 0>(a, &j)
           : f == 1 ? run<64, 2, 0>(a, &j)
           : f == 2 ? run<64, 3, 2>(a, &j)
                    : run<64, 2, 2>(a, &j);
}
