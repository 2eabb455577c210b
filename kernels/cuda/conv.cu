/* Convolutions over channels-last frames. Packed: [out, kt, kh, kw, in] in the activation dtype, a
 * row padded to a multiple of 8 numbers, and for halves the bias behind (linear.cu). By cuDNN where
 * it has the case, else each pixel's neighbourhood becomes a row (a block of them at a time) and
 * the convolution a linear layer. */
#include "kernels/cuda/numbers.cuh"

static const int64_t UNFOLDED_BYTES = (int64_t)192 << 20;

static int64_t taps_of(const struct conv *w)
{
    return (int64_t)w->kt * w->kh * w->kw;
}

static int64_t row_of(const struct conv *w)
{
    return (taps_of(w) * w->in + 7) & ~(int64_t)7;
}

/* As linear.cu packs it. */
static struct linear linear_of(const struct context *c, const struct conv *w)
{
    return {row_of(w), w->out, c->device->activations, w->bias, w->packed};
}

const void *cuda_conv_pack(struct device *d, struct arena *a, const struct tensor *weight,
                           const struct conv *shape)
{
    struct context *c = context_of(d);
    int type = d->activations;
    int64_t taps = taps_of(shape), row = row_of(shape), count = shape->out * taps * shape->in;
    size_t bias = ((size_t)(shape->out * row) * size_of(type) + 255) & ~(size_t)255;
    int64_t sizes[3] = {shape->out, taps, shape->in};
    char *packed = (char *)c->host.alloc(a, bias + (size_t)shape->out * sizeof(float));
    char *raw = (char *)scratch_take(c, SCRATCH_UNFOLDED, (size_t)count * size_of(type));

    if (!packed || !raw || !upload_as(c, raw, type, weight))
        return NULL;
    struct tensor from = device_tensor(raw, type, 3, sizes), to = from;
    from.stride[0] = taps * shape->in;
    from.stride[1] = 1;
    from.stride[2] = taps;
    to.data = packed;
    to.stride[0] = row;
    copy_any(c, &to, &from);
    if (shape->bias && is_half(c)) {
        struct tensor b = device_tensor((void *)shape->bias, DTYPE_F32, 1, &shape->out);
        struct tensor half = device_tensor(packed + bias, type, 1, &shape->out);
        copy_any(c, &half, &b);
    }
    return d->failed ? NULL : packed;
}

/* ---- neighbourhoods as rows */

struct unfold_job {
    void *out;
    const void *x[CONV_MAX_TAPS];
    int64_t frame[CONV_MAX_TAPS]; /* strides between frames */
    int type, kt, kh, kw, scale, stride, edge, top, left;
    int64_t in, height, width; /* of the input */
    int64_t out_height, out_width;
    int64_t first, pixels, row; /* the output pixels first..first + pixels - 1 */
    bool whole;                 /* a chunk lies within one tap, aligned */
};

/* Where a number of the neighbourhood lies; false: outside. */
static __device__ __forceinline__ bool locate(const struct unfold_job &j, int64_t frame, int64_t y,
                                              int64_t x, int tap, const void **data, int64_t *at)
{
    int kx = tap % j.kw, ky = tap / j.kw % j.kh, t = tap / (j.kw * j.kh);
    int64_t height = j.height * j.scale, width = j.width * j.scale;

    y = y * j.stride + ky - j.top;
    x = x * j.stride + kx - j.left;
    if (j.edge == CONV_REPLICATE) {
        y = y < 0 ? 0 : y >= height ? height - 1 : y;
        x = x < 0 ? 0 : x >= width ? width - 1 : x;
    }
    if (t >= j.kt || !j.x[t] || y < 0 || x < 0 || y >= height || x >= width)
        return false;
    if (j.scale == 2) {
        y /= 2;
        x /= 2;
    }
    *data = j.x[t];
    *at = frame * j.frame[t] + (y * j.width + x) * j.in;
    return true;
}

static __global__ void __launch_bounds__(256) unfold_kernel(const struct unfold_job j)
{
    int64_t chunks = j.row / CHUNK, total = j.pixels * chunks;
    int64_t step = (int64_t)gridDim.x * blockDim.x;

    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < total; i += step) {
        int64_t pixel = divide(i, chunks), first = (i - pixel * chunks) * CHUNK;
        int64_t global = j.first + pixel;
        int64_t line = divide(global, j.out_width), x = global - line * j.out_width;
        int64_t frame = divide(line, j.out_height), y = line - frame * j.out_height;
        const void *data;
        int64_t at;
        float v[CHUNK] = {};
        if (j.whole) {
            int tap = (int)divide(first, j.in);
            if (locate(j, frame, y, x, tap, &data, &at))
                load_eight(data, j.type, at + first - tap * j.in, v);
        } else {
            for (int k = 0; k < CHUNK; k++) {
                int tap = (int)divide(first + k, j.in);
                if (locate(j, frame, y, x, tap, &data, &at))
                    v[k] = load_one(data, j.type, at + first + k - tap * j.in);
            }
        }
        store_eight(j.out, j.type, pixel * j.row + first, v);
    }
}

