/* Every published form of a tokenizer is read, and damaged files are met with an error that names
 * them, never with a crash. AUTEUR_TEST_SEED sets the seed of the random damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "kernels/base/arena.h"
#include "kernels/base/file.h"
#include "kernels/base/json.h"
#include "prompts/clip_files.h"
#include "prompts/tokenizer.h"
#include "prompts/tokenizer_config.h"

#define CLIP  "tests/prompts/data/tokenizers/clip"
#define LLAMA "tests/prompts/data/tokenizers/llama"

enum { IDS_MAX = 512 };
static const char text[] = "Dawn, <|endoftext|> DON'T  hover! naïve 漢字 1234 <|eot_id|>\n\n end";

/* ---- a folder of a test's own */

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/auteur-tokenizer-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
    (void)state;
    struct error e = {0};
    return path_remove(dir, &e);
}

static void put(const char *name, const void *bytes, size_t size)
{
    struct arena a = {0};
    FILE *f = fopen(path_join(&a, dir, name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
    arena_free(&a);
}

static void put_json(const char *name, json_t *root)
{
    char *bytes = json_dumps(root, 0);
    assert_non_null(bytes);
    put(name, bytes, strlen(bytes));
    free(bytes);
}

static char *content(const char *from, const char *name, size_t *size)
{
    struct arena a = {0};
    struct error e = {0};
    char *bytes;
    assert_int_equal(file_read(path_join(&a, from, name), 1 << 24, &bytes, size, &e), 0);
    arena_free(&a);
    return bytes;
}

static void copy(const char *from, const char *name)
{
    size_t size;
    char *bytes = content(from, name, &size);
    put(name, bytes, size);
    free(bytes);
}

static json_t *parsed(const char *from, const char *name)
{
    struct arena a = {0};
    struct error e = {0};
    json_t *root;
    assert_int_equal(json_read(path_join(&a, from, name), &root, &e), 0);
    arena_free(&a);
    return root;
}

/* ---- checks */

static int ids_of(const char *from, int32_t ids[IDS_MAX])
{
    struct tokenizer *t = NULL;
    struct error e = {0};
    int count = 0;
    if (tokenizer_open(from, &t, &e) != 0 ||
        tokenizer_encode(t, text, strlen(text), ids, IDS_MAX, &count, &e) != 0)
        fail_msg("%s: %s", from, e.text);
    tokenizer_close(t);
    return count;
}

static void same_ids_as(const char *other)
{
    int32_t ours[IDS_MAX], theirs[IDS_MAX];
    int count = ids_of(dir, ours);
    assert_int_equal(count, ids_of(other, theirs));
    assert_memory_equal(ours, theirs, (size_t)count * sizeof *ours);
}

static void refused(const char *says)
{
    struct tokenizer *t = NULL;
    struct error e = {0};
    assert_int_equal(tokenizer_open(dir, &t, &e), -1);
    assert_null(t);
    if (!strstr(e.text, dir) || !strstr(e.text, says))
        fail_msg("says \"%s\", not \"%s\"", e.text, says);
}

/* ---- forms */

static void merges_may_be_strings_or_pairs(void **state)
{
    (void)state;
    json_t *root = parsed(LLAMA, "tokenizer.json"), *model = json_object_get(root, "model"),
           *pairs = json_object_get(model, "merges"), *strings = json_array(), *pair;
    size_t i;
    copy(LLAMA, "tokenizer_config.json");
    assert_true(json_is_array(json_array_get(pairs, 0)));
    json_array_foreach(pairs, i, pair) json_array_append_new(
        strings, json_sprintf("%s %s", json_string_value(json_array_get(pair, 0)),
                              json_string_value(json_array_get(pair, 1))));
    put_json("tokenizer.json", root);
    same_ids_as(LLAMA);
    json_object_set_new(model, "merges", strings);
    put_json("tokenizer.json", root);
    same_ids_as(LLAMA);
    json_decref(root);
}

static void clip_may_be_in_one_file_or_two(void **state)
{
    (void)state;
    struct tokenizer_config c = {0};
    struct arena a = {0};
    struct error e = {0};
    json_t *root;
    copy(CLIP, "tokenizer_config.json");
    assert_int_equal(tokenizer_config_open(&c, &a, CLIP, &e), 0);
    assert_int_equal(clip_files_read(CLIP, &c, &root, &e), 0);
    put_json("tokenizer.json", root);
    same_ids_as(CLIP);
    json_decref(root);
    tokenizer_config_close(&c);
    arena_free(&a);
}

/* A special token may be an object, may stand in the other file, and need not stand anywhere. */
static void special_tokens_are_found_in_either_file(void **state)
{
    (void)state;
    static const char config[] = "{\"model_max_length\": 77, \"bos_token\": {\"content\": "
                                 "\"<|startoftext|>\", \"__type\": \"AddedToken\"}}";
    copy(CLIP, "vocab.json");
    copy(CLIP, "merges.txt");
    put("tokenizer_config.json", config, strlen(config));
    for (int with_map = 0; with_map < 2; with_map++) {
        struct tokenizer *t = NULL;
        struct error e = {0};
        int32_t ids[8];
        int count;
        if (with_map)
            put("special_tokens_map.json", "{\"pad_token\": \"!\"}", 18);
        if (tokenizer_open(dir, &t, &e) != 0)
            fail_msg("%s", e.text);
        int rc = tokenizer_encode_padded(t, "!", 1, ids, 8, &count, &e);
        assert_int_equal(rc, with_map ? 0 : -1); /* no pad_token is named: texts are not padded */
        if (with_map) {
            assert_int_equal(count, 3);
            assert_int_equal(ids[1], 0);
            assert_int_equal(ids[7], 0);
        }
        tokenizer_close(t);
    }
}

static void padding_stands_where_the_configuration_says(void **state)
{
    (void)state;
    static const char left[] = "{\"pad_token\": \"<pad>\", \"padding_side\": \"left\"}";
    struct tokenizer *t = NULL;
    struct error e = {0};
    int32_t ids[64], plain[64];
    int count, n;
    copy(LLAMA, "tokenizer.json");
    put("tokenizer_config.json", left, strlen(left));
    assert_int_equal(tokenizer_open(dir, &t, &e), 0);
    assert_int_equal(tokenizer_limit(t), 512);
    assert_int_equal(tokenizer_encode(t, "hover", 5, plain, 64, &n, &e), 0);
    assert_int_equal(tokenizer_encode_padded(t, "hover", 5, ids, 64, &count, &e), 0);
    assert_int_equal(count, n);
    assert_memory_equal(ids + 64 - n, plain, (size_t)n * sizeof *ids);
    for (int i = 0; i < 64 - n; i++)
        assert_int_equal(ids[i], tokenizer_vocabulary(t) - 1); /* <pad> */
    tokenizer_close(t);
}

static void missing_files_are_named(void **state)
{
    (void)state;
    refused("tokenizer.json");
    copy(CLIP, "vocab.json");
    refused("tokenizer_config.json");
    put("tokenizer_config.json", "{}", 2);
    refused("merges.txt");
    put("tokenizer_config.json", "{\"tokenizer_class\": \"GPT2Tokenizer\"}", 36);
    refused("GPT2Tokenizer");
    put("tokenizer.json", "{\"model\": {\"type\": \"Unigram\"}}", 30);
    refused("spiece.model");
}

/* ---- damage */

/* Sets one place in a sound tokenizer.json to another value, and expects to be told so. */
static void one_value_wrong(const char *part, const char *name, const char *value, const char *says)
{
    json_t *root = parsed(LLAMA, "tokenizer.json"),
           *place = *part ? json_object_get(root, part) : root,
           *new = json_loads(value, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
    assert_non_null(place);
    assert_non_null(new);
    json_object_set_new(place, name, new);
    put_json("tokenizer.json", root);
    json_decref(root);
    refused(says);
}

static void wrong_values_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *part, *name, *value, *says;
    } wrong[] = {
        {"", "model", "null", "vocabulary"},
        {"model", "type", "\"WordPiece\"", "WordPiece"},
        {"model", "vocab", "[]", "vocabulary"},
        {"model", "vocab", "{}", "vocabulary"},
        {"model", "vocab", "{\"a\": 1, \"b\": 1}", "\"b\" has the id 1"},
        {"model", "vocab", "{\"a\": -1}", "\"a\""},
        {"model", "vocab", "{\"a\": 1.5}", "\"a\""},
        {"model", "vocab", "{\"a\": \"1\"}", "\"a\""},
        {"model", "vocab", "{\"a\": 123456789012345678901234567890}", "\"a\""},
        {"model", "merges", "null", "merges"},
        {"model", "merges", "{}", "merges"},
        {"model", "merges", "[\"a\"]", "merge 1 "},
        {"model", "merges", "[\"a b c\"]", "merge 1 "},
        {"model", "merges", "[[\"a\"]]", "merge 1 "},
        {"model", "merges", "[[\"a\", 1]]", "merge 1 "},
        {"model", "merges", "[3]", "merge 1 "},
        {"model", "merges", "[\"no suchtoken\"]", "merge 1 "},
        {"model", "dropout", "0.5", "dropout"},
        {"model", "fuse_unk", "true", "fuse_unk"},
        {"model", "unk_token", "\"<what>\"", "<what>"},
        {"", "added_tokens", "7", "added_tokens"},
        {"", "added_tokens", "[7]", "added token"},
        {"", "added_tokens", "[{\"id\": 1e12, \"content\": \"x\"}]", "added token"},
        {"", "added_tokens", "[{\"id\": 9, \"content\": \"a\"}]", "added token a"},
        {"", "added_tokens", "[{\"id\":900,\"content\":\"xyz\"},{\"id\":901,\"content\":\"xyz\"}]",
         "xyz"},
        {"", "normalizer", "{}", "type"},
        {"", "normalizer", "{\"type\": \"Precompiled\"}", "Precompiled"},
        {"", "normalizer", "{\"type\": \"Replace\", \"pattern\": {}, \"content\": \"\"}",
         "pattern"},
        {"", "pre_tokenizer", "null", "pre_tokenizer"},
        {"", "pre_tokenizer", "{\"type\": \"Metaspace\"}", "Metaspace"},
        {"", "pre_tokenizer", "{\"type\": \"ByteLevel\"}", "add_prefix_space"},
        {"", "pre_tokenizer", "{\"type\": \"Split\", \"behavior\": \"Contiguous\"}", "Contiguous"},
        {"", "pre_tokenizer",
         "{\"type\": \"Split\", \"behavior\": \"Isolated\", \"pattern\": {\"Regex\": \"(\"}}",
         "pattern"},
        {"", "pre_tokenizer",
         "{\"type\": \"Split\", \"behavior\": \"Isolated\", \"pattern\": {\"Regex\": \"\\\\h\"}}",
         "\\h"},
        {"", "post_processor", "{\"type\": \"TemplateProcessing\"}", "template"},
        {"", "post_processor",
         "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"x\"}}]}",
         "x has no ids"},
        {"", "post_processor", "{\"type\": \"RobertaProcessing\", \"cls\": [\"x\", 1e9]}",
         "post_processor"},
    };
    copy(LLAMA, "tokenizer_config.json");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        one_value_wrong(wrong[i].part, wrong[i].name, wrong[i].value, wrong[i].says);
}

static void wrong_clip_files_are_named(void **state)
{
    (void)state;
    copy(CLIP, "tokenizer_config.json");
    copy(CLIP, "merges.txt");
    put("vocab.json", "{\"a\": 0}", 8);
    refused("vocab.json");
    put("tokenizer_config.json", "{}", 2);
    refused("<|startoftext|>");
    copy(CLIP, "vocab.json");
    put("merges.txt", "#version: 0.2\nq\n", 16);
    refused("merge 1 is");
    put("merges.txt", "#version: 0.2\n\nq xyzzy\n", 23);
    refused("merge 1 (\"q\" and \"xyzzy\")");
    put("merges.txt", "\xff\xff b\n", 5);
    refused("merges.txt");
    copy(CLIP, "merges.txt");
    put("special_tokens_map.json", "[", 1);
    refused("special_tokens_map.json");
    put("special_tokens_map.json", "{}", 2);
    put("tokenizer_config.json", "{\"added_tokens_decoder\": {\"x\": {}}}", 35);
    refused("tokenizer_config.json");
}

/* Damages a copy of a sound file at random and opens the folder: it is refused with a reason, or
 * every text still has ids. */
static int damage(const char *name, const char *sound, size_t size, char *damaged)
{
    struct tokenizer *t = NULL;
    struct error e = {0};
    int32_t ids[IDS_MAX];
    int count;
    size_t kept = rand() % 4 == 0 ? (size_t)rand() % size : size;
    memcpy(damaged, sound, size);
    for (int n = 1 << rand() % 6; n > 0; n--)
        damaged[(size_t)rand() % size] = rand() % 2 ? "\"{}[]:,0\\ "[rand() % 10] : (char)rand();
    put(name, damaged, kept);
    if (tokenizer_open(dir, &t, &e) != 0) {
        assert_true(e.code != ERROR_NONE && strstr(e.text, dir));
        return 1;
    }
    if (tokenizer_encode(t, text, strlen(text), ids, IDS_MAX, &count, &e) == 0)
        for (int i = 0; i < count; i++)
            assert_in_range(ids[i], 0, tokenizer_vocabulary(t) - 1);
    tokenizer_close(t);
    return 0;
}

static void random_damage_never_crashes(void **state)
{
    (void)state;
    static const struct {
        const char *from, *name;
    } files[] = {{CLIP, "vocab.json"},
                 {CLIP, "merges.txt"},
                 {CLIP, "tokenizer_config.json"},
                 {LLAMA, "tokenizer.json"}};
    const char *given = getenv("AUTEUR_TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : 20261121;
    print_message("AUTEUR_TEST_SEED=%u\n", seed);
    srand(seed);
    int refusals = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        copy(CLIP, "vocab.json");
        copy(CLIP, "merges.txt");
        copy(CLIP, "tokenizer_config.json");
        size_t size;
        char *sound = content(files[i].from, files[i].name, &size), *damaged = malloc(size);
        assert_non_null(damaged);
        for (int round = 0; round < 150; round++)
            refusals += damage(files[i].name, sound, size, damaged);
        free(sound);
        free(damaged);
    }
    assert_true(refusals > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(merges_may_be_strings_or_pairs, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(clip_may_be_in_one_file_or_two, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(special_tokens_are_found_in_either_file, make_dir,
                                        drop_dir),
        cmocka_unit_test_setup_teardown(padding_stands_where_the_configuration_says, make_dir,
                                        drop_dir),
        cmocka_unit_test_setup_teardown(missing_files_are_named, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(wrong_values_are_named, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(wrong_clip_files_are_named, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(random_damage_never_crashes, make_dir, drop_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
