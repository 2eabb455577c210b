/* The relative L1 distance of two tensors: blocks sum their share, in F32 a thread and in double
 * beyond, and one more adds up what they found, always in the same order. */
#include "kernels/cuda/numbers.cuh"

enum { THREADS = 256, MOST_BLOCKS = 1024 };

struct distance_job {
    struct domain shape;
    struct operand x, y;
    bool aligned;
    double2 *sums; /* [blocks] */
};

/* Both sums over the block's threads; right in thread 0. */
static __device__ double2 block_sum(double2 v)
{
    __shared__ double2 shared[THREADS];

    shared[threadIdx.x] = v;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < half) {
            shared[threadIdx.x].x += shared[threadIdx.x + half].x;
            shared[threadIdx.x].y += shared[threadIdx.x + half].y;
        }
    }
    return shared[0];
}

static __global__ void __launch_bounds__(THREADS) distance_kernel(const struct distance_job j)
{
    int64_t chunks = (j.shape.columns + CHUNK - 1) / CHUNK, total = j.shape.rows * chunks;
    double2 sum = make_double2(0, 0);

    for (int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x; i < total;
         i += (int64_t)gridDim.x * THREADS) {
        int64_t row = divide(i, chunks), column = (i - row * chunks) * CHUNK;
        int n = (int)(j.shape.columns - column < CHUNK ? j.shape.columns - column : CHUNK);
        float x[CHUNK], y[CHUNK], apart = 0, size = 0;
        load_chunk(j.x.data, j.x.type, row_offset(j.shape, j.x, row) + column, n, j.aligned, x);
        load_chunk(j.y.data, j.y.type, row_offset(j.shape, j.y, row) + column, n, j.aligned, y);
#pragma unroll
        for (int k = 0; k < CHUNK; k++) {
            apart += fabsf(x[k] - y[k]);
            size += fabsf(y[k]);
        }
        sum.x += apart;
        sum.y += size;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        j.sums[blockIdx.x] = sum;
}

static __global__ void __launch_bounds__(THREADS)
    total_kernel(float *out, const double2 *sums, int count)
{
    double2 sum = make_double2(0, 0);

    for (int i = (int)threadIdx.x; i < count; i += THREADS) {
        sum.x += sums[i].x;
        sum.y += sums[i].y;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        out[0] = (float)sum.x;
        out[1] = (float)sum.y;
    }
}

void cuda_distance(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct tensor *y)
{
    struct context *c = context_of(d);
    const struct tensor *t[2] = {x, y};
    struct operand o[2];
    struct distance_job j = {};

    j.aligned = domain_of(&j.shape, o, t, 2, true);
    j.x = o[0];
    j.y = o[1];
    j.sums = (double2 *)scratch_take(c, SCRATCH_WEIGHTS, MOST_BLOCKS * sizeof *j.sums);
    if (!j.sums)
        return;
    int64_t total = j.shape.rows * ((j.shape.columns + CHUNK - 1) / CHUNK);
    int64_t blocks = (total + THREADS - 1) / THREADS;
    blocks = blocks < 1 ? 1 : blocks > MOST_BLOCKS ? (int64_t)MOST_BLOCKS : blocks;
    distance_kernel<<<(unsigned)blocks, THREADS, 0, c->stream>>>(j);
    total_kernel<<<1, THREADS, 0, c->stream>>>((float *)out->data, j.sums, (int)blocks);
    launched(c, "a distance");
}
