/* The cache of algorithms: kept from run to run, and no damage to its file does any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernels/base/file.h"
#include "kernels/tuning.h"

static char folder[] = "/tmp/auteur-tuning-XXXXXX";

static int setup(void **state)
{
    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    return mkdtemp(folder) && setenv("AUTEUR_CACHE", folder, 1) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    struct error e = {0};
    (void)state;
    return path_remove(folder, &e);
}

static int value_of(struct tuning *t, const char *key, int effort)
{
    int value = -1;
    return tuning_find(t, key, strlen(key), effort, &value, sizeof value) ? value : -1;
}

static int keep(struct tuning *t, const char *key, int effort, int value)
{
    tuning_keep(t, key, strlen(key), effort, &value, sizeof value);
    return value;
}

static void test_what_was_kept_is_found_by_the_next_run(void **state)
{
    struct tuning *t = tuning_open("GPU 1");
    char wide[8];
    (void)state;

    assert_int_equal(value_of(t, "a", 0), -1);
    keep(t, "a", 1, 7);
    keep(t, "bb", 1, 8);
    assert_int_equal(value_of(t, "a", 1), 7);
    tuning_close(t);
    t = tuning_open("GPU 1");
    assert_int_equal(value_of(t, "a", 1), 7);
    assert_int_equal(value_of(t, "bb", 0), 8);
    assert_int_equal(value_of(t, "b", 0), -1);
    assert_false(tuning_find(t, "a", 1, 0, wide, sizeof wide)); /* of another size */
    tuning_close(t);
}

static void test_another_gpu_has_a_file_of_its_own(void **state)
{
    struct tuning *a = tuning_open("GPU 1"), *b = tuning_open("GPU 2");
    (void)state;

    keep(a, "a", 1, 7);
    keep(b, "a", 1, 9);
    tuning_close(a);
    tuning_close(b);
    a = tuning_open("GPU 1");
    assert_int_equal(value_of(a, "a", 1), 7);
    tuning_close(a);
}

static void test_more_effort_looks_again_and_wins(void **state)
{
    struct tuning *t = tuning_open("GPU 1");
    (void)state;

    keep(t, "a", 1, 7);
    assert_int_equal(value_of(t, "a", 2), -1);
    keep(t, "a", 2, 8);
    assert_int_equal(value_of(t, "a", 1), 8);
    assert_int_equal(keep(t, "a", 1, 9), 8);
    tuning_close(t);
}

static void test_the_first_process_chooses_for_all(void **state)
{
    struct tuning *a = tuning_open("GPU 1"), *b = tuning_open("GPU 1");
    (void)state;

    keep(a, "a", 1, 7);
    assert_int_equal(keep(b, "a", 1, 8), 7);
    keep(b, "b", 1, 5);
    keep(a, "c", 1, 6);
    assert_int_equal(value_of(a, "b", 1), 5);
    tuning_close(a);
    tuning_close(b);
}

/* The file with byte `at` changed, or cut there. */
static void damage(const char *path, const char *bytes, size_t size, size_t at, int cut)
{
    struct error e = {0};
    char *copy = malloc(size);

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    copy[at] ^= 0x10;
    assert_int_equal(file_write_atomic(path, copy, cut ? at : size, &e), 0);
    free(copy);
}

static void test_a_damaged_file_counts_as_empty(void **state)
{
    struct tuning *t = tuning_open("GPU 1");
    struct error e = {0};
    char path[4096], *bytes;
    size_t size;
    (void)state;

    keep(t, "a", 1, 7);
    snprintf(path, sizeof path, "%s", tuning_path(t));
    tuning_close(t);
    assert_int_equal(file_read(path, 1 << 20, &bytes, &size, &e), 0);
    for (size_t at = 0; at < size; at++)
        for (int cut = 0; cut < 2; cut++) {
            damage(path, bytes, size, at, cut);
            t = tuning_open("GPU 1");
            assert_int_equal(value_of(t, "a", 0), -1);
            if (at % 16 == 0) {
                keep(t, "b", 1, 3);
                tuning_close(t);
                t = tuning_open("GPU 1");
                assert_int_equal(value_of(t, "b", 0), 3);
            }
            tuning_close(t);
        }
    free(bytes);
}

static void test_without_a_folder_it_lasts_as_long_as_the_process(void **state)
{
    char inside[4096];
    struct error e = {0};
    struct tuning *t;
    (void)state;

    snprintf(inside, sizeof inside, "%s/file", folder);
    assert_int_equal(file_write_atomic(inside, "x", 1, &e), 0);
    snprintf(inside, sizeof inside, "%s/file/folder", folder);
    setenv("AUTEUR_CACHE", inside, 1);
    t = tuning_open("GPU 1");
    assert_string_equal(tuning_path(t), "");
    keep(t, "a", 1, 7);
    assert_int_equal(value_of(t, "a", 1), 7);
    tuning_close(t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_kept_is_found_by_the_next_run),
        TEST(test_another_gpu_has_a_file_of_its_own),
        TEST(test_more_effort_looks_again_and_wins),
        TEST(test_the_first_process_chooses_for_all),
        TEST(test_a_damaged_file_counts_as_empty),
        TEST(test_without_a_folder_it_lasts_as_long_as_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
