#include "kernels/reference/reference.h"

#include <math.h>
#include <string.h>

const void *reference_conv_pack(struct device *d, struct arena *a, const struct tensor *weight,
                                const struct conv *shape)
{
    (void)d;
    (void)shape;
    return conv_weight_taps_first(a, weight);
}

/* Where row or column `at` of the enlarged input lies in n of the input's; -1: outside. */
static int64_t inside(const struct conv *w, int64_t at, int64_t n)
{
    int64_t end = n * w->form.scale;
    if (w->form.edge == CONV_REPLICATE)
        at = at < 0 ? 0 : at >= end ? end - 1 : at;
    return at < 0 || at >= end ? -1 : at / w->form.scale;
}

/* The sum over one output pixel's neighbourhood in one frame; weight is at [o][t][0][0][0]. */
static double neighbourhood(const float *pixels, int64_t height, int64_t width,
                            const struct conv *w, const float *weight, int64_t y0, int64_t x0)
{
    bool after = w->form.edge == CONV_ZEROS_AFTER || w->form.edge == CONV_GIVEN;
    int top = after ? 0 : w->kh / 2, left = after ? 0 : w->kw / 2;
    double sum = 0;

    for (int ky = 0; ky < w->kh; ky++)
        for (int kx = 0; kx < w->kw; kx++) {
            int64_t y = inside(w, y0 * w->form.stride + ky - top, height);
            int64_t x = inside(w, x0 * w->form.stride + kx - left, width);
            if (y < 0 || x < 0)
                continue;
            for (int64_t c = 0; c < w->in; c++)
                sum += (double)pixels[(y * width + x) * w->in + c] *
                       weight[(ky * w->kw + kx) * w->in + c];
        }
    return sum;
}

/* Number o of the output pixel (y, x) of frame n, without residual. */
static double conv_at(const struct tensor *const *x, const struct conv *w, int64_t n, int64_t y,
                      int64_t column, int64_t o)
{
    int64_t taps = (int64_t)w->kh * w->kw * w->in;
    double sum = w->bias ? w->bias[o] : 0;

    for (int t = 0; t < w->kt; t++)
        if (x[t])
            sum += neighbourhood((const float *)x[t]->data + n * x[t]->stride[0], x[t]->shape[1],
                                 x[t]->shape[2], w,
                                 (const float *)w->packed + (o * w->kt + t) * taps, y, column);
    return sum;
}

void reference_conv(struct device *d, struct tensor *out, const struct tensor *const *x,
                    const struct conv *w, const struct tensor *residual)
{
    (void)d;
    for (int64_t n = 0; n < out->shape[0]; n++) {
        float *to = (float *)out->data + n * out->stride[0];
        const float *add = residual ? (float *)residual->data + n * residual->stride[0] : NULL;
        for (int64_t y = 0; y < out->shape[1]; y++)
            for (int64_t column = 0; column < out->shape[2]; column++)
                for (int64_t o = 0; o < w->out; o++, to++)
                    *to = (float)(conv_at(x, w, n, y, column, o) + (add ? *add++ : 0));
    }
}

/* One frame of [N, T, H, W, C], counted over all clips. */
static struct tensor one_frame(const struct tensor *t, int64_t at)
{
    struct tensor all =
        TENSOR_VIEW(*t, t->shape[0] * t->shape[1], t->shape[2], t->shape[3], t->shape[4]);
    return tensor_slice(all, 0, at, 1);
}

bool reference_conv_clips(struct device *d, struct tensor *out, const struct tensor *x,
                          const struct conv *w, const struct tensor *residual)
{
    int64_t frames = x->shape[1];

    for (int64_t at = 0; at < x->shape[0] * frames; at++) {
        struct tensor taps[CONV_MAX_TAPS], to = one_frame(out, at), add;
        const struct tensor *seen[CONV_MAX_TAPS] = {0};
        for (int i = 0; i < w->kt; i++) {
            int64_t t = at % frames + i - w->kt / 2;
            if (t < 0 || t >= frames)
                continue;
            taps[i] = one_frame(x, at + i - w->kt / 2);
            seen[i] = &taps[i];
        }
        if (residual)
            add = one_frame(residual, at);
        reference_conv(d, &to, seen, w, residual ? &add : NULL);
    }
    return true;
}

