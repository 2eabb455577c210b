/* A dry device that passes for a processor counts what models take of a real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "kernels/dry/dry.h"
#include "stages/generate/wan_transformer.h"
#include "tests/stages/generation.h"

enum { HEIGHT = 8, WIDTH = 12, THREADS = 2 };

/* Latents as the families want them: [C, T, H, W], SVD and CogVideoX [T, C, H, W]. */
static const struct example {
    const char *dir;
    int64_t first, second;
} examples[] = {
    {"tests/fixtures/hunyuan-video", 16, 12},
    {"tests/fixtures/wan2.2-t2v-a14b", 16, 7},
    {"tests/fixtures/cogvideox", 9, 8},
    {"tests/fixtures/svd-xt", 7, 4},
    {"tests/fixtures/sdxl", 4, 1},
};
enum { EXAMPLES = sizeof examples / sizeof *examples };

/* The same work on a real processor, whose memory is counted, and on a dry one: bytes at most. */
typedef void work_fn(struct device *d, const struct example *x);

static size_t takes(work_fn *work, const struct example *x, bool dry)
{
    struct dry_run run = {.threads = THREADS};
    struct memory_faults memory = {0};
    struct device_options o = {.kind = DEVICE_CPU, .threads = dry ? 1 : THREADS};
    struct device *d;
    struct error e = {0};

    if (dry)
        o.dry = &run;
    else
        o.faults = &memory;
    if (device_open(&o, &d, &e) != 0)
        fail_msg("%s", e.text);
    work(d, x);
    assert_int_equal(device_status(d, &e), 0);
    device_close(d);
    assert_int_equal(dry ? run.used : memory.held, 0);
    return dry ? run.peak : memory.peak;
}

static void compare(work_fn *work, const struct example *x)
{
    double real = (double)takes(work, x, false), dry = (double)takes(work, x, true);

    if (dry < 0.95 * real || dry > 1.1 * real)
        fail_msg("%s: %.0f KiB on a dry processor, %.0f on a real one", x->dir, dry / 1024,
                 real / 1024);
}

static int ignore(void *ctx, int index, const float *rgb, int width, int height, struct error *e)
{
    (void)ctx, (void)index, (void)rgb, (void)width, (void)height, (void)e;
    return 0;
}

static void decode(struct device *d, const struct example *x)
{
    const int64_t shape[4] = {x->first, x->second, HEIGHT, WIDTH};
    struct arena a = {0};
    struct tensor latents = tensor_new(&a, 4, shape);
    const struct family *f;
    struct error e = {0};
    void *vae;

    assert_int_equal(family_of_checkpoint(x->dir, &f, &e), 0);
    if (f->vae_open(x->dir, d, &vae, &e) != 0 || f->decode(vae, &latents, ignore, NULL, &e) != 0)
        fail_msg("%s: %s", x->dir, e.text);
    f->vae_close(vae);
    arena_free(&a);
}

static void denoise(struct device *d, const struct example *x)
{
    struct wan_conditioning *c;
    struct wan_transformer *m;
    struct arena a = {0};
    struct tensor text, latents, flow;
    struct error e = {0};

    assert_int_equal(wan_transformer_load(x->dir, d, &m, &e), 0);
    const int *patch = wan_transformer_patch(m);
    const int64_t shape[4] = {wan_transformer_channels(m), 4 * patch[0], 16 * patch[1],
                              16 * patch[2]};
    text = TENSOR_NEW(&a, 5, wan_transformer_text_dim(m));
    latents = tensor_new(&a, 4, shape);
    flow = tensor_new(&a, 4, shape);
    assert_int_equal(wan_transformer_prepare(m, &text, 9, &c, &e), 0);
    assert_int_equal(wan_transformer_forward(m, c, &latents, 500, &flow, &e), 0);
    wan_conditioning_free(c);
    wan_transformer_free(m);
    arena_free(&a);
}

static void decoders_take_as_much(void **state)
{
    (void)state;
    for (int i = 0; i < EXAMPLES; i++)
        compare(decode, &examples[i]);
}

static void a_denoiser_takes_as_much(void **state)
{
    const struct example wan = {"tests/fixtures/wan2.2-t2v-a14b/transformer", 0, 0};

    (void)state;
    compare(denoise, &wan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoders_take_as_much),
        cmocka_unit_test(a_denoiser_takes_as_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
