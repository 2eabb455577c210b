/* kill -9 at random moments of a writing process: what it was told is written is there, nothing is
 * half there, and the journal goes on. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "journal/journal.h"
#include "tests/journal/scratch.h"

enum { SHOTS = 40, KILLS = 100 };

/* Puts shots round and round, each time at the next version, and tells the pipe each that is done.
 * Some go through a batch, some beside a checkpoint. */
static void write_for_ever(const char *dir, int told, unsigned version)
{
    struct error e = {0};
    struct journal *j;

    if (journal_open(dir, JOURNAL_WRITE, &j, &e) != 0) {
        print_error("%s\n", e.text);
        _exit(1);
    }
    for (;; version++) {
        for (unsigned n = 0; n < SHOTS; n++) {
            unsigned done[2] = {n, version};
            struct hash128 key = {{(uint8_t)n}};
            bool batch = version % 5 == 4 && n % 10 == 0;

            if (journal_checkpoint_put(j, key, done, sizeof done, &e) != 0 ||
                (batch && journal_batch_begin(j, &e) != 0) || world_put(j, n, version, &e) != 0 ||
                (batch && journal_batch_end(j, &e) != 0) ||
                write(told, done, sizeof done) != sizeof done) {
                print_error("%s\n", e.text);
                _exit(1);
            }
        }
        if (journal_sweep(j, NULL, NULL, &e) != 0)
            _exit(1);
    }
}

static void assert_sound(const char *dir)
{
    struct error e = {0};
    char *report;

    if (journal_check(dir, &report, &e) != 0)
        fail_msg("%s%s", report ? report : "", e.text);
    free(report);
}

/* One put that the writer tells of; false when it tells no more. */
static bool is_told(int fd, unsigned newest[SHOTS], unsigned *next, unsigned *total)
{
    unsigned done[2];

    if (read(fd, done, sizeof done) != sizeof done)
        return false;
    newest[done[0]] = done[1];
    *next = done[1] + 1;
    ++*total;
    return true;
}

static void killed_at_any_moment(void **state)
{
    const char *dir = scratch_make();
    uint64_t seed = random_seed();
    unsigned newest[SHOTS] = {0}, total = 0, next = 1; /* 0: never */
    struct error e = {0};

    (void)state;
    for (int k = 0; k < KILLS; k++) {
        int fds[2], status;
        struct journal *j;
        struct journal_view *v;
        pid_t pid;

        assert_int_equal(pipe(fds), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(fds[0]);
            write_for_ever(dir, fds[1], next);
        }
        close(fds[1]);
        /* After some puts, and then anywhere: while it opens, in a put, between two. */
        for (unsigned puts = (unsigned)(random_next(&seed) % 8); puts; puts--)
            if (!is_told(fds[0], newest, &next, &total))
                fail_msg("the writer failed");
        usleep((useconds_t)(random_next(&seed) % 8000));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        while (is_told(fds[0], newest, &next, &total))
            ;
        close(fds[0]);

        assert_ok(journal_open(dir, JOURNAL_WRITE, &j, &e)); /* the dead holder is no hindrance */
        assert_ok(journal_view_begin(j, &v, &e));
        for (unsigned n = 0; n < SHOTS; n++) {
            /* What it was told of, or the one put it was about to tell. */
            int rc = newest[n] ? world_look(v, n, newest[n], &e) : 0;

            for (unsigned later = newest[n] + 1; rc != 1 && later <= next + 1; later++) {
                rc = world_look(v, n, later, &e);
                if (rc == 1)
                    newest[n] = later;
            }
            if (newest[n] && rc != 1)
                fail_msg("after kill %d shot %u of version %u is %d: %s", k, n, newest[n], rc,
                         e.text);
            if (newest[n] >= next)
                next = newest[n] + 1;
        }
        journal_view_end(v);
        journal_close(j);
        if (k % 10 == 0)
            assert_sound(dir);
    }
    assert_sound(dir);
    print_message("%u puts over %d kills\n", total, KILLS);
    assert_true(total > SHOTS);
    scratch_remove(dir);
}

/* Killed while it is being made: whole or not there, never in between. */
static void killed_while_it_is_made(void **state)
{
    uint64_t seed = random_seed();

    (void)state;
    for (int k = 0; k < 40; k++) {
        const char *dir = scratch_make();
        struct error e = {0};
        struct journal *j;
        char left[300];
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0)
            _exit(journal_open(dir, JOURNAL_WRITE, &j, &e) != 0);
        usleep((useconds_t)(random_next(&seed) % 6000));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_ok(journal_open(dir, JOURNAL_WRITE, &j, &e));
        assert_ok(world_put(j, 1, 1, &e));
        snprintf(left, sizeof left, "%s/new", dir);
        assert_false(path_exists(left));
        journal_close(j);
        assert_sound(dir);
        scratch_remove(dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_moment),
        cmocka_unit_test(killed_while_it_is_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
