/* Several processes and threads on one journal: one writer, readers that never block, slots of dead
 * readers, a map that grows under open views. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "journal/internal.h"
#include "tests/journal/scratch.h"

enum { SMALL_MAP = 1 << 20 };

/* Runs body in a child; the child tells when it is ready and waits to be killed or let go. */
struct child {
    pid_t pid;
    int ready, go;
};

static struct child child_start(void (*body)(const char *dir, int ready, int go), const char *dir)
{
    struct child c;
    int ready[2], go[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    c.pid = fork();
    assert_true(c.pid >= 0);
    if (c.pid == 0) {
        close(ready[0]);
        close(go[1]);
        body(dir, ready[1], go[0]);
        _exit(0);
    }
    close(ready[1]);
    close(go[0]);
    c.ready = ready[0];
    c.go = go[1];
    assert_int_equal(read(c.ready, &byte, 1), 1);
    return c;
}

static void child_end(struct child *c, int signal_to_send)
{
    int status;

    if (signal_to_send)
        kill(c->pid, signal_to_send);
    close(c->go);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    if (!signal_to_send)
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(c->ready);
}

static void child_meet(int ready, int go)
{
    char byte = 0;

    if (write(ready, "r", 1) != 1 || read(go, &byte, 1) < 0)
        _exit(1);
}

static void hold_as_writer(const char *dir, int ready, int go)
{
    struct error e = {0};
    struct journal *j;

    if (journal_open(dir, JOURNAL_WRITE, &j, &e) != 0 || world_put(j, 1, 1, &e) != 0)
        _exit(1);
    child_meet(ready, go);
    journal_close(j);
}

static void a_second_writer_learns_who_holds_it(void **state)
{
    const char *dir = scratch_make();
    struct child c = child_start(hold_as_writer, dir);
    struct error e = {0};
    struct journal *j = NULL;
    struct journal_view *v;
    char pid[32], *report;

    (void)state;
    assert_int_equal(journal_open(dir, JOURNAL_WRITE, &j, &e), -1);
    assert_int_equal(e.code, ERROR_BUSY);
    snprintf(pid, sizeof pid, "process %d on ", (int)c.pid);
    assert_non_null(strstr(e.text, pid));
    assert_non_null(strstr(e.text, " since 2"));
    error_clear(&e);
    assert_int_equal(journal_check(dir, &report, &e), -1);
    assert_int_equal(e.code, ERROR_BUSY);
    free(report);
    error_clear(&e);
    assert_int_equal(journal_salvage(dir, &report, &e), -1);
    assert_int_equal(e.code, ERROR_BUSY);
    free(report);
    error_clear(&e);
    /* A reader does not mind. */
    assert_ok(journal_open(dir, JOURNAL_READ, &j, &e));
    assert_ok(journal_view_begin(j, &v, &e));
    assert_int_equal(world_look(v, 1, 1, &e), 1);
    journal_view_end(v);
    journal_close(j);
    child_end(&c, SIGKILL);
    assert_ok(journal_open(dir, JOURNAL_WRITE, &j, &e));
    journal_close(j);
    scratch_remove(dir);
}

static void a_process_opens_it_once(void **state)
{
    const char *dir = scratch_make();
    struct error e = {0};
    struct journal *j, *again;
    char *report;

    (void)state;
    assert_ok(journal_open(dir, JOURNAL_WRITE, &j, &e));
    assert_int_equal(journal_open(dir, JOURNAL_READ, &again, &e), -1);
    assert_int_equal(e.code, ERROR_BUSY);
    error_clear(&e);
    assert_int_equal(journal_check(dir, &report, &e), -1);
    assert_int_equal(e.code, ERROR_BUSY);
    free(report);
    error_clear(&e);
    journal_close(j);
    assert_ok(journal_open(dir, JOURNAL_READ, &j, &e));
    journal_close(j);
    journal_close(NULL);
    journal_view_end(NULL);
    scratch_remove(dir);
}

/* As somebody who may read the journal and write nothing there. */
static void read_as_a_stranger(const char *dir, int ready, int go)
{
    struct error e = {0};
    struct journal *j;
    struct journal_view *v;

    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        _exit(2);
    child_meet(ready, go);
    if (journal_open(dir, JOURNAL_READ, &j, &e) != 0)
        _exit(e.code == ERROR_BUSY ? 3 : 4);
    if (journal_view_begin(j, &v, &e) != 0 || world_look(v, 1, 1, &e) != 1)
        _exit(5);
    journal_view_end(v);
    journal_close(j);
}

static int end_of(struct child *c)
{
    int status;

    assert_int_equal(write(c->go, "g", 1), 1); /* another child may have the pipe's end as well */
    close(c->go);
    close(c->ready);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void those_who_may_only_read_do_so_while_nobody_writes(void **state)
{
    static const char *const files[] = {DATA_FILE, LMDB_LOCK, WRITER_LOCK};
    const char *dir = scratch_make();
    struct child stranger, writer;
    struct error e = {0};
    struct journal *j;
    char path[300];

    (void)state;
    assert_ok(journal_open(dir, JOURNAL_WRITE, &j, &e));
    assert_ok(world_put(j, 1, 1, &e));
    journal_close(j);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        assert_int_equal(chmod(path, geteuid() == 0 || i == 2 ? 0644 : 0444), 0);
    }
    assert_int_equal(chmod(dir, geteuid() == 0 ? 0755 : 0555), 0);
    stranger = child_start(read_as_a_stranger, dir);
    assert_int_equal(end_of(&stranger), 0);
    if (geteuid() == 0) { /* who else may write where others may not */
        stranger = child_start(read_as_a_stranger, dir);
        writer = child_start(hold_as_writer, dir);
        assert_int_equal(end_of(&stranger), 3);
        child_end(&writer, 0);
    }
    assert_int_equal(chmod(dir, 0755), 0);
    scratch_remove(dir);
}

static void hold_a_view(const char *dir, int ready, int go)
{
    struct error e = {0};
    struct journal *j;
    struct journal_view *v;

    if (journal_open(dir, JOURNAL_READ, &j, &e) != 0 || journal_view_begin(j, &v, &e) != 0)
        _exit(1);
    child_meet(ready, go);
    journal_view_end(v);
    journal_close(j);
}

static void hold_it_open(const char *dir, int ready, int go)
{
    struct error e = {0};
    struct journal *j;

    if (journal_open(dir, JOURNAL_READ, &j, &e) != 0)
        _exit(1);
    child_meet(ready, go);
    journal_close(j);
}

static uint64_t file_size(const char *dir)
{
    struct error e = {0};
    struct file_stat st;
    char path[300];

    snprintf(path, sizeof path, "%s/" DATA_FILE, dir);
    assert_ok(file_stat(path, &st, &e));
    return st.size;
}

/* A dead reader's slot would keep every page since its view from being used again. */
static void a_dead_reader_is_forgotten(void **state)
{
    const char *dir = scratch_make();
    struct error e = {0};
    struct journal *j;
    struct child c;
    uint8_t *bytes = calloc(1, 1 << 20);
    uint64_t before;

    (void)state;
    assert_non_null(bytes);
    assert_ok(journal_open(dir, JOURNAL_WRITE, &j, &e));
    c = child_start(hold_a_view, dir);
    for (int i = 0; i < 10; i++)
        assert_ok(journal_checkpoint_put(j, (struct hash128){{1}}, bytes, 1 << 20, &e));
    before = file_size(dir);
    assert_true(before >= 10u << 20); /* the view held them all */
    child_end(&c, SIGKILL);
    /* lock.mdb outlives its readers only while a process has it open: let one. */
    c = child_start(hold_it_open, dir);
    journal_close(j);
    assert_ok(journal_open(dir, JOURNAL_WRITE, &j, &e));
    for (int i = 0; i < 9; i++)
        assert_ok(journal_checkpoint_put(j, (struct hash128){{1}}, bytes, 1 << 20, &e));
    assert_in_range(file_size(dir), before, before + (2 << 20));
    child_end(&c, 0);
    journal_close(j);
    free(bytes);
    scratch_remove(dir);
}

static void the_map_grows(void **state)
{
    const char *dir = scratch_make();
    struct error e = {0};
    struct journal *j;
    struct journal_view *v;
    size_t size = 3 << 20, got;
    uint8_t *bytes = malloc(size);
    const void *at;

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 7, size);
    assert_ok(journal_open_sized(dir, JOURNAL_WRITE, SMALL_MAP, &j, &e));
    for (unsigned n = 0; n < 120; n++) /* past the map by small steps */
        assert_ok(world_put(j, n, 1, &e));
    assert_ok(journal_checkpoint_put(j, (struct hash128){{1}}, bytes, size, &e)); /* and at once */
    assert_ok(journal_view_begin(j, &v, &e));
    for (unsigned n = 0; n < 120; n++)
        assert_int_equal(world_look(v, n, 1, &e), 1);
    assert_int_equal(journal_checkpoint_get(v, (struct hash128){{1}}, &at, &got, &e), 1);
    assert_int_equal(got, size);
    assert_memory_equal(at, bytes, size);
    journal_view_end(v);
    journal_close(j);
    free(bytes);
    scratch_remove(dir);
}

