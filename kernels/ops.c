/* The front of the table: shapes are checked here, once for every implementation. */
#include "kernels/ops.h"

#include "kernels/device_impl.h"

enum { SHAPE_TEXT = 96 };

static bool fails(struct device *d, const char *op, const char *what, const struct tensor *t)
{
    char text[SHAPE_TEXT];
    device_fail(d, ERROR_INTERNAL, "%s: %s does not fit: shape %s", op, what,
                tensor_shape_text(t, text, sizeof text));
    return false;
}

static bool is_f32(const struct device *d, const struct tensor *t)
{
    return t->dtype == DTYPE_F32 && t->device == d->kind && t->data != NULL;
}

/* F32 here, with a dense last axis. */
static bool is_rows(const struct device *d, const struct tensor *t)
{
    return is_f32(d, t) && t->rank >= 1 &&
           (t->stride[t->rank - 1] == 1 || t->shape[t->rank - 1] == 1);
}

static bool is_vector(const struct device *d, const struct tensor *t, int64_t n)
{
    return is_f32(d, t) && tensor_count(t) == n && tensor_contiguous(t);
}

static bool same_shape(const struct tensor *a, const struct tensor *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->shape[i] != b->shape[i])
            return false;
    return true;
}

static int64_t columns(const struct tensor *t)
{
    return t->shape[t->rank - 1];
}

static bool check_pair(struct device *d, const char *op, const struct tensor *out,
                       const struct tensor *x)
{
    if (d->failed)
        return false;
    if (!is_rows(d, x))
        return fails(d, op, "x", x);
    return (is_rows(d, out) && same_shape(out, x)) || fails(d, op, "out", out);
}

/* An optional vector as wide as x. */
static bool check_vector(struct device *d, const char *op, const char *what, const struct tensor *v,
                         const struct tensor *x)
{
    return !v || is_vector(d, v, columns(x)) || fails(d, op, what, v);
}

/* ---- matrices */

void op_linear(struct device *d, struct tensor *out, const struct tensor *x, const struct linear *w,
               enum activation act)
{
    if (d->failed)
        return;
    if (!is_rows(d, x) || x->rank != 2 || x->shape[1] != w->in)
        fails(d, "linear", "x", x);
    else if (!is_rows(d, out) || out->rank != 2 || out->shape[0] != x->shape[0] ||
             out->shape[1] != w->out)
        fails(d, "linear", "out", out);
    else if (x->shape[0] > 0)
        d->ops.linear(d, out, x, w, act);
}

static bool heads_fit(const struct device *d, const struct tensor *t, int64_t tokens,
                      const struct tensor *q)
{
    return is_rows(d, t) && t->rank == 3 && t->shape[0] == tokens && t->shape[1] == q->shape[1] &&
           t->shape[2] == q->shape[2];
}

void op_attention(struct device *d, struct tensor *out, const struct tensor *q,
                  const struct tensor *k, const struct tensor *v, float scale,
                  const struct attention_bias *bias)
{
    static const struct attention_bias none;

    if (d->failed)
        return;
    if (!bias)
        bias = &none;
    if (!is_rows(d, q) || q->rank != 3)
        fails(d, "attention", "q", q);
    else if (k->shape[0] < 1 || !heads_fit(d, k, k->shape[0], q))
        fails(d, "attention", "k", k);
    else if (!heads_fit(d, v, k->shape[0], q))
        fails(d, "attention", "v", v);
    else if (!heads_fit(d, out, q->shape[0], q))
        fails(d, "attention", "out", out);
    else if (bias->key.data && !is_vector(d, &bias->key, k->shape[0]))
        fails(d, "attention", "the key bias", &bias->key);
    else if (bias->relative.data &&
             !is_vector(d, &bias->relative, q->shape[1] * (q->shape[0] + k->shape[0] - 1)))
        fails(d, "attention", "the relative bias", &bias->relative);
    else if (q->shape[0] > 0)
        d->ops.attention(d, out, q, k, v, scale, bias);
}

/* ---- rows */

void op_layer_norm(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct tensor *weight, const struct tensor *bias, float eps)
{
    if (check_pair(d, "layer_norm", out, x) && check_vector(d, "layer_norm", "weight", weight, x) &&
        check_vector(d, "layer_norm", "bias", bias, x))
        d->ops.layer_norm(d, out, x, weight, bias, eps);
}

void op_rms_norm(struct device *d, struct tensor *out, const struct tensor *x,
                 const struct tensor *weight, float eps)
{
    if (check_pair(d, "rms_norm", out, x) && check_vector(d, "rms_norm", "weight", weight, x))
        d->ops.rms_norm(d, out, x, weight, eps);
}

void op_channel_norm(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct tensor *gamma, enum activation act)
{
    if (check_pair(d, "channel_norm", out, x) && check_vector(d, "channel_norm", "gamma", gamma, x))
        d->ops.channel_norm(d, out, x, gamma, act);
}

void op_softmax(struct device *d, struct tensor *out, const struct tensor *x)
{
    if (check_pair(d, "softmax", out, x))
        d->ops.softmax(d, out, x);
}

