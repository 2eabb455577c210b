/* The monitor with a sampler that is told what to say: peaks of whiles that overlap, the last
 * minute and its file, the lines that status draws. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <unistd.h>

#include "pipeline/execute/monitor_file.h"
#include "pipeline/progress/spark.h"
#include "tests/pipeline/fake_run.h"
#include "tests/pipeline/program.h"

static char scratch[64];

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

/* ---- the sampler */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t asked;
    struct machine_sample says;
    int taken, closed;
} machine = {.mutex = PTHREAD_MUTEX_INITIALIZER, .asked = PTHREAD_COND_INITIALIZER};

static void fake_take(void *ctx, struct machine_sample *out)
{
    (void)ctx;
    pthread_mutex_lock(&machine.mutex);
    *out = machine.says;
    machine.taken++;
    pthread_cond_broadcast(&machine.asked);
    pthread_mutex_unlock(&machine.mutex);
}

static void fake_close(void *ctx)
{
    (void)ctx;
    machine.closed++;
}

/* Says this until it was taken into account: two samples were begun after it. */
static void say(double host, double device, double busy, double memory_busy, double watts)
{
    int from;

    pthread_mutex_lock(&machine.mutex);
    machine.says = (struct machine_sample){host, device, busy, memory_busy, watts};
    from = machine.taken;
    while (machine.taken < from + 2)
        pthread_cond_wait(&machine.asked, &machine.mutex);
    pthread_mutex_unlock(&machine.mutex);
}

static struct monitor *started(const char *path)
{
    struct machine_sampler s = {.take = fake_take, .close = fake_close, .device_total = 0x1p34};
    struct monitor *m;
    struct error e = {0};

    machine.says = (struct machine_sample){1, 1, 0, 0, 1};
    machine.taken = machine.closed = 0;
    snprintf(s.device, sizeof s.device, "NVIDIA Fake");
    assert_int_equal(monitor_start(&s, 0.002, path, &m, &e), 0);
    return m;
}

static void a_while_has_its_own_peaks(void **state)
{
    struct monitor *m = started(NULL);
    struct monitor_peaks early, late;
    int a = monitor_begin(m), b;

    (void)state;
    say(100, 0x1p33, 1, 0.5, 700);
    b = monitor_begin(m);
    say(50, 0x1p30, 0.2, 0.1, 200);
    early = monitor_end(m, a);
    say(60, 0x1p31, 0.3, 0.1, 300);
    late = monitor_end(m, b);
    monitor_stop(m);
    assert_int_equal(machine.closed, 1);
    assert_true(early.most.host_used == 100 && early.most.device_used == 0x1p33);
    assert_true(early.most.busy == 1 && early.most.watts == 700);
    assert_true(early.mean.watts > 1 && early.mean.watts < 700);
    assert_true(early.samples >= 3);
    assert_true(late.most.device_used <= 0x1p33 && late.most.device_used >= 0x1p31);
    assert_true(late.samples >= 3);
}

/* Shorter than the period: what was last seen. */
static void a_short_while_has_the_sample_before_it(void **state)
{
    struct monitor *m = started(NULL);
    struct monitor_peaks p;

    (void)state;
    say(7, 8, 0.5, 0.25, 9);
    p = monitor_end(m, monitor_begin(m));
    monitor_stop(m);
    assert_true(p.samples >= 1);
    assert_true(p.most.host_used == 7 && p.mean.watts == 9);
}

static void nobody_watching_costs_nothing_and_says_nothing(void **state)
{
    (void)state;
    assert_int_equal(monitor_begin(NULL), -1);
    assert_int_equal(monitor_end(NULL, -1).samples, 0);
    monitor_stop(NULL);
}

static void what_is_not_told_is_left_out(void **state)
{
    struct monitor *m = started(NULL);
    struct monitor_peaks p;
    json_t *o;
    int a;

    (void)state;
    say(0x1p30, -1, -1, -1, -1);
    a = monitor_begin(m);
    say(0x1p31, -1, -1, -1, -1);
    p = monitor_end(m, a);
    monitor_stop(m);
    o = monitor_json(&p);
    assert_int_equal(json_object_size(o), 2);
    assert_int_equal(json_integer_value(json_object_get(o, "host_peak_mib")), 2048);
    json_decref(o);
    o = monitor_json(&(struct monitor_peaks){.samples = 4,
                                             .most = {0x1p30, 0x1p33, 1, 0.5, 700},
                                             .mean = {0x1p29, 0x1p32, 0.5, 0.25, 500}});
    assert_int_equal(json_integer_value(json_object_get(o, "device_peak_mib")), 8192);
    assert_int_equal(json_integer_value(json_object_get(o, "busy_mean")), 50);
    assert_int_equal(json_integer_value(json_object_get(o, "memory_busy_peak")), 50);
    assert_int_equal(json_integer_value(json_object_get(o, "watts_peak")), 700);
    json_decref(o);
}