struct looking {
    struct journal *j;
    atomic_bool *stop;
    unsigned looks, wrong;
};

static void *look_again_and_again(void *ctx)
{
    struct looking *l = ctx;

    while (!*l->stop) {
        struct error e = {0};
        struct journal_view *v;

        if (journal_view_begin(l->j, &v, &e) != 0) {
            l->wrong++;
            break;
        }
        if (world_look(v, 0, 1, &e) != 1)
            l->wrong++;
        usleep(2000); /* the view stays open while the writer wants to grow */
        if (world_look(v, 0, 1, &e) != 1)
            l->wrong++;
        journal_view_end(v);
        l->looks++;
    }
    return NULL;
}

static void the_map_grows_under_readers_of_other_threads(void **state)
{
    const char *dir = scratch_make();
    struct error e = {0};
    atomic_bool stop = false;
    struct looking l[3] = {0};
    pthread_t threads[3];

    (void)state;
    assert_ok(journal_open_sized(dir, JOURNAL_WRITE, SMALL_MAP, &l[0].j, &e));
    assert_ok(world_put(l[0].j, 0, 1, &e));
    for (int i = 0; i < 3; i++) {
        l[i].j = l[0].j;
        l[i].stop = &stop;
        assert_int_equal(pthread_create(&threads[i], NULL, look_again_and_again, &l[i]), 0);
    }
    for (unsigned n = 1; n < 400; n++)
        assert_ok(world_put(l[0].j, n, 1, &e));
    stop = true;
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(l[i].wrong, 0);
        assert_true(l[i].looks > 0);
    }
    journal_close(l[0].j);
    scratch_remove(dir);
}

