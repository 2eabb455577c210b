/* Every CPU kernel of every instruction set that this machine has, against the plain C reference:
 * random numbers, odd shapes, strides, unaligned memory, large and tiny values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/isa.h"

enum { ROUNDS = 16 };

/* Relative L2 error allowed. Sums in F32 against sums in double: an error of n terms grows like
 * sqrt(n) 2^-24, a few 1e-7 for the depths here; exponentials add their own 1e-7. Moves and
 * single-rounding operations are exact but for one rounding. */
static const struct tolerance {
    const char *op;
    double limit;
} tolerances[] = {
    {"linear", 2e-6},     /* depth up to 600, activation after */
    {"attention", 4e-6},  /* two products and an exponential of scores up to +-30 */
    {"layer_norm", 2e-6}, /* a difference of near numbers when the mean is large */
    {"rms_norm", 1e-6},   {"channel_norm", 1e-6}, {"rope", 5e-7},  {"activation", 1e-6},
    {"add_gated", 2e-7},  {"modulate", 2e-7},     {"prelu", 1e-7}, {"conv_prelu", 3e-6},
    {"conv", 3e-6}, /* depth up to 27 * 70 */
    {"linear_glu", 2e-6}, {"add", 1e-7},          {"blend", 2e-7}, {"glu", 1e-6},
    {"linear_add", 2e-6}, {"group_norm", 6e-6}, /* numbers about a mean of 100 have lost 7 of their
                                                   24 bits */
};

static uint64_t seed, state;

