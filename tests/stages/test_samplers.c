/* Samplers against goldens of the reference library, at any number of steps, resumed at every step,
 * and with states that are damaged. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "kernels/base/file.h"
#include "stages/generate/sampler.h"
#include "stages/parity/parity.h"
#include "tests/stages/sampler_settings.h"

#define FIXTURE "tests/fixtures/schedulers"

static struct sampler start(const struct sampler_config *c, int steps, size_t count)
{
    struct torch_random random;
    struct sampler s;
    struct error e = {0};
    torch_random_seed(&random, 3);
    if (sampler_init(&s, c, steps, count, &random, &e) != 0)
        fail_msg("%s", e.text);
    return s;
}

/* ---- goldens */

static int parity(const char *dir, const char *golden, char **lines, struct error *e)
{
    struct parity_options o = {
        .dir = dir, .golden = golden, .device = {.kind = DEVICE_CPU, .threads = 1}};
    size_t size;
    FILE *out = open_memstream(lines, &size);
    assert_non_null(out);
    error_clear(e);
    int rc = parity_run(&o, out, e);
    assert_int_equal(fclose(out), 0);
    return rc;
}

static void goldens_hold(void **state)
{
    static const struct {
        const char *golden;
        const char *const last[14];
    } files[] = {
        {NULL,
         {"hunyuan_flow_euler_20.x20", "hunyuan_flow_euler_50.x50", "wan_unipc_40_shift3.x40",
          "wan_unipc_20_shift12.x20", "cogvideox5b_ddim_50.x50", "cogvideox2b_ddim_50.x50",
          "svd_euler_25.x25", "sdxl_euler_karras_20.x20", "sdxl_euler_30.x30"}},
        {"more",
         {"ancestral_leading_20.x20", "ancestral_v_trailing_7.x7", "euler_linear_linspace_50.x50",
          "euler_trailing_sigma_min_9.x9", "euler_karras_continuous_1.x1",
          "ddim_epsilon_linspace_10.x10", "ddim_v_leading_33.x33", "flow_euler_1.x1",
          "unipc_order1_5.x5", "unipc_2.x2", "unipc_euler_8.x8", "unipc_some_corrected_6.x6"}},
    };
    struct error e = {0};
    char *lines;
    (void)state;
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        if (parity(FIXTURE, files[f].golden, &lines, &e) != 0)
            fail_msg("%s\n%s", e.text, lines);
        for (int i = 0; files[f].last[i]; i++)
            if (!strstr(lines, files[f].last[i]))
                fail_msg("no line for %s", files[f].last[i]);
        assert_null(strstr(lines, "FAIL"));
        free(lines);
    }
}

/* Parity of the golden with one text replaced, everywhere. */
static int edited(const char *from, const char *to, char **lines, struct error *e)
{
    char dir[] = "/tmp/auteur-samplers-XXXXXX", command[600];
    struct error ignored = {0};
    assert_non_null(mkdtemp(dir));
    snprintf(command, sizeof command,
             "cp " FIXTURE "/golden.safetensors %s && sed 's/%s/%s/' " FIXTURE
             "/golden.json > %s/golden.json",
             dir, from, to, dir);
    assert_int_equal(system(command), 0);
    int rc = parity(dir, NULL, lines, e);
    assert_int_equal(path_remove(dir, &ignored), 0);
    return rc;
}

static void wrong_goldens_fail(void **state)
{
    static const struct {
        const char *from, *to, *says;
    } edits[] = {
        {"\"seed\": 11", "\"seed\": 12", "first is hunyuan_flow_euler_20.x0"},
        {"\"shift\": 7.0", "\"shift\": 6.9", "first is hunyuan_flow_euler_20.timesteps"},
        {"\"snr_shift_scale\": 3.0", "\"snr_shift_scale\": 2.9", "first is cogvideox2b_ddim_50.x"},
        {"\"sigma_min\": 0.002", "\"sigma_min\": 0.003", "first is svd_euler_25.timesteps"},
        {"\"solver_order\": 2", "\"solver_order\": 1", "first is wan_unipc_40_shift3.x3"},
        {"\"solver_type\": \"bh2\"", "\"solver_type\": \"bh1\"", "first is wan_unipc_40_shift3"},
        {"\"steps\": 25", "\"steps\": 0", "first is svd_euler_25"},
        {"\"model\": \"tanh", "\"model\": \"sinh", "first is hunyuan_flow_euler_20"},
        {"sdxl_euler_30", "sdxl_euler_31", "first is sdxl_euler_31.x0"},
        {"\"config\"", "\"settings\"", "family is missing"},
    };
    struct error e = {0};
    char *lines;
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        if (edited(edits[i].from, edits[i].to, &lines, &e) == 0)
            fail_msg("%s passes", edits[i].to);
        if (!strstr(e.text, edits[i].says))
            fail_msg("%s: says \"%s\", not \"%s\"", edits[i].to, e.text, edits[i].says);
        free(lines);
    }
    assert_int_equal(edited("\"seed\": 11", "\"sown\": 11", &lines, &e), 0);
    assert_non_null(strstr(lines, "not checked: the golden names no seed"));
    free(lines);
}

