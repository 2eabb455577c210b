/* The UNets beyond their goldens: sizes whose halves are odd, batches, sizes one after another, and
 * the plain C operations against the fast ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "stages/generate/unet_2d.h"
#include "stages/generate/unet_spatio_temporal.h"
#include "tests/stages/scratch.h"

#define FIXTURE "tests/fixtures/sdxl/unet"
#define CLIPS   "tests/fixtures/svd-xt/unet"

enum { CONTEXT = 64, POOLED = 28, TOKENS = 5 };

static struct device *open_device(void)
{
    struct device_options o = {.threads = 2};
    struct error e = {0};
    struct device *d;

    if (device_open(&o, &d, &e))
        fail_msg("%s", e.text);
    return d;
}

static struct tensor numbers(struct arena *a, int rank, const int64_t *shape, int salt)
{
    struct tensor t = tensor_new(a, rank, shape);
    float *x = t.data;

    assert_non_null(x);
    for (int64_t i = 0; i < tensor_count(&t); i++)
        x[i] = (float)((i * 7919 + salt * 104729) % 1009) / 500 - 1;
    return t;
}
#define NUMBERS(a, salt, ...)                                                                      \
    numbers((a), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                        \
            (const int64_t[]){__VA_ARGS__}, (salt))

static double difference(const float *a, const float *b, int64_t n)
{
    double error = 0, norm = 0;

    for (int64_t i = 0; i < n; i++) {
        error += (a[i] - b[i]) * (double)(a[i] - b[i]);
        norm += a[i] * (double)a[i];
    }
    return sqrt(error / norm);
}

/* A batch of n pictures of h x w; items are numbered from `first`. */
static struct tensor call(struct unet_2d *m, struct arena *a, int n, int first, int h, int w)
{
    struct tensor tokens = TENSOR_NEW(a, n, TOKENS, CONTEXT), pooled = TENSOR_NEW(a, n, POOLED);
    struct tensor ids = TENSOR_NEW(a, n, UNET_2D_TIME_IDS), x = TENSOR_NEW(a, n, 4, h, w);
    struct tensor out = TENSOR_NEW(a, n, 4, h, w);
    struct unet_context *c;
    struct error e = {0};

    for (int i = 0; i < n; i++) {
        struct tensor one = NUMBERS(a, first + i, TOKENS, CONTEXT);
        memcpy((float *)tokens.data + i * TOKENS * CONTEXT, one.data,
               sizeof(float[TOKENS * CONTEXT]));
        one = NUMBERS(a, first + i + 50, POOLED);
        memcpy((float *)pooled.data + i * POOLED, one.data, sizeof(float[POOLED]));
        for (int k = 0; k < UNET_2D_TIME_IDS; k++)
            ((float *)ids.data)[i * UNET_2D_TIME_IDS + k] = (float)(8 * (first + i + k));
        one = NUMBERS(a, first + i + 99, 4, h, w);
        memcpy((float *)x.data + (size_t)(i * 4 * h * w), one.data,
               (size_t)(4 * h * w) * sizeof(float));
    }
    if (unet_2d_prepare(m, &tokens, &pooled, &ids, &c, &e) ||
        unet_2d_forward(m, c, &x, 421.5f, &out, &e))
        fail_msg("%s", e.text);
    unet_context_free(c);
    return out;
}

static const int sizes[][2] = {{7, 9}, {1, 1}, {8, 8}, {5, 2}, {3, 12}};

static void test_reference_agrees(void **unused)
{
    struct device *fast = open_device(), *plain;
    struct unet_2d *f, *p;
    struct arena a = {0};
    struct error e = {0};
    (void)unused;

    assert_int_equal(device_open_reference(1, &plain, &e), 0);
    assert_int_equal(unet_2d_load(FIXTURE, fast, &f, &e), 0);
    assert_int_equal(unet_2d_load(FIXTURE, plain, &p, &e), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct tensor x = call(f, &a, 2, 1, sizes[i][0], sizes[i][1]);
        struct tensor y = call(p, &a, 2, 1, sizes[i][0], sizes[i][1]);
        double d = difference(x.data, y.data, tensor_count(&x));
        if (!(d < 2e-5)) /* some forty layers of sums in F32; one pixel has few numbers a norm */
            fail_msg("%d x %d: %g", sizes[i][0], sizes[i][1], d);
    }
    unet_2d_free(f);
    unet_2d_free(p);
    device_close(fast);
    device_close(plain);
    arena_free(&a);
}

