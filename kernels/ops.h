/* The operations that models are written in: one table of function pointers (struct ops) a device.
 *
 * Models call the op_*() functions, never the table: op_*() checks shapes once for every
 * implementation and then calls the slot. kernels/reference/ fills every slot with plain C that
 * reads like the formula; kernels/cpu/ overwrites the slots it does better.
 *
 * Errors are sticky, so that a model reads as straight-line code: the first operation that fails
 * leaves its reason in the device, every later one returns at once, and the model asks once, at the
 * end, with device_status(). Shapes that do not fit are ERROR_INTERNAL.
 *
 * Conventions, unless an operation says otherwise:
 *  - tensors are F32 on the operation's device; the last axis has stride 1; other axes may be
 *    strided (a column range of a wider matrix), except where "contiguous" is said;
 *  - `out` may be the very same view as `x` (in place) where "in place" is said, and overlaps
 *    nothing otherwise;
 *  - rows: a tensor [..., C] counts as (product of the leading axes) rows of C;
 *  - no operation allocates but the workspace of the device, which only ever grows;
 *  - the same processor and input give the same bytes, with any number of threads.
 *
 * A device and everything on it are used by one thread at a time.
 */
#ifndef AUTEUR_KERNELS_OPS_H
#define AUTEUR_KERNELS_OPS_H

#include "kernels/tensor.h"

enum activation {
    ACT_NONE,
    ACT_SILU,      /* x / (1 + exp(-x)) */
    ACT_GELU,      /* x/2 (1 + erf(x / sqrt 2)) */
    ACT_GELU_TANH, /* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): "gelu_new" too */
    ACT_RELU,
    ACTIVATIONS
};

/* A linear layer's weights, packed by the device they will run on. */
struct linear {
    int64_t in, out;
    const float *bias; /* [out], on the device; NULL for none */
    const void *packed;
};

/* A convolution's weights, packed likewise. Stride 1; space is padded with (k-1)/2 zeros. With
 * scale 2 its input is first made twice as large each way (nearest-exact); such a kernel is 1 x 3
 * x 3. */
struct conv {
    int64_t in, out;
    int kt, kh, kw;    /* frames in time (1..3), and odd sizes in space (1 or 3) */
    int scale;         /* 1 or 2 */
    const float *bias; /* [out] */
    const void *packed;
};

struct attention_bias {
    /* Added to the score of a key, for every query and head: [keys], or data NULL. A key that
     * stands for n equal keys has log(n). */
    struct tensor key;
    /* T5's relative position bias: [heads, queries + keys - 1], or data NULL. Query i and key j get
     * relative[h][j - i + queries - 1]. */
    struct tensor relative;
};

struct device;

/* ---- weights: made once, at load. Return 0 or -1 with *e filled. Memory comes from the arena. */

/* weight: [out, in] of any float dtype, contiguous; bias [out] or NULL. */
int linear_pack(struct device *d, struct arena *a, const struct tensor *weight,
                const struct tensor *bias, struct linear *out, struct error *e);
/* Several layers that read the same input, as one: their outputs stand side by side. bias[i] is
 * NULL for every i or for none. */
int linear_pack_many(struct device *d, struct arena *a, int count,
                     const struct tensor *const *weight, const struct tensor *const *bias,
                     struct linear *out, struct error *e);
/* weight: [out, in, kh, kw] or [out, in, kt, kh, kw]. */
int conv_pack(struct device *d, struct arena *a, const struct tensor *weight,
              const struct tensor *bias, int scale, struct conv *out, struct error *e);
/* Any float tensor as contiguous F32 on the device, for norms, tables and biases. */
int tensor_upload(struct device *d, struct arena *a, const struct tensor *t, struct tensor *out,
                  struct error *e);

/* ---- matrices */

/* out[M, out] = act(x[M, in] W^T + bias) */
void op_linear(struct device *d, struct tensor *out, const struct tensor *x, const struct linear *w,
               enum activation act);
