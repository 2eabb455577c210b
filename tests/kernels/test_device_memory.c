/* What a device knows of its memory, and memory that tests take away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "kernels/device_impl.h"

static struct device *open_with(struct memory_faults *faults)
{
    struct device_options o = {.threads = 1, .faults = faults};
    struct device *d = NULL;
    struct error e = {0};

    if (device_open(&o, &d, &e) != 0)
        fail_msg("%s", e.text);
    return d;
}

static void a_cpu_tells_the_machines_memory(void **state)
{
    (void)state;
    struct device *d = open_with(NULL);
    size_t left, all;
    device_memory(d, &left, &all);
    assert_true(all > (size_t)64 << 20 && left > 0 && left <= all);
    assert_int_equal(device_memory_peak(d), 0);
    device_close(d);
}

static void what_is_held_is_counted_and_given_back(void **state)
{
    (void)state;
    struct memory_faults f = {0};
    struct device *d = open_with(&f);
    struct arena a = device_arena(d);
    struct tensor t = TENSOR_NEW(&a, 300, 1000);
    assert_non_null(t.data);
    assert_int_equal(t.device, DEVICE_CPU);
    for (int64_t i = 0; i < 300 * 1000; i++)
        assert_true(((float *)t.data)[i] == 0);
    assert_true(f.held >= 300 * 1000 * sizeof(float) && f.peak == f.held && f.taken == 1);
    assert_non_null(device_scratch(d, 100));
    assert_int_equal(f.taken, 2);
    arena_free(&a);
    device_trim(d);
    assert_int_equal(f.held, 0);
    device_close(d);
    assert_int_equal(f.held, 0);
}

static void a_limit_refuses_and_is_told(void **state)
{
    (void)state;
    struct memory_faults f = {.limit = 1 << 20};
    struct device *d = open_with(&f);
    struct arena a = device_arena(d);
    struct error e = {0};
    size_t left, all;
    assert_non_null(arena_alloc(&a, 600 * 1024));
    device_memory(d, &left, &all);
    assert_int_equal(all, 1 << 20);
    assert_int_equal(left, (1 << 20) - 600 * 1024);
    assert_null(arena_alloc(&a, 500 * 1024));
    struct memory_refusal r = device_refusal(d);
    assert_int_equal(r.wanted, 500 * 1024);
    assert_int_equal(r.held, 600 * 1024);
    assert_int_equal(r.free_bytes, left);
    assert_int_equal(r.total_bytes, all);
    assert_null(device_scratch(d, 500 * 1024));
    assert_int_equal(device_status(d, &e), -1);
    assert_int_equal(e.code, ERROR_MEMORY);
    arena_free(&a);
    assert_non_null(device_scratch(d, 500 * 1024));
    device_close(d);
    assert_int_equal(f.held, 0);
}

static void the_nth_is_refused_once(void **state)
{
    (void)state;
    struct memory_faults f = {.fail_at = 2};
    struct device *d = open_with(&f), *beside = NULL;
    struct arena a = device_arena(d);
    struct error e = {0};
    assert_int_equal(device_open_beside(d, DTYPE_F32, &beside, &e), 0);
    assert_non_null(arena_alloc(&a, 100 * 1024));
    assert_null(device_scratch(beside, 64));
    assert_int_equal(device_status(beside, &e), -1);
    assert_non_null(arena_alloc(&a, 100 * 1024));
    arena_free(&a);
    device_close(beside);
    device_close(d);
    assert_int_equal(f.held, 0);
    assert_int_equal(f.taken, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cpu_tells_the_machines_memory),
        cmocka_unit_test(what_is_held_is_counted_and_given_back),
        cmocka_unit_test(a_limit_refuses_and_is_told),
        cmocka_unit_test(the_nth_is_refused_once),
    };
    return cmocka_run_group_tests_name("device_memory", tests, NULL, NULL);
}
