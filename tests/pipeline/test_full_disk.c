/* The disk fills up somewhere in a run: one clear error, nothing lost, and when there is room again
 * `resume` ends with the same bytes as an undisturbed run. A small tmpfs stands for the disk; where
 * none may be mounted the test skips and says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>

#include "tests/pipeline/program.h"
#include "tests/pipeline/tree.h"

static char scratch[64], board[128], reference[128], disk[128], dir[160];

static void write_board(void)
{
    char *model = realpath("tests/fixtures/wan2.2-t2v-a14b", NULL);
    FILE *f = fopen(board, "w");

    assert_non_null(f);
    assert_non_null(model);
    fprintf(f, "name: full\nsize: 160x96\nfps: 12\nmodels: {flagship: \"%s\"}\nshots:\n", model);
    fprintf(f,
            "  - {id: g, tier: flagship, prompt: a boat at dawn, frames: 5, steps: 4, seed: 3}\n");
    for (int i = 0; i < 3; i++)
        fprintf(f,
                "  - {id: c%d, card: {background: \"#20%02x40\", to: \"#604020\"}, frames: 12, "
                "overlays: [{style: title, text: Card %d, out: 0.8}]}\n",
                i, 64 + 32 * i, i);
    assert_int_equal(fclose(f), 0);
    free(model);
}

static int set_up(void **state)
{
    (void)state;
    if (program_scratch(scratch) != 0)
        return -1;
    snprintf(board, sizeof board, "%s/board.yaml", scratch);
    snprintf(reference, sizeof reference, "%s/reference", scratch);
    snprintf(disk, sizeof disk, "%s/disk", scratch);
    snprintf(dir, sizeof dir, "%s/production", disk);
    return mkdir(disk, 0755);
}

static int tear_down(void **state)
{
    struct error e;

    (void)state;
    umount2(disk, MNT_DETACH);
    return path_remove(scratch, &e);
}

static bool mount_disk(int kib, unsigned long more)
{
    char size[40];

    snprintf(size, sizeof size, "size=%dk", kib);
    return mount("tmpfs", disk, "tmpfs", more, size) == 0;
}

/* A run on a disk of so many KiB, then with room. True: the first run failed for want of space. */
static bool survive(int kib)
{
    char ours[200], theirs[200];
    struct program p;
    bool full;

    assert_true(mount_disk(kib, 0));
    p = PROGRAM("run", board, "-o", dir);
    full = p.status != 0;
    if (full &&
        (p.status == 130 || !(strstr(p.err, "No space left") || strstr(p.err, "disk is full")))) {
        printf("%d KiB: status %d, signal %d\n%s\n", kib, p.status, p.signal, p.err);
        fail();
    }
    program_free(&p);
    assert_true(mount_disk(64 << 10, MS_REMOUNT));
    p = PROGRAM("run", board, "-o", dir);
    if (p.status != 0)
        printf("%d KiB, then room: %s\n%s\n", kib, p.out, p.err);
    assert_int_equal(p.status, 0);
    program_free(&p);
    snprintf(ours, sizeof ours, "%s/shots", dir);
    snprintf(theirs, sizeof theirs, "%s/shots", reference);
    assert_true(tree_within(ours, theirs, NULL) > 0);
    assert_true(tree_within(theirs, ours, NULL) > 0);
    assert_int_equal(umount(disk), 0);
    return full;
}

static void a_full_disk_costs_nothing_but_time(void **state)
{
    int full = 0, kib;

    (void)state;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        printf("skipped: mounting a tmpfs is not permitted here\n");
        skip();
    }
    write_board();
    struct program p = PROGRAM("run", board, "-o", reference);
    assert_int_equal(p.status, 0);
    program_free(&p);
    /* From where not even a journal fits to where everything does. */
    for (kib = 16; kib < 16384; kib += kib < 800 ? 32 : kib / 4) {
        if (!survive(kib))
            break;
        full++;
    }
    printf("full at %d sizes, room enough at %d KiB\n", full, kib);
    assert_true(full > 5);
    assert_true(kib < 16384);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_disk_costs_nothing_but_time, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("full disk", tests, NULL, NULL);
}
