/* The fronts of linear layers, and of operations that are several in one pass. */
#include "kernels/ops_check.h"

/* ---- linear layers */

static bool check_linear_input(struct device *d, const struct tensor *x, const struct linear *w)
{
    bool f8 = x->dtype == DTYPE_F8_E4M3;

    if (d->failed)
        return false;
    return ((f8 ? w->dtype == DTYPE_F8_E4M3 && is_f8_rows(d, x) : is_rows(d, x)) && x->rank == 2 &&
            x->shape[1] == w->in) ||
           fails(d, "linear", "x", x);
}

static bool check_linear(struct device *d, struct tensor *out, const struct tensor *x,
                         const struct linear *w)
{
    if (!check_linear_input(d, x, w))
        return false;
    return (is_rows(d, out) && out->rank == 2 && out->shape[0] == x->shape[0] &&
            out->shape[1] == w->out) ||
           fails(d, "linear", "out", out);
}

/* x for a slot that knows no F8: the numbers that a product in FP8 would take. NULL: failed. */
static const struct tensor *readable(struct device *d, const struct tensor *x,
                                     const struct linear *w)
{
    struct tensor *plain;

    if (w->dtype != DTYPE_F8_E4M3 || d->own_f8)
        return x;
    plain = device_plain(d, 0, x->rank, x->shape);
    if (!plain->data)
        return NULL;
    if (x->dtype == DTYPE_F8_E4M3) {
        f8_read_rows(plain, x);
    } else {
        d->ops.copy(d, plain, x);
        f8_round_rows(plain->data, x->shape[0], x->shape[1]);
    }
    return plain;
}

void op_linear(struct device *d, struct tensor *out, const struct tensor *x, const struct linear *w,
               enum activation act)
{
    if (!check_linear(d, out, x, w) || x->shape[0] == 0)
        return;
    x = readable(d, x, w);
    if (x)
        d->ops.linear(d, out, x, w, act, NULL);
}

static bool check_residual(struct device *d, const struct tensor *residual,
                           const struct tensor *out)
{
    return (is_rows(d, residual) && same_shape(residual, out)) ||
           fails(d, "linear", "residual", residual);
}

void op_linear_add(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct linear *w, const struct tensor *residual)
{
    if (!check_linear(d, out, x, w) || !check_residual(d, residual, out) || x->shape[0] == 0)
        return;
    x = readable(d, x, w);
    if (x)
        d->ops.linear(d, out, x, w, ACT_NONE, residual);
}

void op_linear_gated(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct linear *w, const struct tensor *residual,
                     const struct tensor *gate)
{
    struct tensor *product;

    if (!check_linear(d, out, x, w) || !check_residual(d, residual, out) ||
        !check_vectors(d, "linear", "gate", gate, out) || x->shape[0] == 0)
        return;
    if (!gate || d->ops.linear_gated) {
        x = readable(d, x, w);
        if (x && gate)
            d->ops.linear_gated(d, out, x, w, residual, gate);
        else if (x)
            d->ops.linear(d, out, x, w, ACT_NONE, residual);
        return;
    }
    product = device_plain(d, 1, out->rank, out->shape);
    x = readable(d, x, w);
    if (!product->data || !x)
        return;
    d->ops.linear(d, product, x, w, ACT_NONE, NULL);
    d->ops.add_gated(d, out, residual, product, gate);
}

void op_linear_shifted(struct device *d, struct tensor *out, const struct tensor *x,
                       const struct linear *w, const struct tensor *shift,
                       const struct tensor *residual)
{
    struct linear bare = *w;

    if (!check_linear(d, out, x, w) || !check_residual(d, residual, out) ||
        !check_vectors(d, "linear", "shift", shift, out) || x->shape[0] == 0)
        return;
    x = readable(d, x, w);
    if (x && d->ops.linear_shifted) {
        d->ops.linear_shifted(d, out, x, w, shift, residual);
    } else if (x) {
        bare.bias = NULL;
        d->ops.linear(d, out, x, &bare, ACT_NONE, residual);
        d->ops.modulate(d, out, out, NULL, shift);
    }
}

/* ---- linear layers of gated units */

