/* Convolutions over channels-last frames: by cuDNN where it has the case, else as linear layers.
 *
 * A 3 x 3 kernel over an enlarged frame sees the same pixel twice or more, so each of the four
 * output pixels that an input pixel becomes has a 2 x 2 kernel of its own, of sums of weights: four
 * convolutions over the small frame, at 4/9 of the work, whose results interleave. So it is in time
 * where frames come twice: taps that lie on the same frame are one.
 *
 * cuDNN takes any strides of an input, but of an output and of what is added to it none: it writes
 * as if they were one after another, without a word (9.19 on an H200). Hence frames apart are made
 * one by one, and phases beside the frame that they belong to. */
#include "kernels/cuda/conv.cuh"
#include "kernels/cuda/numbers.cuh"

/* ---- frames as cuDNN wants them: one after another, their edges around them, and enlarged where
 * the kernel has no phases */

struct frames_job {
    void *out;
    const void *x[CONV_MAX_TAPS];
    int64_t frame[CONV_MAX_TAPS]; /* strides between frames */
    int type, scale, top, left, edge;
    bool clip; /* frame d of an item is x[0]'s; else x[d]'s frame of the item */
    int64_t items, depth, height, width, channels, out_height, out_width;
};

static __global__ void __launch_bounds__(256) frames_kernel(const struct frames_job j)
{
    int64_t chunks = j.channels / CHUNK;
    int64_t total = j.items * j.depth * j.out_height * j.out_width * chunks;
    int64_t step = (int64_t)gridDim.x * blockDim.x;

    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < total; i += step) {
        int64_t pixel = divide(i, chunks), channel = (i - pixel * chunks) * CHUNK;
        int64_t line = divide(pixel, j.out_width), x = pixel - line * j.out_width - j.left;
        int64_t frame = divide(line, j.out_height), y = line - frame * j.out_height - j.top;
        int64_t item = divide(frame, j.depth), d = frame - item * j.depth;
        int64_t height = j.height * j.scale, width = j.width * j.scale;
        const void *data = j.clip ? j.x[0] : j.x[d];
        float v[CHUNK] = {};
        if (j.edge == CONV_REPLICATE) {
            y = y < 0 ? 0 : y >= height ? height - 1 : y;
            x = x < 0 ? 0 : x >= width ? width - 1 : x;
        }
        if (data && y >= 0 && x >= 0 && y < height && x < width) {
            int64_t at = j.clip ? d * j.frame[0] : item * j.frame[d];
            if (j.scale == 2) {
                y /= 2;
                x /= 2;
            }
            load_eight(data, j.type, at + (y * j.width + x) * j.channels + channel, v);
        }
        store_eight(j.out, j.type, i * CHUNK, v);
    }
}

/* What one call of cuDNN gets at most: larger ones are cut in time. Frames that are gathered first
 * take scratch memory, and many engines count in 32 bits. */
static const int64_t MOST_NUMBERS = (int64_t)1 << 29;
static const int64_t MOST_BESIDE = (int64_t)1 << 28;

/* How a convolution goes to cuDNN. */
struct passage {
    struct conv_layout layout;
    struct frames_job frames; /* depth: the kernel's, of distinct frames */
    enum conv_sharing sharing;
    bool phased, gathered, padded; /* padded: the edges are part of the frames */
    int64_t first, count;          /* the output frames of this call */
};

/* The frames that the output frames first..first + count - 1 need, as [items, depth, height, width,
 * channels]. data is NULL when memory has run out. */
static struct tensor gather_frames(struct context *c, struct passage *p)
{
    struct frames_job f = p->frames;
    int64_t size = (int64_t)size_of(f.type), shape[5];
    struct tensor x;

    for (int t = 0; t < CONV_MAX_TAPS; t++)
        if (f.x[t])
            f.x[t] = (const char *)f.x[t] + p->first * f.frame[t] * size;
    shape[0] = f.items = f.clip ? 1 : p->count;
    shape[1] = f.depth = f.clip ? p->count + f.depth - 1 : f.depth;
    shape[2] = p->gathered ? f.out_height : f.height;
    shape[3] = p->gathered ? f.out_width : f.width;
    shape[4] = f.channels;
    x = device_tensor((void *)f.x[0], f.type, 5, shape);
    if (!p->gathered) {
        x.stride[f.clip ? 1 : 0] = f.frame[0];
        return x;
    }
    int64_t numbers = shape[0] * x.stride[0];
    x.data = f.out = scratch_take(c, SCRATCH_UNFOLDED, (size_t)(numbers * size));
    if (!f.out)
        return x;
    frames_kernel<<<blocks_for(numbers / CHUNK, 256), 256, 0, c->stream>>>(f);
    if (!launched(c, "a convolution"))
        x.data = NULL;
    return x;
}

