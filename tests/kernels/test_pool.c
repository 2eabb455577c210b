/* Every piece is done once, whatever the count, the chunk and the pause between jobs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "kernels/pool.h"

enum { PIECES = 1000, THREADS = 3 };

struct tally {
    _Atomic int done[PIECES];
    _Atomic int inside[THREADS]; /* pieces in hand under a thread's number */
    int64_t chunk;
    _Atomic int wrong;
};

static void count_part(const void *job, int64_t from, int64_t to, int thread)
{
    struct tally *t = (struct tally *)(uintptr_t)job;

    if (thread < 0 || thread >= THREADS || from >= to || (to - from > t->chunk && from > 0) ||
        atomic_fetch_add(&t->inside[thread], 1) != 0)
        atomic_fetch_add(&t->wrong, 1);
    for (int64_t i = from; i < to; i++)
        atomic_fetch_add(&t->done[i], 1);
    atomic_fetch_sub(&t->inside[thread], 1);
}

static void run_jobs(int threads, int jobs)
{
    struct error e = {0};
    struct pool *p;

    assert_int_equal(pool_open(threads, &p, &e), 0);
    for (int j = 0; j < jobs; j++) {
        static struct tally t;
        int64_t count = j * 37 % (PIECES + 1);
        memset(&t, 0, sizeof t);
        t.chunk = 1 + j % 13;
        pool_run(p, count, t.chunk, count_part, &t);
        assert_int_equal(t.wrong, 0);
        for (int64_t i = 0; i < PIECES; i++)
            assert_int_equal(t.done[i], i < count);
        if (j % 50 == 49)
            usleep(2000); /* long enough for the others to fall asleep */
    }
    pool_close(p);
}

static void test_every_piece_once(void **unused)
{
    (void)unused;
    run_jobs(THREADS, 1000);
    run_jobs(1, 20);
}

static void test_open_and_close(void **unused)
{
    struct error e = {0};
    struct pool *p;
    (void)unused;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(pool_open(1 + i % THREADS, &p, &e), 0);
        pool_close(p);
    }
    pool_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_piece_once),
        cmocka_unit_test(test_open_and_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
