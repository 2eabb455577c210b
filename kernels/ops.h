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
 *  - tensors lie on the operation's device (device_arena() gives memory there) and hold activations
 *    (of the device's own dtype: F32 on a CPU, F32, F16 or BF16 on a GPU; ACTIVATION_NEW) or F32
 *    (TENSOR_NEW), each argument for itself; sums are in F32 whatever is stored;
 *  - "vectors" (weights of norms, modulation, gates, tables, biases) are F32 and contiguous;
 *  - the last axis has stride 1; other axes may be strided (a column range of a wider matrix),
 *    except where "contiguous" is said;
 *  - `out` may be the very same view as `x` (in place) where "in place" is said, and overlaps
 *    nothing otherwise;
 *  - rows: a tensor [..., C] counts as (product of the leading axes) rows of C;
 *  - vectors [G, C] instead of [C]: the rows fall into G equal runs, one after another (the items
 * of a batch, the frames of a clip), and run g takes row g;
 *  - "or F8": `out` may be rows of F8_E4M3 with scales (activation_as_input()), the input of a
 * layer with FP8 weights: what would have been stored is divided by the row's scale, its largest
 *    number / 448, and rounded to nearest. Such rows are a multiple of 16 wide, at most
 *    F8_MAX_COLUMNS, and may lie where those of x do;
 *  - no operation allocates but the workspace of the device, which only ever grows; none waits for
 *    the device but op_read() and device_status();
 *  - the same device and input give the same bytes, with any number of threads.
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
    ACT_QUICK_GELU, /* x / (1 + exp(-1.702 x)): OpenAI's CLIP */
    ACTIVATIONS
};

/* A linear layer's weights, packed by the device they will run on. */
struct linear {
    int64_t in, out;
    enum dtype dtype;  /* of the weights: the device's activations, or F8_E4M3 */
    const float *bias; /* [out], on the device; NULL for none */
    const void *packed;
};

/* What lies beyond the edges of a frame, (k-1)/2 pixels each way. */
enum conv_edge {
    CONV_ZEROS,
    CONV_REPLICATE,   /* the nearest pixel of the frame */
    CONV_ZEROS_AFTER, /* zeros to the right and below only, k-1 of them; for stride 2 */
    CONV_GIVEN, /* nothing: the input has its edges around it already; for scale and stride 1 */
};

/* How a convolution's kernel is laid on space; zeroed but for scale and stride: the common one. */
struct conv_form {
    int scale;  /* 2: the input is first made twice as large each way (nearest); else 1 */
    int stride; /* 2: every second pixel is kept, from the first; else 1. Not with scale 2 */
    enum conv_edge edge; /* of the enlarged input */
};

/* A convolution's weights, packed likewise. */
struct conv {
    int64_t in, out;
    int kt, kh, kw; /* frames in time (1..3), and odd sizes in space (1 or 3) */
    struct conv_form form;
    const float *bias; /* [out] */
    const void *packed;
};

struct attention_bias {
    /* Query i sees keys 0 .. keys - queries + i. */
    bool causal;
    /* Added to the score of a key, for every query and head: vector [keys], or data NULL. A key
     * that stands for n equal keys has log(n). -INFINITY hides a key, but not every key of a query.
     */
    struct tensor key;
    /* T5's relative position bias: [heads, queries + keys - 1], or data NULL. Query i and key j get
     * relative[h][j - i + queries - 1]. */
    struct tensor relative;
    /* Not in FP8, also on a device that was opened for it (device_options): for layers whose
     * numbers need it. */
    bool precise;
};

struct device;

enum { F8_MAX_COLUMNS = 32768 };

/* ---- weights: made once, at load. Return 0 or -1 with *e filled. Memory comes from the arena. */

/* weight: [out, in] of any float dtype, contiguous; bias [out] or NULL. */
int linear_pack(struct device *d, struct arena *a, const struct tensor *weight,
                const struct tensor *bias, struct linear *out, struct error *e);
/* Several layers that read the same input, as one: their outputs stand side by side. bias[i] is
 * NULL for every i or for none. */
int linear_pack_many(struct device *d, struct arena *a, int count,
                     const struct tensor *const *weight, const struct tensor *const *bias,
                     struct linear *out, struct error *e);
