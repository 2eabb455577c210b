/* Memory modes and memory that runs out, through struct family and with every family's fixture:
 * weights that are brought block by block give the same latents bit for bit; whichever piece of the
 * device's memory is refused, there is one clear error and nothing is left behind. The device is a
 * CPU with memory of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "stages/generate/sampling.h"
#include "tests/stages/generation.h"

enum { STEPS = 2 };

struct subject {
    const char *dir;
    int width, height, frames;
    bool streams; /* the denoiser has blocks that can be brought */
};

static const struct subject subjects[] = {
    {"tests/fixtures/wan2.2-t2v-a14b", 32, 32, 5, true},
    {"tests/fixtures/hunyuan-video", 32, 48, 5, true},
    {"tests/fixtures/cogvideox", 32, 32, 9, true},
    {"tests/fixtures/cogvideox-2b", 32, 32, 9, true},
    {"tests/fixtures/sdxl", 48, 32, 1, false},
    {"tests/fixtures/svd-xt", 32, 24, 4, false},
};

struct made {
    uint8_t *bytes; /* the sampling's state after its last step */
    size_t size;
};

static int sample(const struct family *f, void *model, const struct subject *s,
                  const struct generation *g, const struct conditions *c, struct made *out,
                  struct error *e)
{
    struct sampler_config config;
    struct sampling sampling = {0};
    int rc = sampling_config(s->dir, "", 0, &config, e);

    if (rc == 0)
        rc = sampling_open(&sampling, f, model, &config, g, c, e);
    for (int i = 0; i < STEPS && rc == 0; i++)
        rc = sampling_step(&sampling, e);
    if (rc == 0) {
        out->size = sampling_state_size(&sampling);
        out->bytes = malloc(out->size);
        assert_non_null(out->bytes);
        sampling_state_write(&sampling, out->bytes);
    }
    sampling_close(&sampling);
    return rc;
}

static int take_frame(void *ctx, int index, const float *rgb, int width, int height,
                      struct error *e)
{
    (void)index;
    (void)e;
    *(float *)ctx += rgb[0] + rgb[(size_t)width * (size_t)height * 3 - 1];
    return 0;
}

static int decode(const struct family *f, const struct subject *s, struct device *d,
                  const struct generation *g, void *model, struct error *e)
{
    struct arena a = {0};
    struct tensor latents;
    int64_t shape[4];
    float sum = 0;
    void *vae = NULL;
    int rc = f->latents_shape(model, g, shape, e);

    if (rc == 0) {
        latents = tensor_new(&a, 4, shape);
        assert_non_null(latents.data);
        rc = f->vae_open(s->dir, d, &vae, e);
    }
    if (rc == 0)
        rc = f->decode(vae, &latents, take_frame, &sum, e);
    f->vae_close(vae);
    arena_free(&a);
    return rc;
}

/* A shot from its words to its frames; *out is set when all of it went well. */
static int make(const struct subject *s, struct memory_faults *faults, enum memory_mode mode,
                struct made *out, struct error *e)
{
    struct device_options o = {.threads = 1, .faults = faults, .memory = mode};
    struct generation g = any_generation(s->width, s->height, s->frames, STEPS);
    struct conditions c = {0};
    const struct family *f;
    void *encoder = NULL, *model = NULL;
    struct device *d = NULL;
    int rc = -1;

    *out = (struct made){0};
    if (family_of_checkpoint(s->dir, &f, e) || device_open(&o, &d, e))
        return -1;
    rc = f->encoder_open(s->dir, d, &encoder, e);
    if (rc == 0)
        rc = f->encode(encoder, &g, &c, e);
    f->encoder_close(encoder);
    if (rc == 0)
        rc = f->model_open(s->dir, d, &model, e);
    if (rc == 0) {
        assert_int_equal(device_streams(d), s->streams && mode == MEMORY_SAFE);
        rc = sample(f, model, s, &g, &c, out, e);
    }
    if (rc == 0)
        rc = decode(f, s, d, &g, model, e);
    if (rc)
        free(out->bytes);
    f->model_close(model);
    conditions_free(&c);
    device_close(d);
    return rc;
}

static void streamed_weights_give_the_same_latents(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        const struct subject *s = &subjects[i];
        struct memory_faults stays = {0}, comes = {0};
        struct made expected, got;
        struct error e = {0};
        if (make(s, &stays, MEMORY_SPEED, &expected, &e) || make(s, &comes, MEMORY_SAFE, &got, &e))
            fail_msg("%s: %s", s->dir, e.text);
        assert_int_equal(expected.size, got.size);
        assert_memory_equal(expected.bytes, got.bytes, got.size);
        assert_true(stays.held == 0 && comes.held == 0);
        assert_true(stays.taken > 10);
        free(expected.bytes);
        free(got.bytes);
    }
}

/* Refuses allocation n, n + 1 and so on; in steps that grow, so that few runs reach the end. */
static void fail_each(const struct subject *s, enum memory_mode mode)
{
    struct memory_faults whole = {0};
    struct made made;
    struct error e = {0};
    long runs = 0;

    if (make(s, &whole, mode, &made, &e))
        fail_msg("%s: %s", s->dir, e.text);
    free(made.bytes);
    for (long n = 1; n <= whole.taken; n += 1 + runs / 8, runs++) {
        struct memory_faults f = {.fail_at = n};
        error_clear(&e);
        if (make(s, &f, mode, &made, &e) == 0)
            fail_msg("%s: allocation %ld of %ld was refused, and nobody said so", s->dir, n,
                     whole.taken);
        if (e.code != ERROR_MEMORY || !strstr(e.text, "memory"))
            fail_msg("%s: allocation %ld: %s", s->dir, n, e.text);
        assert_int_equal(f.held, 0);
    }
}

static void every_refusal_is_one_clear_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        fail_each(&subjects[i], MEMORY_SPEED);
}

static void so_it_is_where_weights_are_streamed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        if (subjects[i].streams)
            fail_each(&subjects[i], MEMORY_SAFE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streamed_weights_give_the_same_latents),
        cmocka_unit_test(every_refusal_is_one_clear_error),
        cmocka_unit_test(so_it_is_where_weights_are_streamed),
    };
    return cmocka_run_group_tests_name("memory_modes", tests, NULL, NULL);
}
