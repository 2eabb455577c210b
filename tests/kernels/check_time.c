/* Large shapes, as the published models have them, timed: GB/s where memory is the limit, TFLOP/s
 * where arithmetic is; beside them what a plain copy and a large matrix product reach here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/kernels/check_time.h"

bool skips(const struct bench *b, const char *name)
{
    return b->only && !strstr(name, b->only);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool working(struct bench *b, const char *name)
{
    struct error e = {0};
    if (device_status(b->d, &e) == 0)
        return true;
    printf("%s: %s\n", name, e.text);
    return false;
}

double seconds(struct bench *b, const char *name, bench_fn *run, void *job)
{
    double took[7], start;
    int calls = 1;

    for (int i = 0; i < 2; i++)
        run(b, job);
    if (!working(b, name))
        return 0;
    start = now();
    run(b, job);
    working(b, name);
    calls = (int)(0.02 / (now() - start + 1e-6));
    calls = calls < 1 ? 1 : calls > 200 ? 200 : calls;
    for (int i = 0; i < 7; i++) {
        start = now();
        for (int k = 0; k < calls; k++)
            run(b, job);
        working(b, name);
        took[i] = (now() - start) / calls;
        for (int k = i; k > 0 && took[k] < took[k - 1]; k--) {
            double t = took[k];
            took[k] = took[k - 1];
            took[k - 1] = t;
        }
    }
    return took[3];
}

void tell(struct bench *b, const char *name, double s, double bytes, double flop)
{
    if (s <= 0)
        return;
    if (flop > 0)
        printf("time  %-46s %9.3f ms %8.1f TFLOP/s %4.0f %%\n", name, s * 1e3, flop / s * 1e-12,
               100 * flop / s / b->product_rate);
    else
        printf("time  %-46s %9.3f ms %8.0f GB/s    %4.0f %%\n", name, s * 1e3, bytes / s * 1e-9,
               100 * bytes / s / b->copy_rate);
    fflush(stdout);
}

/* Random activations: a small block written, then doubled by copies. */
struct tensor big(struct bench *b, int rank, const int64_t *shape)
{
    struct tensor t = activation_new(b->d, &b->memory, rank, shape), flat;
    int64_t n = tensor_count(&t), have = n < 65536 ? n : 65536;
    float *values = malloc((size_t)have * sizeof *values);
    uint32_t bits = 12345;

    if (!t.data || !values) {
        printf("time: out of memory\n");
        exit(1);
    }
    for (int64_t i = 0; i < have; i++) {
        bits = bits * 1664525 + 1013904223;
        values[i] = (float)(bits >> 8) / 8388608.0f - 1;
    }
    flat = TENSOR_VIEW(t, n);
    struct tensor first = tensor_slice(flat, 0, 0, have), host = TENSOR_F32(values, have);
    op_write(b->d, &first, &host);
    while (have < n) {
        int64_t more = have < n - have ? have : n - have;
        struct tensor from = tensor_slice(flat, 0, 0, more), to = tensor_slice(flat, 0, have, more);
        op_copy(b->d, &to, &from);
        have += more;
    }
    working(b, "filling");
    free(values);
    return t;
}
struct job {
    struct tensor x, y, out, cos, sin, vectors;
    const struct tensor *taps[3];
    struct linear linear;
    struct conv conv;
    enum activation act;
    int groups;
};

