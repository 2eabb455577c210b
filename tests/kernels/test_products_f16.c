/* What a processor that multiplies halves makes of long attention, against the plain C reference:
 * near enough, F32 where halves would not do, and F32 for whoever asked for that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/device_impl.h"

/* Relative L2 error allowed: about half as much again as was seen with numbers like these, which is
 * printed with what q, k and v rounded to BF16, and nothing else, would cost. A half rounds by at
 * most 2^-11, 1.4e-4 on average. Sums of 64 and of 128 products are of halves: what is off in a
 * score is off in its weight. */
static const struct kind {
    const char *name;
    float q, k, v; /* size of the numbers */
    float middle;  /* of values */
    double limit;
} kinds[] = {
    {"weights alike", 0.1f, 0.1f, 1, 0, 3e-3}, /* values, and their sums */
    {"scores of 4", 2, 2, 1, 0, 1.4e-2},       /* one of 16 has a last digit of 2^-6 */
    {"scores of 16", 4, 4, 1, 0, 2.4e-2},      /* of 64: 2^-4, but few keys are then seen at all */
    {"values about 3", 2, 2, 1, 3, 3e-3},      /* what is off in weights matters less */
    {"small values", 2, 2, 1e-8f, 0, 1.4e-2},  /* as of 1: powers of two come off exactly */
    {"large values", 2, 2, 1e8f, 0, 1.4e-2},   {"large keys", 2e-4f, 2e4f, 1, 0, 1.4e-2},
};

struct case_ {
    int64_t items, queries, keys, heads, groups, dim;
};

static uint32_t state;
static struct arena arena;

static float random_float(void)
{
    float sum = 0;
    for (int i = 0; i < 3; i++) {
        state = state * 1664525u + 1013904223u;
        sum += (float)(state >> 8) / 8388608.0f - 1.0f; /* of three: a variance of 1 */
    }
    return sum;
}

static struct tensor numbers(int64_t items, int64_t tokens, int64_t heads, int64_t dim, float size,
                             float middle)
{
    struct tensor t = TENSOR_NEW(&arena, items, tokens, heads, dim);
    assert_non_null(t.data);
    for (int64_t i = 0; i < tensor_count(&t); i++)
        ((float *)t.data)[i] = (random_float() + middle) * size;
    return t;
}

struct attention {
    struct tensor q, k, v;
};

static struct attention make(const struct case_ *c, const struct kind *kind)
{
    return (struct attention){
        .q = numbers(c->items, c->queries, c->heads, c->dim, kind->q, 0),
        .k = numbers(c->items, c->keys, c->groups, c->dim, kind->k, 0),
        .v = numbers(c->items, c->keys, c->groups, c->dim, kind->v, kind->middle)};
}

static struct tensor attend(struct device *d, const struct attention *a,
                            const struct attention_bias *bias)
{
    struct tensor out = tensor_new(&arena, 4, a->q.shape);
    struct error e = {0};
    assert_non_null(out.data);
    op_attention(d, &out, &a->q, &a->k, &a->v, 1 / sqrtf((float)a->q.shape[3]), bias);
    assert_int_equal(device_status(d, &e), 0);
    return out;
}

static double error_of(const struct tensor *got, const struct tensor *want)
{
    const float *a = got->data, *b = want->data;
    double error = 0, norm = 0;
    for (int64_t i = 0; i < tensor_count(want); i++) {
        error += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    return sqrt(error / norm);
}

static struct device *reference, *f32, *f16;

static void round_to_bf16(struct tensor *t)
{
    for (int64_t i = 0; i < tensor_count(t); i++) {
        uint32_t bits;
        memcpy(&bits, (float *)t->data + i, sizeof bits);
        bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
        memcpy((float *)t->data + i, &bits, sizeof bits);
    }
}

/* Leaves a rounded. */
static double error_of_bf16(struct attention *a, const struct tensor *want)
{
    struct tensor got;
    round_to_bf16(&a->q);
    round_to_bf16(&a->k);
    round_to_bf16(&a->v);
    got = attend(reference, a, NULL);
    return error_of(&got, want);
}

static void halves_or_skip(void)
{
    if (!f16->ops.attention_f16)
        skip();
}

static void test_near_enough(void **unused)
{
    static const struct case_ cases[] = {
        {1, 640, 640, 2, 2, 64}, {1, 97, 513, 3, 1, 64},   {2, 191, 700, 2, 2, 128},
        {1, 96, 1025, 1, 1, 8},  {1, 200, 1100, 2, 1, 72},
    };
    (void)unused;
    halves_or_skip();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        double most = 0, bf16 = 0;
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            struct attention a = make(&cases[k], &kinds[i]);
            struct tensor want = attend(reference, &a, NULL), got = attend(f16, &a, NULL);
            struct tensor exact = attend(f32, &a, NULL);
            double error = error_of(&got, &want);
            assert_memory_not_equal(got.data, exact.data, sizeof(float) * 64); /* it took effect */
            if (!(error <= kinds[i].limit))
                fail_msg("%s, keys %lld dim %lld: error %.3g > %.3g", kinds[i].name,
                         (long long)cases[k].keys, (long long)cases[k].dim, error, kinds[i].limit);
            most = fmax(most, error);
            bf16 = fmax(bf16, error_of_bf16(&a, &want));
            arena_free(&arena);
        }
        printf("%-15s largest error %.1e, allowed %.1e; BF16 %.1e\n", kinds[i].name, most,
               kinds[i].limit, bf16);
    }
}

