#include "bench/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/device_impl.h"
#include "kernels/dry/dry.h"

enum { ENTRIES = 4096 };
static struct entry {
    char name[112];
    double seconds;
    double flops, bytes; /* of a dry device */
    int calls;
} entries[ENTRIES];
static int count;
static struct ops real;

/* Where a device is: in time, and a dry one in what it would have done. */
struct mark {
    double seconds, flops, bytes;
};

static struct mark mark(struct device *d)
{
    struct mark m = {0};
    struct timespec t;

    if (d->dry) {
        m.seconds = d->dry->seconds;
        m.bytes = d->dry->bytes;
        for (int i = 0; i < DRY_CLASSES; i++)
            m.flops += d->dry->flops[i];
        return m;
    }
    if (d->wait)
        d->wait(d);
    clock_gettime(CLOCK_MONOTONIC, &t);
    m.seconds = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    return m;
}

static const char *shape(const struct tensor *t, char *text, size_t size)
{
    return t && t->data ? tensor_shape_text(t, text, size) : "";
}

/* Ends a measurement: `x` and `y` are the shapes that tell one use from another. */
static void took(struct device *d, struct mark start, const char *op, const struct tensor *x,
                 const struct tensor *y)
{
    struct mark end = mark(d);
    char name[112], a[40], b[40];
    int i = 0;

    snprintf(name, sizeof name, "%-13s %-26s %s", op, shape(x, a, sizeof a), shape(y, b, sizeof b));
    while (i < count && strcmp(entries[i].name, name) != 0)
        i++;
    if (i == ENTRIES)
        return;
    if (i == count)
        snprintf(entries[count++].name, sizeof name, "%s", name);
    entries[i].seconds += end.seconds - start.seconds;
    entries[i].flops += end.flops - start.flops;
    entries[i].bytes += end.bytes - start.bytes;
    entries[i].calls++;
}

