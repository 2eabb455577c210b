#include "prompts/lexicon_patterns.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/strbuf.h"

enum { PATTERN_BYTES_MAX = 1 << 20 };

bool pattern_is_name(char c)
{
    return (c >= 'a' && c <= 'z') || c == '-';
}

static const struct macro *find_macro(const struct lexicon_reader *r, const char *name,
                                      size_t length)
{
    for (size_t i = 0; i < r->macro_count; i++)
        if (strlen(r->macros[i].name) == length && memcmp(r->macros[i].name, name, length) == 0)
            return &r->macros[i];
    return NULL;
}

char *pattern_expand(struct lexicon_reader *r, const yaml_node_t *at, const char *pattern)
{
    struct strbuf b = {0};
    for (const char *p = pattern; *p; p++) {
        if (*p == '\\' && p[1]) {
            strbuf_addn(&b, p++, 2);
        } else if (*p == '_') {
            strbuf_add(&b, "[ ]");
        } else if (*p == '@') {
            size_t n = 0;
            while (pattern_is_name(p[1 + n]))
                n++;
            const struct macro *m = find_macro(r, p + 1, n);
            if (!m) {
                yaml_complain(&r->file, at, r->e,
                              "@%.*s: there is no list or pattern of that name "
                              "above",
                              (int)n, p + 1);
                strbuf_free(&b);
                return NULL;
            }
            strbuf_add(&b, m->text);
            p += n;
        } else {
            strbuf_addn(&b, p, 1);
        }
        if (b.length > PATTERN_BYTES_MAX) {
            yaml_complain(&r->file, at, r->e, "the pattern grows too large");
            strbuf_free(&b);
            return NULL;
        }
    }
    char *text = strbuf_take(&b);
    if (!text)
        error_memory(r->e);
    return text;
}

int pattern_define(struct lexicon_reader *r, const yaml_node_t *at, const char *name,
                   const char *text)
{
    if (find_macro(r, name, strlen(name)))
        return yaml_complain(&r->file, at, r->e, "\"%s\" stands here twice", name);
    for (const char *p = name; *p || p == name; p++)
        if (!pattern_is_name(*p))
            return yaml_complain(&r->file, at, r->e, "a name is of small letters and hyphens");
    if (r->macro_count == r->macro_room) {
        size_t room = r->macro_room ? 2 * r->macro_room : 64;
        struct macro *grown = realloc(r->macros, room * sizeof *grown);
        if (!grown)
            return error_memory(r->e);
        r->macros = grown;
        r->macro_room = room;
    }
    struct macro m = {arena_strdup(&r->to->arena, name),
                      arena_printf(&r->to->arena, "(?:%s)", text)};
    if (!m.name || !m.text)
        return error_memory(r->e);
    r->macros[r->macro_count++] = m;
    return 0;
}

pcre2_code *pattern_compile(struct lexicon_reader *r, const yaml_node_t *at, const char *text)
{
    struct lexicon *to = r->to;
    int number;
    PCRE2_SIZE offset;
    if (to->code_count == to->code_room) {
        size_t room = to->code_room ? 2 * to->code_room : 64;
        pcre2_code **grown = realloc(to->codes, room * sizeof *grown);
        if (!grown) {
            error_memory(r->e);
            return NULL;
        }
        to->codes = grown;
        to->code_room = room;
    }
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                                     PCRE2_UTF | PCRE2_UCP | PCRE2_CASELESS | PCRE2_EXTENDED,
                                     &number, &offset, NULL);
    if (!code) {
        char message[120];
        size_t from = offset > 30 ? offset - 30 : 0;
        pcre2_get_error_message(number, (PCRE2_UCHAR *)message, sizeof message);
        yaml_complain(&r->file, at, r->e, "%s, near \"%.30s\"", message, text + from);
        return NULL;
    }
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* only for speed: it may well be refused */
    to->codes[to->code_count++] = code;
    return code;
}

static int longest_first(const void *a, const void *b)
{
    size_t x = strlen(*(const char *const *)a), y = strlen(*(const char *const *)b);
    return x < y ? 1 : x > y ? -1 : strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *pattern_of_words(struct lexicon_reader *r, const yaml_node_t *list)
{
    size_t count;
    if (yaml_list(&r->file, list, &count, r->e) != 0)
        return NULL;
    const char **words = calloc(count + 1, sizeof *words);
    struct strbuf b = {0};
    char *text = NULL;
    if (!words) {
        error_memory(r->e);
        return NULL;
    }
    if (count == 0)
        yaml_complain(&r->file, list, r->e, "the list is empty");
    for (size_t i = 0; i < count; i++)
        if (yaml_text(&r->file, yaml_item(&r->file, list, i), &words[i], r->e) != 0)
            count = 0;
    qsort(words, count, sizeof *words, longest_first);
    for (size_t i = 0; i < count; i++) {
        strbuf_add(&b, i ? "|" : "\\b(?:");
        for (const char *p = words[i]; *p; p++)
            strbuf_addn(&b, *p == ' ' ? "[ ]" : p, *p == ' ' ? 3 : 1);
    }
    strbuf_add(&b, ")\\b");
    if (count > 0 && !(text = strbuf_take(&b)))
        error_memory(r->e);
    strbuf_free(&b);
    free(words);
    return text;
}