/* An item of a batch is what it is alone, and a size after others what it was before. */
static void test_items_do_not_mix(void **unused)
{
    struct device *d = open_device();
    struct tensor all, again;
    struct arena a = {0};
    struct error e = {0};
    struct unet_2d *m;
    (void)unused;

    assert_int_equal(unet_2d_load(FIXTURE, d, &m, &e), 0);
    all = call(m, &a, 3, 1, 7, 9);
    for (int i = 0; i < 3; i++) {
        struct tensor one = call(m, &a, 1, 1 + i, 7, 9);
        int64_t n = tensor_count(&one);
        assert_true(difference((float *)all.data + i * n, one.data, n) < 1e-6);
    }
    call(m, &a, 2, 5, 12, 4);
    again = call(m, &a, 3, 1, 7, 9);
    assert_memory_equal(all.data, again.data, (size_t)tensor_count(&all) * sizeof(float));
    unet_2d_free(m);
    device_close(d);
    arena_free(&a);
}

/* One picture for all prompts is the same as a copy for each. */
static void test_shared_latents(void **unused)
{
    struct device *d = open_device();
    struct arena a = {0};
    struct error e = {0};
    struct tensor tokens = NUMBERS(&a, 1, 2, TOKENS, CONTEXT), pooled = NUMBERS(&a, 2, 2, POOLED);
    struct tensor ids = NUMBERS(&a, 3, 2, UNET_2D_TIME_IDS), two = NUMBERS(&a, 4, 2, 4, 6, 5);
    struct tensor x = TENSOR_NEW(&a, 2, 4, 6, 5), y = TENSOR_NEW(&a, 2, 4, 6, 5);
    struct tensor one = tensor_slice(two, 0, 0, 1), wide = TENSOR_NEW(&a, 2, 4, 6, 6);
    struct tensor five = TENSOR_NEW(&a, 2, 5, 6, 5), three = TENSOR_NEW(&a, 3, 4, 6, 5);
    struct unet_context *c, *none;
    struct unet_2d *m;
    (void)unused;

    assert_int_equal(unet_2d_load(FIXTURE, d, &m, &e), 0);
    assert_int_equal(unet_2d_prepare(m, &tokens, &pooled, &ids, &c, &e), 0);
    assert_int_equal(unet_2d_forward(m, c, &one, 10, &x, &e), 0);
    memcpy((float *)two.data + 120, two.data, sizeof(float[120]));
    assert_int_equal(unet_2d_forward(m, c, &two, 10, &y, &e), 0);
    assert_memory_equal(x.data, y.data, sizeof(float[240]));
    /* what does not fit is said, and harms nothing */
    assert_int_equal(unet_2d_forward(m, c, &two, 10, &wide, &e), -1);
    assert_int_equal(unet_2d_forward(m, c, &three, 10, &three, &e), -1);
    assert_int_equal(unet_2d_forward(m, c, &five, 10, &y, &e), -1);
    assert_non_null(
        strstr(e.text, "latents of shape [2, 5, 6, 5] do not fit a UNet of 4 channels"));
    assert_int_equal(unet_2d_prepare(m, &pooled, &pooled, &ids, &none, &e), -1);
    pooled = tensor_slice(pooled, 1, 0, 27);
    assert_int_equal(unet_2d_prepare(m, &tokens, &pooled, &ids, &none, &e), -1);
    assert_non_null(strstr(e.text, "pooled 27, do not fit: the UNet wants 64 and 28"));
    assert_int_equal(unet_2d_forward(m, c, &two, 10, &x, &e), 0);
    assert_memory_equal(x.data, y.data, sizeof(float[240]));
    unet_context_free(c);
    unet_2d_free(m);
    device_close(d);
    arena_free(&a);
}

