/* Both resizings against what the published ones give for pictures of a formula. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "prompts/picture_resize.h"

/* Soft slopes and hard edges. Caller frees. */
static uint8_t *make_picture(int width, int height)
{
    uint8_t *rgb = malloc((size_t)width * (size_t)height * 3), *at = rgb;

    assert_non_null(rgb);
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++)
            for (int64_t c = 0; c < 3; c++)
                *at++ = (uint8_t)((x * x * 7 + y * 13 + c * 50 + x * y % 31 * 5) % 256);
    return rgb;
}

static uint64_t fnv(const uint8_t *bytes, size_t count)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < count; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

static void lanczos_is_exact(void **unused)
{
    static const struct {
        int width, height, to_width, to_height;
        uint64_t hash;
    } cases[] = {
        {256, 144, 96, 64, 0x116135685a9964dfu}, {96, 64, 96, 64, 0xed501663fac2469du},
        {30, 20, 72, 48, 0x71ddf0b80268badeu},   {40, 100, 64, 32, 0x2798d65dd8dcbeeeu},
        {100, 40, 32, 64, 0x4116a2c0a669c90eu},  {90, 70, 32, 24, 0x1a8db73f1255eeb1u},
        {70, 90, 24, 80, 0x9f6049de27255548u},   {20, 60, 24, 60, 0x07fb202529caa66cu},
        {60, 20, 60, 9, 0x818d3fec3399a8e0u},    {1, 1, 16, 8, 0xc1e36f6e06366d25u},
        {2, 33, 7, 8, 0x27d8790230fdb75au},      {300, 500, 16, 8, 0xae040a37bdad45bau},
    };
    (void)unused;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t count = (size_t)cases[i].to_width * (size_t)cases[i].to_height * 3;
        uint8_t *from = make_picture(cases[i].width, cases[i].height), *to = malloc(count);
        struct error e = {0};

        assert_non_null(to);
        assert_int_equal(picture_resize_lanczos(from, cases[i].width, cases[i].height, to,
                                                cases[i].to_width, cases[i].to_height, &e),
                         0);
        if (fnv(to, count) != cases[i].hash)
            fail_msg("%d x %d to %d x %d differs", cases[i].width, cases[i].height,
                     cases[i].to_width, cases[i].to_height);
        free(from);
        free(to);
    }
}

enum { SIDE = 224 };

/* Single pixels to what floats of the order of 1 can say after sums of some hundred terms. */
static void blurred_agrees(void **unused)
{
    static const int at[][3] = {{0, 0, 0}, {223, 223, 2}, {111, 112, 1}, {5, 200, 0}, {199, 31, 2}};
    static const struct {
        int width, height;
        float pixels[5];
        double norm;
    } cases[] = {
        {256, 144, {-1, 0.71763134f, -0.172922522f, 0.524970353f, 0.588514149f}, 195.6233},
        {90, 70, {-1, 0.0901961327f, -0.332358539f, -0.394200772f, 0.252992809f}, 193.996149},
        {224, 224, {-1, 0.184313774f, 0.615686297f, 1, 0.615686297f}, 224.758963},
        {900,
         2,
         {-0.890254617f, -0.345737606f, -0.169036731f, -0.0650463477f, -0.050152313f},
         83.5184393},
        {448,
         500,
         {-0.949825048f, 0.119623639f, 0.239822477f, 0.190570787f, -0.187453076f},
         127.720934},
        {223,
         1000,
         {-0.875534534f, -0.127210632f, 0.199916199f, -0.0868025273f, 0.347026646f},
         108.583341},
    };
    float *to = malloc(sizeof *to * SIDE * SIDE * 3);
    (void)unused;

    assert_non_null(to);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *from = make_picture(cases[i].width, cases[i].height);
        struct error e = {0};
        double sum = 0;

        assert_int_equal(
            picture_resize_blurred(from, cases[i].width, cases[i].height, to, SIDE, SIDE, &e), 0);
        for (size_t k = 0; k < sizeof at / sizeof *at; k++) {
            float got = to[(at[k][1] * SIDE + at[k][0]) * 3 + at[k][2]];
            if (!(fabsf(got - cases[i].pixels[k]) < 3e-6f))
                fail_msg("%d x %d, pixel %zu: %.9g, not %.9g", cases[i].width, cases[i].height, k,
                         (double)got, (double)cases[i].pixels[k]);
        }
        for (int k = 0; k < SIDE * SIDE * 3; k++)
            sum += (double)to[k] * to[k];
        if (!(fabs(sqrt(sum) / cases[i].norm - 1) < 1e-6))
            fail_msg("%d x %d: length %.9g, not %.9g", cases[i].width, cases[i].height, sqrt(sum),
                     cases[i].norm);
        free(from);
    }
    free(to);
}

/* A picture of one colour keeps it, however small it is or becomes. */
static void one_colour_stays(void **unused)
{
    static const int sizes[][4] = {{1, 1, 9, 9}, {1, 5, 3, 2}, {5, 1, 1, 1}, {33, 2, 1, 40}};
    (void)unused;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int *s = sizes[i];
        uint8_t from[33 * 5 * 3], to[40 * 9 * 3];
        float blurred[40 * 9 * 3];
        struct error e = {0};

        memset(from, 51, sizeof from);
        assert_int_equal(picture_resize_lanczos(from, s[0], s[1], to, s[2], s[3], &e), 0);
        assert_int_equal(picture_resize_blurred(from, s[0], s[1], blurred, s[2], s[3], &e), 0);
        for (int k = 0; k < s[2] * s[3] * 3; k++) {
            assert_int_equal(to[k], 51);
            assert_true(fabsf(blurred[k] + 0.6f) < 1e-6f);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanczos_is_exact),
        cmocka_unit_test(blurred_agrees),
        cmocka_unit_test(one_colour_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
