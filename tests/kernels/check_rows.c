/* Cases of norms, elements, RoPE, tables and copies. */
#include <math.h>
#include <stdio.h>

#include "tests/kernels/check.h"

/* Rows [runs * per_run, 3, columns] and what goes with them. */
struct rows_case {
    int64_t runs, rows, columns, gap, offset;
    float scale;
    bool equal;
};

static struct rows_case random_rows(struct check *c)
{
    static const float scales[] = {1, 0.05f, 200, 30};
    static const int64_t wide[] = {320, 640, 1280, 1024, 1536, 3072, 5120, 8200, 10001};
    struct rows_case r = {
        .runs = between(c, 0, 1) ? between(c, 2, 4) : 1,
        .columns = random_size(c, 300),
        .gap = between(c, 0, 1) ? 8 * between(c, 0, 2) : between(c, 0, 5),
        .offset = between(c, 0, 2) ? 0 : between(c, 1, 7),
        .scale = scales[between(c, 0, 3)],
        .equal = between(c, 0, 9) == 0,
    };

    r.rows = r.runs * between(c, 1, 20);
    if (between(c, 0, 3) == 0) {
        r.columns = wide[between(c, 0, c->small ? 4 : 8)];
        r.rows = r.runs * between(c, 1, 3);
    }
    return r;
}

static struct pair rows(struct check *c, const struct rows_case *r)
{
    int64_t shape[3] = {r->rows, 3, r->columns};
    struct pair p = numbers(c, either(c), 3, shape, r->gap, r->offset, r->scale);

    if (r->equal) { /* a variance of nothing */
        for (int64_t i = 0; i < r->rows * 3; i++)
            for (int64_t k = 0; k < r->columns; k++)
                ((float *)p.host.data)[i * (r->columns + r->gap) + k] = 3;
        settle(c, &p);
    }
    return p;
}

static struct pair vectors(struct check *c, const struct rows_case *r)
{
    return r->runs > 1 ? NUMBERS(c, VECTORS_, 0, 1, r->runs, r->columns)
                       : NUMBERS(c, VECTORS_, 0, 1, r->columns);
}

#define HOW                                                                                        \
    "rows %lld x 3 columns %lld gap %lld offset %lld scale %g runs %lld equal %d x %s out %s",     \
        (long long)r.rows, (long long)r.columns, (long long)r.gap, (long long)r.offset, r.scale,   \
        (long long)r.runs, r.equal, dtype_name(x.device.dtype), dtype_name(out.device.dtype)

