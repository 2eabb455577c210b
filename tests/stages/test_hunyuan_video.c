/* HunyuanVideo against the reference library on its fixture, both implementations of the operations
 * against each other, and checkpoints that are wrong. */
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
#include "stages/decode/hunyuan_vae.h"
#include "stages/generate/family.h"
#include "stages/generate/hunyuan_transformer.h"
#include "stages/parity/parity.h"
#include "tests/stages/scratch.h"

#define FIXTURE "tests/fixtures/hunyuan-video"
#define SHARD   "transformer/diffusion_pytorch_model-00002-of-00005.safetensors"

static const struct family *const family = &family_hunyuan_video;
static int run(const char *dir, char **lines, struct error *e)
{
    struct parity_options o = {.dir = dir, .device = {.threads = 2}};
    size_t size;
    FILE *out = open_memstream(lines, &size);
    int rc;

    assert_non_null(out);
    rc = parity_run(&o, out, e);
    assert_int_equal(fclose(out), 0);
    return rc;
}

static void test_fixture_holds(void **unused)
{
    static const char *const names[] = {
        "tokenize.llama", "tokenize.clip",         "template",
        "crop_start",     "prompt_embeds",         "prompt_attention_mask",
        "pooled_prompt",  "transformer.call0.out", "vae.frames",
        "noise0",         "latents.step0",         "latents.step2",
        "latents.final",  "chain.frames"};
    struct error e = {0};
    char *lines;
    (void)unused;

    if (run(FIXTURE, &lines, &e))
        fail_msg("%s\n%s", e.text, lines);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strstr(lines, names[i]))
            fail_msg("no line for %s", names[i]);
    assert_null(strstr(lines, "FAIL"));
    free(lines);
}

/* ---- a copy of the fixture in links, to be damaged */

static const char *copy(const char *name)
{
    return copy_of(FIXTURE, name);
}

static void expect(const char *dir, const char *message)
{
    struct error e = {0};

    if (family->check(dir, &e) == 0)
        fail_msg("no error, but \"%s\" was expected", message);
    assert_true(e.code == ERROR_MODEL || e.code == ERROR_IO);
    if (!strstr(e.text, message) || !strstr(e.text, dir))
        fail_msg("\"%s\" does not say \"%s\" of %s", e.text, message, dir);
}

