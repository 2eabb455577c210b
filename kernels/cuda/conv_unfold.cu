/* Convolutions as linear layers: each pixel's neighbourhood becomes a row, a block of them at a
 * time. For F32, and for what cuDNN does not take. */
#include "kernels/cuda/conv.cuh"
#include "kernels/cuda/numbers.cuh"

static const int64_t UNFOLDED_BYTES = (int64_t)192 << 20;

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

/* out's pixels lie one after another. */
static void multiply(struct context *c, struct tensor *out, struct unfold_job *j,
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

static struct tensor one_frame(const struct tensor *t, int64_t n)
{
    struct tensor part = *t;
    part.data = (char *)t->data + n * t->stride[0] * (int64_t)size_of(t->dtype);
    part.shape[0] = 1;
    return part;
}

static struct unfold_job job_of(const struct context *c, const struct tensor *out,
                                const struct tensor *const *x, const struct conv *w)
{
    struct unfold_job j = {};
    bool before = w->form.edge != CONV_ZEROS_AFTER && w->form.edge != CONV_GIVEN;

    j.type = c->device->activations;
    j.kt = w->kt;
    j.kh = w->kh;
    j.kw = w->kw;
    j.scale = w->form.scale;
    j.stride = w->form.stride;
    j.edge = w->form.edge;
    j.top = before ? w->kh / 2 : 0;
    j.left = before ? w->kw / 2 : 0;
    j.in = w->in;
    j.row = linear_of(c, w).in;
    j.out_height = out->shape[1];
    j.out_width = out->shape[2];
    j.whole = w->in % CHUNK == 0;
    j.height = j.width = 1;
    for (int t = 0; t < w->kt; t++)
        if (x[t]) {
            j.height = x[t]->shape[1];
            j.width = x[t]->shape[2];
            j.x[t] = x[t]->data;
            j.frame[t] = x[t]->stride[0];
            j.whole = j.whole && ((uintptr_t)x[t]->data & 15) == 0 && x[t]->stride[0] % CHUNK == 0;
        }
    return j;
}

void unfold_conv(struct context *c, struct tensor *out, const struct tensor *const *x,
                 const struct conv *w, const struct tensor *residual)
{
    struct unfold_job j = job_of(c, out, x, w);

    if (follow_on(out) && follow_on(residual)) {
        multiply(c, out, &j, w, residual);
        return;
    }
    for (int64_t n = 0; n < out->shape[0]; n++) {
        struct unfold_job one = j;
        struct tensor to = one_frame(out, n), add = residual ? one_frame(residual, n) : to;
        for (int t = 0; t < w->kt; t++)
            if (one.x[t])
                one.x[t] = (const char *)one.x[t] + n * one.frame[t] * (int64_t)size_of(one.type);
        multiply(c, &to, &one, w, residual ? &add : NULL);
    }
}
