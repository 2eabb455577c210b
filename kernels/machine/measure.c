#include "kernels/machine/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/device_impl.h"

enum { RUNS = 5 };
static const double RUN = 0.1, WARM = 0.25; /* seconds; clocks rise while it warms */

/* Something that is done again and again on a device. */
struct work {
    struct device *d;
    struct arena memory, host;
    double amount; /* of one go: FLOP or bytes */
    void (*go)(struct work *w);
    struct tensor x, y, z;
    struct linear linear;
    struct conv conv;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds of so many goes; negative: failed. */
static double goes(struct work *w, int count, struct error *e)
{
    double start = now();

    for (int i = 0; i < count; i++)
        w->go(w);
    return device_status(w->d, e) == 0 ? now() - start : -1;
}

/* Amount a second. */
static int rate(struct work *w, double *out, struct error *e)
{
    double took[RUNS], one = goes(w, 1, e), warm = 0;
    int count;

    for (int i = 0; one >= 0 && warm < WARM; i++) {
        one = goes(w, 1, e);
        warm += one;
    }
    if (one < 0)
        return -1;
    count = one > 0 ? (int)(RUN / one) + 1 : 1000;
    for (int i = 0; i < RUNS; i++) {
        took[i] = goes(w, count < 5000 ? count : 5000, e);
        if (took[i] < 0)
            return -1;
        for (int k = i; k > 0 && took[k] < took[k - 1]; k--) {
            double t = took[k];
            took[k] = took[k - 1];
            took[k - 1] = t;
        }
    }
    *out = w->amount * (count < 5000 ? count : 5000) / took[RUNS / 2];
    return 0;
}

/* ---- numbers to work on: random, since chips draw less power for zeros */

enum { BLOCK = 1 << 20 };

static void fill_random(float *to, size_t count)
{
    uint32_t state = 12345;
    size_t have = count < BLOCK ? count : BLOCK;

    for (size_t i = 0; i < have; i++) {
        state = state * 1664525u + 1013904223u;
        to[i] = (float)(int32_t)state * 0x1p-31f;
    }
    for (size_t n; have < count; have += n) {
        n = count - have < BLOCK ? count - have : BLOCK;
        memcpy(to + have, to, n * sizeof *to);
    }
}

static struct tensor random_host(struct work *w, int rank, const int64_t *shape)
{
    struct tensor t = tensor_new(&w->host, rank, shape);

    if (t.data)
        fill_random(t.data, (size_t)tensor_count(&t));
    return t;
}
#define RANDOM_HOST(w, ...)                                                                        \
    random_host((w), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                    \
                (const int64_t[]){__VA_ARGS__})

/* On the device: a block is written, the rest copied from it. data is NULL: out of memory. */
static struct tensor random_activations(struct work *w, int rank, const int64_t *shape)
{
    struct tensor t = activation_new(w->d, &w->memory, rank, shape), flat, from, first;
    int64_t count = tensor_count(&t), n;

    if (!t.data)
        return t;
    flat = TENSOR_VIEW(t, count);
    n = count < BLOCK ? count : BLOCK;
    from = RANDOM_HOST(w, n);
    if (!from.data)
        return from;
    first = tensor_slice(flat, 0, 0, n);
    op_write(w->d, &first, &from);
    for (int64_t at = n; at < count; at += n) {
        struct tensor to = tensor_slice(flat, 0, at, count - at < n ? count - at : n);
        struct tensor again = tensor_slice(flat, 0, 0, to.shape[0]);

        op_copy(w->d, &to, &again);
    }
    return t;
}
#define RANDOM(w, ...)                                                                             \
    random_activations((w), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),             \
                       (const int64_t[]){__VA_ARGS__})

/* ---- the work; each: 0, or -1 with *e, or 1: the device does not do it */

static void go_linear(struct work *w)
{
    op_linear(w->d, &w->y, &w->x, &w->linear, ACT_NONE);
}

/* FP8 weights: what turns the input into FP8 is part of the work, as it is in a model. */
static int set_linear(struct work *w, int64_t size, enum dtype dtype, struct error *e)
{
    struct tensor weight = RANDOM_HOST(w, size, size);
    const struct tensor *weights[1] = {&weight};

    w->x = RANDOM(w, size, size);
    w->y = ACTIVATION_NEW(w->d, &w->memory, size, size);
    if (!weight.data || !w->x.data || !w->y.data)
        return error_memory(e);
    w->amount = 2.0 * (double)size * (double)size * (double)size;
    w->go = go_linear;
    if (linear_pack_as(w->d, &w->memory, dtype, 1, weights, NULL, &w->linear, e) != 0)
        return -1;
    return w->linear.dtype == dtype ? 0 : 1;
}

static void go_attention(struct work *w)
{
    op_attention(w->d, &w->y, &w->x, &w->z, &w->z, 0.0884f, NULL);
}

static int set_attention(struct work *w, struct error *e)
{
    enum { TOKENS = 16384, HEADS = 16, DIM = 128 };

    w->x = RANDOM(w, TOKENS, HEADS, DIM);
    w->z = RANDOM(w, TOKENS, HEADS, DIM);
    w->y = ACTIVATION_NEW(w->d, &w->memory, TOKENS, HEADS, DIM);
    if (!w->x.data || !w->y.data || !w->z.data)
        return error_memory(e);
    w->amount = 4.0 * TOKENS * TOKENS * HEADS * DIM;
    w->go = go_attention;
    return 0;
}

enum { FRAMES = 8, SIDE = 128, CHANNELS = 256 };