static uint32_t random_bits(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static int64_t between(int64_t low, int64_t high)
{
    return low + (int64_t)(random_bits() % (uint64_t)(high - low + 1));
}

static float random_float(void)
{
    float sum = 0;
    for (int i = 0; i < 4; i++)
        sum += (float)(random_bits() & 0xffffff) / 8388608.0f - 1.0f;
    return sum;
}

static struct arena arena;
static struct device *reference, *tested;
static const char *isa;

/* Rows of C numbers, `gap` apart beyond C, beginning at an odd address. */
static struct tensor numbers(int rank, const int64_t *shape, int64_t gap, float scale)
{
    struct tensor t = tensor_f32(NULL, rank, shape);
    int64_t rows = 1, columns = shape[rank - 1];
    float *data;

    for (int i = rank - 2; i >= 0; i--) {
        t.stride[i] = rows * (columns + gap);
        rows *= shape[i];
    }
    data = arena_array(&arena, (size_t)(rows * (columns + gap) + 17), sizeof *data);
    assert_non_null(data);
    t.data = data + random_bits() % 3;
    for (int64_t i = 0; i < rows * (columns + gap); i++)
        ((float *)t.data)[i] = random_float() * scale;
    return t;
}
#define NUMBERS(gap, scale, ...)                                                                   \
    numbers((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__},   \
            (gap), (scale))

static struct tensor twin(struct tensor t)
{
    struct tensor out = numbers(t.rank, t.shape, 0, 1);
    memcpy(out.stride, t.stride, sizeof out.stride);
    if (t.rank > 1) { /* the strides may be wider */
        size_t span = (size_t)(t.stride[0] * t.shape[0] + 64);
        out.data = arena_array(&arena, span, sizeof(float));
        assert_non_null(out.data);
    }
    return out;
}

static void compare(const char *op, const struct tensor *got, const struct tensor *want,
                    const char *parameters)
{
    double error = 0, norm = 0, limit = -1;

    for (size_t i = 0; i < sizeof tolerances / sizeof *tolerances; i++)
        if (strcmp(tolerances[i].op, op) == 0)
            limit = tolerances[i].limit;
    assert_true(limit >= 0);
    for (int64_t r = 0; r < tensor_rows(want); r++)
        for (int64_t c = 0; c < want->shape[want->rank - 1]; c++) {
            double w = tensor_row(want, r)[c], g = tensor_row(got, r)[c];
            error += (g - w) * (g - w);
            norm += w * w;
        }
    error = sqrt(error) / (sqrt(norm) > 0 ? sqrt(norm) : 1);
    if (!(error <= limit))
        fail_msg("%s (%s): error %.3g > %.3g with %s; AUTEUR_TEST_SEED=%llu", op, isa, error, limit,
                 parameters, (unsigned long long)seed);
}

static void settled(void)
{
    struct error e = {0};
    if (device_status(reference, &e) || device_status(tested, &e))
        fail_msg("%s", e.text);
    arena_free(&arena);
}

static const char *text(const char *format, ...)
{
    static char buffer[200];
    va_list args;
    va_start(args, format);
    vsnprintf(buffer, sizeof buffer, format, args);
    va_end(args);
    return buffer;
}

static void check_linear(void)
{
    int64_t m = between(1, 130), n = between(1, 150), k = between(1, 600);
    enum activation act = (enum activation)between(0, ACTIVATIONS - 1);
    struct tensor x = NUMBERS(between(0, 5), 1, m, k), w = NUMBERS(0, 0.3f, n, k);
    struct tensor bias = NUMBERS(0, 1, n), got = NUMBERS(between(0, 5), 1, m, n), want = twin(got);
    bool biased = between(0, 1);
    struct linear a, b;
    struct error e = {0};

    assert_int_equal(linear_pack(reference, &arena, &w, biased ? &bias : NULL, &a, &e), 0);
    assert_int_equal(linear_pack(tested, &arena, &w, biased ? &bias : NULL, &b, &e), 0);
    op_linear(reference, &want, &x, &a, act);
    op_linear(tested, &got, &x, &b, act);
    compare("linear", &got, &want,
            text("m %lld n %lld k %lld act %d bias %d", (long long)m, (long long)n, (long long)k,
                 act, biased));
    op_linear_add(reference, &want, &x, &a, &want);
    op_linear_add(tested, &got, &x, &b, &got);
    compare("linear_add", &got, &want, "residual in place");
    struct tensor residual = NUMBERS(between(0, 5), 1, m, n);
    op_linear_add(reference, &want, &x, &a, &residual);
    op_linear_add(tested, &got, &x, &b, &residual);
    compare("linear_add", &got, &want, "residual elsewhere");
}

static void check_linear_glu(void)
{
    int64_t m = between(1, 40), n = between(1, 60), k = between(1, 200);
    enum activation act = (enum activation)between(0, ACTIVATIONS - 1);
    struct tensor x = NUMBERS(between(0, 5), 1, m, k), w = NUMBERS(0, 0.3f, 2 * n, k);
    struct tensor bias = NUMBERS(0, 1, 2 * n), got = NUMBERS(between(0, 5), 1, m, n);
    struct tensor want = twin(got);
    struct linear a, b;
    struct error e = {0};

    assert_int_equal(linear_pack(reference, &arena, &w, &bias, &a, &e), 0);
    assert_int_equal(linear_pack(tested, &arena, &w, &bias, &b, &e), 0);
    assert_false(linear_glu_is_fused(tested, &b, act));
    op_linear_glu(reference, &want, &x, &a, act);
    op_linear_glu(tested, &got, &x, &b, act);
    compare("linear_glu", &got, &want,
            text("m %lld n %lld k %lld act %d", (long long)m, (long long)n, (long long)k, act));
}

/* Layers that read the same input, as one. */
static void check_linears(void)
{
    int64_t m = between(1, 40), k = between(1, 90), sizes[3], total = 0;
    struct tensor x = NUMBERS(0, 1, m, k), weight[3], bias[3], got, want;
    const struct tensor *weights[3], *biases[3];
    struct linear a, b;
    struct error e = {0};

    for (int i = 0; i < 3; i++) {
        total += sizes[i] = between(1, 50);
        weight[i] = NUMBERS(0, 0.3f, sizes[i], k);
        bias[i] = NUMBERS(0, 1, sizes[i]);
        weights[i] = &weight[i];
        biases[i] = &bias[i];
    }
    got = NUMBERS(0, 1, m, total);
    want = twin(got);
    assert_int_equal(linear_pack_many(tested, &arena, 3, weights, biases, &b, &e), 0);
    op_linear(tested, &got, &x, &b, ACT_SILU);
    total = 0;
    for (int i = 0; i < 3; i++) {
        struct tensor part = tensor_slice(want, 1, total, sizes[i]);
        assert_int_equal(linear_pack(reference, &arena, &weight[i], &bias[i], &a, &e), 0);
        op_linear(reference, &part, &x, &a, ACT_SILU);
        total += sizes[i];
    }
    compare("linear", &got, &want, "three side by side");
}

static void check_attention(void)
{
    bool small = between(0, 2) == 0; /* many short sequences, as frames of a pixel are */
    int64_t items = small ? between(1, 30) : between(1, 2);
    int64_t queries = between(1, small ? 20 : 230), keys = between(1, small ? 20 : 500);
    int64_t groups = between(1, 3), heads = groups * between(1, 3);
    int64_t dim = between(1, 5) == 1 ? between(1, 70) : 16 * between(1, 8);
    int which = (int)between(0, 7);
    bool causal = which & 4;
    if (causal)
        keys += queries;
    struct tensor q = NUMBERS(between(0, 3), 1, items, queries, heads, dim);
    struct tensor k = NUMBERS(between(0, 3), 1, items, keys, groups, dim);
    struct tensor v = NUMBERS(between(0, 3), 1, items, keys, groups, dim);
    struct tensor got = NUMBERS(between(0, 3), 1, items, queries, heads, dim), want = twin(got);
    struct attention_bias bias = {.causal = causal};

    if (which & 1)
        bias.key = NUMBERS(0, 3, keys);
    if ((which & 3) == 3 && !causal)
        for (int64_t i = 0; i < keys - 1; i += 2)
            ((float *)bias.key.data)[i] = -INFINITY;
    if (which & 2)
        bias.relative = NUMBERS(0, 2, heads, queries + keys - 1);
    op_attention(reference, &want, &q, &k, &v, 3 / sqrtf((float)dim), &bias);
    op_attention(tested, &got, &q, &k, &v, 3 / sqrtf((float)dim), &bias);
    compare("attention", &got, &want,
            text("items %lld queries %lld keys %lld heads %lld groups %lld dim %lld bias %d",
                 (long long)items, (long long)queries, (long long)keys, (long long)heads,
                 (long long)groups, (long long)dim, which));
}

static void check_rows(void)
{
    static const float scales[] = {1, 1e-4f, 1e4f, 30};
    float scale = scales[between(0, 3)];
    int64_t m = between(1, 60), c = between(1, 300);
    struct tensor x = NUMBERS(between(0, 3), scale, m, 3, c),
                  got = NUMBERS(between(0, 3), 1, m, 3, c);
    struct tensor y = NUMBERS(between(0, 3), scale, m, 3, c), want = twin(got);
    struct tensor a = NUMBERS(0, 1, c), b = NUMBERS(0, 1, c);
    struct tensor *weight = between(0, 1) ? &a : NULL, *bias = between(0, 1) ? &b : NULL;
    enum activation act = (enum activation)between(0, 1);
    const char *how =
        text("rows %lld columns %lld scale %g weight %d bias %d act %d", (long long)(3 * m),
             (long long)c, scale, weight != NULL, bias != NULL, act);

#define BOTH(op, ...)                                                                              \
    op_##op(reference, &want, __VA_ARGS__);                                                        \
    op_##op(tested, &got, __VA_ARGS__);                                                            \
    compare(#op, &got, &want, how)
    BOTH(layer_norm, &x, weight, bias, 1e-6f * scale * scale);
    BOTH(rms_norm, &x, weight, 1e-6f);
    BOTH(channel_norm, &x, weight, act);
    BOTH(add, &x, &y);
    BOTH(add_gated, &x, &y, weight);
    BOTH(prelu, &x, weight);
    BOTH(modulate, &x, weight, bias);
    BOTH(blend, 0.3f, &x, -1.7f, &y);
    BOTH(blend, 0.3f, &x, 0, NULL);
    {
        struct tensor runs = NUMBERS(0, 1, m, c), other = NUMBERS(0, 1, 3 * m, c);
        BOTH(layer_norm, &x, &runs, &other, 1e-6f * scale * scale);
        BOTH(add_gated, &x, &y, &runs);
        BOTH(modulate, &x, &runs, &other);
    }
    for (act = 0; act < ACTIVATIONS; act++) {
        BOTH(activation, &x, act);
        BOTH(glu, &y, &x, act);
    }
#undef BOTH
    if (c % 2 == 0) {
        struct tensor cos = NUMBERS(0, 1, m, c / 2), sin = NUMBERS(0, 1, m, c / 2);
        enum rope_pairs pairs = (enum rope_pairs)between(0, 1);
        op_copy(tested, &got, &x);
        op_copy(reference, &want, &x);
        op_rope(reference, &want, &cos, &sin, pairs);
        op_rope(tested, &got, &cos, &sin, pairs);
        compare("rope", &got, &want, how);
    }
}

/* out may be x. */
static void check_in_place(void)
{
    int64_t m = between(1, 40), c = between(1, 100);
    struct tensor x = NUMBERS(0, 1, m, c), y = NUMBERS(0, 1, m, c), want = twin(x);

    op_layer_norm(reference, &want, &x, NULL, NULL, 1e-6f);
    op_layer_norm(tested, &x, &x, NULL, NULL, 1e-6f);
    compare("layer_norm", &x, &want, "in place");
    op_channel_norm(reference, &want, &x, NULL, ACT_SILU);
    op_channel_norm(tested, &x, &x, NULL, ACT_SILU);
    compare("channel_norm", &x, &want, "in place");
    op_add_gated(reference, &want, &x, &y, NULL);
    op_add_gated(tested, &y, &x, &y, NULL);
    compare("add_gated", &y, &want, "out is y");
}

/* A convolution of random form: what it takes and gives. */
struct conv_case {
    int64_t frames, h, w, in, out;
    int kt, kh, kw;
    struct conv_form form;
};

static struct conv_case random_conv(void)
{
    static const int64_t widths[] = {16, 32, 48, 64};
    struct conv_case c = {.frames = between(1, 3),
                          .h = between(1, 9),
                          .w = between(0, 1) ? between(1, 60) : 4 * between(1, 20),
                          .in = between(0, 1) ? widths[between(0, 3)] : between(1, 70),
                          .out = between(0, 2) == 0 ? between(1, 4) /* as pictures have */
                                 : between(0, 1)    ? widths[between(0, 3)]
                                                    : between(1, 70),
                          .kt = between(0, 1) ? 1 : (int)between(2, 3),
                          .kh = between(0, 2) ? 3 : 1,
                          .form = {.scale = 1, .stride = (int)between(1, 2)}};
    c.kw = between(0, 3) ? c.kh : 4 - c.kh;
    c.form.edge = (enum conv_edge)between(0, c.form.stride);
    if (c.kh == 3 && c.kw == 3 && c.form.stride == 1)
        c.form.scale = (int)between(1, 2);
    if (c.form.edge == CONV_ZEROS_AFTER) { /* at least a pixel must come out */
        c.h++;
        c.w++;
    }
    return c;
}

static int64_t conv_comes_out(const struct conv_case *c, int64_t n)
{
    if (c->form.stride == 1)
        return n * c->form.scale;
    return c->form.edge == CONV_ZEROS_AFTER ? n / 2 : (n + 1) / 2;
}

static void check_conv(void)
{
    struct conv_case c = random_conv();
    struct tensor weight = NUMBERS(0, 0.2f, c.out, c.in, c.kt, c.kh, c.kw);
    struct tensor bias = NUMBERS(0, 1, c.out), frames[CONV_MAX_TAPS];
    struct tensor got =
        NUMBERS(0, 1, c.frames, conv_comes_out(&c, c.h), conv_comes_out(&c, c.w), c.out);
    struct tensor want = twin(got), whole = NUMBERS(0, 1, c.frames + c.kt - 1, c.h, c.w, c.in);
    const struct tensor *x[CONV_MAX_TAPS] = {0};
    bool add = between(0, 1), clip = between(0, 1);
    struct conv a, b;
    struct error e = {0};

    for (int t = 0; t < c.kt; t++) {
        frames[t] =
            clip ? tensor_slice(whole, 0, t, c.frames) : NUMBERS(0, 1, c.frames, c.h, c.w, c.in);
        x[t] = t < c.kt - 1 && between(0, 3) == 0 ? NULL : &frames[t];
    }
    assert_int_equal(conv_pack(reference, &arena, &weight, &bias, c.form, &a, &e), 0);
    assert_int_equal(conv_pack(tested, &arena, &weight, &bias, c.form, &b, &e), 0);
    memcpy(want.data, got.data, (size_t)tensor_count(&got) * sizeof(float));
    op_conv(reference, &want, x, &a, add ? &want : NULL);
    op_conv(tested, &got, x, &b, add ? &got : NULL);
    compare("conv", &got, &want,
            text("%lld frames of %lld x %lld in %lld out %lld kernel %d %d %d scale %d stride %d "
                 "edge %d residual %d",
                 (long long)c.frames, (long long)c.h, (long long)c.w, (long long)c.in,
                 (long long)c.out, c.kt, c.kh, c.kw, c.form.scale, c.form.stride, c.form.edge,
                 add));
}

static void check_groups(void)
{
    static const float means[] = {0, 1, 100};
    int64_t items = between(1, 3), h = between(1, 20), w = between(1, 20);
    int groups = (int)between(1, 8);
    int64_t c = groups * between(1, 20);
    struct tensor x = NUMBERS(0, 1, items, h, w, c), weight = NUMBERS(0, 1, c);
    struct tensor bias = NUMBERS(0, 1, c), got = NUMBERS(0, 1, items, h, w, c), want = twin(got);
    bool plain = between(0, 3) == 0;
    float mean = means[between(0, 2)];
    enum activation act = (enum activation)between(0, 1);

    for (int64_t i = 0; i < tensor_count(&x); i++)
        ((float *)x.data)[i] += mean;
    op_group_norm(reference, &want, &x, groups, plain ? NULL : &weight, plain ? NULL : &bias, 1e-6f,
                  act);
    op_group_norm(tested, &got, &x, groups, plain ? NULL : &weight, plain ? NULL : &bias, 1e-6f,
                  act);
    compare("group_norm", &got, &want,
            text("%lld items of %lld x %lld x %lld, %d groups, mean %g", (long long)items,
                 (long long)h, (long long)w, (long long)c, groups, (double)mean));
}

static void with_every_isa(void (*check)(void))
{
    static const struct {
        const char *name;
        void (*init)(struct ops *);
    } sets[] = {
        {"base", ops_init_base},
        {"best", ops_init_cpu},
        {"avx2", ops_init_avx2},
    };
    struct error e = {0};

    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
#ifdef __x86_64__
        if (strcmp(sets[i].name, "avx2") == 0 && !__builtin_cpu_supports("avx2"))
            continue;
#endif
        isa = sets[i].name;
        state = seed;
        assert_int_equal(device_open_reference(2, &reference, &e), 0);
        assert_int_equal(device_open_reference(2, &tested, &e), 0);
        sets[i].init(&tested->ops);
        for (int round = 0; round < ROUNDS; round++) {
            check();
            settled();
        }
        device_close(reference);
        device_close(tested);
    }
}

#define TEST(name)                                                                                 \
    static void test_##name(void **unused)                                                         \
    {                                                                                              \
        (void)unused;                                                                              \
        with_every_isa(check_##name);                                                              \
    }
TEST(linear)
TEST(attention)
TEST(rows)
TEST(in_place)
TEST(linears)
TEST(linear_glu)
TEST(conv)
TEST(groups)

/* NaN and infinity go through as they do in the reference: a broken model is noticed. */
static void test_nan_is_kept(void **unused)
{
    float data[4] = {1, NAN, 2, 3}, got[4], one[1] = {1};
    struct tensor x = TENSOR_F32(data, 1, 4), out = TENSOR_F32(got, 1, 4);
    struct tensor q = TENSOR_F32(one, 1, 1, 1), k = TENSOR_F32(data, 4, 1, 1);
    struct tensor r = TENSOR_F32(got, 1, 1, 1);
    struct error e = {0};
    struct device *d;
    (void)unused;

    assert_int_equal(device_open(&(struct device_options){.threads = 1}, &d, &e), 0);
    op_layer_norm(d, &out, &x, NULL, NULL, 1e-6f);
    assert_true(isnan(got[0]));
    op_activation(d, &out, &x, ACT_SILU);
    assert_true(isnan(got[1]) && !isnan(got[0]));
    op_channel_norm(d, &out, &x, NULL, ACT_SILU);
    assert_true(isnan(got[1]));
    op_attention(d, &r, &q, &k, &k, 1, NULL);
    assert_true(isnan(got[0]));
    assert_int_equal(device_status(d, &e), 0);
    device_close(d);
}

/* The first failure stays until it is asked for, and later operations do nothing. */
static void test_errors_are_sticky(void **unused)
{
    float data[6] = {1, 2, 3, 4, 5, 6}, got[6] = {0};
    struct tensor x = TENSOR_F32(data, 2, 3), wrong = TENSOR_F32(got, 3, 2);
    struct tensor right = TENSOR_F32(got, 2, 3);
    struct error e = {0};
    struct device *d;
    (void)unused;

    assert_int_equal(device_open(&(struct device_options){.threads = 1}, &d, &e), 0);
    op_add(d, &wrong, &x, &x);
    op_add(d, &right, &x, &x);
    assert_true(got[0] == 0);
    assert_int_equal(device_status(d, &e), -1);
    assert_string_equal(e.text, "add: out does not fit: shape [3, 2]");
    assert_int_equal(e.code, ERROR_INTERNAL);
    assert_int_equal(device_status(d, &e), 0);
    op_add(d, &right, &x, &x);
    assert_true(got[5] == 12);
    device_close(d);
    if (device_open(&(struct device_options){.kind = DEVICE_CUDA}, &d, &e) == 0)
        device_close(d); /* there is a GPU here */
    else
        assert_int_equal(e.code, ERROR_USAGE);
}

static void test_patches_go_there_and_back(void **unused)
{
    const int patch[3] = {1, 2, 2};
    float latents[2 * 3 * 4 * 6], back[2 * 3 * 4 * 6], tokens[18 * 8], turned[18 * 8];
    struct tensor l = TENSOR_F32(latents, 2, 3, 4, 6), b = TENSOR_F32(back, 2, 3, 4, 6);
    struct tensor t = TENSOR_F32(tokens, 18, 8), u = TENSOR_F32(turned, 18, 8);
    struct error e = {0};
    struct device *d;
    (void)unused;

    for (int i = 0; i < 144; i++)
        latents[i] = (float)i;
    assert_int_equal(device_open(&(struct device_options){.threads = 1}, &d, &e), 0);
    op_patchify(d, &t, &l, patch);
    assert_true(tokens[0] == 0 && tokens[1] == 1 && tokens[2] == 6 && tokens[3] == 7);
    assert_true(tokens[4] == 72); /* the second channel */
    assert_true(tokens[8] == 2);  /* the next token */
    for (int i = 0; i < 18; i++)
        for (int f = 0; f < 8; f++) /* [channel][patch] to [patch][channel] */
            turned[i * 8 + f % 4 * 2 + f / 4] = tokens[i * 8 + f];
    op_unpatchify(d, &b, &u, patch);
    assert_memory_equal(back, latents, sizeof back);
    assert_int_equal(device_status(d, &e), 0);
    device_close(d);
}

/* Which thread does what must not show. */
static void run_some(int threads, const struct tensor *x, const struct linear *w,
                     struct tensor *out, struct tensor *mixed)
{
    struct error e = {0};
    struct device *d;

    assert_int_equal(device_open(&(struct device_options){.threads = threads}, &d, &e), 0);
    op_attention(d, out, x, x, x, 0.2f, NULL);
    {
        struct tensor rows = TENSOR_VIEW(*out, 300, 128);
        op_layer_norm(d, &rows, &rows, NULL, NULL, 1e-6f);
        op_linear(d, mixed, &rows, w, ACT_GELU_TANH);
    }
    assert_int_equal(device_status(d, &e), 0);
    device_close(d);
}

static void test_same_bytes_every_run(void **unused)
{
    struct error e = {0};
    struct device *d;
    struct tensor x, weight, out, first, again;
    struct linear w;
    (void)unused;

    state = seed;
    x = NUMBERS(0, 1, 300, 2, 64);
    weight = NUMBERS(0, 1, 90, 128);
    out = TENSOR_NEW(&arena, 300, 2, 64);
    first = TENSOR_NEW(&arena, 300, 90);
    again = TENSOR_NEW(&arena, 300, 90);
    assert_true(out.data && first.data && again.data);
    assert_int_equal(device_open(&(struct device_options){.threads = 1}, &d, &e), 0);
    assert_int_equal(linear_pack(d, &arena, &weight, NULL, &w, &e), 0);
    device_close(d);
    run_some(1, &x, &w, &out, &first);
    for (int threads = 1; threads <= 4; threads++) {
        run_some(threads, &x, &w, &out, &again);
        assert_memory_equal(again.data, first.data, 300 * 90 * sizeof(float));
    }
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_linears),
        cmocka_unit_test(test_linear_glu),
        cmocka_unit_test(test_conv),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_nan_is_kept),
        cmocka_unit_test(test_errors_are_sticky),
        cmocka_unit_test(test_patches_go_there_and_back),
        cmocka_unit_test(test_same_bytes_every_run),
    };
    const char *given = getenv("AUTEUR_TEST_SEED");
    seed = given ? strtoull(given, NULL, 10) : 20261121;
    printf("seed %llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
