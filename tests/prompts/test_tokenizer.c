/* Token ids equal the golden ones; damaged models and odd texts are met with errors, not crashes.
 * AUTEUR_TEST_SEED sets the seed of the random damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "kernels/base/file.h"
#include "kernels/base/json.h"
#include "prompts/tokenizer.h"

#define FIXTURE "tests/fixtures/wan2.2-t2v-a14b"

static struct tokenizer *tokenizer;

static int open_fixture(void **state)
{
    (void)state;
    struct error e = {0};
    int rc = tokenizer_open(FIXTURE "/tokenizer", &tokenizer, &e);
    if (rc != 0)
        print_error("%s\n", e.text);
    return rc;
}

static int close_fixture(void **state)
{
    (void)state;
    tokenizer_close(tokenizer);
    tokenizer_close(NULL);
    return 0;
}

static void ids_equal_the_golden_ones(void **state)
{
    (void)state;
    struct error e = {0};
    json_t *golden;
    assert_int_equal(json_read(FIXTURE "/golden.json", &golden, &e), 0);
    json_t *cases = json_object_get(json_object_get(golden, "tokenize"), "umt5"), *one;
    assert_true(json_array_size(cases) >= 20);
    size_t i;
    json_array_foreach(cases, i, one)
    {
        const char *text = json_string_value(json_array_get(one, 0));
        json_t *expected = json_array_get(one, 1);
        int32_t ids[TOKENIZER_LIMIT_MAX];
        int count;
        assert_int_equal(
            tokenizer_encode(tokenizer, text, strlen(text), ids, TOKENIZER_LIMIT_MAX, &count, &e),
            0);
        assert_int_equal(count, json_array_size(expected));
        assert_int_equal(tokenizer_count(tokenizer, text, strlen(text), &e), count);
        for (int k = 0; k < count; k++)
            if (ids[k] != (int)json_number_value(json_array_get(expected, (size_t)k)))
                fail_msg("\"%s\": id %d is %d", text, k, ids[k]);
    }
    json_decref(golden);
}

static void long_texts_keep_their_end_marker(void **state)
{
    (void)state;
    struct error e = {0};
    const char *text = "A frigate cuts through grey Atlantic swell at dawn";
    int32_t all[64], cut[64];
    int count, n;
    assert_int_equal(tokenizer_encode(tokenizer, text, strlen(text), all, 64, &count, &e), 0);
    assert_true(count > 8);
    for (int max = 1; max <= count + 1; max++) {
        assert_int_equal(tokenizer_encode(tokenizer, text, strlen(text), cut, max, &n, &e), 0);
        assert_int_equal(n, max < count ? max : count);
        assert_int_equal(cut[n - 1], 1);
        assert_memory_equal(cut, all, (size_t)(n - 1) * sizeof *cut);
    }
    assert_int_equal(tokenizer_encode(tokenizer, text, strlen(text), cut, 0, &n, &e), -1);
}

static void odd_texts_are_texts(void **state)
{
    (void)state;
    struct error e = {0};
    static const struct {
        const char *bytes;
        size_t size;
    } odd[] = {
        {"", 0},
        {"a\0b\0\0c", 6},
        {"\0", 1},
        {"\xff\xfe\xfd", 3},
        {"ship \xc3", 6}, /* cut within a character */
        {"\xed\xa0\x80 surrogate", 13},
        {"\xf4\x90\x80\x80", 4}, /* above U+10FFFF */
        {"\xc0\xaf overlong", 11},
    };
    int32_t ids[TOKENIZER_LIMIT_MAX];
    int count;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        assert_int_equal(tokenizer_encode(tokenizer, odd[i].bytes, odd[i].size, ids,
                                          TOKENIZER_LIMIT_MAX, &count, &e),
                         0);
        assert_int_equal(ids[count - 1], 1);
        for (int k = 0; k < count; k++)
            assert_in_range(ids[k], 0, tokenizer_vocabulary(tokenizer) - 1);
    }
    size_t size = TOKENIZER_BYTES_MAX + 1;
    char *huge = malloc(size);
    assert_non_null(huge);
    for (size_t i = 0; i < size; i++)
        huge[i] = (char)(i * 7919 >> 3);
    assert_true(tokenizer_count(tokenizer, huge, 200000, &e) > 1000);
    assert_int_equal(tokenizer_encode(tokenizer, huge, size, ids, TOKENIZER_LIMIT_MAX, &count, &e),
                     -1);
    assert_int_equal(e.code, ERROR_INPUT);
    free(huge);
}

/* A tokenizer directory of a test's own. */
struct scratch {
    char dir[64];
    char *model;
    size_t size;
};

