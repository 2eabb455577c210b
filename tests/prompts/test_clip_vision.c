/* CLIP's picture encoder gives the golden embeddings; checkpoints that are not what they say are
 * refused. */
#include "tests/prompts/encoder_golden.h"

#include <unistd.h>

#include "prompts/clip_vision.h"

#define TINY ENCODERS "clip-vision" /* 20 pixels a side in patches of 6: two are left over */

static void encode_all(struct device *d)
{
    struct encoder_golden g;
    struct clip_vision *m;

    golden_open(&g, TINY);
    if (clip_vision_load(TINY, d, &m, &g.e) != 0)
        fail_msg("%s", g.e.text);
    for (int i = 0; i < 2; i++) {
        float numbers[10];
        struct tensor embedding = TENSOR_F32(numbers, 10);
        const struct tensor *pixels = golden_find(&g, i, "pixels");
        assert_non_null(pixels);
        assert_int_equal(clip_vision_encode(m, pixels, &embedding, &g.e), 0);
        golden_equal("embedding", &embedding, golden_find(&g, i, "embedding"));
    }
    clip_vision_free(m);
    safetensors_close(g.file);
}

static void pictures_give_the_golden(void **unused)
{
    (void)unused;
    on_each_device(encode_all);
}

static void sizes_are_known_without_weights(void **unused)
{
    struct error e = {0};
    struct clip_vision *m;
    (void)unused;

    assert_int_equal(clip_vision_load(TINY, NULL, &m, &e), 0);
    assert_int_equal(clip_vision_size(m), 20);
    assert_int_equal(clip_vision_width(m), 10);
    clip_vision_free(m);
    clip_vision_free(NULL);
}

static void what_does_not_fit_is_refused(void **unused)
{
    static float data[20 * 20 * 3];
    struct tensor wide = TENSOR_F32(data, 10, 40, 3), right = TENSOR_F32(data, 20, 20, 3);
    struct tensor embedding = TENSOR_F32(data, 10), odd = TENSOR_F32(data, 11);
    struct error e = {0};
    struct clip_vision *m;
    struct device *d;
    (void)unused;

    assert_int_equal(device_open(&(struct device_options){.threads = 1}, &d, &e), 0);
    assert_int_equal(clip_vision_load(TINY, d, &m, &e), 0);
    assert_int_equal(clip_vision_encode(m, &wide, &embedding, &e), -1);
    assert_non_null(strstr(e.text, "40 x 10 pixels, not 20 x 20"));
    assert_int_equal(clip_vision_encode(m, &right, &odd, &e), -1);
    clip_vision_free(m);
    device_close(d);
}

static int load(const char *dir, struct device *d, struct error *e)
{
    struct clip_vision *m;
    int rc = clip_vision_load(dir, d, &m, e);
    if (rc == 0)
        clip_vision_free(m);
    return rc;
}

static void wrong_checkpoints_are_refused(void **unused)
{
    static const struct tampering list[] = {
        {"config.json", NULL, NULL, "config.json"},
        {"model.safetensors", NULL, NULL, "model.safetensors"},
        {"config.json", "clip_vision_model", "clip_text_model", "model_type"},
        {"config.json", "\"quick_gelu\"", "\"mish\"", "hidden_act is mish"},
        {"config.json", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4",
         "encoder.layers.3.layer_norm1.weight"},
        {"config.json", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 0",
         "num_hidden_layers"},
        {"config.json", "\"num_attention_heads\": 2", "\"num_attention_heads\": 5",
         "num_attention_heads"},
        {"config.json", "\"num_channels\": 3", "\"num_channels\": 4", "num_channels"},
        {"config.json", "\"hidden_size\": 24", "\"hidden_size\": 26", "patch_embedding.weight"},
        {"config.json", "\"patch_size\": 6", "\"patch_size\": 21", "patch_size (21) is more"},
        {"config.json", "\"patch_size\": 6", "\"patch_size\": 5", "patch_embedding.weight"},
        {"config.json", "\"image_size\": 20", "\"image_size\": 24", "position_embedding.weight"},
        {"config.json", "\"intermediate_size\": 40", "\"intermediate_size\": 41", "mlp.fc1.weight"},
        {"config.json", "\"projection_dim\": 10", "\"projection_dim\": 11", "visual_projection"},
        {"model.safetensors", "visual_projection.weight", "visual_projection.heavy!",
         "visual_projection.weight"},
        {"model.safetensors", "pre_layrnorm.bias", "pre_layernorm.bia", "pre_layrnorm.bias"},
    };
    (void)unused;
    REFUSED_WHEN_TAMPERED(TINY, list, load);
}

/* ---- pixels */

static void write_settings(char path[32], const char *text)
{
    struct error e = {0};
    strcpy(path, "/tmp/auteur-pixels-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(file_write_atomic(path, text, strlen(text), &e), 0);
}

static void settings_of_pixels(void **unused)
{
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"{\"image_mean\": [0.5, 0.5]}", "image_mean has 2 values, not 3"},
        {"{\"image_std\": [0.5, 0, 0.5]}", "image_std[1] must be more than 0"},
        {"{\"image_std\": [0.5, 0.5, -1]}", "image_std[2] must be more than 0"},
        {"{\"image_mean\": [0.5, \"x\", 1]}", "image_mean[1]"},
        {"[]", ""},
        {"{", ""},
    };
    struct clip_pixels p;
    struct error e = {0};
    char path[32];
    (void)unused;

    write_settings(path, "{}");
    assert_int_equal(clip_pixels_read(path, &p, &e), 0);
    assert_true(p.mean[0] == 0.48145466 && p.std[2] == 0.27577711); /* as published */
    remove(path);
    write_settings(path, "{\"image_mean\": [0.1, 0.2, 0.3], \"image_std\": [1, 2, 3]}");
    assert_int_equal(clip_pixels_read(path, &p, &e), 0);
    assert_true(p.mean[2] == 0.3 && p.std[1] == 2);
    remove(path);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        write_settings(path, wrong[i].text);
        assert_int_equal(clip_pixels_read(path, &p, &e), -1);
        assert_int_equal(e.code, ERROR_MODEL);
        if (!strstr(e.text, wrong[i].says) || !strstr(e.text, path))
            fail_msg("%s: %s", wrong[i].text, e.text);
        remove(path);
    }
    assert_int_equal(clip_pixels_read(path, &p, &e), -1);
    assert_non_null(strstr(e.text, path));
}

static void pixels_are_normalised(void **unused)
{
    const struct clip_pixels p = {{0.5, 0.25, 0}, {1, 0.5, 2}};
    static uint8_t rgb[7 * 5 * 3];
    static float data[20 * 20 * 3];
    struct tensor pixels = TENSOR_F32(data, 20, 20, 3);
    struct error e = {0};
    (void)unused;

    memset(rgb, 255, sizeof rgb);
    assert_int_equal(clip_pixels_prepare(&p, rgb, 7, 5, &pixels, &e), 0);
    for (int i = 0; i < 20 * 20 * 3; i += 3) {
        assert_true(fabsf(data[i] - 0.5f) < 1e-6f);
        assert_true(fabsf(data[i + 1] - 1.5f) < 1e-6f);
        assert_true(fabsf(data[i + 2] - 0.5f) < 1e-6f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_give_the_golden),
        cmocka_unit_test(sizes_are_known_without_weights),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(wrong_checkpoints_are_refused),
        cmocka_unit_test(settings_of_pixels),
        cmocka_unit_test(pixels_are_normalised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
