/* Holds every operation of a device against the plain C reference, on random, extreme, odd and
 * unaligned shapes:
 *
 *   check_ops [--device cpu|cuda] [--dtype f32|f16|bf16] [--op NAME] [--rounds N] [--seed N]
 *             [--attention fp8] [--patience 0|1|2|3] [--small] [--blind] [--time]
 *
 * --blind compares nothing: that every operation can be issued, on a device that computes nothing
 * (tests/cuda). Links only kernels/, so that it runs where nothing else is installed. Without a
 * GPU, and without --device, it says "skip" and succeeds.
 */
#include "tests/kernels/check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/device_impl.h"

/* ||got - want|| / ||want|| at most, for F32, F16 and BF16; and no element off by more than `worst`
 * times that limit, measured by its own size and the root mean square together.
 *
 * A half rounds its result by at most 2^-11 (F16) or 2^-8 (BF16) of it: ROUNDING. Reading halves
 * costs nothing here, since both sides read the same. Rounded on the way besides: a linear layer's
 * bias and x in F32, its result before an activation that cuBLASLt does not fuse, attention's
 * weights, a convolution before its residual: PRODUCT. Numbers of less than 2^-14 have fewer digits
 * in F16, which shows where results are that small: SMALL. Values and weights of E4M3 are off by
 * 2.6 % of themselves each, scores in INT8 by a few hundredths. F32's limits are what sums of
 * thousands in another order cost; 1e-5: cuBLASLt's own tanh, rows of two numbers that are nearly
 * the same, and attention's weights, whose scores of a hundred have a last digit of 8e-6. */
#define ROUNDING 4.9e-4, 3.95e-3
#define PRODUCT  1.2e-3, 8e-3
#define SMALL    1e-3, 3.95e-3
/* FP8 against the reference's FP8: the bias in BF16 and sums of fewer digits: FP8_PRODUCT; a number
 * that the last bit of a norm moves over the middle between two of E4M3, an eighth of it: FP8_ROWS.
 * Against the product of the numbers themselves: FP8_ITSELF. */
#define FP8_PRODUCT 3e-3, 3e-3, 8e-3
#define FP8_ROWS    1.1e-2, 1.1e-2, 1.1e-2
#define FP8_ITSELF  6e-2, 6e-2, 6e-2
static const struct limit {
    const char *op;
    double limit[3];
} limits[] = {
    {"linear", {1e-5, PRODUCT}},
    {"linear_add", {2e-6, PRODUCT}},
    {"attention", {1e-5, PRODUCT}},
    {"FP8 attention", {0, 0.05, 0.05}},
    {"FP8, means", {0, 0.05, 0.05}},
    {"FP8, outliers", {0, 0.05, 0.05}},
    {"linear_gated", {2e-6, PRODUCT}},
    {"linear_shifted", {2e-6, PRODUCT}},
    {"linear_glu", {1e-5, PRODUCT}},
    {"f8 linear_shifted", {FP8_PRODUCT}},
    {"f8 linear", {FP8_PRODUCT}},
    {"f8 linear_gated", {FP8_PRODUCT}},
    {"f8 against exact", {FP8_ITSELF}},
    {"f8 rows", {FP8_ROWS}},
    {"norm_rope", {3e-6, 1e-3, 8e-3}},
    {"layer_norm", {1e-5, ROUNDING}},
    {"rms_norm", {1e-6, ROUNDING}},
    {"channel_norm", {1e-6, ROUNDING}},
    {"group_norm", {3e-6, ROUNDING}},
    {"group_norm_shifted", {3e-6, ROUNDING}},
    {"group_statistics", {3e-6, ROUNDING}},
    {"normalise", {2e-6, ROUNDING}},
    {"rope", {1e-6, ROUNDING}},
    {"embed", {0, ROUNDING}},
    {"activation", {2e-6, SMALL}},
    {"add", {1e-6, ROUNDING}},
    {"glu", {2e-6, SMALL}},
    {"blend", {1e-6, ROUNDING}},
    {"add_gated", {1e-6, ROUNDING}},
    {"prelu", {1e-6, ROUNDING}},
    {"modulate", {1e-6, ROUNDING}},
    {"distance", {1e-5, 1e-5, 1e-5}}, /* sums in F32 of what both sides read alike */
    {"copy", {0, ROUNDING}},
    {"conv", {2e-6, PRODUCT}},
    {"conv_prelu", {2e-6, PRODUCT}},
    {"conv_clips", {2e-6, PRODUCT}},
    {"patchify", {0, ROUNDING}},
    {"unpatchify", {0, ROUNDING}},
    {"write and read", {0, ROUNDING}},
    {"read_begin", {0, 0, 0}},
};
static const double worst = 12;

static struct result {
    int compared, failed;
    double most;
} results[sizeof limits / sizeof *limits];

bool wanted(const struct check *c, const char *op)
{
    return !c->only || strcmp(c->only, op) == 0;
}

/* ---- random numbers: splitmix64 */