bool linear_glu_is_fused(const struct device *d, const struct linear *w, enum activation act)
{
    return d->ops.fuses_glu && d->ops.fuses_glu(d, w, act);
}

void op_linear_glu(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct linear *w, enum activation act)
{
    struct tensor *both, value, gate;

    if (!check_linear_input(d, x, w))
        return;
    if (!is_rows(d, out) || out->rank != 2 || out->shape[0] != x->shape[0] ||
        2 * out->shape[1] != w->out) {
        fails(d, "linear_glu", "out", out);
        return;
    }
    if (x->shape[0] == 0)
        return;
    x = readable(d, x, w);
    if (x && d->ops.linear_glu) {
        d->ops.linear_glu(d, out, x, w, act);
    } else if (x) {
        both = device_plain(d, 1, 2, (const int64_t[]){x->shape[0], w->out});
        if (!both->data)
            return;
        value = tensor_slice(*both, 1, 0, out->shape[1]);
        gate = tensor_slice(*both, 1, out->shape[1], out->shape[1]);
        d->ops.linear(d, both, x, w, ACT_NONE, NULL);
        d->ops.glu(d, out, &value, &gate, act);
    }
}

/* ---- queries and keys */

static bool check_heads(struct device *d, const struct tensor *x, const struct head_norm *norm)
{
    int64_t n = norm->kind == HEADS_TOGETHER_RMS ? x->shape[2] * x->shape[3] : x->shape[3];

    if (norm->kind == HEADS_TOGETHER_RMS && x->shape[2] > 1 && x->stride[2] != x->shape[3])
        return fails(d, "norm_rope", "x", x);
    if (norm->weight && !is_vector(d, norm->weight, n))
        return fails(d, "norm_rope", "weight", norm->weight);
    return !norm->bias || (norm->kind == HEADS_LAYER && is_vector(d, norm->bias, n)) ||
           fails(d, "norm_rope", "bias", norm->bias);
}

static bool check_turn(struct device *d, const struct tensor *x, const struct turn *turn)
{
    int64_t half = x->shape[3] / 2, count = turn->cos->shape[0];

    if (x->shape[3] % 2 || turn->from < 0 || turn->cos->rank != 2 ||
        turn->from + count > x->shape[1] || !is_vector(d, turn->cos, count * half))
        return fails(d, "norm_rope", "cos", turn->cos);
    return is_vector(d, turn->sin, count * half) || fails(d, "norm_rope", "sin", turn->sin);
}

/* One operation after another. */
static void norm_then_turn(struct device *d, struct tensor *x, const struct head_norm *norm,
                           const struct turn *turn)
{
    struct tensor rows = *x;

    switch (norm->kind) {
    case HEADS_RMS:
        d->ops.rms_norm(d, x, x, norm->weight, norm->eps);
        break;
    case HEADS_LAYER:
        d->ops.layer_norm(d, x, x, norm->weight, norm->bias, norm->eps);
        break;
    case HEADS_TOGETHER_RMS:
        rows.rank = 3;
        rows.shape[2] *= rows.shape[3];
        rows.stride[2] = 1;
        d->ops.rms_norm(d, &rows, &rows, norm->weight, norm->eps);
        break;
    case HEADS_AS_THEY_ARE:
        break;
    }
    if (turn) {
        struct tensor placed = tensor_slice(*x, 1, turn->from, turn->cos->shape[0]);
        d->ops.rope(d, &placed, turn->cos, turn->sin, turn->pairs);
    }
}

void op_norm_rope(struct device *d, struct tensor *x, const struct head_norm *norm,
                  const struct turn *turn)
{
    struct tensor t = as_items(x, 4);

    if (d->failed)
        return;
    if (!is_rows(d, &t) || t.rank != 4) {
        fails(d, "norm_rope", "x", x);
        return;
    }
    if (!check_heads(d, &t, norm) || (turn && !check_turn(d, &t, turn)) || tensor_count(&t) == 0)
        return;
    if (turn && turn->cos->shape[0] == 0)
        turn = NULL;
    if (!d->ops.norm_rope || !d->ops.norm_rope(d, &t, norm, turn))
        norm_then_turn(d, &t, norm, turn);
}
