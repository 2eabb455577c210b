/* Pictures come in order and as they were when they were put, as many slices behind as have slots;
 * on a processor at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stages/decode/picture_stream.h"

enum { HEIGHT = 2, WIDTH = 3, NUMBERS = HEIGHT * WIDTH * 3, SLICES = 11, LONGEST = 2 };

static int next, stop_at; /* the picture that comes next; the one that is refused */

/* Picture n holds n and a little in each number. */
static float number(int picture, int i)
{
    return (float)picture + (float)i / 64;
}

static int take(void *ctx, int index, const float *rgb, int width, int height, struct error *e)
{
    (void)ctx;
    assert_int_equal(index, next);
    assert_int_equal(width, WIDTH);
    assert_int_equal(height, HEIGHT);
    for (int i = 0; i < NUMBERS; i++)
        assert_float_equal(rgb[i], number(index, i), 0);
    return next++ == stop_at ? error_set(e, ERROR_INPUT, "no more") : 0;
}

static int length_of(int slice)
{
    return 1 + slice % LONGEST;
}

/* Puts SLICES slices through one piece of memory; `behind`: how many are on their way after each.
 */
static int put_all(struct picture_stream *s, int behind)
{
    static float data[LONGEST * NUMBERS];
    int made = 0, handed[SLICES + 1] = {0};

    next = 0;
    for (int i = 0; i < SLICES; i++) {
        struct tensor rgb = TENSOR_F32(data, length_of(i), HEIGHT, WIDTH, 3);
        for (int k = 0; k < length_of(i); k++, made++)
            for (int n = 0; n < NUMBERS; n++)
                data[k * NUMBERS + n] = number(made, n);
        handed[i + 1] = made;
        if (picture_stream_put(s, &rgb))
            return -1;
        assert_int_equal(next, i + 1 > behind ? handed[i + 1 - behind] : 0);
    }
    if (picture_stream_end(s))
        return -1;
    assert_int_equal(next, made);
    return 0;
}

static void test_pictures_come_in_order(void **unused)
{
    static const int slots[] = {0, 1, STREAM_FEWEST, 3, READ_SLOTS};
    struct device *d;
    struct error e = {0};

    (void)unused;
    stop_at = -1;
    assert_int_equal(device_open(&(struct device_options){.threads = 1}, &d, &e), 0);
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        struct picture_stream s = {.device = d, .take = take, .error = &e, .slots = slots[i]};
        assert_int_equal(put_all(&s, slots[i]), 0);
    }
    device_close(d);
}

static void test_whoever_takes_them_may_stop_it(void **unused)
{
    struct device *d;
    struct error e = {0};

    (void)unused;
    assert_int_equal(device_open(&(struct device_options){.threads = 1}, &d, &e), 0);
    for (stop_at = 0; stop_at < SLICES; stop_at++) {
        struct picture_stream s = {.device = d, .take = take, .error = &e, .slots = 3};
        error_clear(&e);
        assert_int_equal(put_all(&s, 3), -1);
        assert_int_equal(e.code, ERROR_INPUT);
        assert_int_equal(next, stop_at + 1);
    }
    device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pictures_come_in_order),
        cmocka_unit_test(test_whoever_takes_them_may_stop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