static void go_conv(struct work *w)
{
    struct tensor taps[3];

    for (int i = 0; i < 3; i++)
        taps[i] = tensor_slice(w->x, 0, i, FRAMES);
    op_conv(w->d, &w->y, (const struct tensor *const[]){&taps[0], &taps[1], &taps[2]}, &w->conv,
            NULL);
}

static int set_conv(struct work *w, struct error *e)
{
    struct tensor weight = RANDOM_HOST(w, CHANNELS, CHANNELS, 3, 3, 3);

    w->x = RANDOM(w, FRAMES + 2, SIDE, SIDE, CHANNELS);
    w->y = ACTIVATION_NEW(w->d, &w->memory, FRAMES, SIDE, SIDE, CHANNELS);
    if (!weight.data || !w->x.data || !w->y.data)
        return error_memory(e);
    w->amount = 2.0 * 27 * CHANNELS * CHANNELS * FRAMES * SIDE * SIDE;
    w->go = go_conv;
    return conv_pack(w->d, &w->memory, &weight, NULL, (struct conv_form){.scale = 1, .stride = 1},
                     &w->conv, e);
}

static void go_copy(struct work *w)
{
    op_copy(w->d, &w->y, &w->x);
}

static int set_copy(struct work *w, struct error *e)
{
    enum { NUMBERS = 256 << 20 };

    w->x = RANDOM(w, NUMBERS);
    w->y = ACTIVATION_NEW(w->d, &w->memory, NUMBERS);
    if (!w->x.data || !w->y.data)
        return error_memory(e);
    w->amount = 2.0 * NUMBERS * (double)dtype_size(device_activations(w->d));
    w->go = go_copy;
    return 0;
}

/* Of the CPU: what its threads move together, piece by piece. */
enum { PIECE = 1 << 20, PIECES = 128 };

static void copy_pieces(const void *job, int64_t from, int64_t to, int thread)
{
    const struct work *w = job;

    (void)thread;
    memcpy((char *)w->y.data + from * PIECE, (const char *)w->x.data + from * PIECE,
           (size_t)(to - from) * PIECE);
}

static void go_cpu_copy(struct work *w)
{
    pool_run(w->d->pool, PIECES, 1, copy_pieces, w);
}

static int set_cpu_copy(struct work *w, struct error *e)
{
    int64_t numbers = (int64_t)PIECES * PIECE / 4;

    w->x = RANDOM_HOST(w, numbers);
    w->y = TENSOR_NEW(&w->host, numbers);
    if (!w->x.data || !w->y.data)
        return error_memory(e);
    w->amount = 2.0 * PIECES * PIECE;
    w->go = go_cpu_copy;
    return 0;
}

static int set_up(struct work *w, enum figure figure, struct error *e)
{
    switch (figure) {
    case FIGURE_COPY:
        return set_copy(w, e);
    case FIGURE_ATTENTION:
        return set_attention(w, e);
    case FIGURE_CONV:
        return set_conv(w, e);
    case FIGURE_CPU_COPY:
        return set_cpu_copy(w, e);
    case FIGURE_CPU_GEMM:
        return set_linear(w, 1024, DTYPE_F32, e);
    case FIGURE_GEMM_F8:
        return set_linear(w, 8192, DTYPE_F8_E4M3, e);
    default:
        return set_linear(w, 8192, device_activations(w->d), e);
    }
}

static int measure_on(struct device *d, enum figure figure, struct measured *out, struct error *e)
{
    struct work w = {.d = d, .memory = device_arena(d)};
    int rc = set_up(&w, figure, e);

    if (rc == 0)
        rc = rate(&w, &out->value, e);
    else if (rc > 0)
        snprintf(out->note, sizeof out->note, "the library has no such products for this GPU");
    arena_free(&w.memory);
    arena_free(&w.host);
    return rc;
}

/* ---- what no operation shows */

static int probe_of(enum figure figure)
{
    return figure == FIGURE_UPLOAD       ? PROBE_UPLOAD
           : figure == FIGURE_DOWNLOAD   ? PROBE_DOWNLOAD
           : figure == FIGURE_PEER       ? PROBE_PEER
           : figure == FIGURE_ALL_REDUCE ? PROBE_ALL_REDUCE
                                         : -1;
}

int measure_gpu(enum figure figure, struct device_options device, int peer, struct measured *out,
                struct error *e)
{
    struct device_options o = {
        .kind = DEVICE_CUDA, .threads = 1, .index = device.index, .notes = device.notes};
    int probe = probe_of(figure), rc;
    const char *missing;
    struct device *d;

    *out = (struct measured){0};
    o.activations = figure == FIGURE_GEMM_F16 ? DTYPE_F16 : DTYPE_BF16;
    o.linears = figure == FIGURE_GEMM_F8 ? DTYPE_F8_E4M3 : o.activations;
    if (device_open(&o, &d, e) != 0)
        return -1;
    missing = figure_missing(device_facts(d), figure);
    if (missing) {
        snprintf(out->note, sizeof out->note, "%s", missing);
        rc = 1;
    } else if (probe >= 0) {
        rc = d->probe(d, (enum device_probe)probe, peer, &out->value, out->note, sizeof out->note);
        if (rc < 0)
            error_set(e, ERROR_INTERNAL, "%s", out->note);
    } else {
        rc = measure_on(d, figure, out, e);
    }
    device_close(d);
    return rc;
}

int measure_cpu(enum figure figure, struct device_options device, struct measured *out,
                struct error *e)
{
    const struct device_options o = {.threads = device.threads, .notes = device.notes};
    struct device *d;
    int rc;

    *out = (struct measured){0};
    if (device_open(&o, &d, e) != 0)
        return -1;
    rc = measure_on(d, figure, out, e);
    device_close(d);
    return rc;
}