/* Frames one after another as [items, depth, height, width, channels] of a call. */
static struct tensor output_frames(const struct passage *p, void *data, int type, int64_t height,
                                   int64_t width, int64_t channels)
{
    int64_t items = p->frames.clip ? 1 : p->count, depth = p->frames.clip ? p->count : 1;
    int64_t shape[5] = {items, depth, height, width, channels};

    return device_tensor(data, type, 5, shape);
}

static struct tensor these_frames(const struct passage *p, const struct tensor *t)
{
    int64_t at = p->first * t->stride[0] * (int64_t)size_of(t->dtype);

    return output_frames(p, (char *)t->data + at, t->dtype, t->shape[1], t->shape[2], t->shape[3]);
}

/* Of an enlarging kernel, for the pixels of one phase. */
static void take_phase(const struct context *c, const struct passage *p, const struct conv *w,
                       int phase, struct conv_call *call)
{
    int at[2] = {phase / 2, phase % 2};

    call->kernel[1] = call->kernel[2] = 2;
    call->weights = conv_phase(c, w, &p->layout, p->sharing, phase);
    for (int i = 0; i < 2; i++) {
        int64_t *size = &call->x.shape[2 + i];
        if (p->padded) {
            call->x.data = (char *)call->x.data +
                           at[i] * call->x.stride[2 + i] * (int64_t)size_of(call->x.dtype);
            *size -= 1;
        } else {
            call->before[1 + i] = 1 - at[i];
            call->after[1 + i] = at[i];
        }
    }
}

static void take_whole(const struct passage *p, const struct conv *w, struct conv_call *call)
{
    const int k[2] = {w->kh, w->kw};

    call->weights = p->layout.wide_out ? (const char *)w->packed + p->layout.wide : w->packed;
    call->stride = w->form.stride;
    for (int i = 0; i < 2; i++) {
        call->kernel[1 + i] = k[i];
        call->before[1 + i] = p->padded || w->form.edge == CONV_ZEROS_AFTER ? 0 : k[i] / 2;
        call->after[1 + i] = p->padded ? 0 : k[i] / 2; /* of k - 1 zeros after, one half is seen */
    }
}

static struct conv_call call_of(const struct passage *p, const struct conv *w,
                                const struct tensor *x)
{
    struct conv_call call = {};

    call.x = *x;
    call.kernel[0] = p->frames.depth;
    call.stride = 1;
    call.bias = p->layout.wide_out && w->bias
                    ? (const float *)((const char *)w->packed + p->layout.wide_bias)
                    : w->bias;
    return call;
}

struct interleave_job {
    void *out;
    const void *x; /* [column][frames, height, width, channels] */
    int type;
    int64_t frames, height, width, channels;
    int64_t frame, line; /* of out: from frame to frame, from line to line that is written */
};

/* The two phases of a line's pixels. */
static __global__ void __launch_bounds__(256) interleave_kernel(const struct interleave_job j)
{
    int64_t chunks = j.channels / CHUNK, lines = j.frames * j.height;
    int64_t phase = lines * j.width * j.channels;

    for (int64_t line = blockIdx.x; line < lines; line += gridDim.x) {
        int64_t frame = divide(line, j.height), y = line - frame * j.height;
        int64_t from = line * j.width * j.channels, to = frame * j.frame + y * j.line;
        for (int64_t i = threadIdx.x; i < 2 * j.width * chunks; i += blockDim.x) {
            int64_t x = divide(i, chunks), channel = (i - x * chunks) * CHUNK;
            uint4 v = *(const uint4 *)((const __half *)j.x + (x & 1) * phase + from +
                                       (x >> 1) * j.channels + channel);
            *(uint4 *)((__half *)j.out + to + i * CHUNK) = v;
        }
    }
}