/* ---- clips */

/* A batch of n clips; clips are numbered from `first`. */
static struct tensor call_clips(struct unet_spatio_temporal *m, struct arena *a, int n, int first,
                                int frames, int h, int w)
{
    int width = unet_spatio_temporal_context_dim(m), in = unet_spatio_temporal_in_channels(m);
    struct tensor image = TENSOR_NEW(a, n, 1, width);
    struct tensor ids = TENSOR_NEW(a, n, UNET_SPATIO_TEMPORAL_TIME_IDS);
    struct tensor x = TENSOR_NEW(a, n, frames, in, h, w);
    struct tensor out = TENSOR_NEW(a, n, frames, unet_spatio_temporal_out_channels(m), h, w);
    int64_t count = tensor_count(&x) / n;
    struct unet_context *c;
    struct error e = {0};

    for (int i = 0; i < n; i++) {
        struct tensor one = NUMBERS(a, first + i, width);
        memcpy((float *)image.data + i * width, one.data, (size_t)width * sizeof(float));
        one = NUMBERS(a, first + i + 9, count);
        memcpy((float *)x.data + i * count, one.data, (size_t)count * sizeof(float));
        for (int k = 0; k < UNET_SPATIO_TEMPORAL_TIME_IDS; k++)
            ((float *)ids.data)[i * UNET_SPATIO_TEMPORAL_TIME_IDS + k] = (float)(first + i + k);
    }
    if (unet_spatio_temporal_prepare(m, &image, &ids, frames, &c, &e) ||
        unet_spatio_temporal_forward(m, c, &x, 1.25f, &out, &e))
        fail_msg("%s", e.text);
    unet_context_free(c);
    return out;
}

static void test_clips_reference_agrees(void **unused)
{
    struct device *fast = open_device(), *plain;
    struct unet_spatio_temporal *f, *p;
    struct arena a = {0};
    struct error e = {0};
    (void)unused;

    assert_int_equal(device_open_reference(1, &plain, &e), 0);
    assert_int_equal(unet_spatio_temporal_load(CLIPS, fast, &f, &e), 0);
    assert_int_equal(unet_spatio_temporal_load(CLIPS, plain, &p, &e), 0);
    for (int frames = 1; frames <= 7; frames += frames) {
        struct tensor x = call_clips(f, &a, 2, 1, frames, 5, 4);
        struct tensor y = call_clips(p, &a, 2, 1, frames, 5, 4);
        double d = difference(x.data, y.data, tensor_count(&x));
        if (!(d < 1e-5))
            fail_msg("%d frames: %g", frames, d);
    }
    unet_spatio_temporal_free(f);
    unet_spatio_temporal_free(p);
    device_close(fast);
    device_close(plain);
    arena_free(&a);
}

/* A clip of a batch is what it is alone; its frames do see each other. */
static void test_clips_do_not_mix(void **unused)
{
    struct device *d = open_device();
    struct tensor all, again, still;
    struct arena a = {0};
    struct error e = {0};
    struct unet_spatio_temporal *m;
    (void)unused;

    assert_int_equal(unet_spatio_temporal_load(CLIPS, d, &m, &e), 0);
    all = call_clips(m, &a, 2, 1, 5, 3, 7);
    for (int i = 0; i < 2; i++) {
        struct tensor one = call_clips(m, &a, 1, 1 + i, 5, 3, 7);
        int64_t n = tensor_count(&one);
        assert_true(difference((float *)all.data + i * n, one.data, n) < 1e-6);
    }
    still = call_clips(m, &a, 1, 1, 1, 3, 7); /* its numbers are those of the first frame */
    assert_true(difference(all.data, still.data, tensor_count(&still)) > 1e-2);
    again = call_clips(m, &a, 2, 1, 5, 3, 7);
    assert_memory_equal(all.data, again.data, (size_t)tensor_count(&all) * sizeof(float));
    unet_spatio_temporal_free(m);
    device_close(d);
    arena_free(&a);
}

#define CONFIG   "config.json"
#define WEIGHTS  "diffusion_pytorch_model.safetensors"
#define SET(key) "s/\"" key "\": [^,]*/\"" key "\": "

