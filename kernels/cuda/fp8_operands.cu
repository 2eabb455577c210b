/* The operands of attention in FP8: one pass over q, k and v finds each number's extremes and mean
 * over the tokens, another writes bytes. */
#include "kernels/cuda/fp8_attention.cuh"
#include "kernels/cuda/numbers.cuh"

enum { THREADS = 256 };
enum { Q_MOST, K_SUM, K_LEAST, K_MOST, V_SUM, V_LEAST, V_MOST, PARTS };
static const float E4M3_MOST = 448, LOG2E = 1.44269504f;

struct view {
    const void *data;
    int64_t item, token, head; /* strides, in numbers */
};

struct job {
    struct view q, k, v;
    int type, heads, queries, keys;
    float scale;
    struct fp8_operands o;
};

static __device__ __forceinline__ int64_t start_of(const struct view &v, const struct job &j,
                                                   int64_t pair)
{
    pair += j.o.first;
    return pair / j.heads * v.item + pair % j.heads * v.head;
}

/* ---- extremes and sums, a slice of the tokens a block; a thread has eight numbers of some rows */

template <int DIM> struct columns {
    float sum[8], least[8], most[8];

    __device__ __forceinline__ void read(const struct job &j, const struct view &v, int64_t start,
                                         int tokens)
    {
        const int LANES = DIM / 8, ROWS = THREADS / LANES;
        int lane = threadIdx.x % LANES, row = threadIdx.x / LANES;
        int length = (tokens + FP8_SLICES - 1) / FP8_SLICES, from = blockIdx.x * length;
        int to = min(from + length, tokens);

#pragma unroll
        for (int i = 0; i < 8; i++) {
            sum[i] = 0;
            least[i] = INFINITY;
            most[i] = -INFINITY;
        }
#pragma unroll 4
        for (int t = from + row; t < to; t += ROWS) {
            float x[8];
            load_eight(v.data, j.type, start + t * v.token + lane * 8, x);
#pragma unroll
            for (int i = 0; i < 8; i++) {
                sum[i] += x[i];
                least[i] = fminf(least[i], x[i]);
                most[i] = fmaxf(most[i], x[i]);
            }
        }
    }

    /* Column c of the whole block's, by thread c. */
    static __device__ __forceinline__ float gather(float *shared, const float *own, int how)
    {
        const int LANES = DIM / 8, ROWS = THREADS / LANES;
        float all = 0;

        __syncthreads();
#pragma unroll
        for (int i = 0; i < 8; i++)
            shared[threadIdx.x / LANES * DIM + threadIdx.x % LANES * 8 + i] = own[i];
        __syncthreads();
        if (threadIdx.x < DIM) {
            all = shared[threadIdx.x];
            for (int r = 1; r < ROWS; r++) {
                float x = shared[r * DIM + threadIdx.x];
                all = how == 0 ? all + x : how < 0 ? fminf(all, x) : fmaxf(all, x);
            }
        }
        return all;
    }
};

template <int DIM>
static __global__ void __launch_bounds__(THREADS) measure_kernel(const struct job j)
{
    __shared__ float shared[THREADS * 8];
    columns<DIM> c;
    float *out = j.o.parts + ((int64_t)blockIdx.y * FP8_SLICES + blockIdx.x) * PARTS * DIM;
    int at = threadIdx.x;
    bool writes = at < DIM;

    c.read(j, j.q, start_of(j.q, j, blockIdx.y), j.queries);
    float most = c.gather(shared, c.most, 1), least = c.gather(shared, c.least, -1);
    if (writes)
        out[Q_MOST * DIM + at] = fmaxf(most, -least);
    for (int n = 0; n < 2; n++) {
        const struct view &v = n ? j.v : j.k;
        int first = n ? V_SUM : K_SUM;
        c.read(j, v, start_of(v, j, blockIdx.y), j.keys);
        float sum = c.gather(shared, c.sum, 0);
        least = c.gather(shared, c.least, -1);
        most = c.gather(shared, c.most, 1);
        if (writes) {
            out[first * DIM + at] = sum;
            out[(first + 1) * DIM + at] = least;
            out[(first + 2) * DIM + at] = most;
        }
    }
}

/* ---- means and scales of a head */

template <int DIM> static __device__ float block_sum(float x, float *shared)
{
    x = lanes_sum(x, 32);
    __syncthreads();
    if (threadIdx.x % 32 == 0)
        shared[threadIdx.x / 32] = x;
    __syncthreads();
    x = 0;
    for (int i = 0; i < DIM / 32; i++)
        x += shared[i];
    return x;
}

