/* Attention: by the first of the fused forms that takes it; else (F32, heads of more than 256
 * numbers, odd views) scores, softmax and their product with the values, a block of queries at a
 * time through scratch memory. */
#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/numbers.cuh"

static const int64_t SCORES_BYTES = (int64_t)384 << 20;

/* Rows of scores to weights, with everything that a score can get added. */
struct weights_job {
    void *out;
    const float *scores;
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

/* A maximum so far and the sum of exp(score - maximum): what two parts of a row come to. */
struct part_sum {
    float most, sum;
};

static __device__ __forceinline__ struct part_sum both(struct part_sum a, struct part_sum b)
{
    float most = fmaxf(a.most, b.most);
    return {most, a.sum * expf(a.most - most) + b.sum * expf(b.most - most)};
}

/* A block takes a row at a time and reads it twice: the second time it comes from the cache, as
 * few rows are under way at once. */
enum { THREADS = 512, UNROLL = 8 };
static __global__ void __launch_bounds__(THREADS, 2) weights_kernel(const struct weights_job j)
{
    __shared__ struct part_sum shared[THREADS / 32];

    for (int64_t i = blockIdx.x; i < j.heads * j.rows; i += gridDim.x) {
        int64_t head = divide(i, j.rows), query = j.first_query + i - head * j.rows;
        const float *row = j.scores + i * j.ld;
        const float *relative = NULL;
        struct part_sum own = {-3.402823466e38f, 0};
        if (j.relative)
            relative = j.relative + (j.first_head + head * j.head_step) * (j.queries + j.keys - 1);
        for (int64_t first = 0; first < j.keys; first += THREADS * UNROLL) {
            float s[UNROLL], most = own.most;
#pragma unroll
            for (int u = 0; u < UNROLL; u++) {
                int64_t k = first + u * THREADS + threadIdx.x;
                s[u] = k < j.keys ? score_at(j, row, query, relative, k) : -INFINITY;
                most = fmaxf(most, s[u]);
            }
            own.sum *= expf(own.most - most);
            own.most = most;
#pragma unroll
            for (int u = 0; u < UNROLL; u++)
                own.sum += expf(s[u] - most);
        }
        for (int step = 16; step; step /= 2)
            own = both(own,
                       {__shfl_xor_sync(~0u, own.most, step), __shfl_xor_sync(~0u, own.sum, step)});
        if (threadIdx.x % 32 == 0)
            shared[threadIdx.x / 32] = own;
        __syncthreads();
        own = shared[0];
        for (int k = 1; k < THREADS / 32; k++)
            own = both(own, shared[k]);
        float by = 1 / own.sum;
        for (int64_t first = 0; first < j.keys; first += THREADS * UNROLL)
#pragma unroll
            for (int u = 0; u < UNROLL; u++) {
                int64_t k = first + u * THREADS + threadIdx.x;
                if (k < j.keys)
                    store_one(j.out, j.out_type, i * j.ld + k,
                              expf(score_at(j, row, query, relative, k) - own.most) * by);
            }
        __syncthreads();
    }
}

static bool make_weights(struct context *c, const struct weights_job *j)
{
    int64_t rows = j->heads * j->rows, most = 2 * 132; /* as many as run at once */

    weights_kernel<<<(unsigned)(rows < most ? rows : most), THREADS, 0, c->stream>>>(*j);
    return launched(c, "attention");
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

static bool no_product(struct context *c)
{
    if (!c->device->failed)
        c->host.fail(c->device, ERROR_INTERNAL, "cuBLASLt has no product for this attention");
    return false;
}

/* Where one call's blocks of queries keep what is between the products. */
struct between {
    void *scores, *weights;  /* one and the same for F32 */
    int64_t ld, heads, rows; /* of both: at most so many heads and rows at once */
};

/* Queries first..first + rows - 1 of `heads` heads: group0, group0 + 1, ... each its `repeat`th. */
static bool attend_block(const struct attention *a, const struct between *b, int64_t item,
                         int64_t repeat, int64_t group0, int64_t heads, int64_t first, int64_t rows)
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
    p.d = {b->scores, DTYPE_F32, b->ld, b->ld * rows};
    p.alpha = a->scale;
    if (!gemm(a->c, &p))
        return no_product(a->c);
    j.out = b->weights;
    j.out_type = a->q->dtype;
    j.scores = (const float *)b->scores;
    j.rows = rows;
    j.keys = keys;
    j.ld = b->ld;
    j.heads = heads;
    j.queries = a->q->shape[1];
    j.first_query = first;
    j.first_head = head0;
    j.head_step = sharing;
    j.key = (const float *)a->bias->key.data;
    j.relative = (const float *)a->bias->relative.data;
    j.causal = a->bias->causal;
    if (!make_weights(a->c, &j))
        return false;
    p.n = dim;
    p.k = keys;
    p.a = {b->weights, a->q->dtype, b->ld, b->ld * rows};
    p.b = part(a->v, item, 0, group0, 1);
    p.b_transposed = false;
    p.d = part(a->out, item, first, head0, sharing);
    p.alpha = 1;
    return gemm(a->c, &p) || no_product(a->c);
}

/* As many heads, and then rows, as SCORES_BYTES hold; rows in whole tiles of a product. */
static bool make_room(const struct attention *a, struct between *b)
{
    int64_t groups = a->k->shape[2], queries = a->q->shape[1], row_bytes, rows;
    bool half = a->q->dtype != DTYPE_F32;

    b->ld = (a->k->shape[1] + 7) & ~(int64_t)7;
    row_bytes = b->ld * (half ? 6 : 4);
    rows = queries < 256 ? queries : 256;
    b->heads = SCORES_BYTES / (row_bytes * rows);
    b->heads = b->heads < 1 ? 1 : b->heads > groups ? groups : b->heads;
    rows = SCORES_BYTES / (row_bytes * b->heads);
    rows = rows > 128 ? rows & ~(int64_t)127 : rows;
    b->rows = rows < 1 ? 1 : rows > queries ? queries : rows;
    size_t numbers = (size_t)(b->heads * b->rows * b->ld);
    b->scores = scratch_take(a->c, SCRATCH_SCORES, numbers * sizeof(float));
    b->weights = half && b->scores ? scratch_take(a->c, SCRATCH_WEIGHTS, numbers * 2) : b->scores;
    return b->scores && b->weights;
}

static int64_t at_most(int64_t n, int64_t most)
{
    return n < most ? n : most;
}

static void attend_in_blocks(const struct attention *a)
{
    int64_t groups = a->k->shape[2], sharing = a->q->shape[2] / groups, queries = a->q->shape[1];
    struct between b = {};

    if (!make_room(a, &b))
        return;
    for (int64_t item = 0; item < a->q->shape[0]; item++)
        for (int64_t repeat = 0; repeat < sharing; repeat++)
            for (int64_t group = 0; group < groups; group += b.heads)
                for (int64_t first = 0; first < queries; first += b.rows)
                    if (!attend_block(a, &b, item, repeat, group, at_most(groups - group, b.heads),
                                      first, at_most(queries - first, b.rows)))
                        return;
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
    struct attention a = {c, out, q, k, v, scale, bias};
    /* Items of a few tokens, many of them: cuDNN's tiles are for longer ones. */
    bool few = q->shape[1] <= 32 && k->shape[1] <= 128;

    if ((few && flash_attention(&a)) || d->failed)
        return;
    if (d->attention == DTYPE_F8_E4M3 && (fp8_attention(&a) || d->failed))
        return;
    if (cudnn_attention(&a) || d->failed || flash_attention(&a) || d->failed)
        return;
    if (views_fit(q) && views_fit(k) && views_fit(v) && views_fit(out))
        attend_in_blocks(&a);
    else
        c->host.fail(d, ERROR_INTERNAL, "attention: a view's tokens overlap");
}
