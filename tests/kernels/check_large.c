/* What is looked at once: weights out of a file, tensors of nothing, and tensors that 32 bits
 * cannot count. Of these only the end holds numbers and is compared: what lies before it is zeros,
 * which each operation takes in the same way. On a GPU with room for them (20 GiB); elsewhere the
 * same cases are small. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "tests/kernels/check.h"

enum { COLUMNS = 512, TAIL = 5, HEADS = 8, DIM = 64, SIDE = 32, CHANNELS = 64 };
static const size_t ROOM = (size_t)20 << 30;

/* Numbers, a little more than 2^31 of them where there is room. */
static int64_t many(struct check *c)
{
    size_t left, all;

    device_memory(c->tested, &left, &all);
    return device_kind(c->tested) == DEVICE_CUDA && left >= ROOM && !c->small
               ? ((int64_t)1 << 31) + ((int64_t)1 << 20)
               : 1 << 16;
}

static bool taken(struct check *c, const struct tensor *t, const char *what)
{
    if (t->data)
        return true;
    printf("large %s: out of memory\n", what);
    c->failed++;
    return false;
}

/* The last `count` of the first axis of `all`, with random numbers. */
static struct pair end_of(struct check *c, struct tensor all, int64_t count)
{
    struct pair p;

    p.device = tensor_slice(all, 0, all.shape[0] - count, count);
    p.host = tensor_new(&c->host, all.rank, p.device.shape);
    for (int64_t i = 0; p.host.data && i < tensor_count(&p.host); i++)
        ((float *)p.host.data)[i] = random_float(c);
    settle(c, &p);
    return p;
}

static void check_large_rows(struct check *c, int64_t n)
{
    int64_t shape[2] = {n / COLUMNS, COLUMNS};
    struct tensor all = activation_new(c->tested, &c->device, 2, shape);
    struct linear f8 = {.dtype = DTYPE_F8_E4M3};

    if (!taken(c, &all, "rows"))
        return;
    struct pair end = end_of(c, all, TAIL), w = NUMBERS(c, VECTORS_, 0, 1, COLUMNS);
    op_activation(c->reference, &end.host, &end.host, ACT_SILU);
    op_activation(c->tested, &all, &all, ACT_SILU);
    compare(c, "activation", &end, "%lld rows of %d", (long long)shape[0], COLUMNS);
    settle(c, &end); /* what was rounded here is no error of the next one */
    op_glu(c->reference, &end.host, &end.host, &end.host, ACT_GELU);
    op_glu(c->tested, &all, &all, &all, ACT_GELU);
    compare(c, "glu", &end, "%lld rows of %d", (long long)shape[0], COLUMNS);
    settle(c, &end);
    op_layer_norm(c->reference, &end.host, &end.host, &w.host, &w.host, 1e-5f);
    op_layer_norm(c->tested, &all, &all, &w.device, &w.device, 1e-5f);
    compare(c, "layer_norm", &end, "%lld rows of %d", (long long)shape[0], COLUMNS);
    settle(c, &end);
    if (!all.scale)
        return;
    struct tensor rows = activation_as_input(&f8, all);
    struct pair plain = NUMBERS(c, VECTORS_, 0, 1, TAIL, COLUMNS);
    op_rms_norm(c->reference, &plain.host, &end.host, &w.host, 1e-5f);
    op_rms_norm(c->tested, &rows, &all, &w.device, 1e-5f);
    rows = tensor_slice(rows, 0, rows.shape[0] - TAIL, TAIL);
    op_copy(c->tested, &plain.device, &rows);
    compare(c, "f8 against exact", &plain, "%lld rows of %d", (long long)shape[0], COLUMNS);
}

