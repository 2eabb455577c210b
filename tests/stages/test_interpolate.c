/* What lies between a model's frames is where motion puts it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "stages/decode/interpolate.h"

enum { WIDTH = 192, HEIGHT = 96, SIDE = 32, STEP = 6 /* pixels that it moves a frame */ };

/* A light square on a slope of grey, whose left edge is at x. */
static void draw(struct picture *p, int x)
{
    for (int c = 0; c < 3; c++)
        for (int row = 0; row < HEIGHT; row++)
            for (int column = 0; column < WIDTH; column++)
                p->planes[c][row * WIDTH + column] =
                    row >= 32 && row < 32 + SIDE && column >= x && column < x + SIDE
                        ? (uint16_t)(50000 + 3000 * c)
                        : (uint16_t)(6000 + 40 * column);
}

struct seen {
    int count;
    double x[200]; /* where the square's middle is */
    double level[200];
};

static int see(void *ctx, const struct picture *p, int count, struct error *e)
{
    struct seen *s = ctx;
    double sum = 0, weight = 0;

    (void)e;
    assert_int_equal(count, 1);
    for (int row = 40; row < 56; row++)
        for (int column = 0; column < WIDTH; column++) {
            double over = p->planes[0][row * WIDTH + column] - (6000 + 40.0 * column);

            over = over > 10000 ? over : 0;
            sum += over * column;
            weight += over;
        }
    s->x[s->count] = sum / weight + 0.5 - SIDE / 2.0;
    s->level[s->count++] = p->planes[0][48 * WIDTH + (int)(sum / weight)];
    return 0;
}

/* `made` frames at num/den of the shot's rate become `frames`. Pixels that a frame's square may be
 * away from its place: blocks are matched to whole pixels, and its edges are mixed. */
static void moves_evenly(int64_t num, int64_t den, int made, int frames, double tolerance)
{
    struct seen seen = {0};
    struct interpolator *x;
    struct picture p = {0};
    struct error e = {0};

    assert_int_equal(picture_alloc(&p, WIDTH, HEIGHT, &e), 0);
    if (interpolator_open(WIDTH, HEIGHT, num, den, frames, see, &seen, &x, &e) != 0)
        fail_msg("%s", e.text);
    for (int i = 0; i < made; i++) {
        draw(&p, 10 + STEP * i);
        assert_int_equal(interpolator_put(x, &p, &e), 0);
    }
    if (interpolator_finish(x, &e) != 0)
        fail_msg("%s", e.text);
    assert_int_equal(seen.count, frames);
    for (int i = 0; i < frames; i++) {
        double want = 10 + STEP * (double)i * (double)num / (double)den;

        if (!(fabs(seen.x[i] - want) <= tolerance))
            fail_msg("%d/%d frame %d: at %.2f, not %.2f", (int)num, (int)den, i, seen.x[i], want);
        assert_true(fabs(seen.level[i] - 50000) < 600); /* 8 bits, twice through Y'CbCr */
    }
    interpolator_close(x);
    picture_free(&p);
}

static void a_square_moves_evenly(void **state)
{
    (void)state;
    moves_evenly(16, 24, 17, 25, 1.0);
    moves_evenly(16 * 1001, 24000, 18, 25, 1.0);
    moves_evenly(8, 25, 9, 25, 1.5);
    moves_evenly(16, 60, 5, 13, 1.5);
}

static void too_few_pictures_are_an_error(void **state)
{
    struct seen seen = {0};
    struct interpolator *x;
    struct picture p = {0};
    struct error e = {0};

    (void)state;
    assert_int_equal(picture_alloc(&p, WIDTH, HEIGHT, &e), 0);
    draw(&p, 10);
    assert_int_equal(interpolator_open(WIDTH, HEIGHT, 16, 24, 25, see, &seen, &x, &e), 0);
    assert_int_equal(interpolator_put(x, &p, &e), 0);
    assert_int_equal(interpolator_finish(x, &e), -1);
    assert_non_null(strstr(e.text, "frames were interpolated, 25 are needed"));
    interpolator_close(x);
    picture_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_square_moves_evenly),
        cmocka_unit_test(too_few_pictures_are_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
