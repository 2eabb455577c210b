/* The slots: what each operation costs, and the memory that the CUDA side takes to do it. */
#include "kernels/dry/impl.h"

static double numbers(const struct tensor *t)
{
    return t ? (double)tensor_count(t) : 0;
}

static double bytes_of(const struct tensor *t)
{
    return t ? numbers(t) * (double)dtype_size(t->dtype) : 0;
}

static bool is_half(const struct device *d)
{
    return d->activations != DTYPE_F32;
}

/* An operation that is all memory. */
static void move(struct device *d, const struct tensor *out, const struct tensor *x,
                 const struct tensor *y)
{
    dry_work(d, DRY_OTHER, 0, bytes_of(out) + bytes_of(x) + bytes_of(y));
}

/* ---- weights: as kernels/cuda/linear_pack.cu and conv_pack.cu pack them */

enum { ALIGNMENT = 256 };

static const void *pack(struct device *d, struct arena *a, size_t weights, int64_t out, bool biased)
{
    (void)d;
    weights = (weights + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return arena_alloc(a, weights + (biased ? (size_t)out * sizeof(float) : 0));
}

static const void *dry_linear_pack(struct device *d, struct arena *a, int count,
                                   const struct tensor *const *weight, const struct linear *shape)
{
    size_t scales = shape->dtype == DTYPE_F8_E4M3 ? (size_t)shape->out * sizeof(float) : 0;
    bool converted = false;

    for (int i = 0; i < count; i++) {
        dry_stored(d, weight[i]);
        converted |= weight[i]->dtype != shape->dtype;
    }
    if (converted)
        dry_take_scratch(d, DRY_TRANSFER, (size_t)64 << 20);
    if (d->kind == DEVICE_CPU)
        return dry_processor_linear(d, a, shape);
    return pack(d, a, (size_t)(shape->out * shape->in) * dtype_size(shape->dtype) + scales,
                shape->out, shape->bias != NULL);
}

static const void *dry_conv_pack(struct device *d, struct arena *a, const struct tensor *weight,
                                 const struct conv *shape)
{
    int64_t row = ((int64_t)shape->kt * shape->kh * shape->kw * shape->in + 7) / 8 * 8;
    size_t element = dtype_size(d->activations);

    dry_stored(d, weight);
    if (d->kind == DEVICE_CPU)
        return dry_processor_conv(d, a, shape);
    dry_take_scratch(d, DRY_UNFOLDED, (size_t)tensor_count(weight) * element);
    return pack(d, a, (size_t)(shape->out * row) * element, shape->out, true);
}

/* ---- to and from the host */

static void transfer(struct device *d, const struct tensor *here)
{
    if (here->dtype != DTYPE_F32)
        dry_take_scratch(d, DRY_TRANSFER, (size_t)tensor_count(here) * sizeof(float));
    move(d, here, here, NULL);
}

static void dry_write(struct device *d, struct tensor *out, const struct tensor *host)
{
    (void)host;
    transfer(d, out);
}

static void dry_read(struct device *d, struct tensor *host, const struct tensor *x)
{
    float *to = host->data;

    for (int64_t i = 0; i < tensor_count(host); i++)
        to[i] = DRY_NUMBER;
    transfer(d, x);
    dry_see_host(d);
}

static void dry_read_begin(struct device *d, int slot, const struct tensor *x)
{
    dry_take_scratch(d, DRY_TRANSFER, (size_t)tensor_count(x) * sizeof(float) * (size_t)(slot + 1));
    move(d, x, x, NULL);
    arena_free(&d->reads[slot]);
    d->read[slot] = tensor_new(&d->reads[slot], x->rank, x->shape).data;
}

static const float *dry_read_end(struct device *d, int slot)
{
    dry_see_host(d);
    return d->read[slot];
}

/* ---- matrices */

enum { GEMM_WORKSPACE = 64 << 20 };

static void dry_linear(struct device *d, struct tensor *out, const struct tensor *x,
                       const struct linear *w, enum activation act, const struct tensor *residual)
{
    double weights = (double)w->in * (double)w->out;
    bool small = w->dtype == DTYPE_F8_E4M3;

    if (x->dtype != w->dtype)
        dry_take_scratch(d, DRY_CONVERTED, (size_t)tensor_count(x) * dtype_size(w->dtype));
    if (x->dtype != w->dtype && small)
        move(d, x, x, NULL);
    dry_take_scratch(d, DRY_VENDOR, GEMM_WORKSPACE);
    dry_work(d, small ? DRY_PRODUCT8 : DRY_PRODUCT, 2 * weights * (double)x->shape[0],
             bytes_of(out) + bytes_of(x) + bytes_of(residual) +
                 weights * (double)dtype_size(w->dtype));
    if (act != ACT_NONE && act != ACT_RELU && act != ACT_GELU_TANH)
        move(d, out, out, NULL);
}

static void dry_linear_gated(struct device *d, struct tensor *out, const struct tensor *x,
                             const struct linear *w, const struct tensor *residual,
                             const struct tensor *gate)
{
    (void)gate;
    if (w->dtype == DTYPE_F8_E4M3) {
        dry_linear(d, out, x, w, ACT_NONE, residual);
        return;
    }
    dry_take_scratch(d, DRY_UNFUSED, (size_t)(x->shape[0] * w->out) * dtype_size(d->activations));
    dry_linear(d, out, x, w, ACT_NONE, NULL);
    move(d, out, out, residual);
}

static void dry_linear_shifted(struct device *d, struct tensor *out, const struct tensor *x,
                               const struct linear *w, const struct tensor *shift,
                               const struct tensor *residual)
{
    (void)shift;
    dry_linear(d, out, x, w, ACT_NONE, residual);
}

static void dry_glu(struct device *d, struct tensor *out, const struct tensor *x,
                    const struct tensor *gate, enum activation act)
{
    (void)act;
    move(d, out, x, gate);
}

/* As kernels/cuda/linear_glu.cu, which is for Hopper alone. */
static bool dry_fuses_glu(const struct device *d, const struct linear *w, enum activation act)
{
    return act == ACT_GELU && w->dtype == d->activations && is_half(d) &&
           d->dry->facts.major == 9 && w->in % 8 == 0 && w->out % 16 == 0;
}

static void dry_linear_glu(struct device *d, struct tensor *out, const struct tensor *x,
                           const struct linear *w, enum activation act)
{
    double weights = (double)w->in * (double)w->out;
    int64_t shape[2] = {x->shape[0], w->out};

    if (dry_fuses_glu(d, w, act)) {
        dry_work(d, DRY_PRODUCT, 2 * weights * (double)x->shape[0],
                 bytes_of(out) + bytes_of(x) + weights * (double)dtype_size(w->dtype));
        return;
    }
    struct tensor both = tensor_of(d->activations, NULL, 2, shape);
    dry_take_scratch(d, DRY_UNFUSED, (size_t)tensor_count(&both) * dtype_size(both.dtype));
    dry_linear(d, &both, x, w, ACT_NONE, NULL);
    dry_glu(d, out, &both, NULL, act);
}

static const int64_t SCORES_BYTES = (int64_t)384 << 20;

/* What attention takes where there is no fused form of it (kernels/cuda/attention.cu). */
static void scores(struct device *d, const struct tensor *q, const struct tensor *k)
{
    int64_t ld = (k->shape[1] + 7) & ~(int64_t)7, queries = q->shape[1], groups = k->shape[2];
    int64_t row = ld * (is_half(d) ? 6 : 4), rows = queries < 256 ? queries : 256;
    int64_t heads = SCORES_BYTES / (row * rows);

    if (d->kind == DEVICE_CPU) {
        dry_processor_heads(d, q, k);
        return;
    }
    heads = heads < 1 ? 1 : heads > groups ? groups : heads;
    rows = SCORES_BYTES / (row * heads);
    rows = rows < 1 ? 1 : rows > queries ? queries : rows;
    dry_take_scratch(d, DRY_VENDOR, GEMM_WORKSPACE);
    dry_take_scratch(d, DRY_SCORES, (size_t)(heads * rows * ld) * sizeof(float));
    if (is_half(d))
        dry_take_scratch(d, DRY_WEIGHTS, (size_t)(heads * rows * ld) * 2);
}

/* Whether it goes in FP8, and what that takes (kernels/cuda/fp8_attention.cu): bytes of q, k and v
 * in whole tiles, of as many heads at once as there is room for. */
static bool in_f8(struct device *d, const struct tensor *q, const struct tensor *k,
                  const struct attention_bias *bias)
{
    const size_t room = (size_t)320 << 20;
    int64_t dim = q->shape[3], heads = q->shape[0] * q->shape[2];
    size_t head = (size_t)((q->shape[1] + 383) / 384 * 384 + (k->shape[1] + 127) / 128 * 256);

    if (d->attention != DTYPE_F8_E4M3 || d->dry->facts.major != 9 || !is_half(d) || bias->precise ||
        bias->causal || bias->key.data || bias->relative.data || (dim != 64 && dim != 128) ||
        q->shape[2] != k->shape[2] || q->shape[1] < 2048 || k->shape[1] < 2048)
        return false;
    head *= (size_t)dim;
    int64_t fit = (int64_t)(room / head), rounds;
    fit = fit < 1 ? 1 : fit > heads ? heads : fit;
    rounds = (heads + fit - 1) / fit;
    dry_take_scratch(d, DRY_OPERANDS, (size_t)((heads + rounds - 1) / rounds) * head);
    return true;
}

static void dry_attention(struct device *d, struct tensor *out, const struct tensor *q,
                          const struct tensor *k, const struct tensor *v, float scale,
                          const struct attention_bias *bias)
{
    double pairs = (double)q->shape[1] * (double)k->shape[1];
    double heads = (double)q->shape[0] * (double)q->shape[2];
    bool biased = bias->causal || bias->key.data || bias->relative.data;
    bool fused = is_half(d) && q->shape[3] % 8 == 0 && q->shape[3] <= (biased ? 128 : 256);

    (void)scale;
    bool f8 = in_f8(d, q, k, bias), narrow = q->shape[3] <= 64;

    if (!f8 && !fused)
        scores(d, q, k);
    dry_work(d,
             f8       ? narrow ? DRY_ATTENTION8_64 : DRY_ATTENTION8
             : narrow ? DRY_ATTENTION_64
                      : DRY_ATTENTION,
             4 * pairs * heads * (double)q->shape[3],
             bytes_of(out) + bytes_of(q) + bytes_of(k) + bytes_of(v) +
                 (fused ? 0 : pairs * heads * (is_half(d) ? 12 : 16)));
}

/* ---- rows and elements */

static void dry_layer_norm(struct device *d, struct tensor *out, const struct tensor *x,
                           const struct tensor *weight, const struct tensor *bias, float eps)
{
    (void)weight, (void)bias, (void)eps;
    move(d, out, x, NULL);
}

static void dry_rms_norm(struct device *d, struct tensor *out, const struct tensor *x,
                         const struct tensor *weight, float eps)
{
    (void)weight, (void)eps;
    move(d, out, x, NULL);
}

static void dry_channel_norm(struct device *d, struct tensor *out, const struct tensor *x,
                             const struct tensor *gamma, enum activation act)
{
    (void)gamma, (void)act;
    move(d, out, x, NULL);
}

static void dry_group_norm(struct device *d, struct tensor *out, const struct tensor *x, int groups,
                           const struct tensor *weight, const struct tensor *bias, float eps,
                           enum activation act)
{
    (void)groups, (void)weight, (void)bias, (void)eps, (void)act;
    move(d, out, x, x); /* two passes over x */
}

static void dry_group_norm_shifted(struct device *d, struct tensor *out, const struct tensor *x,
                                   const struct shifted_norm *n)
{
    (void)n;
    move(d, out, x, x);
}

static void dry_group_statistics(struct device *d, struct tensor *affine, const struct tensor *x,
                                 int groups, const struct tensor *weight, const struct tensor *bias,
                                 float eps)
{
    (void)groups, (void)weight, (void)bias, (void)eps;
    move(d, affine, x, NULL);
}

static void dry_normalise(struct device *d, struct tensor *out, const struct tensor *x,
                          const struct tensor *affine, const struct normalise_form *form)
{
    (void)affine, (void)form;
    move(d, out, x, NULL);
}

static void dry_copy(struct device *d, struct tensor *out, const struct tensor *x)
{
    move(d, out, x, NULL);
}

static void dry_rope(struct device *d, struct tensor *x, const struct tensor *cos,
                     const struct tensor *sin, enum rope_pairs pairs)
{
    (void)cos, (void)sin, (void)pairs;
    move(d, x, x, NULL);
}

static bool dry_norm_rope(struct device *d, struct tensor *x, const struct head_norm *norm,
                          const struct turn *turn)
{
    (void)norm, (void)turn;
    move(d, x, x, NULL);
    return true;
}

static void dry_embed(struct device *d, struct tensor *out, const struct tensor *table,
                      const struct tensor *ids)
{
    (void)ids;
    dry_take_scratch(d, DRY_TRANSFER, (size_t)tensor_count(out) * dtype_size(table->dtype));
    move(d, out, out, NULL);
}

static void dry_activation(struct device *d, struct tensor *out, const struct tensor *x,
                           enum activation act)
{
    (void)act;
    move(d, out, x, NULL);
}

static void dry_blend(struct device *d, struct tensor *out, float a, const struct tensor *x,
                      float b, const struct tensor *y)
{
    (void)a, (void)b;
    move(d, out, x, y);
}

static void dry_add_gated(struct device *d, struct tensor *out, const struct tensor *x,
                          const struct tensor *y, const struct tensor *gate)
{
    (void)gate;
    move(d, out, x, y);
}

static void dry_prelu(struct device *d, struct tensor *out, const struct tensor *x,
                      const struct tensor *slope)
{
    (void)slope;
    move(d, out, x, NULL);
}

static void dry_modulate(struct device *d, struct tensor *out, const struct tensor *x,
                         const struct tensor *scale, const struct tensor *shift)
{
    (void)scale, (void)shift;
    move(d, out, x, NULL);
}

/* ---- pictures */

/* Frames that cuDNN must be given in another form are gathered, so many numbers at most. */
static const int64_t MOST_NUMBERS = (int64_t)1 << 29;
static const int64_t MOST_BESIDE = (int64_t)1 << 28;
static const int64_t UNFOLDED_BYTES = (int64_t)192 << 20;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* An enlarging kernel is four smaller ones over the frames as they are. */
static bool is_phased(const struct device *d, const struct conv *w)
{
    return is_half(d) && w->form.scale == 2 && w->in % 8 == 0 && w->out % 8 == 0;
}

/* Output frames of one call where it enlarges in phases, half of which lies beside. */
static int64_t phased_frames(const struct tensor *out)
{
    int64_t most = MOST_BESIDE / (out->stride[0] > 0 ? out->stride[0] : 1);

    return least(out->shape[0], most < 1 ? 1 : most);
}

static void gather(struct device *d, const struct tensor *out, const struct tensor *in,
                   const struct conv *w, bool clip, bool phased)
{
    int64_t edge = w->form.edge == CONV_REPLICATE ? 2 : 0, scale = phased ? 1 : w->form.scale;
    int64_t size = (int64_t)dtype_size(d->activations);
    int64_t frame = (in->shape[1] * scale + edge) * (in->shape[2] * scale + edge) * w->in;
    int64_t made = phased ? phased_frames(out) : out->shape[0];
    int64_t calls = made > 0 ? (out->shape[0] + made - 1) / made : 1;
    int64_t frames = clip ? made + w->kt - 1 : made * w->kt;
    int64_t most = frame > 0 ? MOST_NUMBERS / frame : 1;

    frames = least(frames, most < w->kt ? w->kt : most);
    dry_take_scratch(d, DRY_UNFOLDED, (size_t)(frames * frame * size));
    dry_work(d, DRY_OTHER, 0, (double)(2 * calls * frames * frame * size));
}

/* Outputs beyond those that are wanted, to make a multiple of 8. */
static void wide(struct device *d, const struct tensor *out, const struct conv *w)
{
    int64_t pixels = least(tensor_count(out) / w->out, MOST_NUMBERS / w->in);

    dry_take_scratch(d, DRY_CHANNELS,
                     (size_t)(pixels * ((w->out + 7) / 8 * 8)) * dtype_size(out->dtype));
}

/* Frames that follow one another, or one frame; taps on the same frames are one where it enlarges
 * in phases. */
static bool is_clip(const struct tensor *const *x, const struct conv *w, bool phased)
{
    for (int t = 0; t < w->kt; t++) {
        if (!x[t])
            return false;
        size_t frame = (size_t)x[t]->stride[0] * dtype_size(x[t]->dtype);
        if (t == 0 || (phased && w->kt == 3 && x[t]->data == x[t - 1]->data))
            continue;
        if ((char *)x[t]->data != (char *)x[t - 1]->data + frame)
            return false;
    }
    return true;
}

static void conv_scratch(struct device *d, const struct tensor *out, const struct tensor *const *x,
                         const struct tensor *in, const struct conv *w)
{
    int64_t taps = (int64_t)w->kt * w->kh * w->kw, pixels = tensor_count(out) / w->out;
    int64_t row = (taps * w->in + 7) / 8 * 8 * (int64_t)dtype_size(d->activations);
    bool phased = is_phased(d, w), clip = is_clip(x, w, phased);

    if (d->kind == DEVICE_CPU)
        dry_processor_patches(d, w);
    dry_take_scratch(d, DRY_VENDOR, GEMM_WORKSPACE);
    if (taps == 1 && w->form.scale == 1 && w->form.stride == 1 && w->in % 8 == 0)
        return;
    if (!in || !is_half(d) || w->in % 8) {
        dry_take_scratch(d, DRY_UNFOLDED, (size_t)(least(pixels, UNFOLDED_BYTES / row + 1) * row));
        return;
    }
    if (w->out % 8)
        wide(d, out, w);
    if (phased) { /* half a frame, or of several, beside */
        int64_t frame = out->shape[1] * out->shape[2] * w->out;
        dry_take_scratch(d, DRY_CHANNELS,
                         (size_t)(phased_frames(out) * frame / 2) * dtype_size(out->dtype));
    }
    if ((w->form.scale == 2 && !phased) || (w->form.edge == CONV_REPLICATE && w->kh * w->kw > 1) ||
        (!clip && w->kt > 1))
        gather(d, out, in, w, clip, phased);
}

static void dry_conv(struct device *d, struct tensor *out, const struct tensor *const *x,
                     const struct conv *w, const struct tensor *residual)
{
    double bytes = bytes_of(out) + bytes_of(residual), taps = 0;
    const struct tensor *in = NULL;

    for (int t = 0; t < w->kt; t++)
        if (x[t]) {
            bool again = is_phased(d, w) && t > 0 && x[t - 1] && x[t - 1]->data == x[t]->data;
            taps += again ? 0 : is_phased(d, w) ? 4 : w->kh * w->kw;
            in = in ? in : x[t];
        }
    conv_scratch(d, out, x, in, w);
    if (d->kind == DEVICE_CPU)
        taps *= dry_processor_part(w);
    dry_work(d, DRY_CONVOLUTION, 2 * numbers(out) * (double)w->in * taps, bytes + bytes_of(in));
}

static bool dry_conv_prelu(struct device *d, struct tensor *out, const struct tensor *const *x,
                           const struct conv *w, const struct tensor *slope)
{
    (void)slope;
    dry_conv(d, out, x, w, NULL);
    move(d, out, out, NULL);
    return true;
}

static bool dry_conv_clips(struct device *d, struct tensor *out, const struct tensor *x,
                           const struct conv *w, const struct tensor *residual)
{
    if (!is_half(d) || w->in % 8 || w->out % 8 || w->kh != 1 || w->kw != 1)
        return false;
    dry_work(d, DRY_CONVOLUTION, 2 * numbers(out) * (double)(w->in * w->kt),
             bytes_of(out) + bytes_of(x) + bytes_of(residual));
    return true;
}

static void dry_patchify(struct device *d, struct tensor *tokens, const struct tensor *latents,
                         const int patch[3])
{
    (void)patch;
    move(d, tokens, latents, NULL);
}

static void dry_unpatchify(struct device *d, struct tensor *latents, const struct tensor *tokens,
                           const int patch[3])
{
    (void)patch;
    move(d, latents, tokens, NULL);
}

static void dry_distance(struct device *d, struct tensor *out, const struct tensor *x,
                         const struct tensor *y)
{
    (void)out;
    move(d, NULL, x, y);
}

void dry_fill_slots(struct ops *ops)
{
    *ops = (struct ops){
        .linear_pack = dry_linear_pack,
        .conv_pack = dry_conv_pack,
        .write = dry_write,
        .read = dry_read,
        .read_begin = dry_read_begin,
        .read_end = dry_read_end,
        .linear = dry_linear,
        .linear_gated = dry_linear_gated,
        .linear_shifted = dry_linear_shifted,
        .linear_glu = dry_linear_glu,
        .fuses_glu = dry_fuses_glu,
        .attention = dry_attention,
        .attention_f16 = dry_processor_attention_f16,
        .layer_norm = dry_layer_norm,
        .rms_norm = dry_rms_norm,
        .channel_norm = dry_channel_norm,
        .group_norm = dry_group_norm,
        .group_norm_shifted = dry_group_norm_shifted,
        .group_statistics = dry_group_statistics,
        .normalise = dry_normalise,
        .rope = dry_rope,
        .norm_rope = dry_norm_rope,
        .embed = dry_embed,
        .activation = dry_activation,
        .glu = dry_glu,
        .blend = dry_blend,
        .add_gated = dry_add_gated,
        .prelu = dry_prelu,
        .modulate = dry_modulate,
        .distance = dry_distance,
        .copy = dry_copy,
        .conv = dry_conv,
        .conv_prelu = dry_conv_prelu,
        .conv_clips = dry_conv_clips,
        .patchify = dry_patchify,
        .unpatchify = dry_unpatchify,
    };
}
