/* T5's and UMT5's encoders give the golden states; checkpoints that are not what they say are
 * refused. */
#include "tests/prompts/encoder_golden.h"

#include "kernels/base/json.h"
#include "prompts/t5.h"

#define WAN "tests/fixtures/wan2.2-t2v-a14b"
enum { WAN_PADDED = 40, WAN_WIDTH = 64 };

static struct t5 *open_model(struct device *d, const char *dir)
{
    struct error e = {0};
    struct t5 *m = NULL;
    if (t5_load(dir, d, &m, &e) != 0)
        fail_msg("%s", e.text);
    return m;
}

static void encode_all(struct device *d, const char *dir)
{
    struct encoder_golden g;
    golden_open(&g, dir);
    struct t5 *m = open_model(d, dir);
    /* 12 tokens, 1, 160 (farther apart than the buckets tell), 1 again */
    static const int order[] = {0, 1, 2, 1};
    for (int i = 0; i < 4; i++) {
        struct arena a = {0};
        const struct tensor *ids = golden_find(&g, order[i], "ids");
        int count = (int)tensor_count(ids);
        struct tensor out = TENSOR_NEW(&a, count, t5_width(m));
        assert_int_equal(t5_encode(m, ids->data, count, &out, &g.e), 0);
        golden_equal("states", &out, golden_find(&g, order[i], "states"));
        arena_free(&a);
    }
    t5_free(m);
    safetensors_close(g.file);
}

static void forms(struct device *d)
{
    encode_all(d, ENCODERS "t5-relu");
    encode_all(d, ENCODERS "t5-gated-gelu");
    encode_all(d, ENCODERS "umt5-gated-silu");
}

static void every_form_gives_the_golden(void **state)
{
    (void)state;
    on_each_device(forms);
}

/* The ids that golden.json has for a text, into ids[]. */
static int golden_ids(const json_t *root, const char *text, int32_t *ids)
{
    const json_t *list = json_object_get(json_object_get(root, "tokenize"), "umt5");
    size_t i, j;
    json_t *pair, *id;
    json_array_foreach(list, i, pair)
    {
        if (strcmp(json_string_value(json_array_get(pair, 0)), text) != 0)
            continue;
        assert_in_range(json_array_size(json_array_get(pair, 1)), 1, WAN_PADDED);
        json_array_foreach(json_array_get(pair, 1), j, id) ids[j] = (int32_t)json_number_value(id);
        return (int)j;
    }
    fail_msg("no ids of \"%s\"", text);
    return 0;
}

static void wan_prompt(struct t5 *m, struct encoder_golden *g, const json_t *root,
                       const char *prompt, const char *embeddings)
{
    int32_t ids[WAN_PADDED];
    int count = golden_ids(root, json_string_value(json_object_get(root, prompt)), ids);
    float got[WAN_PADDED * WAN_WIDTH] = {0};
    struct tensor out = TENSOR_F32(got, count, WAN_WIDTH);
    struct tensor padded = TENSOR_F32(got, WAN_PADDED, WAN_WIDTH); /* padding is zeros */
    assert_int_equal(t5_encode(m, ids, count, &out, &g->e), 0);
    golden_equal(embeddings, &padded, safetensors_find(g->file, embeddings));
}

static void wan(struct device *d)
{
    struct encoder_golden g;
    json_t *root;
    golden_open(&g, WAN);
    assert_int_equal(json_read(WAN "/golden.json", &root, &g.e), 0);
    struct t5 *m = open_model(d, WAN "/text_encoder");
    wan_prompt(m, &g, root, "prompt", "prompt_embeds");
    wan_prompt(m, &g, root, "negative_prompt", "negative_prompt_embeds");
    t5_free(m);
    json_decref(root);
    safetensors_close(g.file);
}

static void ids_become_wans_embeddings(void **state)
{
    (void)state;
    on_each_device(wan);
}

static void ids_out_of_range_are_refused(void **state)
{
    (void)state;
    struct error e = {0};
    struct device *d;
    float got[2 * 24];
    struct tensor out = TENSOR_F32(got, 2, 24);
    assert_int_equal(device_open(&(struct device_options){.threads = 1}, &d, &e), 0);
    struct t5 *m = open_model(d, ENCODERS "t5-relu");
    assert_int_equal(t5_encode(m, (int32_t[]){5, t5_vocabulary(m)}, 2, &out, &e), -1);
    assert_int_equal(t5_encode(m, (int32_t[]){-1, 5}, 2, &out, &e), -1);
    assert_int_equal(t5_encode(m, NULL, 0, &out, &e), -1);
    assert_int_equal(t5_encode(m, (int32_t[]){5, 1}, 2, &out, &e), 0);
    t5_free(m);
    t5_free(NULL);
    device_close(d);
}

static int load(const char *dir, struct device *d, struct error *e)
{
    struct t5 *m;
    int rc = t5_load(dir, d, &m, e);
    if (rc == 0)
        t5_free(m);
    return rc;
}

static void wrong_checkpoints_are_refused(void **state)
{
    (void)state;
    static const struct tampering gated[] = {
        {"config.json", NULL, NULL, "config.json"},
        {"model.safetensors", NULL, NULL, "model.safetensors"},
        {"config.json", "\"t5\"", "\"bert\"", "model_type is bert"},
        {"config.json", "\"model_type\"", "\"model\"", "model_type is missing"},
        {"config.json", "\"t5\"", "\"umt5\"", "block.1.layer.0.SelfAttention.relative"},
        {"config.json", "gated-gelu", "gated-tanh", "feed_forward_proj"},
        {"config.json", "gated-gelu", "relu", "DenseReluDense.wi.weight"},
        {"config.json", "\"num_layers\": 3", "\"num_layers\": 4", "encoder.block.3"},
        {"config.json", "\"d_model\": 24", "\"d_model\": 25", "shared.weight"},
        {"config.json", "\"d_kv\": 6", "\"d_kv\": 8", "SelfAttention.q"},
        {"config.json", "\"d_ff\": 30", "\"d_ff\": 0", "d_ff"},
        {"config.json", "\"d_ff\": 30", "\"d_ff\": 60", "DenseReluDense.wi_0.weight"},
        {"config.json", "\"vocab_size\": 64", "\"vocab_size\": 900", "shared.weight"},
        {"config.json", "\"relative_attention_num_buckets\": 22",
         "\"relative_attention_num_buckets\": 24", "relative_attention_bias"},
        {"config.json", "\"relative_attention_max_distance\": 40",
         "\"relative_attention_max_distance\": 5", "max_distance"},
        {"model.safetensors", "block.0.layer.0.SelfAttention.relative_attention_bias",
         "block.0.layer.0.SelfAttention.relative_attention_bits",
         "block.0.layer.0.SelfAttention.relative_attention_bias"},
    };
    REFUSED_WHEN_TAMPERED(ENCODERS "t5-gated-gelu", gated, load);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_gives_the_golden),
        cmocka_unit_test(ids_become_wans_embeddings),
        cmocka_unit_test(ids_out_of_range_are_refused),
        cmocka_unit_test(wrong_checkpoints_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
