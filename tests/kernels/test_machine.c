/* The report on a machine: what is expected of machines that are described here, the verdict on
 * figures that are given, and that what is measured on this one is told as documented. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/machine/measure.h"
#include "kernels/machine/nvml.h"
#include "kernels/machine/report.h"

static struct machine with_gpu(const char *name, int major, int minor)
{
    struct machine m = {.pcie_generation = 5,
                        .pcie_width = 16,
                        .threads = 16,
                        .instructions = "AVX2",
                        .gpu = {.major = major,
                                .minor = minor,
                                .processors = 100,
                                .clock_khz = 2000000,
                                .memory_clock_khz = 1000000,
                                .memory_bits = 512}};

    snprintf(m.gpu.name, sizeof m.gpu.name, "%s", name);
    return m;
}

static void near(struct limit l, double expected)
{
    if (!(fabs(l.value - expected) <= 0.01 * expected))
        fail_msg("%g (%s), not %g", l.value, l.basis, expected);
}

static void known_chips_are_held_to_their_data_sheets(void **state)
{
    struct machine h200 = with_gpu("NVIDIA H200", 9, 0);
    struct machine h100 = with_gpu("NVIDIA H100 80GB HBM3", 9, 0);
    struct machine pcie = with_gpu("NVIDIA H100 PCIe", 9, 0);
    struct machine rtx = with_gpu("NVIDIA GeForce RTX 5090", 12, 0);

    (void)state;
    near(machine_limit(&h200, FIGURE_COPY), 0.7 * 4.8e12);
    near(machine_limit(&h200, FIGURE_GEMM_BF16), 0.55 * 989e12);
    near(machine_limit(&h200, FIGURE_GEMM_F8), 0.45 * 1978e12);
    near(machine_limit(&h200, FIGURE_PEER), 0.6 * 450e9);
    near(machine_limit(&h100, FIGURE_COPY), 0.7 * 3.35e12);
    near(machine_limit(&pcie, FIGURE_COPY), 0.7 * 2.0e12);
    near(machine_limit(&pcie, FIGURE_GEMM_F16), 0.55 * 756e12);
    near(machine_limit(&rtx, FIGURE_COPY), 0.7 * 1792e9);
    near(machine_limit(&rtx, FIGURE_GEMM_BF16), 0.55 * 209.5e12);
    near(machine_limit(&rtx, FIGURE_UPLOAD), 0.6 * 16 * 3.938e9);
}

static void the_desktop_box_has_the_limits_of_those_who_own_one(void **state)
{
    struct machine gb10 = with_gpu("NVIDIA GB10", 12, 1);

    (void)state;
    near(machine_limit(&gb10, FIGURE_COPY), 80e9);
    near(machine_limit(&gb10, FIGURE_UPLOAD), 80e9);
    near(machine_limit(&gb10, FIGURE_GEMM_BF16), 10e12);
    near(machine_limit(&gb10, FIGURE_GEMM_F8), 10e12);
    near(machine_limit(&gb10, FIGURE_CONV), 10e12);
}

/* 100 processors of 2 GHz, 512 bits of memory at 1 GHz and two transfers. */
static void others_are_held_to_what_they_report(void **state)
{
    static const struct {
        int major, minor;
        double flops;
    } chips[] = {{8, 0, 2048}, {8, 6, 512}, {8, 9, 512}, {9, 0, 4096}, {10, 0, 8192}, {12, 0, 512}};
    struct machine laptop = with_gpu("NVIDIA GeForce RTX 5090 Laptop GPU", 12, 0);

    (void)state;
    for (size_t i = 0; i < sizeof chips / sizeof *chips; i++) {
        struct machine m = with_gpu("NVIDIA Something", chips[i].major, chips[i].minor);

        near(machine_limit(&m, FIGURE_GEMM_BF16), 0.55 * 100 * 2e9 * chips[i].flops);
        near(machine_limit(&m, FIGURE_GEMM_F8), 0.45 * 2 * 100 * 2e9 * chips[i].flops);
        near(machine_limit(&m, FIGURE_COPY), 0.7 * 128e9);
        near(machine_limit(&m, FIGURE_PEER), 0.6 * 16 * 3.938e9);
    }
    near(machine_limit(&laptop, FIGURE_COPY), 0.7 * 128e9);
}

static void what_is_not_told_is_not_expected(void **state)
{
    struct machine m = {
        .gpu = {.name = "NVIDIA Mystery", .major = 9}, .threads = 1, .instructions = "SSE2"};

    (void)state;
    for (int f = 0; f <= FIGURE_ALL_REDUCE; f++) {
        assert_true(machine_limit(&m, (enum figure)f).value == 0);
        assert_int_equal(report_figure(&m, (enum figure)f, 0, 1).status, REPORT_PASS);
    }
    assert_true(machine_limit(&m, FIGURE_CPU_GEMM).value > 0);
}