/* A few rows, the last of which begins beyond 2^31. */
static void check_large_strides(struct check *c, int64_t n)
{
    struct tensor all = ACTIVATION_NEW(c->tested, &c->device, n + COLUMNS), rows = all;

    if (!taken(c, &all, "strides"))
        return;
    rows.rank = 2;
    rows.shape[0] = 2;
    rows.shape[1] = COLUMNS;
    rows.stride[0] = n;
    rows.stride[1] = 1;
    struct pair x = end_of(c, rows, 2), dense = NUMBERS(c, ACTIVATIONS_, 0, 1, 2, COLUMNS);
    op_copy(c->reference, &dense.host, &x.host);
    op_copy(c->tested, &dense.device, &x.device);
    compare(c, "copy", &dense, "from rows %lld apart", (long long)n);
    op_glu(c->reference, &x.host, &x.host, &dense.host, ACT_SILU);
    op_glu(c->tested, &x.device, &x.device, &dense.device, ACT_SILU);
    compare(c, "glu", &x, "into rows %lld apart", (long long)n);
    /* The same as two items of one token. */
    struct pair q = x, kv = NUMBERS(c, ACTIVATIONS_, 0, 1, 2, 40, HEADS, DIM);
    q.host = TENSOR_VIEW(q.host, 2, 1, HEADS, DIM);
    q.device.rank = 4;
    for (int i = 1; i < 4; i++) {
        q.device.shape[i] = q.host.shape[i];
        q.device.stride[i] = q.host.stride[i];
    }
    struct pair seen = NUMBERS(c, ACTIVATIONS_, 0, 1, 2, 1, HEADS, DIM);
    op_attention(c->reference, &seen.host, &q.host, &kv.host, &kv.host, 0.125f, NULL);
    op_attention(c->tested, &seen.device, &q.device, &kv.device, &kv.device, 0.125f, NULL);
    compare(c, "attention", &seen, "of items %lld apart", (long long)n);
}

static void check_large_heads(struct check *c, int64_t n)
{
    struct tensor all = ACTIVATION_NEW(c->tested, &c->device, n / (HEADS * DIM), HEADS, DIM);
    struct pair cos = NUMBERS(c, VECTORS_, 0, 1, TAIL, DIM / 2);
    struct pair sin = NUMBERS(c, VECTORS_, 0, 1, TAIL, DIM / 2),
                w = NUMBERS(c, VECTORS_, 0, 1, DIM);
    struct head_norm host = {HEADS_RMS, &w.host, NULL, 1e-6f};
    struct head_norm device = {HEADS_RMS, &w.device, NULL, 1e-6f};
    struct turn here = {&cos.host, &sin.host, ROPE_NEIGHBOURS, 0};
    struct turn there = {&cos.device, &sin.device, ROPE_NEIGHBOURS, all.shape[0] - TAIL};

    if (!taken(c, &all, "heads"))
        return;
    struct pair end = end_of(c, all, TAIL);
    op_norm_rope(c->reference, &end.host, &host, &here);
    op_norm_rope(c->tested, &all, &device, &there);
    compare(c, "norm_rope", &end, "%lld tokens", (long long)all.shape[0]);
}

static void check_large_frames(struct check *c, int64_t n)
{
    int64_t frames = n / (SIDE * SIDE * CHANNELS), b = 1;
    struct tensor x = ACTIVATION_NEW(c->tested, &c->device, frames, SIDE, SIDE, CHANNELS);
    struct tensor out =
        ACTIVATION_NEW(c->tested, &c->device, frames, SIDE + 2 * b, SIDE + 2 * b, CHANNELS);
    struct pair affine = NUMBERS(c, VECTORS_, 0, 1, 1, 3, CHANNELS);
    struct tensor kernel = NUMBERS(c, VECTORS_, 0, 0.1f, CHANNELS, CHANNELS, 3, 3).host;
    struct normalise_form form = {.act = ACT_SILU, .border = (int)b};
    const struct tensor *here, *there = &out;
    struct conv host, device;
    struct error e = {0};

    if (!taken(c, &x, "frames") || !taken(c, &out, "frames"))
        return;
    struct pair last = end_of(c, x, 1), made = {.device = tensor_slice(out, 0, frames - 1, 1)};
    made.host = tensor_new(&c->host, 4, made.device.shape);
    op_normalise(c->reference, &made.host, &last.host, &affine.host, &form);
    op_normalise(c->tested, &out, &x, &affine.device, &form);
    compare(c, "normalise", &made, "%lld frames", (long long)frames);
    if (conv_pack(c->reference, &c->host, &kernel, NULL,
                  (struct conv_form){.scale = 1, .stride = 1, .edge = CONV_GIVEN}, &host, &e) ||
        conv_pack(c->tested, &c->device, &kernel, NULL,
                  (struct conv_form){.scale = 1, .stride = 1, .edge = CONV_GIVEN}, &device, &e)) {
        printf("conv_pack: %s\n", e.text);
        c->failed++;
        return;
    }
    settle(c, &made);
    here = &made.host;
    op_conv(c->reference, &last.host, &here, &host, NULL);
    op_conv(c->tested, &x, &there, &device, NULL);
    compare(c, "conv", &last, "%lld frames", (long long)frames);
}

/* ---- weights out of a file, large enough to go up in pieces */

enum { OUTPUTS = 1031, INPUTS = 4099, BEFORE = 4 }; /* in bytes, of the file */

