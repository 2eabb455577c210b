/* Attention: cases of random sizes, and the shapes of the published models, timed. */
#include <math.h>

#include "tests/kernels/check_time.h"

struct attention_case {
    int64_t items, queries, keys, groups, sharing, dim, gap;
    float scale;
    bool key, relative, causal, packed;
    enum { NONE, SECONDS, BUT_LAST } hidden; /* of the keys */
};

/* q, k and v side by side in one matrix, as a joint projection leaves them. */
static struct pair columns_of(struct pair all, int64_t from, int64_t heads, int64_t dim)
{
    int64_t row = all.host.shape[2];
    struct tensor *t[2] = {&all.host, &all.device};

    for (int i = 0; i < 2; i++) {
        t[i]->data = (char *)t[i]->data + (size_t)from * dtype_size(t[i]->dtype);
        t[i]->rank = 4;
        t[i]->shape[2] = heads;
        t[i]->shape[3] = dim;
        t[i]->stride[2] = dim;
        t[i]->stride[3] = 1;
    }
    (void)row;
    return all;
}

static void attend_both(struct check *c, const struct attention_case *a)
{
    int64_t heads = a->groups * a->sharing;
    struct pair q, k, v,
        out = NUMBERS(c, ACTIVATIONS_, a->gap, 1, a->items, a->queries, heads, a->dim);
    struct attention_bias host = {.causal = a->causal}, device = host;

    if (a->packed) {
        struct pair all = NUMBERS(c, ACTIVATIONS_, a->gap, 1, a->items, a->keys,
                                  (heads + 2 * a->groups) * a->dim);
        q = columns_of(all, 0, heads, a->dim);
        k = columns_of(all, heads * a->dim, a->groups, a->dim);
        v = columns_of(all, (heads + a->groups) * a->dim, a->groups, a->dim);
    } else {
        q = NUMBERS(c, ACTIVATIONS_, a->gap, 1, a->items, a->queries, heads, a->dim);
        k = NUMBERS(c, ACTIVATIONS_, a->gap, 1, a->items, a->keys, a->groups, a->dim);
        v = NUMBERS(c, ACTIVATIONS_, 0, 1, a->items, a->keys, a->groups, a->dim);
    }
    if (a->key) {
        struct pair p = NUMBERS(c, VECTORS_, 0, 3, a->keys);
        for (int64_t i = 0; i < a->keys; i++)
            if (a->hidden == SECONDS ? i % 2 == 1 : a->hidden == BUT_LAST && i + 1 < a->keys)
                ((float *)p.host.data)[i] = -INFINITY;
        settle(c, &p);
        host.key = p.host;
        device.key = p.device;
    }
    if (a->relative) {
        struct pair p = NUMBERS(c, VECTORS_, 0, 2, heads, a->queries + a->keys - 1);
        host.relative = p.host;
        device.relative = p.device;
    }
    poison(c, &out);
    op_attention(c->reference, &out.host, &q.host, &k.host, &v.host, a->scale, &host);
    op_attention(c->tested, &out.device, &q.device, &k.device, &v.device, a->scale, &device);
    compare(
        c, "attention", &out,
        "items %lld queries %lld keys %lld groups %lld x %lld dim %lld gap %lld scale %g key %d "
        "hidden %d relative %d causal %d packed %d",
        (long long)a->items, (long long)a->queries, (long long)a->keys, (long long)a->groups,
        (long long)a->sharing, (long long)a->dim, (long long)a->gap, a->scale, a->key, a->hidden,
        a->relative, a->causal, a->packed);
}

/* Long enough for FP8: plain numbers; keys and values with means that stand out; and channels that
 * do, in queries and keys. Errors of bfloat16 beside them, from a layer that keeps to it. */
