#include <math.h>

#include "stages/decode/image_vae_decoder.h"

#define TEMPORAL_EPS 1e-5f /* not in config.json */

void image_temporal_load(struct loader *l, struct arena *host, struct image_temporal *t,
                         int64_t channels, const char *name)
{
    char part[IMAGE_NAME_SIZE];
    float *mix = NULL;

    snprintf(part, sizeof part, "%s.temporal_res_block.norm1", name);
    image_load_norm(l, &t->norm1, channels, part);
    load_conv(l, &t->conv1, channels, channels, 3, 1, 1, "%s.temporal_res_block.conv1", name);
    snprintf(part, sizeof part, "%s.temporal_res_block.norm2", name);
    image_load_norm(l, &t->norm2, channels, part);
    load_conv(l, &t->conv2, channels, channels, 3, 1, 1, "%s.temporal_res_block.conv2", name);
    load_host_vector(l, host, &mix, 1, "%s.time_mixer.mix_factor", name);
    if (mix) /* the sigmoid is the share of the half along time */
        t->share = 1 - 1 / (1 + expf(-*mix));
}

/* Output frame n of a convolution along time over the frames of x, as it stands there. */
static void conv_frame(struct device *d, struct tensor *out, const struct tensor *x, int64_t n,
                       const struct conv *w, const struct tensor *residual)
{
    struct tensor taps[CONV_MAX_TAPS];
    const struct tensor *at[CONV_MAX_TAPS] = {0};

    for (int i = 0; i < w->kt; i++) {
        int64_t from = n + i - w->kt / 2;
        if (from < 0 || from >= x->shape[0])
            continue;
        taps[i] = image_nth(x, from);
        at[i] = &taps[i];
    }
    op_conv(d, out, at, w, residual);
}

void image_temporal_conv(struct device *d, struct tensor *out, const struct tensor *x,
                         const struct conv *w)
{
    for (int64_t n = 0; n < x->shape[0]; n++) {
        struct tensor frame = image_nth(out, n);
        conv_frame(d, &frame, x, n, w, NULL);
    }
}

/* Normed over all frames of a clip, in groups of channels. */
static void norm_clip(struct device *d, const struct image_form *f, const struct image_norm *n,
                      const struct tensor *x, struct tensor *out)
{
    int64_t all[] = {1, x->shape[0], x->shape[1], x->shape[2], x->shape[3]};
    struct tensor from = tensor_view(*x, 5, all), to = tensor_view(*out, 5, all);

    op_group_norm(d, &to, &from, f->groups, &n->weight, &n->bias, TEMPORAL_EPS, ACT_SILU);
}

/* The first convolution slides: what it makes of frame n is written two frames before where that
 * lies, which no later frame reads. */
void image_temporal_run(struct device *d, const struct image_form *f,
                        const struct image_temporal *t, struct image_scratch *s, struct tensor *x,
                        const struct tensor *room)
{
    int64_t frames = x->shape[0], h = x->shape[1], w = x->shape[2], c = x->shape[3];
    int64_t count = (frames + IMAGE_TEMPORAL_ROOM) * h * w * c;
    struct tensor slots =
        TENSOR_VIEW(tensor_slice(*room, 0, 0, count), frames + IMAGE_TEMPORAL_ROOM, h, w, c);
    struct tensor normed = tensor_slice(slots, 0, IMAGE_TEMPORAL_ROOM, frames);
    struct tensor between = tensor_slice(slots, 0, 0, frames);
    struct tensor sum = image_frame(&s->between, h, w, c);

    norm_clip(d, f, &t->norm1, x, &normed);
    image_temporal_conv(d, &between, &normed, &t->conv1);
    norm_clip(d, f, &t->norm2, &between, &between);
    for (int64_t n = 0; n < frames; n++) {
        struct tensor frame = image_nth(x, n);
        conv_frame(d, &sum, &between, n, &t->conv2, &frame);
        op_blend(d, &frame, t->share, &frame, 1 - t->share, &sum);
    }
}