static uint64_t random_bits(struct check *c)
{
    uint64_t z = c->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

int64_t between(struct check *c, int64_t from, int64_t to)
{
    return from + (int64_t)(random_bits(c) % (uint64_t)(to - from + 1));
}

float random_float(struct check *c)
{
    return (float)(random_bits(c) >> 40) / 8388608.0f - 1;
}

int64_t random_size(struct check *c, int64_t most)
{
    if (between(c, 0, 2) == 0)
        return between(c, 1, most);
    return most < 8 ? most : 8 * between(c, 1, most / 8);
}

enum number_kind either(struct check *c)
{
    return between(c, 0, 2) == 0 ? VECTORS_ : ACTIVATIONS_;
}

/* ---- numbers on both sides */

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "check_ops: %s\n", what);
        exit(1);
    }
}

static void device_must(struct device *d)
{
    struct error e = {0};
    if (device_status(d, &e))
        must(false, e.text);
}

struct pair numbers(struct check *c, enum number_kind kind, int rank, const int64_t *shape,
                    int64_t gap, int64_t offset, float scale)
{
    enum dtype dtype = kind == ACTIVATIONS_ ? c->dtype : DTYPE_F32;
    int64_t row = shape[rank - 1] + gap, count = row + offset;
    struct pair p;
    float *data;

    for (int i = 0; i + 1 < rank; i++)
        count = i ? count * shape[i] : row * shape[0];
    count += offset;
    p.host = TENSOR_NEW(&c->host, count);
    p.device = tensor_new_of(&c->device, dtype, 1, &count);
    must(p.host.data && p.device.data, "out of memory");
    data = p.host.data;
    for (int64_t i = 0; i < count; i++)
        data[i] = random_float(c) * scale;
    settle(c, &p);
    p.host.data = data + offset;
    p.device.data = (char *)p.device.data + (size_t)offset * dtype_size(dtype);
    p.host.rank = p.device.rank = rank;
    for (int i = rank - 1; i >= 0; i--) {
        p.host.shape[i] = p.device.shape[i] = shape[i];
        p.host.stride[i] = p.device.stride[i] = i == rank - 1 ? 1
                                                : i == rank - 2
                                                    ? row
                                                    : p.host.stride[i + 1] * shape[i + 1];
    }
    return p;
}

static struct tensor dense(struct check *c, const struct tensor *t)
{
    struct tensor out = tensor_new(&c->host, t->rank, t->shape);
    must(out.data != NULL, "out of memory");
    return out;
}

/* op_write() and op_read() want contiguous numbers: through a copy there. */
static void send(struct check *c, struct tensor *to, const struct tensor *plain)
{
    struct tensor there = tensor_new_of(&c->device, to->dtype, plain->rank, plain->shape);

    must(there.data != NULL, "out of memory");
    op_write(c->tested, &there, plain);
    op_copy(c->tested, to, &there);
}

static void fetch(struct check *c, struct tensor *plain, const struct tensor *from)
{
    struct tensor there = tensor_new_of(&c->device, from->dtype, plain->rank, plain->shape);

    must(there.data != NULL, "out of memory");
    op_copy(c->tested, &there, from);
    op_read(c->tested, plain, &there);
}

void settle(struct check *c, struct pair *p)
{
    struct tensor plain = dense(c, &p->host);

    op_copy(c->reference, &plain, &p->host);
    send(c, &p->device, &plain);
    fetch(c, &plain, &p->device);
    op_copy(c->reference, &p->host, &plain);
    device_must(c->reference);
    device_must(c->tested);
}

void poison(struct check *c, struct pair *p)
{
    struct tensor plain = dense(c, &p->host);

    for (int64_t i = 0; i < tensor_count(&plain); i++)
        ((float *)plain.data)[i] = NAN;
    send(c, &p->device, &plain);
    device_must(c->tested);
}

/* ---- comparing */

