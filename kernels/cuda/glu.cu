/* Gated linear units: x act(gate). For halves of one dtype in rows of whole chunks, which is what
 * feed-forward layers are, a kernel of its own; anything else is an operation on elements. */
#include "kernels/cuda/numbers.cuh"

enum { THREADS = 256, EACH = 2 }; /* chunks a thread has under way at once */

struct glu_job {
    void *out;
    const void *x, *gate;
    int64_t out_row, x_row, gate_row; /* numbers between rows */
    uint32_t chunks, total;           /* of a row; of all rows */
};

template <int TYPE, int ACT>
static __global__ void __launch_bounds__(THREADS) glu_kernel(const struct glu_job j)
{
    uint32_t first = blockIdx.x * (THREADS * EACH) + threadIdx.x;
    float x[EACH][CHUNK], gate[EACH][CHUNK];

#pragma unroll
    for (int e = 0; e < EACH; e++) {
        uint32_t i = first + e * THREADS, row = i / j.chunks;
        int64_t column = (int64_t)(i - row * j.chunks) * CHUNK;
        if (i < j.total) {
            load_eight(j.x, TYPE, row * j.x_row + column, x[e]);
            load_eight(j.gate, TYPE, row * j.gate_row + column, gate[e]);
        }
    }
#pragma unroll
    for (int e = 0; e < EACH; e++) {
        uint32_t i = first + e * THREADS, row = i / j.chunks;
        int64_t column = (int64_t)(i - row * j.chunks) * CHUNK;
#pragma unroll
        for (int k = 0; k < CHUNK; k++)
            x[e][k] *= ACT == ACT_GELU ? gelu_of_halves(gate[e][k]) : activate(ACT, gate[e][k]);
        if (i < j.total)
            store_eight(j.out, TYPE, row * j.out_row + column, x[e]);
    }
}

template <int TYPE> static bool launch(struct context *c, const struct glu_job &j, int act)
{
    unsigned blocks = (j.total + THREADS * EACH - 1) / (THREADS * EACH);

    if (act == ACT_GELU)
        glu_kernel<TYPE, ACT_GELU><<<blocks, THREADS, 0, c->stream>>>(j);
    else if (act == ACT_GELU_TANH)
        glu_kernel<TYPE, ACT_GELU_TANH><<<blocks, THREADS, 0, c->stream>>>(j);
    else if (act == ACT_SILU)
        glu_kernel<TYPE, ACT_SILU><<<blocks, THREADS, 0, c->stream>>>(j);
    else
        return false;
    launched(c, "a gated linear unit");
    return true;
}

static bool fast(struct context *c, const struct tensor *out, const struct tensor *x,
                 const struct tensor *gate, int act)
{
    const struct tensor *t[3] = {out, x, gate};
    struct operand o[3];
    struct domain s;
    struct glu_job j = {};
    bool aligned = domain_of(&s, o, t, 3, false);
    int64_t total = s.rows * s.columns / CHUNK;

    if (!is_fast(aligned, &s, total) || s.axes > 1 || total == 0 || out->dtype != x->dtype ||
        gate->dtype != x->dtype)
        return false;
    j = {o[0].data, o[1].data, o[2].data, 0, 0, 0, (uint32_t)(s.columns / CHUNK), (uint32_t)total};
    if (s.axes) {
        j.out_row = o[0].stride[0];
        j.x_row = o[1].stride[0];
        j.gate_row = o[2].stride[0];
    }
    return x->dtype == DTYPE_F16    ? launch<DTYPE_F16>(c, j, act)
           : x->dtype == DTYPE_BF16 ? launch<DTYPE_BF16>(c, j, act)
                                    : false;
}

void cuda_glu(struct device *d, struct tensor *out, const struct tensor *x,
              const struct tensor *gate, enum activation act)
{
    struct context *c = context_of(d);

    if (!fast(c, out, x, gate, act))
        map_glu(c, out, x, gate, act);
}
