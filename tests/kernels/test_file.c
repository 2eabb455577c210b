/* What is no regular file is refused at once: a pipe that nobody writes to must not be waited for,
 * nor a device read to an end that it has not. */
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
#include "kernels/base/hash.h"

static char dir[] = "/tmp/auteur-file-XXXXXX";
static char pipe_path[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(pipe_path, sizeof pipe_path, "%s/pipe", dir);
    return mkfifo(pipe_path, 0600);
}

static int tear_down(void **state)
{
    struct error e = {0};
    (void)state;
    return path_remove(dir, &e);
}

static void refuses(const char *path)
{
    struct error e = {0};
    struct hash128 digest;
    struct file_map map;
    char *bytes;
    size_t size;

    assert_int_equal(file_read(path, 1 << 20, &bytes, &size, &e), -1);
    assert_non_null(strstr(e.text, "is not a regular file"));
    assert_non_null(strstr(e.text, path));
    error_clear(&e);
    assert_int_equal(hash_file(path, &digest, &e), -1);
    assert_non_null(strstr(e.text, "is not a regular file"));
    error_clear(&e);
    assert_int_equal(file_map_open(path, &map, &e), -1);
    assert_non_null(strstr(e.text, "is not a regular file"));
}

static void pipes_devices_and_folders(void **state)
{
    (void)state;
    refuses(pipe_path);
    refuses("/dev/zero");
    refuses(dir);
}

static void written_whole_and_read_back(void **state)
{
    struct error e = {0};
    struct hash128 digest;
    char path[64], *bytes;
    size_t size;

    (void)state;
    snprintf(path, sizeof path, "%s/note", dir);
    assert_int_equal(file_write_atomic(path, "fleet", 5, &e), 0);
    assert_int_equal(file_read(path, 5, &bytes, &size, &e), 0);
    assert_int_equal(size, 5);
    assert_string_equal(bytes, "fleet");
    free(bytes);
    assert_int_equal(hash_file(path, &digest, &e), 0);
    assert_true(hash_equal(digest, hash_bytes("fleet", 5)));
    assert_int_equal(file_read(path, 4, &bytes, &size, &e), -1);
    assert_non_null(strstr(e.text, "too large"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipes_devices_and_folders),
        cmocka_unit_test(written_whole_and_read_back),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
