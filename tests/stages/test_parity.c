/* The engine against the reference library on the fixture, and model directories that are wrong. */
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
#include "stages/decode/wan_vae.h"
#include "stages/generate/wan_transformer.h"
#include "stages/parity/parity.h"
#include "stages/parity/report.h"
#include "tests/stages/scratch.h"

#define FIXTURE "tests/fixtures/wan2.2-t2v-a14b"
#define PREVIS  "stages/generate/previs"

static const char *const fixtures[] = {
    "cogvideox ",       "cogvideox-2b ",      "hunyuan-video ",        "schedulers ",
    "schedulers more ", "sdxl euler_karras ", "sdxl euler_ancestral ", "svd-xt ",
    "wan2.2-t2v-a14b "};

static int run(const char *dir, const char *golden, enum device_kind device, char **lines,
               struct error *e)
{
    struct parity_options o = {
        .dir = dir, .golden = golden, .device = {.kind = device, .threads = 2}};
    size_t size;
    FILE *out = open_memstream(lines, &size);
    int rc;

    assert_non_null(out);
    rc = parity_run(&o, out, e);
    assert_int_equal(fclose(out), 0);
    return rc;
}

/* Every fixture in the tree, and what ends the table of a folder. */
static void test_all_fixtures_hold(void **unused)
{
    const struct parity_options o = {.device = {.threads = 2}};
    const char *const folder[] = {"tests/fixtures"};
    struct error e = {0};
    char *lines;
    size_t size;
    FILE *out = open_memstream(&lines, &size);
    int rc;
    (void)unused;

    assert_non_null(out);
    rc = parity_run_all(&o, folder, 1, out, &e);
    assert_int_equal(fclose(out), 0);
    if (rc)
        fail_msg("%s\n%s", e.text, lines);
    printf("%s", strstr(lines, "\nfixture  "));
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++)
        if (!strstr(strstr(lines, "\nfixture  "), fixtures[i]))
            fail_msg("no row for %s\n%s", fixtures[i], lines);
    free(lines);
}

static void test_fixture_holds(void **unused)
{
    static const char *const names[] = {"tokenize.umt5",
                                        "noise0",
                                        "prompt_embeds",
                                        "negative_prompt_embeds",
                                        "transformer.call0.out",
                                        "transformer_2.call0.out",
                                        "vae.frames",
                                        "latents.step0",
                                        "latents.step5",
                                        "latents.final",
                                        "chain.frames"};
    struct error e = {0};
    char *lines;
    (void)unused;

    if (run(FIXTURE, NULL, DEVICE_CPU, &lines, &e))
        fail_msg("%s\n%s", e.text, lines);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strstr(lines, names[i]))
            fail_msg("no line for %s", names[i]);
    assert_null(strstr(lines, "FAIL"));
    free(lines);
}

/* A processor rounds to FP8 as a GPU does: the layers that it is asked of are, and no others. */
static void test_fp8_holds(void **unused)
{
    static const char *const names[] = {"wan2.2-t2v-a14b", "hunyuan-video", "cogvideox",
                                        "cogvideox-2b",    "sdxl",          "svd-xt"};
    (void)unused;
    for (int i = 0; i < 6; i++) {
        struct error e = {0};
        char dir[80], *lines, *at;
        size_t size;
        double error = 0;
        FILE *out = open_memstream(&lines, &size);
        snprintf(dir, sizeof dir, "tests/fixtures/%s", names[i]);
        struct parity_options o = {.dir = dir, .device = {.threads = 2, .linears = DTYPE_F8_E4M3}};
        assert_non_null(out);
        int rc = parity_run(&o, out, &e);
        assert_int_equal(fclose(out), 0);
        if (rc)
            fail_msg("%s\n%s", e.text, lines);
        at = strstr(lines, "call0.out");
        assert_non_null(at);
        assert_int_equal(sscanf(at, "%*s %lf", &error), 1);
        assert_true(error > 5e-3); /* else nothing was rounded */
        free(lines);
    }
}

