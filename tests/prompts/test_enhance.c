/* Prompt enhancement against a corpus of prompts with what must become of them
 * (data/prompts.txt, whose head says how it is written). */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernels/base/file.h"
#include "kernels/base/strbuf.h"
#include "prompts/enhance.h"

#define LEXICON "prompts/lexicon.yaml"
#define CORPUS  "tests/prompts/data/prompts.txt"

static struct lexicon *lexicon;
static struct tokenizer *tokenizer;

static int open_all(void **state)
{
    (void)state;
    struct error e = {0};
    int rc = lexicon_open(LEXICON, &lexicon, &e);
    if (rc == 0)
        rc = tokenizer_open("tests/fixtures/wan2.2-t2v-a14b/tokenizer", &tokenizer, &e);
    if (rc != 0)
        print_error("%s\n", e.text);
    return rc;
}

static int close_all(void **state)
{
    (void)state;
    lexicon_close(lexicon);
    lexicon_close(NULL);
    tokenizer_close(tokenizer);
    return 0;
}

struct line {
    const char *key, *value;
    int number;
};
struct test_case {
    struct line lines[32];
    size_t count;
};

static const struct line *find(const struct test_case *c, const char *key)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->lines[i].key, key) == 0)
            return &c->lines[i];
    return NULL;
}

static const char *value(const struct test_case *c, const char *key, const char *absent)
{
    const struct line *l = find(c, key);
    return l ? l->value : absent;
}

static bool is_style(const char *key)
{
    return strcmp(key, "title") == 0 || strcmp(key, "caption") == 0 || strcmp(key, "credit") == 0 ||
           strcmp(key, "lower-third") == 0;
}

static int complain(const struct line *at, const char *what, const char *got)
{
    print_error(CORPUS ":%d: %s\n  wanted: %s\n  got:    %s\n", at->number, what, at->value, got);
    return 1;
}

static int check_overlays(const struct test_case *c, const struct enhanced *out)
{
    size_t k = 0;
    int wrong = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (!is_style(c->lines[i].key))
            continue;
        if (k == out->overlay_count)
            return wrong + complain(&c->lines[i], "an overlay is missing", "none");
        const struct enhanced_overlay *o = &out->overlays[k++];
        if (strcmp(o->style, c->lines[i].key) != 0)
            wrong += complain(&c->lines[i], c->lines[i].key, o->style);
        if (strcmp(o->text, c->lines[i].value) != 0)
            wrong += complain(&c->lines[i], c->lines[i].key, o->text);
    }
    if (k < out->overlay_count)
        wrong += complain(&c->lines[0], "an overlay too many", out->overlays[k].text);
    return wrong;
}

static int check_notes(const struct test_case *c, const struct enhanced *out)
{
    int wrong = 0;
    for (size_t i = 0; i < c->count; i++) {
        bool warns = strcmp(c->lines[i].key, "warns") == 0;
        bool never = strcmp(c->lines[i].key, "never") == 0;
        if (!warns && !never && strcmp(c->lines[i].key, "notes") != 0)
            continue;
        bool found = false;
        for (size_t k = 0; k < out->note_count; k++)
            found |= out->notes[k].warning == warns &&
                     strstr(out->notes[k].text, c->lines[i].value) != NULL;
        if (found == never)
            wrong += complain(&c->lines[i], never ? "a note of this" : "no such note",
                              out->note_count ? out->notes[out->note_count - 1].text : "");
    }
    return wrong;
}

static int run_case(const struct test_case *c)
{
    const char *policy = value(c, "policy", "overlay");
    struct enhance_request r = {
        .prompt = value(c, "prompt", ""),
        .camera = value(c, "camera", ""),
        .look = value(c, "look", ""),
        .negative = value(c, "no", ""),
        .base_negative = value(c, "base", "text, letters"),
        .lettering = strcmp(policy, "keep") == 0   ? LETTERING_KEEP
                     : strcmp(policy, "drop") == 0 ? LETTERING_DROP
                                                   : LETTERING_OVERLAY,
        .small = find(c, "small") != NULL,
        .additions = find(c, "add") ? WORDS_CAMERA | WORDS_LIGHT | WORDS_LOOK : 0,
        .limit = atoi(value(c, "limit", "100000")),
    };
    struct arena a = {0};
    struct enhanced out;
    struct error e = {0};
    int wrong = 0;
    if (enhance(lexicon, tokenizer, &r, &a, &out, &e) != 0) {
        wrong = complain(&c->lines[0], "fails", e.text);
    } else {
        const struct line *told = find(c, "told"), *negative = find(c, "negative");
        if (told && strcmp(told->value, out.prompt) != 0)
            wrong += complain(told, "prompt", out.prompt);
        if (negative && strcmp(negative->value, out.negative) != 0)
            wrong += complain(negative, "negative", out.negative);
        wrong += check_overlays(c, &out) + check_notes(c, &out);
        if (out.prompt_tokens > r.limit ||
            out.prompt_tokens != tokenizer_count(tokenizer, out.prompt, strlen(out.prompt), &e))
            wrong += complain(&c->lines[0], "token count", out.prompt);
    }
    arena_free(&a);
    return wrong;
}

/* Takes one block of lines off *text: 0 when there is none left. */
static int next_case(char **text, int *number, struct test_case *c)
{
    c->count = 0;
    while (**text) {
        char *line = *text, *end = line + strcspn(line, "\n");
        *text = *end ? end + 1 : end;
        *end = '\0';
        ++*number;
        if (!*line && c->count > 0)
            break;
        if (!*line || *line == '#')
            continue;
        char *colon = strchr(line, ':');
        if (!colon || c->count == 32)
            fail_msg(CORPUS ":%d: not \"key: value\"", *number);
        *colon = '\0';
        c->lines[c->count++] = (struct line){line, colon + 1 + (colon[1] == ' '), *number};
    }
    return c->count > 0;
}