static void check_fp8(struct check *c)
{
    static const char *const kinds[] = {"FP8 attention", "FP8, means", "FP8, outliers"};
    int kind = (int)between(c, 0, 2);
    int64_t dim = between(c, 0, 1) ? 128 : 64, heads = between(c, 1, 2);
    int64_t items = heads == 2 ? 1 : between(c, 1, 2);
    int64_t queries = between(c, 2048, 2200), keys = between(c, 2048, 2200);
    struct pair q = NUMBERS(c, ACTIVATIONS_, 8, 3, items, queries, heads, dim);
    struct pair k = NUMBERS(c, ACTIVATIONS_, 0, 3, items, keys, heads, dim);
    struct pair v = NUMBERS(c, ACTIVATIONS_, 16, 1, items, keys, heads, dim);
    struct pair out = NUMBERS(c, ACTIVATIONS_, 8, 1, items, queries, heads, dim);
    struct attention_bias precise = {.precise = true};

    for (int64_t i = 0; kind && i < items * keys * heads; i++) {
        float *row = (float *)k.host.data + i * dim;
        float *value = (float *)v.host.data + i / heads * (heads * dim + 16) + i % heads * dim;
        for (int64_t j = 0; j < dim; j++) {
            row[j] += kind == 1 && j % 9 == 4 ? 20 : 0;
            row[j] *= kind == 2 && j == 11 ? 8 : 1;
            value[j] += kind == 1 && j % 5 == 2 ? 4 : 0;
        }
    }
    settle(c, &k);
    settle(c, &v);
    poison(c, &out);
    op_attention(c->reference, &out.host, &q.host, &k.host, &v.host, 1 / sqrtf((float)dim), NULL);
    op_attention(c->tested, &out.device, &q.device, &k.device, &v.device, 1 / sqrtf((float)dim),
                 NULL);
    compare(c, kinds[kind], &out, "items %lld queries %lld keys %lld heads %lld dim %lld",
            (long long)items, (long long)queries, (long long)keys, (long long)heads,
            (long long)dim);
    poison(c, &out);
    op_attention(c->tested, &out.device, &q.device, &k.device, &v.device, 1 / sqrtf((float)dim),
                 &precise);
    compare(c, "attention", &out, "precise, %s: items %lld queries %lld keys %lld", kinds[kind],
            (long long)items, (long long)queries, (long long)keys);
}

void check_attention(struct check *c)
{
    static const int64_t dims[] = {64, 128, 40, 80, 72, 96, 512, 8};
    bool odd = between(c, 0, 3) == 0;
    struct attention_case a = {
        .items = between(c, 1, 3),
        .queries = between(c, 0, 9) ? between(c, 1, 200) : between(c, 512, 700),
        .keys = between(c, 1, c->small ? 100 : 400),
        .groups = between(c, 1, 3),
        .sharing = between(c, 0, 2) ? 1 : between(c, 2, 4),
        .dim = odd ? between(c, 1, 70) : dims[between(c, 0, 7)],
        .gap = odd ? between(c, 0, 3) : 8 * between(c, 0, 1),
        .key = between(c, 0, 3) == 0,
        .relative = between(c, 0, 4) == 0,
        .hidden = between(c, 0, 2),
    };

    if (!wanted(c, "attention"))
        return;
    if (c->attention == DTYPE_F8_E4M3 && c->dtype != DTYPE_F32 && between(c, 0, 15) == 0)
        check_fp8(c);
    a.scale = (between(c, 0, 3) ? 2 : 40) / sqrtf((float)a.dim); /* peaked, too */
    if (between(c, 0, 3) == 0) {
        a.causal = true;
        a.hidden = between(c, NONE, SECONDS);
        if (a.keys < a.queries)
            a.keys = a.queries;
    }
    if (between(c, 0, 2) == 0) {
        a.packed = true;
        a.keys = a.queries;
    }
    attend_both(c, &a);
}

/* ---- timing */

struct job {
    struct tensor q, k, v, out;
    struct attention_bias bias;
    float scale;
};

static void run_attention(struct bench *b, void *p)
{
    struct job *j = p;
    op_attention(b->d, &j->out, &j->q, &j->k, &j->v, j->scale, &j->bias);
}

struct shape {
    const char *name;
    int64_t items, queries, keys, heads, dim;
    enum { PLAIN, KEY, CAUSAL, RELATIVE } bias;
};