static struct tensor rows_view(const struct tensor *t, int64_t first, int64_t rows)
{
    int64_t columns = t->shape[t->rank - 1], shape[2] = {rows, columns};
    return device_tensor((char *)t->data + (size_t)(first * columns) * size_of(t->dtype), t->dtype,
                         2, shape);
}

static void unfold_and_multiply(struct context *c, struct tensor *out, struct unfold_job *j,
                                const struct conv *w, const struct tensor *residual)
{
    struct linear layer = linear_of(c, w);
    int64_t pixels = out->shape[0] * out->shape[1] * out->shape[2];
    int64_t at_once = UNFOLDED_BYTES / (j->row * (int64_t)size_of(j->type));

    at_once = at_once < 1 ? 1 : at_once > pixels ? pixels : at_once;
    j->out = scratch_take(c, SCRATCH_UNFOLDED, (size_t)(at_once * j->row) * size_of(j->type));
    if (!j->out)
        return;
    for (j->first = 0; j->first < pixels && !c->device->failed; j->first += at_once) {
        j->pixels = pixels - j->first < at_once ? pixels - j->first : at_once;
        unfold_kernel<<<blocks_for(j->pixels * j->row / CHUNK, 256), 256, 0, c->stream>>>(*j);
        if (!launched(c, "a convolution"))
            return;
        int64_t shape[2] = {j->pixels, j->row};
        struct tensor x = device_tensor(j->out, j->type, 2, shape);
        struct tensor to = rows_view(out, j->first, j->pixels), add;
        if (residual)
            add = rows_view(residual, j->first, j->pixels);
        cuda_linear(c->device, &to, &x, &layer, ACT_NONE, residual ? &add : NULL);
    }
}

/* ---- frames as cuDNN wants them: one after another, enlarged, their edges around them */

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

/* How a convolution goes to cuDNN. */
struct passage {
    struct frames_job frames;
    bool gathered, padded;
    int64_t first, count; /* the output frames of this call */
};

/* The frames that the output frames first..first + count - 1 need. */
static bool gather_frames(struct context *c, struct passage *p, struct conv_input *x)
{
    struct frames_job f = p->frames;
    int64_t size = (int64_t)size_of(f.type), pixels;

    for (int t = 0; t < CONV_MAX_TAPS; t++)
        if (f.x[t])
            f.x[t] = (const char *)f.x[t] + p->first * f.frame[t] * size;
    f.items = f.clip ? 1 : p->count;
    f.depth = f.clip ? p->count + f.depth - 1 : f.depth;
    *x = {f.x[0], f.items, f.depth, f.height, f.width, p->padded};
    if (!p->gathered)
        return true;
    pixels = f.items * f.depth * f.out_height * f.out_width;
    f.out = scratch_take(c, SCRATCH_UNFOLDED, (size_t)(pixels * f.channels * size));
    if (!f.out)
        return false;
    frames_kernel<<<blocks_for(pixels * f.channels / CHUNK, 256), 256, 0, c->stream>>>(f);
    *x = {f.out, f.items, f.depth, f.out_height, f.out_width, p->padded};
    return launched(c, "a convolution");
}

static struct tensor some_frames(const struct tensor *t, int64_t first, int64_t count)
{
    struct tensor part = *t;
    part.data = (char *)t->data + first * t->stride[0] * (int64_t)size_of(t->dtype);
    part.shape[0] = count;
    return part;
}

