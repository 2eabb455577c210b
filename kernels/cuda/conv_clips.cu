/* Convolutions along time alone, of whole clips: frames are the lines of one picture, whose columns
 * are their pixels, and zeros before the first and after the last are cuDNN's own padding. So each
 * clip is read once and written once, in one call for all of them. */
#include "kernels/cuda/conv.cuh"

/* Many engines count in 32 bits. */
static const int64_t MOST_NUMBERS = (int64_t)1 << 30;

static bool lies_well(const struct tensor *t)
{
    return !t || ((uintptr_t)t->data & 15) == 0;
}

/* Clips from..from + count - 1 as [clips, 1, frames, pixels, channels]. */
static struct tensor as_lines(const struct tensor *t, int64_t from, int64_t count)
{
    int64_t shape[5] = {count, 1, t->shape[1], t->shape[2] * t->shape[3], t->shape[4]};
    int64_t at = from * t->stride[0] * (int64_t)size_of(t->dtype);

    return device_tensor((char *)t->data + at, t->dtype, 5, shape);
}

bool cuda_conv_clips(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct conv *w, const struct tensor *residual)
{
    struct context *c = context_of(d);
    int64_t clips = x->shape[0], wide = w->in > w->out ? w->in : w->out, count;
    int64_t most = MOST_NUMBERS / (x->shape[1] * x->shape[2] * x->shape[3] * wide);

    if (!c->cudnn || !is_half(c) || w->in % 8 || w->out % 8 || w->kh != 1 || w->kw != 1 ||
        w->form.scale != 1 || w->form.stride != 1 || out->dtype != x->dtype || most < 1 ||
        !lies_well(x) || !lies_well(out) || !lies_well(residual))
        return false;
    for (int64_t from = 0; from < clips; from += count) {
        struct conv_call call = {};
        count = clips - from < most ? clips - from : most;
        call.x = as_lines(x, from, count);
        call.y = as_lines(out, from, count);
        if (residual)
            call.add = as_lines(residual, from, count);
        call.kernel[0] = call.kernel[2] = call.stride = 1;
        call.kernel[1] = w->kt;
        call.before[1] = call.after[1] = w->kt / 2;
        call.weights = w->packed;
        call.bias = w->bias;
        if (cudnn_conv(c, &call))
            continue;
        if (from > 0 && !d->failed)
            c->host.fail(d, ERROR_INTERNAL, "cuDNN takes %lld clips, but not the last %lld",
                         (long long)most, (long long)count);
        return d->failed;
    }
    return true;
}
