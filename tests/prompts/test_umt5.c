/* The text encoder gives the golden embeddings; checkpoints that are not what they say are refused.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernels/base/file.h"
#include "kernels/base/json.h"
#include "kernels/safetensors.h"
#include "prompts/tokenizer.h"
#include "prompts/umt5.h"

#define FIXTURE "tests/fixtures/wan2.2-t2v-a14b"
enum { PADDED = 40, WIDTH = 64 };

static void encode_like(struct device *d, const char *prompt, const float *expected)
{
    struct error e = {0};
    struct tokenizer *t;
    struct umt5 *m;
    int32_t ids[PADDED];
    int count;
    assert_int_equal(tokenizer_open(FIXTURE "/tokenizer", &t, &e), 0);
    assert_int_equal(tokenizer_encode(t, prompt, strlen(prompt), ids, PADDED, &count, &e), 0);
    if (umt5_load(FIXTURE "/text_encoder", d, &m, &e) != 0)
        fail_msg("%s", e.text);
    assert_int_equal(umt5_width(m), WIDTH);
    float got[PADDED * WIDTH];
    struct tensor out = TENSOR_F32(got, count, WIDTH);
    assert_int_equal(umt5_encode(m, ids, count, &out, &e), 0);
    double difference = 0, size = 0;
    for (int i = 0; i < count * WIDTH; i++) {
        difference += pow((double)got[i] - expected[i], 2);
        size += pow(expected[i], 2);
    }
    /* F32 sums in another order than the golden's; DESIGN allows a module 1e-4. */
    if (!(sqrt(difference / size) <= 1e-5))
        fail_msg("relative error %g", sqrt(difference / size));
    for (int i = count * WIDTH; i < PADDED * WIDTH; i++)
        assert_true(expected[i] == 0);
    umt5_free(m);
    tokenizer_close(t);
}

static void golden(struct device *d)
{
    struct error e = {0};
    struct safetensors *s;
    json_t *root;
    const struct tensor *t;
    assert_int_equal(safetensors_open(FIXTURE "/golden.safetensors", &s, &e), 0);
    assert_int_equal(json_read(FIXTURE "/golden.json", &root, &e), 0);
    static const char *const names[][2] = {{"prompt", "prompt_embeds"},
                                           {"negative_prompt", "negative_prompt_embeds"}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(SAFETENSORS_GET(s, names[i][1], &t, &e, 1, PADDED, WIDTH), 0);
        encode_like(d, json_string_value(json_object_get(root, names[i][0])), t->data);
    }
    json_decref(root);
    safetensors_close(s);
}

static void equals_golden_on_the_cpu(void **state)
{
    (void)state;
    struct error e = {0};
    struct device *d;
    assert_int_equal(device_open(&(struct device_options){.threads = 2}, &d, &e), 0);
    golden(d);
    device_close(d);
}

static void equals_golden_by_the_reference(void **state)
{
    (void)state;
    struct error e = {0};
    struct device *d;
    assert_int_equal(device_open_reference(1, &d, &e), 0);
    golden(d);
    device_close(d);
}

static void ids_out_of_range_are_refused(void **state)
{
    (void)state;
    struct error e = {0};
    struct device *d;
    struct umt5 *m;
    float got[2 * WIDTH];
    struct tensor out = TENSOR_F32(got, 2, WIDTH);
    assert_int_equal(device_open(&(struct device_options){.threads = 1}, &d, &e), 0);
    assert_int_equal(umt5_load(FIXTURE "/text_encoder", d, &m, &e), 0);
    assert_int_equal(umt5_encode(m, (int32_t[]){5, umt5_vocabulary(m)}, 2, &out, &e), -1);
    assert_int_equal(umt5_encode(m, (int32_t[]){-1, 5}, 2, &out, &e), -1);
    assert_int_equal(umt5_encode(m, NULL, 0, &out, &e), -1);
    assert_int_equal(umt5_encode(m, (int32_t[]){5, 1}, 2, &out, &e), 0);
    umt5_free(m);
    device_close(d);
}

static void wrong_checkpoints_are_refused(void **state)
{
    (void)state;
    char dir[] = "/tmp/auteur-umt5-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct arena a = {0};
    struct error e = {0};
    struct device *d;
    struct umt5 *m;
    char *config, *weights;
    size_t config_size, weights_size;
    assert_int_equal(device_open(&(struct device_options){.threads = 1}, &d, &e), 0);
    assert_int_equal(
        file_read(FIXTURE "/text_encoder/config.json", 1 << 20, &config, &config_size, &e), 0);
    assert_int_equal(
        file_read(FIXTURE "/text_encoder/model.safetensors", 1 << 24, &weights, &weights_size, &e),
        0);
    assert_int_equal(umt5_load(dir, d, &m, &e), -1);
    assert_non_null(strstr(e.text, "config.json"));

    static const struct {
        const char *from, *to, *says;
    } edits[] = {
        {"\"umt5\"", "\"t5\"", "model_type"},
        {"gated-gelu", "relu", "feed_forward_proj"},
        {"\"num_layers\": 3", "\"num_layers\": 4", "encoder.block.3"},
        {"\"d_model\": 64", "\"d_model\": 65", "shared.weight"},
        {"\"d_kv\": 16", "\"d_kv\": 8", "SelfAttention"},
        {"\"d_ff\": 128", "\"d_ff\": 0", "d_ff"},
        {"\"vocab_size\": 452", "\"vocab_size\": 900", "shared.weight"},
        {"\"relative_attention_num_buckets\": 32", "\"relative_attention_num_buckets\": 30",
         "num_buckets"},
        {"\"relative_attention_max_distance\": 128", "\"relative_attention_max_distance\": 8",
         "max_distance"},
    };
    const char *path = path_join(&a, dir, "config.json");
    assert_int_equal(
        file_write_atomic(path_join(&a, dir, "model.safetensors"), weights, weights_size, &e), 0);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        const char *at = strstr(config, edits[i].from);
        assert_non_null(at);
        const char *text = arena_printf(&a, "%.*s%s%s", (int)(at - config), config, edits[i].to,
                                        at + strlen(edits[i].from));
        assert_int_equal(file_write_atomic(path, text, strlen(text), &e), 0);
        error_clear(&e);
        assert_int_equal(umt5_load(dir, d, &m, &e), -1);
        assert_int_equal(e.code, ERROR_MODEL);
        if (!strstr(e.text, edits[i].says))
            fail_msg("%s: says \"%s\", not \"%s\"", edits[i].to, e.text, edits[i].says);
    }
    assert_int_equal(path_remove(dir, &e), 0);
    free(config);
    free(weights);
    arena_free(&a);
    device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_golden_on_the_cpu),
        cmocka_unit_test(equals_golden_by_the_reference),
        cmocka_unit_test(ids_out_of_range_are_refused),
        cmocka_unit_test(wrong_checkpoints_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
