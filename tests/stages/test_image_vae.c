/* The VAE of pictures against the reference library in two forms unlike SDXL's, and checkpoints
 * and sizes that are wrong. */
#include "tests/prompts/encoder_golden.h"

#include "stages/decode/image_vae.h"
#include "stages/decode/temporal_vae.h"

/* Three levels; no quantising convolutions, no attention, a shift. */
#define PLAIN "tests/stages/data/image-vae-plain"
/* Attention under its names of before 2023, latents with statistics, defaults left out. */
#define EARLY "tests/stages/data/image-vae-early"
/* Of films: the encoder is of the same kind. */
#define FILMS "tests/fixtures/svd-xt/vae"

struct expected {
    const struct tensor *rgb;
    int count;
};

static int compare(void *ctx, int index, const float *rgb, int width, int height, struct error *e)
{
    struct expected *x = ctx;
    struct tensor got = TENSOR_F32((float *)rgb, height, width, 3);

    (void)e;
    assert_int_equal(index, x->count++);
    assert_int_equal(x->rgb->shape[0], height);
    golden_equal("rgb", &got, x->rgb);
    return 0;
}

static void both_halves(struct device *d, const char *dir)
{
    struct encoder_golden g;
    struct image_vae *v;

    golden_open(&g, dir);
    if (image_vae_load(dir, d, IMAGE_VAE_ENCODER | IMAGE_VAE_DECODER, &v, &g.e))
        fail_msg("%s", g.e.text);
    for (int i = 0; i < 2; i++) {
        struct expected rgb = {golden_find(&g, i, "rgb"), 0};
        const struct tensor *mean = golden_find(&g, i, "mean");
        struct arena a = {0};
        struct tensor latents = tensor_new(&a, 3, mean->shape);
        assert_int_equal(image_vae_decode(v, golden_find(&g, i, "latents"), compare, &rgb, &g.e),
                         0);
        assert_int_equal(rgb.count, 1);
        assert_int_equal(image_vae_encode(v, golden_find(&g, i, "picture"), &latents, &g.e), 0);
        golden_equal("mean", &latents, mean);
        arena_free(&a);
    }
    image_vae_free(v);
    safetensors_close(g.file);
}

static void each_form(struct device *d)
{
    both_halves(d, PLAIN);
    both_halves(d, EARLY);
}

static void both_forms_give_the_golden(void **unused)
{
    (void)unused;
    on_each_device(each_form);
}

static void settings_are_known_without_weights(void **unused)
{
    struct error e = {0};
    struct image_vae *v;
    (void)unused;

    assert_int_equal(image_vae_load(PLAIN, NULL, IMAGE_VAE_DECODER, &v, &e), 0);
    assert_int_equal(image_vae_channels(v), 3);
    assert_int_equal(image_vae_space_factor(v), 4);
    assert_false(image_vae_force_upcast(v));
    image_vae_free(v);
    assert_int_equal(image_vae_load(EARLY, NULL, IMAGE_VAE_ENCODER, &v, &e), 0);
    assert_true(image_vae_force_upcast(v)); /* unless it says otherwise */
    image_vae_free(v);
    assert_int_equal(image_vae_load(FILMS, NULL, IMAGE_VAE_ENCODER, &v, &e), 0);
    assert_int_equal(image_vae_channels(v), 4);
    image_vae_free(v);
    image_vae_free(NULL);
    assert_int_equal(image_vae_load(FILMS, NULL, IMAGE_VAE_DECODER, &v, &e), -1);
    assert_int_equal(e.code, ERROR_MODEL);
    assert_non_null(strstr(e.text, "AutoencoderKLTemporalDecoder"));
}

static int stop(void *ctx, int index, const float *rgb, int width, int height, struct error *e)
{
    (void)ctx, (void)index, (void)rgb, (void)width, (void)height;
    return error_set(e, ERROR_CANCELLED, "enough");
}

