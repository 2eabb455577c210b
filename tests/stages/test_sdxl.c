/* SDXL against the reference library on its fixture (whose second golden has no negative prompt),
 * checkpoints that are wrong, and what the family refuses and keeps. */
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
#include "stages/generate/family.h"
#include "stages/parity/parity.h"
#include "tests/stages/scratch.h"

#define FIXTURE "tests/fixtures/sdxl"

static int run(const char *dir, const char *golden, char **lines, struct error *e)
{
    struct parity_options o = {.dir = dir, .golden = golden, .device = {.threads = 2}};
    size_t size;
    FILE *out = open_memstream(lines, &size);
    int rc;

    assert_non_null(out);
    rc = parity_run(&o, out, e);
    assert_int_equal(fclose(out), 0);
    return rc;
}

/* Both goldens in one run; the ancestral one draws noise at each step. */
static void test_fixture_holds(void **unused)
{
    static const char *const names[] = {"sdxl euler_ancestral",
                                        "sdxl euler_karras",
                                        "tokenize.clip ",
                                        "tokenize.clip_2",
                                        "noise0",
                                        "noise3",
                                        "prompt_embeds",
                                        "negative_prompt_embeds",
                                        "pooled_prompt_embeds",
                                        "negative_pooled_prompt_embeds",
                                        "unet.call0.out",
                                        "unet.call1.out",
                                        "vae.frames",
                                        "latents.step0",
                                        "latents.step2",
                                        "latents.final",
                                        "chain.frames"};
    struct error e = {0};
    char *lines;
    (void)unused;

    if (run(FIXTURE, NULL, &lines, &e))
        fail_msg("%s\n%s", e.text, lines);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strstr(lines, names[i]))
            fail_msg("no line for %s", names[i]);
    assert_null(strstr(lines, "FAIL"));
    assert_null(strstr(lines, "texts;"));
    free(lines);
}

static void test_one_golden(void **unused)
{
    struct error e = {0};
    char *lines;
    (void)unused;

    assert_int_equal(run(FIXTURE, "euler_karras", &lines, &e), 0);
    assert_null(strstr(lines, "ancestral"));
    assert_null(strstr(lines, "noise1"));
    free(lines);
    assert_int_equal(run(FIXTURE, "euler", &lines, &e), -1);
    assert_non_null(strstr(e.text, "golden.euler.json"));
    free(lines);
}

/* ---- a copy of the fixture in links, to be changed */

static const char *copy(const char *name)
{
    return copy_of(FIXTURE, name);
}

/* Another sampler than the golden's, another prompt, another seed: each is found. */
static void test_wrong_goldens(void **unused)
{
    static const struct {
        const char *file, *expression, *first;
    } cases[] = {
        {"golden.euler_karras.json", "s/\"sampler\": \"euler_karras\"/\"sampler\": \"none\"/",
         NULL},
        {"golden.euler_karras.json", "s/\"seed\": 23/\"seed\": 24/", "noise0"},
        {"golden.euler_karras.json", "s/\"guidance\": 4.5/\"guidance\": 4.6/", "latents.step0"},
        {"golden.euler_karras.json", "s/\"width\": 56/\"width\": 64/", "noise0"},
        {"golden.euler_karras.json",
         "s/\"negative_prompt\": \"blurry/\"negative_prompt\": \"fuzzy/", "negative_prompt_embeds"},
        {"scheduler.euler_karras/scheduler_config.json",
         "s/\"use_karras_sigmas\": true/\"use_karras_sigmas\": false/", "latents.step0"},
    };
    (void)unused;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e = {0};
        char name[32], *lines;
        const char *dir;
        snprintf(name, sizeof name, "golden%zu", i);
        dir = copy(name);
        edit(dir, cases[i].file, cases[i].expression);
        if (strstr(cases[i].expression, "width")) { /* its tensors are of another size */
            assert_int_equal(run(dir, "euler_karras", &lines, &e), -1);
            assert_non_null(strstr(lines, "unexpected shape"));
        } else if (!cases[i].first) { /* no such folder: "scheduler", which is the same */
            assert_int_equal(run(dir, "euler_karras", &lines, &e), 0);
        } else {
            assert_int_equal(run(dir, "euler_karras", &lines, &e), -1);
            if (!strstr(e.text, "the first is") || !strstr(e.text, cases[i].first))
                fail_msg("%s: %s", cases[i].expression, e.text);
        }
        free(lines);
    }
}

/* The checkpoint's tokenizer gives other ids than one golden says, and those that another says. */
static void test_disputed_tokens(void **unused)
{
    const char *dir = copy("disputed");
    struct error e = {0};
    char *lines;
    (void)unused;

    shell("sed ':a;N;$!ba;s/\\(\"UPPER lower MiXeD\",[^0-9]*[0-9]*,[^0-9]*\\)[0-9]*/\\1 7/g' "
          "%s/golden.euler_karras.json > %s/new && mv %s/new %s/golden.euler_karras.json",
          dir, dir, dir, dir);
    assert_int_equal(run(dir, "euler_karras", &lines, &e), 0);
    assert_non_null(strstr(lines, "23 texts; 1 are as golden.euler_ancestral.json has them"));
    free(lines);
    shell("rm %s/golden.euler_ancestral.json", dir);
    assert_int_equal(run(dir, "euler_karras", &lines, &e), -1);
    assert_non_null(strstr(e.text, "the first is tokenize.clip"));
    free(lines);
}

