/* A linear layer whose outputs are a gated unit, in one kernel on Hopper: a tile has the value
 * columns of some outputs beside their gate columns, so that both of an output are in one thread's
 * registers when the sums are done, and neither is ever stored.
 *
 * A block stays on its processor and goes from tile to tile. One thread brings boxes of x and of W
 * to a ring of stages in shared memory; each of the warpgroups beside it multiplies 64 rows. While
 * one makes outputs of its sums the products of the other run: each goes on to the next tile by
 * itself, and begins it some steps after the one before it, so that they come to their ends in
 * turns. Outputs leave through shared memory, as tiles, while the next products run. */
#include <cudaTypedefs.h>
#include <stdlib.h>

#include "kernels/cuda/hopper.cuh"
#include "kernels/cuda/linear.cuh"
#include "kernels/cuda/numbers.cuh"

enum {
    GROUPS = 2, /* of 64 rows */
    DEPTH = 4,
    LEAD = 2, /* steps that a group is ahead of the next */
    THREADS = 128 * (GROUPS + 1),
    ROWS = 64 * GROUPS, /* of a tile */
    COLUMNS = 128,      /* of its outputs */
    SUMS = COLUMNS,     /* of a thread: 64 rows of values and gates among 128 */
    STEP = 64,          /* numbers of a row at once: 128 bytes */
    ROW = 128,          /* bytes of a row in shared memory */
    BAND = 16           /* tiles of rows that go through all columns together */
};
static_assert(LEAD < DEPTH, "a group that waits for another would hold the stages that it needs");

struct job {
    CUtensorMap x, w, out;
    const float *bias; /* [2 n], or NULL */
    int n, rows, steps, row_tiles, column_tiles, tiles;
};

struct shared {
    unsigned char x[DEPTH][ROWS * ROW];
    unsigned char w[DEPTH][2 * COLUMNS * ROW]; /* values, then gates */
    unsigned char out[GROUPS][2][64 * ROW];    /* a half of the columns each */
    float2 bias[GROUPS][COLUMNS];              /* of the value, of the gate */
    uint64_t full[DEPTH], empty[DEPTH];
    uint64_t ahead[GROUPS]; /* the group before has its lead in this tile */
};

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

struct ring {
    int stage, phase;
};

static __device__ __forceinline__ void advance(ring &r)
{
    r.stage++;
    if (r.stage == DEPTH) {
        r.stage = 0;
        r.phase ^= 1;
    }
}

/* The first row and column of a tile. Those that run at once share rows and columns, which then
 * come from the cache. */
static __device__ __forceinline__ void place(const job &j, int tile, int *row, int *column)
{
    int in_band = BAND * j.column_tiles, band = tile / in_band * BAND;
    int high = min(j.row_tiles - band, (int)BAND), at = tile % in_band;

    *row = (band + at % high) * ROWS;
    *column = at / high * COLUMNS;
}

/* One thread's work: operands to shared memory, as long as there is room. */
static __device__ __forceinline__ void bring_all(const job &j, shared &s)
{
    ring r = {0, 0};
    int row, column;

    for (int tile = blockIdx.x; tile < j.tiles; tile += gridDim.x) {
        place(j, tile, &row, &column);
        for (int t = 0; t < j.steps; t++) {
            uint64_t *full = &s.full[r.stage];
            wait_for(&s.empty[r.stage], r.phase ^ 1);
            expect(full, sizeof s.x[0] + sizeof s.w[0]);
            bring_tile(s.x[r.stage], &j.x, t * STEP, row, full);
            bring_tile(s.w[r.stage], &j.w, t * STEP, column, full);
            bring_tile(s.w[r.stage] + COLUMNS * ROW, &j.w, t * STEP, j.n + column, full);
            advance(r);
        }
    }
}

/* ---- a warpgroup's 64 rows: a thread has two, and of every eight columns two */

/* The sums of a tile: values in the first half of d, gates in the second. */
template <bool BF16>
static __device__ __forceinline__ void multiply_tile(const job &j, shared &s, ring &r, int group,
                                                     int lead, float *d)
{
    int before = 0, lane = threadIdx.x % 32;

    for (int t = 0; t < j.steps; t++) {
        uint64_t a = matrix_at<ROW>(s.x[r.stage] + group * 64 * ROW);
        uint64_t b = matrix_at<ROW>(s.w[r.stage]);
        wait_for(&s.full[r.stage], r.phase);
        products_begin();
#pragma unroll
        for (int i = 0; i < STEP / 16; i++)
            multiply_256<BF16>(d, a + 2 * i, b + 2 * i, i > 0 || t > 0);
        products_commit();
        if (t > 0) {
            products_wait<1>();
            if (lane == 0)
                arrive(&s.empty[before]);
            if (lane == 0 && t == lead && group + 1 < GROUPS)
                arrive(&s.ahead[group + 1]);
        }
        before = r.stage;
        advance(r);
    }
    products_wait<0>();
    products_are_there<SUMS>(d);
    if (lane == 0)
        arrive(&s.empty[before]);
}