/* The same with weights kept in this dtype: the device's activations or, in products with FP8
 * inputs, F8_E4M3 with a scale for each output. Where the device has no such products, or the sizes
 * are no multiples of 16, they are kept as activations: out->dtype says so. */
int linear_pack_as(struct device *d, struct arena *a, enum dtype dtype, int count,
                   const struct tensor *const *weight, const struct tensor *const *bias,
                   struct linear *out, struct error *e);
/* weight: [out, in, kh, kw] or [out, in, kt, kh, kw]; bias [out] or NULL. */
int conv_pack(struct device *d, struct arena *a, const struct tensor *weight,
              const struct tensor *bias, struct conv_form form, struct conv *out, struct error *e);
/* Any float tensor in host memory as contiguous F32 on the device, for norms, tables and biases. */
int tensor_upload(struct device *d, struct arena *a, const struct tensor *t, struct tensor *out,
                  struct error *e);

/* ---- to and from the host; shapes equal; the host's side is contiguous F32 */

void op_write(struct device *d, struct tensor *out, const struct tensor *host);
/* Waits for the device: what it has been told to do so far is done when this returns. */
void op_read(struct device *d, struct tensor *host, const struct tensor *x);

/* The same without waiting: what x holds when the device comes to it is on its way to the host
 * while the device goes on with what it is told next; x may be written again. Ends with
 * op_read_end() of the same slot, which waits for it and gives x as contiguous F32, good until that
 * slot's next beginning; NULL: failed. */
enum { READ_SLOTS = 8 }; /* those that are used take memory on both sides */
void op_read_begin(struct device *d, int slot, const struct tensor *x);
const float *op_read_end(struct device *d, int slot);

/* ---- matrices */

/* out[M, out] = act(x[M, in] W^T + bias). Of a layer with FP8 weights x may be F8_E4M3 with scales;
 * other numbers are made so on the way. */
void op_linear(struct device *d, struct tensor *out, const struct tensor *x, const struct linear *w,
               enum activation act);
/* out[M, out] = x[M, in] W^T + bias + residual; residual like out, and may be out itself. */
void op_linear_add(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct linear *w, const struct tensor *residual);
/* out = residual + gate * (x W^T + bias): the end of a block's branch. gate: [out], or [G, out]
 * with G runs of rows, or NULL; residual as above. */
void op_linear_gated(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct linear *w, const struct tensor *residual,
                     const struct tensor *gate);
/* out = residual + x W^T + shift: another bias for each run of rows, in place of w's own, which is
 * not added. shift: [out], or [G, out] with G runs of rows; residual as above. */
void op_linear_shifted(struct device *d, struct tensor *out, const struct tensor *x,
                       const struct linear *w, const struct tensor *shift,
                       const struct tensor *residual);
/* out[M, n] = value * act(gate): of the 2n outputs of x W^T + bias the first n are values and the
 * others their gates: GEGLU, SwiGLU. */
void op_linear_glu(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct linear *w, enum activation act);
/* Whether that stores neither values nor gates here. Else it takes memory for both, and whoever has
 * some does the same with op_linear() and op_glu(). */
bool linear_glu_is_fused(const struct device *d, const struct linear *w, enum activation act);
/* q, out: [queries, heads, dim]; k, v: [keys, groups, dim], where groups divides heads and head h
 * reads group h / (heads / groups); or all four with an axis in front, [items, ...], each item by
 * itself under the same bias. Axes may be strided. All are of the device's activation dtype.
 * out = softmax(q k^T scale + bias) v, a head at a time. keys >= 1. bias may be NULL. Scores are
 * never all in memory at once. */
void op_attention(struct device *d, struct tensor *out, const struct tensor *q,
                  const struct tensor *k, const struct tensor *v, float scale,
                  const struct attention_bias *bias);

/* ---- rows */

/* out = (x - mean) / sqrt(variance + eps) * weight + bias over the last axis; weight and bias [C]
 * or [G, C], or NULL. Adaptive norms pass weight = 1 + scale and bias = shift. In place; or F8. */
void op_layer_norm(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct tensor *weight, const struct tensor *bias, float eps);
/* out = x / sqrt(mean(x^2) + eps) * weight. In place; or F8. */
void op_rms_norm(struct device *d, struct tensor *out, const struct tensor *x,
                 const struct tensor *weight, float eps);
