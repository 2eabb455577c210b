/* Samplers: against goldens of the reference library, resumed at every step, and with settings and
 * states that are wrong. */
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

#define FIXTURE "tests/fixtures/schedulers"

#define EULER     "\"_class_name\":\"EulerDiscreteScheduler\""
#define ANCESTRAL "\"_class_name\":\"EulerAncestralDiscreteScheduler\""
#define DDIM      "\"_class_name\":\"CogVideoXDDIMScheduler\",\"clip_sample\":false"
#define FLOW      "\"_class_name\":\"FlowMatchEulerDiscreteScheduler\",\"shift\":7"
#define UNIPC                                                                                      \
    "\"_class_name\":\"UniPCMultistepScheduler\",\"prediction_type\":\"flow_prediction\","         \
    "\"use_flow_sigmas\":true"
#define SDXL                                                                                       \
    "\"beta_start\":0.00085,\"beta_end\":0.012,\"beta_schedule\":\"scaled_linear\","               \
    "\"steps_offset\":1,\"timestep_spacing\":\"leading\""
#define SVD                                                                                        \
    EULER "," SDXL ",\"prediction_type\":\"v_prediction\",\"timestep_type\":\"continuous\","       \
          "\"use_karras_sigmas\":true,\"sigma_min\":0.002,\"sigma_max\":700.0"
#define COGVIDEOX                                                                                  \
    DDIM ",\"prediction_type\":\"v_prediction\",\"rescale_betas_zero_snr\":true,"                  \
         "\"timestep_spacing\":\"trailing\",\"snr_shift_scale\":1"

static int configure(const char *text, struct sampler_config *c, struct error *e)
{
    json_error_t bad;
    json_t *root = json_loads(text, JSON_DECODE_INT_AS_REAL, &bad);
    error_clear(e);
    if (!root)
        fail_msg("%s: %s", text, bad.text);
    int rc = sampler_config_from_json(root, "config", c, e);
    json_decref(root);
    return rc;
}