/* What ships is what was trained: the golden was made where it was, and lies beside it. */
static void test_previs_holds(void **unused)
{
    struct error e = {0};
    char *lines;
    (void)unused;

    if (run(PREVIS "/checkpoint", PREVIS "/golden", DEVICE_CPU, &lines, &e))
        fail_msg("%s\n%s", e.text, lines);
    assert_non_null(strstr(lines, "chain.frames"));
    free(lines);
}

static void test_no_cuda_yet(void **unused)
{
    struct error e = {0};
    char *lines;
    (void)unused;
    assert_int_equal(run(FIXTURE, NULL, DEVICE_CUDA, &lines, &e), -1);
    assert_non_null(strstr(e.text, "CUDA"));
    assert_int_equal(e.code, ERROR_USAGE);
    free(lines);
}

static void test_nan_fails(void **unused)
{
    struct report r = {.out = tmpfile()};
    (void)unused;
    assert_non_null(r.out);
    parity_tolerances(DEVICE_CPU, DTYPE_F32, DTYPE_F32, "wan", r.tolerance);
    report_error(&r, "fine", 1e-5, PARITY_DENOISER);
    assert_int_equal(r.failures, 0);
    assert_true(r.worst[PARITY_DENOISER] == 1e-5 && fabs(r.nearest - 0.1) < 1e-12);
    report_error(&r, "broken", NAN, PARITY_DENOISER);
    report_error(&r, "worse", INFINITY, PARITY_DENOISER);
    assert_int_equal(r.failures, 2);
    assert_true(isnan(r.worst[PARITY_DENOISER]) && isnan(r.nearest));
    assert_string_equal(r.first, "broken");
    assert_int_equal(fclose(r.out), 0);
}

/* Every family of fixtures has its own in 16 bits, larger in BF16; a processor rounds nothing. */
static void test_tolerances(void **unused)
{
    static const char *const names[] = {"wan", "hunyuan_video", "cogvideox", "sdxl", "svd"};
    double f32[PARITY_CLASSES], f16[PARITY_CLASSES], bf16[PARITY_CLASSES];
    (void)unused;

    for (int i = 0; i < 5; i++) {
        parity_tolerances(DEVICE_CUDA, DTYPE_F32, DTYPE_F32, names[i], f32);
        parity_tolerances(DEVICE_CUDA, DTYPE_F16, DTYPE_F16, names[i], f16);
        parity_tolerances(DEVICE_CUDA, DTYPE_BF16, DTYPE_BF16, names[i], bf16);
        for (int k = PARITY_CONDITION; k <= PARITY_CHAIN; k++)
            assert_true(f32[k] < f16[k] && f16[k] < bf16[k]);
        parity_tolerances(DEVICE_CPU, DTYPE_BF16, DTYPE_BF16, names[i], bf16);
        assert_true(bf16[PARITY_DENOISER] == 1e-4 && bf16[PARITY_CHAIN] == 1e-3);
    }
    for (int i = 0; i < 5; i++) { /* all have layers in FP8 */
        parity_tolerances(DEVICE_CUDA, DTYPE_BF16, DTYPE_BF16, names[i], bf16);
        parity_tolerances(DEVICE_CUDA, DTYPE_BF16, DTYPE_F8_E4M3, names[i], f32);
        assert_true(f32[PARITY_DENOISER] > bf16[PARITY_DENOISER]);
        assert_true(f32[PARITY_CHAIN] > bf16[PARITY_CHAIN]);
        assert_true(f32[PARITY_DECODER] == bf16[PARITY_DECODER]);
    }
}

/* ---- a copy of the fixture in links, to be damaged */

static const char *copy(const char *name)
{
    return copy_of(FIXTURE, name);
}

static void expect(const char *dir, const char *message)
{
    struct error e = {0};
    char *lines;

    if (run(dir, NULL, DEVICE_CPU, &lines, &e) == 0)
        fail_msg("no error, but \"%s\" was expected", message);
    if (!strstr(e.text, message))
        fail_msg("\"%s\" does not say \"%s\"\n%s", e.text, message, lines);
    free(lines);
}

