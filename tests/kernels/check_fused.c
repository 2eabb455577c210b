/* Cases of FP8 layers and their inputs, and of operations that are several in one pass. */
#include <math.h>
#include <stdio.h>

#include "tests/kernels/check.h"

/* ---- FP8 rows */

static bool new_scales(struct check *c, struct pair *p)
{
    p->host.scale = tensor_new(&c->host, p->host.rank - 1, p->host.shape).data;
    p->device.scale = tensor_new(&c->device, p->host.rank - 1, p->host.shape).data;
    if (p->host.scale && p->device.scale)
        return true;
    printf("f8: out of memory\n");
    c->failed++;
    return false;
}

/* The same memory as the input of a layer with FP8 weights. */
static struct pair as_input(const struct pair *p)
{
    struct linear w = {.dtype = DTYPE_F8_E4M3};
    return (struct pair){activation_as_input(&w, p->host), activation_as_input(&w, p->device)};
}

/* Holds what both sides' FP8 rows stand for against each other. */
static void compare_f8(struct check *c, const struct pair *f8, const char *what)
{
    struct pair plain = numbers(c, VECTORS_, f8->host.rank, f8->host.shape, 0, 0, 1);

    poison(c, &plain);
    op_copy(c->reference, &plain.host, &f8->host);
    op_copy(c->tested, &plain.device, &f8->device);
    compare(c, "f8 rows", &plain, "%s, columns %lld", what, (long long)f8->host.shape[2]);
}

/* What goes into FP8 rows: x, y in another form, vectors. */
struct f8_rows_case {
    struct pair x, y, w, b, out;
    enum activation act; /* of the gated unit */
};

enum f8_op { F8_LAYER_NORM, F8_RMS_NORM, F8_ACTIVATION, F8_GLU, F8_COPY, F8_OPS };
static const char *const f8_names[] = {"layer_norm", "rms_norm", "activation", "glu", "copy"};

static void make(struct device *d, enum f8_op op, struct tensor *out, const struct tensor *x,
                 const struct tensor *y, const struct tensor *w, const struct tensor *b,
                 enum activation act)
{
    switch (op) {
    case F8_LAYER_NORM:
        op_layer_norm(d, out, x, w, b, 1e-9f);
        break;
    case F8_RMS_NORM:
        op_rms_norm(d, out, x, w, 1e-9f);
        break;
    case F8_ACTIVATION:
        op_activation(d, out, x, ACT_GELU_TANH);
        break;
    case F8_GLU:
        op_glu(d, out, x, y, act);
        break;
    default:
        op_copy(d, out, x);
        break;
    }
}

static void run_f8_rows(struct check *c, enum f8_op op, struct f8_rows_case *t)
{
    make(c->reference, op, &t->out.host, &t->x.host, &t->y.host, &t->w.host, &t->b.host, t->act);
    make(c->tested, op, &t->out.device, &t->x.device, &t->y.device, &t->w.device, &t->b.device,
         t->act);
    compare_f8(c, &t->out, f8_names[op]);
}

static void check_f8_rows(struct check *c)
{
    static const int64_t wide[] = {16, 48, 256, 1024, 3072, 5120, 12288, 15360, 20480};
    int64_t columns = wide[between(c, 0, c->small ? 4 : 8)];
    int64_t rows = between(c, 1, columns > 5000 ? 3 : 12), items = between(c, 1, 2);
    int64_t shape[3] = {items, rows, columns};
    float scale = between(c, 0, 3) ? 1 : 1e-4f;
    bool aligned = between(c, 0, 3);
    struct pair buffer = numbers(c, ACTIVATIONS_, 3, shape, 16 * between(c, 0, 1), 0, 1);
    struct f8_rows_case t = {.x = numbers(c, either(c), 3, shape,
                                          aligned ? 16 * between(c, 0, 2) : 3, aligned ? 0 : 1,
                                          scale),
                             .y = numbers(c, ACTIVATIONS_, 3, shape, 16, 0, 1),
                             .w = NUMBERS(c, VECTORS_, 0, 1, columns),
                             .b = NUMBERS(c, VECTORS_, 0, scale, columns),
                             .act = between(c, 0, 1) ? ACT_GELU : ACT_SILU};

    if (!wanted(c, "f8 rows") || !new_scales(c, &buffer))
        return;
    t.out = as_input(&buffer);
    for (int op = 0; op < F8_OPS; op++)
        run_f8_rows(c, (enum f8_op)op, &t);
    for (int op = 0; op < F8_OPS; op++) { /* FP8 rows where those of x are */
        t.x = numbers(c, ACTIVATIONS_, 3, shape, 16 * between(c, 0, 1), 0, 1);
        if (!new_scales(c, &t.x))
            return;
        t.out = as_input(&t.x);
        run_f8_rows(c, (enum f8_op)op, &t);
    }
}