static void run_copy(struct bench *b, void *p)
{
    struct job *j = p;
    op_copy(b->d, &j->out, &j->x);
}
static void run_linear(struct bench *b, void *p)
{
    struct job *j = p;
    op_linear(b->d, &j->out, &j->x, &j->linear, j->act);
}
static void run_linear_glu(struct bench *b, void *p)
{
    struct job *j = p;
    op_linear_glu(b->d, &j->out, &j->x, &j->linear, j->act);
}
static void run_linear_then_glu(struct bench *b, void *p)
{
    struct job *j = p;
    int64_t n = j->out.shape[1];
    struct tensor value = tensor_slice(j->y, 1, 0, n), gate = tensor_slice(j->y, 1, n, n);
    op_linear(b->d, &j->y, &j->x, &j->linear, ACT_NONE);
    op_glu(b->d, &value, &value, &gate, j->act);
}
static void run_gated(struct bench *b, void *p)
{
    struct job *j = p;
    op_linear_gated(b->d, &j->out, &j->x, &j->linear, &j->out, &j->vectors);
}
static void run_f8_layer_norm(struct bench *b, void *p)
{
    struct job *j = p;
    struct tensor out = activation_as_input(&j->linear, j->out);
    op_layer_norm(b->d, &out, &j->x, &j->vectors, &j->vectors, 1e-6f);
}
static void run_f8_quantise(struct bench *b, void *p)
{
    struct job *j = p;
    struct tensor out = activation_as_input(&j->linear, j->out);
    op_activation(b->d, &out, &j->x, j->act);
}
static void run_norm_rope(struct bench *b, void *p)
{
    struct job *j = p;
    struct head_norm norm = {(enum heads_norm)j->groups, &j->vectors, NULL, 1e-6f};
    struct turn turn = {&j->cos, &j->sin, ROPE_NEIGHBOURS, 0};
    op_norm_rope(b->d, &j->x, &norm, &turn);
}
static void run_conv(struct bench *b, void *p)
{
    struct job *j = p;
    op_conv(b->d, &j->out, j->taps, &j->conv, NULL);
}
static void run_layer_norm(struct bench *b, void *p)
{
    struct job *j = p;
    op_layer_norm(b->d, &j->out, &j->x, &j->vectors, &j->vectors, 1e-6f);
}
static void run_rms_norm(struct bench *b, void *p)
{
    struct job *j = p;
    op_rms_norm(b->d, &j->out, &j->x, &j->vectors, 1e-6f);
}
static void run_channel_norm(struct bench *b, void *p)
{
    struct job *j = p;
    op_channel_norm(b->d, &j->out, &j->x, &j->vectors, ACT_SILU);
}
static void run_group_norm(struct bench *b, void *p)
{
    struct job *j = p;
    op_group_norm(b->d, &j->out, &j->x, j->groups, NULL, NULL, 1e-6f, ACT_SILU);
}
static void run_glu(struct bench *b, void *p)
{
    struct job *j = p;
    op_glu(b->d, &j->out, &j->x, &j->y, ACT_SILU);
}
static void run_add_gated(struct bench *b, void *p)
{
    struct job *j = p;
    op_add_gated(b->d, &j->out, &j->x, &j->y, &j->vectors);
}
static void run_rope(struct bench *b, void *p)
{
    struct job *j = p;
    op_rope(b->d, &j->x, &j->cos, &j->sin, j->groups ? ROPE_HALVES : ROPE_NEIGHBOURS);
}

static struct linear random_linear(struct bench *b, enum dtype dtype, int64_t out, int64_t in)
{
    struct arena host = {0};
    struct tensor w = TENSOR_NEW(&host, out, in), bias = TENSOR_NEW(&host, out);
    struct linear l = {0};
    struct error e = {0};

    for (int64_t i = 0; w.data && i < out * in; i++)
        ((float *)w.data)[i] = (float)((i * 2654435761u >> 7) % 2001) / 1e5f - 0.01f;
    const struct tensor *weight = &w, *biases = &bias;
    if (!w.data || !bias.data ||
        linear_pack_as(b->d, &b->memory, dtype, 1, &weight, &biases, &l, &e))
        printf("packing: %s\n", e.text);
    arena_free(&host);
    return l;
}

static void tell_product(struct bench *b, const char *name, double s, double flop, bool f8)
{
    double *rate = f8 ? &b->f8_rate : &b->product_rate, kept = b->product_rate;

    if (*rate == 0 && s > 0)
        *rate = flop / s;
    b->product_rate = *rate;
    tell(b, name, s, 0, flop);
    if (f8)
        b->product_rate = kept;
}

static void time_linear(struct bench *b, const char *name, int64_t m, int64_t n, int64_t k,
                        enum activation act)
{
    bool f8 = strncmp(name, "f8", 2) == 0, gated = strstr(name, "gated") != NULL;
    double flop = 2.0 * (double)m * (double)n * (double)k, s;

    if (skips(b, name) && b->product_rate != 0)
        return;
    struct job j = {.x = BIG(m, k), .out = BIG(m, n), .act = act};
    j.linear = random_linear(b, f8 ? DTYPE_F8_E4M3 : device_activations(b->d), n, k);
    j.vectors = TENSOR_NEW(&b->memory, n);
    s = j.linear.packed && f8 == (j.linear.dtype == DTYPE_F8_E4M3)
            ? seconds(b, name, gated ? run_gated : run_linear, &j)
            : 0;
    tell_product(b, name, s, flop, f8);
    if (f8 && s > 0 && !gated) { /* its input already in FP8 */
        struct tensor x = activation_as_input(&j.linear, j.x);
        op_copy(b->d, &x, &j.x);
        j.x = x;
        tell_product(b, "   its input in FP8", seconds(b, name, run_linear, &j), flop, true);
    }
    arena_free(&b->memory);
}

