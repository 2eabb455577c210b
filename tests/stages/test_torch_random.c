/* Noise for a seed equals PyTorch's. data/randn.f32 holds torch.randn's float32 values (little-
 * endian) for the seeds and sizes below, one after another, made by PyTorch 2.11 on x86-64. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernels/base/file.h"
#include "stages/generate/torch_random.h"

static const struct {
    uint64_t seed;
    size_t count;
} fresh[] = {
    {11, 1},         {11, 15}, {11, 16},
    {11, 17},        {11, 31}, {11, 1000},
    {0, 5},          {0, 40},  {UINT64_C(4294967301), 33},
    {UINT64_MAX, 3},
};
static const size_t drawn_on[] = {3, 5, 20, 2}; /* from one generator, seed 7 */

static const float *expected;
static size_t expected_left;

static void compare(const float *got, size_t count)
{
    assert_true(expected_left >= count);
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - expected[i]) <= 1e-6f))
            fail_msg("number %zu of %zu: %.9g, PyTorch has %.9g", i, count, (double)got[i],
                     (double)expected[i]);
    expected += count;
    expected_left -= count;
}

static void values_equal_pytorch(void **state)
{
    (void)state;
    struct error e = {0};
    char *bytes;
    size_t size;
    assert_int_equal(file_read("tests/stages/data/randn.f32", 1 << 20, &bytes, &size, &e), 0);
    expected = (const float *)bytes;
    expected_left = size / sizeof(float);
    float got[1000];
    struct torch_random r;
    for (size_t i = 0; i < sizeof fresh / sizeof *fresh; i++) {
        torch_random_seed(&r, fresh[i].seed);
        torch_random_normal(&r, got, fresh[i].count);
        compare(got, fresh[i].count);
    }
    torch_random_seed(&r, 7);
    for (size_t i = 0; i < sizeof drawn_on / sizeof *drawn_on; i++) {
        torch_random_normal(&r, got, drawn_on[i]);
        compare(got, drawn_on[i]);
    }
    assert_int_equal(expected_left, 0);
    free(bytes);
}

static void noise_is_finite_and_normal(void **state)
{
    (void)state;
    enum { N = 200003 };
    float *x = malloc(N * sizeof *x);
    assert_non_null(x);
    struct torch_random r;
    torch_random_seed(&r, 42);
    torch_random_normal(&r, x, N);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < N; i++) {
        assert_true(isfinite(x[i]));
        sum += x[i];
        squares += (double)x[i] * x[i];
    }
    assert_true(fabs(sum / N) < 0.01);
    assert_true(fabs(squares / N - 1) < 0.01);
    free(x);
}

static void nothing_drawn_changes_nothing(void **state)
{
    (void)state;
    struct torch_random a, b;
    torch_random_seed(&a, 3);
    b = a;
    torch_random_normal(&a, NULL, 0);
    assert_memory_equal(a.state, b.state, sizeof a.state);
    assert_int_equal(a.next, b.next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_equal_pytorch),
        cmocka_unit_test(noise_is_finite_and_normal),
        cmocka_unit_test(nothing_drawn_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
