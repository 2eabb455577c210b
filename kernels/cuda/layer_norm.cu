/* Layer norms of narrow rows, up to 1536 numbers: a row belongs to as few lanes of a warp as hold
 * it in five or so chunks each, which keep their part of weight and bias in registers for all rows
 * that come by. What goes to a layer with FP8 weights is written as such, with the row's scale. */
#include "kernels/cuda/numbers.cuh"

enum { THREADS = 128, BLOCKS_EACH = 8 }; /* blocks for each multiprocessor */

struct narrow_job {
    const void *x;
    void *out;
    const float *weight, *bias; /* NULL: ones, zeros */
    float *scales;              /* of out, F8; NULL: out is as x */
    int64_t rows, x_row, out_row;
    float eps;
};

template <int LANES> static __device__ __forceinline__ float group_max(float v)
{
#pragma unroll
    for (int o = LANES / 2; o > 0; o /= 2)
        v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, o));
    return v;
}

template <int LANES> static __device__ __forceinline__ float group_sum(float v)
{
#pragma unroll
    for (int o = LANES / 2; o > 0; o /= 2)
        v += __shfl_xor_sync(0xffffffffu, v, o);
    return v;
}

static __device__ __forceinline__ void store_f8(void *out, int64_t at, const float *v,
                                                float inverse)
{
    __nv_fp8x2_storage_t pair[4];

#pragma unroll
    for (int k = 0; k < 4; k++)
        pair[k] = __nv_cvt_float2_to_fp8x2(make_float2(v[2 * k] * inverse, v[2 * k + 1] * inverse),
                                           __NV_SATFINITE, __NV_E4M3);
    *(uint2 *)((uint8_t *)out + at) =
        make_uint2(pair[0] | (uint32_t)pair[1] << 16, pair[2] | (uint32_t)pair[3] << 16);
}

/* v = (v - mean) / deviation * weight + bias over the row's lanes. */
template <int LANES, int HELD>
static __device__ __forceinline__ void normalise(float (*v)[CHUNK], const float (*weight)[CHUNK],
                                                 const float (*bias)[CHUNK], float eps)
{
    float sum = 0, squares = 0;

#pragma unroll
    for (int i = 0; i < HELD; i++)
#pragma unroll
        for (int k = 0; k < CHUNK; k++)
            sum += v[i][k];
    float mean = group_sum<LANES>(sum) / (LANES * HELD * CHUNK);
#pragma unroll
    for (int i = 0; i < HELD; i++)
#pragma unroll
        for (int k = 0; k < CHUNK; k++) {
            v[i][k] -= mean;
            squares = fmaf(v[i][k], v[i][k], squares);
        }
    float scale = rsqrtf(group_sum<LANES>(squares) / (LANES * HELD * CHUNK) + eps);
#pragma unroll
    for (int i = 0; i < HELD; i++)
#pragma unroll
        for (int k = 0; k < CHUNK; k++)
            v[i][k] = fmaf(v[i][k] * scale, weight[i][k], bias[i][k]);
}

template <int TYPE, int LANES, int HELD, bool F8>
static __global__ void __launch_bounds__(THREADS) narrow_kernel(const struct narrow_job j)
{
    enum { AT_ONCE = THREADS / LANES };
    int lane = threadIdx.x % LANES;
    float weight[HELD][CHUNK], bias[HELD][CHUNK];

#pragma unroll
    for (int i = 0; i < HELD; i++)
#pragma unroll
        for (int k = 0; k < CHUNK; k++) {
            int column = (lane + i * LANES) * CHUNK + k;
            weight[i][k] = j.weight ? j.weight[column] : 1.0f;
            bias[i][k] = j.bias ? j.bias[column] : 0.0f;
        }
    /* Every lane of a warp takes part in its sums: beyond the last row they do that one again. */
    for (int64_t base = (int64_t)blockIdx.x * AT_ONCE; base < j.rows;
         base += (int64_t)gridDim.x * AT_ONCE) {
        int64_t row = base + threadIdx.x / LANES;
        bool real = row < j.rows;
        float v[HELD][CHUNK];

        if (!real)
            row = j.rows - 1;
#pragma unroll
        for (int i = 0; i < HELD; i++)
            load_eight(j.x, TYPE, row * j.x_row + (lane + i * LANES) * CHUNK, v[i]);
        normalise<LANES, HELD>(v, weight, bias, j.eps);
        if (F8) {
            float most = 1e-30f; /* as kernels/f8.h */
#pragma unroll
            for (int i = 0; i < HELD; i++)
#pragma unroll
                for (int k = 0; k < CHUNK; k++)
                    most = fmaxf(most, fabsf(v[i][k]));
            most = group_max<LANES>(most);
#pragma unroll
            for (int i = 0; i < HELD; i++)
                if (real)
                    store_f8(j.out, row * j.out_row + (lane + i * LANES) * CHUNK, v[i],
                             448.0f / most);
            if (real && lane == 0)
                j.scales[row] = most / 448.0f;
        } else {
#pragma unroll
            for (int i = 0; i < HELD; i++)
                if (real)
                    store_eight(j.out, TYPE, row * j.out_row + (lane + i * LANES) * CHUNK, v[i]);
        }
    }
}