/* ---- checkpoints that are wrong: found before any weight is read */

#define UNET     "unet/config.json"
#define WEIGHTS  "unet/diffusion_pytorch_model.safetensors"
#define SET(key) "s/\"" key "\": [^,]*/\"" key "\": "

static const struct {
    const char *file, *expression, *message;
} wrong[] = {
    {UNET, "s/UNet2DConditionModel/UNet2DModel/", "_class_name is UNet2DModel"},
    {UNET, SET("class_embed_type") "\"timestep\"/", "class_embed_type is set"},
    {UNET, SET("num_class_embeds") "10/", "num_class_embeds is set"},
    {UNET, SET("dual_cross_attention") "true/", "dual_cross_attention is set"},
    {UNET, SET("only_cross_attention") "true/", "only_cross_attention is set"},
    {UNET, SET("encoder_hid_dim") "64/", "encoder_hid_dim is set"},
    {UNET, SET("time_cond_proj_dim") "16/", "time_cond_proj_dim is set"},
    {UNET, SET("num_attention_heads") "4/", "num_attention_heads is set"},
    {UNET, SET("center_input_sample") "true/", "center_input_sample is set"},
    {UNET, SET("act_fn") "\"gelu\"/", "act_fn is gelu"},
    {UNET, SET("resnet_time_scale_shift") "\"scale_shift\"/",
     "resnet_time_scale_shift is scale_shift"},
    {UNET, SET("mid_block_type") "null/", "mid_block_type is null"},
    {UNET, SET("mid_block_type") "\"UNetMidBlock2D\"/", "mid_block_type is UNetMidBlock2D"},
    {UNET, SET("addition_embed_type") "null/", "addition_embed_type is not set"},
    {UNET, SET("addition_embed_type") "\"image\"/", "addition_embed_type is image"},
    {UNET, SET("downsample_padding") "0/", "downsample_padding is 0"},
    {UNET, SET("conv_in_kernel") "2/", "conv_in_kernel and conv_out_kernel must be 1 or 3"},
    {UNET, "s/\"CrossAttnUpBlock2D\"/\"SimpleCrossAttnUpBlock2D\"/",
     "up_block_types[0] is SimpleCrossAttnUpBlock2D"},
    {UNET, "s/\"DownBlock2D\",/\"AttnDownBlock2D\",/", "down_block_types[1] is AttnDownBlock2D"},
    {UNET, "s/\"DownBlock2D\",//", "2 down_block_types and 3 up_block_types"},
    {UNET, SET("norm_num_groups") "7/", "which 7 groups do not divide"},
    {UNET, SET("projection_class_embeddings_input_dim") "96/", "leaves no room"},
    {UNET, SET("projection_class_embeddings_input_dim") "125/", "add_embedding.linear_1"},
    {UNET, SET("addition_time_embed_dim") "15/", "must be even"},
    {UNET, SET("cross_attention_dim") "65/", "attn2.to_k"},
    {UNET, SET("in_channels") "9/", "in_channels 9 and out_channels 4 differ"},
    {UNET, SET("transformer_layers_per_block") "3, \"x\": [/",
     "transformer_blocks.1.norm1.weight is missing"},
    {UNET, SET("block_out_channels") "0, \"x\": [/", "block_out_channels"},
    {UNET, SET("layers_per_block") "1000000000000, \"x\": [/", "layers_per_block"},
    {WEIGHTS, "s/conv_norm_out.bias/conv_norm_out.bios/", "conv_norm_out.bias is missing"},
    {"text_encoder_2/config.json", SET("projection_dim") "29/", "text_projection"},
    {"tokenizer/tokenizer_config.json", "s/77/70/", "model_max_length differ: 70 and 77"},
    {"tokenizer_2/tokenizer_config.json", "s/77/78/", "text_encoder_2 reads 77 tokens"},
    {"vae/config.json", SET("latent_channels") "5/", "vae"},
    {"scheduler/scheduler_config.json", "s/EulerDiscreteScheduler/LCMScheduler/", "LCMScheduler"},
    {"model_index.json", SET("force_zeros_for_empty_prompt") "7/", "force_zeros_for_empty_prompt"},
};

static void test_wrong_checkpoints(void **unused)
{
    (void)unused;
    assert_true(family_sdxl.check(FIXTURE, &(struct error){0}) == 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error e = {0};
        char name[32];
        const char *dir;
        snprintf(name, sizeof name, "wrong%zu", i);
        dir = copy(name);
        edit(dir, wrong[i].file, wrong[i].expression);
        if (family_sdxl.check(dir, &e) == 0)
            fail_msg("%s: no error, but \"%s\" was expected", wrong[i].expression,
                     wrong[i].message);
        if (e.code != ERROR_MODEL || !strstr(e.text, wrong[i].message) || !strstr(e.text, dir))
            fail_msg("%d \"%s\" does not say \"%s\"", (int)e.code, e.text, wrong[i].message);
    }
}

