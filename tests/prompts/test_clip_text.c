/* CLIP's text encoder gives the golden states; checkpoints that are not what they say are refused.
 */
#include "tests/prompts/encoder_golden.h"

#include "prompts/clip_text.h"

static void encode_all(struct device *d, const char *dir, bool projection, int cases)
{
    struct encoder_golden g;
    struct clip_text *m;
    golden_open(&g, dir);
    if (clip_text_load(dir, projection, d, &m, &g.e) != 0)
        fail_msg("%s", g.e.text);
    for (int i = 0; i < cases; i++) {
        struct arena a = {0};
        const struct tensor *ids = golden_find(&g, i, "ids");
        assert_non_null(ids);
        int count = (int)tensor_count(ids);
        struct tensor hidden = TENSOR_NEW(&a, count, clip_text_width(m));
        struct tensor pooled = TENSOR_NEW(&a, 1, clip_text_pooled_width(m));
        for (int skip = CLIP_TEXT_NORMED; skip <= clip_text_layers(m); skip++) {
            char name[32];
            snprintf(name, sizeof name, skip < 0 ? "normed" : "skip%d", skip);
            const struct tensor *states = golden_find(&g, i, name);
            /* together, and each by itself */
            assert_int_equal(clip_text_encode(m, ids->data, count, skip, &hidden, &pooled, &g.e),
                             0);
            golden_equal(name, &hidden, states);
            golden_equal("pooled", &pooled, golden_find(&g, i, "pooled"));
            assert_int_equal(clip_text_encode(m, ids->data, count, skip, &hidden, NULL, &g.e), 0);
            golden_equal(name, &hidden, states);
        }
        assert_int_equal(clip_text_encode(m, ids->data, count, 0, NULL, &pooled, &g.e), 0);
        golden_equal("pooled", &pooled, golden_find(&g, i, "pooled"));
        arena_free(&a);
    }
    assert_null(golden_find(&g, cases, "ids"));
    clip_text_free(m);
    safetensors_close(g.file);
}

/* eos_token_id 2, the prefix text_model., position_ids, quick_gelu */
static void early(struct device *d)
{
    encode_all(d, ENCODERS "clip-early", false, 5);
}

static void projected(struct device *d)
{
    encode_all(d, ENCODERS "clip-projected", true, 4);
}

static void early_checkpoints_give_the_golden(void **state)
{
    (void)state;
    on_each_device(early);
}

static void projected_checkpoints_give_the_golden(void **state)
{
    (void)state;
    on_each_device(projected);
}

static void sizes_are_known_without_weights(void **state)
{
    (void)state;
    struct error e = {0};
    struct clip_text *m;
    assert_int_equal(clip_text_load(ENCODERS "clip-projected", true, NULL, &m, &e), 0);
    assert_int_equal(clip_text_width(m), 24);
    assert_int_equal(clip_text_pooled_width(m), 10);
    assert_int_equal(clip_text_limit(m), 77);
    assert_int_equal(clip_text_layers(m), 3);
    assert_int_equal(clip_text_vocabulary(m), 60);
    clip_text_free(m);
    /* read as a CLIPTextModel the projection is not looked at */
    assert_int_equal(clip_text_load(ENCODERS "clip-projected", false, NULL, &m, &e), 0);
    assert_int_equal(clip_text_pooled_width(m), 24);
    clip_text_free(m);
    clip_text_free(NULL);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct error e = {0};
    struct device *d;
    struct clip_text *m;
    int32_t ids[21] = {0};
    float states[21 * 24];
    struct tensor hidden = TENSOR_F32(states, 2, 24);
    assert_int_equal(device_open(&(struct device_options){.threads = 1}, &d, &e), 0);
    assert_int_equal(clip_text_load(ENCODERS "clip-early", false, d, &m, &e), 0);
    assert_int_equal(clip_text_encode(m, ids, 21, 0, &hidden, NULL, &e), -1);
    assert_int_equal(clip_text_encode(m, ids, 0, 0, &hidden, NULL, &e), -1);
    assert_int_equal(clip_text_encode(m, ids, 2, 3, &hidden, NULL, &e), -1);
    assert_int_equal(clip_text_encode(m, ids, 2, -2, &hidden, NULL, &e), -1);
    ids[1] = 60;
    assert_int_equal(clip_text_encode(m, ids, 2, 0, &hidden, NULL, &e), -1);
    ids[1] = -1;
    assert_int_equal(clip_text_encode(m, ids, 2, 0, &hidden, NULL, &e), -1);
    ids[1] = 59;
    assert_int_equal(clip_text_encode(m, ids, 2, 0, &hidden, NULL, &e), 0);
    clip_text_free(m);
    device_close(d);
}

static int load(const char *dir, struct device *d, struct error *e)
{
    struct clip_text *m;
    int rc = clip_text_load(dir, true, d, &m, e);
    if (rc == 0)
        clip_text_free(m);
    return rc;
}

static void wrong_checkpoints_are_refused(void **state)
{
    (void)state;
    static const struct tampering list[] = {
        {"config.json", NULL, NULL, "config.json"},
        {"model.safetensors", NULL, NULL, "model.safetensors"},
        {"config.json", "clip_text_model", "clip_vision_model", "model_type"},
        {"config.json", "\"gelu\"", "\"mish\"", "hidden_act is mish"},
        {"config.json", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4",
         "encoder.layers.3.layer_norm1.weight"},
        {"config.json", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 0",
         "num_hidden_layers"},
        {"config.json", "\"num_attention_heads\": 2", "\"num_attention_heads\": 5",
         "num_attention_heads"},
        {"config.json", "\"hidden_size\": 24", "\"hidden_size\": 26", "token_embedding.weight"},
        {"config.json", "\"vocab_size\": 60", "\"vocab_size\": 61", "token_embedding.weight"},
        {"config.json", "\"intermediate_size\": 40", "\"intermediate_size\": 41", "mlp.fc1.weight"},
        {"config.json", "\"projection_dim\": 10", "\"projection_dim\": 11",
         "text_projection.weight"},
        {"config.json", "\"max_position_embeddings\": 77", "\"max_position_embeddings\": 78",
         "position_embedding.weight"},
        {"model.safetensors", "text_projection.weight", "text_projection.heavy!",
         "text_projection.weight"},
        {"model.safetensors", "layers.1.self_attn.k_proj.bias", "layers.1.self_attn.k_proj.base",
         "layers.1.self_attn.k_proj.bias"},
        {"model.safetensors", "\"F16\"", "\"I16\"", "model.safetensors"},
    };
    REFUSED_WHEN_TAMPERED(ENCODERS "clip-projected", list, load);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(early_checkpoints_give_the_golden),
        cmocka_unit_test(projected_checkpoints_give_the_golden),
        cmocka_unit_test(sizes_are_known_without_weights),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(wrong_checkpoints_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
