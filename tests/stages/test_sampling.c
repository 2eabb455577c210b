/* Sampling through struct family: a shot that was cut short between any two steps goes on bit for
 * bit, with every family's fixture; wrong checkpoints are found before long work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/base/json.h"
#include "stages/generate/sampling.h"
#include "tests/stages/generation.h"

#define FIXTURES "tests/fixtures/"
#define WAN      FIXTURES "wan2.2-t2v-a14b"
enum { STEPS = 6 }; /* two before a step cache may reuse */

/* ---- every family, resumed at every step */

struct subject {
    const char *dir, *sampler;
    int width, height, frames;
    enum step_cache_mode cache; /* with a threshold that every signal is below */
};

/* What is sampled, with its model loaded. */
struct ready {
    const struct family *family;
    struct device *device;
    struct conditions conditions;
    struct generation generation;
    struct sampler_config config;
    void *model;
};

static void prepare(struct ready *r, const struct subject *s)
{
    struct error e = {0};
    void *encoder;

    *r = (struct ready){.generation = any_generation(s->width, s->height, s->frames, STEPS)};
    r->generation.step_cache.mode = s->cache;
    r->generation.step_cache.threshold = 10;
    if (family_of_checkpoint(s->dir, &r->family, &e) || r->family->check(s->dir, &e) ||
        sampling_config(s->dir, s->sampler, 0, &r->config, &e) ||
        device_open(&(struct device_options){.threads = 2}, &r->device, &e) ||
        r->family->encoder_open(s->dir, r->device, &encoder, &e) ||
        r->family->encode(encoder, &r->generation, &r->conditions, &e))
        fail_msg("%s: %s", s->dir, e.text);
    r->family->encoder_close(encoder);
    if (r->family->model_open(s->dir, r->device, &r->model, &e))
        fail_msg("%s: %s", s->dir, e.text);
}

static void let_go(struct ready *r)
{
    r->family->model_close(r->model);
    conditions_free(&r->conditions);
    device_close(r->device);
}

static void open_one(struct sampling *s, const struct ready *r)
{
    struct error e = {0};
    if (sampling_open(s, r->family, r->model, &r->config, &r->generation, &r->conditions, &e))
        fail_msg("%s: %s", r->family->name, e.text);
}

static void step(struct sampling *s)
{
    struct error e = {0};
    if (sampling_step(s, &e))
        fail_msg("%s", e.text);
}

/* The sampling's whole state after each of its steps. */
static void record(const struct ready *r, uint8_t *states[STEPS + 1], size_t *size)
{
    struct sampling s;
    open_one(&s, r);
    *size = sampling_state_size(&s);
    for (int i = 0; i <= STEPS; i++) {
        if (i > 0)
            step(&s);
        states[i] = malloc(*size);
        assert_non_null(states[i]);
        sampling_state_write(&s, states[i]);
    }
    sampling_close(&s);
}

/* A look at a state without the sampling tells its latents and its step. */
static void check_peek(const struct sampling *s, const uint8_t *state, size_t size)
{
    struct arena arena = {0};
    struct error e = {0};
    struct tensor latents;
    int index, steps;

    assert_int_equal(sampling_state_peek(state, size, &arena, &latents, &index, &steps, &e), 0);
    assert_int_equal(index, s->sampler.index);
    assert_int_equal(steps, STEPS);
    assert_memory_equal(latents.data, s->latents.data, s->sampler.count * sizeof(float));
    assert_int_equal(sampling_state_peek(state, 20, &arena, &latents, &index, &steps, &e), -1);
    assert_int_equal(sampling_state_peek(state + 1, size - 1, &arena, &latents, &index, &steps, &e),
                     -1);
    arena_free(&arena);
}

static void check_resumes(const struct subject *subject)
{
    uint8_t *states[STEPS + 1], *last;
    struct error e = {0};
    struct sampling s;
    struct ready r;
    size_t size;

    prepare(&r, subject);
    record(&r, states, &size);
    last = malloc(size);
    assert_non_null(last);
    assert_memory_not_equal(states[0], states[STEPS], size);
    for (int from = 1; from < STEPS; from++) {
        open_one(&s, &r);
        if (sampling_state_read(&s, states[from], size, &e))
            fail_msg("%s: %s", subject->dir, e.text);
        assert_int_equal(s.sampler.index, from);
        check_peek(&s, states[from], size);
        while (s.sampler.index < STEPS)
            step(&s);
        assert_true((s.left_out > 0) == (subject->cache != STEP_CACHE_OFF));
        sampling_state_write(&s, last);
        if (memcmp(last, states[STEPS], size) != 0)
            fail_msg("%s (%s): resumed after step %d it ends elsewhere", subject->dir,
                     subject->sampler, from);
        sampling_close(&s);
    }
    open_one(&s, &r); /* of a part of a state nothing is taken */
    assert_int_equal(sampling_state_read(&s, states[2], size - 1, &e), -1);
    assert_int_equal(s.sampler.index, 0);
    sampling_close(&s);
    for (int i = 0; i <= STEPS; i++)
        free(states[i]);
    free(last);
    let_go(&r);
}

