/* Mistakes in a lexicon are named with their file, line and column; the shipped one has none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "kernels/base/file.h"
#include "kernels/base/strbuf.h"
#include "prompts/lexicon.h"

static char path[] = "/tmp/auteur-lexicon-XXXXXX";

static int make_path(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int drop_path(void **state)
{
    (void)state;
    return unlink(path);
}

static int open_text(const char *text, size_t size, struct error *e)
{
    struct lexicon *l = NULL;
    error_clear(e);
    assert_int_equal(file_write_atomic(path, text, size, e), 0);
    int rc = lexicon_open(path, &l, e);
    if (rc == 0)
        lexicon_close(l);
    else
        assert_null(l);
    return rc;
}

/* A small lexicon without mistakes, a section a line (1..6). */
static const char *const good[] = {
    "quotes: {pairs: ['\"\"'], elisions: [tis]}",
    "words: {lettering: [text, big letters], noun: [sea]}",
    "patterns: {quote: '[\\x{E100}-\\x{E4FF}]', two: '@noun _ @quote'}",
    "rules: [{name: a, find: '(?<text> @two )', overlay: title}]",
    "tidy: [['_ _+', _]]",
    "categories: [{name: light, known: [sun], add: [{words: sunny, when: [sea]}]}]",
};
enum { SECTIONS = sizeof good / sizeof *good };

static int open_with(int line, const char *instead, struct error *e)
{
    struct strbuf b = {0};
    for (int i = 0; i < SECTIONS; i++)
        strbuf_addf(&b, "%s\n", i + 1 == line ? instead : good[i]);
    char *text = strbuf_take(&b);
    assert_non_null(text);
    int rc = open_text(text, strlen(text), e);
    free(text);
    return rc;
}

static void mistakes_are_named_with_their_place(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *instead, *says;
    } bad[] = {
        {1, "quotes: {pairs: ['\"'], elisions: [tis]}", "1:18: a pair is two characters"},
        {1, "quotes: {pairs: [abc], elisions: [tis]}", "two characters"},
        {1, "quotes: {pairs: ['']}", "\"elisions\" is missing"},
        {1, "quotes: [a]", "1:9: must be a mapping"},
        {2, "words: {lettering: [text], noun: []}", "2:34: the list is empty"},
        {2, "words: {lettering: [text], noun: [[a]]}", "must be a text"},
        {2, "words: {lettering: [text], noun: [a], noun: [b]}", "2:39: \"noun\" stands here twice"},
        {2, "words: {lettering: [text], Noun: [a]}", "small letters"},
        {2, "words: {noun: [sea]}", "@lettering"},
        {2, "words: {lettering: [text], noun: ['(a']}", "near"},
        {3, "patterns: {quote: '@nothing'}", "3:19: @nothing: there is no list or pattern"},
        {3, "patterns: {quote: '(?<a> b'}", "3:19: missing closing parenthesis"},
        {4, "rules: [{name: a, find: '(?<text> b)'}]", "4:9: needs an overlay, or a note"},
        {4, "rules: [{name: a, find: b, overlay: title}]", "4:25: an overlay needs a group"},
        {4, "rules: [{name: a, find: '(?<text>b)', overlay: big}]", "4:48: overlay must be title"},
        {4, "rules: [{name: a, find: b, note: c, becomes: $d}]", "4:46: $d: the pattern has no"},
        {4, "rules: [{name: a, fnid: b}]", "4:19: unknown key \"fnid\""},
        {4, "rules: [{find: b}]", "\"name\" is missing"},
        {4, "rules: {a: b}", "4:8: must be a list"},
        {5, "tidy: [[a]]", "5:8: must be [pattern, what it becomes]"},
        {5, "tidy: [['[', '']]", "5:9:"},
        {6, "categories: [{name: look, known: [b], add: [{when: [c]}]}]", "\"words\" is missing"},
        {6, "categories: [{name: look, known: [b], add: [{words: c}]}]", "\"when\" is missing"},
        {6, "categories: [{name: look, known: [b]}]", "6:14: \"add\" is missing"},
        {6, "categories: [{name: a, known: [b], add: []}]", "6:21: a category is camera, light or"},
        {6, "", "\"categories\" is missing"},
        {6, "categories: [\n", "did not find"},
        {6, "categories: []\nextra: 1", "7:1: unknown key \"extra\""},
    };
    struct error e = {0};
    int wrong = 0;
    if (open_with(0, NULL, &e) != 0)
        fail_msg("%s", e.text);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (open_with(bad[i].line, bad[i].instead, &e) == 0)
            fail_msg("accepted: %s", bad[i].instead);
        assert_int_equal(e.code, ERROR_INPUT);
        if (strncmp(e.text, path, strlen(path)) == 0 && strstr(e.text, bad[i].says))
            continue;
        print_error("%s: says \"%s\", not \"%s\"\n", bad[i].instead, e.text, bad[i].says);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

static void odd_files_are_refused(void **state)
{
    (void)state;
    struct error e = {0};
    struct lexicon *l = NULL;
    assert_int_equal(lexicon_open("/nonexistent/lexicon.yaml", &l, &e), -1);
    assert_int_equal(e.code, ERROR_IO);
    assert_int_equal(open_text("", 0, &e), -1);
    assert_int_equal(open_text("\xff\xfe\x00", 3, &e), -1);
    assert_int_equal(open_text("a", 1, &e), -1);
    assert_int_equal(open_text("&a [*a]", 7, &e), -1);
    assert_int_equal(open_text("quotes: &a {pairs: *a, elisions: *a}", 36, &e), -1);
}

/* Cutting the shipped lexicon anywhere gives an error or a lexicon, never a crash. */
static void a_cut_lexicon_is_met_with_an_error(void **state)
{
    (void)state;
    struct error e = {0};
    char *bytes;
    size_t size;
    assert_int_equal(file_read("prompts/lexicon.yaml", 1 << 20, &bytes, &size, &e), 0);
    assert_int_equal(open_text(bytes, size, &e), 0);
    for (size_t cut = 0; cut < size * 3 / 4; cut += 397)
        assert_int_equal(open_text(bytes, cut, &e), -1);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_named_with_their_place),
        cmocka_unit_test(odd_files_are_refused),
        cmocka_unit_test(a_cut_lexicon_is_met_with_an_error),
    };
    return cmocka_run_group_tests(tests, make_path, drop_path);
}
