/* UniPC against the published scheduler. data/unipc.f32 holds, for each setting below, sigmas
 * [steps + 1], timesteps [steps], and latents [120] before the first and after some steps, made by
 * the reference scheduler with the model v(x, t) = tanh(0.7 x) (0.3 + t / 2000). */
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
#include "stages/generate/unipc.h"

enum { COUNT = 120 };

static const struct {
    int steps;
    double shift;
    int kept[5]; /* after which steps latents are stored */
} cases[] = {{40, 3, {1, 2, 3, 21, 40}}, {20, 12, {1, 2, 3, 11, 20}}};

static void model(const float *x, int timestep, float *v)
{
    for (int i = 0; i < COUNT; i++)
        v[i] = tanhf(0.7f * x[i]) * (0.3f + (float)timestep / 2000.0f);
}

static void compare(const float *got, const float *expected, int count, double tolerance,
                    const char *what, int step)
{
    double difference = 0, size = 0;
    for (int i = 0; i < count; i++) {
        difference += pow((double)got[i] - expected[i], 2);
        size += pow(expected[i], 2);
    }
    if (!(sqrt(difference / size) <= tolerance))
        fail_msg("%s after step %d: relative error %g", what, step, sqrt(difference / size));
}

static struct unipc make(int steps, double shift)
{
    struct unipc_config c = {.train_timesteps = 1000, .order = 2, .flow_shift = shift};
    struct unipc u;
    struct error e = {0};
    assert_int_equal(unipc_init(&u, &c, steps, COUNT, &e), 0);
    return u;
}

static void equals_the_published_scheduler(void **state)
{
    (void)state;
    struct error e = {0};
    char *bytes;
    size_t size;
    assert_int_equal(file_read("tests/stages/data/unipc.f32", 1 << 20, &bytes, &size, &e), 0);
    const float *data = (const float *)bytes;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int steps = cases[c].steps;
        struct unipc u = make(steps, cases[c].shift);
        compare(u.sigmas, data, steps + 1, 1e-7, "sigmas", 0);
        data += steps + 1;
        for (int i = 0; i < steps; i++)
            assert_int_equal(u.timesteps[i], (int)data[i]);
        data += steps;
        float x[COUNT], v[COUNT];
        memcpy(x, data, sizeof x);
        data += COUNT;
        for (int i = 0, k = 0; i < steps; i++) {
            model(x, u.timesteps[i], v);
            unipc_step(&u, v, x);
            if (i + 1 == cases[c].kept[k]) {
                compare(x, data, COUNT, 5e-6, "latents", i + 1);
                data += COUNT;
                k++;
            }
        }
        unipc_free(&u);
    }
    assert_ptr_equal(data, bytes + size);
    free(bytes);
}

static void resuming_changes_no_bit(void **state)
{
    (void)state;
    struct error e = {0};
    float start[COUNT], v[COUNT], whole[COUNT], halves[COUNT];
    for (int i = 0; i < COUNT; i++)
        start[i] = sinf((float)i * 1.7f);
    for (int cut = 0; cut <= 7; cut++) {
        struct unipc a = make(7, 3), b = make(7, 3), c = make(7, 3);
        memcpy(whole, start, sizeof start);
        for (int i = 0; i < 7; i++) {
            model(whole, a.timesteps[i], v);
            unipc_step(&a, v, whole);
        }
        memcpy(halves, start, sizeof start);
        for (int i = 0; i < cut; i++) {
            model(halves, b.timesteps[i], v);
            unipc_step(&b, v, halves);
        }
        size_t size = unipc_state_size(&b);
        uint8_t *bytes = malloc(size);
        assert_non_null(bytes);
        unipc_state_write(&b, bytes);
        assert_int_equal(unipc_state_read(&c, bytes, size, &e), 0);
        assert_int_equal(c.index, cut);
        for (int i = c.index; i < 7; i++) {
            model(halves, c.timesteps[i], v);
            unipc_step(&c, v, halves);
        }
        assert_memory_equal(whole, halves, sizeof whole);
        free(bytes);
        unipc_free(&a);
        unipc_free(&b);
        unipc_free(&c);
    }
}

static void foreign_state_is_refused(void **state)
{
    (void)state;
    struct error e = {0};
    struct unipc a = make(5, 3), other_shift = make(5, 5), other_steps = make(6, 3);
    float x[COUNT] = {0}, v[COUNT] = {0};
    unipc_step(&a, v, x);
    size_t size = unipc_state_size(&a);
    uint8_t *bytes = malloc(size + 1);
    assert_non_null(bytes);
    unipc_state_write(&a, bytes);
    assert_int_equal(unipc_state_read(&other_shift, bytes, size, &e), -1);
    assert_int_equal(unipc_state_read(&other_steps, bytes, size, &e), -1);
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(unipc_state_read(&a, bytes, cut, &e), -1);
    assert_int_equal(unipc_state_read(&a, bytes, size + 1, &e), -1);
    for (size_t i = 0; i < 44; i++) { /* no damage to the header passes */
        bytes[i] ^= 0x80;
        assert_int_equal(unipc_state_read(&a, bytes, size, &e), -1);
        bytes[i] ^= 0x80;
    }
    assert_int_equal(unipc_state_read(&a, bytes, size, &e), 0);
    free(bytes);
    unipc_free(&a);
    unipc_free(&other_shift);
    unipc_free(&other_steps);
}