/* ---- FP8 layers */

static bool pack_f8(struct check *c, const struct tensor *w, const struct tensor *bias,
                    struct linear *host, struct linear *device)
{
    struct error e = {0};
    const struct tensor *const *b = bias ? &bias : NULL;

    if (linear_pack_as(c->reference, &c->host, DTYPE_F8_E4M3, 1, &w, b, host, &e) ||
        linear_pack_as(c->tested, &c->device, DTYPE_F8_E4M3, 1, &w, b, device, &e)) {
        printf("pack: %s\n", e.text);
        c->failed++;
        return false;
    }
    return device->dtype == DTYPE_F8_E4M3; /* else it has none */
}

struct f8_case {
    struct pair x, out, residual, gate;
    struct linear host, device;
    int64_t m, n, k;
    enum activation act;
    bool gated, shifted, made; /* shifted: by the gate's numbers */
};

static void run_f8(struct check *c, struct f8_case *t)
{
    const char *op = t->gated ? "f8 linear_gated" : t->shifted ? "f8 linear_shifted" : "f8 linear";
    struct pair x = t->x;

    poison(c, &t->out);
    if (t->made) { /* x comes as FP8 */
        x = as_input(&t->x);
        op_activation(c->reference, &x.host, &t->x.host, ACT_SILU);
        op_activation(c->tested, &x.device, &t->x.device, ACT_SILU);
    }
    if (t->gated) {
        op_linear_gated(c->reference, &t->out.host, &x.host, &t->host, &t->residual.host,
                        &t->gate.host);
        op_linear_gated(c->tested, &t->out.device, &x.device, &t->device, &t->residual.device,
                        &t->gate.device);
    } else if (t->shifted) {
        op_linear_shifted(c->reference, &t->out.host, &x.host, &t->host, &t->gate.host,
                          &t->residual.host);
        op_linear_shifted(c->tested, &t->out.device, &x.device, &t->device, &t->gate.device,
                          &t->residual.device);
    } else {
        op_linear(c->reference, &t->out.host, &x.host, &t->host, t->act);
        op_linear(c->tested, &t->out.device, &x.device, &t->device, t->act);
    }
    /* What flips on the way in is more than what the product adds. */
    compare(c, t->made ? "f8 rows" : op, &t->out,
            "m %lld n %lld k %lld act %d made %d x %s out %s residual %s", (long long)t->m,
            (long long)t->n, (long long)t->k, t->act, t->made, dtype_name(t->x.device.dtype),
            dtype_name(t->out.device.dtype), dtype_name(t->residual.device.dtype));
}

/* Against the product of the numbers themselves. */
static void check_f8_error(struct check *c, struct f8_case *t, const struct tensor *w)
{
    struct linear exact;
    struct error e = {0};

    if (linear_pack(c->reference, &c->host, w, NULL, &exact, &e)) {
        printf("pack: %s\n", e.text);
        c->failed++;
        return;
    }
    exact.bias = t->host.bias;
    poison(c, &t->out);
    op_linear(c->reference, &t->out.host, &t->x.host, &exact, ACT_NONE);
    op_linear(c->tested, &t->out.device, &t->x.device, &t->device, ACT_NONE);
    compare(c, "f8 against exact", &t->out, "m %lld n %lld k %lld", (long long)t->m,
            (long long)t->n, (long long)t->k);
}

