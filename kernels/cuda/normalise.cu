/* Normed, scaled and shifted by what lies beneath, activated, and written with a border around each
 * frame: one pass over the input of a convolution. A block goes along lines of frames; a thread
 * keeps one chunk of channels, so that what belongs to channels stays in registers. */
#include "kernels/cuda/halves.cuh"

enum { THREADS = 256, AT_ONCE = 4 }; /* pixels that a thread has on their way together */

struct normalise_job {
    void *out;
    const void *x, *scale, *shift; /* scale, shift: NULL for none */
    int out_type, x_type, nearest_type, act, border;
    int64_t frames, height, width, channels, run; /* run: frames of one row of affine */
    int64_t x_frame;                              /* from one to the next */
    int64_t rows, columns;                        /* of scale and shift */
    const float *affine;
    bool aligned;
};

/* One pixel's chunk, and whatever of the border repeats it. `to` is where the pixel itself goes. */
static __device__ __forceinline__ void store_around(const struct normalise_job &j, int64_t to,
                                                    int n, int64_t y, int64_t x, const float *v)
{
    int64_t pitch = (j.width + 2 * j.border) * j.channels;
    int up = y == 0 ? j.border : 0, down = y == j.height - 1 ? j.border : 0;
    int left = x == 0 ? j.border : 0, right = x == j.width - 1 ? j.border : 0;

    for (int dy = -up; dy <= down; dy++)
        for (int dx = -left; dx <= right; dx++)
            store_chunk(j.out, j.out_type, to + dy * pitch + dx * j.channels, n, j.aligned, v);
}

template <bool NEAREST, bool SILU>
static __device__ __forceinline__ void finish(const struct normalise_job &j, float *v,
                                              const float *mean, const float *scale,
                                              const float *shift, int64_t under, int n)
{
    float a[CHUNK], b[CHUNK];

    if (NEAREST) {
        load_chunk(j.scale, j.nearest_type, under, n, j.aligned, a);
        load_chunk(j.shift, j.nearest_type, under, n, j.aligned, b);
    }
#pragma unroll
    for (int k = 0; k < CHUNK; k++) {
        v[k] = (v[k] - mean[k]) * scale[k] + shift[k];
        if (NEAREST)
            v[k] = v[k] * a[k] + b[k];
        if (SILU)
            v[k] = gated(v[k], 1.0f);
    }
}

template <bool NEAREST, bool SILU>
static __global__ void __launch_bounds__(THREADS) normalise_kernel(const struct normalise_job j)
{
    int chunks = (int)((j.channels + CHUNK - 1) / CHUNK),
        wide = chunks < THREADS ? chunks : THREADS;
    int step = THREADS / wide, first = (int)threadIdx.x / wide;
    int64_t lines = j.frames * j.height;

    if (first >= step)
        return;
    for (int chunk = (int)threadIdx.x % wide; chunk < chunks; chunk += wide) {
        int64_t column = (int64_t)chunk * CHUNK, held = -1;
        int n = (int)(j.channels - column < CHUNK ? j.channels - column : CHUNK);
        float mean[CHUNK], scale[CHUNK], shift[CHUNK];
        for (int64_t line = blockIdx.x; line < lines; line += gridDim.x) {
            int64_t frame = divide(line, j.height), y = line - frame * j.height;
            int64_t run = divide(frame, j.run);
            int64_t from = frame * j.x_frame + y * j.width * j.channels + column;
            int64_t pitch = j.width + 2 * j.border, above = frame * 2 * j.border + j.border;
            int64_t to = ((line + above) * pitch + j.border) * j.channels + column;
            int64_t under = 0, across = 1;
            if (run != held) {
                const float *affine = j.affine + run * 3 * j.channels;
                load_chunk(affine, DTYPE_F32, column, n, false, mean);
                load_chunk(affine, DTYPE_F32, j.channels + column, n, false, scale);
                load_chunk(affine, DTYPE_F32, 2 * j.channels + column, n, false, shift);
                held = run;
            }
            if (NEAREST) {
                int64_t row = divide(y, divide(j.height, j.rows));
                under = (frame * j.rows + row) * j.columns * j.channels + column;
                across = divide(j.width, j.columns);
            }
            for (int64_t x = first; x < j.width; x += step * AT_ONCE) {
                float v[AT_ONCE][CHUNK];
#pragma unroll
                for (int i = 0; i < AT_ONCE; i++)
                    if (x + i * step < j.width)
                        load_chunk(j.x, j.x_type, from + (x + i * step) * j.channels, n, j.aligned,
                                   v[i]);
#pragma unroll
                for (int i = 0; i < AT_ONCE; i++) {
                    int64_t at = x + i * step;
                    if (at >= j.width)
                        break;
                    finish<NEAREST, SILU>(j, v[i], mean, scale, shift,
                                          NEAREST ? under + divide(at, across) * j.channels : 0, n);
                    store_around(j, to + at * j.channels, n, y, at, v[i]);
                }
            }
        }
    }
}