static void time_shape(struct bench *b, const struct shape *s)
{
    int64_t wide = s->heads * s->dim, rows = s->queries > s->keys ? s->queries : s->keys;
    struct tensor all = BIG(s->items, rows, 1, 3 * wide);
    struct job j = {.out = BIG(s->items, s->queries, s->heads, s->dim),
                    .bias.causal = s->bias == CAUSAL,
                    .scale = 1 / sqrtf((float)s->dim)};
    struct tensor *part[3] = {&j.q, &j.k, &j.v};
    double flop = 4.0 * (double)(s->items * s->queries) * (double)s->keys * (double)wide;

    for (int i = 0; i < 3; i++) { /* side by side, as a joint projection leaves them */
        *part[i] =
            tensor_slice(tensor_slice(all, 3, i * wide, wide), 1, 0, i ? s->keys : s->queries);
        part[i]->shape[2] = s->heads;
        part[i]->stride[2] = part[i]->shape[3] = s->dim;
    }
    if (s->bias == KEY)
        j.bias.key = TENSOR_NEW(&b->memory, s->keys);
    if (s->bias == RELATIVE)
        j.bias.relative = TENSOR_NEW(&b->memory, s->heads, s->queries + s->keys - 1);
    if (s->bias == CAUSAL)
        flop *= 1 - 0.5 * (double)s->queries / (double)s->keys;
    tell(b, s->name, seconds(b, s->name, run_attention, &j), 0, flop);
    arena_free(&b->memory);
}

void time_attention(struct bench *b)
{
    static const struct shape shapes[] = {
        {"attention HunyuanVideo 18256, 24 x 128", 1, 18256, 18256, 24, 128, PLAIN},
        {"attention HunyuanVideo 67576, 24 x 128", 1, 67576, 67576, 24, 128, PLAIN},
        {"attention Wan 32760, 40 x 128", 1, 32760, 32760, 40, 128, PLAIN},
        {"attention Wan 32760 on 512 text, 40 x 128, key", 1, 32760, 512, 40, 128, KEY},
        {"attention CogVideoX 2 x 17776, 48 x 64", 2, 17776, 17776, 48, 64, PLAIN},
        {"attention 18256, 24 x 128, key", 1, 18256, 18256, 24, 128, KEY},
        {"attention 18256, 24 x 128, causal", 1, 18256, 18256, 24, 128, CAUSAL},
        {"attention LLaMA 351, 32 x 128, causal", 1, 351, 351, 32, 128, CAUSAL},
        {"attention T5 512, 64 x 64, relative", 1, 512, 512, 64, 64, RELATIVE},
        {"attention refiner 256, 24 x 128, key", 1, 256, 256, 24, 128, KEY},
        {"attention SDXL 2 x 4096, 10 x 64", 2, 4096, 4096, 10, 64, PLAIN},
        {"attention SDXL 2 x 4096 on 77 text, 10 x 64", 2, 4096, 77, 10, 64, PLAIN},
        {"attention SDXL 16 x 1024 on 77 text, 20 x 64", 16, 1024, 77, 20, 64, PLAIN},
        {"attention SVD frames 25 x 9216, 5 x 64", 25, 9216, 9216, 5, 64, PLAIN},
        {"attention SVD time 9216 x 25, 5 x 64", 9216, 25, 25, 5, 64, PLAIN},
        {"attention SVD time 2304 x 25, 10 x 64", 2304, 25, 25, 10, 64, PLAIN},
        {"attention VAE 9216, 1 x 512", 1, 9216, 9216, 1, 512, PLAIN},
        {"attention VAE 14400 on 72000, 1 x 512", 1, 14400, 72000, 1, 512, PLAIN},
        {"attention 4096, 16 x 80", 1, 4096, 4096, 16, 80, PLAIN},
        {"attention 4096, 8 x 160", 1, 4096, 4096, 8, 160, PLAIN},
        {"attention 4096, 8 x 40", 1, 4096, 4096, 8, 40, PLAIN},
    };

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (!skips(b, shapes[i].name))
            time_shape(b, &shapes[i]);
}
