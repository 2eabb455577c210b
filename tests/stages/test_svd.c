/* Stable Video Diffusion against the reference library, its decoder's chunks, and checkpoints,
 * pictures and sizes that are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "stages/decode/picture_file.h"
#include "stages/decode/temporal_vae.h"
#include "stages/generate/svd.h"
#include "stages/parity/parity.h"
#include "tests/stages/scratch.h"

/* 4 frames of 32 x 24, decoded 3 and 1; attention in the decoder's middle, which takes two layers
 * a block. */
#define FIXTURE "tests/fixtures/svd-xt"

static struct device *cpu(void)
{
    struct error e = {0};
    struct device *d;

    if (device_open(&(struct device_options){.threads = 2}, &d, &e))
        fail_msg("%s", e.text);
    return d;
}

/* ---- parity */

/* What parity says of the fixture or a copy of it, whose files may differ. Caller frees. */
static char *parity(const char *dir, int *rc)
{
    struct parity_options o = {.dir = dir, .device.threads = 2};
    struct error e = {0};
    char *lines;
    size_t size;
    FILE *out = open_memstream(&lines, &size);

    assert_non_null(out);
    *rc = parity_run(&o, out, &e);
    fprintf(out, "%s\n", e.text);
    assert_int_equal(fclose(out), 0);
    return lines;
}

static void test_fixture_holds(void **unused)
{
    static const char *const names[] = {
        "noise0",           "added_time_ids", "noise1",         "conditioning_image",
        "image_embeddings", "image_latents",  "unet.call0.out", "vae.frames",
        "latents.step0",    "latents.step2",  "latents.final",  "chain.frames",
    };
    int rc;
    char *lines = parity(FIXTURE, &rc);
    (void)unused;

    if (rc)
        fail_msg("%s", lines);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strstr(lines, names[i]))
            fail_msg("no line for %s", names[i]);
    free(lines);
}

/* A copy of the fixture in links, one file of it edited: a sed expression; "rm"; or "half". */
static void copy_edited(const char *file, const char *edit)
{
    shell("cp -rs \"$PWD/" FIXTURE "\" %s/dir && rm %s/dir/%s", scratch, scratch, file);
    if (strcmp(edit, "half") == 0)
        shell("head -c 20000 " FIXTURE "/%s > %s/dir/%s", file, scratch, file);
    else if (strcmp(edit, "rm") != 0)
        shell("sed '%s' " FIXTURE "/%s > %s/dir/%s && ! cmp -s " FIXTURE "/%s %s/dir/%s", edit,
              file, scratch, file, file, scratch, file);
}

/* Each thing that is asked of the model shows where it should. */
static void test_settings_matter(void **unused)
{
    static const struct {
        const char *edit, *shows, *holds; /* names of lines */
    } settings[] = {
        {"s/\"seed\": 29/\"seed\": 30/", "image_latents", "image_embeddings"},
        {"s/\"noise_aug_strength\": 0.05/\"noise_aug_strength\": 0.1/", "conditioning_image",
         "noise0"},
        {"s/\"fps\": 12/\"fps\": 13/", "added_time_ids", "image_latents"},
        {"s/\"motion_bucket_id\": 60/\"motion_bucket_id\": 61/", "added_time_ids", "image_latents"},
        {"s/\"min_guidance\": 1.2/\"min_guidance\": 1.3/", "latents.step1", "unet.call0.out"},
        {"s/\"max_guidance\": 2.5/\"max_guidance\": 2.4/", "latents.step1", "unet.call0.out"},
        {"s/\"decode_chunk_size\": 3/\"decode_chunk_size\": 2/", "vae.frames", "latents.final"},
    };
    char dir[80];
    (void)unused;

    snprintf(dir, sizeof dir, "%s/dir", scratch);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        int rc, failed = 0;
        copy_edited("golden.json", settings[i].edit);
        char *lines = parity(dir, &rc), *rest = lines;
        assert_int_equal(rc, -1);
        for (char *line; (line = strsep(&rest, "\n"));) {
            bool bad = strstr(line, "FAIL") != NULL;
            failed += bad && strncmp(line, settings[i].shows, strlen(settings[i].shows)) == 0;
            if (bad && strncmp(line, settings[i].holds, strlen(settings[i].holds)) == 0)
                fail_msg("%s: %s", settings[i].edit, line);
        }
        if (!failed)
            fail_msg("%s does not show in %s", settings[i].edit, settings[i].shows);
        free(lines);
        shell("rm -r %s/dir", scratch);
    }
}