template <int DIM> static __device__ float block_max(float x, float *shared)
{
    x = lanes_max(x, 32);
    __syncthreads();
    if (threadIdx.x % 32 == 0)
        shared[threadIdx.x / 32] = x;
    __syncthreads();
    x = shared[0];
    for (int i = 1; i < DIM / 32; i++)
        x = fmaxf(x, shared[i]);
    return x;
}

static __device__ __forceinline__ float scale_to(float most)
{
    return most > 0 ? E4M3_MOST / most : 1;
}

/* No number of a turned vector is larger than the vector is long, nor is that longer than the
 * extremes of its numbers together. E4M3's steps are relative: room above costs no digits. */
template <int DIM> static __global__ void __launch_bounds__(DIM) scales_kernel(const struct job j)
{
    __shared__ float shared[DIM / 32];
    const float *in = j.o.parts + (int64_t)blockIdx.x * FP8_SLICES * PARTS * DIM + threadIdx.x;
    float all[PARTS];

    for (int p = 0; p < PARTS; p++)
        all[p] = in[p * DIM];
#pragma unroll 8
    for (int s = 1; s < FP8_SLICES; s++)
#pragma unroll
        for (int p = 0; p < PARTS; p++) {
            float x = in[(s * PARTS + p) * DIM];
            all[p] = p == K_SUM || p == V_SUM       ? all[p] + x
                     : p == K_LEAST || p == V_LEAST ? fminf(all[p], x)
                                                    : fmaxf(all[p], x);
        }
    float k_mean = all[K_SUM] / (float)j.keys, v_mean = all[V_SUM] / (float)j.keys;
    float k = fmaxf(all[K_MOST] - k_mean, k_mean - all[K_LEAST]);
    float v = fmaxf(all[V_MOST] - v_mean, v_mean - all[V_LEAST]);
    j.o.mean[(blockIdx.x * 2) * DIM + threadIdx.x] = k_mean;
    j.o.mean[(blockIdx.x * 2 + 1) * DIM + threadIdx.x] = v_mean;
    float by_q = scale_to(sqrtf(block_sum<DIM>(all[Q_MOST] * all[Q_MOST], shared)));
    float by_k = scale_to(sqrtf(block_sum<DIM>(k * k, shared)));
    float by_v = scale_to(block_max<DIM>(v, shared));
    if (threadIdx.x == 0) {
        j.o.limit[blockIdx.x * 3] = by_q;
        j.o.limit[blockIdx.x * 3 + 1] = by_k;
        j.o.limit[blockIdx.x * 3 + 2] = by_v;
        j.o.scale[blockIdx.x * 2] = j.scale * LOG2E / (by_q * by_k);
        j.o.scale[blockIdx.x * 2 + 1] = 1 / by_v;
    }
}

/* ---- bytes */

static __device__ __forceinline__ unsigned four_bytes(float a, float b, float c, float d)
{
    unsigned low = __nv_cvt_float2_to_fp8x2(make_float2(a, b), __NV_SATFINITE, __NV_E4M3);
    unsigned high = __nv_cvt_float2_to_fp8x2(make_float2(c, d), __NV_SATFINITE, __NV_E4M3);
    return low | high << 16;
}

/* Hadamard's matrix of DIM over its square root, on a vector that DIM / 8 threads hold. */
template <int DIM> static __device__ __forceinline__ void turn(float *x)
{
    int lane = threadIdx.x % (DIM / 8);

#pragma unroll
    for (int step = 1; step < 8; step *= 2)
#pragma unroll
        for (int i = 0; i < 8; i++)
            if (!(i & step)) {
                float a = x[i], b = x[i + step];
                x[i] = a + b;
                x[i + step] = a - b;
            }
#pragma unroll
    for (int step = 1; step < DIM / 8; step *= 2)
#pragma unroll
        for (int i = 0; i < 8; i++) {
            float other = __shfl_xor_sync(~0u, x[i], step);
            x[i] = lane & step ? other - x[i] : other + x[i];
        }
}

