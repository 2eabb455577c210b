#include "bench/as_bf16.h"

#include <string.h>

#include "kernels/device_impl.h"

static struct ops real; /* the same on every processor's device */

static float rounded(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000; /* to nearest, ties to even */
    memcpy(&value, &bits, sizeof bits);
    return value;
}

static void round_part(const struct tensor *t, int axis, float *at)
{
    for (int64_t i = 0; i < t->shape[axis]; i++, at += t->stride[axis]) {
        if (axis + 1 < t->rank)
            round_part(t, axis + 1, at);
        else
            *at = rounded(*at);
    }
}

/* A single row is the timestep's. */
static void round_tokens(const struct tensor *t)
{
    if (tensor_count(t) > t->shape[t->rank - 1])
        round_part(t, 0, t->data);
}

static void linear(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct linear *w, enum activation act, const struct tensor *residual)
{
    real.linear(d, out, x, w, act, residual);
    round_tokens(out);
}

static void linear_gated(struct device *d, struct tensor *out, const struct tensor *x,
                         const struct linear *w, const struct tensor *residual,
                         const struct tensor *gate)
{
    real.linear_gated(d, out, x, w, residual, gate);
    round_tokens(out);
}

static void add_gated(struct device *d, struct tensor *out, const struct tensor *x,
                      const struct tensor *y, const struct tensor *gate)
{
    real.add_gated(d, out, x, y, gate);
    round_tokens(out);
}

static void attention(struct device *d, struct tensor *out, const struct tensor *q,
                      const struct tensor *k, const struct tensor *v, float scale,
                      const struct attention_bias *bias)
{
    real.attention(d, out, q, k, v, scale, bias);
    round_tokens(out);
}

static void layer_norm(struct device *d, struct tensor *out, const struct tensor *x,
                       const struct tensor *weight, const struct tensor *bias, float eps)
{
    real.layer_norm(d, out, x, weight, bias, eps);
    round_tokens(out);
}

static void rms_norm(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct tensor *weight, float eps)
{
    real.rms_norm(d, out, x, weight, eps);
    round_tokens(out);
}

static void rope(struct device *d, struct tensor *x, const struct tensor *cos,
                 const struct tensor *sin, enum rope_pairs pairs)
{
    real.rope(d, x, cos, sin, pairs);
    round_tokens(x);
}

static bool norm_rope(struct device *d, struct tensor *x, const struct head_norm *norm,
                      const struct turn *turn)
{
    bool done = real.norm_rope(d, x, norm, turn);

    if (done)
        round_tokens(x);
    return done;
}

static void patchify(struct device *d, struct tensor *tokens, const struct tensor *latents,
                     const int patch[3])
{
    real.patchify(d, tokens, latents, patch);
    round_tokens(tokens);
}

void as_bf16(struct device *d)
{
    real = d->ops;
    d->ops.linear = linear;
    d->ops.linear_gated = real.linear_gated ? linear_gated : NULL;
    d->ops.add_gated = add_gated;
    d->ops.attention = attention;
    d->ops.layer_norm = layer_norm;
    d->ops.rms_norm = rms_norm;
    d->ops.rope = rope;
    d->ops.norm_rope = real.norm_rope ? norm_rope : NULL;
    d->ops.patchify = patchify;
}
