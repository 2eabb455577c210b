#include "stages/generate/unet.h"

/* The timestep's share in a residual block: [clips, out]. */
static struct tensor shift_of(struct unet *m, const struct unet_residual *r)
{
    struct unet_workspace *w = &m->work;
    struct tensor shift = UNET_VIEW(&w->shift, w->clips, r->out);

    op_linear(m->device, &shift, &w->silu, &r->time, ACT_NONE);
    return shift;
}

static void spatial(struct unet *m, const struct unet_residual *r, float eps,
                    const struct tensor *x, struct tensor *out)
{
    struct device *d = m->device;
    const int64_t *s = x->shape;
    struct tensor in = unet_view(&m->work.wide, 4, s);
    struct tensor mid = UNET_VIEW(&m->work.state, s[0], s[1], s[2], r->out);
    struct tensor shift = shift_of(m, r), mid_rows = unet_rows(&mid);
    const struct tensor *conv1_in = &in, *conv2_in = &mid;

    if (r->in != r->out) {
        struct tensor rows = unet_rows(x), out_rows = unet_rows(out);
        op_linear(d, &out_rows, &rows, &r->shortcut, ACT_NONE);
    }
    op_group_norm(d, &in, x, m->groups, &r->norm1.weight, &r->norm1.bias, eps, ACT_SILU);
    op_conv(d, &mid, &conv1_in, &r->conv1, NULL);
    op_modulate(d, &mid_rows, &mid_rows, NULL, &shift);
    op_group_norm(d, &mid, &mid, m->groups, &r->norm2.weight, &r->norm2.bias, eps, ACT_SILU);
    op_conv(d, out, &conv2_in, &r->conv2, r->in != r->out ? out : x);
}

/* A convolution along the frames of each clip, with zeros before the first and after the last. */
static void conv_frames(struct unet *m, struct tensor *out, const struct tensor *x,
                        const struct conv *w, const struct tensor *residual)
{
    int64_t frames = m->work.frames;

    for (int64_t clip = 0; clip < m->work.clips; clip++) {
        int64_t from = clip * frames, run;
        for (int64_t t = 0; t < frames; t += run) {
            bool first = t == 0, last = t == frames - 1;
            struct tensor taps[3], part, add;
            const struct tensor *x3[3];

            run = first || last ? 1 : frames - 2;
            for (int i = 0; i < 3; i++) {
                bool outside = (i == 0 && first) || (i == 2 && last);
                if (!outside)
                    taps[i] = tensor_slice(*x, 0, from + t + i - 1, run);
                x3[i] = outside ? NULL : &taps[i];
            }
            part = tensor_slice(*out, 0, from + t, run);
            if (residual)
                add = tensor_slice(*residual, 0, from + t, run);
            op_conv(m->device, &part, x3, w, residual ? &add : NULL);
        }
    }
}

/* x = share x + (1 - share) (x + residual along time) */
static void temporal(struct unet *m, const struct unet_resnet *resnet, struct tensor *x)
{
    const struct unet_residual *r = &resnet->temporal;
    struct unet_workspace *w = &m->work;
    struct device *d = m->device;
    const int64_t *s = x->shape;
    struct tensor in = unet_view(&w->wide, 4, s), mid = unet_view(&w->state, 4, s);
    struct tensor sum = unet_view(&w->normed, 4, s), mid_rows = unet_rows(&mid);
    int64_t clip[] = {w->clips, w->frames * s[1] * s[2], r->out};
    struct tensor x_clips = tensor_view(*x, 3, clip), in_clips = tensor_view(in, 3, clip);
    struct tensor mid_clips = tensor_view(mid, 3, clip), shift = shift_of(m, r);

    op_group_norm(d, &in_clips, &x_clips, m->groups, &r->norm1.weight, &r->norm1.bias, resnet->eps,
                  ACT_SILU);
    conv_frames(m, &mid, &in, &r->conv1, NULL);
    op_modulate(d, &mid_rows, &mid_rows, NULL, &shift);
    op_group_norm(d, &mid_clips, &mid_clips, m->groups, &r->norm2.weight, &r->norm2.bias,
                  resnet->eps, ACT_SILU);
    conv_frames(m, &sum, &mid, &r->conv2, x);
    op_blend(d, x, resnet->share, x, 1 - resnet->share, &sum);
}

void unet_resnet_forward(struct unet *m, const struct unet_resnet *r, const struct tensor *x,
                         struct tensor *out)
{
    spatial(m, &r->spatial, r->eps, x, out);
    if (r->temporal.out)
        temporal(m, r, out);
}
