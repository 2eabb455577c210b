/* Blocks of layers that are brought from the host give what they give when they stay on the device,
 * whatever the order they are used in and however their sizes differ; without memory there is an
 * error and nothing is left. The device is a CPU with memory of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "kernels/device_impl.h"
#include "kernels/weight_stream.h"

enum { WIDE = 40, BLOCKS = 11, LAYERS = 3 };

struct model {
    struct arena weights;
    struct weight_stream *stream;
    struct linear layer[BLOCKS][LAYERS];
    int blocks;
};

static struct device *open_device(struct memory_faults *f, enum memory_mode mode)
{
    struct device_options o = {.threads = 1, .faults = f, .memory = mode};
    struct device *d = NULL;
    struct error e = {0};

    if (device_open(&o, &d, &e) != 0)
        fail_msg("%s", e.text);
    return d;
}

/* Layers differ in size from block to block; the last is as wide as the first's input. */
static int64_t width_of(int block, int layer)
{
    return layer == LAYERS - 1 ? WIDE : WIDE + 64 * (block % 4) * (layer + 1);
}

static int load_layer(struct model *m, struct device *d, struct arena *a, int block, int layer,
                      struct error *e)
{
    struct arena host = {0};
    int64_t in = layer ? width_of(block, layer - 1) : WIDE, out = width_of(block, layer);
    struct tensor weight = TENSOR_NEW(&host, out, in), bias = TENSOR_NEW(&host, out);
    float *w = weight.data, *b = bias.data;

    for (int64_t i = 0; i < out * in; i++)
        w[i] = (float)((i * 31 + block * 7 + layer) % 17 - 8) / 128;
    for (int64_t i = 0; i < out; i++)
        b[i] = (float)(block + layer);
    int rc = linear_pack(d, a, &weight, &bias, &m->layer[block][layer], e);
    arena_free(&host);
    return rc;
}

static int load(struct model *m, struct device *d, int blocks, struct error *e)
{
    *m = (struct model){.weights = device_arena(d), .blocks = blocks};
    int rc = weight_stream_open(d, 1, &m->stream, e);
    for (int b = 0; b < blocks && rc == 0; b++) {
        struct arena *a = m->stream ? weight_stream_begin(m->stream) : &m->weights;
        for (int l = 0; l < LAYERS && rc == 0; l++)
            rc = load_layer(m, d, a, b, l, e);
        if (rc == 0 && m->stream)
            rc = weight_stream_end(m->stream, e);
    }
    return rc;
}

static void drop(struct model *m)
{
    weight_stream_close(m->stream);
    arena_free(&m->weights);
}

/* 0 and the numbers after these blocks one after another, or -1. */
static int run(struct model *m, struct device *d, const int *order, int count, float out[WIDE],
               struct error *e)
{
    struct arena a = device_arena(d);
    struct tensor x = TENSOR_NEW(&a, 1, WIDE), y = TENSOR_NEW(&a, 1, WIDE + 64 * 3 * LAYERS);
    struct tensor z = TENSOR_NEW(&a, 1, WIDE + 64 * 3 * LAYERS);
    int rc = -1;

    if (!x.data || !y.data || !z.data) {
        error_memory(e);
    } else {
        for (int i = 0; i < WIDE; i++)
            ((float *)x.data)[i] = (float)i / WIDE;
        for (int i = 0; i < count; i++) {
            struct linear *l = m->layer[order[i]];
            struct tensor first = tensor_slice(y, 1, 0, l[0].out);
            struct tensor second = tensor_slice(z, 1, 0, l[1].out);
            weight_stream_use(m->stream, order[i]);
            op_linear(d, &first, &x, &l[0], ACT_NONE);
            op_linear(d, &second, &first, &l[1], ACT_SILU);
            op_linear(d, &x, &second, &l[2], ACT_NONE);
        }
        rc = device_status(d, e);
        memcpy(out, x.data, WIDE * sizeof *out);
    }
    arena_free(&a);
    return rc;
}

