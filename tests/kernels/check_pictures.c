/* Cases of convolutions, coarse modulation and patches. */
#include <stdio.h>
#include <string.h>

#include "tests/kernels/check.h"

struct conv_case {
    int64_t n, h, w, in, out;
    int kt, kh, kw;
    struct conv_form form;
    bool clip, add, in_place, biased, apart; /* apart: frames of out are */
    int absent;                              /* the first taps that are NULL */
    int shared;                              /* taps 0 and 1 (1), 1 and 2 (2) or all (3) are one */
};

static struct conv_case random_conv(struct check *c)
{
    static const int64_t widths[] = {3, 4, 16, 32, 64, 96};
    struct conv_case v = {
        .n = between(c, 1, 3),
        .h = between(c, 2, 12),
        .w = between(c, 2, c->small ? 12 : 40),
        .in = between(c, 0, 3) ? widths[between(c, 0, 5)] : between(c, 1, 70),
        .out = between(c, 0, 3) ? widths[between(c, 0, 5)] : between(c, 1, 70),
        .kt = between(c, 0, 1) ? 1 : (int)between(c, 2, 3),
        .kh = between(c, 0, 3) ? 3 : 1,
        .form = {.scale = 1, .stride = 1, .edge = (enum conv_edge)between(c, 0, 1)},
        .clip = between(c, 0, 1),
        .add = between(c, 0, 1),
        .in_place = between(c, 0, 1),
        .biased = between(c, 0, 3),
        .apart = between(c, 0, 1),
    };

    v.kw = between(c, 0, 3) ? v.kh : 4 - v.kh;
    switch (between(c, 0, 4)) {
    case 0:
        v.form.scale = 2;
        v.kh = v.kw = 3;
        v.shared = v.kt == 3 ? (int)between(c, 0, 3) : 0;
        break;
    case 2:
        v.form.edge = CONV_GIVEN;
        v.h += v.kh - 1;
        v.w += 2;
        break;
    case 1:
        v.form.stride = 2;
        v.form.edge = (enum conv_edge)between(c, 0, 2);
        if (v.form.edge == CONV_ZEROS_AFTER)
            v.kh = v.kw = 3;
        break;
    }
    if (v.kt > 1 && !v.clip)
        v.absent = (int)between(c, 0, v.kt - 1);
    return v;
}

static int64_t out_size(const struct conv_form *f, int64_t n, int kernel)
{
    return f->edge == CONV_GIVEN         ? n - (kernel - 1)
           : f->stride == 1              ? n * f->scale
           : f->edge == CONV_ZEROS_AFTER ? n / 2
                                         : (n + 1) / 2;
}

/* Frames one after another, or as far apart again. */
static struct pair make_frames(struct check *c, enum number_kind kind, bool apart, int64_t n,
                               int64_t h, int64_t w, int64_t channels)
{
    struct pair all = NUMBERS(c, kind, 0, 1, apart ? 2 * n : n, h, w, channels);

    if (!apart)
        return all;
    all.host.shape[0] = all.device.shape[0] = n;
    all.host.stride[0] *= 2;
    all.device.stride[0] *= 2;
    return all;
}

/* The taps' frames: of one clip, or each somewhere. */
static void make_taps(struct check *c, const struct conv_case *v, struct pair *taps,
                      const struct tensor **host, const struct tensor **device)
{
    struct pair clip = make_frames(c, ACTIVATIONS_, v->apart, v->n + v->kt - 1, v->h, v->w, v->in);

    for (int t = 0; t < v->kt; t++) {
        if (v->clip) {
            taps[t].host = tensor_slice(clip.host, 0, t, v->n);
            taps[t].device = tensor_slice(clip.device, 0, t, v->n);
        } else {
            taps[t] = NUMBERS(c, ACTIVATIONS_, 0, 1, v->n, v->h, v->w, v->in);
        }
        if ((t == 1 && v->shared & 1) || (t == 2 && v->shared & 2))
            taps[t] = taps[t - 1];
        host[t] = t < v->absent ? NULL : &taps[t].host;
        device[t] = t < v->absent ? NULL : &taps[t].device;
    }
}

#define CONV_CASE(v)                                                                               \
    "n %lld h %lld w %lld in %lld out %lld kernel %d %d %d scale %d stride %d edge %d clip "       \
    "%d absent %d shared %d residual %d in place %d bias %d apart %d",                             \
        (long long)(v).n, (long long)(v).h, (long long)(v).w, (long long)(v).in,                   \
        (long long)(v).out, (v).kt, (v).kh, (v).kw, (v).form.scale, (v).form.stride,               \
        (v).form.edge, (v).clip, (v).absent, (v).shared, (v).add, (v).in_place, (v).biased,        \
        (v).apart