/* Mean and variance of channels first .. first + width - 1 of an item. */
static void group_moments(const struct tensor *x, int64_t item, int64_t first, int64_t width,
                          double *mean, double *variance)
{
    int64_t rows = tensor_rows(x) / x->shape[0];
    double count = (double)(rows * width);

    *mean = *variance = 0;
    for (int64_t r = item * rows; r < (item + 1) * rows; r++)
        for (int64_t i = first; i < first + width; i++)
            *mean += tensor_row(x, r)[i] / count;
    for (int64_t r = item * rows; r < (item + 1) * rows; r++)
        for (int64_t i = first; i < first + width; i++) {
            double away = tensor_row(x, r)[i] - *mean;
            *variance += away * away / count;
        }
}

void reference_group_statistics(struct device *d, struct tensor *affine, const struct tensor *x,
                                int groups, const struct tensor *weight, const struct tensor *bias,
                                float eps)
{
    int64_t c = x->shape[x->rank - 1], width = c / groups;
    (void)d;

    for (int64_t at = 0; at < x->shape[0] * c; at += width) {
        int64_t item = at / c, channel = at % c;
        float *to = (float *)affine->data + item * 3 * c + channel;
        double mean, variance;
        group_moments(x, item, channel, width, &mean, &variance);
        for (int64_t i = 0; i < width; i++) {
            double gain = weight ? ((const float *)weight->data)[channel + i] : 1;
            to[i] = (float)mean;
            to[c + i] = (float)(gain / sqrt(variance + eps));
            to[2 * c + i] = bias ? ((const float *)bias->data)[channel + i] : 0;
        }
    }
}

static int64_t within(int64_t at, int64_t end)
{
    return at < 0 ? 0 : at >= end ? end - 1 : at;
}

void reference_normalise(struct device *d, struct tensor *out, const struct tensor *x,
                         const struct tensor *affine, const struct normalise_form *form)
{
    int64_t frames = x->shape[0], h = x->shape[1], w = x->shape[2], c = x->shape[3];
    int64_t run = frames / affine->shape[0], b = form->border;
    int64_t rows = form->scale ? form->scale->shape[1] : 1;
    int64_t columns = form->scale ? form->scale->shape[2] : 1;
    (void)d;

    for (int64_t i = 0; i < frames * (h + 2 * b) * (w + 2 * b); i++) {
        int64_t frame = i / ((h + 2 * b) * (w + 2 * b));
        int64_t y = within(i / (w + 2 * b) % (h + 2 * b) - b, h),
                column = within(i % (w + 2 * b) - b, w);
        const float *from = (const float *)x->data + frame * x->stride[0] + (y * w + column) * c;
        const float *each = (const float *)affine->data + frame / run * 3 * c;
        int64_t small = ((frame * rows + y / (h / rows)) * columns + column / (w / columns)) * c;
        for (int64_t k = 0; k < c; k++) {
            double v = ((double)from[k] - each[k]) * each[c + k] + each[2 * c + k];
            if (form->scale)
                v = v * ((const float *)form->scale->data)[small + k] +
                    ((const float *)form->shift->data)[small + k];
            ((float *)out->data)[i * c + k] = reference_activation(form->act, v);
        }
    }
}

/* Calls both with every element: tokens[row][column] and where it lies in latents. */
static void move_patches(const struct tensor *tokens, const struct tensor *latents,
                         const int patch[3], bool channel_first, bool to_tokens)
{
    int64_t channels = latents->shape[0], span = (int64_t)patch[0] * patch[1] * patch[2];
    int64_t rows = latents->shape[2] / patch[1], columns = latents->shape[3] / patch[2];

    for (int64_t token = 0; token < tokens->shape[0]; token++)
        for (int64_t f = 0; f < channels * span; f++) {
            int64_t c = channel_first ? f / span : f % channels;
            int64_t k = channel_first ? f % span : f / channels;
            int64_t t = token / (rows * columns) * patch[0] + k / (patch[1] * patch[2]);
            int64_t y = token / columns % rows * patch[1] + k / patch[2] % patch[1];
            int64_t x = token % columns * patch[2] + k % patch[2];
            float *a = tensor_row(tokens, token) + f;
            float *b = (float *)latents->data + c * latents->stride[0] + t * latents->stride[1] +
                       y * latents->stride[2] + x;
            if (to_tokens)
                *a = *b;
            else
                *b = *a;
        }
}

void reference_patchify(struct device *d, struct tensor *tokens, const struct tensor *latents,
                        const int patch[3])
{
    (void)d;
    move_patches(tokens, latents, patch, true, true);
}

void reference_unpatchify(struct device *d, struct tensor *latents, const struct tensor *tokens,
                          const int patch[3])
{
    (void)d;
    move_patches(tokens, latents, patch, false, false);
}
