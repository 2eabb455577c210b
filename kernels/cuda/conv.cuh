/* Convolutions from inside: how their weights are packed, and what one call of cuDNN is told. */
#ifndef AUTEUR_KERNELS_CUDA_CONV_CUH
#define AUTEUR_KERNELS_CUDA_CONV_CUH

#include "kernels/cuda/cuda.cuh"

/* Which of three taps in time lie on the same frame, and so are one. */
enum conv_sharing { SHARE_NONE, SHARE_FIRST, SHARE_LAST, SHARE_ALL, SHARINGS };
enum { PHASES = 4 }; /* of an enlarging convolution: [row][column] */

/* Where the parts of a packed convolution lie, in bytes from its beginning. First what linear.cu
 * wants: [out, kt, kh, kw, in] in the activation dtype, a row padded to a multiple of 8 numbers,
 * and for halves the bias behind. Then what cuDNN wants where that is something else. */
struct conv_layout {
    int64_t row; /* numbers of a row */
    size_t bias; /* in halves */
    /* Where the outputs are no multiple of 8: rows and an F32 bias for as many as would be one. */
    int64_t wide_out; /* 0: they are, or it is not for cuDNN */
    size_t wide, wide_bias;
    /* Of an enlarging one: [phase][out][frames][2][2][in] for each way that taps share frames. */
    bool phased;
    int frames[SHARINGS]; /* 0: there is no such way */
    size_t phases[SHARINGS];
    size_t size;
};
struct conv_layout conv_layout_of(const struct context *c, const struct conv *w);
/* The part of a phase. */
const void *conv_phase(const struct context *c, const struct conv *w, const struct conv_layout *l,
                       enum conv_sharing sharing, int phase);

static inline int64_t taps_of(const struct conv *w)
{
    return (int64_t)w->kt * w->kh * w->kw;
}
static inline struct linear linear_of(const struct context *c, const struct conv *w)
{
    return {(taps_of(w) * w->in + 7) & ~(int64_t)7, w->out, c->device->activations, w->bias,
            w->packed};
}

/* Frames one after another, or none at all. */
static inline bool follow_on(const struct tensor *t)
{
    return !t || t->shape[0] == 1 || t->stride[0] == t->shape[1] * t->stride[1];
}

/* By any device and in any dtype, one frame of `out` at a time where they do not lie one after
 * another. */
void unfold_conv(struct context *c, struct tensor *out, const struct tensor *const *x,
                 const struct conv *w, const struct tensor *residual);

/* One convolution: x, y and add (data NULL: none) are [items, frames, height, width, channels], the
 * last axis dense, the others in any strides; frames are 1, and the kernel one deep, or items are
 * 1. Weights [out, kernel, in] one after another. */
struct conv_call {
    struct tensor x, y, add;
    int64_t kernel[3], stride, before[3], after[3];
    const void *weights;
    const float *bias; /* or NULL */
};
/* False: cuDNN has nothing for this case, and nothing was done. */
bool cudnn_conv(struct context *c, const struct conv_call *call);

#endif
