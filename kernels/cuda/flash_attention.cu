/* Fused attention of our own, from sm_80 on: halves, heads of up to 128 numbers, with every bias.
 * A block of threads holds some queries of one head in registers' reach and walks over the keys, a
 * tile at a time (Dao, FlashAttention-2, 2023): scores by mma, softmax in F32 with a running
 * maximum, weights rounded to halves as the operands of the second product. */
#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/numbers.cuh"

struct view {
    void *data;
    int64_t item, token, head; /* strides, in numbers */
};

struct job {
    struct view q, k, v, out;
    int queries, keys, heads, sharing, dim, blocks; /* blocks of queries */
    float scale;                                    /* times log2(e): exponents are of two here */
    const float *key, *relative;
    bool causal;
};

static const float LOG2E = 1.44269504f;

/* ---- pieces of machine code */

static __device__ __forceinline__ unsigned shared_address(const void *p)
{
    return (unsigned)__cvta_generic_to_shared(p);
}

/* Sixteen bytes on their way to shared memory, or zeros. */
static __device__ __forceinline__ void copy_chunk(unsigned to, const void *from, bool there)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from),
                 "r"(there ? 16 : 0));
}

static __device__ __forceinline__ void commit_copies()
{
    asm volatile("cp.async.commit_group;");
}

template <int LEFT> static __device__ __forceinline__ void wait_copies()
{
    asm volatile("cp.async.wait_group %0;" ::"n"(LEFT));
}

static __device__ __forceinline__ void load_matrices(unsigned *r, unsigned at)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at));
}

static __device__ __forceinline__ void load_turned(unsigned *r, unsigned at)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at));
}