/* bend: with a PReLU after it. */
static void check_conv(struct check *c, bool bend)
{
    struct conv_case v = random_conv(c);
    int64_t shape[5] = {v.out, v.in, v.kt, v.kh, v.kw};
    struct pair weight = numbers(c, ACTIVATIONS_, 5, shape, 0, 0, 0.2f);
    struct pair bias = NUMBERS(c, VECTORS_, 0, 1, v.out), taps[CONV_MAX_TAPS];
    struct pair slope = NUMBERS(c, VECTORS_, 0, 1, v.out);
    int64_t h = out_size(&v.form, v.h, v.kh), w = out_size(&v.form, v.w, v.kw);
    struct pair out = make_frames(c, ACTIVATIONS_, v.apart, v.n, h, w, v.out);
    struct pair add = make_frames(c, ACTIVATIONS_, v.apart, v.n, h, w, v.out);
    const struct tensor *host[CONV_MAX_TAPS] = {0}, *device[CONV_MAX_TAPS] = {0};
    struct conv a, b;
    struct error e = {0};

    make_taps(c, &v, taps, host, device);
    if (conv_pack(c->reference, &c->host, &weight.host, v.biased ? &bias.host : NULL, v.form, &a,
                  &e) ||
        conv_pack(c->tested, &c->device, &weight.host, v.biased ? &bias.host : NULL, v.form, &b,
                  &e)) {
        printf("conv_pack: %s\n", e.text);
        c->failed++;
        return;
    }
    if (v.add && v.in_place && !bend)
        add = out;
    else
        poison(c, &out);
    if (bend) {
        op_conv_prelu(c->reference, &out.host, host, &a, &slope.host);
        op_conv_prelu(c->tested, &out.device, device, &b, &slope.device);
        compare(c, "conv_prelu", &out, CONV_CASE(v));
        return;
    }
    op_conv(c->reference, &out.host, host, &a, v.add ? &add.host : NULL);
    op_conv(c->tested, &out.device, device, &b, v.add ? &add.device : NULL);
    compare(c, "conv", &out, CONV_CASE(v));
}

static void check_conv_clips(struct check *c)
{
    static const int64_t widths[] = {8, 32, 64, 5};
    int64_t n = between(c, 1, 3), t = between(c, 1, 6), h = between(c, 1, 9), w = between(c, 1, 9);
    int64_t in = widths[between(c, 0, 3)], out = widths[between(c, 0, 3)];
    int side = between(c, 0, 3) ? 1 : 3, kt = between(c, 0, 3) ? 3 : 1;
    struct conv_form form = {.scale = 1, .stride = 1};
    struct pair weight = NUMBERS(c, ACTIVATIONS_, 0, 0.2f, out, in, kt, side, side);
    struct pair bias = NUMBERS(c, VECTORS_, 0, 1, out);
    struct pair x = NUMBERS(c, ACTIVATIONS_, 0, 1, n, t, h, w, in);
    struct pair made = NUMBERS(c, ACTIVATIONS_, 0, 1, n, t, h, w, out);
    bool biased = between(c, 0, 3), add = between(c, 0, 1);
    struct conv a, b;
    struct error e = {0};

    if (conv_pack(c->reference, &c->host, &weight.host, biased ? &bias.host : NULL, form, &a, &e) ||
        conv_pack(c->tested, &c->device, &weight.host, biased ? &bias.host : NULL, form, &b, &e)) {
        printf("conv_pack: %s\n", e.text);
        c->failed++;
        return;
    }
    if (!add)
        poison(c, &made);
    op_conv_clips(c->reference, &made.host, &x.host, &a, add ? &made.host : NULL);
    op_conv_clips(c->tested, &made.device, &x.device, &b, add ? &made.device : NULL);
    compare(c, "conv_clips", &made,
            "n %lld t %lld h %lld w %lld in %lld out %lld kernel %d %d residual %d bias %d",
            (long long)n, (long long)t, (long long)h, (long long)w, (long long)in, (long long)out,
            kt, side, add, biased);
}

