/* `auteur-pipe verify` as a user runs it: the report's fields, the smoke films, exit codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <jansson.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "pipeline/interrupt.h"
#include "tests/pipeline/program.h"

static char scratch[64], data[600]; /* where the program's data files are */

static int set_up(void **state)
{
    char program[400] = "";
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);

    (void)state;
    for (int up = 0; length > 0 && up < 3; up++) /* BUILD/tests/pipeline/test_verify */
        *strrchr(program, '/') = '\0';
    setenv("AUTEUR_CUDA", "/nowhere/libauteur-cuda.so", 1); /* the same on every machine */
    snprintf(data, sizeof data, "%s/share/auteur-pipe", program);
    return program_scratch(scratch) == 0 ? setenv("AUTEUR_DATA", data, 1) : -1;
}

static int tear_down(void **state)
{
    struct error e;

    (void)state;
    return path_remove(scratch, &e);
}

/* Parses the report, holds every check against the documented form, and compares the counts. */
static json_t *report_of(const struct program *p)
{
    json_t *root = json_loads(p->out, 0, NULL), *check;
    const char *verdict;
    size_t i, fails = 0;

    assert_non_null(root);
    assert_true(json_is_string(json_object_get(root, "version")));
    json_array_foreach(json_object_get(root, "checks"), i, check)
    {
        const json_t *gpu = json_object_get(check, "gpu"), *value = json_object_get(check, "value");
        const char *status = json_string_value(json_object_get(check, "status"));

        assert_int_equal(json_object_size(check), 8);
        assert_true(json_is_string(json_object_get(check, "name")));
        assert_true(json_is_string(json_object_get(check, "title")));
        assert_true(json_is_string(json_object_get(check, "unit")));
        assert_true(json_is_string(json_object_get(check, "note")));
        assert_true(json_is_null(gpu) || json_is_integer(gpu));
        assert_true(json_is_number(value) || json_is_string(value) || json_is_null(value));
        assert_non_null(json_object_get(check, "threshold"));
        assert_true(strcmp(status, "PASS") == 0 || strcmp(status, "FAIL") == 0 ||
                    strcmp(status, "SKIP") == 0);
        fails += strcmp(status, "FAIL") == 0;
    }
    assert_int_equal(json_integer_value(json_object_get(root, "fail")), fails);
    assert_int_equal(json_integer_value(json_object_get(root, "pass")) + (json_int_t)fails +
                         json_integer_value(json_object_get(root, "skip")),
                     i);
    verdict = json_string_value(json_object_get(root, "verdict"));
    assert_string_equal(verdict, fails ? "FAIL" : "PASS");
    assert_int_equal(p->status, fails ? 3 : 0);
    return root;
}

static const json_t *check_of(json_t *root, const char *name)
{
    json_t *check;
    size_t i;

    json_array_foreach(json_object_get(root, "checks"), i,
                       check) if (strcmp(json_string_value(json_object_get(check, "name")), name) ==
                                  0) return check;
    fail_msg("no check %s", name);
    return NULL;
}

static const char *text_of(const json_t *check, const char *field)
{
    return json_string_value(json_object_get(check, field));
}

static void a_machine_without_a_gpu_says_so(void **state)
{
    struct program p = PROGRAM("verify", "--json");
    json_t *root = report_of(&p);

    (void)state;
    assert_string_equal(text_of(check_of(root, "gpu"), "status"), "SKIP");
    assert_true(json_is_null(json_object_get(check_of(root, "gpu"), "gpu")));
    assert_non_null(strstr(text_of(check_of(root, "gpu"), "note"), "/nowhere/libauteur-cuda.so"));
    assert_true(json_is_number(json_object_get(check_of(root, "cpu_gemm"), "value")));
    assert_string_equal(text_of(check_of(root, "cpu_gemm"), "unit"), "GFLOP/s");
    assert_true(json_is_number(json_object_get(check_of(root, "disk"), "threshold")));
    json_decref(root);
    program_free(&p);
}

static void a_gpu_that_was_asked_for_must_be_there(void **state)
{
    struct program p = PROGRAM("verify", "--device", "cuda");

    (void)state;
    assert_int_equal(p.status, 3);
    assert_non_null(strstr(p.out, "\nFAIL  GPU "));
    assert_non_null(strstr(p.out, "\nFAIL: "));
    /* No terminal is eighty columns. */
    program_keeps_to(&p, 80);
    program_free(&p);
}

static void a_folder_that_is_not_there_is_no_slow_disk(void **state)
{
    struct program p = PROGRAM("verify", "--models", "/nowhere/models", "--device", "cpu");

    (void)state;
    assert_int_equal(p.status, 1);
    assert_string_equal(p.out, "");
    assert_non_null(strstr(p.err, "/nowhere/models is no folder"));
    program_free(&p);
}

static void every_tier_makes_its_smoke_film(void **state)
{
    static const char *const tiers[] = {"previs",    "validator",    "picture",
                                        "workhorse", "experimental", "flagship"};
    struct program p = PROGRAM("verify", "--smoke", "--device", "cpu", "--json");
    json_t *root = report_of(&p);

    (void)state;
    for (int i = 0; i < 6; i++) {
        const json_t *check = check_of(root, tiers[i]);

        if (strcmp(text_of(check, "status"), "PASS") != 0)
            fail_msg("%s: %s", tiers[i], text_of(check, "note"));
        assert_true(json_number_value(json_object_get(check, "value")) > 0);
    }
    json_decref(root);
    program_free(&p);
}