/* False: cuDNN does not take it, and nothing has been written that stays. */
static bool pass_to_cudnn(struct context *c, struct tensor *out, const struct conv *w,
                          const struct tensor *residual, struct passage *p)
{
    const struct frames_job *f = &p->frames;
    int64_t frames = out->shape[0], in = f->out_height * f->out_width * w->in;
    int64_t made = out->shape[1] * out->shape[2] * w->out;
    int64_t most = MOST_NUMBERS / (in > made ? in : made) - (f->clip ? w->kt - 1 : 0);

    if (!f->clip)
        most /= w->kt;
    most = most < 1 ? 1 : most;
    for (p->first = 0; p->first < frames; p->first += p->count) {
        struct conv_input x;
        p->count = frames - p->first < most ? frames - p->first : most;
        struct tensor to = some_frames(out, p->first, p->count), add = {};
        if (residual)
            add = some_frames(residual, p->first, p->count);
        if (!gather_frames(c, p, &x) || !cudnn_conv(c, &to, &x, w, residual ? &add : NULL)) {
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
static bool is_linear(const struct conv *w, const struct tensor *x)
{
    return taps_of(w) == 1 && w->form.scale == 1 && w->form.stride == 1 && w->in % 8 == 0 && x;
}

/* x[i] + 1 frame = x[i + 1]: one clip, its past in front. */
static bool is_clip(const struct tensor *const *x, const struct conv *w)
{
    for (int t = 0; t < w->kt; t++) {
        if (!x[t])
            return false;
        size_t frame = (size_t)(x[t]->shape[1] * x[t]->shape[2] * w->in) * size_of(x[t]->dtype);
        if (t > 0 && (char *)x[t]->data != (char *)x[t - 1]->data + frame)
            return false;
    }
    return true;
}

static bool by_cudnn(struct context *c, struct tensor *out, const struct conv *w,
                     const struct tensor *residual, const struct unfold_job *j, bool clip)
{
    struct passage p = {};
    struct frames_job *f = &p.frames;
    bool around = j->edge == CONV_REPLICATE && (w->kh > 1 || w->kw > 1);

    if (!c->cudnn || !is_half(c) || !j->whole || w->out % 8)
        return false;
    f->type = j->type;
    f->scale = j->scale;
    f->edge = j->edge;
    f->clip = clip;
    p.gathered = around || j->scale == 2 || (!clip && w->kt > 1);
    p.padded = around;
    f->top = around ? j->top : 0;
    f->left = around ? j->left : 0;
    f->height = j->height;
    f->width = j->width;
    f->channels = w->in;
    f->out_height = j->height * j->scale + 2 * f->top;
    f->out_width = j->width * j->scale + 2 * f->left;
    f->depth = w->kt;
    if (w->kt == 1) /* pictures side by side in the batch */
        f->clip = false;
    for (int t = 0; t < w->kt; t++) {
        f->x[t] = j->x[t];
        f->frame[t] = j->frame[t];
    }
    return pass_to_cudnn(c, out, w, residual, &p);
}

void cuda_conv(struct device *d, struct tensor *out, const struct tensor *const *x,
               const struct conv *w, const struct tensor *residual)
{
    struct context *c = context_of(d);
    struct unfold_job j = {};
    const struct tensor *any = NULL;

    if (out->shape[0] * out->shape[1] * out->shape[2] == 0)
        return;
    if (is_linear(w, x[0])) {
        struct linear layer = linear_of(c, w);
        int64_t pixels = out->shape[0] * out->shape[1] * out->shape[2];
        struct tensor to = rows_view(out, 0, pixels), from = rows_view(x[0], 0, pixels), add;
        if (residual)
            add = rows_view(residual, 0, pixels);
        cuda_linear(d, &to, &from, &layer, ACT_NONE, residual ? &add : NULL);
        return;
    }
    j.type = d->activations;
    j.kt = w->kt;
    j.kh = w->kh;
    j.kw = w->kw;
    j.scale = w->form.scale;
    j.stride = w->form.stride;
    j.edge = w->form.edge;
    j.top = j.edge == CONV_ZEROS_AFTER ? 0 : w->kh / 2;
    j.left = j.edge == CONV_ZEROS_AFTER ? 0 : w->kw / 2;
    j.in = w->in;
    j.row = row_of(w);
    j.out_height = out->shape[1];
    j.out_width = out->shape[2];
    j.whole = w->in % CHUNK == 0;
    for (int t = 0; t < w->kt; t++)
        if (x[t]) {
            any = x[t];
            j.x[t] = x[t]->data;
            j.frame[t] = x[t]->stride[0];
            j.whole = j.whole && ((uintptr_t)x[t]->data & 15) == 0 && x[t]->stride[0] % CHUNK == 0;
        }
    j.height = any ? any->shape[1] : 1;
    j.width = any ? any->shape[2] : 1;
    if (any && (by_cudnn(c, out, w, residual, &j, is_clip(x, w)) || d->failed))
        return;
    unfold_and_multiply(c, out, &j, w, residual);
}