/* out = act(x / max(|x|, 1e-12) * sqrt(C) * gamma), |x| over the last axis (the channels): the norm
 * of the Wan VAE. act: ACT_NONE or ACT_SILU. In place. */
void op_channel_norm(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct tensor *gamma, enum activation act);
/* out = act(GroupNorm(x)): x [N, ..., C], contiguous; every item of the first axis by itself, its
 * channels in `groups` equal runs, mean and variance over a run of channels and all axes between.
 * weight, bias [C] or NULL. act: ACT_NONE or ACT_SILU. In place. */
void op_group_norm(struct device *d, struct tensor *out, const struct tensor *x, int groups,
                   const struct tensor *weight, const struct tensor *bias, float eps,
                   enum activation act);
/* The same of x + shift, and times `gain`, in as many passes: for blocks that shift a picture
 * between a convolution and the next norm, or add only a share of what they make. shift [C], or
 * [G, C] with G runs of items, or NULL. */
struct shifted_norm {
    int groups;
    const struct tensor *weight, *bias, *shift;
    float eps, gain;
    enum activation act;
};
void op_group_norm_shifted(struct device *d, struct tensor *out, const struct tensor *x,
                           const struct shifted_norm *n);
enum rope_pairs {
    ROPE_NEIGHBOURS, /* x[2i] with x[2i + 1] */
    ROPE_HALVES,     /* x[i] with x[i + dim/2] */
};
/* Rotates the pairs of every head by angles of the token: x [tokens, heads, dim], or [items,
 * tokens, heads, dim], in place; cos, sin [tokens, dim/2] vectors. */
void op_rope(struct device *d, struct tensor *x, const struct tensor *cos, const struct tensor *sin,
             enum rope_pairs pairs);
/* Queries or keys on their way to attention: each head normed by itself, or a token's as one row.
 */
enum heads_norm {
    HEADS_AS_THEY_ARE,
    HEADS_RMS,
    HEADS_LAYER,
    HEADS_TOGETHER_RMS, /* over all heads of a token, which lie one after another */
};
struct head_norm {
    enum heads_norm kind;
    const struct tensor *weight; /* [dim], or [heads * dim] of all together; NULL: 1 */
    const struct tensor *bias;   /* of HEADS_LAYER, likewise; NULL: 0 */
    float eps;
};
/* The tokens from `from` on turn, as many as cos and sin have rows (see op_rope); the others have
 * no place. */
struct turn {
    const struct tensor *cos, *sin;
    enum rope_pairs pairs;
    int64_t from;
};
/* x [tokens, heads, dim] or [items, tokens, heads, dim], in place: normed, then turned; turn NULL:
 * no token is. One pass where op_rms_norm() and op_rope() are two. */
void op_norm_rope(struct device *d, struct tensor *x, const struct head_norm *norm,
                  const struct turn *turn);
/* out[i] = table[ids[i]]: table [entries, C] of any float dtype and ids [n] I32 in range (checked)
 * are in host memory, so that the table can stay in the mapped checkpoint. */
void op_embed(struct device *d, struct tensor *out, const struct tensor *table,
              const struct tensor *ids);

/* ---- elements; shapes equal */

void op_activation(struct device *d, struct tensor *out, const struct tensor *x,
                   enum activation act); /* in place; or F8 */
/* PReLU: out = x where x > 0, else slope x; slope [C] or [G, C], or NULL (1). In place. */
void op_prelu(struct device *d, struct tensor *out, const struct tensor *x,
              const struct tensor *slope);
void op_add(struct device *d, struct tensor *out, const struct tensor *x, const struct tensor *y);
/* out = x * act(gate): GEGLU, SwiGLU. out may be x or gate; or F8. */
void op_glu(struct device *d, struct tensor *out, const struct tensor *x, const struct tensor *gate,
            enum activation act);
/* out = a x + b y. out may be x or y (so for add). y may be NULL. */
void op_blend(struct device *d, struct tensor *out, float a, const struct tensor *x, float b,
              const struct tensor *y);
/* out = x + gate * y, gate [C] or [G, C]: the gated residual. out may be x or y. */
void op_add_gated(struct device *d, struct tensor *out, const struct tensor *x,
                  const struct tensor *y, const struct tensor *gate);
