/* A full disk: a small tmpfs of this process's own. Skips, and says so, where none can be mounted.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "journal/internal.h"
#include "tests/journal/scratch.h"

enum { DISK = 6 << 20 };
static const char *scratch;
static bool mounted;

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return good;
}

/* In a mount namespace of our own, so that nothing is left behind however we end. */
static bool mount_disk(const char *at)
{
    char map[64], size[32];
    unsigned uid = getuid(), gid = getgid();

    if (unshare(CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
            return false;
        snprintf(map, sizeof map, "0 %u 1", uid);
        if (!write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", map))
            return false;
        snprintf(map, sizeof map, "0 %u 1", gid);
        if (!write_text("/proc/self/gid_map", map))
            return false;
    }
    snprintf(size, sizeof size, "size=%d", DISK);
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", at, "tmpfs", MS_NOSUID | MS_NODEV, size) == 0;
}

static int group_setup(void **state)
{
    (void)state;
    scratch = scratch_make();
    mounted = mount_disk(scratch);
    if (!mounted)
        print_message("no tmpfs can be mounted here: the full-disk tests are skipped\n");
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    if (mounted)
        (void)umount(scratch);
    scratch_remove(scratch);
    return 0;
}

static const char *in_disk(const char *name)
{
    static char path[400];

    snprintf(path, sizeof path, "%s/%s", scratch, name);
    return path;
}

/* Leaves `left` bytes free. */
static void fill_disk(size_t left)
{
    char block[4096] = {1};
    int fd = open(in_disk("filler"), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    struct stat st;

    assert_true(fd >= 0);
    while (write(fd, block, sizeof block) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(ftruncate(fd, st.st_size - (off_t)left), 0);
    close(fd);
}

static void empty_disk(void)
{
    assert_int_equal(unlink(in_disk("filler")), 0);
}

static void assert_all_there(struct journal *j, unsigned count)
{
    struct error e = {0};
    struct journal_view *v;

    assert_ok(journal_view_begin(j, &v, &e));
    for (unsigned n = 0; n < count; n++)
        assert_int_equal(world_look(v, n, 1, &e), 1);
    journal_view_end(v);
}

static void assert_sound(const char *dir)
{
    struct error e = {0};
    char *report;

    if (journal_check(dir, &report, &e) != 0)
        fail_msg("%s%s", report ? report : "", e.text);
    free(report);
}

static void a_full_disk_leaves_the_journal_as_it_was(void **state)
{
    char dir[400];
    struct error e = {0};
    struct journal *j;
    unsigned n = 0;

    (void)state;
    if (!mounted)
        skip();
    snprintf(dir, sizeof dir, "%s", in_disk("journal"));
    assert_ok(journal_open(dir, JOURNAL_WRITE, &j, &e));
    /* From no page left to some: the write stops at ever other places. */
    for (size_t left = 0; left <= 15 * 4096; left += 4096) {
        for (int i = 0; i < 3; i++)
            assert_ok(world_put(j, n++, 1, &e));
        fill_disk(left);
        for (unsigned refused = n;; refused++) {
            unsigned before = n;

            if (world_put(j, refused, 1, &e) == 0) {
                n++; /* there was room in free pages, or just enough */
                continue;
            }
            assert_int_equal(e.code, ERROR_SPACE);
            assert_non_null(strstr(e.text, "full"));
            error_clear(&e);
            assert_all_there(j, before);
            break;
        }
        /* On the full disk it can be closed, opened and read. */
        journal_close(j);
        assert_ok(journal_open(dir, JOURNAL_WRITE, &j, &e));
        assert_all_there(j, n);
        empty_disk();
        assert_ok(world_put(j, n++, 1, &e));
        assert_all_there(j, n);
    }
    journal_close(j);
    assert_sound(dir);
    assert_ok(path_remove(dir, &e));
}

static void a_batch_on_a_full_disk_says_so(void **state)
{
    char dir[400];
    struct error e = {0};
    struct journal *j;
    struct journal_view *v;

    (void)state;
    if (!mounted)
        skip();
    snprintf(dir, sizeof dir, "%s", in_disk("journal"));
    assert_ok(journal_open(dir, JOURNAL_WRITE, &j, &e));
    for (unsigned n = 0; n < 10; n++)
        assert_ok(world_put(j, n, 1, &e));
    fill_disk(20 * 4096);
    assert_ok(journal_batch_begin(j, &e));
    for (unsigned n = 10; n < 40; n++)
        assert_ok(world_put(j, n, 1, &e));
    assert_int_equal(journal_batch_end(j, &e), -1);
    assert_int_equal(e.code, ERROR_SPACE);
    error_clear(&e);
    assert_ok(journal_view_begin(j, &v, &e));
    for (unsigned n = 0; n < 40; n++)
        assert_int_equal(world_look(v, n, 1, &e), n < 10);
    journal_view_end(v);
    empty_disk();
    for (unsigned n = 10; n < 40; n++)
        assert_ok(world_put(j, n, 1, &e));
    assert_all_there(j, 40);
    journal_close(j);
    assert_sound(dir);
    assert_ok(path_remove(dir, &e));
}

static void none_is_made_on_a_full_disk(void **state)
{
    char dir[400];
    struct error e = {0};
    struct journal *j;
    int made = 0;

    (void)state;
    if (!mounted)
        skip();
    snprintf(dir, sizeof dir, "%s", in_disk("journal"));
    for (size_t left = 0; left < 60 * 4096; left += 2 * 4096) {
        fill_disk(left);
        if (journal_open(dir, JOURNAL_WRITE, &j, &e) == 0) {
            made++;
            journal_close(j);
            assert_sound(dir);
            assert_ok(path_remove(dir, &e));
        } else {
            assert_int_equal(e.code, ERROR_SPACE);
            error_clear(&e);
        }
        empty_disk();
        /* What was left behind is no hindrance. */
        assert_ok(journal_open(dir, JOURNAL_WRITE, &j, &e));
        journal_close(j);
        assert_sound(dir);
        assert_ok(path_remove(dir, &e));
    }
    assert_true(made > 0);
}

static void salvage_on_a_full_disk_changes_nothing(void **state)
{
    static const char zeros[4096];
    char dir[400], file[500], *bytes, *now, *report;
    struct error e = {0};
    struct journal *j;
    size_t size, now_size;
    int fd;

    (void)state;
    if (!mounted)
        skip();
    snprintf(dir, sizeof dir, "%s", in_disk("journal"));
    snprintf(file, sizeof file, "%s/" DATA_FILE, dir);
    assert_ok(journal_open(dir, JOURNAL_WRITE, &j, &e));
    for (unsigned n = 0; n < 20; n++)
        assert_ok(world_put(j, n, 1, &e));
    journal_close(j);
    fd = open(file, O_WRONLY);
    assert_int_equal(pwrite(fd, zeros, sizeof zeros, 0),
                     sizeof zeros); /* a sound one is left alone */
    close(fd);
    assert_ok(file_read(file, DISK, &bytes, &size, &e));
    fill_disk(100 * 1024);
    assert_int_equal(journal_salvage(dir, &report, &e), -1);
    assert_int_equal(e.code, ERROR_SPACE);
    free(report);
    error_clear(&e);
    assert_ok(file_read(file, DISK, &now, &now_size, &e));
    assert_int_equal(now_size, size);
    assert_memory_equal(now, bytes, size);
    empty_disk();
    assert_ok(journal_salvage(dir, &report, &e));
    free(report);
    assert_sound(dir);
    free(bytes);
    free(now);
}

static void a_read_only_disk_is_read(void **state)
{
    char dir[400];
    struct error e = {0};
    struct journal *j;

    (void)state;
    if (!mounted)
        skip();
    snprintf(dir, sizeof dir, "%s", in_disk("another"));
    assert_ok(journal_open(dir, JOURNAL_WRITE, &j, &e));
    assert_ok(world_put(j, 0, 1, &e));
    journal_close(j);
    assert_int_equal(mount(NULL, scratch, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    assert_ok(journal_open(dir, JOURNAL_READ, &j, &e));
    assert_all_there(j, 1);
    journal_close(j);
    assert_sound(dir);
    assert_int_equal(journal_open(dir, JOURNAL_WRITE, &j, &e), -1);
    assert_int_equal(e.code, ERROR_IO);
    assert_non_null(strstr(e.text, "Read-only"));
    assert_int_equal(mount(NULL, scratch, NULL, MS_REMOUNT, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_leaves_the_journal_as_it_was),
        cmocka_unit_test(a_batch_on_a_full_disk_says_so),
        cmocka_unit_test(none_is_made_on_a_full_disk),
        cmocka_unit_test(salvage_on_a_full_disk_changes_nothing),
        cmocka_unit_test(a_read_only_disk_is_read),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
