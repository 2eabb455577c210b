/* Operations on whole rows: a block, or a warp or a part of one where they are narrow, holds one in
 * registers, reads it once and writes it once. What goes to a layer with FP8 weights is written as
 * such, with the row's scale. */
#include "kernels/cuda/numbers.cuh"

enum row_work { ROW_LAYER, ROW_RMS, ROW_ACT, ROW_GLU };
/* How x and y are read: a chunk at a time whatever they are, or all chunks at once where they are
 * of one width and lie well, so that their loads are under way together. */
enum reading { READ_ANY, READ_HALVES, READ_F32 };
enum { MOST_THREADS = 512, MOST_CHUNKS = 8 };
/* Rows of at most a warp's NARROW_CHUNKS chunks a thread. Those of 8, 16 or 32 threads' FIVE, as
 * U-Nets and their kin have them (320, 640 and 1280 numbers), leave no thread idle. */
enum { NARROW_CHUNKS = 2, FIVE = 5, NARROW_THREADS = 256 };
static_assert(MOST_THREADS * MOST_CHUNKS * CHUNK >= F8_MAX_COLUMNS, "every F8 row fits a block");

struct row_job {
    struct domain shape;
    struct operand out, x, y; /* y: x is multiplied with its activation */
    struct vector weight, bias;
    float eps;
    int act;
    float *scales;   /* of out, F8 */
    int64_t out_row; /* its row stride: the row behind k of them has scale k */
    bool aligned;
};

/* Over the blockDim.x threads of a row. */
static __device__ __forceinline__ float block_sum(float v, float *shared)
{
    int lanes = (int)blockDim.x, warps = lanes / 32;

    v = lanes_sum(v, lanes < 32 ? lanes : 32);
    if (lanes <= 32)
        return v;
    if (threadIdx.x % 32 == 0)
        shared[threadIdx.x / 32] = v;
    __syncthreads();
    v = 0;
    for (int i = 0; i < warps; i++)
        v += shared[i];
    return v;
}

static __device__ __forceinline__ float block_max(float v, float *shared)
{
    int lanes = (int)blockDim.x, warps = lanes / 32;

    v = lanes_max(v, lanes < 32 ? lanes : 32);
    if (lanes <= 32)
        return v;
    if (threadIdx.x % 32 == 0)
        shared[threadIdx.x / 32] = v;
    __syncthreads();
    v = shared[0];
    for (int i = 1; i < warps; i++)
        v = fmaxf(v, shared[i]);
    return v;
}

/* Eight numbers divided by the scale. */
static __device__ __forceinline__ void store_f8(void *data, int64_t i, const float *v,
                                                float inverse)
{
    __nv_fp8x2_storage_t pair[4];

#pragma unroll
    for (int k = 0; k < 4; k++)
        pair[k] = __nv_cvt_float2_to_fp8x2(make_float2(v[2 * k] * inverse, v[2 * k + 1] * inverse),
                                           __NV_SATFINITE, __NV_E4M3);
    *(uint2 *)((uint8_t *)data + i) =
        make_uint2(pair[0] | (uint32_t)pair[1] << 16, pair[2] | (uint32_t)pair[3] << 16);
}