/* ---- damaged checkpoints */

#define U "unet/config.json"
#define V "vae/config.json"
#define I "image_encoder/config.json"
#define F "feature_extractor/preprocessor_config.json"
#define S "scheduler/scheduler_config.json"

static const struct {
    const char *file, *edit, *says;
} damages[] = {
    {U, "s/\"cross_attention_dim\": 24/\"cross_attention_dim\": 32/", "unet"},
    {U, "s/\"in_channels\": 8/\"in_channels\": 9/", "conv_in.weight"},
    {U, "s/UNetSpatioTemporalConditionModel/UNet2DConditionModel/", "_class_name"},
    {U, "rm", U},
    {"unet/diffusion_pytorch_model.safetensors", "half", "unet"},
    {V, "s/\"latent_channels\": 4/\"latent_channels\": 5/", "encoder.conv_out.weight"},
    {V, "s/\"layers_per_block\": 2/\"layers_per_block\": 3/", "resnets.2"},
    {V, "s/\"layers_per_block\": 2/\"layers_per_block\": 0/", "layers_per_block"},
    {V, "s/\"out_channels\": 3/\"out_channels\": 4/", "out_channels"},
    {V, "s/AutoencoderKLTemporalDecoder/AutoencoderKLWan/", "_class_name"},
    {V, "s/\"scaling_factor\": 0.18215/\"scaling_factor\": 0/", "scaling_factor"},
    {V, "s/DownEncoderBlock2D/AttnDownEncoderBlock2D/", "down_block_types[0]"},
    {V, "0,/    32,/s//    33,/", "cannot be shared among 32 groups"},
    {"vae/diffusion_pytorch_model.safetensors", "half", "vae"},
    {"vae/diffusion_pytorch_model.safetensors", "s/time_conv_out.bias/time_conv_out.bent/",
     "decoder.time_conv_out.bias"},
    {"vae/diffusion_pytorch_model.safetensors",
     "s/up_blocks.0.resnets.1.time_mixer.mix_factor/up_blocks.0.resnets.1.time_mixer.mix_fucter/",
     "up_blocks.0.resnets.1.time_mixer.mix_factor"},
    {I, "s/\"image_size\": 224/\"image_size\": 226/", "image_size is 226"},
    {I, "s/\"projection_dim\": 24/\"projection_dim\": 25/", "visual_projection.weight"},
    {"image_encoder/model.safetensors", "rm", "image_encoder"},
    {F, "rm", "preprocessor_config.json"},
    {F, "s/0.26862954/0/", "image_std[0] must be more than 0"},
    {S, "s/EulerDiscreteScheduler/HeunDiscreteScheduler/", "HeunDiscreteScheduler"},
    {S, "rm", "scheduler_config.json"},
};

static void test_damaged_checkpoints(void **unused)
{
    struct error e = {0};
    char dir[80];
    int wrong = 0;
    (void)unused;

    if (family_svd.check(FIXTURE, &e))
        fail_msg("the whole one: %s", e.text);
    snprintf(dir, sizeof dir, "%s/dir", scratch);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        copy_edited(damages[i].file, damages[i].edit);
        e = (struct error){0};
        if (family_svd.check(dir, &e) == 0 || !strstr(e.text, damages[i].says) ||
            !strstr(e.text, dir)) {
            print_error("%s, %s: \"%s\"\n", damages[i].file, damages[i].edit, e.text);
            wrong++;
        }
        shell("rm -r %s/dir", scratch);
    }
    assert_int_equal(wrong, 0);
}

