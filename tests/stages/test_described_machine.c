/* Machines that --gpu describes: read as they are written, or refused in one clear error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "tests/stages/machines.h"

static const double GIB = 1024.0 * 1024 * 1024;

static void machines_are_read_as_written(void **state)
{
    struct machine m;
    struct error e = {0};

    (void)state;
    assert_int_equal(machine_parse("2x49GiB", &m, &e), 0);
    assert_int_equal(m.gpus, 2);
    assert_true((double)m.facts.memory == 49 * GIB);
    assert_false(m.facts.unified);
    assert_true(machine_rates(&m).bytes == 0);
    assert_int_equal(machine_parse("1x128GiB,unified", &m, &e), 0);
    assert_true(m.facts.unified);
    assert_int_equal(machine_parse("16gb,960GB/s,113TFLOP/s", &m, &e), 0);
    assert_int_equal(m.gpus, 1);
    assert_int_equal(m.facts.memory, 16000000000);
    assert_true(machine_rates(&m).bytes > 0 && m.bf16 == 113e12 && m.bandwidth == 960e9);
    assert_int_equal(m.host, 0);
    assert_int_equal(machine_parse("4090, host=64GiB", &m, &e), 0);
    assert_true((double)m.host == 64 * GIB && (double)m.facts.memory == 23.5 * GIB);
    assert_int_equal(machine_parse("NVIDIA A100-SXM4-80GB", &m, &e), 0);
    assert_int_equal(machine_parse("NVIDIA H100 80GB HBM3", &m, &e), 0);
    assert_int_equal(m.facts.major, 9);
    assert_int_equal(machine_parse("a100,40GB", &m, &e), 0);
    assert_int_equal(m.facts.memory, (size_t)40000000000);
    assert_int_equal(machine_parse("4xA6000", &m, &e), 0);
    assert_int_equal(m.gpus, 4);
    assert_int_equal(m.facts.major, 8);
    assert_int_equal(machine_parse("gb10", &m, &e), 0);
    assert_true(m.facts.unified && m.facts.memory > 100 * (size_t)GIB);
}

/* As people write them, and as nvidia-smi and drivers do. */
static void gpus_are_known_by_many_names(void **state)
{
    static const struct {
        const char *text;
        int gpus;
        double gib, bf16; /* 0: not known */
        int major;
    } cases[] = {
        {"RTX 5060 Ti", 1, 15.5, 47.4e12, 12},
        {"NVIDIA GeForce RTX 5060 Ti, 8 GiB", 1, 8, 47.4e12, 12},
        {"2xRTX 5090", 2, 31.8, 210e12, 12},
        {"NVIDIA GeForce RTX 5070 Ti", 1, 15.5, 87.9e12, 12},
        {"rtx5070", 1, 11.5, 61.7e12, 12},
        {"NVIDIA H100 80GB HBM3", 1, 79.6, 989e12, 9},
        {"RTX 6000 Ada", 1, 47.5, 182e12, 8},
        {"2 x 49 GiB", 2, 49, 0, 0},
        {"49152MiB", 1, 48, 0, 0},
        {"dgx-spark", 1, 119.7, 125e12, 12},
        {"h100,94GiB,3900GB/s", 1, 94, 989e12, 9},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct machine m = machine(cases[i].text);

        if (m.gpus != cases[i].gpus || m.facts.major != cases[i].major ||
            fabs((double)m.facts.memory / GIB - cases[i].gib) > 1e-6 || m.bf16 != cases[i].bf16)
            fail_msg("%s: %d of %.2f GiB, %g FLOP/s, sm_%d", cases[i].text, m.gpus,
                     (double)m.facts.memory / GIB, m.bf16, m.facts.major);
    }
}

/* Each says what was wrong with it, and what to write. */
static void other_words_are_one_clear_error(void **state)
{
    static const struct {
        const char *text, *said;
    } bad[] = {
        {"", "does not say which GPU"},
        {"x", "no GPU that is known here"},
        {"2x", "write its memory or name, as 2x49GiB"},
        {"0x49GiB", "no number of GPUs: write 1 to 1024"},
        {"99999xh100", "no number of GPUs: write 1 to 1024"},
        {"49", "has no unit and is no GPU that is known here: write its memory, as 49GiB"},
        {"2x400", "write its memory, as 400GiB"},
        {"2x4000", "write its memory, as 16GiB"},
        {"A100-SXM4-40GB", "write its memory, as 16GiB"},
        {"NVIDIA GH200 480GB", "write its memory, as 16GiB"},
        {"H100 NVL", "write its memory, as 16GiB"},
        {"h200 foo", "write its memory, as 16GiB"},
        {"2*h200", "(did you mean h200?)"},
        {"2x2xh200", "(did you mean h200?)"},
        {"24GiB,1008GB", "memory, which stands before it already"},
        {"a100,40GB,80GB", "memory, which stands before it already"},
        {"49MiB", "no GPU's memory: write from 0.25GiB"},
        {"0GiB", "no GPU's memory"},
        {"99999999999999GiB", "no GPU's memory"},
        {"-1GiB", "write its memory, as 16GiB"},
        {"4090, -8GiB", "after the GPU may stand"},
        {"4090,host=-64GiB", "written host=64GiB"},
        {"-3x49GiB", "write its memory, as 16GiB"},
        {"1x1e9GiB", "write its memory, as 16GiB"},
        {"RTX 9999", "write its memory, as 16GiB"},
        {"RTX 5090 Laptop GPU", "write its memory, as 16GiB"},
        {"h20", "(did you mean h200?)"},
        {"v1000", "or one of h200, h100, b200"},
        {"5060", "(did you mean 5060ti?)"},
        {"h100,unified", "such a GPU has memory of its own"},
        {"4090,host=much", "written host=64GiB"},
        {"4090,host=1MiB", "no host's memory"},
        {"4090,host=64GB,host=1GB", "'host=1GB' says again what stands before it already"},
        {"128GiB,unified,unified", "'unified' says again"},
        {"24GiB,1008GB/s,936GB/s", "'936GB/s' says again"},
        {"24GiB,165TFLOP/s,165TFLOPS", "'165TFLOPS' says again"},
        {"gb10,host=3GiB", "with unified memory the host has none of its own"},
        {"128GiB,host=64GiB,unified", "with unified memory the host has none of its own"},
        {"49GiB,host=0GiB", "'host=0GiB' is no host's memory: write from 0.25GiB"},
        {"2x49GiB,", "after the GPU may stand"},
        {"2x49GiB,fast", "after the GPU may stand"},
        {"1xh100,nanGB/s", "after the GPU may stand"},
        {"1xh100,0GB/s", "after the GPU may stand"},
        {"h100,99999999999999999999TFLOP/s", "after the GPU may stand"},
        {"a description of a machine that goes on and on and on, longer than any could be, truly "
         "so",
         "too long"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct machine m;
        struct error e = {0};

        if (machine_parse(bad[i].text, &m, &e) == 0)
            fail_msg("'%s' was taken", bad[i].text);
        assert_int_equal(e.code, ERROR_USAGE);
        assert_non_null(strstr(e.text, "--gpu: '"));
        assert_null(strchr(e.text, '\n'));
        if (!strstr(e.text, bad[i].said))
            fail_msg("'%s': %s", bad[i].text, e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machines_are_read_as_written),
        cmocka_unit_test(gpus_are_known_by_many_names),
        cmocka_unit_test(other_words_are_one_clear_error),
    };

    return cmocka_run_group_tests_name("described_machine", tests, NULL, NULL);
}