/* out = x * (1 + scale) + shift, each [C] or [G, C] or NULL (zero). In place. */
void op_modulate(struct device *d, struct tensor *out, const struct tensor *x,
                 const struct tensor *scale, const struct tensor *shift);
/* out, a vector [2] = the sums of |x - y| and of |y|, whose ratio is their relative L1 distance. */
void op_distance(struct device *d, struct tensor *out, const struct tensor *x,
                 const struct tensor *y);
/* Any strides on both sides, the last axis too (0 repeats): permutes, gathers, scatters, changes of
 * dtype. Or F8; x may be F8 rows too. */
void op_copy(struct device *d, struct tensor *out, const struct tensor *x);

/* ---- pictures: a frame is [H, W, C], channels last; frames are contiguous */

enum { CONV_MAX_TAPS = 3 };
/* out [N, H', W', out] = conv over x[0..kt-1], oldest first: for output frame n the kernel's tap i
 * in time lies on frame n of x[i], [N, H, W, in], or is zeros where x[i] is NULL. N may be left out
 * everywhere. H' = scale H; with stride 2 it is (H + 1) / 2, or H / 2 with CONV_ZEROS_AFTER; with
 * CONV_GIVEN it is H - (kh - 1).
 * A clip with its past in front goes through in one call, x[i] = its frames i .. i + N - 1;
 * so does a stream, a frame at a time, with x[i] wherever the frame happens to lie. Causality is
 * the caller's choice of frames. A 2-D convolution has kt = 1. residual: like out, to add, or NULL;
 * it may be out itself. out overlaps no x. x, out and residual are of the device's activation
 * dtype; out may be F32 where there is no residual. Frames of each may be any distance apart (every
 * second one of a clip). Taps of an enlarging kernel that are given the same
 * frames (x[0] = x[1]: frames that come twice) cost as much as one. */
void op_conv(struct device *d, struct tensor *out, const struct tensor *const *x,
             const struct conv *w, const struct tensor *residual);
/* out = op_prelu(op_conv(x)), slope [out]: in one pass where the device can. */
void op_conv_prelu(struct device *d, struct tensor *out, const struct tensor *const *x,
                   const struct conv *w, const struct tensor *slope);
/* Whole clips in one call: x [N, T, H, W, in], out and residual [N, T, H', W', out], contiguous;
 * tap i lies on frame t + i - kt / 2, zeros where there is none; kt is odd. Else as op_conv(). */
void op_conv_clips(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct conv *w, const struct tensor *residual);

/* Group norm in two steps, for clips that go through in slices. What it does to each channel of x
 * [N, H, W, C], or [N, T, H, W, C] whose frames may be any distance apart: affine [N, 3, C], F32: a
 * mean, a scale, a shift. */
void op_group_statistics(struct device *d, struct tensor *affine, const struct tensor *x,
                         int groups, const struct tensor *weight, const struct tensor *bias,
                         float eps);
/* What op_normalise() does after the norm; zeroed: nothing. */
struct normalise_form {
    const struct tensor *scale, *shift; /* [n, h, w, C], both or none; H is a multiple of h, W of w:
                                         * every pixel takes the nearest */
    enum activation act;                /* ACT_NONE or ACT_SILU */
    int border; /* pixels around each frame of out that repeat those at its edge */
};
/* out = act(y scale + shift), y = (x - mean) * scale + shift of the channel: x [n, H, W, C], affine
 * [N, 3, C] where N divides n, each for a run of frames; out [n, H + 2 border, W + 2 border, C].
 * The frames of x may be any distance apart. In place without a border, where they are not. */
void op_normalise(struct device *d, struct tensor *out, const struct tensor *x,
                  const struct tensor *affine, const struct normalise_form *form);

/* Latents [C, T, H, W] (contiguous) to tokens [T/pt * H/ph * W/pw, C * pt * ph * pw] with features
 * in the order of a Conv3d weight: channel, then t, h, w within the patch. */
void op_patchify(struct device *d, struct tensor *tokens, const struct tensor *latents,
                 const int patch[3]);
/* Back; features here in the order t, h, w, channel, as Wan's last projection makes them. */
void op_unpatchify(struct device *d, struct tensor *latents, const struct tensor *tokens,
                   const int patch[3]);

#endif
