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

/* Bytes of a mapping are found in the file they come from, as long as it is mapped. */
static void mapped_and_read_from_its_file(void **state)
{
    enum { SIZE = 100000, FROM = 70001, COUNT = 20000 };
    static uint8_t bytes[SIZE], read[COUNT];
    struct error e = {0};
    struct file_map map, other;
    char path[64];
    int64_t at = -1;
    int fd;

    (void)state;
    for (int i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    snprintf(path, sizeof path, "%s/weights", dir);
    assert_int_equal(file_write_atomic(path, bytes, SIZE, &e), 0);
    assert_int_equal(file_map_open(path, &map, &e), 0);
    assert_int_equal(file_map_open(path, &other, &e), 0);
    fd = file_map_source(map.bytes + FROM, COUNT, &at);
    assert_true(fd >= 0);
    assert_int_equal(at, FROM);
    assert_int_equal(pread(fd, read, COUNT, (off_t)at), COUNT);
    assert_memory_equal(read, map.bytes + FROM, COUNT);
    assert_int_equal(file_map_source(map.bytes + FROM, SIZE - FROM + 1, &at), -1);
    assert_int_equal(file_map_source(bytes, COUNT, &at), -1);
    assert_int_equal(truncate(path, FROM + 5), 0);
    assert_int_equal(pread(fd, read, COUNT, FROM), 5);
    const uint8_t *gone = map.bytes;
    file_map_close(&map);
    assert_int_equal(file_map_source(gone, 1, &at), -1);
    assert_true(file_map_source(other.bytes, SIZE, &at) >= 0);
    file_map_close(&other);
}

/* More files than are kept open are mapped all the same. */
static void many_mapped(void **state)
{
    enum { MANY = 200 };
    static struct file_map map[MANY];
    struct error e = {0};
    char path[64];
    int64_t at;
    int known = 0;

    (void)state;
    snprintf(path, sizeof path, "%s/many", dir);
    assert_int_equal(file_write_atomic(path, "fleet", 5, &e), 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(file_map_open(path, &map[i], &e), 0);
    for (int i = 0; i < MANY; i++)
        known += file_map_source(map[i].bytes, 5, &at) >= 0;
    assert_in_range(known, 16, MANY - 1);
    for (int i = 0; i < MANY; i++) {
        assert_memory_equal(map[i].bytes, "fleet", 5);
        file_map_close(&map[i]);
    }
    assert_int_equal(file_map_open(path, &map[0], &e), 0);
    assert_true(file_map_source(map[0].bytes, 5, &at) >= 0);
    file_map_close(&map[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mapped_and_read_from_its_file),
        cmocka_unit_test(many_mapped),
        cmocka_unit_test(pipes_devices_and_folders),
        cmocka_unit_test(written_whole_and_read_back),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