/* Parts that are whole, and of different models. */
static void test_parts_that_do_not_fit(void **unused)
{
    struct error e = {0};
    char dir[80];
    (void)unused;

    snprintf(dir, sizeof dir, "%s/dir", scratch);
    shell("cp -rs \"$PWD/" FIXTURE "\" %s && rm -r %s/vae && "
          "cp -rs \"$PWD/tests/stages/data/image-vae-early\" %s/vae",
          dir, dir, dir);
    assert_int_equal(family_svd.check(dir, &e), -1);
    assert_non_null(strstr(e.text, "vae/config.json"));
    shell("rm -r %s/image_encoder && cp -rs \"$PWD/tests/prompts/data/encoders/clip-vision\" "
          "%s/image_encoder",
          dir, dir);
    assert_int_equal(family_svd.check(dir, &e), -1);
    assert_non_null(strstr(e.text, "image_size is 20"));
    shell("rm -r %s", dir);
}

/* ---- what a shot asks */

static void test_sizes_of_a_shot(void **unused)
{
    static const uint8_t rgb[3] = {1, 2, 3};
    struct generation g = {.width = 32, .height = 24, .frames = 4, .guidance = 3};
    struct conditions c = {0};
    struct error e = {0};
    struct device *d = cpu();
    void *m, *encoder;
    int64_t shape[4];
    (void)unused;

    assert_int_equal(family_svd.model_open(FIXTURE, d, &m, &e), 0);
    assert_int_equal(family_svd.latents_shape(m, &g, shape, &e), 0);
    assert_memory_equal(shape, ((int64_t[]){4, 4, 12, 16}), sizeof shape);
    assert_int_equal(family_svd.noise_before(&g), 3 * 32 * 24);
    g.width = 33;
    assert_int_equal(family_svd.latents_shape(m, &g, shape, &e), -1);
    assert_int_equal(e.code, ERROR_INPUT);
    assert_non_null(strstr(e.text, "multiples of 2"));
    g.width = 0;
    assert_int_equal(family_svd.latents_shape(m, &g, shape, &e), -1);
    g.width = 32;
    g.frames = 0;
    assert_int_equal(family_svd.latents_shape(m, &g, shape, &e), -1);
    assert_int_equal(family_svd.begin(m, &g, &c, NULL, &e), -1);
    g.frames = 4;
    assert_int_equal(family_svd.begin(m, &g, &c, NULL, &e), -1);
    assert_non_null(strstr(e.text, "no such picture"));
    family_svd.model_close(m);
    family_svd.model_close(NULL);

    assert_int_equal(family_svd.encoder_open(FIXTURE, d, &encoder, &e), 0);
    assert_int_equal(family_svd.encode(encoder, &g, &c, &e), -1);
    assert_int_equal(e.code, ERROR_INPUT);
    assert_non_null(strstr(e.text, "sets a picture in motion"));
    g.picture.rgb = rgb;
    g.picture.width = g.picture.height = 1;
    assert_int_equal(family_svd.encode(encoder, &g, &c, &e), 0);
    assert_int_equal(conditions_find(&c, "image_embeddings")->shape[0], 2);
    for (int i = 0; i < 24; i++) /* without the picture */
        assert_true(((float *)conditions_find(&c, "image_embeddings")->data)[i] == 0);
    conditions_free(&c);
    g.guidance = 1;
    assert_int_equal(family_svd.encode(encoder, &g, &c, &e), 0);
    assert_int_equal(conditions_find(&c, "image_latents")->shape[0], 1);
    conditions_free(&c);
    family_svd.encoder_close(encoder);
    family_svd.encoder_close(NULL);
    device_close(d);
}

/* ---- the decoder */

enum { FRAMES = 7, SIDE = 8, NUMBERS = SIDE * SIDE * 3 };

struct film {
    int count, stop;
    float rgb[FRAMES][NUMBERS];
};

