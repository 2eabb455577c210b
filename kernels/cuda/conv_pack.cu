/* Weights of convolutions as the device wants them. */
#include "kernels/cuda/conv.cuh"
#include "kernels/cuda/numbers.cuh"

static size_t aligned(size_t n)
{
    return (n + 255) & ~(size_t)255;
}

/* Frame of the input that tap t in time lies on. */
static __host__ __device__ int tap_frame(enum conv_sharing sharing, int t)
{
    return sharing == SHARE_NONE    ? t
           : sharing == SHARE_FIRST ? t / 2
           : sharing == SHARE_LAST  ? (t + 1) / 2
                                    : 0;
}

struct conv_layout conv_layout_of(const struct context *c, const struct conv *w)
{
    static const int distinct[SHARINGS] = {3, 2, 2, 1};
    size_t size = size_of(c->device->activations);
    bool vendor = is_half(c) && w->in % 8 == 0;
    struct conv_layout l = {};

    l.row = linear_of(c, w).in;
    l.bias = aligned((size_t)(w->out * l.row) * size);
    l.size = aligned(l.bias + (size_t)w->out * sizeof(float));
    if (vendor && w->out % 8 != 0) {
        l.wide_out = (w->out + 7) & ~(int64_t)7;
        l.wide = l.size;
        l.wide_bias = aligned(l.wide + (size_t)(l.wide_out * l.row) * size);
        l.size = aligned(l.wide_bias + (size_t)l.wide_out * sizeof(float));
    }
    l.phased = vendor && w->out % 8 == 0 && w->form.scale == 2 && w->kh == 3 && w->kw == 3;
    for (int s = 0; l.phased && s < SHARINGS; s++) {
        l.frames[s] = w->kt == 3 ? distinct[s] : s == SHARE_NONE ? w->kt : 0;
        l.phases[s] = l.size;
        l.size += aligned((size_t)(PHASES * w->out * l.frames[s] * 4 * w->in) * size);
    }
    return l;
}

const void *conv_phase(const struct context *c, const struct conv *w, const struct conv_layout *l,
                       enum conv_sharing sharing, int phase)
{
    int64_t count = w->out * l->frames[sharing] * 4 * w->in;

    return (const char *)w->packed + l->phases[sharing] +
           (size_t)(phase * count) * size_of(c->device->activations);
}

/* ---- sums of weights */

struct phase_job {
    void *to;
    const void *from; /* [out, kt, 3, 3, in] */
    int type, kt, frames, phase;
    enum conv_sharing sharing;
    int64_t in, count;
};

/* Row or column `at` of a 3-kernel falls on this one of the 2-kernel of a phase. */
static __device__ int phase_tap(int phase, int at)
{
    return (at + 1 + phase) / 2 - phase;
}

static __global__ void __launch_bounds__(256) phase_kernel(const struct phase_job j)
{
    int64_t step = (int64_t)gridDim.x * blockDim.x;

    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < j.count; i += step) {
        int64_t tap = i / j.in, channel = i - tap * j.in, out = tap / (4 * j.frames);
        int column = (int)(tap % 2), row = (int)(tap / 2 % 2), frame = (int)(tap / 4 % j.frames);
        float sum = 0;
        for (int t = 0; t < j.kt; t++)
            for (int k = 0; k < 9; k++)
                if (tap_frame(j.sharing, t) == frame && phase_tap(j.phase / 2, k / 3) == row &&
                    phase_tap(j.phase % 2, k % 3) == column)
                    sum += load_one(j.from, j.type, ((out * j.kt + t) * 9 + k) * j.in + channel);
        store_one(j.to, j.type, i, sum);
    }
}

static void pack_phases(struct context *c, const struct conv *w, const struct conv_layout *l)
{
    for (int s = 0; s < SHARINGS; s++)
        for (int phase = 0; l->frames[s] > 0 && phase < PHASES; phase++) {
            struct phase_job j = {};
            j.to = (void *)conv_phase(c, w, l, (enum conv_sharing)s, phase);
            j.from = w->packed;
            j.type = c->device->activations;
            j.kt = w->kt;
            j.frames = l->frames[s];
            j.phase = phase;
            j.sharing = (enum conv_sharing)s;
            j.in = w->in;
            j.count = w->out * j.frames * 4 * w->in;
            phase_kernel<<<blocks_for(j.count, 256), 256, 0, c->stream>>>(j);
            launched(c, "packing a convolution");
        }
}

static void pack_wide(struct context *c, const struct conv *w, const struct conv_layout *l)
{
    char *packed = (char *)w->packed;
    size_t row = (size_t)l->row * size_of(c->device->activations);

    cuda_ok(c, cudaMemsetAsync(packed + l->wide, 0, l->size - l->wide, c->stream), "clearing");
    cuda_ok(c,
            cudaMemcpyAsync(packed + l->wide, packed, (size_t)w->out * row,
                            cudaMemcpyDeviceToDevice, c->stream),
            "copying");
    if (w->bias)
        cuda_ok(c,
                cudaMemcpyAsync(packed + l->wide_bias, w->bias, (size_t)w->out * sizeof(float),
                                cudaMemcpyDeviceToDevice, c->stream),
                "copying");
}

const void *cuda_conv_pack(struct device *d, struct arena *a, const struct tensor *weight,
                           const struct conv *shape)
{
    struct context *c = context_of(d);
    struct conv_layout l = conv_layout_of(c, shape);
    struct conv made = *shape;
    int type = d->activations;
    int64_t taps = taps_of(shape), sizes[3] = {shape->out, taps, shape->in};
    size_t count = (size_t)(shape->out * taps * shape->in);
    char *packed = (char *)c->host.alloc(a, l.size);
    char *raw = (char *)scratch_take(c, SCRATCH_UNFOLDED, count * size_of(type));

    if (!packed || !raw || !upload_as(c, raw, type, weight))
        return NULL;
    struct tensor from = device_tensor(raw, type, 3, sizes), to = from;
    from.stride[0] = taps * shape->in;
    from.stride[1] = 1;
    from.stride[2] = taps;
    to.data = packed;
    to.stride[0] = l.row;
    copy_any(c, &to, &from);
    if (shape->bias && is_half(c)) {
        struct tensor b = device_tensor((void *)shape->bias, DTYPE_F32, 1, &shape->out);
        struct tensor half = device_tensor(packed + l.bias, type, 1, &shape->out);
        copy_any(c, &half, &b);
    }
    made.packed = packed;
    if (l.wide_out)
        pack_wide(c, &made, &l);
    if (l.phased)
        pack_phases(c, &made, &l);
    return d->failed ? NULL : packed;
}