/* ---- states */

enum { STEPS = 7, COUNT = 37, COUNT_FEW = 5 };

/* Each has another kind of state; the last draws its few numbers one by one. */
static const struct {
    const char *text, *choice;
    size_t count;
} kinds[] = {
    {"{" EULER "," SDXL "}", "", COUNT},
    {"{" SVD "}", "", COUNT},
    {"{" ANCESTRAL "," SDXL "}", "", COUNT},
    {"{" EULER "," SDXL "}", "euler_ancestral_karras", COUNT},
    {"{" COGVIDEOX "}", "", COUNT},
    {"{" FLOW "}", "", COUNT},
    {"{" UNIPC "}", "", COUNT},
    {"{" ANCESTRAL "," SDXL "}", "", COUNT_FEW},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static struct sampler start_kind(int kind)
{
    struct sampler_config c = config_of(kinds[kind].text);
    struct error e = {0};
    assert_int_equal(sampler_config_choose(&c, kinds[kind].choice, 0, &e), 0);
    return start(&c, STEPS, kinds[kind].count);
}

static void run(struct sampler *s, int until, float *x)
{
    float seen[COUNT], output[COUNT];
    while (s->index < until) {
        sampler_scale_input(s, x, seen);
        for (size_t i = 0; i < s->count; i++)
            output[i] = tanhf(0.7f * seen[i]) * (0.3f + s->timesteps[s->index] / 2000);
        sampler_step(s, output, x);
    }
}

static void noise(const struct sampler *s, float *x)
{
    for (size_t i = 0; i < s->count; i++)
        x[i] = sinf((float)i * 1.7f) * s->init_noise_sigma;
}

static uint8_t *state_of(const struct sampler *s, size_t *size)
{
    *size = sampler_state_size(s);
    uint8_t *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    sampler_state_write(s, bytes);
    return bytes;
}

static void resuming_changes_no_bit(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++)
        for (int cut = 0; cut <= STEPS; cut++) {
            struct sampler a = start_kind(k), b = start_kind(k), c = start_kind(k);
            float whole[COUNT] = {0}, halves[COUNT] = {0};
            struct error e = {0};
            size_t size;
            noise(&a, whole);
            run(&a, STEPS, whole);
            noise(&b, halves);
            run(&b, cut, halves);
            uint8_t *bytes = state_of(&b, &size);
            torch_random_seed(&c.random, 99); /* what it was does not count */
            assert_int_equal(sampler_state_read(&c, bytes, size, &e), 0);
            assert_int_equal(c.index, cut);
            run(&c, STEPS, halves);
            assert_memory_equal(whole, halves, sizeof whole);
            free(bytes);
            sampler_free(&a);
            sampler_free(&b);
            sampler_free(&c);
        }
}

static void damaged_states_are_refused(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        struct sampler s = start_kind(k);
        float x[COUNT];
        struct error e = {0};
        size_t size, same;
        noise(&s, x);
        run(&s, 3, x);
        uint8_t *bytes = state_of(&s, &size), *before;
        run(&s, 4, x);
        before = state_of(&s, &same);
        for (size_t cut = 0; cut < size; cut++)
            assert_int_equal(sampler_state_read(&s, bytes, cut, &e), -1);
        bytes[size] = 0;
        assert_int_equal(sampler_state_read(&s, bytes, size + 1, &e), -1);
        for (size_t i = 0; i < size; i++) {
            bytes[i] ^= (uint8_t)(1u << i % 8);
            assert_int_equal(sampler_state_read(&s, bytes, size, &e), -1);
            bytes[i] ^= (uint8_t)(1u << i % 8);
        }
        assert_int_equal(e.code, ERROR_MODEL);
        sampler_state_write(&s, bytes); /* none of them changed it */
        assert_memory_equal(bytes, before, size);
        assert_int_equal(sampler_state_read(&s, bytes, size, &e), 0);
        free(before);
        free(bytes);
        sampler_free(&s);
    }
}