/* d[16, 8] += a[16, 16] b[16, 8] */
template <typename HALF>
static __device__ __forceinline__ void multiply(float *d, const unsigned *a, const unsigned *b)
{
    if constexpr (sizeof(HALF) == sizeof(__half) && std::is_same<HALF, __half>::value)
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                     "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    else
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                     "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

template <typename HALF> static __device__ __forceinline__ unsigned pair_of(float a, float b)
{
    if constexpr (std::is_same<HALF, __half>::value) {
        __half2 h = __floats2half2_rn(a, b);
        return *(unsigned *)&h;
    } else {
        __nv_bfloat162 h = __floats2bfloat162_rn(a, b);
        return *(unsigned *)&h;
    }
}

/* ---- the kernel: WARPS x 32 queries, KEYS keys a tile, DIM numbers a head or fewer */

template <typename HALF, int DIM, int WARPS, int KEYS> struct tile {
    static const int QUERIES = WARPS * 32, THREADS = WARPS * 32, CHUNKS = DIM / 8;
    static const int WINDOW = QUERIES + KEYS; /* distances that a tile of scores has */
    HALF q[QUERIES * DIM], k[KEYS * DIM], v[KEYS * DIM];
    float key[KEYS], relative[WINDOW];

    /* Where chunk c of row r lies: eight rows' same chunk fall on different banks. */
    static __device__ __forceinline__ unsigned at(int r, int c)
    {
        return (unsigned)(r * DIM + ((c ^ (r & 7)) * 8)) * (unsigned)sizeof(HALF);
    }

    /* Rows first .. of a head; what lies beyond its end is zeros. */
    template <int ROWS>
    static __device__ __forceinline__ void fetch(HALF *to, const HALF *from, int64_t stride,
                                                 int first, int end, int dim)
    {
        unsigned base = shared_address(to);
        for (int i = threadIdx.x; i < ROWS * CHUNKS; i += THREADS) {
            int r = i / CHUNKS, c = i % CHUNKS;
            bool there = first + r < end && c * 8 < dim;
            copy_chunk(base + at(r, c), there ? from + (first + r) * stride + c * 8 : from, there);
        }
    }
};

/* What a thread holds of its warp's 32 queries: two fragments of 16 rows, of which it has four
 * rows in all, and in each two of every eight columns. */
template <int KEYS, int DIM> struct held {
    float score[2][KEYS / 8][4], out[2][DIM / 8][4];
    float most[2][2], sum[2][2];
};

template <typename HALF, int DIM, int WARPS, int KEYS>
static __device__ __forceinline__ void score(tile<HALF, DIM, WARPS, KEYS> &t, held<KEYS, DIM> &h)
{
    using T = tile<HALF, DIM, WARPS, KEYS>;
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    unsigned q = shared_address(t.q), k = shared_address(t.k);

#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                h.score[m][n][i] = 0;
#pragma unroll
    for (int s = 0; s < DIM / 16; s++) {
        unsigned a[2][4], b[4];
#pragma unroll
        for (int m = 0; m < 2; m++)
            load_matrices(a[m], q + T::at(warp * 32 + m * 16 + lane % 16, s * 2 + lane / 16));
#pragma unroll
        for (int n = 0; n < KEYS / 16; n++) {
            load_matrices(b, k + T::at(n * 16 + lane / 16 * 8 + lane % 8, s * 2 + (lane / 8 & 1)));
#pragma unroll
            for (int m = 0; m < 2; m++) {
                multiply<HALF>(h.score[m][2 * n], a[m], b);
                multiply<HALF>(h.score[m][2 * n + 1], a[m], b + 2);
            }
        }
    }
}

template <typename HALF, int DIM, int WARPS, int KEYS>
static __device__ __forceinline__ void mix(tile<HALF, DIM, WARPS, KEYS> &t, held<KEYS, DIM> &h)
{
    using T = tile<HALF, DIM, WARPS, KEYS>;
    int lane = threadIdx.x % 32;
    unsigned v = shared_address(t.v);

#pragma unroll
    for (int s = 0; s < KEYS / 16; s++) {
        unsigned a[2][4], b[4];
#pragma unroll
        for (int m = 0; m < 2; m++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                a[m][i] = pair_of<HALF>(h.score[m][2 * s + i / 2][i % 2 * 2],
                                        h.score[m][2 * s + i / 2][i % 2 * 2 + 1]);
#pragma unroll
        for (int n = 0; n < DIM / 16; n++) {
            load_turned(b, v + T::at(s * 16 + lane % 16, n * 2 + lane / 16));
#pragma unroll
            for (int m = 0; m < 2; m++) {
                multiply<HALF>(h.out[m][2 * n], a[m], b);
                multiply<HALF>(h.out[m][2 * n + 1], a[m], b + 2);
            }
        }
    }
}

/* Scores to exponents of two, with whatever is added to them and without what is hidden. */
template <typename HALF, int DIM, int WARPS, int KEYS>
static __device__ __forceinline__ void add_bias(const job &j, tile<HALF, DIM, WARPS, KEYS> &t,
                                                held<KEYS, DIM> &h, int row, int first_query,
                                                int first_key)
{
    int column = threadIdx.x % 4 * 2, last = j.keys - first_key; /* keys of this tile */
    bool cut = last < KEYS || (j.causal && first_key + KEYS > j.keys - j.queries + first_query);

#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int r = row + m * 16 + half * 8, seen = last;
            if (j.causal)
                seen = min(seen, j.keys - j.queries + first_query + r + 1 - first_key);
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
                for (int i = 0; i < 2; i++) {
                    int k = n * 8 + column + i;
                    float *s = &h.score[m][n][half * 2 + i];
                    *s *= j.scale;
                    if (j.key)
                        *s += t.key[k];
                    if (j.relative)
                        *s += t.relative[k - r + tile<HALF, DIM, WARPS, KEYS>::QUERIES - 1];
                    if (cut && k >= seen)
                        *s = -INFINITY;
                }
        }
}

template <int KEYS, int DIM> static __device__ __forceinline__ void soften(held<KEYS, DIM> &h)
{
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float most = h.most[m][half], sum = 0;
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
                most = fmaxf(most, fmaxf(h.score[m][n][half * 2], h.score[m][n][half * 2 + 1]));
            most = fmaxf(most, __shfl_xor_sync(~0u, most, 1));
            most = fmaxf(most, __shfl_xor_sync(~0u, most, 2));
            float from = most == -INFINITY ? 0 : most; /* a row that has seen nothing yet */
            float shrink = power_of_two(h.most[m][half] - from);
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
                for (int i = 0; i < 2; i++) {
                    float *s = &h.score[m][n][half * 2 + i];
                    *s = power_of_two(*s - from);
                    sum += *s;
                }
            h.sum[m][half] = h.sum[m][half] * shrink + sum;
            h.most[m][half] = most;
#pragma unroll
            for (int n = 0; n < DIM / 8; n++) {
                h.out[m][n][half * 2] *= shrink;
                h.out[m][n][half * 2 + 1] *= shrink;
            }
        }
}

template <typename HALF, int KEYS, int DIM>
static __device__ __forceinline__ void store(const job &j, const held<KEYS, DIM> &h, HALF *out,
                                             int query)
{
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float sum = h.sum[m][half];
            int row = query + m * 16 + half * 8;
            sum += __shfl_xor_sync(~0u, sum, 1);
            sum += __shfl_xor_sync(~0u, sum, 2);
            if (row >= j.queries)
                continue;
#pragma unroll
            for (int n = 0; n < DIM / 8; n++)
                if (n * 8 < j.dim)
                    *(unsigned *)(out + row * j.out.token + n * 8 + threadIdx.x % 4 * 2) =
                        pair_of<HALF>(h.out[m][n][half * 2] / sum, h.out[m][n][half * 2 + 1] / sum);
        }
}