/* The same operation on both; arguments name pairs as A(x), vectors that may be absent as V(w). */
#define BOTH(op, ...)                                                                              \
    do {                                                                                           \
        if (!wanted(c, #op))                                                                       \
            break;                                                                                 \
        poison(c, &out);                                                                           \
        {                                                                                          \
            HOST_SIDE;                                                                             \
            op_##op(c->reference, to, __VA_ARGS__);                                                \
        }                                                                                          \
        {                                                                                          \
            DEVICE_SIDE;                                                                           \
            op_##op(c->tested, to, __VA_ARGS__);                                                   \
        }                                                                                          \
        compare(c, #op, &out, HOW);                                                                \
    } while (0)
#define SIDE(side)                                                                                 \
    struct tensor *to = &out.side, *in = &x.side, *other = &y.side,                                \
                  *weight = has_w ? &w.side : NULL, *bias = has_b ? &b.side : NULL;                \
    (void)in, (void)other, (void)weight, (void)bias
#define HOST_SIDE   SIDE(host)
#define DEVICE_SIDE SIDE(device)

static void check_norms_and_elements(struct check *c)
{
    struct rows_case r = random_rows(c), plain = r;
    struct pair x = rows(c, &r), out, y, w = vectors(c, &r), b = vectors(c, &r);
    bool has_w = between(c, 0, 2), has_b = between(c, 0, 2), silu = between(c, 0, 1);
    enum activation act = silu ? ACT_SILU : ACT_NONE;
    float eps = 1e-6f * r.scale * r.scale;

    plain.equal = false;
    plain.gap = between(c, 0, 1) ? r.gap : 0;
    y = rows(c, &plain);
    out = rows(c, &plain);
    BOTH(layer_norm, in, weight, bias, eps);
    if (r.runs == 1) {
        BOTH(rms_norm, in, weight, eps);
        BOTH(channel_norm, in, weight, act);
    }
    BOTH(add, in, other);
    BOTH(blend, 0.3f, in, -1.7f, other);
    BOTH(blend, -2.5f, in, 0, NULL);
    BOTH(add_gated, in, other, weight);
    BOTH(prelu, in, weight);
    BOTH(modulate, in, weight, bias);
    BOTH(copy, in);
    for (act = 0; act < ACTIVATIONS; act++) {
        BOTH(activation, in, act);
        BOTH(glu, in, other, act);
    }
}

/* out is x, or y. */
static void check_in_place(struct check *c)
{
    struct rows_case r = random_rows(c);
    struct pair x = rows(c, &r), y = rows(c, &r), out = x;

#define IN_PLACE(op, over, ...)                                                                    \
    do {                                                                                           \
        if (!wanted(c, #op))                                                                       \
            break;                                                                                 \
        settle(c, &x);                                                                             \
        settle(c, &y);                                                                             \
        out = over;                                                                                \
        {                                                                                          \
            struct tensor *to = &over.host, *a = &x.host, *b = &y.host;                            \
            (void)a, (void)b;                                                                      \
            op_##op(c->reference, to, __VA_ARGS__);                                                \
        }                                                                                          \
        {                                                                                          \
            struct tensor *to = &over.device, *a = &x.device, *b = &y.device;                      \
            (void)a, (void)b;                                                                      \
            op_##op(c->tested, to, __VA_ARGS__);                                                   \
        }                                                                                          \
        compare(c, #op, &over, HOW);                                                               \
    } while (0)
    /* Softmax last: what follows it would be too small for F16. */
    IN_PLACE(glu, y, a, b, ACT_GELU_TANH);
    IN_PLACE(modulate, y, b, NULL, NULL);
    IN_PLACE(prelu, x, a, NULL);
    IN_PLACE(add_gated, y, a, b, NULL);
    IN_PLACE(layer_norm, x, a, NULL, NULL, 1e-6f);
    IN_PLACE(blend, x, 2, a, -1, b);
    IN_PLACE(rms_norm, x, a, NULL, 1e-6f);
    IN_PLACE(channel_norm, x, a, NULL, ACT_SILU);
    IN_PLACE(activation, x, a, ACT_GELU);
}

static void check_distance(struct check *c)
{
    struct rows_case r = random_rows(c);
    struct pair x = rows(c, &r), y = rows(c, &r), out = NUMBERS(c, VECTORS_, 0, 1, 2);

    if (!wanted(c, "distance"))
        return;
    poison(c, &out);
    op_distance(c->reference, &out.host, &x.host, &y.host);
    op_distance(c->tested, &out.device, &x.device, &y.device);
    compare(c, "distance", &out, HOW);
}

static void check_group_norm(struct check *c)
{
    static const int64_t shapes[][2] = {{32, 128}, {32, 320}, {32, 2560}, {1, 7}, {3, 21}, {4, 32}};
    const int64_t *s = shapes[between(c, 0, 5)];
    int64_t n = between(c, 1, 3), h = between(c, 1, 30), w = between(c, 1, c->small ? 10 : 40);
    enum number_kind kind = either(c);
    struct pair x = NUMBERS(c, kind, 0, 1, n, h, w, s[1]),
                out = NUMBERS(c, kind, 0, 1, n, h, w, s[1]);
    struct pair a = NUMBERS(c, VECTORS_, 0, 1, s[1]), b = NUMBERS(c, VECTORS_, 0, 1, s[1]);
    float away = between(c, 0, 2) ? 0 : 100, spread = between(c, 0, 1) ? 1 : 1e-2f;
    bool in_place = between(c, 0, 1), weighted = between(c, 0, 3);
    enum activation act = between(c, 0, 1) ? ACT_SILU : ACT_NONE;

    if (!wanted(c, "group_norm"))
        return;
    if (away != 0)
        spread = 10; /* halves have no digits for less */
    for (int64_t i = 0; i < tensor_count(&x.host); i++)
        ((float *)x.host.data)[i] = ((float *)x.host.data)[i] * spread + away;
    settle(c, &x);
    if (in_place)
        out = x;
    else
        poison(c, &out);
    op_group_norm(c->reference, &out.host, &x.host, (int)s[0], weighted ? &a.host : NULL,
                  weighted ? &b.host : NULL, 1e-6f, act);
    op_group_norm(c->tested, &out.device, &x.device, (int)s[0], weighted ? &a.device : NULL,
                  weighted ? &b.device : NULL, 1e-6f, act);
    compare(c, "group_norm", &out, "n %lld h %lld w %lld channels %lld groups %lld mean %g act %d",
            (long long)n, (long long)h, (long long)w, (long long)s[1], (long long)s[0], away, act);
}

static void check_group_norm_shifted(struct check *c)
{
    static const int64_t shapes[][2] = {{32, 128}, {32, 320}, {3, 21}, {4, 32}};
    const int64_t *s = shapes[between(c, 0, 3)];
    int64_t runs = between(c, 1, 3), n = runs * between(c, 1, 2), pixels = between(c, 1, 300);
    struct pair x = NUMBERS(c, ACTIVATIONS_, 0, 1, n, pixels, s[1]), out = x;
    struct pair a = NUMBERS(c, VECTORS_, 0, 1, s[1]), b = NUMBERS(c, VECTORS_, 0, 1, s[1]);
    struct pair shift = NUMBERS(c, VECTORS_, 0, 2, runs, s[1]);
    struct shifted_norm host = {.groups = (int)s[0],
                                .weight = &a.host,
                                .bias = &b.host,
                                .shift = between(c, 0, 3) ? &shift.host : NULL,
                                .eps = 1e-6f,
                                .gain = between(c, 0, 1) ? 1 : random_float(c),
                                .act = between(c, 0, 1) ? ACT_SILU : ACT_NONE},
                        device = host;

    if (!wanted(c, "group_norm_shifted"))
        return;
    device.weight = &a.device;
    device.bias = &b.device;
    device.shift = host.shift ? &shift.device : NULL;
    if (between(c, 0, 1)) {
        out = NUMBERS(c, ACTIVATIONS_, 0, 1, n, pixels, s[1]);
        poison(c, &out);
    }
    op_group_norm_shifted(c->reference, &out.host, &x.host, &host);
    op_group_norm_shifted(c->tested, &out.device, &x.device, &device);
    compare(c, "group_norm_shifted", &out,
            "n %lld runs %lld pixels %lld channels %lld groups %lld shift %d gain %g act %d",
            (long long)n, (long long)runs, (long long)pixels, (long long)s[1], (long long)s[0],
            host.shift != NULL, (double)host.gain, host.act);
}

static void check_rope(struct check *c)
{
    static const int64_t dims[] = {64, 128, 80, 16, 6, 72};
    int64_t items = between(c, 1, 2), tokens = between(c, 1, 60), heads = between(c, 1, 5);
    int64_t dim = between(c, 0, 3) ? dims[between(c, 0, 5)] : 2 * between(c, 1, 40);
    int64_t shape[4] = {items, tokens, heads, dim};
    struct pair x = numbers(c, either(c), 4, shape, between(c, 0, 1) * between(c, 1, 8), 0, 1);
    struct pair cos = NUMBERS(c, VECTORS_, 0, 1, tokens, dim / 2);
    struct pair sin = NUMBERS(c, VECTORS_, 0, 1, tokens, dim / 2);
    enum rope_pairs pairs = between(c, 0, 1) ? ROPE_NEIGHBOURS : ROPE_HALVES;

    if (!wanted(c, "rope"))
        return;
    op_rope(c->reference, &x.host, &cos.host, &sin.host, pairs);
    op_rope(c->tested, &x.device, &cos.device, &sin.device, pairs);
    compare(c, "rope", &x, "items %lld tokens %lld heads %lld dim %lld pairs %d", (long long)items,
            (long long)tokens, (long long)heads, (long long)dim, pairs);
}

static void check_embed(struct check *c)
{
    int64_t entries = between(c, 1, 50), columns = random_size(c, 200), n = between(c, 1, 40);
    struct pair table = NUMBERS(c, VECTORS_, 0, 1, entries, columns);
    struct pair out = NUMBERS(c, either(c), between(c, 0, 3), 1, n, columns);
    struct tensor ids = tensor_new_of(&c->host, DTYPE_I32, 1, &n);

    if (!wanted(c, "embed") || !ids.data)
        return;
    for (int64_t i = 0; i < n; i++)
        ((int32_t *)ids.data)[i] = (int32_t)between(c, 0, entries - 1);
    poison(c, &out);
    op_embed(c->reference, &out.host, &table.host, &ids);
    op_embed(c->tested, &out.device, &table.host, &ids);
    compare(c, "embed", &out, "entries %lld columns %lld n %lld", (long long)entries,
            (long long)columns, (long long)n);
}

/* Any order of axes, rows that repeat, a change of dtype. */
static void check_copy(struct check *c)
{
    int64_t shape[4] = {between(c, 1, 5), between(c, 1, 40), between(c, 1, 40), between(c, 1, 40)};
    int order[4] = {0, 1, 2, 3};
    struct pair x = numbers(c, either(c), 4, shape, between(c, 0, 3), 0, 1), out;
    bool repeats = between(c, 0, 4) == 0;

    if (!wanted(c, "copy"))
        return;
    for (int i = 3; i > 0; i--) {
        int j = (int)between(c, 0, i), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    x.host = tensor_permute(x.host, order);
    x.device = tensor_permute(x.device, order);
    if (repeats) {
        int axis = (int)between(c, 0, 3);
        x.host.stride[axis] = x.device.stride[axis] = 0;
    }
    out = numbers(c, either(c), 4, x.host.shape, between(c, 0, 3), 0, 1);
    poison(c, &out);
    op_copy(c->reference, &out.host, &x.host);
    op_copy(c->tested, &out.device, &x.device);
    compare(c, "copy", &out, "%lldx%lldx%lldx%lld as %d%d%d%d repeats %d x %s out %s",
            (long long)shape[0], (long long)shape[1], (long long)shape[2], (long long)shape[3],
            order[0], order[1], order[2], order[3], repeats, dtype_name(x.device.dtype),
            dtype_name(out.device.dtype));
}

/* What is read in turn is what was there when its turn came. */
static void check_read_begin(struct check *c)
{
    int64_t n = c->small ? between(c, 1, 5000) : between(c, 1, 200000);
    struct pair x = NUMBERS(c, either(c), between(c, 0, 2), 1, n, 3);
    struct pair late = NUMBERS(c, VECTORS_, 0, 1, n, 3);
    int slot = (int)between(c, 0, READ_SLOTS - 1);
    const float *got;

    if (!wanted(c, "read_begin"))
        return;
    op_copy(c->reference, &late.host, &x.host);
    op_read_begin(c->tested, slot, &x.device);
    op_blend(c->tested, &x.device, 2, &x.device, 0, NULL);
    got = op_read_end(c->tested, slot);
    if (got) {
        struct tensor read = TENSOR_F32((float *)got, n, 3);
        op_write(c->tested, &late.device, &read);
    }
    compare(c, "read_begin", &late, "%lld rows, slot %d", (long long)n, slot);
}

static void check_write_and_read(struct check *c)
{
    int64_t n = c->small ? between(c, 1, 5000) : between(c, 1, 200000);
    struct pair x = NUMBERS(c, either(c), between(c, 0, 2), 1, n, 3);

    if (wanted(c, "write and read"))
        compare(c, "write and read", &x, "%lld rows", (long long)n);
}

void check_rows(struct check *c)
{
    check_norms_and_elements(c);
    check_in_place(c);
    check_distance(c);
    check_group_norm(c);
    check_group_norm_shifted(c);
    check_rope(c);
    check_embed(c);
    check_copy(c);
    check_write_and_read(c);
    check_read_begin(c);
}