/* One that differs and one that cannot be run, before one that holds. */
static void test_several_directories(void **unused)
{
    const struct parity_options o = {.device = {.threads = 2}};
    const char *dirs[3] = {NULL, NULL, FIXTURE "/"};
    struct error e = {0};
    char *lines, *table;
    size_t size;
    FILE *out = open_memstream(&lines, &size);
    (void)unused;

    assert_non_null(out);
    dirs[0] = strdup(copy("several-a"));
    edit(dirs[0], "golden.json", "s/Sunset over mountains/Sunset over fountains/");
    dirs[1] = strdup(copy("several-b"));
    shell("rm %s/vae/config.json", dirs[1]);
    assert_int_equal(parity_run_all(&o, dirs, 3, out, &e), -1);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(e.text, "2 of 3 goldens do not hold, the first is several-a"));
    table = strstr(lines, "\nfixture  ");
    assert_non_null(table);
    assert_non_null(strstr(table, "FAILED, first tokenize.umt5"));
    assert_non_null(strstr(table, "could not be run"));
    assert_non_null(strstr(strstr(table, "wan2.2-t2v-a14b"), "ok"));
    free(lines);
    free((char *)dirs[0]);
    free((char *)dirs[1]);
}

static void test_wrong_golden_fails(void **unused)
{
    const char *dir = copy("golden");
    (void)unused;
    edit(dir, "golden.json", "s/\"seed\": 11/\"seed\": 12/");
    expect(dir, "the first is noise0");
    edit(dir, "golden.json", "s/\"steps\": 6/\"steps\": 5/");
    expect(dir, "checks failed");
    shell("cp -f " FIXTURE "/golden.json %s/golden.json && chmod u+w %s/golden.json", dir, dir);
    edit(dir, "golden.json", "s/Sunset over mountains/Sunset over fountains/");
    expect(dir, "tokenize.umt5");
    edit(dir, "golden.json", "s/\"family\": \"wan\"/\"family\": \"sora\"/");
    expect(dir, "the family sora is not known");
    shell("rm %s/golden.safetensors", dir);
    expect(dir, "golden.safetensors");
    shell("rm %s/golden.json", dir);
    expect(dir, "golden.json");
}

/* Its seed is found by its noise, and a line says so. */
static void test_golden_without_a_seed(void **unused)
{
    const char *dir = copy("seedless");
    struct error e = {0};
    char *lines;
    (void)unused;

    edit(dir, "golden.json", "s/\"seed\": 11/\"sown\": 11/");
    assert_int_equal(run(dir, NULL, DEVICE_CPU, &lines, &e), 0);
    assert_non_null(strstr(lines, "the golden names no seed; 11 gives its noise"));
    assert_non_null(strstr(lines, "chain.frames"));
    free(lines);
}

static void test_golden_elsewhere(void **unused)
{
    char other[128], named[128];
    const char *dir = copy("elsewhere");
    struct error e = {0};
    char *lines;
    (void)unused;

    snprintf(other, sizeof other, "%s/other", scratch);
    snprintf(named, sizeof named, "%s/other/golden.json", scratch);
    shell("mkdir %s && mv %s/golden.* %s", other, dir, other);
    expect(dir, "golden.json");
    assert_int_equal(run(dir, other, DEVICE_CPU, &lines, &e), 0);
    free(lines);
    assert_int_equal(run(dir, named, DEVICE_CPU, &lines, &e), 0);
    free(lines);
    shell("for x in json safetensors; do mv %s/golden.$x %s/golden.euler.$x; done", other, dir);
    assert_int_equal(run(dir, "euler", DEVICE_CPU, &lines, &e), 0);
    free(lines);
}

