/* FP8 rows: every number of E4M3, the scales that go with views, layers that take such rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "kernels/device.h"
#include "kernels/f8.h"

static float value_of(uint8_t bits)
{
    struct tensor t = tensor_of(DTYPE_F8_E4M3, &bits, 0, NULL);
    float v;
    tensor_to_f32(&t, &v);
    return v;
}

static void test_every_number_is_itself(void **state)
{
    (void)state;
    for (int bits = 0; bits < 256; bits++)
        if ((bits & 0x7f) != 0x7f)
            assert_int_equal(f8_of(value_of((uint8_t)bits)), bits);
    assert_int_equal(f8_of(1), 0x38);
    assert_int_equal(f8_of(448), 0x7e);
    assert_int_equal(f8_of(0x1p-9f), 0x01);
}

static void test_between_two_the_nearer_one_and_in_the_middle_the_even(void **state)
{
    (void)state;
    for (int bits = 0; bits < 0x7e; bits++) {
        float low = value_of((uint8_t)bits), high = value_of((uint8_t)(bits + 1));
        float middle = (low + high) / 2;
        assert_int_equal(f8_of(middle), bits % 2 ? bits + 1 : bits);
        assert_int_equal(f8_of(nextafterf(middle, 0)), bits);
        assert_int_equal(f8_of(nextafterf(middle, 1000)), bits + 1);
        assert_int_equal(f8_of(-nextafterf(middle, 1000)), 0x80 | (bits + 1));
    }
}

static void test_what_is_too_large_is_the_largest_and_nan_stays(void **state)
{
    (void)state;
    assert_int_equal(f8_of(449), 0x7e);
    assert_int_equal(f8_of(-1e30f), 0xfe);
    assert_int_equal(f8_of(INFINITY), 0x7e);
    assert_int_equal(f8_of(NAN) & 0x7f, 0x7f);
}

static struct device *open_device(void)
{
    struct device *d;
    struct error e = {0};

    assert_int_equal(
        device_open(&(struct device_options){.threads = 2, .linears = DTYPE_F8_E4M3}, &d, &e), 0);
    assert_int_equal(device_linears(d), DTYPE_F8_E4M3);
    return d;
}

static void test_scales_go_with_rows(void **state)
{
    struct device *d = open_device();
    struct arena a = device_arena(d);
    struct tensor t = ACTIVATION_NEW(d, &a, 2, 5, 32), rows, part;
    const struct linear small = {.dtype = DTYPE_F8_E4M3}, plain = {.dtype = DTYPE_F32};
    (void)state;

    assert_non_null(t.scale);
    rows = TENSOR_VIEW(t, 10, 32);
    assert_ptr_equal(tensor_slice(rows, 0, 3, 2).scale, t.scale + 3);
    assert_ptr_equal(tensor_slice(rows, 1, 16, 16).scale, t.scale);
    part = tensor_slice(t, 1, 2, 3); /* of both items */
    assert_ptr_equal(part.scale, t.scale + 2);
    assert_ptr_equal(tensor_slice(part, 0, 1, 1).scale, t.scale + 7);
    assert_null(TENSOR_VIEW(t, 10, 4, 8).scale);
    assert_null(tensor_permute(t, (const int[]){1, 0, 2}).scale);
    assert_int_equal(activation_as_input(&plain, part).dtype, DTYPE_F32);
    part = activation_as_input(&small, part);
    assert_int_equal(part.dtype, DTYPE_F8_E4M3);
    assert_int_equal(part.stride[1], 32 * 4);
    assert_int_equal(part.stride[0], 5 * 32 * 4);
    part = tensor_slice(t, 2, 1, 16); /* not on 16 bytes */
    assert_int_equal(activation_as_input(&small, part).dtype, DTYPE_F32);
    arena_free(&a);
    device_close(d);
}

/* x [3, 32], its middle row zeros, its last with a NaN, through a layer of ones. */
static void test_a_layer_takes_rows_of_either_form(void **state)
{
    struct device *d = open_device();
    struct arena a = device_arena(d);
    struct tensor x = ACTIVATION_NEW(d, &a, 3, 32), out = ACTIVATION_NEW(d, &a, 3, 16);
    struct tensor again = ACTIVATION_NEW(d, &a, 3, 16), w = TENSOR_NEW(&a, 16, 32), in;
    const struct tensor *weight = &w;
    struct linear l;
    struct error e = {0};
    float *v = x.data, *got = out.data, exact = 0;
    (void)state;

    for (int i = 0; i < 16 * 32; i++)
        ((float *)w.data)[i] = 1;
    for (int i = 0; i < 32; i++) {
        v[i] = 0.1f + (float)i;
        exact += v[i];
        v[64 + i] = i == 5 ? NAN : 1;
    }
    assert_int_equal(linear_pack_as(d, &a, DTYPE_F8_E4M3, 1, &weight, NULL, &l, &e), 0);
    assert_int_equal(l.dtype, DTYPE_F8_E4M3);
    op_linear(d, &out, &x, &l, ACT_NONE);
    assert_true(fabsf(got[0] - exact) < 0.02f * exact && got[0] != exact);
    assert_true(got[16] == 0);
    assert_true(got[32] != got[32]);
    in = activation_as_input(&l, x);
    op_copy(d, &in, &x); /* in place */
    op_linear(d, &again, &in, &l, ACT_NONE);
    assert_memory_equal(again.data, out.data, 32 * sizeof(float));
    assert_int_equal(device_status(d, &e), 0);
    l.dtype = DTYPE_F32;
    op_linear(d, &again, &in, &l, ACT_NONE);
    assert_int_equal(device_status(d, &e), -1); /* such a layer takes no FP8 */
    arena_free(&a);
    device_close(d);
}

static void test_a_layer_of_odd_sizes_stays_as_activations_are(void **state)
{
    struct device *d = open_device();
    struct arena a = device_arena(d);
    struct tensor w = TENSOR_NEW(&a, 16, 24);
    const struct tensor *weight = &w;
    struct linear l;
    struct error e = {0};
    (void)state;

    assert_int_equal(linear_pack_as(d, &a, DTYPE_F8_E4M3, 1, &weight, NULL, &l, &e), 0);
    assert_int_equal(l.dtype, DTYPE_F32);
    arena_free(&a);
    device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_number_is_itself),
        cmocka_unit_test(test_between_two_the_nearer_one_and_in_the_middle_the_even),
        cmocka_unit_test(test_what_is_too_large_is_the_largest_and_nan_stays),
        cmocka_unit_test(test_scales_go_with_rows),
        cmocka_unit_test(test_a_layer_takes_rows_of_either_form),
        cmocka_unit_test(test_a_layer_of_odd_sizes_stays_as_activations_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