/* Rows first .. first + FP8_KEYS of a head's queries or keys; `by` includes what turn() leaves. */
template <int DIM>
static __device__ __forceinline__ void write_rows(const struct job &j, const struct view &v,
                                                  int64_t start, int tokens, int first,
                                                  const float *mean, float by, unsigned char *out)
{
    const int LANES = DIM / 8, ROWS = THREADS / LANES;
    int lane = threadIdx.x % LANES;
    float centre[8];

#pragma unroll
    for (int i = 0; i < 8; i++)
        centre[i] = mean ? mean[lane * 8 + i] : 0;
#pragma unroll 4
    for (int r = first + threadIdx.x / LANES; r < first + FP8_KEYS; r += ROWS) {
        float x[8] = {};
        if (r < tokens) {
            load_eight(v.data, j.type, start + r * v.token + lane * 8, x);
#pragma unroll
            for (int i = 0; i < 8; i++)
                x[i] = (x[i] - centre[i]) * by;
        }
        turn<DIM>(x);
        *(uint2 *)(out + (int64_t)r * DIM + fp8_chunk(r, lane / 2, DIM) * 16 + lane % 2 * 8) =
            make_uint2(four_bytes(x[0], x[1], x[2], x[3]), four_bytes(x[4], x[5], x[6], x[7]));
    }
}

/* A tile of values, turned: a thread has the four keys of a word, for sixteen numbers. */
template <int DIM>
static __device__ __forceinline__ void write_turned(const struct job &j, int64_t start, int first,
                                                    const float *mean, float by, unsigned char *out)
{
    int lane = threadIdx.x % 32;
    int key = first + lane / 8 * 32 + (lane / 4 & 1) * 16 + lane % 4 * 2; /* and +1, +8, +9 */

    for (int column = threadIdx.x / 32 * 16; column < DIM; column += THREADS / 32 * 16)
#pragma unroll
        for (int half = 0; half < 16; half += 8) {
            float x[4][8];
#pragma unroll
            for (int n = 0; n < 4; n++) {
                int at = key + n / 2 * 8 + n % 2;
                bool there = at < j.keys;
                load_eight(j.v.data, j.type, start + (there ? at : 0) * j.v.token + column + half,
                           x[n]);
#pragma unroll
                for (int i = 0; i < 8; i++)
                    x[n][i] = there ? (x[n][i] - mean[column + half + i]) * by : 0;
            }
#pragma unroll
            for (int i = 0; i < 8; i++) {
                int row = column + half + i;
                *(unsigned *)(out + row * FP8_KEYS + fp8_chunk(row, lane / 4, 128) * 16 +
                              lane % 4 * 4) = four_bytes(x[0][i], x[1][i], x[2][i], x[3][i]);
            }
        }
}

template <int DIM>
static __global__ void __launch_bounds__(THREADS) operands_kernel(const struct job j)
{
    int64_t pair = blockIdx.y, tile = blockIdx.x;
    int first = (int)tile * FP8_KEYS;
    const float *limit = j.o.limit + pair * 3, *mean = j.o.mean + pair * 2 * DIM;
    float turned = rsqrtf((float)DIM);

    if (first < j.o.query_rows)
        write_rows<DIM>(j, j.q, start_of(j.q, j, pair), j.queries, first, NULL, limit[0] * turned,
                        j.o.q + pair * j.o.query_rows * DIM);
    if (first >= j.o.key_rows)
        return;
    write_rows<DIM>(j, j.k, start_of(j.k, j, pair), j.keys, first, mean, limit[1] * turned,
                    j.o.k + pair * j.o.key_rows * DIM);
    write_turned<DIM>(j, start_of(j.v, j, pair), first, mean + DIM, limit[2],
                      j.o.v + (pair * j.o.key_rows + first) * DIM);
}

/* ---- all of it */

static struct view view_of(const struct tensor *t)
{
    return {t->data, t->stride[0], t->stride[1], t->stride[2]};
}

template <int DIM> static bool make(struct context *c, const struct job *j)
{
    int64_t rows = j->o.query_rows > j->o.key_rows ? j->o.query_rows : j->o.key_rows;
    dim3 slices(FP8_SLICES, (unsigned)j->o.pairs);
    dim3 tiles((unsigned)(rows / FP8_KEYS), (unsigned)j->o.pairs);

    measure_kernel<DIM><<<slices, THREADS, 0, c->stream>>>(*j);
    scales_kernel<DIM><<<(unsigned)j->o.pairs, DIM, 0, c->stream>>>(*j);
    operands_kernel<DIM><<<tiles, THREADS, 0, c->stream>>>(*j);
    return launched(c, "FP8 operands");
}

bool fp8_operands_make(const struct attention *a, const struct fp8_operands *o)
{
    struct job j = {};

    j.q = view_of(a->q);
    j.k = view_of(a->k);
    j.v = view_of(a->v);
    j.type = a->q->dtype;
    j.heads = (int)a->q->shape[2];
    j.queries = (int)a->q->shape[1];
    j.keys = (int)a->k->shape[1];
    j.scale = a->scale;
    j.o = *o;
    return a->q->shape[3] == 128 ? make<128>(a->c, &j) : make<64>(a->c, &j);
}