static void the_last_minute_is_kept_in_a_file(void **state)
{
    char path[100];
    struct monitor_history h;
    struct error e = {0};
    struct monitor *m;

    (void)state;
    snprintf(path, sizeof path, "%s/monitor.json", scratch);
    assert_int_equal(monitor_recall(path, &h, &e), 1);
    m = started(path);
    while (machine.taken < MONITOR_HISTORY + 20)
        say(0x1p30, 0x1p33, 0.75, 0.5, 650);
    say(0x1p31, -1, 1, -1, 700);
    monitor_stop(m);
    assert_int_equal(monitor_recall(path, &h, &e), 0);
    assert_int_equal(h.count, MONITOR_HISTORY);
    assert_string_equal(h.device, "NVIDIA Fake");
    assert_true(h.device_total == 0x1p34 && fabs(h.period - 0.002) < 1e-9);
    assert_true(h.samples[0].host_used == 0x1p30 && h.samples[0].device_used == 0x1p33);
    assert_true(fabs(h.samples[0].busy - 0.75) < 1e-9);
    assert_true(h.samples[MONITOR_HISTORY - 1].host_used == 0x1p31);
    assert_true(h.samples[MONITOR_HISTORY - 1].device_used < 0);
    assert_true(fabs((double)time(NULL) - h.last) < 60);
}

static void a_damaged_file_is_named(void **state)
{
    static const char *const texts[] = {"", "{", "[1]", "{\"busy\": [1, 2]"};
    struct monitor_history h;
    char path[100];

    (void)state;
    snprintf(path, sizeof path, "%s/monitor.json", scratch);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct error e = {0};

        assert_int_equal(file_write_atomic(path, texts[i], strlen(texts[i]), &e), 0);
        assert_int_equal(monitor_recall(path, &h, &e), -1);
        assert_non_null(strstr(e.text, path));
    }
}

/* ---- bars */

static void bars_show_the_largest_of_what_they_stand_for(void **state)
{
    double few[] = {0, 0.5, 1, -1, 2}, many[SPARK_COLUMNS * 3];
    char line[SPARK_SIZE];

    (void)state;
    assert_string_equal(spark_line(few, 5, 1, false, line), ".+# #");
    assert_string_equal(spark_line(few, 5, 1, true, line), "▁▅█ █");
    assert_string_equal(spark_line(few, 0, 1, true, line), "");
    assert_string_equal(spark_line(few, 3, 0, false, line), "...");
    for (int i = 0; i < SPARK_COLUMNS * 3; i++)
        many[i] = i == 4 ? 1 : 0;
    spark_line(many, SPARK_COLUMNS * 3, 1, false, line);
    assert_int_equal(strlen(line), SPARK_COLUMNS);
    assert_true(line[0] == '.' && line[1] == '#' && line[2] == '.');
}

static char *drawn(const struct monitor_history *h, double now)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    spark_history(f, h, now, false);
    fclose(f);
    return text;
}

static void status_draws_what_was_told(void **state)
{
    static struct monitor_history h = {
        .device = "NVIDIA Fake",
        .device_total = 16 * 0x1p30,
        .period = 0.25,
        .last = 1000,
        .count = 2,
        .samples = {{0x1p30, 8 * 0x1p30, 0, 0, 70}, {0x1p31, 12 * 0x1p30, 1, 0.5, 700}}};
    char *text = drawn(&h, 1001);

    (void)state;
    assert_non_null(strstr(text, "machine: NVIDIA Fake, 0.5 s until now\n"));
    assert_non_null(strstr(text, "GPU memory     +%"));
    assert_non_null(strstr(text, "  12.0 GiB, most 12.0\n"));
    assert_non_null(strstr(text, "GPU busy       .#"));
    assert_non_null(strstr(text, " 700 W, most 700\n"));
    free(text);
    for (int i = 0; i < 2; i++)
        h.samples[i].device_used = h.samples[i].busy = h.samples[i].memory_busy =
            h.samples[i].watts = -1;
    snprintf(h.missing, sizeof h.missing, "no NVIDIA driver");
    text = drawn(&h, 1100);
    assert_non_null(strstr(text, " until 1:40 ago\n"));
    assert_null(strstr(text, "GPU busy"));
    assert_non_null(strstr(text, "host memory"));
    assert_non_null(strstr(text, "no figures of a GPU: no NVIDIA driver\n"));
    free(text);
    h.count = 0;
    text = drawn(&h, 1100);
    assert_string_equal(text, "");
    free(text);
}