/* ---- halves throughout, as activations are */

/* What belongs to a chunk of channels: (v - mean) * scale + shift as v * scale + shift. */
static __device__ __forceinline__ void fold(const float *affine, int64_t channels, float *scale,
                                            float *shift)
{
#pragma unroll
    for (int k = 0; k < CHUNK; k++) {
        scale[k] = affine[channels + k];
        shift[k] = affine[2 * channels + k] - affine[k] * scale[k];
    }
}

/* a, b: what lies beneath the chunk. */
template <typename T, bool NEAREST, bool SILU>
static __device__ __forceinline__ uint4 finish_halves(uint4 raw, const float *scale,
                                                      const float *shift, const uint4 *a,
                                                      const uint4 *b)
{
    float v[CHUNK], p[CHUNK], q[CHUNK];

    unpack(raw, v, (const T *)NULL);
    if (NEAREST) {
        unpack(*a, p, (const T *)NULL);
        unpack(*b, q, (const T *)NULL);
    }
#pragma unroll
    for (int k = 0; k < CHUNK; k++) {
        v[k] = v[k] * scale[k] + shift[k];
        if (NEAREST)
            v[k] = v[k] * p[k] + q[k];
        if (SILU)
            v[k] = gated(v[k], 1.0f);
    }
    return packed(v, (const T *)NULL);
}

/* The pixel at `at` of line y, and whatever of the border repeats it. */
static __device__ __forceinline__ void repeat(const struct normalise_job &j, uint4 *line,
                                              unsigned at, unsigned y, unsigned pitch,
                                              unsigned chunks, uint4 done)
{
    int up = y == 0 ? j.border : 0, down = y + 1 == (unsigned)j.height ? j.border : 0;
    int left = at == 0 ? j.border : 0, right = at + 1 == (unsigned)j.width ? j.border : 0;

    for (int dy = -up; dy <= down; dy++)
        for (int dx = -left; dx <= right; dx++)
            line[(int64_t)dy * pitch + ((int)at + dx) * (int)chunks] = done;
}

template <typename T, bool NEAREST, bool SILU>
static __global__ void __launch_bounds__(THREADS) fast_kernel(const struct normalise_job j)
{
    unsigned chunks = (unsigned)(j.channels / CHUNK), step = THREADS / chunks;
    unsigned first = threadIdx.x / chunks, chunk = threadIdx.x - first * chunks;
    unsigned width = (unsigned)j.width, lines = (unsigned)(j.frames * j.height);
    const uint4 *all = (const uint4 *)j.x;
    uint4 *made = (uint4 *)j.out;
    float scale[CHUNK], shift[CHUNK];
    int64_t held = -1;

    if (first >= step)
        return;
    for (unsigned line = blockIdx.x; line < lines; line += gridDim.x) {
        unsigned frame = line / (unsigned)j.height, y = line - frame * (unsigned)j.height;
        unsigned run = frame / (unsigned)j.run, pitch = (width + 2 * j.border) * chunks;
        const uint4 *from =
            all + (frame * j.x_frame + (int64_t)y * width * j.channels) / CHUNK + chunk;
        uint4 *to =
            made + ((int64_t)line + (2 * frame + 1) * j.border) * pitch + j.border * chunks + chunk;
        const uint4 *a = NULL, *b = NULL;
        unsigned across = 1;
        bool edge = j.border > 0 && (y == 0 || y + 1 == (unsigned)j.height);
        if (run != held)
            fold(j.affine + run * 3 * j.channels + chunk * CHUNK, j.channels, scale, shift);
        held = run;
        if (NEAREST) {
            unsigned row = y / ((unsigned)j.height / (unsigned)j.rows);
            int64_t under =
                ((int64_t)(frame * (unsigned)j.rows + row) * j.columns) * chunks + chunk;
            a = (const uint4 *)j.scale + under;
            b = (const uint4 *)j.shift + under;
            across = width / (unsigned)j.columns;
        }
        for (unsigned x = first; x < width; x += step * AT_ONCE) {
            uint4 raw[AT_ONCE];
#pragma unroll
            for (int i = 0; i < AT_ONCE; i++)
                if (x + i * step < width)
                    raw[i] = from[(x + i * step) * chunks];
#pragma unroll
            for (int i = 0; i < AT_ONCE; i++) {
                unsigned at = x + i * step;
                if (at >= width)
                    break;
                unsigned under = NEAREST ? at / across * chunks : 0;
                uint4 done =
                    finish_halves<T, NEAREST, SILU>(raw[i], scale, shift, a + under, b + under);
                to[at * chunks] = done;
                if (j.border > 0 && (edge || at == 0 || at + 1 == width))
                    repeat(j, to, at, y, pitch, chunks, done);
            }
        }
    }
}