static void put(const struct scratch *s, const char *name, const void *bytes, size_t size)
{
    struct arena a = {0};
    const char *path = path_join(&a, s->dir, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
    arena_free(&a);
}

static void scratch_make(struct scratch *s)
{
    struct error e = {0};
    strcpy(s->dir, "/tmp/auteur-tokenizer-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    assert_int_equal(file_read(FIXTURE "/tokenizer/spiece.model", 1 << 24, &s->model, &s->size, &e),
                     0);
}

static void scratch_drop(struct scratch *s)
{
    struct error e = {0};
    assert_int_equal(path_remove(s->dir, &e), 0);
    free(s->model);
}

static void refused(const struct scratch *s, const char *says)
{
    struct tokenizer *t = NULL;
    struct error e = {0};
    assert_int_equal(tokenizer_open(s->dir, &t, &e), -1);
    assert_null(t);
    if (!strstr(e.text, s->dir) || !strstr(e.text, says))
        fail_msg("says \"%s\", not \"%s\"", e.text, says);
}

static void configuration_decides_the_length(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        int limit;
    } good[] = {
        {"{}", 512},
        {"{\"model_max_length\": 128}", 128},
        {"{\"model_max_length\": 512}", 512},
        {"{\"model_max_length\": 513}", 512},
        {"{\"model_max_length\": 1000000000000000019884624838656}", 512},
        {"{\"model_max_length\": null}", 512},
        {"{\"model_max_length\": 2}", 2},
    };
    struct scratch s;
    scratch_make(&s);
    struct error e = {0};
    refused(&s, "neither spiece.model nor tokenizer.model");
    put(&s, "tokenizer.model", s.model, s.size);
    refused(&s, "tokenizer_config.json");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct tokenizer *t;
        put(&s, "tokenizer_config.json", good[i].config, strlen(good[i].config));
        assert_int_equal(tokenizer_open(s.dir, &t, &e), 0);
        assert_int_equal(tokenizer_limit(t), good[i].limit);
        tokenizer_close(t);
    }
    static const char *const bad[] = {"", "[]", "{\"model_max_length\": \"many\"}",
                                      "{\"model_max_length\": 1}", "{\"model_max_length\": -5}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put(&s, "tokenizer_config.json", bad[i], strlen(bad[i]));
        refused(&s, "tokenizer_config.json");
    }
    scratch_drop(&s);
}

static void damaged_models_are_refused(void **state)
{
    (void)state;
    struct scratch s;
    scratch_make(&s);
    put(&s, "tokenizer_config.json", "{}", 2);
    put(&s, "spiece.model", "", 0);
    refused(&s, "spiece.model");
    put(&s, "spiece.model", "not a model at all", 18);
    refused(&s, "spiece.model");
    for (size_t cut = 1; cut < s.size; cut = cut * 3 + 1) {
        put(&s, "spiece.model", s.model, cut);
        refused(&s, "spiece.model");
    }
    scratch_drop(&s);
}

/* Whatever random damage does, opening fails or every text still has ids. */
static void random_damage_never_crashes(void **state)
{
    (void)state;
    const char *given = getenv("AUTEUR_TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : 20261121;
    print_message("AUTEUR_TEST_SEED=%u\n", seed);
    srand(seed);
    const char *text = "A frigate, ｆｕｌｌ naïve café \xf0\x9f\x8e\xac \xff at dawn. ﷺ ㍿";
    struct scratch s;
    scratch_make(&s);
    put(&s, "tokenizer_config.json", "{}", 2);
    char *damaged = malloc(s.size);
    assert_non_null(damaged);
    int refusals = 0;
    for (int round = 0; round < 60; round++) {
        memcpy(damaged, s.model, s.size);
        /* All over the file, or in its large table of normalisations alone. */
        size_t from = round % 2 ? 7000 : 0;
        for (int n = 1 << round % 16; n > 0; n--)
            damaged[from + (size_t)rand() % (s.size - from)] ^= (char)(1 << rand() % 8);
        put(&s, "spiece.model", damaged, s.size);
        struct tokenizer *t = NULL;
        struct error e = {0};
        if (tokenizer_open(s.dir, &t, &e) != 0) {
            refusals++;
            continue;
        }
        int32_t ids[TOKENIZER_LIMIT_MAX];
        int count;
        if (tokenizer_encode(t, text, strlen(text), ids, TOKENIZER_LIMIT_MAX, &count, &e) == 0)
            assert_in_range(count, 1, TOKENIZER_LIMIT_MAX);
        tokenizer_close(t);
    }
    assert_true(refusals > 10);
    free(damaged);
    scratch_drop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_equal_the_golden_ones),
        cmocka_unit_test(long_texts_keep_their_end_marker),
        cmocka_unit_test(odd_texts_are_texts),
        cmocka_unit_test(configuration_decides_the_length),
        cmocka_unit_test(damaged_models_are_refused),
        cmocka_unit_test(random_damage_never_crashes),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