static int keep(void *ctx, int index, const float *rgb, int width, int height, struct error *e)
{
    struct film *f = ctx;

    assert_int_equal(index, f->count);
    assert_int_equal(width, SIDE);
    assert_int_equal(height, SIDE);
    memcpy(f->rgb[f->count++], rgb, sizeof *f->rgb);
    return f->count == f->stop ? error_set(e, ERROR_CANCELLED, "enough") : 0;
}

/* Chunks do not see each other, and what was decoded before does not matter. */
static void test_chunks_stand_alone(void **unused)
{
    static float data[FRAMES * 4 * 4 * 4];
    static struct film all, chunks, last, stopped = {.stop = 2};
    struct tensor latents = TENSOR_F32(data, FRAMES, 4, 4, 4),
                  wrong = TENSOR_F32(data, 4, FRAMES, 4, 4);
    struct tensor tail = tensor_slice(latents, 0, 6, 1);
    struct temporal_vae *v;
    struct error e = {0};
    struct device *d = cpu();
    (void)unused;

    for (int i = 0; i < FRAMES * 4 * 4 * 4; i++)
        data[i] = (float)(i * 37 % 101) / 50 - 1;
    assert_int_equal(temporal_vae_load(FIXTURE "/vae", d, &v, &e), 0);
    assert_int_equal(temporal_vae_channels(v), 4);
    assert_int_equal(temporal_vae_space_factor(v), 2);
    assert_int_equal(temporal_vae_decode(v, &latents, 3, keep, &chunks, &e), 0);
    assert_int_equal(chunks.count, FRAMES);
    assert_int_equal(temporal_vae_decode(v, &latents, 3, keep, &stopped, &e), -1);
    assert_int_equal(e.code, ERROR_CANCELLED);
    assert_int_equal(stopped.count, 2);
    assert_int_equal(temporal_vae_decode(v, &latents, 0, keep, &all, &e), 0);
    assert_memory_not_equal(all.rgb[6], chunks.rgb[6], sizeof *all.rgb);
    assert_int_equal(temporal_vae_decode(v, &tail, 14, keep, &last, &e), 0);
    assert_memory_equal(last.rgb[0], chunks.rgb[6], sizeof *last.rgb);
    assert_int_equal(temporal_vae_decode(v, &wrong, 0, keep, &all, &e), -1);
    assert_non_null(strstr(e.text, "[4, 7, 4, 4] do not fit a VAE of 4 channels"));
    temporal_vae_free(v);
    temporal_vae_free(NULL);
    device_close(d);
}

/* ---- picture files */

static void test_picture_files(void **unused)
{
    uint8_t *rgb;
    int width, height;
    struct error e = {0};
    char path[80];
    (void)unused;

    assert_int_equal(picture_file_rgb(FIXTURE "/input.png", "it", &rgb, &width, &height, &e), 0);
    assert_int_equal(width, 90);
    assert_int_equal(height, 70);
    for (int y = 0; y < height; y++) /* as it was drawn */
        for (int x = 0; x < width; x++)
            assert_int_equal(rgb[(y * width + x) * 3 + 2], (x * 3 + y * 5 + 29) % 256);
    free(rgb);
    assert_int_equal(picture_file_rgb(FIXTURE "/none.png", "it", &rgb, &width, &height, &e), -1);
    assert_non_null(strstr(e.text, "it"));
    snprintf(path, sizeof path, "%s/half.png", scratch);
    shell("head -c 300 " FIXTURE "/input.png > %s", path);
    assert_int_equal(picture_file_rgb(path, "it", &rgb, &width, &height, &e), -1);
    assert_int_equal(e.code, ERROR_MEDIA);
    assert_non_null(strstr(e.text, "it"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixture_holds),       cmocka_unit_test(test_settings_matter),
        cmocka_unit_test(test_damaged_checkpoints), cmocka_unit_test(test_parts_that_do_not_fit),
        cmocka_unit_test(test_sizes_of_a_shot),     cmocka_unit_test(test_chunks_stand_alone),
        cmocka_unit_test(test_picture_files),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