static void test_wrong_models(void **unused)
{
    static const struct {
        const char *file, *expression, *message;
    } cases[] = {
        {"transformer/config.json", "s/WanTransformer3DModel/WanTransformer2D/",
         "_class_name is WanTransformer2D, not WanTransformer3DModel"},
        {"transformer/config.json", "s/\"image_dim\": null/\"image_dim\": 1280/",
         "image_dim is set"},
        {"transformer/config.json", "s/\"added_kv_proj_dim\": null/\"added_kv_proj_dim\": 8/",
         "added_kv_proj_dim is set"},
        {"transformer/config.json", "s/\"ffn_dim\": 160/\"ffn_dim\": 161/", "the model's config"},
        {"transformer/config.json", "s/\"num_layers\": 2/\"num_layers\": 3/",
         "tensor blocks.2.attn1.to_q.weight is missing"},
        {"transformer/config.json", "s/\"num_layers\": 2/\"num_layers\": -1/", "num_layers is -1"},
        {"transformer/config.json", "s/\"ffn_dim\"/\"ffn_size\"/", "the model's config"},
        {"transformer/config.json", "s/rms_norm_across_heads/rms_norm/", "qk_norm is rms_norm"},
        {"transformer/config.json", "s/{/[/", "config.json"},
        {"transformer/diffusion_pytorch_model.safetensors.index.json", "s/00002-of/00003-of/",
         "names a shard that is not there"},
        {"vae/config.json", "s/\"is_residual\": false/\"is_residual\": true/",
         "is_residual is set"},
        {"vae/config.json", "s/\"base_dim\": 8/\"base_dim\": 16/", "the model's config"},
        {"vae/config.json", "s/-0.7571,//", "latents_mean and latents_std"},
        {"vae/config.json", "s/\"z_dim\": 16/\"z_dim\": \"16\"/", "z_dim must be a number"},
        {"vae/config.json", "s/AutoencoderKLWan/AutoencoderKL/", "_class_name is AutoencoderKL"},
        {"scheduler/scheduler_config.json", "s/\"num_train_timesteps\": 1000/\"x\": [/",
         "scheduler_config.json"},
    };
    char name[32];
    (void)unused;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *dir;
        snprintf(name, sizeof name, "wrong%zu", i);
        dir = copy(name);
        edit(dir, cases[i].file, cases[i].expression);
        expect(dir, cases[i].message);
    }
    {
        const char *dir = copy("bare");
        shell("rm -r %s/vae", dir);
        expect(dir, "vae/config.json");
        expect("tests/stages", "has no golden.json");
    }
}

/* The pictures do not depend on what was decoded before, and stop when asked. */
struct taken {
    int count, stop;
    double sum;
};

static int take(void *ctx, int index, const float *rgb, int width, int height, struct error *e)
{
    struct taken *t = ctx;
    assert_int_equal(index, t->count);
    t->count++;
    for (int i = 0; i < width * height * 3; i++) {
        assert_true(rgb[i] >= -1 && rgb[i] <= 1);
        t->sum += rgb[i] * (1 + i % 7);
    }
    return t->count == t->stop ? error_set(e, ERROR_CANCELLED, "enough") : 0;
}

static void test_vae_streams(void **unused)
{
    float data[16 * 3 * 4 * 6];
    struct tensor latents = TENSOR_F32(data, 16, 3, 4, 6), wrong = TENSOR_F32(data, 8, 6, 4, 6);
    struct taken first = {0}, second = {.stop = 2}, third = {0};
    struct error e = {0};
    struct device *d;
    struct wan_vae *v;
    (void)unused;

    for (int i = 0; i < 16 * 3 * 4 * 6; i++)
        data[i] = (float)(i * 37 % 101) / 50 - 1;
    assert_int_equal(device_open(&(struct device_options){.threads = 2}, &d, &e), 0);
    assert_int_equal(wan_vae_load(FIXTURE "/vae", d, &v, &e), 0);
    assert_int_equal(wan_vae_frames(v, 3), 9);
    assert_int_equal(wan_vae_decode(v, &latents, take, &first, &e), 0);
    assert_int_equal(first.count, 9);
    assert_int_equal(wan_vae_decode(v, &latents, take, &second, &e), -1);
    assert_int_equal(e.code, ERROR_CANCELLED);
    assert_int_equal(second.count, 2);
    assert_int_equal(wan_vae_decode(v, &latents, take, &third, &e), 0);
    assert_true(third.sum == first.sum);
    assert_int_equal(wan_vae_decode(v, &wrong, take, &third, &e), -1);
    assert_non_null(strstr(e.text, "[8, 6, 4, 6] do not fit a VAE of 16 channels"));
    wan_vae_free(v);
    device_close(d);
}

