/* Attention whose products are in F16, twice as many at once as in F32 (AVX512_FP16; the
 * Xeon of 2026-11-22 in bench/README.md multiplies halves at twice the rate of floats, and BF16 at
 * half of it: 350, 160 and 80 GFLOP/s of a core). As attention.inc, but the other way round: a
 * vector holds 32 queries, and keys and values come one number at a time, so that maxima and sums
 * of weights are vectors too and weights are used as they are made.
 *
 * Sums of halves lose digits as they grow, so none is of more than `dim` or KEYS products: what
 * comes of a block of keys is added up in F32. Powers of two bring values into the middle of F16's
 * range; a caller whose scores might leave it is sent back.
 *
 * Compiled with the flags in kernels/room.mk; empty where the compiler's target has no such set.
 */
#include "kernels/cpu/isa.h"

#ifdef __AVX512FP16__
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels/cpu/attention_f16.h"

#define LOG2E  1.44269504088896341f
#define UNROLL _Pragma("GCC unroll 32")

enum { LANES = 32, WIDE = QUERY_BLOCK / LANES, ROWS = ROWS_F16, KEYS = 128 };

/* A number twice, as one word that can be spread over a vector. */
typedef uint32_t twice;

struct half_job {
    const struct tensor *q, *k, *v, *out;
    float q_scale, k_scale, v_scale;
    int64_t queries, keys, dim;
    int64_t padded;       /* keys, to whole ROWS */
    int64_t query_blocks; /* of QUERY_BLOCK, rounded up */
    int64_t first_head;   /* of the group that is packed */
    /* For each head of the group: keys [padded / ROWS][dim][ROWS], then values
     * [dim / ROWS][padded][ROWS]. */
    twice *packed;
    char *scratch; /* for each thread a query_block */
    float *most;   /* for each thread: of |q|, |k|, |v| */
};

/* A thread's scratch. */
struct query_block {
    float sum[MOST_DIM_F16][QUERY_BLOCK]; /* weighted values so far */
    float total[QUERY_BLOCK];             /* weights so far */
    float shrink[QUERY_BLOCK];            /* of what was summed before this block of keys */
    _Float16 most[QUERY_BLOCK];           /* score so far */
    _Float16 q[MOST_DIM_F16][QUERY_BLOCK];
    _Float16 score[KEYS][QUERY_BLOCK];
};

/* Heads are counted through all items; of keys and values, some heads have one between them. */
static const float *head_row(const struct tensor *t, int64_t token, int64_t head)
{
    int64_t heads = t->shape[2];
    return (const float *)t->data + head / heads * t->stride[0] + token * t->stride[1] +
           head % heads * t->stride[2];
}

static twice twice_of(float x)
{
    uint16_t bits;
    _Float16 half = (_Float16)x;
    memcpy(&bits, &half, sizeof bits);
    return bits * 0x10001u;
}

/* ---- range */

/* NaN counts as infinite. */
static float most_of(const struct tensor *t, int64_t token, float most)
{
    for (int64_t head = 0; head < t->shape[0] * t->shape[2]; head++) {
        const float *row = head_row(t, token, head);
        for (int64_t c = 0; c < t->shape[3]; c++)
            most = fabsf(row[c]) <= most ? most : row[c] == row[c] ? fabsf(row[c]) : INFINITY;
    }
    return most;
}

static void measure_part(const void *job, int64_t from, int64_t to, int thread)
{
    const struct half_job *j = job;
    float *most = j->most + (int64_t)thread * 16;

    for (int64_t token = from; token < to; token++) {
        if (token < j->queries)
            most[0] = most_of(j->q, token, most[0]);
        if (token < j->keys) {
            most[1] = most_of(j->k, token, most[1]);
            most[2] = most_of(j->v, token, most[2]);
        }
    }
}

/* The power of two that brings numbers of up to `most` to at most `to`, itself one. */
static float to_range(float most, float to)
{
    return most > 0 ? to / exp2f(ceilf(log2f(most))) : 1;
}