static void test_wrong_checkpoints(void **unused)
{
    static const struct {
        const char *file, *expression, *message;
    } cases[] = {
        /* tensors that are missing, and tensors of another shape */
        {"transformer/config.json", "s/\"num_layers\": 2/\"num_layers\": 3/",
         "tensor transformer_blocks.2.norm1.linear.weight is missing"},
        {"transformer/config.json", "s/\"num_refiner_layers\": 1/\"num_refiner_layers\": 2/",
         "refiner_blocks.1"},
        {"transformer/config.json", "s/\"mlp_ratio\": 2.5/\"mlp_ratio\": 3/", "ff.net.0.proj"},
        {"transformer/config.json", "s/\"patch_size\": 2/\"patch_size\": 1/", "x_embedder.proj"},
        {"transformer/config.json", "s/\"num_attention_heads\": 2/\"num_attention_heads\": 4/",
         "x_embedder.proj"},
        {"vae/config.json", "s/\"layers_per_block\": 2/\"layers_per_block\": 3/", "resnets.3"},
        {"vae/config.json", "s/\"latent_channels\": 16/\"latent_channels\": 8/", "post_quant_conv"},
        {"vae/config.json", "s/^    8,/    12,/", "decoder.up_blocks.2.resnets.0.conv1"},
        /* other forms */
        {"transformer/config.json",
         "s/\"image_condition_type\": null/\"image_condition_type\": \"latent_concat\"/",
         "image_condition_type is set"},
        {"transformer/config.json", "s/\"in_channels\": 16/\"in_channels\": 33/",
         "the image-to-video form"},
        {"transformer/config.json", "s/\"qk_norm\": \"rms_norm\"/\"qk_norm\": \"layer_norm\"/",
         "only rms_norm is supported"},
        {"transformer/config.json", "s/HunyuanVideoTransf/HunyuanVideoFramepackTransf/",
         "_class_name is HunyuanVideoFramepackTransf"},
        {"vae/config.json", "s/AutoencoderKLHunyuanVideo/AutoencoderKLHunyuanVideo15/",
         "_class_name is AutoencoderKLHunyuanVideo15"},
        {"vae/config.json",
         "s/\"temporal_compression_ratio\": 4/\"temporal_compression_ratio\": 8/",
         "temporal_compression_ratio"},
        {"vae/config.json", "s/\"act_fn\": \"silu\"/\"act_fn\": \"mish\"/", "act_fn is mish"},
        /* settings that cannot be */
        {"transformer/config.json", "s/^    12$/    10/", "rope_axes_dim"},
        {"transformer/config.json", "s/^    12$/    \"12\"/", "rope_axes_dim"},
        {"transformer/config.json", "s/\"num_single_layers\": 3/\"num_single_layers\": -3/",
         "num_single_layers"},
        {"transformer/config.json", "s/\"mlp_ratio\": 2.5/\"mlp_ratio\": 0/", "mlp_ratio"},
        {"transformer/config.json", "s/{/[/", "config.json"},
        {"vae/config.json", "s/\"norm_num_groups\": 4/\"norm_num_groups\": 3/",
         "norm_num_groups 3"},
        {"vae/config.json", "s/\"spatial_compression_ratio\": 8/\"spatial_compression_ratio\": 12/",
         "spatial_compression_ratio 12"},
        {"vae/config.json", "s/\"scaling_factor\": 0.47/\"scaling_factor\": -0.47/",
         "scaling_factor"},
        /* parts of different models */
        {"transformer/config.json", "s/\"text_embed_dim\": 48/\"text_embed_dim\": 64/",
         "context_embedder"},
        {"tokenizer/tokenizer.json", "s/<|eot_id|>/<|eot__d|>/g", "<|eot_id|> is not one token"},
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
}

static void test_files_that_are_gone(void **unused)
{
    static const struct {
        const char *file, *message;
    } files[] = {
        {SHARD, SHARD},
        {"transformer/config.json", "transformer/config.json"},
        {"vae/diffusion_pytorch_model.safetensors", "vae holds no weights"},
        {"vae/config.json", "vae/config.json"},
        {"text_encoder/model.safetensors", "text_encoder holds no weights"},
        {"text_encoder_2/config.json", "text_encoder_2/config.json"},
        {"tokenizer/tokenizer.json", "tokenizer"},
        {"tokenizer_2/tokenizer_config.json", "tokenizer_2/tokenizer_config.json"},
    };
    char name[32];
    (void)unused;

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *dir;
        snprintf(name, sizeof name, "gone%zu", i);
        dir = copy(name);
        shell("rm %s/%s", dir, files[i].file);
        expect(dir, files[i].message);
    }
    const char *dir = copy("half");
    shell("head -c 70000 %s/%s > %s/new && mv %s/new %s/%s", dir, SHARD, dir, dir, dir, SHARD);
    expect(dir, SHARD);
}

/* Parts that are each sound, but not of one model. */
static void test_mixed_parts(void **unused)
{
    const char *dir = copy("mixed");
    (void)unused;

    shell("rm -r %s/text_encoder_2 && cp -rs \"$PWD/tests/prompts/data/encoders/clip-early\" "
          "%s/text_encoder_2",
          dir, dir);
    expect(dir, "the text_encoder_2 only 60");
}

static void test_padding_on_the_left(void **unused)
{
    const char *dir = copy("left");
    struct generation g = {.prompt = "the sea", .text_length = 8};
    struct device_options o = {.threads = 1};
    struct conditions c = {0};
    struct error e = {0};
    struct device *d;
    void *encoder;
    (void)unused;

    edit(dir, "tokenizer/tokenizer_config.json",
         "s/\"padding_side\": \"right\"/\"padding_side\": \"left\"/");
    assert_int_equal(device_open(&o, &d, &e), 0);
    assert_int_equal(family->encoder_open(dir, d, &encoder, &e), 0);
    assert_int_equal(family->encode(encoder, &g, &c, &e), -1);
    assert_non_null(strstr(e.text, "padding_side is left"));
    conditions_free(&c);
    family->encoder_close(encoder);
    device_close(d);
}

