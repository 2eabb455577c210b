/* The whole way from a prompt and a seed to final latents equals the golden one, step by step. */
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
#include "kernels/base/json.h"
#include "kernels/safetensors.h"
#include "stages/generate/torch_random.h"
#include "stages/generate/wan_sampler.h"
#include "stages/generate/wan_texts.h"

#define FIXTURE "tests/fixtures/wan2.2-t2v-a14b"
enum { STEPS = 6, PADDED = 40, SEED = 11, COUNT = 16 * 3 * 8 * 10 };

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

static bool always(void *ctx)
{
    (void)ctx;
    return true;
}

static double apart(const float *got, const float *expected)
{
    double difference = 0, size = 0;
    for (int i = 0; i < COUNT; i++) {
        difference += pow((double)got[i] - expected[i], 2);
        size += pow(expected[i], 2);
    }
    return sqrt(difference / size);
}

static void every_step_equals_golden(void **state)
{
    (void)state;
    struct error e = {0};
    struct device *d;
    struct safetensors *golden;
    struct wan_sampler *sampler;
    struct wan_sampling *sampling;
    struct wan_texts texts = {0};
    json_t *root;
    assert_int_equal(json_read(FIXTURE "/golden.json", &root, &e), 0);
    const char *prompt = json_string_value(json_object_get(root, "prompt"));
    const char *negative = json_string_value(json_object_get(root, "negative_prompt"));
    assert_int_equal(device_open(&(struct device_options){.threads = 2}, &d, &e), 0);
    assert_int_equal(safetensors_open(FIXTURE "/golden.safetensors", &golden, &e), 0);
    assert_int_equal(wan_texts_add(&texts, prompt, &e), 0);
    assert_int_equal(wan_texts_add(&texts, negative, &e), 0);
    assert_int_equal(wan_texts_add(&texts, prompt, &e), 0);
    assert_int_equal(texts.count, 2);
    assert_int_equal(wan_texts_encode(&texts, FIXTURE, d, never, NULL, &e), 0);
    if (wan_sampler_load(FIXTURE, d, &sampler, &e) != 0)
        fail_msg("%s", e.text);
    static float latents[COUNT];
    struct torch_random random;
    torch_random_seed(&random, SEED);
    torch_random_normal(&random, latents, COUNT);
    struct wan_request request = {
        .prompt = wan_texts_find(&texts, prompt)->embeddings,
        .negative = wan_texts_find(&texts, negative)->embeddings,
        .padded_length = PADDED,
        .guidance = {4, 3},
        .steps = STEPS,
        .frames = 3,
        .height = 8,
        .width = 10,
    };
    assert_int_equal(wan_sampling_open(sampler, &request, latents, &sampling, &e), 0);
    for (int i = 0; i < STEPS; i++) {
        char name[32];
        const struct tensor *expected;
        if (wan_sampling_step(sampling, &e) != 0)
            fail_msg("%s", e.text);
        snprintf(name, sizeof name, "latents.step%d", i);
        assert_int_equal(SAFETENSORS_GET(golden, name, &expected, &e, 1, 16, 3, 8, 10), 0);
        /* A chain of modules may differ by 1e-3; it differs by a hundredth of that. */
        if (!(apart(latents, expected->data) <= 1e-4))
            fail_msg("%s: relative error %g", name, apart(latents, expected->data));
    }
    wan_sampling_close(sampling);
    wan_sampler_free(sampler);
    wan_texts_free(&texts);
    safetensors_close(golden);
    json_decref(root);
    device_close(d);
}

/* What a board chooses in place of the checkpoint's own. */
static void another_sampler_is_chosen(void **state)
{
    static float latents[COUNT], words[5 * 64];
    (void)state;
    struct error e = {0};
    struct device *d;
    struct wan_sampler *sampler;
    struct wan_sampling *sampling;
    struct wan_request request = {.prompt = TENSOR_F32(words, 5, 64),
                                  .padded_length = PADDED,
                                  .guidance = {1, 1},
                                  .steps = 2,
                                  .sampler = "flow_euler",
                                  .flow_shift = 7,
                                  .frames = 3,
                                  .height = 8,
                                  .width = 10};
    assert_int_equal(device_open(&(struct device_options){.threads = 2}, &d, &e), 0);
    assert_int_equal(wan_sampler_load(FIXTURE, d, &sampler, &e), 0);
    assert_int_equal(wan_sampling_open(sampler, &request, latents, &sampling, &e), 0);
    const struct sampler *steps = wan_sampling_steps(sampling);
    assert_string_equal(sampler_config_name(&steps->config), "flow_euler");
    assert_true(steps->timesteps[0] == 1000 && steps->timesteps[1] == 875); /* 7/2 / (1 + 6/2) */
    assert_int_equal(wan_sampling_step(sampling, &e), 0);
    assert_int_equal(wan_sampling_step(sampling, &e), 0);
    assert_int_equal(steps->index, 2);
    assert_true(isfinite(latents[0]) && latents[0] != 0);
    wan_sampling_close(sampling);
    request.sampler = "euler";
    assert_int_equal(wan_sampling_open(sampler, &request, latents, &sampling, &e), -1);
    assert_int_equal(e.code, ERROR_INPUT);
    assert_non_null(strstr(e.text, "flow_euler and unipc fit it"));
    wan_sampler_free(sampler);
    device_close(d);
}