/* ---- a run */

static void peaks_are_recorded_with_every_stage(void **state)
{
    static struct fake_board board;
    static struct fake_run run;
    struct monitor *m = started(NULL);
    struct journal_view *view;
    char dir[100];
    int records = 0;

    (void)state;
    say(0x1p30, 0x1p33, 0.75, 0.5, 650);
    snprintf(dir, sizeof dir, "%s/out", scratch);
    fake_board_make(&board, 4);
    assert_int_equal(fake_begin(&run, &board, dir), 0);
    run.execution.monitor = m;
    assert_int_equal(fake_execute(&run), 0);
    monitor_stop(m);
    assert_int_equal(journal_view_begin(run.journal, &view, &run.error), 0);
    for (int shot = 0; shot < 4; shot++)
        for (int stage = 0; stage < STAGES; stage++) {
            struct stage_record r;
            json_t *notes, *peaks;

            if (journal_get(view, board.shots[shot].id, fake_stages[stage]->name, &r, &run.error) !=
                1)
                continue;
            notes = json_loads(r.notes, 0, NULL);
            peaks = json_object_get(notes, "monitor");
            assert_int_equal(json_integer_value(json_object_get(peaks, "host_peak_mib")), 1024);
            assert_int_equal(json_integer_value(json_object_get(peaks, "device_peak_mib")), 8192);
            assert_int_equal(json_integer_value(json_object_get(peaks, "watts_peak")), 650);
            json_decref(notes);
            records++;
        }
    journal_view_end(view);
    assert_true(records >= 12);
    fake_end(&run);
}

/* As a user does it: a card, watched; what status then shows. */
static void a_run_is_watched_from_the_command_line(void **state)
{
    static const char text[] = "name: watched\nsize: 64x48\nfps: 8\nshots:\n"
                               "  - {id: a, card: {background: \"#203040\"}, duration: 1s}\n";
    char board[100], dir[100], sheet[140];
    struct error e = {0};
    struct program p;
    json_t *root;

    (void)state;
    snprintf(board, sizeof board, "%s/board.yaml", scratch);
    snprintf(dir, sizeof dir, "%s/watched", scratch);
    assert_int_equal(file_write_atomic(board, text, sizeof text - 1, &e), 0);
    p = PROGRAM("run", board, "-o", dir, "--monitor", "--device", "cpu");
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.err, "--monitor has the host's figures alone: no GPU is used\n"));
    program_free(&p);
    snprintf(sheet, sizeof sheet, "%s/shots/a/a.json", dir);
    root = json_load_file(sheet, 0, NULL);
    assert_true(
        json_integer_value(json_object_get(
            json_object_get(
                json_object_get(json_object_get(json_object_get(root, "made"), "encode"), "notes"),
                "monitor"),
            "host_peak_mib")) > 0);
    json_decref(root);
    p = PROGRAM("status", dir);
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, "\n  host memory "));
    program_free(&p);
    p = PROGRAM("status", dir, "--json");
    root = json_loads(p.out, 0, NULL);
    assert_true(json_array_size(json_object_get(json_object_get(root, "machine"), "host_mib")) >=
                1);
    json_decref(root);
    program_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_while_has_its_own_peaks),
        cmocka_unit_test(a_short_while_has_the_sample_before_it),
        cmocka_unit_test(nobody_watching_costs_nothing_and_says_nothing),
        cmocka_unit_test(what_is_not_told_is_left_out),
        cmocka_unit_test(the_last_minute_is_kept_in_a_file),
        cmocka_unit_test(a_damaged_file_is_named),
        cmocka_unit_test(bars_show_the_largest_of_what_they_stand_for),
        cmocka_unit_test(status_draws_what_was_told),
        cmocka_unit_test(peaks_are_recorded_with_every_stage),
        cmocka_unit_test(a_run_is_watched_from_the_command_line),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