static void check_group_statistics(struct check *c)
{
    int64_t n = between(c, 1, 3), h = between(c, 1, 9), w = between(c, 1, 9);
    int64_t groups = between(c, 1, 8), channels = groups * between(c, 1, 20);
    bool apart = between(c, 0, 1);
    struct pair x = make_frames(c, either(c), apart, n, h, w, channels);
    struct pair weight = NUMBERS(c, VECTORS_, 0, 1, channels);
    struct pair bias = NUMBERS(c, VECTORS_, 0, 1, channels);
    struct pair affine = NUMBERS(c, VECTORS_, 0, 1, n, 3, channels);
    bool given = between(c, 0, 3) > 0;

    if (apart) { /* one clip */
        struct pair all = x;
        for (int i = 0; i < 4; i++) {
            all.host.shape[i + 1] = x.host.shape[i];
            all.host.stride[i + 1] = all.device.stride[i + 1] = x.host.stride[i];
        }
        all.host.shape[0] = 1;
        all.host.stride[0] = n * x.host.stride[0];
        all.host.rank = all.device.rank = 5;
        memcpy(all.device.shape, all.host.shape, sizeof all.host.shape);
        all.device.stride[0] = all.host.stride[0];
        affine.host.shape[0] = affine.device.shape[0] = 1;
        x = all;
    }
    poison(c, &affine);
    op_group_statistics(c->reference, &affine.host, &x.host, (int)groups,
                        given ? &weight.host : NULL, given ? &bias.host : NULL, 0.01f);
    op_group_statistics(c->tested, &affine.device, &x.device, (int)groups,
                        given ? &weight.device : NULL, given ? &bias.device : NULL, 0.01f);
    compare(c, "group_statistics", &affine,
            "n %lld h %lld w %lld channels %lld groups %lld apart %d", (long long)n, (long long)h,
            (long long)w, (long long)channels, (long long)groups, apart);
}

static void check_normalise(struct check *c)
{
    int64_t runs = between(c, 1, 2), n = runs * between(c, 1, 2), h = between(c, 1, 6);
    int64_t w = between(c, 1, 6), down = between(c, 1, 3), across = between(c, 1, 3);
    int64_t channels = between(c, 0, 1) ? 8 * between(c, 1, 20) : random_size(c, 64);
    enum number_kind kind = either(c);
    struct normalise_form host = {.act = between(c, 0, 1) ? ACT_SILU : ACT_NONE,
                                  .border = (int)between(c, 0, 2)},
                          device = host;
    struct pair x = make_frames(c, either(c), between(c, 0, 1), n, h * down, w * across, channels);
    struct pair out = NUMBERS(c, either(c), 0, 1, n, h * down + 2 * host.border,
                              w * across + 2 * host.border, channels);
    struct pair affine = NUMBERS(c, VECTORS_, 0, 1, runs, 3, channels);
    struct pair a = NUMBERS(c, kind, 0, 1, n, h, w, channels);
    struct pair b = NUMBERS(c, kind, 0, 1, n, h, w, channels);

    if (between(c, 0, 1)) {
        host.scale = &a.host;
        host.shift = &b.host;
        device.scale = &a.device;
        device.shift = &b.device;
    }
    poison(c, &out);
    op_normalise(c->reference, &out.host, &x.host, &affine.host, &host);
    op_normalise(c->tested, &out.device, &x.device, &affine.device, &device);
    compare(c, "normalise", &out,
            "n %lld of %lld h %lld x %lld w %lld x %lld channels %lld border %d beneath %d",
            (long long)n, (long long)runs, (long long)h, (long long)down, (long long)w,
            (long long)across, (long long)channels, host.border, host.scale != NULL);
}

static void check_patches(struct check *c)
{
    int patch[3] = {(int)between(c, 1, 2), (int)between(c, 1, 3), (int)between(c, 1, 3)};
    int64_t channels = between(c, 1, 20), t = between(c, 1, 4), h = between(c, 1, 9);
    int64_t w = between(c, 1, 9), features = channels * patch[0] * patch[1] * patch[2];
    struct pair latents =
        NUMBERS(c, either(c), 0, 1, channels, t * patch[0], h * patch[1], w * patch[2]);
    struct pair tokens = NUMBERS(c, either(c), between(c, 0, 3), 1, t * h * w, features);

    poison(c, &tokens);
    op_patchify(c->reference, &tokens.host, &latents.host, patch);
    op_patchify(c->tested, &tokens.device, &latents.device, patch);
    compare(c, "patchify", &tokens, "channels %lld t %lld h %lld w %lld patch %d %d %d",
            (long long)channels, (long long)t, (long long)h, (long long)w, patch[0], patch[1],
            patch[2]);
    settle(c, &tokens);
    poison(c, &latents);
    op_unpatchify(c->reference, &latents.host, &tokens.host, patch);
    op_unpatchify(c->tested, &latents.device, &tokens.device, patch);
    compare(c, "unpatchify", &latents, "channels %lld t %lld h %lld w %lld patch %d %d %d",
            (long long)channels, (long long)t, (long long)h, (long long)w, patch[0], patch[1],
            patch[2]);
}

void check_pictures(struct check *c)
{
    if (wanted(c, "conv"))
        check_conv(c, false);
    if (wanted(c, "conv_prelu"))
        check_conv(c, true);
    if (wanted(c, "conv_clips"))
        check_conv_clips(c);
    if (wanted(c, "group_statistics"))
        check_group_statistics(c);
    if (wanted(c, "normalise"))
        check_normalise(c);
    if (wanted(c, "patchify") || wanted(c, "unpatchify"))
        check_patches(c);
}