/* The same order on weights that stay and weights that come. */
static void compare(int blocks, const int *order, int count)
{
    struct memory_faults f = {0};
    struct device *stays = open_device(&f, MEMORY_SPEED), *comes = open_device(&f, MEMORY_SAFE);
    struct model resident, streamed;
    float expected[WIDE], got[WIDE];
    struct error e = {0};

    assert_int_equal(load(&resident, stays, blocks, &e), 0);
    assert_int_equal(load(&streamed, comes, blocks, &e), 0);
    assert_null(resident.stream);
    assert_non_null(streamed.stream);
    assert_int_equal(run(&resident, stays, order, count, expected, &e), 0);
    assert_int_equal(run(&streamed, comes, order, count, got, &e), 0);
    assert_memory_equal(expected, got, sizeof got);
    drop(&resident);
    drop(&streamed);
    device_close(stays);
    device_close(comes);
    assert_int_equal(f.held, 0);
}

static void blocks_in_turn_give_the_same(void **state)
{
    (void)state;
    for (int blocks = 1; blocks <= BLOCKS; blocks++) {
        int order[3 * BLOCKS];
        for (int i = 0; i < 3 * blocks; i++)
            order[i] = i % blocks;
        compare(blocks, order, 3 * blocks);
    }
}

static void any_order_gives_the_same(void **state)
{
    (void)state;
    int order[200];
    unsigned random = 1;
    for (int i = 0; i < 200; i++) {
        random = random * 1103515245u + 12345;
        order[i] = (int)(random >> 16) % BLOCKS;
    }
    compare(BLOCKS, order, 200);
}

static void less_memory_is_held(void **state)
{
    (void)state;
    struct memory_faults all = {0}, some = {0};
    struct device *stays = open_device(&all, MEMORY_SPEED),
                  *comes = open_device(&some, MEMORY_SAFE);
    struct model resident, streamed;
    struct error e = {0};
    assert_int_equal(load(&resident, stays, BLOCKS, &e), 0);
    assert_int_equal(load(&streamed, comes, BLOCKS, &e), 0);
    assert_true(some.peak < all.peak * 7 / 10); /* three of eleven, the largest */
    drop(&resident);
    drop(&streamed);
    device_close(stays);
    device_close(comes);
}

static void auto_keeps_what_fits(void **state)
{
    (void)state;
    struct memory_faults f = {.limit = 1 << 20};
    struct device *d = open_device(&f, MEMORY_AUTO);
    struct weight_stream *s;
    struct error e = {0};
    assert_int_equal(weight_stream_open(d, 800 << 10, &s, &e), 0);
    assert_null(s);
    assert_int_equal(weight_stream_open(d, 950 << 10, &s, &e), 0);
    assert_non_null(s);
    weight_stream_close(s);
    device_close(d);
}

static void a_block_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    struct memory_faults f = {0};
    struct device *d = open_device(&f, MEMORY_SAFE);
    struct model m;
    struct error e = {0};
    assert_int_equal(load(&m, d, 2, &e), 0);
    weight_stream_use(m.stream, 2);
    assert_int_equal(device_status(d, &e), -1);
    assert_int_equal(e.code, ERROR_INTERNAL);
    drop(&m);
    device_close(d);
}

/* Every allocation of the device fails in its turn. */
static void without_memory_nothing_is_left(void **state)
{
    (void)state;
    const int order[] = {0, 1, 2, 3, 4, 0, 1};
    long failures = 0;
    for (long n = 1;; n++) {
        struct memory_faults f = {.fail_at = n};
        struct device *d = open_device(&f, MEMORY_SAFE);
        struct model m;
        float out[WIDE];
        struct error e = {0};
        int rc = load(&m, d, 5, &e);
        if (rc == 0)
            rc = run(&m, d, order, 7, out, &e);
        drop(&m);
        device_close(d);
        assert_int_equal(f.held, 0);
        if (rc == 0) {
            assert_true(f.taken < n);
            break;
        }
        assert_int_equal(e.code, ERROR_MEMORY);
        failures++;
    }
    assert_true(failures >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_in_turn_give_the_same),
        cmocka_unit_test(any_order_gives_the_same),
        cmocka_unit_test(less_memory_is_held),
        cmocka_unit_test(auto_keeps_what_fits),
        cmocka_unit_test(a_block_that_is_not_there_is_an_error),
        cmocka_unit_test(without_memory_nothing_is_left),
    };
    return cmocka_run_group_tests_name("weight_stream", tests, NULL, NULL);
}