static void encoding_stops_when_asked(void **state)
{
    (void)state;
    struct error e = {0};
    struct device *d;
    struct wan_texts texts = {0};
    assert_int_equal(device_open(&(struct device_options){.threads = 1}, &d, &e), 0);
    assert_int_equal(wan_texts_add(&texts, "a sea", &e), 0);
    assert_int_equal(wan_texts_encode(&texts, FIXTURE, d, always, NULL, &e), -1);
    assert_int_equal(e.code, ERROR_CANCELLED);
    assert_null(wan_texts_find(&texts, "another sea"));
    wan_texts_free(&texts);
    device_close(d);
}

/* Copies a file of the fixture into a directory of the test's own, with one text replaced. */
static void put(const char *dir, const char *name, const char *from, const char *to)
{
    struct arena a = {0};
    struct error e = {0};
    char *bytes, *part = arena_printf(&a, "%s/%s", dir, name);
    size_t size;
    assert_int_equal(file_read(path_join(&a, FIXTURE, name), 1 << 20, &bytes, &size, &e), 0);
    const char *at = from ? strstr(bytes, from) : NULL;
    assert_true(!from || at);
    const char *text =
        at ? arena_printf(&a, "%.*s%s%s", (int)(at - bytes), bytes, to, at + strlen(from)) : bytes;
    char *slash = strrchr(part, '/');
    *slash = '\0';
    assert_int_equal(dir_make(part, &e), 0);
    *slash = '/';
    assert_int_equal(file_write_atomic(part, text, strlen(text), &e), 0);
    free(bytes);
    arena_free(&a);
}

/* DIR/name is the fixture's own. */
static void lend(const char *dir, const char *name)
{
    struct arena a = {0};
    char *from = realpath(path_join(&a, FIXTURE, name), NULL);
    assert_non_null(from);
    assert_int_equal(symlink(from, path_join(&a, dir, name)), 0);
    free(from);
    arena_free(&a);
}

static void wrong_checkpoints_are_found_before_long_work(void **state)
{
    (void)state;
    static const struct {
        const char *name, *from, *to, *says;
    } edits[] = {
        {"model_index.json", "WanPipeline", "FluxPipeline", "only WanPipeline"},
        {"model_index.json", "\"boundary_ratio\": 0.875", "\"boundary_ratio\": 7",
         "boundary_ratio"},
        {"model_index.json", "\"expand_timesteps\": false", "\"expand_timesteps\": true",
         "expand_timesteps"},
        {"scheduler/scheduler_config.json", "bh2", "bh1", "solver_type"},
        {"scheduler/scheduler_config.json", "UniPCMultistepScheduler", "EulerDiscreteScheduler",
         "prediction_type is flow_prediction: only epsilon"},
    };
    char dir[] = "/tmp/auteur-sampler-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct error e = {0};
    int width = 0;
    assert_int_equal(wan_sampler_check(FIXTURE, &width, &e), 0);
    assert_int_equal(wan_sampler_check(dir, &width, &e), -1);
    put(dir, "model_index.json", NULL, NULL);
    put(dir, "scheduler/scheduler_config.json", NULL, NULL);
    lend(dir, "transformer");
    error_clear(&e);
    assert_int_equal(wan_sampler_check(dir, &width, &e), -1);
    assert_non_null(strstr(e.text, "transformer_2/config.json"));
    lend(dir, "transformer_2");
    assert_int_equal(wan_sampler_check(dir, &width, &e), 0);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        put(dir, edits[i].name, edits[i].from, edits[i].to);
        error_clear(&e);
        assert_int_equal(wan_sampler_check(dir, &width, &e), -1);
        assert_int_equal(e.code, ERROR_MODEL);
        if (!strstr(e.text, edits[i].says))
            fail_msg("%s: says \"%s\", not \"%s\"", edits[i].to, e.text, edits[i].says);
        put(dir, edits[i].name, NULL, NULL);
    }
    assert_int_equal(path_remove(dir, &e), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_equals_golden),
        cmocka_unit_test(another_sampler_is_chosen),
        cmocka_unit_test(encoding_stops_when_asked),
        cmocka_unit_test(wrong_checkpoints_are_found_before_long_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