/* Chooses the scales. False: scores might leave the range of halves. KEYS values of at most 256,
 * whose weights are at most 1, cannot. */
static bool measure(struct device *d, struct half_job *j, float scale)
{
    float most[3] = {0};

    memset(j->most, 0, (size_t)d->threads * 16 * sizeof *j->most);
    pool_run(d->pool, j->queries > j->keys ? j->queries : j->keys, 64, measure_part, j);
    for (int i = 0; i < d->threads * 16; i++)
        if (i % 16 < 3 && j->most[i] > most[i % 16])
            most[i % 16] = j->most[i];
    j->k_scale = to_range(most[1], 16);
    j->q_scale = scale * LOG2E / j->k_scale;
    j->v_scale = to_range(most[2], 256);
    return (float)j->dim * most[0] * most[1] * fabsf(scale) * LOG2E < 30000 && most[2] < 1e30f &&
           j->v_scale < 1e30f && j->k_scale < 1e30f;
}

/* ---- packing */

static void pack_part(const void *job, int64_t from, int64_t to, int thread)
{
    const struct half_job *j = job;

    (void)thread;
    for (int64_t i = from; i < to; i++) {
        int64_t head = i / j->padded, key = i % j->padded, all = j->first_head + head;
        int64_t sharing = j->q->shape[2] / j->k->shape[2];
        twice *keys = j->packed + head * 2 * j->padded * j->dim,
              *values = keys + j->padded * j->dim;
        const float *k = head_row(j->k, key, all / sharing),
                    *v = head_row(j->v, key, all / sharing);
        bool is_there = key < j->keys;
        keys += key / ROWS * j->dim * ROWS + key % ROWS;
        values += key * ROWS;
        for (int64_t c = 0; c < j->dim; c++) {
            keys[c * ROWS] = is_there ? twice_of(k[c] * j->k_scale) : 0;
            values[c / ROWS * j->padded * ROWS + c % ROWS] =
                is_there ? twice_of(v[c] * j->v_scale) : 0;
        }
    }
}

static void load_queries(const struct half_job *j, struct query_block *b, int64_t head,
                         int64_t first, int64_t rows)
{
    memset(b->q, 0, sizeof b->q);
    for (int64_t i = 0; i < rows; i++) {
        const float *q = head_row(j->q, first + i, head);
        for (int64_t c = 0; c < j->dim; c++)
            b->q[c][i] = (_Float16)(q[c] * j->q_scale);
    }
    memset(b->sum, 0, sizeof b->sum);
    memset(b->total, 0, sizeof b->total);
    for (int i = 0; i < QUERY_BLOCK; i++)
        b->most[i] = (_Float16)-65504;
}

/* ---- the inner loops */

/* sum[r][query] = sum over k of a[k][r] b[k][query] */
static inline __attribute__((always_inline)) void products(const twice *a, const _Float16 *b,
                                                           int64_t depth, __m512h sum[ROWS][WIDE])
{
    UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int w = 0; w < WIDE; w++) sum[r][w] =
        _mm512_setzero_ph();
    for (int64_t k = 0; k < depth; k++, a += ROWS, b += QUERY_BLOCK) {
        __m512h column[WIDE];
        UNROLL for (int w = 0; w < WIDE; w++) column[w] = _mm512_loadu_ph(b + w * LANES);
        UNROLL for (int r = 0; r < ROWS; r++)
        {
            __m512h x = _mm512_castsi512_ph(_mm512_set1_epi32((int)a[r]));
            UNROLL for (int w = 0; w < WIDE; w++) sum[r][w] =
                _mm512_fmadd_ph(x, column[w], sum[r][w]);
        }
    }
}