template <typename T>
static void launch_fast(cudaStream_t stream, const struct normalise_job &j, unsigned blocks,
                        bool silu)
{
    if (j.scale && silu)
        fast_kernel<T, true, true><<<blocks, THREADS, 0, stream>>>(j);
    else if (j.scale)
        fast_kernel<T, true, false><<<blocks, THREADS, 0, stream>>>(j);
    else if (silu)
        fast_kernel<T, false, true><<<blocks, THREADS, 0, stream>>>(j);
    else
        fast_kernel<T, false, false><<<blocks, THREADS, 0, stream>>>(j);
}

/* Counted in 32 bits: a line, and the lines. */
static bool is_fast(const struct normalise_job &j, const struct tensor *out, const struct tensor *x,
                    const struct normalise_form *form)
{
    return j.aligned && is_halves(x) && is_halves(out) && x->dtype == out->dtype &&
           (!form->scale || form->scale->dtype == x->dtype) && j.channels / CHUNK <= THREADS &&
           (j.width + 2 * j.border) * j.channels < (int64_t)1 << 31 &&
           j.frames * j.height < (int64_t)1 << 31;
}

void cuda_normalise(struct device *d, struct tensor *out, const struct tensor *x,
                    const struct tensor *affine, const struct normalise_form *form)
{
    struct context *c = context_of(d);
    struct normalise_job j = {};
    uintptr_t all = (uintptr_t)x->data | (uintptr_t)out->data;
    bool silu = form->act == ACT_SILU;

    j.out = out->data;
    j.x = x->data;
    j.out_type = out->dtype;
    j.x_type = x->dtype;
    j.act = form->act;
    j.border = form->border;
    j.frames = x->shape[0];
    j.height = x->shape[1];
    j.width = x->shape[2];
    j.channels = x->shape[3];
    j.x_frame = x->stride[0];
    j.run = x->shape[0] / affine->shape[0];
    j.affine = (const float *)affine->data;
    if (form->scale) {
        j.scale = form->scale->data;
        j.shift = form->shift->data;
        j.nearest_type = form->scale->dtype;
        j.rows = form->scale->shape[1];
        j.columns = form->scale->shape[2];
        all |= (uintptr_t)j.scale | (uintptr_t)j.shift;
    }
    j.aligned = j.channels % CHUNK == 0 && j.x_frame % CHUNK == 0 && (all & 15) == 0;
    int64_t lines = j.frames * j.height;
    unsigned blocks = (unsigned)(lines < 132 * 16 ? lines : 132 * 16);
    if (is_fast(j, out, x, form)) {
        if (x->dtype == DTYPE_F16)
            launch_fast<__half>(c->stream, j, blocks, silu);
        else
            launch_fast<__nv_bfloat16>(c->stream, j, blocks, silu);
    } else if (form->scale && silu)
        normalise_kernel<true, true><<<blocks, THREADS, 0, c->stream>>>(j);
    else if (form->scale)
        normalise_kernel<true, false><<<blocks, THREADS, 0, c->stream>>>(j);
    else if (silu)
        normalise_kernel<false, true><<<blocks, THREADS, 0, c->stream>>>(j);
    else
        normalise_kernel<false, false><<<blocks, THREADS, 0, c->stream>>>(j);
    launched(c, "normalise");
}