/* ---- what does not fit */

static void test_sizes(void **unused)
{
    struct generation g = {.width = 48, .height = 32, .frames = 9};
    struct device_options o = {.threads = 1};
    struct error e = {0};
    struct device *d;
    int64_t shape[4];
    void *m;
    (void)unused;

    assert_int_equal(device_open(&o, &d, &e), 0);
    assert_int_equal(family->model_open(FIXTURE, d, &m, &e), 0);
    assert_int_equal(family->latents_shape(m, &g, shape, &e), 0);
    assert_memory_equal(shape, ((int64_t[]){16, 3, 4, 6}), sizeof shape);
    g.width = 56;
    assert_int_equal(family->latents_shape(m, &g, shape, &e), -1);
    assert_int_equal(e.code, ERROR_INPUT);
    assert_non_null(strstr(e.text, "multiples of 16 x 16, not of 56 x 32"));
    g.width = 48;
    g.frames = 10;
    e = (struct error){0};
    assert_int_equal(family->latents_shape(m, &g, shape, &e), -1);
    assert_non_null(strstr(e.text, "cannot make 10 frames"));
    family->model_close(m);
    device_close(d);
}

static void test_latents_and_prompts_that_do_not_fit(void **unused)
{
    float data[16 * 3 * 4 * 6] = {0}, text[2 * 48] = {0}, summary[32] = {0};
    struct tensor odd = TENSOR_F32(data, 16, 3, 3, 6), few = TENSOR_F32(data, 8, 3, 4, 6);
    struct tensor words = TENSOR_F32(text, 2, 48), narrow = TENSOR_F32(text, 3, 32);
    struct tensor none = TENSOR_F32(text, 0, 48), pooled = TENSOR_F32(summary, 32);
    struct device_options o = {.threads = 1};
    struct hunyuan_conditioning *c;
    struct hunyuan_transformer *m;
    struct error e = {0};
    struct device *d;
    (void)unused;

    assert_int_equal(device_open(&o, &d, &e), 0);
    assert_int_equal(hunyuan_transformer_load(FIXTURE "/transformer", d, &m, &e), 0);
    assert_int_equal(hunyuan_transformer_prepare(m, &narrow, &pooled, 6, &c, &e), -1);
    assert_non_null(strstr(e.text, "3 tokens of width 32"));
    e = (struct error){0};
    assert_int_equal(hunyuan_transformer_prepare(m, &none, &pooled, 6, &c, &e), -1);
    e = (struct error){0};
    assert_int_equal(hunyuan_transformer_prepare(m, &words, &pooled, 6, &c, &e), 0);
    assert_int_equal(hunyuan_transformer_forward(m, c, &odd, 1, &odd, &e), -1);
    assert_non_null(strstr(e.text, "must be a multiple of the patch 1 x 2 x 2"));
    e = (struct error){0};
    assert_int_equal(hunyuan_transformer_forward(m, c, &few, 1, &few, &e), -1);
    assert_non_null(strstr(e.text, "do not fit a model of 16 channels"));
    hunyuan_conditioning_free(c);
    hunyuan_transformer_free(m);
    device_close(d);
}

/* ---- the same numbers, whoever computes them and whatever came before */

static double relative(const float *a, const float *b, int64_t n)
{
    double error = 0, norm = 0;
    for (int64_t i = 0; i < n; i++) {
        error += (a[i] - b[i]) * (double)(a[i] - b[i]);
        norm += a[i] * (double)a[i];
    }
    return sqrt(error / norm);
}

enum { LATENTS = 16 * 3 * 4 * 6, WORDS = 5, PIXELS = 9 * 32 * 48 * 3 };