struct putting {
    struct journal *j;
    unsigned first, failed;
};

static void *put_fifty(void *ctx)
{
    struct putting *p = ctx;
    struct error e = {0};

    for (unsigned n = p->first; n < p->first + 50; n++)
        p->failed += world_put(p->j, n, 1, &e) != 0 ||
                     journal_event(p->j, "thread", "", "", "went on", &e) != 0;
    return NULL;
}

/* Alone and inside a batch: what four threads put is all there, one event after the other. */
static void threads_put_side_by_side(void **state)
{
    const char *dir = scratch_make();
    struct error e = {0};
    struct journal *j;
    struct journal_view *v;
    struct putting p[4];
    pthread_t threads[4];
    char *report;

    (void)state;
    assert_ok(journal_open(dir, JOURNAL_WRITE, &j, &e));
    for (unsigned round = 0; round < 2; round++) {
        if (round)
            assert_ok(journal_batch_begin(j, &e));
        for (unsigned i = 0; i < 4; i++) {
            p[i] = (struct putting){j, (round * 4 + i) * 50, 0};
            assert_int_equal(pthread_create(&threads[i], NULL, put_fifty, &p[i]), 0);
        }
        for (unsigned i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
            assert_int_equal(p[i].failed, 0);
        }
        if (round)
            assert_ok(journal_batch_end(j, &e));
    }
    assert_ok(journal_view_begin(j, &v, &e));
    for (unsigned n = 0; n < 400; n++)
        assert_int_equal(world_look(v, n, 1, &e), 1);
    journal_view_end(v);
    journal_close(j);
    assert_ok(journal_check(dir, &report, &e));
    assert_non_null(strstr(report, "800 events"));
    free(report);
    scratch_remove(dir);
}