template <int TYPE, int LANES, int HELD>
static void launch(struct context *c, const struct narrow_job &j)
{
    int64_t most = (int64_t)c->device->facts.processors * BLOCKS_EACH;
    int64_t blocks = (j.rows + THREADS / LANES - 1) / (THREADS / LANES);

    if (blocks > most)
        blocks = most;
    if (j.scales)
        narrow_kernel<TYPE, LANES, HELD, true><<<(unsigned)blocks, THREADS, 0, c->stream>>>(j);
    else
        narrow_kernel<TYPE, LANES, HELD, false><<<(unsigned)blocks, THREADS, 0, c->stream>>>(j);
    launched(c, "a layer norm");
}

template <int TYPE, int LANES>
static bool launch_held(struct context *c, const struct narrow_job &j, int64_t held)
{
    if (held == 4)
        launch<TYPE, LANES, 4>(c, j);
    else if (held == 5)
        launch<TYPE, LANES, 5>(c, j);
    else if (held == 6)
        launch<TYPE, LANES, 6>(c, j);
    else
        return false;
    return true;
}

template <int TYPE>
static bool launch_lanes(struct context *c, const struct narrow_job &j, int64_t chunks)
{
    for (int lanes = 8; lanes <= 32; lanes *= 2)
        if (chunks % lanes == 0 && chunks / lanes <= 6)
            return lanes == 8    ? launch_held<TYPE, 8>(c, j, chunks / 8)
                   : lanes == 16 ? launch_held<TYPE, 16>(c, j, chunks / 16)
                                 : launch_held<TYPE, 32>(c, j, chunks / 32);
    return false;
}

bool narrow_layer_norm(struct context *c, const struct tensor *out, const struct tensor *x,
                       const struct tensor *weight, const struct tensor *bias, float eps)
{
    const struct tensor *t[2] = {out, x};
    struct operand o[2];
    struct domain s;
    struct narrow_job j = {};
    bool f8 = out->dtype == DTYPE_F8_E4M3;

    domain_of(&s, o, t, 2, false);
    bool aligned = (((uintptr_t)o[0].data | (uintptr_t)o[1].data) & 15) == 0 && s.axes <= 1 &&
                   (s.axes == 0 || (o[0].stride[0] % CHUNK == 0 && o[1].stride[0] % CHUNK == 0));
    if (!aligned || s.columns % CHUNK || (!f8 && out->dtype != x->dtype) || s.rows == 0 ||
        (weight && weight->rank == 2 && weight->shape[0] > 1) ||
        (bias && bias->rank == 2 && bias->shape[0] > 1))
        return false;
    j.x = x->data;
    j.out = out->data;
    j.weight = weight ? (const float *)weight->data : NULL;
    j.bias = bias ? (const float *)bias->data : NULL;
    j.scales = f8 ? out->scale : NULL;
    j.rows = s.rows;
    if (s.axes) {
        j.out_row = o[0].stride[0];
        j.x_row = o[1].stride[0];
    }
    j.eps = eps;
    return x->dtype == DTYPE_F16    ? launch_lanes<DTYPE_F16>(c, j, s.columns / CHUNK)
           : x->dtype == DTYPE_BF16 ? launch_lanes<DTYPE_BF16>(c, j, s.columns / CHUNK)
                                    : false;
}
