/* The front of the table: pictures, clips, patches. */
#include "kernels/ops_check.h"

/* Frames of this size. */
static bool is_frames(const struct device *d, const struct tensor *t, int64_t n, int64_t h,
                      int64_t w, int64_t c)
{
    return is_numbers(d, t) && t->rank == 4 && t->shape[0] == n && t->shape[1] == h &&
           t->shape[2] == w && t->shape[3] == c && tensor_contiguous(t);
}

/* The same, any distance apart. */
static bool is_frames_apart(const struct device *d, const struct tensor *t, int64_t n, int64_t h,
                            int64_t w, int64_t c)
{
    struct tensor one = *t;

    one.shape[0] = n > 0; /* the first, or none */
    return t->rank == 4 && t->shape[0] == n && is_frames(d, &one, n > 0, h, w, c) &&
           (n < 2 || t->stride[0] >= h * w * c);
}

/* Rows or columns that come out of `n`, of a kernel this wide. */
static int64_t conv_size(const struct conv *w, int64_t n, int kernel)
{
    return w->form.edge == CONV_GIVEN         ? n - (kernel - 1)
           : w->form.stride == 1              ? n * w->form.scale
           : w->form.edge == CONV_ZEROS_AFTER ? n / 2
                                              : (n + 1) / 2;
}

static bool check_conv(struct device *d, const struct tensor *out, const struct tensor *const *x,
                       const struct conv *w, const struct tensor *residual)
{
    const struct tensor *in = NULL;

    for (int t = 0; t < w->kt; t++) {
        in = in ? in : x[t];
        if (x[t] && (x[t]->rank != 4 || x[t]->dtype != d->activations ||
                     !is_frames_apart(d, x[t], in->shape[0], in->shape[1], in->shape[2], w->in)))
            return fails(d, "conv", "x", x[t]);
    }
    if (residual ? out->dtype != d->activations : !is_numbers(d, out))
        return fails(d, "conv", "out", out);
    if (!(in ? is_frames_apart(d, out, in->shape[0], conv_size(w, in->shape[1], w->kh),
                               conv_size(w, in->shape[2], w->kw), w->out)
             : out->rank == 4 &&
                   is_frames_apart(d, out, out->shape[0], out->shape[1], out->shape[2], w->out)))
        return fails(d, "conv", "out", out);
    return !residual ||
           (is_frames_apart(d, residual, out->shape[0], out->shape[1], out->shape[2], w->out) &&
            residual->dtype == d->activations) ||
           fails(d, "conv", "residual", residual);
}

/* The taps as frames [N, H, W, C], in frames[], and where they are. */
static void taps_as_frames(const struct tensor *const *x, const struct conv *w,
                           struct tensor *frames, const struct tensor **at)
{
    for (int t = 0; t < w->kt; t++)
        if (x[t]) {
            frames[t] = as_items(x[t], 4);
            at[t] = &frames[t];
        }
}

void op_conv(struct device *d, struct tensor *out, const struct tensor *const *x,
             const struct conv *w, const struct tensor *residual)
{
    struct tensor frames[CONV_MAX_TAPS], o = as_items(out, 4), r = {0};
    const struct tensor *at[CONV_MAX_TAPS] = {0};

    if (d->failed)
        return;
    taps_as_frames(x, w, frames, at);
    if (residual)
        r = as_items(residual, 4);
    if (check_conv(d, &o, at, w, residual ? &r : NULL) && tensor_count(&o) > 0)
        d->ops.conv(d, &o, at, w, residual ? &r : NULL);
}

void op_conv_prelu(struct device *d, struct tensor *out, const struct tensor *const *x,
                   const struct conv *w, const struct tensor *slope)
{
    struct tensor frames[CONV_MAX_TAPS], o = as_items(out, 4);
    const struct tensor *at[CONV_MAX_TAPS] = {0};

    if (d->failed)
        return;
    taps_as_frames(x, w, frames, at);
    if (!is_vector(d, slope, w->out)) {
        fails(d, "conv_prelu", "slope", slope);
        return;
    }
    if (!check_conv(d, &o, at, w, NULL) || tensor_count(&o) == 0)
        return;
    if (d->ops.conv_prelu && d->ops.conv_prelu(d, &o, at, w, slope))
        return;
    d->ops.conv(d, &o, at, w, NULL);
    if (!d->failed)
        d->ops.prelu(d, &o, &o, slope);
}

/* Frames from..from + count - 1 of one clip of [N, T, H, W, C]. */
static struct tensor frames_of(const struct tensor *t, int64_t clip, int64_t from, int64_t count)
{
    struct tensor frames = tensor_slice(tensor_slice(*t, 0, clip, 1), 1, from, count);

    for (int i = 0; i < 4; i++) {
        frames.shape[i] = frames.shape[i + 1];
        frames.stride[i] = frames.stride[i + 1];
    }
    frames.rank = 4;
    return frames;
}

/* A run of frames for which the same taps lie within the clip. */
static void conv_run(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct conv *w, const struct tensor *residual, int64_t clip,
                     int64_t from, int64_t count)
{
    struct tensor taps[CONV_MAX_TAPS], to = frames_of(out, clip, from, count), add;
    const struct tensor *at[CONV_MAX_TAPS] = {0};

    for (int i = 0; i < w->kt; i++) {
        int64_t first = from + i - w->kt / 2;
        if (first < 0 || first + count > x->shape[1])
            continue;
        taps[i] = frames_of(x, clip, first, count);
        at[i] = &taps[i];
    }
    if (residual)
        add = frames_of(residual, clip, from, count);
    d->ops.conv(d, &to, at, w, residual ? &add : NULL);
}