static void test_latents_that_do_not_fit(void **unused)
{
    float data[16 * 3 * 4 * 6] = {0}, text[64] = {0};
    struct tensor odd = TENSOR_F32(data, 16, 3, 3, 6), out = odd, words = TENSOR_F32(text, 1, 64);
    struct tensor narrow = TENSOR_F32(text, 2, 32);
    struct wan_conditioning *c;
    struct wan_transformer *m;
    struct error e = {0};
    struct device *d;
    (void)unused;

    assert_int_equal(device_open(&(struct device_options){.threads = 2}, &d, &e), 0);
    assert_int_equal(wan_transformer_load(FIXTURE "/transformer", d, &m, &e), 0);
    assert_int_equal(wan_transformer_prepare(m, &narrow, 8, &c, &e), -1);
    assert_non_null(strstr(e.text, "2 tokens of width 32 does not fit: text_dim is 64"));
    assert_int_equal(wan_transformer_prepare(m, &words, 8, &c, &e), 0);
    assert_int_equal(wan_transformer_forward(m, c, &odd, 1, &out, &e), -1);
    assert_non_null(strstr(e.text, "must be a multiple of the patch 1 x 2 x 2"));
    wan_conditioning_free(c);
    wan_transformer_free(m);
    device_close(d);
}

/* One call of the denoiser on the plain C reference and on the CPU kernels. */
static void call(struct device *d, struct tensor *out)
{
    static float data[16 * 3 * 4 * 6], words[5 * 64];
    struct tensor latents = TENSOR_F32(data, 16, 3, 4, 6), text = TENSOR_F32(words, 5, 64);
    struct wan_conditioning *c;
    struct wan_transformer *m;
    struct error e = {0};

    for (int i = 0; i < 16 * 3 * 4 * 6; i++)
        data[i] = (float)(i * 37 % 101) / 50 - 1;
    for (int i = 0; i < 5 * 64; i++)
        words[i] = (float)(i * 53 % 89) / 45 - 1;
    assert_int_equal(wan_transformer_load(FIXTURE "/transformer", d, &m, &e), 0);
    assert_int_equal(wan_transformer_prepare(m, &text, 9, &c, &e), 0);
    assert_int_equal(wan_transformer_forward(m, c, &latents, 700, out, &e), 0);
    wan_conditioning_free(c);
    wan_transformer_free(m);
}

static void test_reference_agrees(void **unused)
{
    static float a[16 * 3 * 4 * 6], b[16 * 3 * 4 * 6];
    struct tensor plain = TENSOR_F32(a, 16, 3, 4, 6), fast = TENSOR_F32(b, 16, 3, 4, 6);
    struct error e = {0};
    struct device *d;
    double error = 0, norm = 0;
    (void)unused;

    assert_int_equal(device_open_reference(1, &d, &e), 0);
    call(d, &plain);
    device_close(d);
    assert_int_equal(device_open(&(struct device_options){.threads = 2}, &d, &e), 0);
    call(d, &fast);
    device_close(d);
    for (int i = 0; i < 16 * 3 * 4 * 6; i++) {
        error += (a[i] - b[i]) * (double)(a[i] - b[i]);
        norm += a[i] * (double)a[i];
    }
    if (!(sqrt(error / norm) < 1e-5)) /* sums of some hundred terms, two blocks deep */
        fail_msg("relative error %g", sqrt(error / norm));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_fixtures_hold),  cmocka_unit_test(test_several_directories),
        cmocka_unit_test(test_fixture_holds),      cmocka_unit_test(test_fp8_holds),
        cmocka_unit_test(test_previs_holds),       cmocka_unit_test(test_no_cuda_yet),
        cmocka_unit_test(test_tolerances),         cmocka_unit_test(test_nan_fails),
        cmocka_unit_test(test_wrong_golden_fails), cmocka_unit_test(test_golden_without_a_seed),
        cmocka_unit_test(test_golden_elsewhere),   cmocka_unit_test(test_wrong_models),
        cmocka_unit_test(test_vae_streams),        cmocka_unit_test(test_latents_that_do_not_fit),
        cmocka_unit_test(test_reference_agrees),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