void op_rope(struct device *d, struct tensor *x, const struct tensor *cos, const struct tensor *sin)
{
    if (d->failed)
        return;
    if (!is_rows(d, x) || x->rank != 3 || x->shape[2] % 2)
        fails(d, "rope", "x", x);
    else if (!is_vector(d, cos, x->shape[0] * x->shape[2] / 2))
        fails(d, "rope", "cos", cos);
    else if (!is_vector(d, sin, x->shape[0] * x->shape[2] / 2))
        fails(d, "rope", "sin", sin);
    else
        d->ops.rope(d, x, cos, sin);
}

void op_embed(struct device *d, struct tensor *out, const struct tensor *table,
              const struct tensor *ids)
{
    if (d->failed)
        return;
    if (table->rank != 2 || !dtype_is_float(table->dtype) || !tensor_contiguous(table)) {
        fails(d, "embed", "table", table);
        return;
    }
    if (ids->dtype != DTYPE_I32 || ids->rank != 1 || !tensor_contiguous(ids)) {
        fails(d, "embed", "ids", ids);
        return;
    }
    if (!is_rows(d, out) || out->rank != 2 || out->shape[0] != ids->shape[0] ||
        out->shape[1] != table->shape[1]) {
        fails(d, "embed", "out", out);
        return;
    }
    d->ops.embed(d, out, table, ids);
}

/* ---- elements */

void op_activation(struct device *d, struct tensor *out, const struct tensor *x,
                   enum activation act)
{
    if (check_pair(d, "activation", out, x))
        d->ops.activation(d, out, x, act);
}

void op_add(struct device *d, struct tensor *out, const struct tensor *x, const struct tensor *y)
{
    if (check_pair(d, "add", out, x) && check_pair(d, "add", out, y))
        d->ops.add(d, out, x, y);
}

void op_mul(struct device *d, struct tensor *out, const struct tensor *x, const struct tensor *y)
{
    if (check_pair(d, "mul", out, x) && check_pair(d, "mul", out, y))
        d->ops.mul(d, out, x, y);
}

void op_add_gated(struct device *d, struct tensor *out, const struct tensor *x,
                  const struct tensor *y, const struct tensor *gate)
{
    if (check_pair(d, "add_gated", out, x) && check_pair(d, "add_gated", out, y) &&
        check_vector(d, "add_gated", "gate", gate, x))
        d->ops.add_gated(d, out, x, y, gate);
}

void op_modulate(struct device *d, struct tensor *out, const struct tensor *x,
                 const struct tensor *scale, const struct tensor *shift)
{
    if (check_pair(d, "modulate", out, x) && check_vector(d, "modulate", "scale", scale, x) &&
        check_vector(d, "modulate", "shift", shift, x))
        d->ops.modulate(d, out, x, scale, shift);
}

void op_copy(struct device *d, struct tensor *out, const struct tensor *x)
{
    if (d->failed)
        return;
    if (!is_f32(d, x))
        fails(d, "copy", "x", x);
    else if (!is_f32(d, out) || !same_shape(out, x))
        fails(d, "copy", "out", out);
    else
        d->ops.copy(d, out, x);
}

/* ---- pictures */

static bool is_frame(const struct device *d, const struct tensor *t, int64_t h, int64_t w,
                     int64_t c)
{
    return is_f32(d, t) && t->rank == 3 && t->shape[0] == h && t->shape[1] == w &&
           t->shape[2] == c && tensor_contiguous(t);
}

void op_conv(struct device *d, struct tensor *out, const struct tensor *const *x,
             const struct conv *w, const struct tensor *residual)
{
    int64_t height, width;

    if (d->failed)
        return;
    height = out->shape[0] / w->scale;
    width = out->shape[1] / w->scale;
    if (!is_frame(d, out, height * w->scale, width * w->scale, w->out)) {
        fails(d, "conv", "out", out);
        return;
    }
    for (int t = 0; t < w->kt; t++)
        if (x[t] && !is_frame(d, x[t], height, width, w->in)) {
            fails(d, "conv", "x", x[t]);
            return;
        }
    if (residual && !is_frame(d, residual, out->shape[0], out->shape[1], w->out))
        fails(d, "conv", "residual", residual);
    else
        d->ops.conv(d, out, x, w, residual);
}

static bool check_patches(struct device *d, const char *op, const struct tensor *tokens,
                          const struct tensor *latents, const int patch[3])
{
    int64_t count = 1, features = latents->shape[0];

    if (d->failed)
        return false;
    if (!is_f32(d, latents) || latents->rank != 4 || !tensor_contiguous(latents))
        return fails(d, op, "latents", latents);
    for (int i = 0; i < 3; i++) {
        if (patch[i] < 1 || latents->shape[i + 1] % patch[i])
            return fails(d, op, "latents", latents);
        count *= latents->shape[i + 1] / patch[i];
        features *= patch[i];
    }
    return (is_rows(d, tokens) && tokens->rank == 2 && tokens->shape[0] == count &&
            tokens->shape[1] == features) ||
           fails(d, op, "tokens", tokens);
}

void op_patchify(struct device *d, struct tensor *tokens, const struct tensor *latents,
                 const int patch[3])
{
    if (check_patches(d, "patchify", tokens, latents, patch))
        d->ops.patchify(d, tokens, latents, patch);
}

void op_unpatchify(struct device *d, struct tensor *latents, const struct tensor *tokens,
                   const int patch[3])
{
    if (check_patches(d, "unpatchify", tokens, latents, patch))
        d->ops.unpatchify(d, latents, tokens, patch);
}