/* The frames first..first + count - 1, a row of phases at a time. False: as pass_frames(). */
static bool pass_phases(struct context *c, struct passage *p, struct tensor *out,
                        const struct conv *w, const struct tensor *x)
{
    int64_t h = out->shape[1] / 2, width = out->shape[2] / 2, size = (int64_t)size_of(out->dtype);
    int64_t phase = p->count * h * width * w->out;
    char *beside = (char *)scratch_take(c, SCRATCH_CHANNELS, (size_t)(2 * phase * size));
    struct interleave_job j = {};

    j.x = beside;
    j.type = out->dtype;
    j.frames = p->count;
    j.height = h;
    j.width = width;
    j.channels = w->out;
    j.frame = out->stride[0];
    j.line = 2 * out->stride[1];
    for (int i = 0; beside && i < PHASES; i++) {
        struct conv_call call = call_of(p, w, x);
        call.y = output_frames(p, beside + i % 2 * phase * size, out->dtype, h, width, w->out);
        take_phase(c, p, w, i, &call);
        if (!cudnn_conv(c, &call)) {
            if (i > 0 && !c->device->failed)
                c->host.fail(c->device, ERROR_INTERNAL, "cuDNN takes one phase, but not another");
            return false;
        }
        if (i % 2 == 0)
            continue;
        j.out = (char *)out->data + (p->first * out->stride[0] + i / 2 * out->stride[1]) * size;
        interleave_kernel<<<blocks_for(p->count * h, 1), 256, 0, c->stream>>>(j);
        if (!launched(c, "a convolution"))
            return false;
    }
    return beside != NULL;
}

/* The frames first..first + count - 1. False: cuDNN does not take it, and nothing was done. */
static bool pass_frames(struct context *c, struct passage *p, struct tensor *out,
                        const struct conv *w, const struct tensor *residual)
{
    struct tensor x = gather_frames(c, p);
    struct conv_call call = call_of(p, w, &x);

    if (!x.data)
        return false;
    if (p->phased)
        return pass_phases(c, p, out, w, &x);
    call.y = these_frames(p, out);
    if (residual)
        call.add = these_frames(p, residual);
    take_whole(p, w, &call);
    return cudnn_conv(c, &call);
}

/* Some outputs more than are wanted, beside the frames, and of these the first. In halves, whatever
 * `out` is: with F32 outputs cuDNN is three times as slow. */
static bool pass_wide(struct context *c, struct passage *p, struct tensor *out,
                      const struct conv *w, const struct tensor *residual)
{
    int64_t shape[4] = {p->count, out->shape[1], out->shape[2], p->layout.wide_out};
    int type = c->device->activations;
    size_t numbers = (size_t)(shape[0] * shape[1] * shape[2] * shape[3]);
    void *bytes = scratch_take(c, SCRATCH_CHANNELS, numbers * size_of(type));
    struct tensor wide = device_tensor(bytes, type, 4, shape), seen = wide, part = *out, add;

    if (!bytes)
        return false;
    wide.data = (char *)bytes - p->first * wide.stride[0] * (int64_t)size_of(type);
    if (!pass_frames(c, p, &wide, w, NULL))
        return false;
    seen.shape[3] = out->shape[3];
    part.data = (char *)out->data + p->first * out->stride[0] * (int64_t)size_of(out->dtype);
    part.shape[0] = p->count;
    if (residual) {
        add = *residual;
        add.data = (char *)add.data + p->first * add.stride[0] * (int64_t)size_of(add.dtype);
        add.shape[0] = p->count;
        bias_add(c, &part, &seen, NULL, &add);
    } else {
        copy_any(c, &part, &seen);
    }
    return true;
}

/* Cut in time as it must be. */
static bool pass_to_cudnn(struct context *c, struct tensor *out, const struct conv *w,
                          const struct tensor *residual, struct passage *p)
{
    const struct frames_job *f = &p->frames;
    int64_t frames = out->shape[0], in = f->out_height * f->out_width * w->in;
    int64_t made =
        p->layout.wide_out ? out->shape[1] * out->shape[2] * p->layout.wide_out : out->stride[0];
    int64_t most = MOST_NUMBERS / (in > made ? in : made) - (f->clip ? f->depth - 1 : 0);
    bool apart = !follow_on(out) || !follow_on(residual);

    if (!f->clip)
        most /= f->depth;
    if (apart && !p->phased)
        most = 1;
    else if (p->phased) /* of which a half lies beside */
        most = most < MOST_BESIDE / made ? most : MOST_BESIDE / made;
    most = most < 1 ? 1 : most;
    for (p->first = 0; p->first < frames; p->first += p->count) {
        p->count = frames - p->first < most ? frames - p->first : most;
        if (!(p->layout.wide_out ? pass_wide : pass_frames)(c, p, out, w, residual)) {
            if (p->first > 0 && !c->device->failed)
                c->host.fail(c->device, ERROR_INTERNAL,
                             "cuDNN takes %lld frames of a convolution, but not the last %lld",
                             (long long)most, (long long)p->count);
            return c->device->failed;
        }
    }
    return true;
}

/* ---- which way */

/* A pixel's own numbers are its neighbourhood. */
static bool is_linear(const struct conv *w, const struct tensor *out, const struct tensor *x,
                      const struct tensor *residual)
{
    return taps_of(w) == 1 && w->form.scale == 1 && w->form.stride == 1 && w->in % 8 == 0 && x &&
           out->stride[0] == out->shape[1] * out->stride[1] &&
           (!residual || residual->stride[0] == residual->shape[1] * residual->stride[1]);
}