static void old_chips_have_no_fp8(void **state)
{
    static const struct {
        int major, minor;
        bool has;
    } chips[] = {{8, 0, false}, {8, 6, false}, {8, 9, true}, {9, 0, true}, {12, 1, true}};

    (void)state;
    for (size_t i = 0; i < sizeof chips / sizeof *chips; i++) {
        struct device_facts gpu = {.major = chips[i].major, .minor = chips[i].minor};

        assert_int_equal(figure_missing(&gpu, FIGURE_GEMM_F8) == NULL, chips[i].has);
        assert_null(figure_missing(&gpu, FIGURE_GEMM_BF16));
    }
}

static void a_figure_passes_at_its_threshold_and_fails_below(void **state)
{
    struct machine m = with_gpu("NVIDIA H200", 9, 0);
    double least = machine_limit(&m, FIGURE_COPY).value;
    struct report_row row = report_figure(&m, FIGURE_COPY, 0, least);

    (void)state;
    assert_int_equal(row.status, REPORT_PASS);
    assert_string_equal(row.name, "copy");
    assert_string_equal(row.value, "3360 GB/s");
    assert_string_equal(row.wanted, ">= 3360 GB/s");
    assert_string_equal(row.note, "H200: 70 % of 4800 GB/s");
    row = report_figure(&m, FIGURE_COPY, 0, 0.99 * least);
    assert_int_equal(row.status, REPORT_FAIL);
    assert_int_equal(report_figure(&m, FIGURE_COPY, 0, NAN).status, REPORT_FAIL);
}

static void every_figure_has_its_names(void **state)
{
    (void)state;
    for (int f = 0; f < FIGURES; f++) {
        assert_true(figure_name((enum figure)f)[0] && figure_title((enum figure)f)[0]);
        assert_true(figure_scale((enum figure)f) > 0 && figure_unit((enum figure)f)[0]);
        for (int k = 0; k < f; k++)
            assert_string_not_equal(figure_name((enum figure)f), figure_name((enum figure)k));
    }
}

/* With a driver it tells something; without one, why not. */
static void the_management_library_is_there_or_the_reason_is(void **state)
{
    char why[200] = "";
    struct nvml *n = nvml_open("", why, sizeof why);
    struct nvml_sample sample;
    struct nvml_facts facts;

    (void)state;
    if (!n) {
        assert_true(why[0] != '\0');
        return;
    }
    nvml_facts(n, &facts);
    nvml_sample(n, &sample);
    assert_true(facts.driver[0] != '\0');
    assert_true(sample.busy <= 1);
    nvml_close(n);
}

struct seen {
    int count;
    struct report_row rows[16];
};

static void see(void *ctx, const struct report_row *row)
{
    struct seen *s = ctx;

    assert_true(s->count < 16);
    s->rows[s->count++] = *row;
}

static const struct report_row *find(const struct seen *s, const char *name)
{
    for (int i = 0; i < s->count; i++)
        if (strcmp(s->rows[i].name, name) == 0)
            return &s->rows[i];
    fail_msg("no row %s", name);
    return NULL;
}

static struct report_options options_for(struct seen *seen, enum device_kind kind, bool or_cpu)
{
    *seen = (struct seen){0};
    return (struct report_options){.device = {.kind = kind, .or_cpu = or_cpu, .threads = 2},
                                   .models = "",
                                   .scratch = "/tmp",
                                   .disk_most = (size_t)16 << 20,
                                   .row = see,
                                   .ctx = seen};
}

static void a_processor_is_measured(void **state)
{
    static const char *const names[] = {"cpu_gemm", "cpu_copy", "disk"};
    struct seen seen;
    struct report_options o = options_for(&seen, DEVICE_CPU, false);
    int counts[REPORT_STATES];
    struct error e = {0};

    (void)state;
    assert_int_equal(machine_report(&o, counts, &e), 0);
    assert_int_equal(seen.count, 5);
    assert_int_equal(counts[REPORT_PASS] + counts[REPORT_FAIL], 5);
    for (int i = 0; i < 3; i++) {
        const struct report_row *row = find(&seen, names[i]);

        assert_true(row->number > 0 && row->threshold > 0);
        assert_int_equal(row->status, row->number >= row->threshold ? REPORT_PASS : REPORT_FAIL);
        assert_int_equal(row->gpu, -1);
    }
}

/* Asked for, its absence is a failure; otherwise it is said. */
static void a_gpu_that_is_missing_is_a_row(void **state)
{
    struct seen seen;
    struct report_options o = options_for(&seen, DEVICE_CUDA, true);
    int counts[REPORT_STATES];
    struct error e = {0};

    (void)state;
    setenv("AUTEUR_CUDA", "/nowhere/libauteur-cuda.so", 1);
    assert_int_equal(machine_report(&o, counts, &e), 0);
    assert_int_equal(find(&seen, "gpu")->status, REPORT_SKIP);
    assert_non_null(strstr(find(&seen, "gpu")->note, "/nowhere/libauteur-cuda.so"));
    assert_int_equal(counts[REPORT_SKIP], 1);
    o = options_for(&seen, DEVICE_CUDA, false);
    assert_int_equal(machine_report(&o, counts, &e), 0);
    assert_int_equal(find(&seen, "gpu")->status, REPORT_FAIL);
    unsetenv("AUTEUR_CUDA");
}