static void check_f8_linear(struct check *c)
{
    int64_t runs = between(c, 1, 2), m = runs * between(c, 1, 70), n = 16 * between(c, 1, 12);
    int64_t k = 16 * between(c, 2, c->small ? 8 : 60), gap = 8 * between(c, 0, 1);
    int64_t odd = between(c, 0, 4) == 0;
    struct tensor w = stored_weight(c, 2, (int64_t[]){n, k}, 0.3f);
    struct tensor bias = NUMBERS(c, VECTORS_, 0, 1, n).host;
    bool biased = between(c, 0, 1);
    struct f8_case t = {.x = NUMBERS(c, either(c), gap + odd, 1, m, k),
                        .out = NUMBERS(c, either(c), gap + odd, 1, m, n),
                        .residual = NUMBERS(c, either(c), gap, 1, m, n),
                        .gate = runs > 1 ? NUMBERS(c, VECTORS_, 0, 1, runs, n)
                                         : NUMBERS(c, VECTORS_, 0, 1, n),
                        .m = m,
                        .n = n,
                        .k = k,
                        .act = (enum activation)between(c, 0, ACTIVATIONS - 1)};

    if (!pack_f8(c, &w, biased ? &bias : NULL, &t.host, &t.device) || !new_scales(c, &t.x))
        return;
    if (wanted(c, "f8 linear"))
        run_f8(c, &t);
    t.shifted = true;
    if (wanted(c, "f8 linear_shifted"))
        run_f8(c, &t);
    t.shifted = false;
    t.gated = true;
    if (wanted(c, "f8 linear_gated"))
        run_f8(c, &t);
    if (wanted(c, "f8 against exact"))
        check_f8_error(c, &t, &w);
    t.made = !odd;
    t.gated = between(c, 0, 1);
    if (t.made && wanted(c, t.gated ? "f8 linear_gated" : "f8 linear"))
        run_f8(c, &t);
}

/* ---- with 16 bits */

static void check_gated(struct check *c)
{
    int64_t runs = between(c, 1, 3), m = runs * between(c, 1, 40), n = random_size(c, 150);
    int64_t k = random_size(c, 200);
    struct pair x = NUMBERS(c, either(c), 0, 1, m, k), w = NUMBERS(c, ACTIVATIONS_, 0, 0.3f, n, k);
    struct pair gate = NUMBERS(c, VECTORS_, 0, 1, runs, n), out = NUMBERS(c, either(c), 0, 1, m, n);
    struct tensor bias = NUMBERS(c, VECTORS_, 0, 1, n).host;
    struct linear host, device;
    struct error e = {0};

    if (!wanted(c, "linear_gated") && !wanted(c, "linear_shifted"))
        return;
    if (linear_pack(c->reference, &c->host, &w.host, &bias, &host, &e) ||
        linear_pack(c->tested, &c->device, &w.host, &bias, &device, &e)) {
        printf("pack: %s\n", e.text);
        c->failed++;
        return;
    }
    op_linear_gated(c->reference, &out.host, &x.host, &host, &out.host, &gate.host);
    op_linear_gated(c->tested, &out.device, &x.device, &device, &out.device, &gate.device);
    compare(c, "linear_gated", &out, "m %lld n %lld k %lld runs %lld", (long long)m, (long long)n,
            (long long)k, (long long)runs);
    settle(c, &out);
    op_linear_shifted(c->reference, &out.host, &x.host, &host, &gate.host, &out.host);
    op_linear_shifted(c->tested, &out.device, &x.device, &device, &gate.device, &out.device);
    compare(c, "linear_shifted", &out, "m %lld n %lld k %lld runs %lld", (long long)m, (long long)n,
            (long long)k, (long long)runs);
}

/* The whole of it on the device, some rows of it against the reference. */
static void run_linear_glu(struct check *c, struct pair *out, const struct pair *x,
                           const struct linear *host, const struct linear *device,
                           enum activation act)
{
    int64_t m = x->host.shape[0], rows = m < 96 ? m : 96;

    poison(c, out);
    op_linear_glu(c->tested, &out->device, &x->device, device, act);
    for (int i = 0; i < 3; i++) {
        int64_t from = (m - rows) * i / 2;
        struct tensor some = tensor_slice(x->host, 0, from, rows);
        struct pair part = {tensor_slice(out->host, 0, from, rows),
                            tensor_slice(out->device, 0, from, rows)};
        op_linear_glu(c->reference, &part.host, &some, host, act);
        compare(c, "linear_glu", &part, "m %lld from %lld n %lld k %lld act %d bias %d x %s out %s",
                (long long)m, (long long)from, (long long)host->out / 2, (long long)host->in, act,
                host->bias != NULL, dtype_name(x->device.dtype), dtype_name(out->device.dtype));
    }
}

/* First what every processor has several tiles of, then tiles that are not whole, and sizes that
 * are two operations on every device. */