/* Calls body with i, the thread's chunk, and column, where it begins. */
#define EACH_CHUNK(...)                                                                            \
    _Pragma("unroll") for (int i = 0; i < CHUNKS; i++)                                             \
    {                                                                                              \
        int column = ((int)threadIdx.x + i * (int)blockDim.x) * CHUNK;                             \
        if (column < columns) {                                                                    \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define EACH_NUMBER _Pragma("unroll") for (int k = 0; k < CHUNK; k++)
#define WIDTH       (READ != READ_ANY || columns - column >= CHUNK ? CHUNK : columns - column)

static __device__ __forceinline__ float2 pair_of(uint32_t raw, int type)
{
    return type == DTYPE_F16 ? __half22float2(*(const __half2 *)&raw)
                             : __bfloat1622float2(*(const __nv_bfloat162 *)&raw);
}

/* A thread's share of a row; zeros beyond its end. */
template <int READ, int CHUNKS>
static __device__ __forceinline__ void read_row(const struct operand &x, int64_t from, int columns,
                                                bool aligned, float (*v)[CHUNK])
{
    if (READ == READ_HALVES) {
        uint4 raw[CHUNKS] = {};
        EACH_CHUNK(raw[i] = *(const uint4 *)((const __half *)x.data + from + column);)
#pragma unroll
        for (int i = 0; i < CHUNKS; i++) {
            const uint32_t part[4] = {raw[i].x, raw[i].y, raw[i].z, raw[i].w};
#pragma unroll
            for (int k = 0; k < 4; k++) {
                float2 two = pair_of(part[k], x.type);
                v[i][2 * k] = two.x, v[i][2 * k + 1] = two.y;
            }
        }
    } else if (READ == READ_F32) {
        EACH_CHUNK(const float4 *p = (const float4 *)((const float *)x.data + from + column);
                   ((float4 *)v[i])[0] = p[0]; ((float4 *)v[i])[1] = p[1];)
    } else {
        EACH_CHUNK(load_chunk(x.data, x.type, from + column, WIDTH, aligned, v[i]);)
    }
}

/* v = (v - mean) * scale * weight + bias, as the job has them. */
template <int READ, int CHUNKS>
static __device__ __forceinline__ void normalise(const struct row_job &j, float (*v)[CHUNK],
                                                 int64_t row, float mean, float scale)
{
    int columns = (int)j.shape.columns;
    const float *weight = j.weight.data + vector_row(j.weight, row) * columns;
    const float *bias = j.bias.data + vector_row(j.bias, row) * columns;
    float w[CHUNK], b[CHUNK];

    if (READ != READ_ANY && j.weight.data && j.bias.data) {
        EACH_CHUNK(load_eight(weight, DTYPE_F32, column, w); load_eight(bias, DTYPE_F32, column, b);
                   EACH_NUMBER v[i][k] = (v[i][k] - mean) * (w[k] * scale) + b[k];)
        return;
    }
    EACH_CHUNK(EACH_NUMBER v[i][k] = (v[i][k] - mean) * scale;)
    if (j.weight.data)
        EACH_CHUNK(load_chunk(weight, DTYPE_F32, column, WIDTH, j.aligned, w);
                   EACH_NUMBER v[i][k] *= w[k];)
    if (j.bias.data)
        EACH_CHUNK(load_chunk(bias, DTYPE_F32, column, WIDTH, j.aligned, b);
                   EACH_NUMBER v[i][k] += b[k];)
}

template <int WORK, int CHUNKS, int READ>
static __global__ void __launch_bounds__(MOST_THREADS)
    row_kernel(const __grid_constant__ struct row_job j)
{
    __shared__ float shared[3][MOST_THREADS / 32];
    int64_t row = (int64_t)blockIdx.x * blockDim.y + threadIdx.y;
    bool real = row < j.shape.rows; /* else it only keeps the others of its warp company */
    if (!real)
        row = j.shape.rows - 1;
    int64_t from = row_offset(j.shape, j.x, row), to = row_offset(j.shape, j.out, row);
    int columns = (int)j.shape.columns;
    float v[CHUNKS][CHUNK] = {}, mean = 0, scale = 1, sum = 0, most = 0;

    read_row<READ, CHUNKS>(j.x, from, columns, j.aligned, v);
    if (WORK == ROW_GLU) {
        float y[CHUNKS][CHUNK] = {};
        read_row<READ, CHUNKS>(j.y, row_offset(j.shape, j.y, row), columns, j.aligned, y);
        if (j.act == ACT_GELU) /* what a gated unit writes here is FP8 */
            EACH_CHUNK(EACH_NUMBER v[i][k] *= gelu_of_halves(y[i][k]);)
        else
            EACH_CHUNK(EACH_NUMBER v[i][k] *= activate(j.act, y[i][k]);)
    } else if (WORK == ROW_ACT) {
        if (j.act != ACT_NONE)
            EACH_CHUNK(EACH_NUMBER v[i][k] = activate(j.act, v[i][k]);)
    } else {
        if (WORK == ROW_LAYER) {
            EACH_CHUNK(EACH_NUMBER sum += v[i][k];)
            mean = block_sum(sum, shared[0]) / (float)columns;
        }
        sum = 0;
        EACH_CHUNK(EACH_NUMBER if (READ != READ_ANY || k < WIDTH) sum +=
                   (v[i][k] - mean) * (v[i][k] - mean);)
        scale = 1.0f / sqrtf(block_sum(sum, shared[1]) / (float)columns + j.eps);
        normalise<READ, CHUNKS>(j, v, row, mean, scale);
    }
    if (!j.scales) {
        EACH_CHUNK(if (real) store_chunk(j.out.data, j.out.type, to + column, WIDTH,
                                         READ != READ_ANY || j.aligned, v[i]);)
        return;
    }
    EACH_CHUNK(EACH_NUMBER most = fmaxf(most, fabsf(v[i][k]));)
    most = fmaxf(block_max(most, shared[2]), 1e-30f); /* as kernels/f8.h */
    float inverse = 448.0f / most;
    EACH_CHUNK(if (real) store_f8(j.out.data, to + column, v[i], inverse);)
    if (real && threadIdx.x == 0)
        j.scales[divide(to, j.out_row)] = most / 448.0f;
}

static bool vector_lies_well(const struct vector *v)
{
    return ((uintptr_t)v->data & 15) == 0;
}

/* Whether numbers may be read 16 bytes at a time; FP8 cannot. */
static bool lies_well(const struct row_job *j, const struct operand *o)
{
    bool well = ((uintptr_t)o->data & 15) == 0 && (!o->data || o->type <= DTYPE_BF16);

    for (int i = 0; i < j->shape.axes; i++)
        well = well && ((size_t)o->stride[i] * size_of(o->type) & 15) == 0;
    return well;
}

/* Some rows a block, each of so many threads. */
template <int WORK, int CHUNKS>
static void launch_narrow(cudaStream_t stream, const struct row_job *j, int lanes)
{
    int64_t each = NARROW_THREADS / lanes;

    row_kernel<WORK, CHUNKS, READ_HALVES>
        <<<(unsigned)((j->shape.rows + each - 1) / each), dim3(lanes, each), 0, stream>>>(*j);
}

template <int WORK>
static void launch(cudaStream_t stream, const struct row_job *j, int chunks, enum reading read)
{
    unsigned rows = (unsigned)j->shape.rows;
    int four = ((chunks + 3) / 4 + 31) & ~31, eight = ((chunks + 7) / 8 + 31) & ~31;

    if (four > MOST_THREADS || read == READ_ANY)
        row_kernel<WORK, 8, READ_ANY><<<rows, eight, 0, stream>>>(*j);
    else if (read == READ_F32)
        row_kernel<WORK, 4, READ_F32><<<rows, four, 0, stream>>>(*j);
    else if (chunks == 8 * FIVE || chunks == 16 * FIVE || chunks == 32 * FIVE)
        launch_narrow<WORK, FIVE>(stream, j, chunks / FIVE);
    else if (chunks > 32 * NARROW_CHUNKS)
        row_kernel<WORK, 4, READ_HALVES><<<rows, four, 0, stream>>>(*j);
    else
        launch_narrow<WORK, NARROW_CHUNKS>(stream, j, 32);
}

/* How x, and y, may be read. */
static enum reading reading_of(const struct row_job *j)
{
    if (!j->aligned || j->shape.columns % CHUNK)
        return READ_ANY;
    bool wide = j->x.type == DTYPE_F32;
    if (j->y.data && wide != (j->y.type == DTYPE_F32))
        return READ_ANY;
    return wide ? READ_F32 : READ_HALVES;
}

/* False: rows of this form are others' (see rows_norm()). */
static bool run(struct context *c, enum row_work work, struct row_job *j, const struct tensor *out,
                const struct tensor *x, const struct tensor *y)
{
    const struct tensor *t[3] = {out, x, y};
    struct operand o[3];
    bool f8 = out->dtype == DTYPE_F8_E4M3;

    domain_of(&j->shape, o, t, 3, false);
    j->out = o[0];
    j->x = o[1];
    j->y = o[2];
    j->aligned = lies_well(j, &j->x) && lies_well(j, &j->y) && (f8 || lies_well(j, &j->out)) &&
                 vector_lies_well(&j->weight) && vector_lies_well(&j->bias) &&
                 j->shape.columns % 4 == 0;
    enum reading read = reading_of(j);
    bool fits = j->shape.columns <= MOST_THREADS * MOST_CHUNKS * CHUNK && j->shape.rows < 1LL << 31;
    if (f8 && !fits) { /* nobody else writes FP8 */
        c->host.fail(c->device, ERROR_INTERNAL, "FP8: %lld rows of %lld are too many",
                     (long long)j->shape.rows, (long long)j->shape.columns);
        return true;
    }
    if (!fits || (!f8 && (read == READ_ANY || j->shape.columns < 256)))
        return false;
    if (f8) {
        j->scales = out->scale;
        j->out_row = out->stride[out->rank - 2];
    }
    int chunks = (int)((j->shape.columns + CHUNK - 1) / CHUNK);
    if (j->shape.rows == 0 || chunks == 0)
        return true;
    switch (work) {
    case ROW_LAYER:
        launch<ROW_LAYER>(c->stream, j, chunks, read);
        break;
    case ROW_RMS:
        launch<ROW_RMS>(c->stream, j, chunks, read);
        break;
    case ROW_ACT:
        launch<ROW_ACT>(c->stream, j, chunks, read);
        break;
    case ROW_GLU:
        launch<ROW_GLU>(c->stream, j, chunks, read);
        break;
    }
    launched(c, "an operation on rows");
    return true;
}

bool rows_norm(struct context *c, bool layer, const struct tensor *out, const struct tensor *x,
               const struct tensor *weight, const struct tensor *bias, float eps)
{
    struct row_job j = {};

    j.weight = vector_of(weight, x);
    j.bias = vector_of(bias, x);
    j.eps = eps;
    if (out->dtype == DTYPE_F8_E4M3)
        c->host.note(c->device, NOTE_FUSED_NORM, NOTE_ACTIVE,
                     "Fused Norm + Modulate + Quantise Activated.");
    return run(c, layer ? ROW_LAYER : ROW_RMS, &j, out, x, NULL);
}

void rows_map(struct context *c, const struct tensor *out, const struct tensor *x,
              const struct tensor *gate, int act)
{
    struct row_job j = {};

    j.act = act;
    run(c, gate ? ROW_GLU : ROW_ACT, &j, out, x, gate);
}

/* ---- and back */

static __global__ void __launch_bounds__(256)
    scale_kernel(struct domain s, struct operand out, struct operand x, const float *scales,
                 int64_t x_row)
{
    int64_t step = (int64_t)gridDim.x * blockDim.x, total = s.rows * s.columns;

    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < total; i += step) {
        int64_t row = divide(i, s.columns), column = i - row * s.columns;
        int64_t from = row_offset(s, x, row);
        store_one(out.data, out.type, row_offset(s, out, row) + column,
                  load_one(x.data, x.type, from + column) * scales[divide(from, x_row)]);
    }
}

void rows_from_f8(struct context *c, const struct tensor *out, const struct tensor *x)
{
    const struct tensor *t[2] = {out, x};
    struct domain s;
    struct operand o[2];

    domain_of(&s, o, t, 2, false);
    if (s.rows * s.columns == 0)
        return;
    scale_kernel<<<blocks_for(s.rows * s.columns, 256), 256, 0, c->stream>>>(
        s, o[0], o[1], x->scale, x->stride[x->rank - 2]);
    launched(c, "reading FP8 rows");
}