/* The feed-forward layers of SVD and SDXL, and the same in two operations. */
static void time_linear_glu(struct bench *b, int64_t m, int64_t k, int64_t n)
{
    double flop = 4.0 * (double)m * (double)n * (double)k;
    char name[64];

    snprintf(name, sizeof name, "linear_glu %lld x 2 x %lld x %lld", (long long)m, (long long)n,
             (long long)k);
    if (skips(b, name))
        return;
    struct job j = {.x = BIG(m, k), .y = BIG(m, 2 * n), .out = BIG(m, n), .act = ACT_GELU};
    j.linear = random_linear(b, device_activations(b->d), 2 * n, k);
    if (j.linear.packed) {
        tell_product(b, name, seconds(b, name, run_linear_glu, &j), flop, false);
        tell_product(b, "   linear and glu", seconds(b, name, run_linear_then_glu, &j), flop,
                     false);
    }
    arena_free(&b->memory);
}

static void time_conv(struct bench *b, const char *name, int64_t frames, int64_t h, int64_t w,
                      int64_t in, int64_t out, int kt, int kernel, struct conv_form form)
{
    if (skips(b, name))
        return;
    struct arena host = {0};
    struct tensor clip = BIG(frames + kt - 1, h, w, in), weight, bias, tap[3];
    int64_t scale = form.scale;
    struct job j = {.out = BIG(frames, h * scale / form.stride, w * scale / form.stride, out)};
    struct error e = {0};
    double s = 0;

    weight = TENSOR_NEW(&host, out, in, kt, kernel, kernel);
    bias = TENSOR_NEW(&host, out);
    for (int64_t i = 0; weight.data && i < tensor_count(&weight); i++)
        ((float *)weight.data)[i] = (float)((i * 2654435761u >> 7) % 2001) / 1e5f - 0.01f;
    for (int t = 0; t < kt; t++) {
        tap[t] = tensor_slice(clip, 0, t, frames);
        j.taps[t] = &tap[t];
    }
    if (!weight.data || !bias.data ||
        conv_pack(b->d, &b->memory, &weight, &bias, form, &j.conv, &e))
        printf("packing: %s\n", e.text);
    else
        s = seconds(b, name, run_conv, &j);
    tell(b, name, s, 0,
         2.0 * (double)tensor_count(&j.out) * (double)in * (double)(kt * kernel * kernel));
    arena_free(&host);
    arena_free(&b->memory);
}

static void time_rows(struct bench *b, const char *name, bench_fn *run, double streams,
                      int64_t rows, int64_t columns)
{
    if (skips(b, name) && b->copy_rate != 0)
        return;
    struct job j = {.x = BIG(rows, columns), .y = BIG(rows, columns), .out = BIG(rows, columns)};
    j.linear.dtype = DTYPE_F8_E4M3;
    j.act = ACT_GELU_TANH;
    double bytes = streams * (double)(rows * columns) * (double)dtype_size(j.x.dtype), s;

    j.vectors = TENSOR_NEW(&b->memory, columns);
    s = seconds(b, name, run, &j);
    if (b->copy_rate == 0 && s > 0)
        b->copy_rate = bytes / s;
    tell(b, name, s, bytes, 0);
    arena_free(&b->memory);
}

/* Weights from host memory to the device: what loading a model comes to once its file is read. */
static void time_pack(struct bench *b, const char *name, enum dtype stored)
{
    if (skips(b, name))
        return;
    int64_t shape[2] = {16384, 32768};
    size_t size = (size_t)(shape[0] * shape[1]) * dtype_size(stored);
    unsigned char *bytes = malloc(size);
    struct tensor w = tensor_of(stored, bytes, 2, shape);
    struct linear l;
    struct error e = {0};
    double start, best = 0;

    if (bytes)
        memset(bytes, 1, size);
    for (int i = 0; bytes && i < 3; i++) {
        start = now();
        if (linear_pack(b->d, &b->memory, &w, NULL, &l, &e) || !working(b, name)) {
            printf("%s: %s\n", name, e.text);
            break;
        }
        best = best == 0 || now() - start < best ? now() - start : best;
        arena_free(&b->memory);
    }
    tell(b, name, best, (double)size, 0);
    free(bytes);
}