static void test_missing_and_cut_files(void **unused)
{
    static const char *const files[] = {UNET,
                                        WEIGHTS,
                                        "text_encoder/model.safetensors",
                                        "text_encoder_2/config.json",
                                        "tokenizer_2/vocab.json",
                                        "vae/diffusion_pytorch_model.safetensors",
                                        "scheduler/scheduler_config.json",
                                        "model_index.json"};
    (void)unused;

    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        for (int cut = 0; cut < 2; cut++) {
            struct error e = {0};
            char name[32];
            const char *dir;
            snprintf(name, sizeof name, "cut%zu-%d", i, cut);
            dir = copy(name);
            if (cut)
                shell("head -c 40 " FIXTURE "/%s > %s/new && mv -f %s/new %s/%s", files[i], dir,
                      dir, dir, files[i]);
            else
                shell("rm %s/%s", dir, files[i]);
            if (family_sdxl.check(dir, &e) == 0 || !strstr(e.text, dir))
                fail_msg("%s %s: \"%s\"", files[i], cut ? "cut" : "missing", e.text);
        }
}

/* Weights in F16 that were fetched without those in F32 beside them. */
static void test_variant(void **unused)
{
    const char *dir = copy("variant");
    struct error e = {0};
    (void)unused;

    shell("cd %s && for x in unet vae; do mv $x/diffusion_pytorch_model.safetensors "
          "$x/diffusion_pytorch_model.fp16.safetensors; done; for x in text_encoder "
          "text_encoder_2; do mv $x/model.safetensors $x/model.fp16.safetensors; done",
          dir);
    if (family_sdxl.check(dir, &e))
        fail_msg("%s", e.text);
}

/* ---- the family */

static void test_sizes(void **unused)
{
    static const struct {
        int width, height, frames;
    } bad[] = {{54, 72, 1}, {56, 70, 1}, {0, 72, 1}, {56, 72, 2}};
    struct generation g = {.prompt = "", .guidance = 1, .width = 56, .height = 72, .frames = 1};
    struct device_options o = {.threads = 1};
    struct error e = {0};
    struct device *d;
    int64_t shape[4];
    void *model;
    (void)unused;

    assert_int_equal(device_open(&o, &d, &e), 0);
    assert_int_equal(family_sdxl.model_open(FIXTURE, d, &model, &e), 0);
    assert_int_equal(family_sdxl.latents_shape(model, &g, shape, &e), 0);
    assert_true(shape[0] == 4 && shape[1] == 1 && shape[2] == 18 && shape[3] == 14);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        g.width = bad[i].width;
        g.height = bad[i].height;
        g.frames = bad[i].frames;
        assert_int_equal(family_sdxl.latents_shape(model, &g, shape, &e), -1);
        assert_int_equal(e.code, ERROR_INPUT);
    }
    family_sdxl.model_close(model);
    device_close(d);
}

/* What a negative prompt became is kept between shots and not mixed up: none is zeros, as this
 * checkpoint asks, an empty one is not. Without guidance there is none. */
static void test_negative_prompts(void **unused)
{
    static const char *const negatives[] = {"blurry", NULL, "", "blurry", NULL, ""};
    static const int same_as[] = {0, 1, 2, 0, 1, 2};
    struct generation g = {.prompt = "a harbour", .guidance = 4};
    struct conditions c[6] = {0}, none = {0};
    struct device_options o = {.threads = 1};
    struct error e = {0};
    struct device *d;
    void *encoder;
    (void)unused;

    assert_int_equal(device_open(&o, &d, &e), 0);
    assert_int_equal(family_sdxl.encoder_open(FIXTURE, d, &encoder, &e), 0);
    for (int i = 0; i < 6; i++) {
        const struct tensor *t, *first;
        g.negative = negatives[i];
        assert_int_equal(family_sdxl.encode(encoder, &g, &c[i], &e), 0);
        t = conditions_find(&c[i], "negative_prompt_embeds");
        first = conditions_find(&c[same_as[i]], "negative_prompt_embeds");
        assert_memory_equal(t->data, first->data, (size_t)tensor_count(t) * sizeof(float));
        assert_true((((float *)t->data)[5] == 0) == (negatives[i] == NULL));
    }
    g.guidance = 1;
    assert_int_equal(family_sdxl.encode(encoder, &g, &none, &e), 0);
    assert_null(conditions_find(&none, "negative_prompt_embeds"));
    assert_int_equal(none.count, 2);
    for (int i = 0; i < 6; i++)
        conditions_free(&c[i]);
    conditions_free(&none);
    family_sdxl.encoder_close(encoder);
    device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixture_holds),     cmocka_unit_test(test_one_golden),
        cmocka_unit_test(test_wrong_goldens),     cmocka_unit_test(test_disputed_tokens),
        cmocka_unit_test(test_wrong_checkpoints), cmocka_unit_test(test_missing_and_cut_files),
        cmocka_unit_test(test_variant),           cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_negative_prompts),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