static void check_linear_glu(struct check *c)
{
    static const int64_t many[] = {1, 63, 64, 127, 128, 129, 300, 5000};
    static const int64_t deep[] = {8, 64, 72, 128, 192, 256, 320, 640, 1280};
    bool large = c->first && !c->small;
    int64_t m = large ? 20001 : many[between(c, 0, c->small ? 5 : 7)];
    int64_t k = large ? 320 : between(c, 0, 3) ? deep[between(c, 0, 8)] : random_size(c, 300);
    int64_t n = large ? 1280 : between(c, 0, 3) ? 8 * between(c, 1, 40) : random_size(c, 150);
    bool plain = large || between(c, 0, 2), biased = between(c, 0, 2);
    int64_t gap = between(c, 0, 4) ? 8 * between(c, 0, 2) : 3;
    struct pair x = NUMBERS(c, plain ? ACTIVATIONS_ : either(c), gap, 1, m, k);
    struct pair out = NUMBERS(c, plain ? ACTIVATIONS_ : either(c), gap, 1, m, n);
    struct pair w = NUMBERS(c, ACTIVATIONS_, 0, 0.3f, 2 * n, k);
    struct tensor bias = NUMBERS(c, VECTORS_, 0, 1, 2 * n).host;
    struct linear host, device;
    struct error e = {0};

    if (linear_pack(c->reference, &c->host, &w.host, biased ? &bias : NULL, &host, &e) ||
        linear_pack(c->tested, &c->device, &w.host, biased ? &bias : NULL, &device, &e)) {
        printf("pack: %s\n", e.text);
        c->failed++;
        return;
    }
    run_linear_glu(c, &out, &x, &host, &device, between(c, 0, 4) ? ACT_GELU : ACT_SILU);
}

struct heads_case {
    struct pair x, w, b, cos, sin;
    int64_t from;
    enum heads_norm kind;
    enum rope_pairs pairs;
    bool weighted, turned;
};

#define NORM_AND_TURN(d, side)                                                                     \
    do {                                                                                           \
        struct turn turn = {&t->cos.side, &t->sin.side, t->pairs, t->from};                        \
        struct head_norm norm = {t->kind, t->weighted ? &t->w.side : NULL,                         \
                                 t->kind == HEADS_LAYER ? &t->b.side : NULL, 1e-6f};               \
        op_norm_rope((d), &t->x.side, &norm, t->turned ? &turn : NULL);                            \
    } while (0)

static void run_heads(struct check *c, struct heads_case *t)
{
    const int64_t *s = t->x.host.shape;

    NORM_AND_TURN(c->reference, host);
    NORM_AND_TURN(c->tested, device);
    compare(c, "norm_rope", &t->x,
            "items %lld tokens %lld (%lld from %lld, %d) heads %lld dim %lld kind %d pairs %d x %s",
            (long long)s[0], (long long)s[1], (long long)t->cos.host.shape[0], (long long)t->from,
            t->turned, (long long)s[2], (long long)s[3], t->kind, t->pairs,
            dtype_name(t->x.device.dtype));
}

static void check_norm_rope(struct check *c)
{
    static const int64_t dims[] = {64, 128, 80, 16, 6, 72};
    int64_t items = between(c, 1, 2), tokens = between(c, 1, 30);
    int64_t heads = between(c, 0, 5) ? between(c, 1, 12) : between(c, 60, 90);
    int64_t dim = between(c, 0, 3) ? dims[between(c, 0, 5)] : 2 * between(c, 1, 40);
    int64_t from = between(c, 0, tokens - 1), turning = between(c, 1, tokens - from);
    struct heads_case t = {.x = NUMBERS(c, either(c), 0, 2, items, tokens, heads, dim),
                           .b = NUMBERS(c, VECTORS_, 0, 1, dim),
                           .cos = NUMBERS(c, VECTORS_, 0, 1, turning, dim / 2),
                           .sin = NUMBERS(c, VECTORS_, 0, 1, turning, dim / 2),
                           .from = from,
                           .kind = (enum heads_norm)between(c, 0, HEADS_TOGETHER_RMS),
                           .pairs = between(c, 0, 1) ? ROPE_NEIGHBOURS : ROPE_HALVES,
                           .weighted = between(c, 0, 2),
                           .turned = between(c, 0, 3)};

    t.w = NUMBERS(c, VECTORS_, 0, 1, t.kind == HEADS_TOGETHER_RMS ? heads * dim : dim);
    if (wanted(c, "norm_rope"))
        run_heads(c, &t);
}

void check_fused(struct check *c)
{
    check_f8_rows(c);
    check_f8_linear(c);
    check_gated(c);
    if (wanted(c, "linear_glu"))
        check_linear_glu(c);
    check_norm_rope(c);
}