/* Weights in a file of their own, mapped. F32 for a device that computes in it, else BF16. */
static bool weights_in_file(struct check *c, struct file_map *map, struct tensor *w)
{
    enum dtype dtype = c->dtype == DTYPE_F32 ? DTYPE_F32 : DTYPE_BF16;
    size_t count = (size_t)OUTPUTS * INPUTS, size = BEFORE + count * dtype_size(dtype);
    char *bytes = arena_alloc(&c->host, size), path[] = "/tmp/auteur-check-XXXXXX";
    struct error e = {0};
    int fd = bytes ? mkstemp(path) : -1;

    for (size_t i = 0; bytes && i < count; i++) {
        float v = random_float(c) * 0.05f;
        uint32_t bits;
        memcpy(&bits, &v, 4);
        uint16_t half = (uint16_t)(bits >> 16);
        if (dtype == DTYPE_F32)
            memcpy(bytes + BEFORE + 4 * i, &v, 4);
        else
            memcpy(bytes + BEFORE + 2 * i, &half, 2);
    }
    if (fd < 0)
        return false;
    close(fd);
    bool good = file_write_atomic(path, bytes, size, &e) == 0 && file_map_open(path, map, &e) == 0;
    unlink(path);
    if (good)
        *w = tensor_of(dtype, (void *)(uintptr_t)(map->bytes + BEFORE), 2,
                       (int64_t[]){OUTPUTS, INPUTS});
    return good;
}

static void check_upload(struct check *c)
{
    struct pair x = NUMBERS(c, ACTIVATIONS_, 0, 1, 2, INPUTS);
    struct pair out = NUMBERS(c, ACTIVATIONS_, 0, 1, 2, OUTPUTS);
    struct linear host, device;
    struct file_map map;
    struct error e = {0};
    struct tensor w;

    if (!weights_in_file(c, &map, &w)) {
        printf("large: no file of weights in /tmp\n");
        c->failed++;
        return;
    }
    if (linear_pack(c->reference, &c->host, &w, NULL, &host, &e) ||
        linear_pack(c->tested, &c->device, &w, NULL, &device, &e)) {
        printf("large: %s\n", e.text);
        c->failed++;
    } else {
        poison(c, &out);
        op_linear(c->reference, &out.host, &x.host, &host, ACT_NONE);
        op_linear(c->tested, &out.device, &x.device, &device, ACT_NONE);
        compare(c, "linear", &out, "weights out of a file");
    }
    file_map_close(&map);
}

/* Tensors of nothing are no failure. */
static void check_empty(struct check *c)
{
    struct device *d = c->tested;
    struct tensor x = ACTIVATION_NEW(d, &c->device, 0, 4, 16);
    struct tensor rows = ACTIVATION_NEW(d, &c->device, 0, 16);
    struct tensor angles = TENSOR_NEW(&c->device, 0, 8), w = TENSOR_NEW(&c->device, 16);
    struct head_norm norm = {HEADS_RMS, &w, NULL, 1e-6f};
    struct turn turn = {&angles, &angles, ROPE_NEIGHBOURS, 0};
    struct error e = {0};

    op_rope(d, &x, &angles, &angles, ROPE_NEIGHBOURS);
    op_rope(d, &x, &angles, &angles, ROPE_HALVES);
    op_norm_rope(d, &x, &norm, &turn);
    op_layer_norm(d, &rows, &rows, &w, &w, 1e-5f);
    op_rms_norm(d, &rows, &rows, &w, 1e-5f);
    op_channel_norm(d, &rows, &rows, &w, ACT_SILU);
    op_activation(d, &rows, &rows, ACT_GELU);
    op_glu(d, &rows, &rows, &rows, ACT_GELU);
    op_add(d, &rows, &rows, &rows);
    op_copy(d, &rows, &rows);
    c->compared++;
    if (device_status(d, &e) == 0)
        return;
    printf("%s large: nothing at all: %s\n", dtype_name(c->dtype), e.text);
    c->failed++;
}

void check_large(struct check *c)
{
    static void (*const cases[])(struct check *, int64_t) = {check_large_rows, check_large_strides,
                                                             check_large_heads, check_large_frames};
    int64_t n;

    if (!wanted(c, "large") || !c->first)
        return;
    check_empty(c);
    check_upload(c);
    n = many(c);
    printf("%s large: of %lld numbers\n", dtype_name(c->dtype), (long long)n);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cases[i](c, n);
        arena_free(&c->host);
        arena_free(&c->device);
    }
}