static bool at_once(void)
{
    return true;
}

static void an_interrupt_ends_the_report(void **state)
{
    struct seen seen;
    struct report_options o = options_for(&seen, DEVICE_CPU, false);
    int counts[REPORT_STATES];
    struct error e = {0};

    (void)state;
    o.cancelled = at_once;
    assert_int_equal(machine_report(&o, counts, &e), -1);
    assert_int_equal(e.code, ERROR_CANCELLED);
    assert_int_equal(seen.count, 2); /* what it is, before the first figure */
}

/* The models' own disk, by their largest file; a file with holes is no measure. */
static void the_disk_of_the_models_is_read(void **state)
{
    enum { MIB = 1 << 20 };
    char dir[] = "/tmp/auteur-machine-XXXXXX", path[100], linked[100];
    char *bytes = malloc(8 * MIB);
    struct measured m;
    struct error e = {0};

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_non_null(bytes);
    memset(bytes, 'x', 8 * MIB);
    snprintf(path, sizeof path, "%s/holes", dir);
    assert_int_equal(file_write_atomic(path, "", 0, &e), 0);
    assert_int_equal(truncate(path, 64 * MIB), 0);
    assert_int_equal(measure_disk(dir, "/tmp", 16 * MIB, &m, &e), 0);
    snprintf(path, sizeof path, "%s/auteur-verify-", dir);
    assert_non_null(strstr(m.note, path));
    snprintf(path, sizeof path, "%s/weights", dir);
    assert_int_equal(file_write_atomic(path, bytes, 8 * MIB, &e), 0);
    assert_int_equal(measure_disk(dir, "/tmp", 16 * MIB, &m, &e), 0);
    assert_non_null(strstr(m.note, "/weights"));
    assert_true(m.value > 0);
    free(bytes);
    assert_int_equal(measure_disk(path, "/tmp", 16 * MIB, &m, &e), -1);
    assert_non_null(strstr(e.text, "is no folder"));
    snprintf(linked, sizeof linked, "%s/models", dir);
    assert_int_equal(mkdir(linked, 0777), 0);
    snprintf(linked, sizeof linked, "%s/models/linked", dir);
    assert_int_equal(symlink(path, linked), 0);
    snprintf(path, sizeof path, "%s/models", dir);
    assert_int_equal(measure_disk(path, "/tmp", 16 * MIB, &m, &e), 0);
    assert_non_null(strstr(m.note, "/models/linked"));
    assert_int_equal(measure_disk("/nowhere/models", "/tmp", 16 * MIB, &m, &e), -1);
    assert_non_null(strstr(e.text, "/nowhere/models"));
    error_clear(&e);
    /* The links there lead into what every process sees. */
    assert_int_equal(measure_disk("/proc", "/tmp", 16 * MIB, &m, &e), 1);
    assert_non_null(strstr(m.note, "no large file to read"));
    assert_int_equal(path_remove(dir, &e), 0);
}

/* A folder that is too small is nothing that a machine fails by. */
static void without_room_the_disk_is_not_measured(void **state)
{
    enum { MIB = 1 << 20 };
    struct rlimit before, little;
    struct measured m;
    struct error e = {0};
    int rc;

    (void)state;
    assert_int_equal(measure_disk("", "/nowhere", 16 * MIB, &m, &e), 1);
    assert_non_null(strstr(m.note, "/nowhere"));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little = before;
    little.rlim_cur = 4 * MIB;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    rc = measure_disk("", "/tmp", 16 * MIB, &m, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(rc, 1);
    assert_non_null(strstr(m.note, "/tmp/auteur-verify-"));
    assert_int_equal(e.code, ERROR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_chips_are_held_to_their_data_sheets),
        cmocka_unit_test(the_desktop_box_has_the_limits_of_those_who_own_one),
        cmocka_unit_test(others_are_held_to_what_they_report),
        cmocka_unit_test(what_is_not_told_is_not_expected),
        cmocka_unit_test(old_chips_have_no_fp8),
        cmocka_unit_test(a_figure_passes_at_its_threshold_and_fails_below),
        cmocka_unit_test(every_figure_has_its_names),
        cmocka_unit_test(the_management_library_is_there_or_the_reason_is),
        cmocka_unit_test(a_processor_is_measured),
        cmocka_unit_test(a_gpu_that_is_missing_is_a_row),
        cmocka_unit_test(an_interrupt_ends_the_report),
        cmocka_unit_test(the_disk_of_the_models_is_read),
        cmocka_unit_test(without_room_the_disk_is_not_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
