/* Shots that go through SDXL together: on a CPU each comes out as it does alone, byte for byte,
 * whatever stands beside it; one that breaks does not harm the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/generate/sampling.h"

#define FIXTURE "tests/fixtures/sdxl"
enum { SHOTS = 5, STEPS = 3 };

static const char *const prompts[SHOTS] = {"a harbour", "a harbour", "rain on a tin roof",
                                           "lighthouse, at night, far away", "x"};
static const char *const negatives[SHOTS] = {"blurry", "blurry", NULL, "", "text, letters"};

static struct device *device;
static void *model;
static struct generation shots[SHOTS];
static struct conditions conditions[SHOTS];

static int open_model(void **unused)
{
    struct device_options o = {.threads = 2};
    struct error e = {0};
    void *encoder = NULL;
    int rc;

    (void)unused;
    if (device_open(&o, &device, &e) || family_sdxl.encoder_open(FIXTURE, device, &encoder, &e))
        return -1;
    rc = family_sdxl.model_open(FIXTURE, device, &model, &e);
    for (int i = 0; i < SHOTS && rc == 0; i++) {
        shots[i] = (struct generation){.prompt = prompts[i],
                                       .negative = negatives[i],
                                       .seed = (uint64_t)(i == 1 ? 0 : i),
                                       .width = 56,
                                       .height = 72,
                                       .frames = 1,
                                       .steps = STEPS,
                                       .guidance = 3 + i};
        rc = family_sdxl.encode(encoder, &shots[i], &conditions[i], &e);
    }
    family_sdxl.encoder_close(encoder);
    return rc;
}

static int close_model(void **unused)
{
    (void)unused;
    for (int i = 0; i < SHOTS; i++)
        conditions_free(&conditions[i]);
    family_sdxl.model_close(model);
    device_close(device);
    return 0;
}

static struct sampler_config config_of(const char *sampler)
{
    struct sampler_config config;
    struct error e = {0};

    if (sampling_config(FIXTURE, sampler, 0, &config, &e))
        fail_msg("%s", e.text);
    return config;
}

static void prepare(struct sampling *s, const struct sampler_config *config, int shot)
{
    struct error e = {0};

    if (sampling_prepare(s, &family_sdxl, model, config, &shots[shot], &conditions[shot], &e))
        fail_msg("%s", e.text);
}

/* The shots first .. first + count - 1 together, from noise to the end, into latents[]. */
static void sample(const char *sampler, int first, int count, float *latents[SHOTS])
{
    struct sampler_config config = config_of(sampler);
    struct sampling s[SHOTS], *all[SHOTS];
    struct error e = {0};

    for (int i = 0; i < count; i++) {
        prepare(&s[i], &config, first + i);
        all[i] = &s[i];
    }
    if (sampling_begin(all, count, &e))
        fail_msg("%s", e.text);
    for (int step = 0; step < STEPS; step++)
        if (sampling_step_all(all, count, &e))
            fail_msg("%s", e.text);
    for (int i = 0; i < count; i++) {
        size_t size = (size_t)tensor_count(&s[i].latents) * sizeof(float);
        assert_int_equal(sampling_is_whole(&s[i], &e), 0);
        latents[first + i] = malloc(size);
        assert_non_null(latents[first + i]);
        memcpy(latents[first + i], s[i].latents.data, size);
        sampling_close(&s[i]);
    }
}

static void test_together_as_alone(void **unused)
{
    static const char *const samplers[] = {"euler", "euler_ancestral"};
    static const int runs[][3] = {{5, 0, 0}, {2, 3, 0}, {4, 1, 0}, {2, 2, 1}};
    size_t size = (size_t)4 * 9 * 7 * sizeof(float);

    (void)unused;
    for (size_t k = 0; k < 2; k++) {
        float *alone[SHOTS];
        for (int i = 0; i < SHOTS; i++)
            sample(samplers[k], i, 1, alone);
        assert_memory_not_equal(alone[0], alone[2], size);
        assert_memory_not_equal(alone[0], alone[1], size); /* their guidance differs */
        for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) {
            float *together[SHOTS];
            for (int first = 0, part = 0; first < SHOTS; first += runs[r][part++])
                sample(samplers[k], first, runs[r][part], together);
            for (int i = 0; i < SHOTS; i++) {
                assert_memory_equal(together[i], alone[i], size);
                free(together[i]);
            }
        }
        for (int i = 0; i < SHOTS; i++)
            free(alone[i]);
    }
}

/* Latents that are no numbers stay one shot's affair. */
static void test_one_breaks(void **unused)
{
    struct sampler_config config = config_of("");
    struct sampling s[3], *all[3] = {&s[0], &s[1], &s[2]};
    struct error e = {0};

    (void)unused;
    for (int i = 0; i < 3; i++)
        prepare(&s[i], &config, i);
    ((float *)s[1].latents.data)[7] = NAN;
    assert_int_equal(sampling_begin(all, 3, &e), 0);
    assert_int_equal(sampling_step_all(all, 3, &e), 0);
    assert_int_equal(sampling_is_whole(&s[0], &e), 0);
    assert_int_equal(sampling_is_whole(&s[1], &e), -1);
    assert_int_equal(e.code, ERROR_MODEL);
    assert_int_equal(sampling_is_whole(&s[2], &e), 0);
    for (int i = 0; i < 3; i++)
        sampling_close(&s[i]);
}

static void test_unlike_shots_are_refused(void **unused)
{
    struct sampler_config config = config_of("");
    struct sampling s[2], *all[2] = {&s[0], &s[1]};
    struct error e = {0};
    struct generation kept = shots[1];

    (void)unused;
    for (int how = 0; how < 2; how++) {
        if (how == 0)
            shots[1].guidance = 1;
        else
            shots[1].width = 64;
        for (int i = 0; i < 2; i++)
            prepare(&s[i], &config, i);
        assert_int_equal(sampling_begin(all, 2, &e), -1);
        assert_int_equal(e.code, ERROR_INTERNAL);
        for (int i = 0; i < 2; i++)
            sampling_close(&s[i]);
        shots[1] = kept;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_together_as_alone),
        cmocka_unit_test(test_one_breaks),
        cmocka_unit_test(test_unlike_shots_are_refused),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
