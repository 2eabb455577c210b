/* The blob of final latents: what is read is what was written, and nothing else is accepted. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "stages/generate/latents.h"

enum { COUNT = 2 * 3 * 4 * 5, SIZE = 24 + 4 * COUNT };

static void write_one(uint8_t *bytes, float first)
{
    float data[COUNT];
    for (int i = 0; i < COUNT; i++)
        data[i] = (float)i / 7;
    data[0] = first;
    struct tensor l = TENSOR_F32(data, 2, 3, 4, 5);
    assert_int_equal(latents_size(&l), SIZE);
    latents_write(&l, bytes);
}

static void what_is_read_was_written(void **state)
{
    (void)state;
    uint8_t bytes[SIZE];
    write_one(bytes, -1.5f);
    struct arena a = {0};
    struct tensor l;
    struct error e = {0};
    assert_int_equal(latents_read(bytes, SIZE, &a, &l, &e), 0);
    assert_true(l.shape[0] == 2 && l.shape[1] == 3 && l.shape[2] == 4 && l.shape[3] == 5);
    assert_true(((float *)l.data)[0] == -1.5f);
    assert_true(((float *)l.data)[COUNT - 1] == (float)(COUNT - 1) / 7);
    arena_free(&a);
}

static void refused(const uint8_t *bytes, size_t size)
{
    struct arena a = {0};
    struct tensor l;
    struct error e = {0};
    uint8_t *exact = malloc(size + 1); /* so that a sanitizer sees reads past the end */
    assert_non_null(exact);
    memcpy(exact, bytes, size);
    assert_int_equal(latents_read(exact, size, &a, &l, &e), -1);
    assert_int_equal(e.code, ERROR_MODEL);
    free(exact);
    arena_free(&a);
}

static void damage_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[SIZE + 8] = {0};
    write_one(bytes, 0);
    for (size_t size = 0; size < SIZE; size++)
        refused(bytes, size);
    refused(bytes, SIZE + 1);
    refused(bytes, SIZE + 4);
    for (int i = 0; i < 24; i++) {
        bytes[i] ^= 0x41;
        refused(bytes, SIZE);
        bytes[i] ^= 0x41;
    }
    for (int axis = 0; axis < 4; axis++) /* four axes of 65536: the product wraps to zero */
        memcpy(bytes + 8 + 4 * axis, (uint8_t[]){0, 0, 1, 0}, 4);
    refused(bytes, SIZE);
    refused(bytes, 24);
    write_one(bytes, NAN);
    refused(bytes, SIZE);
    write_one(bytes, INFINITY);
    refused(bytes, SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_was_written),
        cmocka_unit_test(damage_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