/* A slot that is called through the real one and timed. */
#define TIMED(slot, x, y, parameters, ...)                                                         \
    static void timed_##slot parameters                                                            \
    {                                                                                              \
        struct mark start = mark(d);                                                               \
        real.slot(__VA_ARGS__);                                                                    \
        took(d, start, #slot, x, y);                                                               \
    }

#define D struct device *d, struct tensor *out, const struct tensor *x
TIMED(write, out, NULL, (struct device * d, struct tensor *out, const struct tensor *x), d, out, x)
TIMED(read, out, NULL, (struct device * d, struct tensor *out, const struct tensor *x), d, out, x)
TIMED(linear, x, out,
      (D, const struct linear *w, enum activation act, const struct tensor *residual), d, out, x, w,
      act, residual)
TIMED(linear_gated, x, out,
      (D, const struct linear *w, const struct tensor *residual, const struct tensor *gate), d, out,
      x, w, residual, gate)
TIMED(linear_shifted, x, out,
      (D, const struct linear *w, const struct tensor *shift, const struct tensor *residual), d,
      out, x, w, shift, residual)
TIMED(linear_glu, x, out, (D, const struct linear *w, enum activation act), d, out, x, w, act)
TIMED(attention, x, k,
      (D, const struct tensor *k, const struct tensor *v, float scale,
       const struct attention_bias *bias),
      d, out, x, k, v, scale, bias)
TIMED(layer_norm, x, NULL, (D, const struct tensor *weight, const struct tensor *bias, float eps),
      d, out, x, weight, bias, eps)
TIMED(rms_norm, x, NULL, (D, const struct tensor *weight, float eps), d, out, x, weight, eps)
TIMED(channel_norm, x, NULL, (D, const struct tensor *gamma, enum activation act), d, out, x, gamma,
      act)
TIMED(group_norm, x, NULL,
      (D, int groups, const struct tensor *weight, const struct tensor *bias, float eps,
       enum activation act),
      d, out, x, groups, weight, bias, eps, act)
TIMED(group_norm_shifted, x, NULL, (D, const struct shifted_norm *n), d, out, x, n)
TIMED(group_statistics, x, NULL,
      (struct device * d, struct tensor *affine, const struct tensor *x, int groups,
       const struct tensor *weight, const struct tensor *bias, float eps),
      d, affine, x, groups, weight, bias, eps)
TIMED(normalise, x, out, (D, const struct tensor *affine, const struct normalise_form *form), d,
      out, x, affine, form)
TIMED(read_begin, x, NULL, (struct device * d, int slot, const struct tensor *x), d, slot, x)
TIMED(rope, x, NULL,
      (struct device * d, struct tensor *x, const struct tensor *cos, const struct tensor *sin,
       enum rope_pairs pairs),
      d, x, cos, sin, pairs)
TIMED(activation, x, NULL, (D, enum activation act), d, out, x, act)
TIMED(glu, x, NULL, (D, const struct tensor *gate, enum activation act), d, out, x, gate, act)
TIMED(blend, out, NULL,
      (struct device * d, struct tensor *out, float a, const struct tensor *x, float b,
       const struct tensor *y),
      d, out, a, x, b, y)
TIMED(add_gated, x, NULL, (D, const struct tensor *y, const struct tensor *gate), d, out, x, y,
      gate)
TIMED(modulate, x, NULL, (D, const struct tensor *scale, const struct tensor *shift), d, out, x,
      scale, shift)
TIMED(copy, out, NULL, (D), d, out, x)
TIMED(conv, out, x[0] ? x[0] : out,
      (struct device * d, struct tensor *out, const struct tensor *const *x, const struct conv *w,
       const struct tensor *residual),
      d, out, x, w, residual)
TIMED(patchify, x, NULL, (D, const int patch[3]), d, out, x, patch)
TIMED(unpatchify, x, NULL, (D, const int patch[3]), d, out, x, patch)

static bool timed_conv_clips(struct device *d, struct tensor *out, const struct tensor *x,
                             const struct conv *w, const struct tensor *residual)
{
    struct mark start = mark(d);
    bool done = real.conv_clips(d, out, x, w, residual);

    if (done)
        took(d, start, "conv_clips", out, x);
    return done;
}

static bool timed_norm_rope(struct device *d, struct tensor *x, const struct head_norm *norm,
                            const struct turn *turn)
{
    struct mark start = mark(d);
    bool done = real.norm_rope(d, x, norm, turn);

    if (done)
        took(d, start, "norm_rope", x, NULL);
    return done;
}

void profile_start(struct device *d)
{
    struct ops *o = &d->ops;

    real = *o;
#define PUT(slot) o->slot = timed_##slot
    PUT(write);
    PUT(read);
    PUT(linear);
    if (real.linear_gated)
        PUT(linear_gated);
    if (real.linear_shifted)
        PUT(linear_shifted);
    if (real.linear_glu)
        PUT(linear_glu);
    PUT(attention);
    PUT(layer_norm);
    PUT(rms_norm);
    PUT(channel_norm);
    PUT(group_norm);
    if (real.group_norm_shifted)
        PUT(group_norm_shifted);
    PUT(group_statistics);
    PUT(normalise);
    PUT(read_begin);
    PUT(rope);
    if (real.norm_rope)
        PUT(norm_rope);
    PUT(activation);
    PUT(glu);
    PUT(blend);
    PUT(add_gated);
    PUT(modulate);
    PUT(copy);
    PUT(conv);
    if (real.conv_clips)
        PUT(conv_clips);
    PUT(patchify);
    PUT(unpatchify);
}

void profile_reset(void)
{
    count = 0;
    memset(entries, 0, sizeof entries);
}

static int longest_first(const void *a, const void *b)
{
    double x = ((const struct entry *)a)->seconds, y = ((const struct entry *)b)->seconds;
    return (x < y) - (x > y);
}

void profile_print(int lines, int runs)
{
    double all = 0;

    qsort(entries, (size_t)count, sizeof *entries, longest_first);
    for (int i = 0; i < count; i++)
        all += entries[i].seconds;
    printf("  %8.2f ms in operations\n", all / runs * 1e3);
    for (int i = 0; i < count && i < lines; i++) {
        const struct entry *n = &entries[i];
        printf("  %8.2f ms %4.1f %% %5d x %s", n->seconds / runs * 1e3, 100 * n->seconds / all,
               n->calls / runs, n->name);
        if (n->bytes > 0)
            printf("  %.1f GFLOP, %.3f GB", n->flops / runs / 1e9, n->bytes / runs / 1e9);
        printf("\n");
    }
    fflush(stdout);
}