static void cut_shots_go_on_bit_for_bit(void **state)
{
    static const struct subject subjects[] = {
        {WAN, "", 64, 48, 5, STEP_CACHE_OFF},
        {FIXTURES "hunyuan-video", "", 64, 48, 5, STEP_CACHE_OFF},
        {FIXTURES "cogvideox", "", 64, 48, 5, STEP_CACHE_OFF},
        {FIXTURES "cogvideox-2b", "", 64, 48, 5, STEP_CACHE_OFF},
        {FIXTURES "sdxl", "", 64, 64, 1, STEP_CACHE_OFF},
        {FIXTURES "sdxl", "euler_ancestral", 64, 64, 1, STEP_CACHE_OFF},
        {FIXTURES "svd-xt", "", 64, 64, 3, STEP_CACHE_OFF},
        {WAN, "", 64, 48, 5, STEP_CACHE_FIRST_BLOCK},
        {WAN, "", 64, 48, 5, STEP_CACHE_TIMESTEP},
        {FIXTURES "hunyuan-video", "", 64, 48, 5, STEP_CACHE_FIRST_BLOCK},
        {FIXTURES "hunyuan-video", "", 64, 48, 5, STEP_CACHE_TIMESTEP},
        {FIXTURES "cogvideox", "", 64, 48, 5, STEP_CACHE_FIRST_BLOCK},
        {FIXTURES "cogvideox-2b", "", 64, 48, 5, STEP_CACHE_TIMESTEP},
    };
    (void)state;
    for (size_t i = 0; i < sizeof picture; i++)
        picture[i] = (uint8_t)(i * 7 + i / 192 * 3);
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        check_resumes(&subjects[i]);
}

static void a_board_chooses_the_sampler(void **state)
{
    struct sampler_config config;
    struct error e = {0};
    (void)state;
    assert_int_equal(sampling_config(WAN, "flow_euler", 5, &config, &e), 0);
    assert_int_equal(config.kind, SAMPLER_FLOW_EULER);
    assert_true(config.flow_shift == 5);
    assert_int_equal(sampling_config(WAN, "", 0, &config, &e), 0);
    assert_int_equal(config.kind, SAMPLER_UNIPC);
    assert_int_equal(sampling_config(WAN, "ddim", 0, &config, &e), -1);
    assert_int_equal(e.code, ERROR_INPUT);
}

/* ---- wrong checkpoints */

/* Copies a file of the fixture into a directory of the test's own, with one text replaced. */
static void put(const char *dir, const char *name, const char *from, const char *to)
{
    struct arena a = {0};
    struct error e = {0};
    char *bytes, *part = arena_printf(&a, "%s/%s", dir, name);
    size_t size;
    assert_int_equal(file_read(path_join(&a, WAN, name), 1 << 20, &bytes, &size, &e), 0);
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
    char *from = realpath(path_join(&a, WAN, name), NULL);
    assert_non_null(from);
    assert_int_equal(symlink(from, path_join(&a, dir, name)), 0);
    free(from);
    arena_free(&a);
}

static int look_through(const char *dir, struct error *e)
{
    const struct family *family;
    struct sampler_config config;
    error_clear(e);
    return family_of_checkpoint(dir, &family, e) == 0 &&
                   sampling_config(dir, "", 0, &config, e) == 0
               ? family->check(dir, e)
               : -1;
}

static void wrong_checkpoints_are_found_before_long_work(void **state)
{
    static const struct {
        const char *name, *from, *to, *says;
    } edits[] = {
        {"model_index.json", "WanPipeline", "FluxPipeline", "_class_name is FluxPipeline"},
        {"model_index.json", "\"boundary_ratio\": 0.875", "\"boundary_ratio\": 7",
         "boundary_ratio"},
        {"model_index.json", "\"expand_timesteps\": false", "\"expand_timesteps\": true",
         "expand_timesteps"},
        {"scheduler/scheduler_config.json", "bh2", "bh1", "solver_type"},
    };
    char dir[] = "/tmp/auteur-sampling-XXXXXX";
    struct error e = {0};
    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(look_through(WAN, &e), 0);
    assert_int_equal(look_through(dir, &e), -1);
    put(dir, "model_index.json", NULL, NULL);
    put(dir, "scheduler/scheduler_config.json", NULL, NULL);
    lend(dir, "tokenizer");
    lend(dir, "text_encoder");
    lend(dir, "vae");
    lend(dir, "transformer");
    assert_int_equal(look_through(dir, &e), -1);
    assert_non_null(strstr(e.text, "transformer_2/config.json"));
    lend(dir, "transformer_2");
    if (look_through(dir, &e) != 0)
        fail_msg("%s", e.text);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        put(dir, edits[i].name, edits[i].from, edits[i].to);
        assert_int_equal(look_through(dir, &e), -1);
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
        cmocka_unit_test(cut_shots_go_on_bit_for_bit),
        cmocka_unit_test(a_board_chooses_the_sampler),
        cmocka_unit_test(wrong_checkpoints_are_found_before_long_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