static bool check_clips(struct device *d, const struct tensor *out, const struct tensor *x,
                        const struct conv *w, const struct tensor *residual)
{
    const struct tensor *const all[3] = {x, out, residual};
    static const char *const names[3] = {"x", "out", "residual"};
    struct tensor frames[3] = {0};
    const struct tensor *taps[CONV_MAX_TAPS];

    for (int i = 0; i < 3; i++) {
        if (!all[i])
            continue;
        if (all[i]->rank != 5 || !tensor_contiguous(all[i]) || all[i]->shape[0] != x->shape[0] ||
            all[i]->shape[1] != x->shape[1] || w->kt % 2 == 0)
            return fails(d, "conv", names[i], all[i]);
        frames[i] = TENSOR_VIEW(*all[i], x->shape[0] * x->shape[1], all[i]->shape[2],
                                all[i]->shape[3], all[i]->shape[4]);
    }
    for (int t = 0; t < w->kt; t++)
        taps[t] = &frames[0];
    return check_conv(d, &frames[1], taps, w, residual ? &frames[2] : NULL);
}

void op_conv_clips(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct conv *w, const struct tensor *residual)
{
    int64_t frames, run;

    if (d->failed || !check_clips(d, out, x, w, residual) || tensor_count(out) == 0)
        return;
    if (d->ops.conv_clips && d->ops.conv_clips(d, out, x, w, residual))
        return;
    frames = x->shape[1];
    for (int64_t clip = 0; clip < x->shape[0] && !d->failed; clip++)
        for (int64_t t = 0; t < frames && !d->failed; t += run) {
            bool edge = t < w->kt / 2 || t >= frames - w->kt / 2;
            run = edge ? 1 : frames - 2 * (w->kt / 2);
            conv_run(d, out, x, w, residual, clip, t, run);
        }
}

void op_group_statistics(struct device *d, struct tensor *affine, const struct tensor *x,
                         int groups, const struct tensor *weight, const struct tensor *bias,
                         float eps)
{
    bool clips = x->rank == 5;
    struct tensor frames = *x;

    if (clips) /* of the first item */
        for (int i = 0; i < 4; i++) {
            frames.shape[i] = x->shape[i + 1];
            frames.stride[i] = x->stride[i + 1];
        }
    frames.rank = 4;
    if (d->failed)
        return;
    if (x->rank < 4 || groups < 1 || columns(x) % groups || tensor_count(x) == 0 ||
        !(clips ? is_frames_apart : is_frames)(d, &frames, frames.shape[0], frames.shape[1],
                                               frames.shape[2], frames.shape[3]))
        fails(d, "group_statistics", "x", x);
    else if (!is_vector(d, affine, x->shape[0] * 3 * columns(x)))
        fails(d, "group_statistics", "affine", affine);
    else if (check_vector(d, "group_statistics", "weight", weight, x) &&
             check_vector(d, "group_statistics", "bias", bias, x))
        d->ops.group_statistics(d, affine, x, groups, weight, bias, eps);
}

/* Coarser frames that lie under those of x. */
static bool is_beneath(const struct device *d, const struct tensor *t, const struct tensor *x)
{
    return t->rank == 4 && is_frames(d, t, x->shape[0], t->shape[1], t->shape[2], x->shape[3]) &&
           t->shape[1] >= 1 && t->shape[2] >= 1 && x->shape[1] % t->shape[1] == 0 &&
           x->shape[2] % t->shape[2] == 0;
}

void op_normalise(struct device *d, struct tensor *out, const struct tensor *x,
                  const struct tensor *affine, const struct normalise_form *form)
{
    int64_t runs = affine->rank == 3 ? affine->shape[0] : 0, b = form->border;

    if (d->failed)
        return;
    if (x->rank != 4 || !is_frames_apart(d, x, x->shape[0], x->shape[1], x->shape[2], x->shape[3]))
        fails(d, "normalise", "x", x);
    else if (b < 0 ||
             !is_frames(d, out, x->shape[0], x->shape[1] + 2 * b, x->shape[2] + 2 * b, x->shape[3]))
        fails(d, "normalise", "out", out);
    else if (runs < 1 || x->shape[0] % runs || !is_vector(d, affine, runs * 3 * x->shape[3]))
        fails(d, "normalise", "affine", affine);
    else if (!form->scale != !form->shift || (form->scale && !is_beneath(d, form->scale, x)))
        fails(d, "normalise", "scale", form->scale ? form->scale : form->shift);
    else if (form->shift &&
             (!same_shape(form->scale, form->shift) || form->scale->dtype != form->shift->dtype ||
              !is_beneath(d, form->shift, x)))
        fails(d, "normalise", "shift", form->shift);
    else if (tensor_count(x) > 0)
        d->ops.normalise(d, out, x, affine, form);
}

static bool check_patches(struct device *d, const char *op, const struct tensor *tokens,
                          const struct tensor *latents, const int patch[3])
{
    int64_t count = 1, features = latents->shape[0];

    if (d->failed)
        return false;
    if (!is_numbers(d, latents) || latents->rank != 4 || !tensor_contiguous(latents))
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