/* Scores of ROWS keys, of which `count` are there; most: raised to the largest. */
static void score_keys(const twice *keys, const struct query_block *b, int64_t dim, int64_t count,
                       _Float16 *score, __m512h most[WIDE])
{
    __m512h sum[ROWS][WIDE];

    products(keys, b->q[0], dim, sum);
    UNROLL for (int r = 0; r < ROWS; r++)
    {
        if (r >= count)
            return;
        UNROLL for (int w = 0; w < WIDE; w++)
        {
            _mm512_storeu_ph(score + r * QUERY_BLOCK + w * LANES, sum[r][w]);
            most[w] = _mm512_max_ph(most[w], sum[r][w]);
        }
    }
}

/* 2^x for x <= 0. The polynomial is 2^f on 0..1 to 1e-4, exact at 0. */
static inline __m512h power(__m512h x)
{
    const __m512h c3 = _mm512_set1_ph((_Float16)0.07826797f),
                  c2 = _mm512_set1_ph((_Float16)0.22630769f),
                  c1 = _mm512_set1_ph((_Float16)0.69542435f), c0 = _mm512_set1_ph((_Float16)1);
    __m512h f = _mm512_reduce_ph(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    __m512h p = _mm512_fmadd_ph(_mm512_fmadd_ph(_mm512_fmadd_ph(c3, f, c2), f, c1), f, c0);
    return _mm512_scalef_ph(p, x); /* times 2 to x, rounded down */
}

static inline __m512 floats(__m512h x, int half)
{
    __m512i bits = _mm512_castph_si512(x);
    __m256i part = half ? _mm512_extracti64x4_epi64(bits, 1) : _mm512_castsi512_si256(bits);
    return _mm512_cvtxph_ps(_mm256_castsi256_ph(part));
}

/* Scores become weights, and their sums are kept. Sums of halves are of 32 at most. */
static void soften(struct query_block *b, int64_t count, const __m512h most[WIDE])
{
    __m512h now[WIDE];

    for (int w = 0; w < WIDE; w++) {
        __m512h before = _mm512_loadu_ph(b->most + w * LANES), shrink;
        now[w] = _mm512_max_ph(before, most[w]);
        shrink = power(_mm512_sub_ph(before, now[w]));
        _mm512_storeu_ph(b->most + w * LANES, now[w]);
        for (int half = 0; half < 2; half++) {
            int at = w * LANES + half * LANES / 2;
            __m512 by = floats(shrink, half);
            _mm512_storeu_ps(b->shrink + at, by);
            _mm512_storeu_ps(b->total + at, _mm512_mul_ps(_mm512_loadu_ps(b->total + at), by));
        }
    }
    for (int64_t from = 0, to; from < count; from = to) {
        __m512h sum[WIDE] = {_mm512_setzero_ph(), _mm512_setzero_ph(), _mm512_setzero_ph()};
        to = from + 32 < count ? from + 32 : count;
        for (int64_t i = from; i < to; i++)
            UNROLL for (int w = 0; w < WIDE; w++)
            {
                _Float16 *at = b->score[i] + w * LANES;
                __m512h p = power(_mm512_sub_ph(_mm512_loadu_ph(at), now[w]));
                _mm512_storeu_ph(at, p);
                sum[w] = _mm512_add_ph(sum[w], p);
            }
        UNROLL for (int w = 0; w < WIDE; w++) for (int half = 0; half < 2; half++)
        {
            float *at = b->total + w * LANES + half * LANES / 2;
            _mm512_storeu_ps(at, _mm512_add_ps(_mm512_loadu_ps(at), floats(sum[w], half)));
        }
    }
}

/* ROWS dimensions of `count` values, weighted and added up. */
static void sum_values(const twice *values, struct query_block *b, int64_t dim, int64_t count)
{
    __m512h sum[ROWS][WIDE];

    products(values, b->score[0], count, sum);
    UNROLL for (int w = 0; w < WIDE; w++) UNROLL for (int half = 0; half < 2; half++)
    {
        int at = w * LANES + half * LANES / 2;
        __m512 shrink = _mm512_loadu_ps(b->shrink + at);
        UNROLL for (int r = 0; r < ROWS; r++)
        {
            float *to = b->sum[dim + r] + at;
            _mm512_storeu_ps(to,
                             _mm512_fmadd_ps(_mm512_loadu_ps(to), shrink, floats(sum[r][w], half)));
        }
    }
}

static void pass_keys(const struct half_job *j, struct query_block *b, const twice *packed,
                      int64_t first)
{
    int64_t count = j->keys - first < KEYS ? j->keys - first : KEYS;
    const twice *values = packed + j->padded * j->dim + first * ROWS;
    __m512h most[WIDE];

    for (int w = 0; w < WIDE; w++)
        most[w] = _mm512_set1_ph((_Float16)-65504);
    for (int64_t i = 0; i < count; i += ROWS)
        score_keys(packed + (first + i) * j->dim, b, j->dim, count - i, b->score[i], most);
    soften(b, count, most);
    for (int64_t c = 0; c < j->dim; c += ROWS)
        sum_values(values + c * j->padded, b, c, count);
}

static void attend_part(const void *job, int64_t from, int64_t to, int thread)
{
    const struct half_job *j = job;
    struct query_block *b = (struct query_block *)j->scratch + thread;

    for (int64_t i = from; i < to; i++) {
        int64_t head = i / j->query_blocks, first = i % j->query_blocks * QUERY_BLOCK;
        int64_t rows = j->queries - first < QUERY_BLOCK ? j->queries - first : QUERY_BLOCK;
        load_queries(j, b, j->first_head + head, first, rows);
        for (int64_t key = 0; key < j->keys; key += KEYS)
            pass_keys(j, b, j->packed + head * 2 * j->padded * j->dim, key);
        for (int64_t row = 0; row < rows; row++) {
            float *out = (float *)head_row(j->out, first + row, j->first_head + head);
            float share = 1 / (b->total[row] * j->v_scale);
            for (int64_t c = 0; c < j->dim; c++)
                out[c] = b->sum[c][row] * share;
        }
    }
}

/* ---- the operation */

static bool attention_f16(struct device *d, struct tensor *out, const struct tensor *q,
                          const struct tensor *k, const struct tensor *v, float scale,
                          const struct attention_bias *bias)
{
    struct half_job j = {.q = q,
                         .k = k,
                         .v = v,
                         .out = out,
                         .queries = q->shape[1],
                         .keys = k->shape[1],
                         .dim = q->shape[3],
                         .padded = (k->shape[1] + ROWS - 1) / ROWS * ROWS,
                         .query_blocks = (q->shape[1] + QUERY_BLOCK - 1) / QUERY_BLOCK};
    int64_t heads = q->shape[0] * q->shape[2], head = 2 * j.padded * j.dim;
    int64_t group = PACKED_LIMIT / (head * (int64_t)sizeof *j.packed);
    size_t threads = (size_t)d->threads, packed;

    if (!is_attention_f16(q, k, bias))
        return false;
    group = group < 1 ? 1 : group > heads ? heads : group;
    packed = (size_t)(group * head) * sizeof *j.packed;
    j.scratch =
        device_scratch(d, threads * (sizeof(struct query_block) + 16 * sizeof(float)) + packed);
    if (!j.scratch)
        return true;
    j.most = (float *)(j.scratch + threads * sizeof(struct query_block));
    j.packed = (twice *)(j.most + threads * 16);
    if (!measure(d, &j, scale))
        return false;
    for (int64_t h = 0; h < heads; h += group) {
        int64_t count = heads - h < group ? heads - h : group;
        j.first_head = h;
        pool_run(d->pool, count * j.padded, 64, pack_part, &j);
        pool_run(d->pool, count * j.query_blocks, 1, attend_part, &j);
    }
    return true;
}

void ops_init_f16(struct ops *ops)
{
    ops->attention_f16 = attention_f16;
}
#elif defined __x86_64__
#error "kernels/room.mk compiles this with -mavx512fp16"
#else
void ops_init_f16(struct ops *ops)
{
    (void)ops;
}
#endif