static struct sampler_config config_of(const char *text)
{
    struct sampler_config c;
    struct error e = {0};
    if (configure(text, &c, &e) != 0)
        fail_msg("%s", e.text);
    return c;
}

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
    struct parity_options o = {.dir = dir, .golden = golden, .device = DEVICE_CPU, .threads = 1};
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
        const char *const last[12];
    } files[] = {
        {NULL,
         {"hunyuan_flow_euler_20.x20", "hunyuan_flow_euler_50.x50", "wan_unipc_40_shift3.x40",
          "wan_unipc_20_shift12.x20", "cogvideox5b_ddim_50.x50", "cogvideox2b_ddim_50.x50",
          "svd_euler_25.x25", "sdxl_euler_karras_20.x20", "sdxl_euler_30.x30"}},
        {"more",
         {"ancestral_leading_20.x20", "ancestral_v_trailing_7.x7", "euler_linear_linspace_50.x50",
          "euler_trailing_sigma_min_9.x9", "euler_karras_continuous_1.x1",
          "ddim_epsilon_linspace_10.x10", "ddim_v_leading_33.x33", "flow_euler_1.x1",
          "unipc_order1_5.x5", "unipc_2.x2"}},
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

static void impossible_beginnings_are_refused(void **state)
{
    static const struct {
        const char *text;
        int steps;
        enum error_code code;
        const char *says;
    } cases[] = {
        {"{" UNIPC "}", 0, ERROR_INPUT, "0 sampling steps: from 1 to 1000"},
        {"{" UNIPC "}", -3, ERROR_INPUT, "-3 sampling steps"},
        {"{" FLOW "}", 1001, ERROR_INPUT, "1001 sampling steps"},
        {"{" EULER ",\"num_train_timesteps\":20}", 21, ERROR_INPUT, "20 timesteps"},
        {"{" COGVIDEOX ",\"num_train_timesteps\":20}", 21, ERROR_INPUT, "20 timesteps"},
        {"{" DDIM ",\"steps_offset\":1}", 1000, ERROR_MODEL, "steps_offset 1 leads to timestep"},
        {"{" EULER ",\"beta_start\":0.9,\"beta_end\":0.9}", 5, ERROR_MODEL, "beta_start 0.9"},
        {"{" DDIM ",\"beta_start\":0.9,\"beta_end\":0.99}", 5, ERROR_MODEL, "beta_start 0.9"},
        {"{" EULER ",\"beta_start\":1e-8,\"beta_end\":1e-8}", 5, ERROR_MODEL, "beta_start 1e-08"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sampler_config c = config_of(cases[i].text);
        struct sampler s;
        struct error e = {0};
        assert_int_equal(sampler_init(&s, &c, cases[i].steps, COUNT, NULL, &e), -1);
        assert_int_equal(e.code, cases[i].code);
        if (!strstr(e.text, cases[i].says))
            fail_msg("%s: says \"%s\", not \"%s\"", cases[i].text, e.text, cases[i].says);
        sampler_free(&s);
    }
    struct sampler_config c = config_of("{" ANCESTRAL "}");
    struct sampler s;
    struct error e = {0};
    assert_true(sampler_draws(&c));
    assert_int_equal(sampler_init(&s, &c, 5, COUNT, NULL, &e), -1);
    assert_int_equal(e.code, ERROR_INTERNAL);
    sampler_free(&s);
    c = config_of("{" UNIPC "}");
    assert_false(sampler_draws(&c));
    assert_int_equal(sampler_init(&s, &c, 5, SIZE_MAX / 8, NULL, &e), -1);
    sampler_free(&s);
}

/* ---- settings */

static void settings_are_read(void **state)
{
    struct sampler_config c;
    struct error e = {0};
    (void)state;
    assert_int_equal(sampler_config_read("tests/fixtures/wan2.2-t2v-a14b/scheduler/"
                                         "scheduler_config.json",
                                         &c, &e),
                     0);
    assert_string_equal(sampler_config_name(&c), "unipc");
    assert_int_equal(c.order, 2);
    assert_true(c.flow_shift == 3.0);
    assert_int_equal(sampler_config_read("/nonexistent/scheduler_config.json", &c, &e), -1);
    assert_int_equal(e.code, ERROR_IO);

    c = config_of("{" SVD "}");
    assert_string_equal(sampler_config_name(&c), "euler_karras");
    assert_true(c.continuous && c.sigma_max == 700 && c.sigma_min == 0.002);
    assert_int_equal(c.prediction, PREDICTION_V);
    /* As published with SDXL: settings of other classes are passed over. */
    c = config_of("{" EULER "," SDXL ",\"clip_sample\":false,\"set_alpha_to_one\":false,"
                  "\"skip_prk_steps\":true,\"trained_betas\":null,\"sigma_min\":null}");
    assert_string_equal(sampler_config_name(&c), "euler");
    assert_true(!c.karras && c.steps_offset == 1 && c.spacing == SPACING_LEADING);

    /* Each class has defaults of its own. */
    c = config_of("{" EULER "}");
    assert_true(c.betas == BETAS_LINEAR && c.beta_end == 0.02 && c.spacing == SPACING_LINSPACE);
    c = config_of("{" DDIM "}");
    assert_true(c.betas == BETAS_SCALED_LINEAR && c.beta_end == 0.012 && c.snr_shift == 3);
    assert_true(c.spacing == SPACING_LEADING && c.alpha_to_one && !c.zero_snr);
    c = config_of("{\"_class_name\":\"FlowMatchEulerDiscreteScheduler\"}");
    assert_true(c.flow_shift == 1 && c.train_timesteps == 1000);
    c = config_of("{" UNIPC "}");
    assert_true(c.flow_shift == 1 && c.order == 2);
}

static void wrong_settings_are_refused_by_name(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"{}", "_class_name is missing"},
        {"{\"_class_name\":3}", "_class_name must be a string"},
        {"{\"_class_name\":\"DDIMScheduler\"}", "DDIMScheduler: only EulerDiscreteScheduler"},
        {"{\"_class_name\":\"UniPCMultistepScheduler\"}", "only flow_prediction"},
        {"{" UNIPC ",\"solver_type\":\"bh1\"}", "only bh2"},
        {"{" UNIPC ",\"solver_type\":3}", "must be a string"},
        {"{" UNIPC ",\"final_sigmas_type\":\"sigma_min\"}", "only zero"},
        {"{" UNIPC ",\"solver_order\":3}", "solver_order is 3"},
        {"{" UNIPC ",\"solver_order\":1.5}", "whole number"},
        {"{" UNIPC ",\"flow_shift\":0}", "flow_shift is 0"},
        {"{" UNIPC ",\"flow_shift\":-1e300}", "flow_shift"},
        {"{" UNIPC ",\"flow_shift\":\"3\"}", "must be a number"},
        {"{" UNIPC ",\"num_train_timesteps\":1}", "num_train_timesteps"},
        {"{" UNIPC ",\"num_train_timesteps\":1e300}", "num_train_timesteps"},
        {"{" UNIPC ",\"thresholding\":true}", "thresholding: false"},
        {"{" UNIPC ",\"thresholding\":1}", "true or false"},
        {"{" UNIPC ",\"use_karras_sigmas\":true}", "use_karras_sigmas"},
        {"{" UNIPC ",\"use_exponential_sigmas\":true}", "use_exponential_sigmas"},
        {"{" UNIPC ",\"use_beta_sigmas\":true}", "use_beta_sigmas"},
        {"{" UNIPC ",\"use_dynamic_shifting\":true}", "use_dynamic_shifting"},
        {"{" UNIPC ",\"rescale_betas_zero_snr\":true}", "rescale_betas_zero_snr"},
        {"{" UNIPC ",\"lower_order_final\":false}", "lower_order_final: true"},
        {"{" UNIPC ",\"use_flow_sigmas\":false}", "use_flow_sigmas: true"},
        {"{" UNIPC ",\"predict_x0\":false}", "predict_x0: true"},
        {"{" UNIPC ",\"disable_corrector\":[0]}", "disable_corrector"},
        {"{" UNIPC ",\"solver_p\":{}}", "solver_p"},
        {"{" UNIPC ",\"shift_terminal\":0.1}", "shift_terminal"},
        {"{" FLOW ",\"shift\":0}", "shift is 0"},
        {"{" FLOW ",\"use_dynamic_shifting\":true}", "use_dynamic_shifting: false"},
        {"{" FLOW ",\"invert_sigmas\":true}", "invert_sigmas: false"},
        {"{" FLOW ",\"stochastic_sampling\":true}", "stochastic_sampling: false"},
        {"{" FLOW ",\"shift_terminal\":0.1}", "shift_terminal is not supported"},
        {"{" FLOW ",\"use_karras_sigmas\":true}", "use_karras_sigmas: false"},
        {"{" FLOW ",\"use_exponential_sigmas\":true}", "use_exponential_sigmas"},
        {"{" FLOW ",\"use_beta_sigmas\":true}", "use_beta_sigmas"},
        {"{" EULER ",\"beta_start\":-0.1}", "beta_start is -0.1"},
        {"{" EULER ",\"beta_end\":1}", "beta_end is 1"},
        {"{" EULER ",\"beta_end\":[]}", "beta_end must be a number"},
        {"{" EULER ",\"beta_schedule\":\"squaredcos_cap_v2\"}", "only linear or scaled_linear is"},
        {"{" EULER ",\"trained_betas\":[0.1]}", "trained_betas is not supported"},
        {"{" EULER ",\"prediction_type\":\"sample\"}", "only epsilon or v_prediction is"},
        {"{" EULER ",\"interpolation_type\":\"log_linear\"}", "only linear"},
        {"{" EULER ",\"timestep_spacing\":\"even\"}", "only linspace, leading or trailing is"},
        {"{" EULER ",\"timestep_type\":\"odd\"}", "only discrete or continuous"},
        {"{" EULER ",\"final_sigmas_type\":\"one\"}", "only zero or sigma_min"},
        {"{" EULER ",\"use_exponential_sigmas\":true}", "use_exponential_sigmas"},
        {"{" EULER ",\"use_beta_sigmas\":true}", "use_beta_sigmas"},
        {"{" EULER ",\"use_karras_sigmas\":\"yes\"}", "use_karras_sigmas must be true or false"},
        {"{" EULER ",\"sigma_min\":-1}", "sigma_min is -1"},
        {"{" EULER ",\"sigma_max\":0}", "sigma_max is 0"},
        {"{" EULER ",\"sigma_min\":2,\"sigma_max\":1}", "sigma_min is 2, not below sigma_max"},
        {"{" EULER ",\"steps_offset\":-1}", "steps_offset is -1"},
        {"{" EULER ",\"num_train_timesteps\":0}", "num_train_timesteps is 0"},
        {"{" EULER ",\"rescale_betas_zero_snr\":0}", "rescale_betas_zero_snr must be"},
        {"{" ANCESTRAL ",\"prediction_type\":\"sample\"}", "prediction_type is sample"},
        {"{" ANCESTRAL ",\"trained_betas\":[1]}", "trained_betas"},
        {"{" DDIM ",\"snr_shift_scale\":0}", "snr_shift_scale is 0"},
        {"{" DDIM ",\"set_alpha_to_one\":null,\"trained_betas\":[1]}", "trained_betas"},
        {"{" DDIM ",\"rescale_betas_zero_snr\":true}", "epsilon is not possible"},
    };
    struct sampler_config c;
    struct error e;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (configure(bad[i].text, &c, &e) == 0)
            fail_msg("%s is taken", bad[i].text);
        assert_int_equal(e.code, ERROR_MODEL);
        if (!strstr(e.text, bad[i].says))
            fail_msg("%s: says \"%s\", not \"%s\"", bad[i].text, e.text, bad[i].says);
    }
}

