/* kill -9 of the whole program at 200 random moments over a board of fast shots (cards, which need
 * no model, and one shot of a model of a few kilobytes): whatever stands under a final name is
 * whole, and `resume` ends with the same bytes as an undisturbed run, with nothing left over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "tests/pipeline/program.h"
#include "tests/pipeline/tree.h"

enum { KILLS = 200, SHOTS = 4, BATCH = 25 };
static char scratch[64];
static unsigned seed;

static void path_to(char out[200], const char *name)
{
    snprintf(out, 200, "%s/%s", scratch, name);
}

static void write_board(const char *name, const char *title)
{
    char path[200], *model = realpath("tests/fixtures/wan2.2-t2v-a14b", NULL);
    FILE *f;

    path_to(path, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_non_null(model);
    fprintf(f, "name: kill\nsize: 64x36\nfps: 12\nmodels: {flagship: \"%s\"}\nshots:\n", model);
    /* Its title is the prompt's: an edit of that is settled when enhance has run. */
    fprintf(f,
            "  - {id: g, tier: flagship, prompt: a boat at dawn with the title \"%s\", frames: 5,\n"
            "     steps: 4, seed: 3}\n",
            title);
    for (int i = 0; i < SHOTS; i++)
        fprintf(f,
                "  - id: c%d\n    card: {background: \"#2040%02x\"}\n    frames: 6\n"
                "    overlays: [{style: title, text: \"%s %d\", out: 0.4}]\n",
                i, 64 + 16 * i, title, i);
    assert_int_equal(fclose(f), 0);
    free(model);
}

/* The program, killed after so many microseconds (0: never). Its exit status, or -1. */
static int status_of(unsigned kill_after_us, const char *const *words)
{
    struct program p = program_run_when(SIGKILL, NULL, kill_after_us, words);

    if (p.status > 2)
        printf("%s", p.err);
    assert_true(p.status >= 0 || p.signal == SIGKILL);
    program_free(&p);
    return p.status;
}
#define STATUS(kill_after, ...) status_of(kill_after, (const char *const[]){__VA_ARGS__, NULL})

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Kills runs of `board` into `dir` until one ends by itself or enough were killed; then goes on to
 * the end. Returns the kills. */
static int run_through_kills(const char *board, const char *dir, double seconds, int most)
{
    char shots[200], old[200], new[200];
    int kills = 0, status = -1;

    snprintf(shots, sizeof shots, "%s/shots", dir);
    path_to(old, "old/shots");
    path_to(new, "new/shots");
    while (kills < most) {
        unsigned after = 1 + (unsigned)((double)rand_r(&seed) / RAND_MAX * seconds * 0.4e6);

        status = kills ? STATUS(after, "resume", dir) : STATUS(after, "run", board, "-o", dir);
        /* Killed before it had remembered what it was asked, resume says so: run again. */
        if (status == 2 || status == 1)
            status = STATUS(after, "run", board, "-o", dir);
        if (status == 0)
            break;
        assert_int_equal(status, -1);
        kills++;
        assert_true(tree_within(shots, old, new) >= 0); /* of the old form or the new, whole */
    }
    assert_int_equal(STATUS(0, "run", board, "-o", dir), 0);
    return kills;
}

static void check_the_end(const char *dir, const char *reference)
{
    static const char *const parts[] = {"shots", ".auteur/artefacts"};
    char a[256], b[256];

    for (int i = 0; i < 2; i++) {
        snprintf(a, sizeof a, "%s/%s", dir, parts[i]);
        snprintf(b, sizeof b, "%s/%s", reference, parts[i]);
        assert_true(tree_within(a, b, NULL) > 0);
        assert_true(tree_within(b, a, NULL) > 0);
    }
    snprintf(a, sizeof a, "%s/.auteur/tmp", dir);
    assert_false(path_exists(a));
}

/* Undisturbed: `old` is the first form of the board, `new` the first and then its edited form. */
static double make_references(const char *board, const char *edited)
{
    char old[200], new[200];
    double from = now(), seconds;

    path_to(old, "old");
    path_to(new, "new");
    assert_int_equal(STATUS(0, "run", board, "-o", old), 0);
    seconds = now() - from;
    assert_int_equal(STATUS(0, "run", board, "-o", new), 0);
    assert_int_equal(STATUS(0, "run", edited, "-o", new), 0);
    return seconds;
}

static void killed_at_any_moment_the_program_goes_on_to_the_same_bytes(void **state)
{
    const char *given = getenv("AUTEUR_TEST_SEED");
    char board[200], edited[200], dir[200], old[200], new[200];
    double seconds;
    int kills = 0, productions = 0;
    struct error e;

    (void)state;
    seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    printf("seed %u\n", seed);
    write_board("board.yaml", "Title");
    write_board("edited.yaml", "Edited");
    path_to(board, "board.yaml");
    path_to(edited, "edited.yaml");
    path_to(dir, "killed");
    path_to(old, "old");
    path_to(new, "new");
    seconds = make_references(board, edited);
    while (kills < KILLS) {
        kills += run_through_kills(board, dir, seconds, BATCH);
        check_the_end(dir, old);
        kills += run_through_kills(edited, dir, seconds, BATCH);
        check_the_end(dir, new);
        assert_int_equal(path_remove(dir, &e), 0);
        productions++;
    }
    printf("%d kills in %d productions\n", kills, productions);
}

static int set_up(void **state)
{
    (void)state;
    return program_scratch(scratch);
}

static int tear_down(void **state)
{
    struct error e;

    (void)state;
    return path_remove(scratch, &e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_at_any_moment_the_program_goes_on_to_the_same_bytes,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests_name("kill", tests, NULL, NULL);
}