template <bool BF16>
static __device__ __forceinline__ void store_two(unsigned char *at, float a, float b)
{
    if constexpr (BF16)
        *(__nv_bfloat162 *)at = __floats2bfloat162_rn(a, b);
    else
        *(__half2 *)at = __floats2half2_rn(a, b);
}

/* Sums to outputs, and those on their way. */
template <bool BF16>
static __device__ __forceinline__ void finish(const job &j, shared &s, const float *d, int group,
                                              int row, int column, float2 bias)
{
    int thread = threadIdx.x % 128, lane = thread % 32;
    unsigned char *mine = s.out[group][0] + (thread / 32 * 16 + lane / 4) * ROW + lane % 4 * 4;

    if (thread == 0)
        sends_read();
    s.bias[group][thread] = bias;
    group_meets(1 + group);
#pragma unroll
    for (int n = 0; n < COLUMNS / 8; n++) {
        float4 b = *(const float4 *)&s.bias[group][n * 8 + lane % 4 * 2];
        unsigned char *at = mine + n / 8 * (64 * ROW) + (n % 8 ^ lane / 4) * 16;
#pragma unroll
        for (int i = 0; i < 2; i++) { /* rows that are 8 apart */
            const float *value = d + 4 * n + 2 * i, *gate = value + SUMS / 2;
            store_two<BF16>(at + i * 8 * ROW, (value[0] + b.x) * gelu_of_halves(gate[0] + b.y),
                            (value[1] + b.z) * gelu_of_halves(gate[1] + b.w));
        }
    }
    written_for_copies();
    group_meets(1 + group);
    if (thread == 0 && row < j.rows) {
        send_tile(&j.out, column, row, s.out[group][0]);
        if (column + 64 < j.n)
            send_tile(&j.out, column + 64, row, s.out[group][1]);
        sends_commit();
    }
}

template <bool BF16> static __device__ __forceinline__ void multiply_all(const job &j, shared &s)
{
    int group = threadIdx.x / 128 - 1, thread = threadIdx.x % 128, row, column, turn = 0;
    int lead = j.steps >= DEPTH ? LEAD : 0; /* else one could be two tiles ahead */
    ring r = {0, 0};
    float d[SUMS];

#pragma unroll
    for (int i = 0; i < SUMS; i++)
        d[i] = 0;
    for (int tile = blockIdx.x; tile < j.tiles; tile += gridDim.x, turn ^= 1) {
        float2 bias = {0, 0};
        place(j, tile, &row, &column);
        if (j.bias && column + thread < j.n)
            bias = {j.bias[column + thread], j.bias[j.n + column + thread]};
        if (group > 0 && lead)
            wait_for(&s.ahead[group], turn);
        multiply_tile<BF16>(j, s, r, group, lead, d);
        finish<BF16>(j, s, d, group, row + group * 64, column, bias);
    }
    if (thread == 0)
        sends_read(); /* shared memory is there until then */
}

static __device__ __forceinline__ void prepare(shared &s)
{
    if (threadIdx.x == 0) {
        for (int i = 0; i < DEPTH; i++) {
            barrier_init(&s.full[i], 1);
            barrier_init(&s.empty[i], GROUPS * 4);
        }
        for (int i = 0; i < GROUPS; i++)
            barrier_init(&s.ahead[i], 4);
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    written_for_copies();
    __syncthreads();
}
#endif

template <bool BF16>
static __global__ void __launch_bounds__(THREADS, 1) glu_kernel(const __grid_constant__ job j)
{
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    extern __shared__ __align__(1024) unsigned char memory[];
    shared &s = *(shared *)memory;

    prepare(s);
    if (threadIdx.x < 128) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
        if (threadIdx.x == 0)
            bring_all(j, s);
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
        multiply_all<BF16>(j, s);
    }
#endif
}

/* ---- choosing */

/* The driver's; NULL: it is too old. */
static PFN_cuTensorMapEncodeTiled_v12000 find_encoder()
{
    void *found = NULL;

    if (cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault,
                                         NULL) != cudaSuccess) {
        cudaGetLastError();
        return NULL;
    }
    return (PFN_cuTensorMapEncodeTiled_v12000)found;
}

static PFN_cuTensorMapEncodeTiled_v12000 encoder()
{
    static const PFN_cuTensorMapEncodeTiled_v12000 found = find_encoder();
    return found;
}