static void files_that_are_no_settings_are_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "{",
                                        "[]",
                                        "null",
                                        "{\"beta_start\":NaN}",
                                        "{\"beta_start\":1e999}",
                                        "{\"a\":\"\\ud800\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char path[] = "/tmp/auteur-settings-XXXXXX";
        struct sampler_config c;
        struct error e = {0};
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, texts[i], strlen(texts[i])), (ssize_t)strlen(texts[i]));
        close(fd);
        assert_int_equal(sampler_config_read(path, &c, &e), -1);
        assert_int_equal(e.code, ERROR_MODEL);
        assert_non_null(strstr(e.text, path));
        unlink(path);
    }
}

static void boards_choose_what_fits(void **state)
{
    static const struct {
        const char *text, *name;
        double shift;
        const char *says; /* NULL: it is taken */
    } cases[] = {
        {"{" EULER "," SDXL "}", "euler_karras", 0, NULL},
        {"{" EULER "," SDXL "}", "euler_ancestral", 0, NULL},
        {"{" EULER "," SDXL "}", "ddim", 0, NULL},
        {"{" ANCESTRAL "," SDXL "}", "euler_ancestral_karras", 0, NULL},
        {"{" COGVIDEOX "}", "euler", 0, NULL},
        {"{" FLOW "}", "unipc", 5, NULL},
        {"{" UNIPC "}", "flow_euler", 0, NULL},
        {"{" UNIPC "}", "", 12, NULL},
        {"{" SVD "}", "euler", 0, NULL},
        {"{" EULER "," SDXL "}", "unipc", 0, "sampler unipc: the model was not trained on a flow"},
        {"{" UNIPC "}", "euler", 0, "sampler euler: the model was trained on a flow"},
        {"{" UNIPC "}", "ddim", 0, "flow_euler and unipc fit it"},
        {"{" SVD "}", "ddim", 0, "only euler fits it"},
        {"{" SVD "}", "euler_ancestral", 0, "only euler fits it"},
        {"{" DDIM "}", "euler", 0, "shifted SNR: only ddim"},
        {"{" EULER ",\"rescale_betas_zero_snr\":true}", "ddim", 0, "zero SNR"},
        {"{" EULER "," SDXL "}", "dpm", 0, "there is no sampler dpm"},
        {"{" EULER "," SDXL "}", "", 3, "shift: the model was not trained on a flow"},
        {"{" UNIPC "}", "", -1, "shift is -1"},
        {"{" UNIPC "}", "", NAN, "shift is nan"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sampler_config c = config_of(cases[i].text), before = c;
        struct error e = {0};
        int rc = sampler_config_choose(&c, cases[i].name, cases[i].shift, &e);
        if (!cases[i].says) {
            if (rc != 0)
                fail_msg("%s", e.text);
            if (*cases[i].name)
                assert_string_equal(sampler_config_name(&c), cases[i].name);
            assert_true(cases[i].shift == 0 || c.flow_shift == cases[i].shift);
            continue;
        }
        assert_int_equal(rc, -1);
        assert_int_equal(e.code, ERROR_INPUT);
        if (!strstr(e.text, cases[i].says))
            fail_msg("%s: says \"%s\", not \"%s\"", cases[i].name, e.text, cases[i].says);
        assert_memory_equal(&c, &before, sizeof c);
    }
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
        cmocka_unit_test(impossible_beginnings_are_refused),
        cmocka_unit_test(settings_are_read),
        cmocka_unit_test(wrong_settings_are_refused_by_name),
        cmocka_unit_test(files_that_are_no_settings_are_refused),
        cmocka_unit_test(boards_choose_what_fits),
        cmocka_unit_test(ancestral_steps_go_over_karras_sigmas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
