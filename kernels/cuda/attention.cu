/* Attention: by cuDNN where it has a fused form, else scores, softmax and their product with the
 * values, a block of queries at a time through scratch memory. */
#include "kernels/cuda/numbers.cuh"

enum { THREADS = 256 };
static const int64_t SCORES_BYTES = (int64_t)384 << 20;

/* Rows of scores to weights, with everything that a score can get added. */
struct weights_job {
    void *out;
    float *scores;
    int out_type;
    int64_t rows, keys, ld; /* rows of a head in this block */
    int64_t heads;
    int64_t queries, first_query;
    int64_t first_head, head_step; /* heads first, first + step, ... */
    const float *key, *relative;
    bool causal;
};

static __device__ __forceinline__ float score_at(const struct weights_job &j, const float *row,
                                                 int64_t query, const float *relative, int64_t k)
{
    float s = row[k];
    if (j.key)
        s += j.key[k];
    if (relative)
        s += relative[k - query + j.queries - 1];
    return j.causal && k > j.keys - j.queries + query ? -INFINITY : s;
}

static __global__ void __launch_bounds__(THREADS) weights_kernel(const struct weights_job j)
{
    __shared__ float shared[2][THREADS / 32];

    for (int64_t i = blockIdx.x; i < j.heads * j.rows; i += gridDim.x) {
        int64_t head = divide(i, j.rows), query = j.first_query + i - head * j.rows;
        const float *row = j.scores + i * j.ld;
        const float *relative = NULL;
        float most = -3.402823466e38f, sum = 0;
        if (j.relative)
            relative = j.relative + (j.first_head + head * j.head_step) * (j.queries + j.keys - 1);
        for (int64_t k = threadIdx.x; k < j.keys; k += THREADS)
            most = fmaxf(most, score_at(j, row, query, relative, k));
        most = lanes_max(most, 32);
        if (threadIdx.x % 32 == 0)
            shared[0][threadIdx.x / 32] = most;
        __syncthreads();
        for (int k = 0; k < THREADS / 32; k++)
            most = fmaxf(most, shared[0][k]);
        for (int64_t k = threadIdx.x; k < j.keys; k += THREADS)
            sum += expf(score_at(j, row, query, relative, k) - most);
        sum = lanes_sum(sum, 32);
        if (threadIdx.x % 32 == 0)
            shared[1][threadIdx.x / 32] = sum;
        __syncthreads();
        sum = 0;
        for (int k = 0; k < THREADS / 32; k++)
            sum += shared[1][k];
        for (int64_t k = threadIdx.x; k < j.keys; k += THREADS)
            store_one(j.out, j.out_type, i * j.ld + k,
                      expf(score_at(j, row, query, relative, k) - most) / sum);
        __syncthreads();
    }
}

/* The part of a [items, tokens, heads, dim] view that starts at a token and a head; every `step`th
 * head from there is one of a batch. */
static struct matrix part(const struct tensor *t, int64_t item, int64_t token, int64_t head,
                          int64_t step)
{
    int64_t at = item * t->stride[0] + token * t->stride[1] + head * t->stride[2];
    return {(const char *)t->data + at * (int64_t)size_of(t->dtype), t->dtype, t->stride[1],
            t->stride[2] * step};
}

/* One call's constants. */
struct attention {
    struct context *c;
    const struct tensor *out, *q, *k, *v;
    const struct attention_bias *bias;
    float scale;
    int64_t ld; /* of the scores */
};

static bool no_product(struct context *c)
{
    if (!c->device->failed)
        c->host.fail(c->device, ERROR_INTERNAL, "cuBLASLt has no product for this attention");
    return false;
}