static void time_f8(struct bench *b)
{
    static const int64_t hunyuan[][2] = {
        {9216, 3072}, {3072, 3072}, {12288, 3072}, {3072, 12288}, {3072, 15360}};
    char name[64];

    time_linear(b, "f8 linear 8192 x 8192 x 8192", 8192, 8192, 8192, ACT_NONE);
    for (size_t i = 0; i < sizeof hunyuan / sizeof *hunyuan; i++)
        for (int kind = 0; kind < 4; kind++) {
            snprintf(name, sizeof name, "%slinear%s 18256 x %lld x %lld", kind & 1 ? "f8 " : "",
                     kind & 2 ? ", gated," : "", (long long)hunyuan[i][0],
                     (long long)hunyuan[i][1]);
            if (!(kind & 2) || hunyuan[i][0] == 3072)
                time_linear(b, name, 18256, hunyuan[i][0], hunyuan[i][1],
                            hunyuan[i][0] == 12288 && !(kind & 2) ? ACT_GELU_TANH : ACT_NONE);
        }
    time_linear(b, "f8 linear 32760 x 13824 x 5120 gelu", 32760, 13824, 5120, ACT_GELU_TANH);
    time_linear(b, "f8 linear 32760 x 5120 x 13824", 32760, 5120, 13824, ACT_NONE);
}

static void time_matrices(struct bench *b)
{
    time_linear(b, "linear 8192 x 8192 x 8192", 8192, 8192, 8192, ACT_NONE);
    time_linear(b, "linear 20000 x 5120 x 5120", 20000, 5120, 5120, ACT_NONE);
    time_linear(b, "linear 20000 x 13824 x 5120 gelu", 20000, 13824, 5120, ACT_GELU_TANH);
    time_linear(b, "linear 256 x 4096 x 4096", 256, 4096, 4096, ACT_NONE);
    time_linear_glu(b, 51200, 320, 1280);
    time_linear_glu(b, 23040, 640, 2560);
    time_linear_glu(b, 9728, 1280, 5120);
    time_linear_glu(b, 8192, 1280, 5120);
    time_linear_glu(b, 8192, 640, 2560);
    time_linear_glu(b, 2048, 1280, 5120);
}

static void time_pictures(struct bench *b)
{
    static const struct conv_form plain = {1, 1, CONV_ZEROS}, twice = {2, 1, CONV_ZEROS};
    static const struct conv_form replicate = {1, 1, CONV_REPLICATE};

    time_conv(b, "conv3d 4 x 180 x 320, 512 to 512", 4, 180, 320, 512, 512, 3, 3, plain);
    time_conv(b, "conv3d 4 x 360 x 640, 256 to 256, replicate", 4, 360, 640, 256, 256, 3, 3,
              replicate);
    time_conv(b, "conv3d 2 x 720 x 1280, 128 to 128", 2, 720, 1280, 128, 128, 3, 3, plain);
    time_conv(b, "conv2d 1 x 720 x 1280, 128 to 3", 1, 720, 1280, 128, 3, 1, 3, plain);
    time_conv(b, "conv2d 1 x 180 x 320, 512 to 512, enlarged", 1, 180, 320, 512, 512, 1, 3, twice);
    time_conv(b, "conv2d 2 x 64 x 64, 640 to 640", 2, 64, 64, 640, 640, 1, 3, plain);
}

/* Queries of a joint projection. */
static void time_norm_rope(struct bench *b, const char *name, enum heads_norm kind, int64_t tokens,
                           int64_t heads)
{
    if (skips(b, name))
        return;
    struct job j = {.x = BIG(tokens, 3 * heads, 128), .groups = (int)kind};
    double bytes = 2.0 * (double)(tokens * heads * 128) * (double)dtype_size(j.x.dtype);

    j.x = tensor_slice(j.x, 1, 0, heads);
    j.cos = TENSOR_NEW(&b->memory, tokens, 64);
    j.sin = TENSOR_NEW(&b->memory, tokens, 64);
    j.vectors = TENSOR_NEW(&b->memory, kind == HEADS_TOGETHER_RMS ? heads * 128 : 128);
    tell(b, name, seconds(b, name, run_norm_rope, &j), bytes, 0);
    arena_free(&b->memory);
}