/* With a view of one's own open the map cannot move: an error that says so, and nothing is lost. */
static void growth_waits_for_no_view_of_its_own(void **state)
{
    const char *dir = scratch_make();
    struct error e = {0};
    struct journal *j;
    struct journal_view *v;
    uint8_t *bytes = calloc(1, 2 * SMALL_MAP);

    (void)state;
    assert_non_null(bytes);
    assert_ok(journal_open_sized(dir, JOURNAL_WRITE, SMALL_MAP, &j, &e));
    assert_ok(world_put(j, 1, 1, &e));
    assert_ok(journal_view_begin(j, &v, &e));
    assert_int_equal(journal_checkpoint_put(j, (struct hash128){{1}}, bytes, 2 * SMALL_MAP, &e),
                     -1);
    assert_int_equal(e.code, ERROR_SPACE);
    error_clear(&e);
    assert_int_equal(world_look(v, 1, 1, &e), 1);
    journal_view_end(v);
    assert_ok(journal_checkpoint_put(j, (struct hash128){{1}}, bytes, 2 * SMALL_MAP, &e));
    journal_close(j);
    free(bytes);
    scratch_remove(dir);
}

static void read_after_growth(const char *dir, int ready, int go)
{
    struct error e = {0};
    struct journal *j;
    struct journal_view *v;
    int rc;

    if (journal_open_sized(dir, JOURNAL_READ, SMALL_MAP, &j, &e) != 0)
        _exit(1);
    child_meet(ready, go); /* the writer grows the file past this map */
    rc = journal_view_begin(j, &v, &e) == 0 && world_look(v, 299, 1, &e) == 1;
    if (!rc)
        print_error("%s\n", e.text);
    journal_view_end(v);
    journal_close(j);
    _exit(!rc);
}

static void a_reader_follows_a_map_grown_elsewhere(void **state)
{
    const char *dir = scratch_make();
    struct error e = {0};
    struct journal *j;
    struct child c;

    (void)state;
    assert_ok(journal_open_sized(dir, JOURNAL_WRITE, SMALL_MAP, &j, &e));
    c = child_start(read_after_growth, dir);
    for (unsigned n = 0; n < 300; n++)
        assert_ok(world_put(j, n, 1, &e));
    child_end(&c, 0);
    journal_close(j);
    scratch_remove(dir);
}

static void read_while_writing(const char *dir, int ready, int go)
{
    (void)go;
    if (write(ready, "r", 1) != 1)
        _exit(1);
    for (int i = 0; i < 60; i++) {
        struct error e = {0};
        struct journal *j;
        struct journal_view *v;

        if (journal_open(dir, JOURNAL_READ, &j, &e) != 0 || journal_view_begin(j, &v, &e) != 0 ||
            world_look(v, 0, 1, &e) < 0) {
            print_error("%s\n", e.text);
            _exit(1);
        }
        journal_view_end(v);
        journal_close(j);
    }
    _exit(0);
}

/* The look at every page on opening must not take a writer's doings for damage. */
static void readers_open_it_while_it_is_written(void **state)
{
    const char *dir = scratch_make();
    struct error e = {0};
    struct journal *j;
    struct child c;
    int status = 0;

    (void)state;
    assert_ok(journal_open(dir, JOURNAL_WRITE, &j, &e));
    assert_ok(world_put(j, 0, 1, &e));
    c = child_start(read_while_writing, dir);
    for (unsigned version = 2; waitpid(c.pid, &status, WNOHANG) == 0; version++) {
        for (unsigned n = 1; n < 20; n++)
            assert_ok(world_put(j, n, version, &e));
        assert_ok(journal_sweep(j, NULL, NULL, &e));
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(c.ready);
    close(c.go);
    journal_close(j);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_writer_learns_who_holds_it),
        cmocka_unit_test(a_process_opens_it_once),
        cmocka_unit_test(those_who_may_only_read_do_so_while_nobody_writes),
        cmocka_unit_test(a_dead_reader_is_forgotten),
        cmocka_unit_test(the_map_grows),
        cmocka_unit_test(the_map_grows_under_readers_of_other_threads),
        cmocka_unit_test(threads_put_side_by_side),
        cmocka_unit_test(growth_waits_for_no_view_of_its_own),
        cmocka_unit_test(a_reader_follows_a_map_grown_elsewhere),
        cmocka_unit_test(readers_open_it_while_it_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
