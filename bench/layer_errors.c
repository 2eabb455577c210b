#include "bench/layer_errors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/device_impl.h"

enum { CALLS_MAX = 4096, KINDS_MAX = 32 };

/* A layer's call, in host memory. */
struct call {
    struct tensor in, out;
};
struct kind {
    int64_t in, out;
    int count;
    double own, most, with_others; /* sums and the largest of own */
};

static struct ops real;
static struct arena kept;
static struct call calls[CALLS_MAX];
static struct kind kinds[KINDS_MAX];
static int recorded, at, kind_count;
static bool inside; /* a layer that the comparison itself runs */

double layer_errors_between(const float *want, const float *got, int64_t count)
{
    double apart = 0, size = 0;
    for (int64_t i = 0; i < count; i++) {
        apart += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        size += (double)want[i] * want[i];
    }
    return size > 0 ? sqrt(apart / size) : 0;
}

static struct tensor to_host(struct device *d, const struct tensor *t, struct arena *a)
{
    struct tensor host = tensor_new(a, t->rank, t->shape);
    struct arena scratch = device_arena(d);
    struct tensor dense = tensor_new(&scratch, t->rank, t->shape);
    if (host.data && dense.data) {
        op_copy(d, &dense, t);
        op_read(d, &host, &dense);
    }
    arena_free(&scratch);
    return host;
}

static void record(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct linear *w, enum activation act, const struct tensor *residual)
{
    struct tensor in = {0};
    if (recorded < CALLS_MAX)
        in = to_host(d, x, &kept);
    real.linear(d, out, x, w, act, residual);
    if (recorded < CALLS_MAX)
        calls[recorded++] = (struct call){in, to_host(d, out, &kept)};
}

static struct kind *kind_of(const struct linear *w)
{
    int i = 0;
    while (i < kind_count && (kinds[i].in != w->in || kinds[i].out != w->out))
        i++;
    if (i == KINDS_MAX)
        return NULL;
    if (i == kind_count)
        kinds[kind_count++] = (struct kind){.in = w->in, .out = w->out};
    return &kinds[i];
}

/* The layer by itself, given what its twin was given. */
static double own_error(struct device *d, const struct call *c, const struct linear *w,
                        enum activation act)
{
    struct arena a = device_arena(d), host = {0};
    struct tensor in = ACTIVATION_NEW(d, &a, c->in.shape[0], c->in.shape[1]), got;
    struct tensor out = ACTIVATION_NEW(d, &a, c->out.shape[0], c->out.shape[1]);
    double error = NAN;
    inside = true;
    if (in.data && out.data) {
        op_write(d, &in, &c->in);
        op_linear(d, &out, &in, w, act);
        got = to_host(d, &out, &host);
        if (got.data)
            error = layer_errors_between(c->out.data, got.data, tensor_count(&got));
    }
    inside = false;
    arena_free(&a);
    arena_free(&host);
    return error;
}

static void compare(struct device *d, struct tensor *out, const struct tensor *x,
                    const struct linear *w, enum activation act, const struct tensor *residual)
{
    const struct call *c = &calls[at];
    struct kind *k = NULL;
    struct arena host = {0};
    struct tensor got;
    if (!inside && at++ < recorded && w->dtype == DTYPE_F8_E4M3 && !residual)
        k = kind_of(w);
    real.linear(d, out, x, w, act, residual);
    if (!k)
        return;
    got = to_host(d, out, &host);
    double own = own_error(d, c, w, act); /* after it: where x was made FP8 is used again */
    k->count++;
    k->own += own;
    k->most = fmax(k->most, own);
    if (got.data)
        k->with_others += layer_errors_between(c->out.data, got.data, tensor_count(&got));
    arena_free(&host);
}

/* A layer and what follows it, one after another. */
static void in_two(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct linear *w, const struct tensor *residual, const struct tensor *gate)
{
    struct arena a = device_arena(d);
    struct tensor product = ACTIVATION_NEW(d, &a, out->shape[0], out->shape[1]);

    if (product.data) {
        d->ops.linear(d, &product, x, w, ACT_NONE, NULL);
        d->ops.add_gated(d, out, residual, &product, gate);
    }
    arena_free(&a);
}

int layer_errors_record(struct device *d, struct error *e)
{
    real = d->ops;
    d->ops.linear = record;
    d->ops.linear_gated = in_two;
    d->ops.fuses_glu = NULL;
    return device_status(d, e);
}

int layer_errors_compare(struct device *plain, struct device *fp8, struct error *e)
{
    plain->ops = real;
    real = fp8->ops;
    fp8->ops.linear = compare;
    fp8->ops.linear_gated = in_two;
    fp8->ops.fuses_glu = NULL;
    return device_status(plain, e);
}

void layer_errors_print(struct device *fp8)
{
    fp8->ops = real;
    printf("%-18s %6s %11s %11s %16s\n", "layers with FP8", "", "own error", "at most",
           "with those before");
    for (int i = 0; i < kind_count; i++)
        printf("%7lld -> %-7lld %6d %11.4f %11.4f %16.4f\n", (long long)kinds[i].in,
               (long long)kinds[i].out, kinds[i].count, kinds[i].own / kinds[i].count,
               kinds[i].most, kinds[i].with_others / kinds[i].count);
    arena_free(&kept);
}
