/* The operands of attention in 8 bits: one pass over k and v finds each number's mean and extremes
 * over the tokens, another over all three writes bytes. */
#include "kernels/cuda/fp8_attention.cuh"
#include "kernels/cuda/numbers.cuh"

enum { THREADS = 256 };
enum { K_SUM, V_SUM, V_LEAST, V_MOST };
static const float E4M3_MOST = 448, LOG2E = 1.44269504f;
/* Of zeros: a hidden score is -INFINITY, times two of these as well. */
static const float LEAST_SCALE = 1e-18f;

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
    float *out = j.o.parts + ((int64_t)blockIdx.y * FP8_SLICES + blockIdx.x) * FP8_PARTS * DIM;
    int at = threadIdx.x;

    c.read(j, j.k, start_of(j.k, j, blockIdx.y), j.keys);
    float k_sum = c.gather(shared, c.sum, 0);
    c.read(j, j.v, start_of(j.v, j, blockIdx.y), j.keys);
    float v_sum = c.gather(shared, c.sum, 0), least = c.gather(shared, c.least, -1);
    float most = c.gather(shared, c.most, 1);
    if (at < DIM) {
        out[K_SUM * DIM + at] = k_sum;
        out[V_SUM * DIM + at] = v_sum;
        out[V_LEAST * DIM + at] = least;
        out[V_MOST * DIM + at] = most;
    }
}

/* ---- means and scales of a head */

static __device__ float block_max(float x, float *shared, int warps)
{
    x = lanes_max(x, 32);
    __syncthreads();
    if (threadIdx.x % 32 == 0)
        shared[threadIdx.x / 32] = x;
    __syncthreads();
    x = shared[0];
    for (int i = 1; i < warps; i++)
        x = fmaxf(x, shared[i]);
    return x;
}

template <int DIM> static __global__ void __launch_bounds__(DIM) scales_kernel(const struct job j)
{
    __shared__ float shared[DIM / 32];
    const float *in = j.o.parts + (int64_t)blockIdx.x * FP8_SLICES * FP8_PARTS * DIM + threadIdx.x;
    float k_sum = 0, v_sum = 0, least = INFINITY, most = -INFINITY;

#pragma unroll 8
    for (int s = 0; s < FP8_SLICES; s++, in += FP8_PARTS * DIM) {
        k_sum += in[K_SUM * DIM];
        v_sum += in[V_SUM * DIM];
        least = fminf(least, in[V_LEAST * DIM]);
        most = fmaxf(most, in[V_MOST * DIM]);
    }
    float mean = v_sum / (float)j.keys;
    j.o.mean[(blockIdx.x * 2) * DIM + threadIdx.x] = k_sum / (float)j.keys;
    j.o.mean[(blockIdx.x * 2 + 1) * DIM + threadIdx.x] = mean;
    most = block_max(fmaxf(most - mean, mean - least), shared, DIM / 32);
    if (threadIdx.x == 0)
        j.o.v_scale[blockIdx.x] = most > 0 ? most / E4M3_MOST : 1;
}

/* ---- bytes */

static __device__ __forceinline__ unsigned four_bytes(float a, float b, float c, float d)
{
    unsigned low = __nv_cvt_float2_to_fp8x2(make_float2(a, b), __NV_SATFINITE, __NV_E4M3);
    unsigned high = __nv_cvt_float2_to_fp8x2(make_float2(c, d), __NV_SATFINITE, __NV_E4M3);
    return low | high << 16;
}

/* Rounded by the addition of a number so large that a float ends there. */
static __device__ __forceinline__ unsigned four_integers(const float *x, float by)
{
    unsigned n[4];
#pragma unroll
    for (int i = 0; i < 4; i++)
        n[i] = __float_as_uint(fmaf(x[i], by, 12582912.0f));
    return __byte_perm(__byte_perm(n[0], n[1], 0x0040), __byte_perm(n[2], n[3], 0x0040), 0x5410);
}

/* Hadamard's matrix of DIM times its square root, on a vector that DIM / 8 threads hold. */
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
    for (int step = 1; step < DIM / 8; step *= 2) {
        float sign = lane & step ? -1.0f : 1.0f;
#pragma unroll
        for (int i = 0; i < 8; i++)
            x[i] = fmaf(sign, x[i], __shfl_xor_sync(~0u, x[i], step));
    }
}

/* Eight numbers of row r of a head, centred and turned; zeros beyond the last token. */
template <int DIM>
static __device__ __forceinline__ void turned_row(const struct job &j, const struct view &v,
                                                  int64_t start, int tokens, int r,
                                                  const float *centre, float *x)
{
    int lane = threadIdx.x % (DIM / 8);

#pragma unroll
    for (int i = 0; i < 8; i++)
        x[i] = 0;
    if (r < tokens) {
        load_eight(v.data, j.type, start + r * v.token + lane * 8, x);
#pragma unroll
        for (int i = 0; i < 8; i++)
            x[i] -= centre[i];
    }
    turn<DIM>(x);
}

