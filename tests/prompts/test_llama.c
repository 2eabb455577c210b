/* LLaMA gives the golden hidden states, those of padding too; checkpoints that are not what they
 * say are refused. */
#include "tests/prompts/encoder_golden.h"

#include "prompts/llama.h"

static void encode_one(struct llama *m, struct encoder_golden *g, int number, int skip)
{
    struct arena a = {0};
    char name[32];
    snprintf(name, sizeof name, "skip%d", skip);
    const struct tensor *ids = golden_find(g, number, "ids"),
                        *states = golden_find(g, number, name);
    int count = (int)tensor_count(ids), real = *(int32_t *)golden_find(g, number, "real")->data;
    int width = llama_width(m);

    struct tensor out = TENSOR_NEW(&a, count, width);
    assert_int_equal(llama_encode(m, ids->data, count, real, &out, &g->e), 0);
    golden_equal(name, &out, states);
    /* without the template in front and the padding behind */
    int cropped = real / 3;
    struct tensor part =
        TENSOR_VIEW(tensor_slice(out, 0, cropped, real - cropped), real - cropped, width);
    memset(out.data, 0, (size_t)count * (size_t)width * sizeof(float));
    assert_int_equal(llama_encode(m, ids->data, real, real, &part, &g->e), 0);
    struct tensor wanted = tensor_slice(*states, 0, cropped, real - cropped);
    golden_equal("words", &part, &wanted);
    arena_free(&a);
}

static void encode_all(struct device *d, const char *dir, int layers)
{
    struct encoder_golden g;
    golden_open(&g, dir);
    for (int skip = 0; skip <= layers; skip++) {
        struct llama *m;
        if (llama_load(dir, skip, d, &m, &g.e) != 0)
            fail_msg("%s", g.e.text);
        /* from short to long and back: the workspace grows, and serves shorter texts */
        for (int i = 3; i >= 0; i--)
            encode_one(m, &g, i, skip);
        encode_one(m, &g, 1, skip);
        llama_free(m);
    }
    assert_null(golden_find(&g, 4, "ids"));
    safetensors_close(g.file);
}

/* one group of keys, biases, a head_dim of its own, rope_scaling of type llama3, the prefix model.,
 * three shards, lm_head */
static void one_group(struct device *d)
{
    encode_all(d, ENCODERS "llama-one-group", 2);
}

static void all_groups(struct device *d)
{
    encode_all(d, ENCODERS "llama-all-groups", 3);
}

static void one_group_of_keys_gives_the_golden(void **state)
{
    (void)state;
    on_each_device(one_group);
}

static void as_many_groups_as_heads_give_the_golden(void **state)
{
    (void)state;
    on_each_device(all_groups);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct error e = {0};
    struct device *d;
    struct llama *m;
    int32_t ids[3] = {1, 2, 3};
    float states[3 * 24];
    struct tensor out = TENSOR_F32(states, 3, 24);
    assert_int_equal(device_open(&(struct device_options){.threads = 1}, &d, &e), 0);
    assert_int_equal(llama_load(ENCODERS "llama-all-groups", 4, d, &m, &e), -1);
    assert_non_null(strstr(e.text, "num_hidden_layers"));
    error_clear(&e);
    assert_int_equal(llama_load(ENCODERS "llama-all-groups", 1, d, &m, &e), 0);
    assert_int_equal(llama_vocabulary(m), 64);
    assert_int_equal(llama_encode(m, ids, 3, 0, &out, &e), -1);
    assert_int_equal(llama_encode(m, ids, 3, 4, &out, &e), -1);
    assert_int_equal(llama_encode(m, ids, 2, 2, &out, &e), -1);
    ids[2] = 64;
    assert_int_equal(llama_encode(m, ids, 3, 3, &out, &e), -1);
    ids[2] = -1;
    assert_int_equal(llama_encode(m, ids, 3, 3, &out, &e), -1);
    ids[2] = 63;
    assert_int_equal(llama_encode(m, ids, 3, 3, &out, &e), 0);
    llama_free(m);
    llama_free(NULL);
    device_close(d);
}

static void layers_left_out_are_not_looked_for(void **state)
{
    (void)state;
    struct error e = {0};
    struct arena a = {0};
    struct llama *m;
    const struct tampering third = {"config.json", "\"num_hidden_layers\": 2",
                                    "\"num_hidden_layers\": 3", NULL};
    const char *copy = tampered_copy(&a, ENCODERS "llama-one-group", &third);
    assert_int_equal(llama_load(copy, 0, NULL, &m, &e), -1);
    assert_non_null(strstr(e.text, "layers.2."));
    assert_int_equal(llama_load(copy, 1, NULL, &m, &e), 0);
    llama_free(m);
    assert_int_equal(path_remove(copy, &e), 0);
    arena_free(&a);
}

static int load(const char *dir, struct device *d, struct error *e)
{
    struct llama *m;
    int rc = llama_load(dir, 1, d, &m, e);
    if (rc == 0)
        llama_free(m);
    return rc;
}

static void wrong_checkpoints_are_refused(void **state)
{
    (void)state;
    static const struct tampering list[] = {
        {"config.json", NULL, NULL, "config.json"},
        {"model-00002-of-00003.safetensors", NULL, NULL, "model-00002-of-00003.safetensors"},
        {"config.json", "\"llama\"", "\"mistral\"", "model_type"},
        {"config.json", "\"num_key_value_heads\": 1", "\"num_key_value_heads\": 3",
         "num_key_value_heads"},
        {"config.json", "\"num_key_value_heads\": 1", "\"num_key_value_heads\": 2",
         "self_attn.k_proj.weight"},
        {"config.json", "\"head_dim\": 10", "\"head_dim\": 9", "head_dim"},
        {"config.json", "\"head_dim\": 10", "\"head_dim\": 8", "self_attn.q_proj.weight"},
        {"config.json", "\"hidden_size\": 24", "\"hidden_size\": 25", "embed_tokens.weight"},
        {"config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 4",
         "model.layers.2.input_layernorm.weight"},
        {"config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1000000",
         "num_hidden_layers"},
        {"config.json", "\"type\": \"llama3\"", "\"type\": \"yarn\"", "rope_type is yarn"},
        {"config.json", "\"high_freq_factor\": 4.0", "\"high_freq_factor\": 1.0",
         "high_freq_factor"},
        {"config.json", "\"factor\": 8.0", "\"factor\": \"8\"", "factor"},
        {"config.json", "\"factor\": 8.0", "\"partial_rotary_factor\": 0.5, \"factor\": 8.0",
         "partial_rotary_factor"},
        {"model-00002-of-00003.safetensors", "model.embed_tokens.weight",
         "model.embed_takens.weight", "model.embed_tokens.weight"},
    };
    REFUSED_WHEN_TAMPERED(ENCODERS "llama-one-group", list, load);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_group_of_keys_gives_the_golden),
        cmocka_unit_test(as_many_groups_as_heads_give_the_golden),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(layers_left_out_are_not_looked_for),
        cmocka_unit_test(wrong_checkpoints_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
