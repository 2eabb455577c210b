#include "kernels/reference/reference.h"

#include <string.h>

const void *reference_conv_pack(struct device *d, struct arena *a, const float *w,
                                const struct conv *shape)
{
    return reference_linear_pack(d, a, w, shape->out,
                                 (int64_t)shape->kt * shape->kh * shape->kw * shape->in);
}

/* The sum over one output pixel's neighbourhood in one frame; weight is at [o][t][0][0][0]. */
static double neighbourhood(const struct tensor *x, const struct conv *w, const float *weight,
                            int64_t y0, int64_t x0)
{
    const float *pixels = x->data;
    int64_t height = x->shape[0] * w->scale, width = x->shape[1] * w->scale;
    double sum = 0;

    for (int ky = 0; ky < w->kh; ky++)
        for (int kx = 0; kx < w->kw; kx++) {
            int64_t py = y0 + ky - w->kh / 2, px = x0 + kx - w->kw / 2;
            if (py < 0 || py >= height || px < 0 || px >= width)
                continue;
            for (int64_t c = 0; c < w->in; c++)
                sum += (double)pixels[(py / w->scale * x->shape[1] + px / w->scale) * w->in + c] *
                       weight[(ky * w->kw + kx) * w->in + c];
        }
    return sum;
}

void reference_conv(struct device *d, struct tensor *out, const struct tensor *const *x,
                    const struct conv *w, const struct tensor *residual)
{
    int64_t frame = (int64_t)w->kh * w->kw * w->in;
    const float *weight = w->packed;
    (void)d;

    for (int64_t i = 0; i < out->shape[0] * out->shape[1]; i++)
        for (int64_t o = 0; o < w->out; o++) {
            int64_t at = i * w->out + o;
            double sum = w->bias ? w->bias[o] : 0;
            for (int t = 0; t < w->kt; t++)
                if (x[t])
                    sum += neighbourhood(x[t], w, weight + (o * w->kt + t) * frame,
                                         i / out->shape[1], i % out->shape[1]);
            if (residual)
                sum += ((float *)residual->data)[at];
            ((float *)out->data)[at] = (float)sum;
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