/* Boxes of a matrix of halves, rows of 128 bytes each. */
static bool map_boxes(CUtensorMap *map, const struct matrix *m, int64_t rows, int64_t columns,
                      int box_rows)
{
    cuuint64_t size[2] = {(cuuint64_t)columns, (cuuint64_t)rows};
    cuuint64_t pitch[1] = {(cuuint64_t)(rows > 1 ? m->ld : columns) * size_of(m->type)};
    cuuint32_t box[2] = {STEP, (cuuint32_t)box_rows}, every[2] = {1, 1};

    return encoder()(map,
                     m->type == DTYPE_BF16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
                                           : CU_TENSOR_MAP_DATA_TYPE_FLOAT16,
                     2, (void *)m->data, size, pitch, box, every, CU_TENSOR_MAP_INTERLEAVE_NONE,
                     CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
                     CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

/* Whether boxes of it can be brought or sent. */
static bool has_boxes(const struct tensor *t, int type)
{
    return (int)t->dtype == type && ((uintptr_t)t->data & 15) == 0 &&
           (t->shape[0] == 1 || (t->stride[0] % 8 == 0 && t->stride[0] >= t->shape[1])) &&
           t->shape[0] < 1 << 30;
}

static int tiles_of(int64_t size, int64_t tile)
{
    return (int)((size + tile - 1) / tile);
}

/* False: not to be had for these, nothing was done; or failed, and reported. */
static bool fused(struct context *c, const struct tensor *out, const struct tensor *x,
                  const struct linear *w)
{
    const int size = sizeof(struct shared), type = c->device->activations;
    auto *kernel = type == DTYPE_BF16 ? glu_kernel<true> : glu_kernel<false>;
    struct matrix rows = {x->data, type, x->stride[0], 0}, weights = {w->packed, type, w->in, 0};
    struct matrix results = {out->data, type, out->stride[0], 0};
    int64_t n = w->out / 2, m = x->shape[0];
    struct job j = {};

    if (!has_boxes(out, type) || !has_boxes(x, type) || !map_boxes(&j.x, &rows, m, w->in, ROWS) ||
        !map_boxes(&j.w, &weights, w->out, w->in, COLUMNS) ||
        !map_boxes(&j.out, &results, m, n, 64))
        return false;
    j.bias = w->bias;
    j.n = (int)n;
    j.rows = (int)m;
    j.steps = tiles_of(w->in, STEP);
    j.row_tiles = tiles_of(m, ROWS);
    j.column_tiles = tiles_of(n, COLUMNS);
    if ((int64_t)j.row_tiles * j.column_tiles >= 1 << 30)
        return false;
    j.tiles = j.row_tiles * j.column_tiles;
    if (!cuda_ok(c, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, size),
                 "a gated linear layer: shared memory"))
        return false;
    kernel<<<(unsigned)min(j.tiles, c->device->facts.processors), THREADS, size, c->stream>>>(j);
    if (!launched(c, "a gated linear layer"))
        return false;
    c->host.note(c->device, NOTE_FUSED_GLU, NOTE_ACTIVE, "Fused Linear + GEGLU Activated.");
    return true;
}

static bool cuda_fuses_glu(const struct device *d, const struct linear *w, enum activation act)
{
    return act == ACT_GELU && w->dtype == d->activations && d->activations != DTYPE_F32 &&
           w->in % 8 == 0 && w->out % 16 == 0 && w->out < 1 << 30 && w->in < 1 << 30;
}

/* AUTEUR_FUSED_GLU=0: without, to compare. */
void linear_glu_open(struct context *c)
{
    const char *off = getenv("AUTEUR_FUSED_GLU");

    if (off && off[0] == '0')
        c->host.note(c->device, NOTE_FUSED_GLU, NOTE_OFF, "AUTEUR_FUSED_GLU=0");
    else if (is_hopper((const void *)glu_kernel<true>) && encoder())
        c->device->ops.fuses_glu = cuda_fuses_glu;
}

void cuda_linear_glu(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct linear *w, enum activation act)
{
    struct context *c = context_of(d);
    int64_t shape[2] = {x->shape[0], w->out}, n = w->out / 2;

    if (d->ops.fuses_glu && d->ops.fuses_glu(d, w, act) && (fused(c, out, x, w) || d->failed))
        return;
    void *bytes =
        scratch_take(c, SCRATCH_UNFUSED, (size_t)(shape[0] * shape[1]) * size_of(d->activations));
    if (!bytes)
        return;
    struct tensor both = device_tensor(bytes, d->activations, 2, shape), value = both, gate;
    cuda_linear(d, &both, x, w, ACT_NONE, NULL);
    value.shape[1] = n;
    gate = value;
    gate.data = (char *)bytes + (size_t)n * size_of(d->activations);
    if (!d->failed)
        cuda_glu(d, out, &value, &gate, act);
}