template <typename HALF, int DIM, int WARPS, int KEYS>
static __global__ void __launch_bounds__(WARPS * 32) flash_kernel(const __grid_constant__ job j)
{
    using T = tile<HALF, DIM, WARPS, KEYS>;
    extern __shared__ __align__(128) unsigned char memory[];
    T &t = *(T *)memory;
    unsigned n = blockIdx.x;
    /* Blocks of later queries first: under a causal mask they have the most to do. */
    int first_query = (j.blocks - 1 - (int)(n % j.blocks)) * T::QUERIES;
    int head = (int)(n / j.blocks % j.heads);
    int64_t item = n / j.blocks / j.heads;
    const HALF *q = (const HALF *)j.q.data + item * j.q.item + head * j.q.head;
    const HALF *k = (const HALF *)j.k.data + item * j.k.item + head / j.sharing * j.k.head;
    const HALF *v = (const HALF *)j.v.data + item * j.v.item + head / j.sharing * j.v.head;
    HALF *out = (HALF *)j.out.data + item * j.out.item + head * j.out.head;
    int row = threadIdx.x / 32 * 32 + threadIdx.x % 32 / 4, end = j.keys; /* row of the tile */
    held<KEYS, DIM> h;

    if (j.causal)
        end = min(end, j.keys - j.queries + first_query + T::QUERIES);
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            h.most[m][half] = -INFINITY;
            h.sum[m][half] = 0;
#pragma unroll
            for (int i = 0; i < DIM / 8; i++)
                h.out[m][i][half * 2] = h.out[m][i][half * 2 + 1] = 0;
        }
    T::template fetch<T::QUERIES>(t.q, q, j.q.token, first_query, j.queries, j.dim);
    T::template fetch<KEYS>(t.k, k, j.k.token, 0, j.keys, j.dim);
    commit_copies();
    for (int first = 0; first < end; first += KEYS) {
        T::template fetch<KEYS>(t.v, v, j.v.token, first, j.keys, j.dim);
        commit_copies();
        if (j.key)
            for (int i = threadIdx.x; i < KEYS; i += T::THREADS)
                t.key[i] = first + i < j.keys ? j.key[first + i] * LOG2E : 0;
        if (j.relative)
            for (int i = threadIdx.x; i < T::WINDOW; i += T::THREADS) {
                int at = first + i - T::QUERIES + 1 - first_query + j.queries - 1;
                bool there = at >= 0 && at < j.queries + j.keys - 1;
                const float *of_head = j.relative + (int64_t)head * (j.queries + j.keys - 1);
                t.relative[i] = there ? of_head[at] * LOG2E : 0;
            }
        wait_copies<1>();
        __syncthreads();
        score(t, h);
        __syncthreads();
        if (first + KEYS < end)
            T::template fetch<KEYS>(t.k, k, j.k.token, first + KEYS, j.keys, j.dim);
        commit_copies();
        add_bias(j, t, h, row, first_query, first);
        soften(h);
        wait_copies<1>();
        __syncthreads();
        mix(t, h);
        __syncthreads();
    }
    store<HALF>(j, h, out, first_query + row);
}

/* ---- choosing */

static struct view view_of(const struct tensor *t)
{
    return {t->data, t->stride[0], t->stride[1], t->stride[2]};
}

template <typename HALF, int DIM, int WARPS, int KEYS>
static bool run(const struct attention *a, struct job *j)
{
    using T = tile<HALF, DIM, WARPS, KEYS>;
    auto *kernel = flash_kernel<HALF, DIM, WARPS, KEYS>;
    int64_t blocks = (a->q->shape[1] + T::QUERIES - 1) / T::QUERIES;

    if (blocks * a->q->shape[0] * a->q->shape[2] > INT32_MAX)
        return false;
    j->blocks = (int)blocks;
    if (!cuda_ok(a->c,
                 cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      (int)sizeof(T)),
                 "attention: shared memory"))
        return false;
    kernel<<<(unsigned)(blocks * a->q->shape[0] * a->q->shape[2]), T::THREADS, sizeof(T),
             a->c->stream>>>(*j);
    return launched(a->c, "attention");
}

template <typename HALF> static bool run_any(const struct attention *a, struct job *j)
{
    bool few = j->queries <= 32; /* a warp has them all: many small items */

    if (j->dim <= 64)
        return few ? run<HALF, 64, 1, 32>(a, j) : run<HALF, 64, 4, 64>(a, j);
    return few ? run<HALF, 128, 1, 32>(a, j) : run<HALF, 128, 4, 64>(a, j);
}

bool flash_attention(const struct attention *a)
{
    struct job j = {};

    if (a->q->shape[3] > 128 || !attention_aligned(a) || a->q->shape[1] > INT32_MAX / 2 ||
        a->k->shape[1] > INT32_MAX / 2)
        return false;
    j.q = view_of(a->q);
    j.k = view_of(a->k);
    j.v = view_of(a->v);
    j.out = view_of(a->out);
    j.queries = (int)a->q->shape[1];
    j.keys = (int)a->k->shape[1];
    j.heads = (int)a->q->shape[2];
    j.sharing = (int)(a->q->shape[2] / a->k->shape[2]);
    j.dim = (int)a->q->shape[3];
    j.scale = a->scale * LOG2E;
    j.key = (const float *)a->bias->key.data;
    j.relative = (const float *)a->bias->relative.data;
    j.causal = a->bias->causal;
    return a->q->dtype == DTYPE_F16 ? run_any<__half>(a, &j) : run_any<__nv_bfloat16>(a, &j);
}