static void call(struct hunyuan_transformer *m, int words, float timestep, float *result)
{
    static float data[LATENTS], text[WORDS * 48], summary[32];
    struct tensor latents = TENSOR_F32(data, 16, 3, 4, 6), out = TENSOR_F32(result, 16, 3, 4, 6);
    struct tensor prompt = TENSOR_F32(text, words, 48), pooled = TENSOR_F32(summary, 32);
    struct hunyuan_conditioning *c;
    struct error e = {0};

    for (int i = 0; i < LATENTS; i++)
        data[i] = (float)(i * 37 % 101) / 50 - 1;
    for (int i = 0; i < WORDS * 48; i++)
        text[i] = (float)(i * 53 % 89) / 45 - 1;
    for (int i = 0; i < 32; i++)
        summary[i] = (float)(i * 29 % 31) / 15 - 1;
    assert_int_equal(hunyuan_transformer_prepare(m, &prompt, &pooled, 6, &c, &e), 0);
    assert_int_equal(hunyuan_transformer_forward(m, c, &latents, timestep, &out, &e), 0);
    hunyuan_conditioning_free(c);
}

struct taken {
    int count, stop;
    float pixels[PIXELS];
};

static int take(void *ctx, int index, const float *rgb, int width, int height, struct error *e)
{
    struct taken *t = ctx;
    size_t size = (size_t)(width * height * 3);

    assert_int_equal(index, t->count);
    t->count++;
    assert_true(size * (size_t)t->count <= PIXELS);
    memcpy(t->pixels + size * (size_t)index, rgb, size * sizeof *rgb);
    return t->count == t->stop ? error_set(e, ERROR_CANCELLED, "enough") : 0;
}

static int decode(struct hunyuan_vae *v, int frames, struct taken *t, struct error *e)
{
    static float data[LATENTS];
    struct tensor latents = TENSOR_F32(data, 16, frames, 4, 6);

    for (int i = 0; i < LATENTS; i++)
        data[i] = (float)(i * 37 % 101) / 50 - 1;
    return hunyuan_vae_decode(v, &latents, take, t, e);
}

static void test_reference_agrees(void **unused)
{
    static float out[2][LATENTS];
    static struct taken film[2];
    struct error e = {0};
    (void)unused;

    for (int i = 0; i < 2; i++) {
        struct device_options o = {.threads = 2};
        struct hunyuan_transformer *m;
        struct hunyuan_vae *v;
        struct device *d;
        assert_int_equal(i ? device_open(&o, &d, &e) : device_open_reference(2, &d, &e), 0);
        assert_int_equal(hunyuan_transformer_load(FIXTURE "/transformer", d, &m, &e), 0);
        call(m, WORDS, 700, out[i]);
        hunyuan_transformer_free(m);
        assert_int_equal(hunyuan_vae_load(FIXTURE "/vae", d, &v, &e), 0);
        film[i].count = 0;
        assert_int_equal(decode(v, 1, &film[i], &e), 0);
        hunyuan_vae_free(v);
        device_close(d);
    }
    /* sums of some hundred terms, five blocks deep; the VAE is thirty layers deep */
    if (!(relative(out[0], out[1], LATENTS) < 1e-5))
        fail_msg("transformer: relative error %g", relative(out[0], out[1], LATENTS));
    if (!(relative(film[0].pixels, film[1].pixels, 32 * 48 * 3) < 1e-5))
        fail_msg("VAE: relative error %g", relative(film[0].pixels, film[1].pixels, 32 * 48 * 3));
}

static void test_nothing_is_left_of_earlier_shots(void **unused)
{
    static float first[LATENTS], again[LATENTS], other[LATENTS];
    static struct taken film[4];
    struct device_options o = {.threads = 2};
    struct hunyuan_transformer *m;
    struct hunyuan_vae *v;
    struct error e = {0};
    struct device *d;
    (void)unused;

    assert_int_equal(device_open(&o, &d, &e), 0);
    assert_int_equal(hunyuan_transformer_load(FIXTURE "/transformer", d, &m, &e), 0);
    call(m, 2, 700, first);
    call(m, WORDS, 300, other);
    call(m, 2, 700, again);
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, other, sizeof first);
    hunyuan_transformer_free(m);

    assert_int_equal(hunyuan_vae_load(FIXTURE "/vae", d, &v, &e), 0);
    assert_int_equal(hunyuan_vae_frames(v, 3), 9);
    assert_int_equal(decode(v, 3, &film[0], &e), 0);
    assert_int_equal(film[0].count, 9);
    assert_int_equal(decode(v, 1, &film[1], &e), 0);
    assert_int_equal(film[1].count, 1);
    film[2].stop = 2;
    assert_int_equal(decode(v, 3, &film[2], &e), -1);
    assert_int_equal(e.code, ERROR_CANCELLED);
    assert_int_equal(film[2].count, 2);
    assert_int_equal(decode(v, 3, &film[3], &e), 0);
    assert_memory_equal(film[0].pixels, film[3].pixels, sizeof film[0].pixels);
    hunyuan_vae_free(v);
    device_close(d);
}