static void convolve_pixels(struct context *c, struct tensor *out, const struct tensor *x,
                            const struct conv *w, const struct tensor *residual)
{
    struct linear layer = linear_of(c, w);
    int64_t pixels = out->shape[0] * out->shape[1] * out->shape[2];
    int64_t to[2] = {pixels, w->out}, from[2] = {pixels, w->in};
    struct tensor y = device_tensor(out->data, out->dtype, 2, to), add;
    struct tensor in = device_tensor(x->data, x->dtype, 2, from);

    if (residual)
        add = device_tensor(residual->data, residual->dtype, 2, to);
    cuda_linear(c->device, &y, &in, &layer, ACT_NONE, residual ? &add : NULL);
}

/* Which taps lie on the same frames; the distinct ones become frames.x. */
static void share_taps(const struct tensor *const *x, const struct conv *w, struct passage *p)
{
    const void *at[CONV_MAX_TAPS] = {};
    bool shared = p->phased && w->kt == 3;
    int distinct = 0;

    for (int t = 0; t < w->kt; t++)
        at[t] = x[t] ? x[t]->data : NULL;
    shared = shared && at[0] && at[1] && at[2];
    bool first = shared && at[0] == at[1], last = shared && at[1] == at[2];
    p->sharing = first && last ? SHARE_ALL : first ? SHARE_FIRST : last ? SHARE_LAST : SHARE_NONE;
    for (int t = 0; t < w->kt; t++) {
        if ((t == 1 && first) || (t == 2 && last))
            continue;
        p->frames.x[distinct] = at[t];
        p->frames.frame[distinct++] = x[t] ? x[t]->stride[0] : 0;
    }
    p->frames.depth = distinct;
}

/* x[i] + 1 frame = x[i + 1], of frames evenly apart: one clip, its past in front. */
static bool is_clip(const struct frames_job *f)
{
    int64_t frame = f->frame[0] * (int64_t)size_of(f->type);

    for (int t = 0; t < f->depth; t++)
        if (!f->x[t] || f->frame[t] != f->frame[0] ||
            (t > 0 && (const char *)f->x[t] != (const char *)f->x[t - 1] + frame))
            return false;
    return true;
}

static bool is_aligned(const struct tensor *t)
{
    return !t || (((uintptr_t)t->data & 15) == 0 && t->stride[0] % CHUNK == 0);
}

static bool by_cudnn(struct context *c, struct tensor *out, const struct tensor *const *x,
                     const struct conv *w, const struct tensor *residual)
{
    struct passage p = {};
    struct frames_job *f = &p.frames;
    const struct tensor *any = NULL;
    bool around = w->form.edge == CONV_REPLICATE && (w->kh > 1 || w->kw > 1);

    for (int t = 0; t < w->kt; t++) {
        any = x[t] ? x[t] : any;
        if (!is_aligned(x[t]))
            return false;
    }
    if (!c->cudnn || !is_half(c) || w->in % 8 || !any)
        return false;
    p.layout = conv_layout_of(c, w);
    if (!p.layout.wide_out && (!is_aligned(out) || !is_aligned(residual)))
        return false;
    p.phased = p.layout.phased && !residual && out->dtype == any->dtype;
    share_taps(x, w, &p);
    f->type = any->dtype;
    f->scale = p.phased ? 1 : w->form.scale;
    f->edge = w->form.edge;
    f->height = any->shape[1];
    f->width = any->shape[2];
    f->channels = w->in;
    f->top = around ? w->kh / 2 : 0;
    f->left = around ? w->kw / 2 : 0;
    f->out_height = f->height * f->scale + 2 * f->top;
    f->out_width = f->width * f->scale + 2 * f->left;
    f->clip = f->depth > 1 && is_clip(f); /* else pictures side by side in the batch */
    p.padded = around || w->form.edge == CONV_GIVEN;
    p.gathered = around || f->scale == 2 || (!f->clip && (f->depth > 1 || !f->x[0]));
    return pass_to_cudnn(c, out, w, residual, &p);
}

void cuda_conv(struct device *d, struct tensor *out, const struct tensor *const *x,
               const struct conv *w, const struct tensor *residual)
{
    struct context *c = context_of(d);

    if (out->shape[0] * out->shape[1] * out->shape[2] == 0)
        return;
    if (is_linear(w, out, x[0], residual))
        convolve_pixels(c, out, x[0], w, residual);
    else if (!by_cudnn(c, out, x, w, residual) && !d->failed)
        unfold_conv(c, out, x, w, residual);
}