static void time_fused(struct bench *b)
{
    time_rows(b, "layer_norm 18256 x 3072", run_layer_norm, 2, 18256, 3072);
    time_rows(b, "layer_norm 32760 x 5120", run_layer_norm, 2, 32760, 5120);
    time_rows(b, "layer_norm 460800 x 320", run_layer_norm, 2, 460800, 320);
    time_rows(b, "layer_norm to f8 460800 x 320", run_f8_layer_norm, 1.5, 460800, 320);
    time_rows(b, "layer_norm to f8 18256 x 3072", run_f8_layer_norm, 1.5, 18256, 3072);
    time_rows(b, "layer_norm to f8 32760 x 5120", run_f8_layer_norm, 1.5, 32760, 5120);
    time_rows(b, "gelu to f8 18256 x 12288", run_f8_quantise, 1.5, 18256, 12288);
    time_rows(b, "gelu to f8 32760 x 13824", run_f8_quantise, 1.5, 32760, 13824);
    time_norm_rope(b, "norm_rope 18256 x 24 x 128", HEADS_RMS, 18256, 24);
    time_norm_rope(b, "norm_rope 35552 x 48 x 128, layer", HEADS_LAYER, 35552, 48);
    time_norm_rope(b, "norm_rope 32760 x 40 x 128, together", HEADS_TOGETHER_RMS, 32760, 40);
}

static void time_memory(struct bench *b)
{
    struct job j = {0};
    double bytes;

    time_rows(b, "layer_norm 60000 x 3072", run_layer_norm, 2, 60000, 3072);
    time_rows(b, "rms_norm 1440000 x 128", run_rms_norm, 2, 1440000, 128);
    time_rows(b, "channel_norm + silu 1800000 x 96", run_channel_norm, 2, 1800000, 96);
    time_rows(b, "glu 40000 x 5120", run_glu, 3, 40000, 5120);
    time_rows(b, "add_gated 60000 x 3072", run_add_gated, 3, 60000, 3072);
    for (int halves = 0; halves < 2; halves++) {
        const char *name =
            halves ? "rope halves 30000 x 24 x 128" : "rope neighbours 30000 x 24 x 128";
        j = (struct job){.x = BIG(1, 30000, 24, 128), .groups = halves};
        j.cos = TENSOR_NEW(&b->memory, 30000, 64);
        j.sin = TENSOR_NEW(&b->memory, 30000, 64);
        bytes = 2.0 * (double)tensor_count(&j.x) * (double)dtype_size(j.x.dtype);
        tell(b, name, seconds(b, name, run_rope, &j), bytes, 0);
        arena_free(&b->memory);
    }
    j = (struct job){.x = BIG(4, 360, 640, 256), .out = BIG(4, 360, 640, 256), .groups = 32};
    bytes = 3.0 * (double)tensor_count(&j.x) * (double)dtype_size(j.x.dtype);
    tell(b, "group_norm + silu 4 x 360 x 640 x 256", seconds(b, "group_norm", run_group_norm, &j),
         bytes, 0);
    arena_free(&b->memory);
    j = (struct job){.x = BIG(16, 129, 90 * 160), .out = BIG(129, 90 * 160, 16)};
    j.x = tensor_permute(j.x, (const int[]){1, 2, 0});
    bytes = 2.0 * (double)tensor_count(&j.x) * (double)dtype_size(j.x.dtype);
    tell(b, "copy, 16 channels from first to last", seconds(b, "copy", run_copy, &j), bytes, 0);
    arena_free(&b->memory);
    j = (struct job){.x = BIG(3072, 60000), .out = BIG(60000, 3072)};
    j.x = tensor_permute(j.x, (const int[]){1, 0});
    bytes = 2.0 * (double)tensor_count(&j.x) * (double)dtype_size(j.x.dtype);
    tell(b, "copy, 3072 x 60000 transposed", seconds(b, "copy", run_copy, &j), bytes, 0);
    arena_free(&b->memory);
}

void time_operations(struct device *d, const char *only)
{
    struct bench b = {.d = d, .memory = device_arena(d), .only = only};

    printf("time  %s activations; %% of the copy's and of the first product's rate\n",
           dtype_name(device_activations(d)));
    time_rows(&b, "copy 1000000 x 1024", run_copy, 2, 1000000, 1024);
    time_memory(&b);
    time_fused(&b);
    time_pack(&b, "weights, stored in BF16", DTYPE_BF16);
    time_pack(&b, "weights, stored in F32", DTYPE_F32);
    time_pack(&b, "weights, stored in FP8", DTYPE_F8_E4M3);
    time_matrices(&b);
    time_attention(&b);
    if (device_activations(d) != DTYPE_F32)
        time_f8(&b);
    time_pictures(&b);
}