static double relative_error(const struct tensor *got, const struct tensor *want, double limit,
                             double *out_of_line)
{
    const float *a = got->data, *b = want->data;
    double error = 0, norm = 0, mean;
    int64_t n = tensor_count(want);

    for (int64_t i = 0; i < n; i++) {
        error += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    mean = sqrt(norm / (double)(n ? n : 1));
    *out_of_line = 0;
    for (int64_t i = 0; i < n; i++) {
        double off = fabs((double)a[i] - b[i]), room = limit * (fabs(b[i]) + mean);
        if (!(off <= worst * room) && off > 0)
            *out_of_line = fmax(*out_of_line, room > 0 ? off / room : INFINITY);
    }
    return sqrt(error) / (norm > 0 ? sqrt(norm) : 1);
}

void compare(struct check *c, const char *op, const struct pair *got, const char *format, ...)
{
    struct tensor a = dense(c, &got->host), b = dense(c, &got->host);
    enum dtype dtype = c->dtype;
    double error, limit, off;
    size_t at = 0;
    va_list args;

    while (at < sizeof limits / sizeof *limits && strcmp(limits[at].op, op) != 0)
        at++;
    must(at < sizeof limits / sizeof *limits, op);
    limit = limits[at].limit[dtype];
    fetch(c, &a, &got->device);
    op_copy(c->reference, &b, &got->host);
    device_must(c->reference);
    device_must(c->tested);
    error = relative_error(&a, &b, limit, &off);
    c->compared++;
    results[at].compared++;
    if (c->blind)
        return;
    if (error > results[at].most || error != error)
        results[at].most = error;
    if (error <= limit && off == 0)
        return;
    c->failed++;
    if (results[at].failed++ > 5)
        return;
    printf("%s %s: error %.3g, allowed %.3g; worst element %.3g of them: ", dtype_name(dtype), op,
           error, limit, off);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

/* ---- the program */

struct options {
    struct device_options device;
    bool any_device, any_dtype, time, small, blind;
    const char *op;
    uint64_t seed;
    int rounds;
};

static void report(enum dtype dtype)
{
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (results[i].compared)
            printf("%-5s %-18s %5d cases, largest error %.2e, allowed %.1e%s\n", dtype_name(dtype),
                   limits[i].op, results[i].compared, results[i].most, limits[i].limit[dtype],
                   results[i].failed ? "  FAILED" : "");
    memset(results, 0, sizeof results);
}

static int check_dtype(const struct options *o, enum dtype dtype)
{
    struct check c = {.attention = o->device.attention,
                      .dtype = dtype,
                      .state = o->seed,
                      .only = o->op,
                      .small = o->small,
                      .blind = o->blind};
    struct device_options options = o->device;
    struct error e = {0};

    options.activations = dtype;
    options.linears = DTYPE_F8_E4M3;
    if (device_open_reference(2, &c.reference, &e) || device_open(&options, &c.tested, &e)) {
        printf("%s\n", e.text);
        device_close(c.reference);
        return -1;
    }
    c.device = device_arena(c.tested);
    for (int i = 0; i < o->rounds; i++) {
        static void (*const subjects[])(struct check *) = {
            check_matrices, check_attention, check_rows, check_fused,
            check_pictures, check_graphs,    check_large};
        c.first = i == 0;
        for (size_t k = 0; k < sizeof subjects / sizeof *subjects; k++) {
            subjects[k](&c);
            device_must(c.reference);
            device_must(c.tested);
            arena_free(&c.host);
            arena_free(&c.device);
        }
    }
    report(dtype);
    if (o->time)
        time_operations(c.tested, o->op);
    device_close(c.reference);
    device_close(c.tested);
    return c.failed;
}

static bool gpu_is_missing(const struct options *o)
{
    struct device_options options = o->device;
    struct device *d;
    struct error e = {0};

    if (device_open(&options, &d, &e) == 0) {
        device_close(d);
        return false;
    }
    printf("skip: no GPU to check the CUDA operations on: %s\n", e.text);
    return true;
}

static int parse(struct options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--small") == 0) {
            o->small = true;
            continue;
        } else if (strcmp(argv[i], "--blind") == 0) {
            o->blind = true;
            continue;
        } else if (strcmp(argv[i], "--time") == 0) {
            o->time = true;
            continue;
        } else if (strcmp(argv[i], "--device") == 0) {
            o->any_device = false;
            o->device.kind = strcmp(value, "cpu") == 0 ? DEVICE_CPU : DEVICE_CUDA;
        } else if (strcmp(argv[i], "--dtype") == 0) {
            o->any_dtype = false;
            o->device.activations = strcmp(value, "f16") == 0    ? DTYPE_F16
                                    : strcmp(value, "bf16") == 0 ? DTYPE_BF16
                                                                 : DTYPE_F32;
        } else if (strcmp(argv[i], "--op") == 0) {
            o->op = value;
        } else if (strcmp(argv[i], "--attention") == 0) {
            o->device.attention = strcmp(value, "fp8") == 0 ? DTYPE_F8_E4M3 : DTYPE_F32;
        } else if (strcmp(argv[i], "--patience") == 0) {
            o->device.patience = (enum patience)atoi(value);
        } else if (strcmp(argv[i], "--rounds") == 0) {
            o->rounds = atoi(value);
        } else if (strcmp(argv[i], "--seed") == 0) {
            o->seed = strtoull(value, NULL, 10);
        } else {
            fprintf(stderr, "check_ops: what is %s?\n", argv[i]);
            return -1;
        }
        i++;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct options o = {.device.kind = DEVICE_CUDA,
                        .any_device = true,
                        .any_dtype = true,
                        .seed = 20261121,
                        .rounds = 40};
    int failed = 0;

    if (parse(&o, argc, argv))
        return 1;
    if (o.any_device && gpu_is_missing(&o))
        return 0;
    printf("seed %llu\n", (unsigned long long)o.seed);
    for (enum dtype t = DTYPE_F32; t <= DTYPE_BF16; t++)
        if (t == o.device.activations ||
            (o.any_dtype && (t == DTYPE_F32 || o.device.kind == DEVICE_CUDA))) {
            int n = check_dtype(&o, t);
            if (n < 0)
                return 1;
            failed += n;
        }
    printf("check_ops: %s\n", failed    ? "FAILED"
                              : o.blind ? "all issued, nothing compared"
                                        : "all as the reference");
    return failed ? 1 : 0;
}