static void foreign_states_are_refused(void **state)
{
    (void)state;
    for (int from = 0; from < KINDS; from++) {
        struct sampler a = start_kind(from);
        size_t size;
        uint8_t *bytes = state_of(&a, &size);
        for (int to = 0; to < KINDS; to++) {
            struct sampler b = start_kind(to);
            struct error e = {0};
            assert_int_equal(sampler_state_read(&b, bytes, size, &e), from == to ? 0 : -1);
            assert_true(from == to || strstr(e.text, "other settings"));
            sampler_free(&b);
        }
        struct error e = {0};
        struct sampler longer = start(&a.config, STEPS + 1, a.count);
        assert_int_equal(sampler_state_read(&longer, bytes, size, &e), -1);
        sampler_free(&longer);
        free(bytes);
        sampler_free(&a);
    }
}

/* ---- tables */

static void tables_are_sound_at_any_number_of_steps(void **state)
{
    static const int steps[] = {1, 2, 3, 7, 49, 61, 100, 103, 333, 999, 1000};
    (void)state;
    for (int k = 0; k < KINDS; k++)
        for (size_t n = 0; n < sizeof steps / sizeof *steps; n++) {
            struct sampler_config c = config_of(kinds[k].text);
            struct error e = {0};
            assert_int_equal(sampler_config_choose(&c, kinds[k].choice, 0, &e), 0);
            struct sampler s = start(&c, steps[n], 1);
            float x = s.init_noise_sigma, v = 0.5f;
            assert_true(isfinite(x) && x > 0);
            for (int i = 0; i < s.steps; i++) {
                assert_true(isfinite(s.timesteps[i]) && isfinite(s.sigmas[i]));
                assert_true(s.alphas ? s.timesteps[i] >= 0 : s.sigmas[i] > 0);
                assert_true(i == 0 || s.timesteps[i] <= s.timesteps[i - 1]);
                assert_true(i == 0 || s.sigmas[i] <= s.sigmas[i - 1]);
                sampler_step(&s, &v, &x);
                assert_true(isfinite(x));
            }
            sampler_free(&s);
        }
}

static void one_step_gives_the_prediction(void **state)
{
    struct sampler_config c = config_of("{" UNIPC "}");
    struct sampler s = start(&c, 1, COUNT);
    float x[COUNT], v[COUNT], expected[COUNT];
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        x[i] = (float)i;
        v[i] = 1;
        expected[i] = (float)i - s.sigmas[0];
    }
    sampler_step(&s, v, x);
    for (int i = 0; i < COUNT; i++)
        assert_true(fabsf(x[i] - expected[i]) < 1e-4f);
    sampler_free(&s);
}

/* The published form, whose timesteps count to 1000 while its steps do not. */
static void guidance_is_dynamic(void **state)
{
    static const struct {
        double guidance;
        int steps;
        double timestep, expected;
    } cases[] = {
        {6, 50, 999, 2.291487174551452},   {6, 50, 19, 1.123397939968981},
        {6, 50, 479, 1.7616373041094846},  {6, 4, 749, 1.9379524472878416},
        {7.5, 100, 9, 6.1745219281795585},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(
            fabs(sampler_dynamic_guidance(cases[i].guidance, cases[i].steps, cases[i].timestep) -
                 cases[i].expected) < 1e-6);
}

/* Karras sigmas under ancestral steps are those under plain ones. */
static void ancestral_steps_go_over_karras_sigmas(void **state)
{
    struct sampler_config plain = config_of("{" EULER "," SDXL ",\"use_karras_sigmas\":true}");
    struct sampler_config ancestral = plain;
    struct error e = {0};
    (void)state;
    assert_int_equal(sampler_config_choose(&ancestral, "euler_ancestral_karras", 0, &e), 0);
    struct sampler a = start(&plain, 20, 1), b = start(&ancestral, 20, 1);
    assert_memory_equal(a.sigmas, b.sigmas, sizeof a.sigmas);
    assert_memory_equal(a.timesteps, b.timesteps, sizeof a.timesteps);
    assert_true(a.init_noise_sigma == b.init_noise_sigma && a.sigmas[0] > 10 && a.sigmas[20] == 0);
    sampler_free(&a);
    sampler_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goldens_hold),
        cmocka_unit_test(wrong_goldens_fail),
        cmocka_unit_test(resuming_changes_no_bit),
        cmocka_unit_test(damaged_states_are_refused),
        cmocka_unit_test(foreign_states_are_refused),
        cmocka_unit_test(tables_are_sound_at_any_number_of_steps),
        cmocka_unit_test(one_step_gives_the_prediction),
        cmocka_unit_test(guidance_is_dynamic),
        cmocka_unit_test(ancestral_steps_go_over_karras_sigmas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
