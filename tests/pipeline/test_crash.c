/* kill -9 at random moments, with fast fake stages: whatever stands under a final name is whole,
 * and going on gives the same bytes as an undisturbed run, with nothing left over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/pipeline/fake_run.h"
#include "tests/pipeline/tree.h"

enum { KILLS = 60, SHOTS = 6 };
static struct fake_board board;
static char before[64], after[64]; /* undisturbed runs of the board and of its edited form */
static unsigned seed;

static void edit(struct fake_board *b)
{
    for (size_t i = 0; i < SHOTS; i++)
        b->overlays[i].text = "An edited title";
    /* Edits of the lettering alone: between enhance's record and what follows from it lies a moment
     * at which nobody yet knows that the film's pictures are still good. */
    b->shots[0].prompt = "a hill at dawn, 0|Noon";
    b->shots[4].prompt = "a hill at dawn, 4|Noon";
}

/* The child's whole life. */
static int live(const char *dir)
{
    struct fake_run run;

    if (fake_begin(&run, &board, dir) != 0 || fake_execute(&run) != 0)
        return 1;
    fake_end(&run);
    return run.result.delivered == SHOTS ? 0 : 1;
}

/* Runs in a process of its own, killed after so many microseconds (0: never). True: it ended by
 * itself, having delivered everything. */
static bool run_apart(const char *dir, unsigned kill_after_us)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(live(dir));
    if (kill_after_us) {
        usleep(kill_after_us);
        kill(pid, SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return false;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return true;
}

static double seconds_of_a_run(const char *dir)
{
    struct timespec a, b;

    clock_gettime(CLOCK_MONOTONIC, &a);
    assert_true(run_apart(dir, 0));
    clock_gettime(CLOCK_MONOTONIC, &b);
    return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

static void join(char out[160], const char *dir, const char *inside)
{
    snprintf(out, 160, "%s/%s", dir, inside);
}

static int same_below(const char *dir, const char *reference, const char *inside)
{
    char a[160], b[160];

    join(a, dir, inside);
    join(b, reference, inside);
    return tree_within(a, b, NULL);
}

/* Kills and goes on until a run ends by itself. Returns how often it was killed. */
static int run_through_kills(const char *dir, double seconds)
{
    char shots[160], old[160], new[160];
    int kills = 0;

    join(shots, dir, "shots");
    join(old, before, "shots");
    join(new, after, "shots");
    while (!run_apart(dir, 1 + (unsigned)((double)rand_r(&seed) / RAND_MAX * seconds * 0.3e6))) {
        kills++;
        assert_true(tree_within(shots, old, new) >= 0); /* of the old form or the new, whole */
    }
    return kills;
}

static void check_the_end(const char *dir, const char *reference)
{
    char tmp[160];

    assert_true(same_below(dir, reference, "shots") > 0);
    assert_true(same_below(reference, dir, "shots") > 0);
    assert_true(same_below(dir, reference, ".auteur/artefacts") > 0);
    assert_true(same_below(reference, dir, ".auteur/artefacts") > 0);
    join(tmp, dir, ".auteur/tmp");
    assert_false(path_exists(tmp));
}

static void killed_at_any_moment_it_goes_on_to_the_same_bytes(void **state)
{
    const char *given = getenv("AUTEUR_TEST_SEED");
    double seconds;
    int kills = 0, rounds = 0;
    struct error e;

    (void)state;
    seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    printf("seed %u\n", seed);
    fake.step_us = 300;
    fake.generate_steps = 3;
    fake_scratch(before);
    fake_scratch(after);
    fake_board_make(&board, SHOTS);
    seconds = seconds_of_a_run(before);
    run_apart(after, 0);
    edit(&board);
    assert_true(run_apart(after, 0));
    while (kills < KILLS) {
        char dir[64];

        fake_scratch(dir);
        fake_board_make(&board, SHOTS);
        kills += run_through_kills(dir, seconds);
        check_the_end(dir, before);
        edit(&board);
        kills += run_through_kills(dir, seconds);
        check_the_end(dir, after);
        assert_int_equal(path_remove(dir, &e), 0);
        rounds++;
    }
    printf("%d kills in %d productions\n", kills, rounds);
    assert_int_equal(path_remove(before, &e), 0);
    assert_int_equal(path_remove(after, &e), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_moment_it_goes_on_to_the_same_bytes),
    };

    return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