/* The very bytes of a device that was opened for F32. */
static void expect_f32(const struct attention *a, const struct attention_bias *bias)
{
    struct tensor got = attend(f16, a, bias), want = attend(f32, a, bias);
    assert_memory_equal(got.data, want.data, (size_t)tensor_count(&got) * sizeof(float));
}

static void test_f32_where_halves_will_not_do(void **unused)
{
    static const struct case_ usual = {1, 100, 600, 1, 1, 64}, short_ = {1, 100, 200, 1, 1, 64},
                              odd = {1, 100, 600, 1, 1, 20};
    static const struct attention_bias causal = {.causal = true}, precise = {.precise = true};
    struct attention a;
    (void)unused;
    halves_or_skip();

    a = make(&usual, &kinds[1]);
    expect_f32(&a, &precise);
    a = make(&usual, &(struct kind){.q = 60, .k = 60, .v = 1}); /* scores of many thousands */
    expect_f32(&a, NULL);
    a = make(&short_, &kinds[1]);
    expect_f32(&a, NULL);
    a = make(&odd, &kinds[1]);
    expect_f32(&a, NULL);
    a = make(&(struct case_){1, 600, 600, 1, 1, 64}, &kinds[1]);
    expect_f32(&a, &causal);
    arena_free(&arena);
}

/* Wherever it stands. */
static void test_nan_is_kept(void **unused)
{
    static const struct case_ usual = {1, 100, 600, 1, 1, 64};
    (void)unused;
    halves_or_skip();
    for (int which = 0; which < 3; which++) {
        struct attention a = make(&usual, &kinds[1]);
        struct tensor *const t[] = {&a.q, &a.k, &a.v};
        ((float *)t[which]->data)[5 * 64 + 7] = NAN;
        struct tensor got = attend(f16, &a, NULL);
        assert_true(isnan(((float *)got.data)[5 * 64 + 7]));
        assert_false(error_of(&got, &a.q) <= 1); /* no tolerance passes it */
        arena_free(&arena);
    }
}

/* Which thread does what must not show. */
static void test_same_bytes_every_run(void **unused)
{
    struct attention a;
    struct tensor want;
    (void)unused;
    halves_or_skip();

    a = make(&(struct case_){1, 300, 700, 2, 2, 64}, &kinds[1]);
    want = attend(f16, &a, NULL);
    for (int threads = 1; threads <= 4; threads++) {
        struct error e = {0};
        struct device *d;
        assert_int_equal(
            device_open(&(struct device_options){.threads = threads, .activations = DTYPE_BF16}, &d,
                        &e),
            0);
        struct tensor got = attend(d, &a, NULL);
        assert_memory_equal(got.data, want.data, (size_t)tensor_count(&got) * sizeof(float));
        device_close(d);
    }
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_near_enough),
        cmocka_unit_test(test_f32_where_halves_will_not_do),
        cmocka_unit_test(test_nan_is_kept),
        cmocka_unit_test(test_same_bytes_every_run),
    };
    struct device_options options = {.threads = 2};
    struct error e = {0};
    int failed = 0;

    if (device_open_reference(2, &reference, &e) || device_open(&options, &f32, &e))
        return 1;
    options.activations = DTYPE_F16;
    if (device_open(&options, &f16, &e))
        return 1;
    if (!f16->ops.attention_f16)
        printf("skip: this processor has no products of halves (AVX512_FP16)\n");
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(reference);
    device_close(f32);
    device_close(f16);
    return failed;
}
