/* What a dry device takes where it passes for a processor: as kernels/cpu packs weights, and holds
 * what its operations work in. */
#include "kernels/cpu/attention_f16.h"
#include "kernels/cpu/winograd.h"
#include "kernels/dry/impl.h"

static int64_t blocks(int64_t columns)
{
    return (columns + BLOCK - 1) / BLOCK;
}

static size_t floats(int64_t count)
{
    return (size_t)count * sizeof(float);
}

const void *dry_processor_linear(struct device *d, struct arena *a, const struct linear *shape)
{
    dry_pass(d, floats(shape->out * shape->in)); /* as F32, not yet packed */
    return arena_alloc(a, floats(blocks(shape->out) * BLOCK * shape->in));
}

/* An enlarging one is four of 2 x 2 taps; one of few channels lies there for four pixels besides
 * (kernels/cpu/conv.inc). */
const void *dry_processor_conv(struct device *d, struct arena *a, const struct conv *shape)
{
    int64_t rows = (int64_t)shape->kt * shape->kh, deep = shape->kw * shape->in;
    int64_t count = blocks(shape->out) * BLOCK * rows * deep;

    if (is_winograd(shape))
        count = winograd_weights(shape);
    else if (shape->form.scale == 2)
        count = blocks(shape->out) * BLOCK * shape->kt * 16 * shape->in;
    else if (shape->form.stride == 1 && shape->kw == 3 && shape->out * GROUP <= BLOCK)
        count += BLOCK * rows * (GROUP + 2) * shape->in;
    dry_pass(d, floats(shape->out * rows * deep * 10)); /* twice as F32, and room for eight sums */
    return arena_alloc(a, floats(count));
}

/* Keys and values of some heads, packed, and each thread's rows of queries. */
void dry_processor_heads(struct device *d, const struct tensor *q, const struct tensor *k)
{
    int64_t dim = q->shape[3], heads = q->shape[0] * q->shape[2];
    int64_t head = blocks(k->shape[1]) * BLOCK * (dim + blocks(dim) * BLOCK);
    int64_t together = PACKED_LIMIT / (int64_t)floats(head);
    int64_t rows = QUERY_BLOCK * (dim + KEY_BLOCK + blocks(dim) * BLOCK + 2 * BLOCK);

    together = together < 1 ? 1 : together > heads ? heads : together;
    dry_take_scratch(d, DRY_PROCESSOR, floats(together * head + d->dry->threads * rows));
}

/* Each thread's neighbourhood of as many pixels as go together at most. */
void dry_processor_patches(struct device *d, const struct conv *w)
{
    enum { ROWS = 9, PIXELS = GROUP * 24 + 2 };

    dry_take_scratch(
        d, DRY_PROCESSOR,
        floats(d->dry->threads * (is_winograd(w) ? winograd_scratch(w) : ROWS * PIXELS * w->in)));
}

/* Of the time that a plain convolution takes: previs' decoder took 0.68 to 0.86 in four
 * pairs of runs on a busy machine (bench/engine, Xeon, 2026-11-22). */
double dry_processor_part(const struct conv *w)
{
    return is_winograd(w) ? 0.77 : 1;
}

/* Half the time of F32: previs' denoiser took 0.6 of it, of which attention is four fifths
 * (likewise). */
bool dry_processor_attention_f16(struct device *d, struct tensor *out, const struct tensor *q,
                                 const struct tensor *k, const struct tensor *v, float scale,
                                 const struct attention_bias *bias)
{
    double pairs = (double)q->shape[1] * (double)k->shape[1];

    (void)out, (void)v, (void)scale;
    if (!is_attention_f16(q, k, bias))
        return false;
    dry_processor_heads(d, q, k);
    dry_work(d, DRY_ATTENTION, 0.5 * 4 * pairs * (double)(q->shape[0] * q->shape[2] * q->shape[3]),
             0);
    return true;
}

/* What goes in two steps there does so here. */
void dry_processor_slots(struct ops *ops)
{
    struct ops cpu = {0};

    ops_init_reference(&cpu);
    ops_init_cpu(&cpu);
    ops->attention_f16 = cpu.attention_f16 ? ops->attention_f16 : NULL;
    ops->linear_gated = cpu.linear_gated ? ops->linear_gated : NULL;
    ops->linear_shifted = cpu.linear_shifted ? ops->linear_shifted : NULL;
    ops->linear_glu = cpu.linear_glu ? ops->linear_glu : NULL;
    ops->fuses_glu = cpu.fuses_glu ? ops->fuses_glu : NULL;
    ops->group_norm_shifted = cpu.group_norm_shifted ? ops->group_norm_shifted : NULL;
    ops->norm_rope = cpu.norm_rope ? ops->norm_rope : NULL;
    ops->conv_prelu = cpu.conv_prelu ? ops->conv_prelu : NULL;
    ops->conv_clips = cpu.conv_clips ? ops->conv_clips : NULL;
}