/* q, out: [queries, heads, dim]; k, v: [keys, heads, dim] (axes may be strided).
 * out = softmax(q k^T scale + bias) v, a head at a time. keys >= 1. bias may be NULL. Scores are
 * never all in memory at once. */
void op_attention(struct device *d, struct tensor *out, const struct tensor *q,
                  const struct tensor *k, const struct tensor *v, float scale,
                  const struct attention_bias *bias);

/* ---- rows */

/* out = (x - mean) / sqrt(variance + eps) * weight + bias over the last axis; weight and bias [C]
 * or NULL. Adaptive norms pass weight = 1 + scale and bias = shift. In place. */
void op_layer_norm(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct tensor *weight, const struct tensor *bias, float eps);
/* out = x / sqrt(mean(x^2) + eps) * weight. In place. */
void op_rms_norm(struct device *d, struct tensor *out, const struct tensor *x,
                 const struct tensor *weight, float eps);
/* out = act(x / max(|x|, 1e-12) * sqrt(C) * gamma), |x| over the last axis (the channels): the norm
 * of the Wan VAE. act: ACT_NONE or ACT_SILU. In place. */
void op_channel_norm(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct tensor *gamma, enum activation act);
/* out = softmax(x) over the last axis. In place. */
void op_softmax(struct device *d, struct tensor *out, const struct tensor *x);
/* Rotates pairs (x[2i], x[2i+1]) of every head by an angle of the token: x [tokens, heads, dim] in
 * place; cos, sin [tokens, dim/2] contiguous. */
void op_rope(struct device *d, struct tensor *x, const struct tensor *cos,
             const struct tensor *sin);
/* out[i] = table[ids[i]], table [entries, C] of any float dtype, ids [n] I32 in range (checked). */
void op_embed(struct device *d, struct tensor *out, const struct tensor *table,
              const struct tensor *ids);

/* ---- elements; shapes equal */

void op_activation(struct device *d, struct tensor *out, const struct tensor *x,
                   enum activation act); /* in place */
void op_add(struct device *d, struct tensor *out, const struct tensor *x, const struct tensor *y);
void op_mul(struct device *d, struct tensor *out, const struct tensor *x, const struct tensor *y);
/* out = x + gate * y, gate [C] for every row: the gated residual. out may be x or y (so for add
 * and mul). */
void op_add_gated(struct device *d, struct tensor *out, const struct tensor *x,
                  const struct tensor *y, const struct tensor *gate);
/* out = x * (1 + scale) + shift, both [C]. In place. */
void op_modulate(struct device *d, struct tensor *out, const struct tensor *x,
                 const struct tensor *scale, const struct tensor *shift);
/* Any strides on both sides, the last axis too: permutes, gathers, scatters. */
void op_copy(struct device *d, struct tensor *out, const struct tensor *x);

/* ---- pictures: a frame is [H, W, C], contiguous, channels last */

enum { CONV_MAX_TAPS = 3 };
/* One output frame: out [scale H, scale W, out] = conv over x[0..kt-1], oldest first; x[i] is
 * [H, W, in] or NULL for a frame of zeros (before the beginning). residual: a frame like out to
 * add, or NULL; it may be out itself. out overlaps no x. Causality is the caller's choice of
 * frames, so caches cost no copy. A 2-D convolution has kt = 1. */
void op_conv(struct device *d, struct tensor *out, const struct tensor *const *x,
             const struct conv *w, const struct tensor *residual);

/* Latents [C, T, H, W] (contiguous) to tokens [T/pt * H/ph * W/pw, C * pt * ph * pw] with features
 * in the order of a Conv3d weight: channel, then t, h, w within the patch. */
void op_patchify(struct device *d, struct tensor *tokens, const struct tensor *latents,
                 const int patch[3]);
/* Back; features here in the order t, h, w, channel, as Wan's last projection makes them. */
void op_unpatchify(struct device *d, struct tensor *latents, const struct tensor *tokens,
                   const int patch[3]);

#endif