static void smoke_says_what_took_effect(void **state)
{
    struct program p = PROGRAM("verify", "--smoke", "--device", "cpu", "-v");

    (void)state;
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, " Kernels Activated ("));
    assert_non_null(strstr(p.out, "[CPU_ENGINE] Step Cache Switched Off: --step-cache first-block "
                                  "switches it on\n"));
    assert_non_null(strstr(p.out, "PASS: 6 passed, 0 failed, 0 skipped\n"));
    program_free(&p);
}

/* Without its checkpoint a tier fails and says so; the others are made, the exit code tells. */
static void a_tier_that_fails_is_named(void **state)
{
    static const char *const parts[] = {"lexicon.yaml", "previs"};
    char from[700], to[200];
    struct program p;

    (void)state;
    for (int i = 0; i < 2; i++) {
        char *real;

        snprintf(from, sizeof from, "%s/%s", data, parts[i]);
        snprintf(to, sizeof to, "%s/%s", scratch, parts[i]);
        real = realpath(from, NULL);
        assert_non_null(real);
        assert_int_equal(symlink(real, to), 0);
        free(real);
    }
    setenv("AUTEUR_DATA", scratch, 1);
    p = PROGRAM("verify", "--smoke", "--device", "cpu");
    setenv("AUTEUR_DATA", data, 1);
    assert_int_equal(p.status, 3);
    assert_non_null(strstr(p.out, "PASS  previs "));
    assert_non_null(strstr(p.out, "FAIL  flagship "));
    assert_non_null(strstr(p.out, "/smoke"));
    assert_non_null(strstr(p.out, "FAIL: 1 passed, 5 failed, 0 skipped\n"));
    program_free(&p);
}

static int entries_of(const char *path)
{
    struct dirent *entry;
    DIR *d = opendir(path);
    int count = 0;

    assert_non_null(d);
    while ((entry = readdir(d)))
        count += entry->d_name[0] != '.';
    closedir(d);
    return count;
}

static void age(const char *path, time_t seconds)
{
    const struct timespec old = {.tv_sec = time(NULL) - seconds};

    assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[]){old, old}, 0), 0);
}

static void smoke_needs_its_temporary_folder(void **state)
{
    struct program p;

    (void)state;
    setenv("TMPDIR", "/nonexistent", 1);
    p = PROGRAM("verify", "--smoke", "--device", "cpu");
    unsetenv("TMPDIR");
    assert_int_equal(p.status, 1);
    assert_non_null(strstr(p.err, "where TMPDIR says, like /nonexistent/"));
    program_free(&p);
}

/* A signal leaves nothing; what kill -9 leaves goes with the next run, but not what another that
 * lives holds, nor what is new, nor a folder of another name. */
static void a_killed_smoke_is_cleaned_up(void **state)
{
    static const char *const words[] = {"verify", "--smoke", "--device", "cpu", NULL};
    static const char *const names[] = {"auteur-smoke-left", "auteur-smoke-held",
                                        "auteur-smoke-new", "other"};
    char tmp[100], path[4][160];
    struct program p;
    int held;

    (void)state;
    snprintf(tmp, sizeof tmp, "%s/tmp", scratch);
    assert_int_equal(mkdir(tmp, 0777), 0);
    for (int i = 0; i < 4; i++) {
        snprintf(path[i], sizeof path[i], "%s/%s", tmp, names[i]);
        assert_int_equal(mkdir(path[i], 0777), 0);
        age(path[i], i == 2 ? 0 : 3600);
    }
    held = open(path[1], O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(held, LOCK_EX), 0);
    setenv("TMPDIR", tmp, 1);
    p = program_run_when(SIGTERM, NULL, 300000, words);
    unsetenv("TMPDIR");
    close(held);
    assert_int_equal(p.status, 130);
    assert_false(path_exists(path[0]));
    for (int i = 1; i < 4; i++)
        assert_true(path_exists(path[i]));
    assert_int_equal(entries_of(tmp), 3);
    program_free(&p);
}

/* timeout(1) sends its signal to the process and to its group. */
static void a_signal_that_comes_twice_is_one(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        signal(SIGTERM, SIG_DFL);
        interrupt_install();
        raise(SIGTERM);
        raise(SIGTERM);
        if (!interrupt_requested())
            _exit(1);
        usleep(600000);
        raise(SIGTERM); /* somebody means it */
        _exit(2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_machine_without_a_gpu_says_so),
        cmocka_unit_test(a_gpu_that_was_asked_for_must_be_there),
        cmocka_unit_test(a_folder_that_is_not_there_is_no_slow_disk),
        cmocka_unit_test(every_tier_makes_its_smoke_film),
        cmocka_unit_test(smoke_says_what_took_effect),
        cmocka_unit_test(a_tier_that_fails_is_named),
        cmocka_unit_test(smoke_needs_its_temporary_folder),
        cmocka_unit_test(a_killed_smoke_is_cleaned_up),
        cmocka_unit_test(a_signal_that_comes_twice_is_one),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