static void sizes(struct device *d)
{
    float data[4 * 8 * 8 * 3] = {0};
    struct tensor small = TENSOR_F32(data, 3, 8, 3), one = TENSOR_F32(data, 3, 2, 2);
    struct tensor channels = TENSOR_F32(data, 4, 2, 2), flat = TENSOR_F32(data, 12);
    struct tensor film = TENSOR_F32(data, 3, 2, 2, 2), picture = TENSOR_F32(data, 8, 8, 3);
    struct error e = {0};
    struct image_vae *v;

    assert_int_equal(image_vae_load(PLAIN, d, IMAGE_VAE_ENCODER | IMAGE_VAE_DECODER, &v, &e), 0);
    assert_int_equal(image_vae_encode(v, &small, &one, &e), -1);
    assert_non_null(strstr(e.text, "[3, 8, 3] does not become latents of shape [3, 2, 2]"));
    assert_int_equal(image_vae_encode(v, &picture, &channels, &e), -1);
    assert_int_equal(image_vae_encode(v, &picture, &one, &e), 0);
    assert_int_equal(image_vae_decode(v, &channels, stop, NULL, &e), -1);
    assert_non_null(strstr(e.text, "[4, 2, 2] do not fit a VAE of 3 channels"));
    assert_int_equal(image_vae_decode(v, &flat, stop, NULL, &e), -1);
    assert_int_equal(image_vae_decode(v, &film, stop, NULL, &e), -1);
    assert_int_equal(e.code, ERROR_MODEL);
    assert_int_equal(image_vae_decode(v, &one, stop, NULL, &e), -1);
    assert_int_equal(e.code, ERROR_CANCELLED);
    image_vae_free(v);
}

static void sizes_that_do_not_fit(void **unused)
{
    (void)unused;
    on_each_device(sizes);
}

static int load(const char *dir, struct device *d, struct error *e)
{
    struct image_vae *v;
    int rc = image_vae_load(dir, d, IMAGE_VAE_ENCODER | IMAGE_VAE_DECODER, &v, e);
    if (rc == 0)
        image_vae_free(v);
    return rc;
}

static void wrong_checkpoints_are_refused(void **unused)
{
    static const struct tampering plain[] = {
        {"config.json", NULL, NULL, "config.json"},
        {"diffusion_pytorch_model.safetensors", NULL, NULL, "holds no weights"},
        {"config.json", "\"AutoencoderKL\"", "\"AutoencoderTiny\"", "_class_name"},
        {"config.json", "\"act_fn\": \"silu\"", "\"act_fn\": \"relu\"", "act_fn is relu"},
        {"config.json", "\"in_channels\": 3", "\"in_channels\": 4", "in_channels"},
        {"config.json", "\"latent_channels\": 3", "\"latent_channels\": 0", "latent_channels"},
        {"config.json", "\"latent_channels\": 3", "\"latent_channels\": 5",
         "encoder.conv_out.weight"},
        {"config.json", "\"layers_per_block\": 2", "\"layers_per_block\": 3",
         "down_blocks.0.resnets.2"},
        {"config.json", "\"layers_per_block\": 2", "\"layers_per_block\": 9", "layers_per_block"},
        {"config.json", "\"norm_num_groups\": 4", "\"norm_num_groups\": 3",
         "cannot be shared among 3 groups"},
        {"config.json", "    12,\n", "    16,\n", "down_blocks.1.resnets.0"},
        {"config.json", "    12,\n", "", "down_block_types and block_out_channels"},
        {"config.json", "\"DownEncoderBlock2D\",", "\"AttnDownEncoderBlock2D\",",
         "down_block_types[0] is AttnDownEncoderBlock2D"},
        {"config.json", "\"UpDecoderBlock2D\",", "7,", "up_block_types[0] is not a name"},
        {"config.json", "\"scaling_factor\": 0.5", "\"scaling_factor\": 0", "scaling_factor"},
        {"config.json", "\"use_quant_conv\": false", "\"use_quant_conv\": true", "quant_conv"},
        {"config.json", "\"mid_block_add_attention\": false", "\"mid_block_add_attention\": true",
         "mid_block.attentions.0.group_norm"},
        {"diffusion_pytorch_model.safetensors", "decoder.conv_norm_out.bias",
         "decoder.conv_norm_out.bent", "decoder.conv_norm_out.bias"},
    };
    static const struct tampering early[] = {
        {"config.json", "    2.0,\n", "", "latents_std has 3 values for 4 latent_channels"},
        {"diffusion_pytorch_model.safetensors", "encoder.mid_block.attentions.0.key.bias",
         "encoder.mid_block.attentions.0.kex.bias", "attentions.0.key.bias"},
    };
    (void)unused;
    REFUSED_WHEN_TAMPERED(PLAIN, plain, load);
    REFUSED_WHEN_TAMPERED(EARLY, early, load);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_give_the_golden),
        cmocka_unit_test(settings_are_known_without_weights),
        cmocka_unit_test(sizes_that_do_not_fit),
        cmocka_unit_test(wrong_checkpoints_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
