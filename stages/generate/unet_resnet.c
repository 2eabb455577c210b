#include "stages/generate/unet.h"

/* The timestep's share in a residual block: [clips, out]. */
static struct tensor shift_of(struct unet *m, const struct unet_residual *r)
{
    struct unet_workspace *w = &m->work;
    struct tensor shift = UNET_VIEW(&w->shift, w->clips, r->out);

    op_linear(m->device, &shift, &w->silu, &r->time, ACT_NONE);
    return shift;
}

/* x = gain silu(norm2(x + shift)), an item of the first axis at a time */
static void norm_shifted(struct unet *m, struct tensor *x, const struct unet_residual *r, float eps,
                         const struct tensor *shift, float gain)
{
    const struct shifted_norm n = {.groups = m->groups,
                                   .weight = &r->norm2.weight,
                                   .bias = &r->norm2.bias,
                                   .shift = shift,
                                   .eps = eps,
                                   .gain = gain,
                                   .act = ACT_SILU};

    op_group_norm_shifted(m->device, x, x, &n);
}

static void spatial(struct unet *m, const struct unet_residual *r, float eps,
                    const struct tensor *x, struct tensor *out)
{
    struct device *d = m->device;
    const int64_t *s = x->shape;
    struct tensor in = unet_view(&m->work.wide, 4, s);
    struct tensor mid = UNET_VIEW(&m->work.state, s[0], s[1], s[2], r->out);
    struct tensor shift = shift_of(m, r);
    const struct tensor *conv1_in = &in, *conv2_in = &mid;

    if (r->in != r->out) {
        struct tensor rows = unet_rows(x), out_rows = unet_rows(out);
        op_linear(d, &out_rows, &rows, &r->shortcut, ACT_NONE);
    }
    op_group_norm(d, &in, x, m->groups, &r->norm1.weight, &r->norm1.bias, eps, ACT_SILU);
    op_conv(d, &mid, &conv1_in, &r->conv1, NULL);
    norm_shifted(m, &mid, r, eps, &shift, 1);
    op_conv(d, out, &conv2_in, &r->conv2, r->in != r->out ? out : x);
}

/* x = share x + (1 - share) (x + residual along time): the residual's share is taken of what its
 * last convolution reads, and its bias has it (unet_load.c). */
static void temporal(struct unet *m, const struct unet_resnet *resnet, struct tensor *x)
{
    const struct unet_residual *r = &resnet->temporal;
    struct unet_workspace *w = &m->work;
    struct device *d = m->device;
    int64_t clip[] = {w->clips, w->frames, x->shape[1], x->shape[2], r->out};
    struct tensor clips = tensor_view(*x, 5, clip), in = unet_view(&w->wide, 5, clip);
    struct tensor mid = unet_view(&w->state, 5, clip), shift = shift_of(m, r);

    op_group_norm(d, &in, &clips, m->groups, &r->norm1.weight, &r->norm1.bias, resnet->eps,
                  ACT_SILU);
    op_conv_clips(d, &mid, &in, &r->conv1, NULL);
    norm_shifted(m, &mid, r, resnet->eps, &shift, 1 - resnet->share);
    op_conv_clips(d, &clips, &mid, &r->conv2, &clips);
}

void unet_resnet_forward(struct unet *m, const struct unet_resnet *r, const struct tensor *x,
                         struct tensor *out)
{
    spatial(m, &r->spatial, r->eps, x, out);
    if (r->temporal.out)
        temporal(m, r, out);
}