/* ---- long clips */

enum { LONG = 6, TALL = 4, WIDE = 6, PICTURE = TALL * WIDE * 64 * 3, PICTURES = 21 };

static int keep(void *ctx, int index, const float *rgb, int width, int height, struct error *e)
{
    (void)e;
    assert_int_equal(width * height * 3, PICTURE);
    memcpy((float *)ctx + (size_t)index * PICTURE, rgb, PICTURE * sizeof *rgb);
    return 0;
}

/* Latent frames from .. from + count - 1, whole. */
static void decode_part(struct hunyuan_vae *v, const float *latents, int channels, int from,
                        int count, float *pixels)
{
    size_t frame = TALL * WIDE;
    float *part = calloc((size_t)channels * (size_t)count, frame * sizeof *part);
    struct tensor t = TENSOR_F32(part, channels, count, TALL, WIDE);
    struct error e = {0};

    assert_non_null(part);
    for (int c = 0; c < channels; c++)
        memcpy(part + (size_t)(c * count) * frame, latents + (size_t)(c * LONG + from) * frame,
               (size_t)count * frame * sizeof *part);
    assert_int_equal(hunyuan_vae_decode(v, &t, keep, pixels, &e), 0);
    free(part);
}

/* Six latent frames are two tiles, of the first five and of the last three: 13 pictures of the one,
 * then 8 of the other, whose first four come out of the last four of the one. (The same against the
 * reference library, by hand: 2e-6 to 3e-6 for 5 to 10 latent frames.) */
static void test_long_clips_are_tiles_that_fade(void **unused)
{
    float *whole = calloc(3 * PICTURES, PICTURE * sizeof *whole),
          *tiled = whole + PICTURES * PICTURE;
    float *later = tiled + PICTURES * PICTURE, *latents;
    struct error e = {0};
    struct device *d;
    struct hunyuan_vae *v;
    int channels;
    (void)unused;

    assert_non_null(whole);
    assert_int_equal(device_open(&(struct device_options){.threads = 2}, &d, &e), 0);
    assert_int_equal(hunyuan_vae_load(FIXTURE "/vae", d, &v, &e), 0);
    channels = hunyuan_vae_channels(v);
    latents = calloc((size_t)channels, LONG * TALL * WIDE * sizeof *latents);
    assert_non_null(latents);
    for (int i = 0; i < channels * LONG * TALL * WIDE; i++)
        latents[i] = (float)(i * 37 % 101) / 50 - 1;
    decode_part(v, latents, channels, 0, LONG, tiled);
    hunyuan_vae_tile(v, 0);
    decode_part(v, latents, channels, 0, 5, whole);
    decode_part(v, latents, channels, 3, 3, later);
    assert_memory_equal(tiled, whole, 13 * PICTURE * sizeof *tiled);
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < PICTURE; k++) {
            float part = i < 4 ? (float)i / 4 : 1, old = i < 4 ? whole[(13 + i) * PICTURE + k] : 0;
            float want = old * (1 - part) + later[(1 + i) * PICTURE + k] * part;
            assert_true(fabsf(tiled[(13 + i) * PICTURE + k] - want) <= 1e-6f);
        }
    hunyuan_vae_free(v);
    device_close(d);
    free(latents);
    free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixture_holds),
        cmocka_unit_test(test_wrong_checkpoints),
        cmocka_unit_test(test_files_that_are_gone),
        cmocka_unit_test(test_mixed_parts),
        cmocka_unit_test(test_padding_on_the_left),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_latents_and_prompts_that_do_not_fit),
        cmocka_unit_test(test_reference_agrees),
        cmocka_unit_test(test_nothing_is_left_of_earlier_shots),
        cmocka_unit_test(test_long_clips_are_tiles_that_fade),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