/* Queries first..first + rows - 1 of `heads` heads: group0, group0 + 1, ... each its `repeat`th. */
static bool attend_block(const struct attention *a, int64_t item, int64_t repeat, int64_t group0,
                         int64_t heads, int64_t first, int64_t rows, void *scores, void *weights)
{
    int64_t sharing = a->q->shape[2] / a->k->shape[2], head0 = group0 * sharing + repeat;
    int64_t keys = a->k->shape[1], dim = a->q->shape[3];
    struct product p = {};
    struct weights_job j = {};

    p.batch = heads;
    p.m = rows;
    p.n = keys;
    p.k = dim;
    p.a = part(a->q, item, first, head0, sharing);
    p.b = part(a->k, item, 0, group0, 1);
    p.b_transposed = true;
    p.d = {scores, DTYPE_F32, a->ld, a->ld * rows};
    p.alpha = a->scale;
    if (!gemm(a->c, &p))
        return no_product(a->c);
    j.out = weights;
    j.out_type = a->q->dtype;
    j.scores = (float *)scores;
    j.rows = rows;
    j.keys = keys;
    j.ld = a->ld;
    j.heads = heads;
    j.queries = a->q->shape[1];
    j.first_query = first;
    j.first_head = head0;
    j.head_step = sharing;
    j.key = (const float *)a->bias->key.data;
    j.relative = (const float *)a->bias->relative.data;
    j.causal = a->bias->causal;
    weights_kernel<<<blocks_for(heads * rows, 1), THREADS, 0, a->c->stream>>>(j);
    if (!launched(a->c, "attention"))
        return false;
    p.n = dim;
    p.k = keys;
    p.a = {weights, a->q->dtype, a->ld, a->ld * rows};
    p.b = part(a->v, item, 0, group0, 1);
    p.b_transposed = false;
    p.d = part(a->out, item, first, head0, sharing);
    p.alpha = 1;
    return gemm(a->c, &p) || no_product(a->c);
}

/* Products that a strided view cannot give cuBLASLt: rows closer than they are wide. */
static bool views_fit(const struct tensor *t)
{
    return t->shape[1] == 1 || t->stride[1] >= t->shape[3];
}

void cuda_attention(struct device *d, struct tensor *out, const struct tensor *q,
                    const struct tensor *k, const struct tensor *v, float scale,
                    const struct attention_bias *bias)
{
    struct context *c = context_of(d);
    struct attention a = {c, out, q, k, v, bias, scale, 0};
    int64_t groups = k->shape[2], sharing = q->shape[2] / groups, queries = q->shape[1];

    if (cudnn_attention(c, out, q, k, v, scale, bias) || d->failed)
        return;
    if (!views_fit(q) || !views_fit(k) || !views_fit(v) || !views_fit(out)) {
        c->host.fail(d, ERROR_INTERNAL, "attention: a view's tokens overlap");
        return;
    }
    a.ld = (k->shape[1] + 7) & ~(int64_t)7;
    bool half = q->dtype != DTYPE_F32;
    int64_t row_bytes = a.ld * (half ? 6 : 4), rows = queries < 256 ? queries : 256;
    int64_t heads = SCORES_BYTES / (row_bytes * rows); /* at once */
    heads = heads < 1 ? 1 : heads > groups ? groups : heads;
    rows = SCORES_BYTES / (row_bytes * heads);
    rows = rows < 1 ? 1 : rows > queries ? queries : rows;
    void *scores = scratch_take(c, SCRATCH_SCORES, (size_t)(heads * rows * a.ld) * sizeof(float));
    void *weights = scores; /* in place for F32 */
    if (half)
        weights = scratch_take(c, SCRATCH_WEIGHTS, (size_t)(heads * rows * a.ld) * 2);
    if (!scores || !weights)
        return;
    for (int64_t item = 0; item < q->shape[0]; item++)
        for (int64_t repeat = 0; repeat < sharing; repeat++)
            for (int64_t group = 0; group < groups; group += heads)
                for (int64_t first = 0; first < queries; first += rows)
                    if (!attend_block(&a, item, repeat, group,
                                      groups - group < heads ? groups - group : heads, first,
                                      queries - first < rows ? queries - first : rows, scores,
                                      weights))
                        return;
}