static __device__ __forceinline__ float largest_of(const float *x)
{
    float most = 0;
#pragma unroll
    for (int i = 0; i < 8; i++)
        most = fmaxf(most, fabsf(x[i]));
    return most;
}

template <int DIM>
static __device__ __forceinline__ void write_row(unsigned char *out, int r, const float *x,
                                                 float by)
{
    int lane = threadIdx.x % (DIM / 8);
    *(uint2 *)(out + (int64_t)r * DIM + fp8_chunk(r, lane / 2, DIM) * 16 + lane % 2 * 8) =
        make_uint2(four_integers(x, by), four_integers(x + 4, by));
}

/* Rows first .. first + FP8_KEYS of a head's queries, each with a scale of its own. */
template <int DIM>
static __device__ __forceinline__ void write_queries(const struct job &j, int64_t pair, int first)
{
    const int LANES = DIM / 8, ROWS = THREADS / LANES;
    const float centre[8] = {};
    int64_t start = start_of(j.q, j, pair);

#pragma unroll 4
    for (int r = first + threadIdx.x / LANES; r < first + FP8_KEYS; r += ROWS) {
        float x[8];
        turned_row<DIM>(j, j.q, start, j.queries, r, centre, x);
        float most = lanes_max(largest_of(x), LANES);
        write_row<DIM>(j.o.q + pair * j.o.query_rows * DIM, r, x, most > 0 ? 127 / most : 0);
        if (threadIdx.x % LANES == 0) /* both sides are turned sqrt(DIM) too long */
            j.o.q_scale[pair * j.o.query_rows + r] =
                fmaxf(most / 127 * j.scale * LOG2E / DIM, LEAST_SCALE);
    }
}

/* The same of its keys, with one scale. */
template <int DIM>
static __device__ __forceinline__ void write_keys(const struct job &j, int64_t pair, int first,
                                                  const float *mean, float *shared)
{
    const int LANES = DIM / 8, ROWS = THREADS / LANES, TURNS = FP8_KEYS / ROWS;
    int row = first + threadIdx.x / LANES;
    int64_t start = start_of(j.k, j, pair);
    float centre[8], x[TURNS][8], most = 0;

#pragma unroll
    for (int i = 0; i < 8; i++)
        centre[i] = mean[threadIdx.x % LANES * 8 + i];
#pragma unroll
    for (int n = 0; n < TURNS; n++) {
        int r = row + n * ROWS;
        turned_row<DIM>(j, j.k, start, j.keys, r, centre, x[n]);
        most = fmaxf(most, r < j.keys ? largest_of(x[n]) : 0);
    }
    most = block_max(most, shared, THREADS / 32);
#pragma unroll
    for (int n = 0; n < TURNS; n++) {
        int r = row + n * ROWS;
        write_row<DIM>(j.o.k + pair * j.o.key_rows * DIM, r, x[n],
                       most > 0 && r < j.keys ? 127 / most : 0);
    }
    if (threadIdx.x == 0)
        j.o.k_scale[(pair * j.o.key_rows + first) / FP8_KEYS] = fmaxf(most / 127, LEAST_SCALE);
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

enum { QUERIES, KEYS, VALUES };
template <int DIM, int OF>
static __global__ void __launch_bounds__(THREADS) operands_kernel(const struct job j)
{
    __shared__ float shared[THREADS / 32];
    int64_t pair = blockIdx.y;
    int first = (int)blockIdx.x * FP8_KEYS;
    const float *mean = j.o.mean + pair * 2 * DIM;

    if (OF == QUERIES)
        write_queries<DIM>(j, pair, first);
    else if (OF == KEYS)
        write_keys<DIM>(j, pair, first, mean, shared);
    else
        write_turned<DIM>(j, start_of(j.v, j, pair), first, mean + DIM, 1 / j.o.v_scale[pair],
                          j.o.v + (pair * j.o.key_rows + first) * DIM);
}

/* ---- all of it */

static struct view view_of(const struct tensor *t)
{
    return {t->data, t->stride[0], t->stride[1], t->stride[2]};
}

template <int DIM> static bool make(struct context *c, const struct job *j)
{
    dim3 slices(FP8_SLICES, (unsigned)j->o.pairs);
    dim3 queries((unsigned)(j->o.query_rows / FP8_KEYS), (unsigned)j->o.pairs);
    dim3 keys((unsigned)(j->o.key_rows / FP8_KEYS), (unsigned)j->o.pairs);

    measure_kernel<DIM><<<slices, THREADS, 0, c->stream>>>(*j);
    scales_kernel<DIM><<<(unsigned)j->o.pairs, DIM, 0, c->stream>>>(*j);
    operands_kernel<DIM, QUERIES><<<queries, THREADS, 0, c->stream>>>(*j);
    operands_kernel<DIM, KEYS><<<keys, THREADS, 0, c->stream>>>(*j);
    operands_kernel<DIM, VALUES><<<keys, THREADS, 0, c->stream>>>(*j);
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