static void corpus(void **state)
{
    (void)state;
    struct error e = {0};
    char *bytes;
    size_t size;
    assert_int_equal(file_read(CORPUS, 1 << 20, &bytes, &size, &e), 0);
    char *text = bytes;
    int number = 0, cases = 0, wrong = 0;
    struct test_case c;
    while (next_case(&text, &number, &c)) {
        wrong += run_case(&c);
        cases++;
    }
    print_message("%d prompts\n", cases);
    assert_true(cases >= 60);
    assert_int_equal(wrong, 0);
    free(bytes);
}

static struct enhanced told(struct arena *a, const char *prompt, int limit)
{
    struct enhance_request r = {.prompt = prompt,
                                .camera = "",
                                .look = "",
                                .negative = "",
                                .base_negative = "text, letters",
                                .limit = limit};
    struct enhanced out;
    struct error e = {0};
    if (enhance(lexicon, tokenizer, &r, a, &out, &e) != 0)
        fail_msg("%s", e.text);
    assert_in_range(out.prompt_tokens, 1, limit);
    assert_in_range(out.negative_tokens, 1, limit);
    return out;
}

static void any_bytes_are_a_prompt(void **state)
{
    (void)state;
    static const char *const odd[] = {
        "\xff\xfe",
        "a sea \xc3",
        "\xed\xa0\x80 sea",
        "\xee\x84\x80 quote mark",
        "sea\x01\x02\x7f\x1b[31m",
        "\xef\xbf\xbf\xef\xbb\xbf sea",
        "\xe2\x80\x8f rtl \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \"\xd7\xa9\"",
        "\xf0\x9f\x9a\xa2\xe2\x80\x8d\xf0\x9f\x8e\xac \"\xf0\x9f\x8e\xac\"",
        "\n\t \r",
        "e\xcc\x81\xcc\x81\xcc\x81",
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        told(&a, odd[i], 512);
    struct enhanced out = told(&a, "\xee\x84\x80 sea \"OPEN\" \xff!", 512);
    assert_int_equal(out.overlay_count, 1);
    assert_string_equal(out.overlays[0].text, "OPEN");
    arena_free(&a);
}

static void endless_prompts_keep_their_beginning(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "sea ",      "a",    "\"a\" ", "sign reading A ", "title \"", "\xe6\xb5\xb7", "(",
        "no text, ", "big ", "'",      "e\xcc\x81"};
    enum { SIZE = 30000 };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct arena a = {0};
        char *text = calloc(1, SIZE + 32);
        assert_non_null(text);
        for (size_t n = 0; n < SIZE; n += strlen(parts[i]))
            strcpy(text + n, parts[i]);
        struct enhanced out = told(&a, text, i % 2 ? 64 : 2);
        assert_true(out.note_count > 0 && out.note_count <= 200);
        assert_true(out.overlay_count <= 64);
        free(text);
        arena_free(&a);
    }
}

/* Prompts of random parts: whatever comes out holds no mark of the rules' own and no lettering that
 * became an overlay twice. AUTEUR_TEST_SEED sets the seed. */
static void random_prompts_are_told_cleanly(void **state)
{
    (void)state;
    static const char *const parts[] = {"a ship",
                                        "with",
                                        "the title",
                                        "\"",
                                        "\"",
                                        "THE END",
                                        "'",
                                        "a sign that says",
                                        "OPEN",
                                        ",",
                                        ".",
                                        "says",
                                        "she",
                                        "\xe2\x80\x9c",
                                        "\xe2\x80\x9d",
                                        "\xc2\xab",
                                        "\xc2\xbb",
                                        "reading",
                                        "credits",
                                        "caption:",
                                        "no text",
                                        "logo of",
                                        "over",
                                        "in gold letters",
                                        "appear",
                                        "at the bottom",
                                        "don't",
                                        "$text",
                                        "@title",
                                        "_",
                                        "(",
                                        ")",
                                        "\xe6\xb5\xb7",
                                        "named",
                                        "and",
                                        "subtitles",
                                        "painted on its bow",
                                        "!",
                                        "the words"};
    const char *given = getenv("AUTEUR_TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : 20261121;
    print_message("AUTEUR_TEST_SEED=%u\n", seed);
    srand(seed);
    for (int round = 0; round < 1500; round++) {
        struct arena a = {0};
        struct strbuf b = {0};
        for (int n = rand() % 14 + 1; n > 0; n--)
            strbuf_addf(&b, "%s%s", parts[(size_t)rand() % (sizeof parts / sizeof *parts)],
                        rand() % 4 ? " " : "");
        struct enhanced out = told(&a, b.text, 512);
        for (const char *p = out.prompt; *p; p++)
            if ((unsigned char)*p == 0xee && ((unsigned char)p[1] & 0xfc) == 0x84)
                fail_msg("\"%s\" became \"%s\"", b.text, out.prompt);
        if (strstr(out.prompt, "  ") || (out.overlay_count > 0 && strstr(out.prompt, " ,")))
            fail_msg("\"%s\" became \"%s\"", b.text, out.prompt);
        struct enhanced again = told(&a, b.text, 512);
        assert_string_equal(out.prompt, again.prompt);
        strbuf_free(&b);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corpus),
        cmocka_unit_test(any_bytes_are_a_prompt),
        cmocka_unit_test(endless_prompts_keep_their_beginning),
        cmocka_unit_test(random_prompts_are_told_cleanly),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