/* Tensors that decide nothing where there is one token must be there all the same. */
static void test_wrong_clip_models(void **unused)
{
    static const struct {
        const char *file, *expression, *message;
    } cases[] = {
        {CONFIG, "s/UNetSpatioTemporalConditionModel/UNet3DConditionModel/",
         "_class_name is UNet3DConditionModel"},
        {CONFIG, "s/\"UpBlockSpatioTemporal\"/\"UpBlock3D\"/", "up_block_types[0] is UpBlock3D"},
        {CONFIG, SET("addition_time_embed_dim") "12/", "must be even"},
        {CONFIG, SET("cross_attention_dim") "[24, 25], \"x\": 0/",
         "cross_attention_dim is 24 and 25"},
        {CONFIG, SET("cross_attention_dim") "25/", "attn2.to_k.weight"},
        {CONFIG, SET("layers_per_block") "[1, 2, 3]/",
         "layers_per_block has 3 values for 2 levels"},
        {CONFIG, SET("layers_per_block") "2/", "is missing"},
        {CONFIG, SET("in_channels") "-8/", "in_channels is -8"},
        {CONFIG, SET("num_attention_heads") "5, \"x\": [/", "do not fit 5 heads"},
        {CONFIG, SET("num_frames") "\"4\"/", "num_frames must be a number"},
        {CONFIG, SET("transformer_layers_per_block") "2/", "transformer_blocks.1.norm1.weight"},
        {WEIGHTS, "s/time_mixer.mix_factor/time_mixer.mix_fuctor/", "mix_factor is missing"},
        {WEIGHTS, "s/attn2.to_q.weight/attn2.to_Q.weight/", "attn2.to_q.weight is missing"},
        {WEIGHTS, "s/time_pos_embed.linear_2.bias/time_pos_embed.linear_3.bias/",
         "time_pos_embed.linear_2.bias is missing"},
        {WEIGHTS, "s/temporal_res_block.conv1.weight/temporal_res_block.conv3.weight/",
         "temporal_res_block.conv1.weight is missing"},
    };
    char dir[] = "/tmp/auteur-unet-XXXXXX";
    struct unet_spatio_temporal *m;
    struct error e = {0};
    (void)unused;

    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        shell("cp " CLIPS "/* %s && sed -i '%s' %s/%s && ! cmp -s " CLIPS "/%s %s/%s", dir,
              cases[i].expression, dir, cases[i].file, cases[i].file, dir, cases[i].file);
        e = (struct error){0};
        if (unet_spatio_temporal_load(dir, NULL, &m, &e) == 0)
            fail_msg("%s: no error, but \"%s\" was expected", cases[i].expression,
                     cases[i].message);
        if (e.code != ERROR_MODEL || !strstr(e.text, cases[i].message) || !strstr(e.text, dir))
            fail_msg("\"%s\" does not say \"%s\"", e.text, cases[i].message);
    }
    assert_int_equal(path_remove(dir, &e), 0);
}

/* All frames attend to one token. */
static void test_one_token(void **unused)
{
    struct device *d = open_device();
    struct arena a = {0};
    struct error e = {0};
    struct tensor two = TENSOR_NEW(&a, 1, 2, 24), ids = TENSOR_NEW(&a, 1, 3);
    struct unet_spatio_temporal *m;
    struct unet_context *c;
    (void)unused;

    assert_int_equal(unet_spatio_temporal_load(CLIPS, d, &m, &e), 0);
    assert_int_equal(unet_spatio_temporal_prepare(m, &two, &ids, 3, &c, &e), -1);
    assert_non_null(
        strstr(e.text, "[1, 2, 24] does not fit: the UNet wants one token of width 24"));
    unet_spatio_temporal_free(m);
    device_close(d);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_agrees), cmocka_unit_test(test_items_do_not_mix),
        cmocka_unit_test(test_shared_latents),   cmocka_unit_test(test_clips_reference_agrees),
        cmocka_unit_test(test_clips_do_not_mix), cmocka_unit_test(test_wrong_clip_models),
        cmocka_unit_test(test_one_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
