/* Which convolutions are computed by way of Winograd's F(2 x 2, 3 x 3), and what that takes:
 * kernels/dry/processor.c counts memory by it. */
#ifndef AUTEUR_KERNELS_CPU_WINOGRAD_H
#define AUTEUR_KERNELS_CPU_WINOGRAD_H

#include "kernels/cpu/sizes.h"
#include "kernels/ops.h"

enum {
    POSITIONS = 16,          /* 4 x 4, of a tile */
    TILES = 48,              /* of 2 x 2 output pixels, at once */
    WINOGRAD_MOST = 1 << 20, /* bytes of weights, that stay in a core's cache */
};

static inline int64_t winograd_out(const struct conv *w)
{
    return (w->out + BLOCK - 1) / BLOCK * BLOCK;
}

/* Floats of the weights. */
static inline int64_t winograd_weights(const struct conv *w)
{
    return POSITIONS * w->kt * w->in * winograd_out(w);
}

/* Floats of a thread's scratch: tiles that go in, and what comes of them. */
static inline int64_t winograd_scratch(const struct conv *w)
{
    return POSITIONS * TILES * (w->kt * w->in + winograd_out(w));
}

static inline bool is_winograd(const struct conv *w)
{
    return w->kh == 3 && w->kw == 3 && w->form.scale == 1 && w->form.stride == 1 &&
           w->in % BLOCK == 0 && w->out >= BLOCK &&
           winograd_weights(w) * (int64_t)sizeof(float) <= WINOGRAD_MOST;
}

#endif