static void one_step_gives_the_prediction(void **state)
{
    (void)state;
    struct unipc u = make(1, 1);
    float x[COUNT], v[COUNT], expected[COUNT];
    for (int i = 0; i < COUNT; i++) {
        x[i] = (float)i;
        v[i] = 1;
        expected[i] = (float)i - u.sigmas[0];
    }
    unipc_step(&u, v, x);
    for (int i = 0; i < COUNT; i++)
        assert_true(fabsf(x[i] - expected[i]) < 1e-4f);
    unipc_free(&u);
}

static void steps_out_of_range_are_refused(void **state)
{
    (void)state;
    struct unipc_config c = {.train_timesteps = 1000, .order = 2, .flow_shift = 1};
    struct unipc u;
    struct error e = {0};
    assert_int_equal(unipc_init(&u, &c, 0, 1, &e), -1);
    unipc_free(&u);
    assert_int_equal(unipc_init(&u, &c, UNIPC_STEPS_MAX + 1, 1, &e), -1);
    unipc_free(&u);
}

static int read_text(const char *text, struct unipc_config *c, struct error *e)
{
    char path[] = "/tmp/auteur-unipc-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    error_clear(e);
    int rc = unipc_config_read(path, c, e);
    unlink(path);
    return rc;
}

static void configuration_is_read_and_checked(void **state)
{
    (void)state;
    struct error e = {0};
    struct unipc_config c;
    assert_int_equal(unipc_config_read("tests/stages/data/scheduler_config.json", &c, &e), 0);
    assert_int_equal(c.train_timesteps, 1000);
    assert_int_equal(c.order, 2);
    assert_true(c.flow_shift == 3.0);

#define GOOD                                                                                       \
    "\"_class_name\":\"UniPCMultistepScheduler\",\"prediction_type\":\"flow_prediction\","         \
    "\"use_flow_sigmas\":true"
    assert_int_equal(read_text("{" GOOD "}", &c, &e), 0);
    assert_true(c.flow_shift == 1.0);
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", ":1:"},
        {"{", ":1:"},
        {"[]", "not a JSON object"},
        {"{}", "_class_name is missing"},
        {"{\"_class_name\":\"DDIMScheduler\"}", "only UniPCMultistepScheduler"},
        {"{\"_class_name\":\"UniPCMultistepScheduler\"}", "only flow_prediction"},
        {"{" GOOD ",\"solver_type\":\"bh1\"}", "only bh2"},
        {"{" GOOD ",\"solver_type\":3}", "must be a string"},
        {"{" GOOD ",\"final_sigmas_type\":\"sigma_min\"}", "only zero"},
        {"{" GOOD ",\"solver_order\":3}", "solver_order is 3"},
        {"{" GOOD ",\"solver_order\":1.5}", "whole number"},
        {"{" GOOD ",\"flow_shift\":0}", "flow_shift is 0"},
        {"{" GOOD ",\"flow_shift\":-1e300}", "flow_shift"},
        {"{" GOOD ",\"flow_shift\":\"3\"}", "must be a number"},
        {"{" GOOD ",\"num_train_timesteps\":1}", "num_train_timesteps"},
        {"{" GOOD ",\"thresholding\":true}", "thresholding: false"},
        {"{" GOOD ",\"thresholding\":1}", "true or false"},
        {"{" GOOD ",\"use_karras_sigmas\":true}", "use_karras_sigmas"},
        {"{" GOOD ",\"predict_x0\":false}", "predict_x0: true"},
        {"{" GOOD ",\"disable_corrector\":[0]}", "disable_corrector"},
        {"{" GOOD ",\"solver_p\":{}}", "solver_p"},
        {"{" GOOD ",\"shift_terminal\":0.1}", "shift_terminal"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(read_text(bad[i].text, &c, &e), -1);
        assert_int_equal(e.code, ERROR_MODEL);
        if (!strstr(e.text, bad[i].says))
            fail_msg("%s: says \"%s\", not \"%s\"", bad[i].text, e.text, bad[i].says);
    }
    error_clear(&e);
    assert_int_equal(unipc_config_read("/nonexistent/scheduler_config.json", &c, &e), -1);
    assert_int_equal(e.code, ERROR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_published_scheduler),
        cmocka_unit_test(resuming_changes_no_bit),
        cmocka_unit_test(foreign_state_is_refused),
        cmocka_unit_test(one_step_gives_the_prediction),
        cmocka_unit_test(steps_out_of_range_are_refused),
        cmocka_unit_test(configuration_is_read_and_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
