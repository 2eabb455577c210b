/* The norm of the Wan VAE over halves: a pixel's channels are shared by a few threads, three or
 * four chunks each, so that no lane is idle where they are no power of two (96, 192, 384). */
#include "kernels/cuda/halves.cuh"

enum { THREADS = 256, HELD = 4, AT_ONCE = 2 };

struct channel_job {
    uint4 *out;
    const uint4 *x;
    const float *gamma;
    int64_t pixels;
    int chunks, lanes; /* lanes: 1, 2 .. 32 */
    float root;        /* of the number of channels */
    bool silu;
};

template <typename T>
static __global__ void __launch_bounds__(THREADS) channel_kernel(const struct channel_job j)
{
    int lane = (int)threadIdx.x % j.lanes, together = THREADS / j.lanes;
    float gamma[HELD][CHUNK];

#pragma unroll
    for (int h = 0; h < HELD; h++)
        if (lane + h * j.lanes < j.chunks)
            load_chunk(j.gamma, DTYPE_F32, (int64_t)(lane + h * j.lanes) * CHUNK, CHUNK, false,
                       gamma[h]);
    for (int64_t first = (int64_t)blockIdx.x * together * AT_ONCE; first < j.pixels;
         first += (int64_t)gridDim.x * together * AT_ONCE) {
        uint4 raw[AT_ONCE][HELD];
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) {
            int64_t pixel = first + i * together + threadIdx.x / j.lanes;
#pragma unroll
            for (int h = 0; h < HELD; h++)
                if (lane + h * j.lanes < j.chunks && pixel < j.pixels)
                    raw[i][h] = j.x[pixel * j.chunks + lane + h * j.lanes];
                else
                    raw[i][h] = make_uint4(0, 0, 0, 0);
        }
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) {
            int64_t pixel = first + i * together + threadIdx.x / j.lanes;
            float squares = 0, v[HELD][CHUNK];
#pragma unroll
            for (int h = 0; h < HELD; h++) {
                unpack(raw[i][h], v[h], (const T *)NULL);
#pragma unroll
                for (int k = 0; k < CHUNK; k++)
                    squares += v[h][k] * v[h][k];
            }
            float norm = sqrtf(lanes_sum(squares, j.lanes));
            float scale = j.root / (norm > 1e-12f ? norm : norm != norm ? norm : 1e-12f);
#pragma unroll
            for (int h = 0; h < HELD; h++) {
                if (lane + h * j.lanes >= j.chunks || pixel >= j.pixels)
                    continue;
#pragma unroll
                for (int k = 0; k < CHUNK; k++) {
                    v[h][k] *= scale * gamma[h][k];
                    if (j.silu)
                        v[h][k] = gated(v[h][k], 1.0f);
                }
                j.out[pixel * j.chunks + lane + h * j.lanes] = packed(v[h], (const T *)NULL);
            }
        }
    }
}

static bool is_dense(const struct tensor *t)
{
    int64_t stride = 1;

    for (int i = t->rank - 1; i >= 0; i--) {
        if (t->shape[i] != 1 && t->stride[i] != stride)
            return false;
        stride *= t->shape[i];
    }
    return true;
}

bool channel_norm_halves(struct context *c, const struct tensor *out, const struct tensor *x,
                         const struct tensor *gamma, int act)
{
    int64_t channels = x->shape[x->rank - 1];
    struct channel_job j = {};

    if (!is_halves(x) || !is_halves(out) || x->dtype != out->dtype || channels % CHUNK ||
        channels > 32 * HELD * CHUNK || !gamma || !is_dense(x) || !is_dense(out))
        return false;
    j.out = (uint4 *)out->data;
    j.x = (const uint4 *)x->data;
    j.gamma = (const float *)gamma->data;
    j.pixels = 1;
    for (int i = 0; i + 1 < x->rank; i++)
        j.pixels *= x->shape[i];
    j.chunks = (int)(channels / CHUNK);
    for (j.lanes = 1; j.lanes * HELD < j.chunks; j.lanes *= 2)
        ;
    j.root = sqrtf((float)channels);
    j.silu = act == ACT_SILU;
    if (j.pixels == 0)
        return true;
    unsigned blocks = blocks_for(j.pixels * j.lanes / AT_ONCE, THREADS);
    if (x->dtype == DTYPE_F16)
        channel_kernel<__half><<<blocks, THREADS, 0, c->stream>>>(j);
    else
        channel_kernel<__nv_bfloat16><<<blocks, THREADS, 0, c->stream>>>(j);
    launched(c, "a channel norm");
    return true;
}
