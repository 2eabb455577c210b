/* Settings of samplers: what is read, what is refused by name, and what a board may choose. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "stages/generate/step_cache.h"
#include "storyboards/fields.h"
#include "tests/stages/sampler_settings.h"

enum { COUNT = 8 };

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
        {"{" UNIPC ",\"disable_corrector\":[0, 64]}",
         "disable_corrector[1] must be a step from 0 to 63"},
        {"{" UNIPC ",\"disable_corrector\":[-1]}", "disable_corrector[0]"},
        {"{" UNIPC ",\"disable_corrector\":[\"0\"]}", "disable_corrector[0]"},
        {"{" UNIPC ",\"disable_corrector\":7}", "must be a list of steps"},
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
        {"{" EULER ",\"beta_start\":0.9,\"beta_end\":0.9}", "config: beta_start 0.9 and beta_end"},
        {"{" DDIM ",\"beta_start\":0.9,\"beta_end\":0.99}", "config: beta_start 0.9, beta_end"},
        {"{" EULER ",\"beta_start\":1e-8,\"beta_end\":1e-8}", "config: beta_start 1e-08"},
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

/* Boards cannot include stages: the names stand in both. */
static void same_names(enum shot_row row, const char *name, const char *const *ours)
{
    const struct field *field = &shot_table.fields[row];
    size_t i = 0;
    assert_string_equal(field->name, name);
    for (; ours[i] && field->choices[i]; i++)
        assert_string_equal(field->choices[i], ours[i]);
    assert_true(i > 0 && !ours[i] && !field->choices[i]);
}

static void boards_may_ask_for_every_sampler_and_step_cache(void **state)
{
    (void)state;
    same_names(SHOT_ROW_SAMPLER, "sampler", sampler_names);
    same_names(SHOT_ROW_STEP_CACHE, "step_cache", step_cache_names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_read),
        cmocka_unit_test(boards_may_ask_for_every_sampler_and_step_cache),
        cmocka_unit_test(wrong_settings_are_refused_by_name),
        cmocka_unit_test(files_that_are_no_settings_are_refused),
        cmocka_unit_test(boards_choose_what_fits),
        cmocka_unit_test(impossible_beginnings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
