/* Pictures are taken in the order in which they were put, each as it was filled; what fails on the
 * lane's thread is told to who fills. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "stages/decode/picture_lane.h"

enum { WIDTH = 6, HEIGHT = 4, PICTURES = 50, SLOTS = 2 };

/* What the lane's thread saw; nothing is asserted there, for cmocka leaves by longjmp(). */
struct taken {
    int pictures, counts, wrong;
    int refuse; /* this one */
};

static int take(void *ctx, const struct picture *p, int count, struct error *e)
{
    struct taken *t = ctx;

    for (int c = 0; c < 3; c++)
        for (int i = 0; i < WIDTH * HEIGHT; i++)
            t->wrong += p->planes[c][i] != t->pictures * 3 + c;
    t->wrong += p->width != WIDTH || p->height != HEIGHT || count != 1 + t->pictures % 3;
    t->counts += count;
    return t->pictures++ == t->refuse
               ? error_set(e, ERROR_SPACE, "no room for picture %d", t->refuse)
               : 0;
}

/* How many could be put. */
static int put_all(struct picture_lane *lane, struct error *e)
{
    for (int n = 0; n < PICTURES; n++) {
        struct picture *p = picture_lane_room(lane, e);

        if (!p)
            return n;
        for (int c = 0; c < 3; c++)
            for (int i = 0; i < WIDTH * HEIGHT; i++)
                p->planes[c][i] = (uint16_t)(n * 3 + c);
        picture_lane_put(lane, 1 + n % 3);
    }
    return PICTURES;
}

static void all_are_taken_in_order(void **state)
{
    struct taken t = {.refuse = -1};
    struct picture_lane *lane;
    struct error e = {0};

    (void)state;
    assert_int_equal(picture_lane_open(WIDTH, HEIGHT, take, &t, &lane, &e), 0);
    assert_int_equal(picture_lane_finish(lane, &e), 0); /* of none */
    assert_int_equal(put_all(lane, &e), PICTURES);
    assert_int_equal(picture_lane_finish(lane, &e), 0);
    assert_int_equal(t.pictures, PICTURES);
    assert_int_equal(t.counts, 99); /* 1, 2, 3, 1, 2, 3 ... 1, 2 */
    assert_int_equal(t.wrong, 0);
    picture_lane_close(lane);
}

static void a_failure_ends_it(void **state)
{
    (void)state;
    for (int refuse = 0; refuse < PICTURES - SLOTS; refuse += 7) {
        struct taken t = {.refuse = refuse};
        struct picture_lane *lane;
        struct error e = {0};
        int put;

        assert_int_equal(picture_lane_open(WIDTH, HEIGHT, take, &t, &lane, &e), 0);
        put = put_all(lane, &e);
        assert_in_range(put, refuse + 1, refuse + SLOTS);
        assert_int_equal(e.code, ERROR_SPACE);
        e = (struct error){0};
        assert_int_equal(picture_lane_finish(lane, &e), -1);
        assert_non_null(strstr(e.text, "no room for picture"));
        picture_lane_close(lane);
        assert_int_equal(t.pictures, refuse + 1); /* it was not called again */
        assert_int_equal(t.wrong, 0);
    }
}

static void what_was_put_is_taken_before_it_closes(void **state)
{
    struct taken t = {.refuse = -1};
    struct picture_lane *lane;
    struct error e = {0};

    (void)state;
    assert_int_equal(picture_lane_open(WIDTH, HEIGHT, take, &t, &lane, &e), 0);
    assert_int_equal(put_all(lane, &e), PICTURES);
    picture_lane_close(lane);
    assert_int_equal(t.pictures, PICTURES);
    assert_int_equal(t.wrong, 0);
    picture_lane_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_taken_in_order),
        cmocka_unit_test(a_failure_ends_it),
        cmocka_unit_test(what_was_put_is_taken_before_it_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
