#include "prompts/lexicon.h"

#include <stdlib.h>
#include <string.h>
#include <unistr.h>

#include "kernels/base/strbuf.h"
#include "prompts/lexicon_patterns.h"

static pcre2_code *compile_pattern(struct lexicon_reader *r, const yaml_node_t *at)
{
    const char *pattern;
    if (yaml_text(&r->file, at, &pattern, r->e) != 0)
        return NULL;
    char *text = pattern_expand(r, at, pattern);
    pcre2_code *code = text ? pattern_compile(r, at, text) : NULL;
    free(text);
    return code;
}

static int read_words(struct lexicon_reader *r, const yaml_node_t *map)
{
    size_t count;
    if (yaml_map(&r->file, map, &count, r->e) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        yaml_node_t *key = yaml_key(&r->file, map, i);
        char *text = pattern_of_words(r, yaml_value(&r->file, map, i));
        int rc = text ? pattern_define(r, key, (const char *)key->data.scalar.value, text) : -1;
        free(text);
        if (rc != 0)
            return -1;
    }
    return 0;
}

static int read_patterns(struct lexicon_reader *r, const yaml_node_t *map)
{
    size_t count;
    if (yaml_map(&r->file, map, &count, r->e) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        yaml_node_t *key = yaml_key(&r->file, map, i), *value = yaml_value(&r->file, map, i);
        const char *pattern;
        if (yaml_text(&r->file, value, &pattern, r->e) != 0)
            return -1;
        char *text = pattern_expand(r, value, pattern);
        /* Compiled here too, so that a mistake is found at its own line. */
        int rc = text && pattern_compile(r, value, text)
                     ? pattern_define(r, key, (const char *)key->data.scalar.value, text)
                     : -1;
        free(text);
        if (rc != 0)
            return -1;
    }
    return 0;
}

static int read_quotes(struct lexicon_reader *r, const yaml_node_t *map)
{
    static const char *const names[] = {"pairs", "elisions"};
    yaml_node_t *fields[2];
    size_t count;
    if (yaml_fields(&r->file, map, names, 2, 2, fields, r->e) != 0 ||
        yaml_list(&r->file, fields[0], &count, r->e) != 0)
        return -1;
    r->to->pairs = arena_array(&r->to->arena, count + 1, sizeof *r->to->pairs);
    if (!r->to->pairs)
        return error_memory(r->e);
    for (size_t i = 0; i < count; i++) {
        yaml_node_t *item = yaml_item(&r->file, fields[0], i);
        const char *text;
        ucs4_t open, close;
        if (yaml_text(&r->file, item, &text, r->e) != 0)
            return -1;
        size_t size = strlen(text);
        int first = u8_mbtouc(&open, (const uint8_t *)text, size);
        int second = (size_t)first < size
                         ? u8_mbtouc(&close, (const uint8_t *)text + first, size - (size_t)first)
                         : 0;
        if (size == 0 || second == 0 || (size_t)(first + second) != size)
            return yaml_complain(&r->file, item, r->e, "a pair is two characters");
        r->to->pairs[r->to->pair_count++] = (struct quote_pair){open, close};
    }
    char *text = pattern_of_words(r, fields[1]);
    struct strbuf b = {0};
    strbuf_addf(&b, "\\A%s", text ? text : "");
    r->to->elision = text && b.text ? pattern_compile(r, fields[1], b.text) : NULL;
    strbuf_free(&b);
    free(text);
    return r->to->elision ? 0 : -1;
}

static int copy_text(struct lexicon_reader *r, const yaml_node_t *node, const char **out)
{
    const char *text;
    if (!node)
        return 0;
    if (yaml_text(&r->file, node, &text, r->e) != 0)
        return -1;
    *out = arena_strdup(&r->to->arena, text);
    return *out ? 0 : error_memory(r->e);
}

static int has_group(const pcre2_code *code, const char *name)
{
    return pcre2_substring_number_from_name(code, (PCRE2_SPTR)name) > 0;
}

/* Every $name of a replacement must be a group of the pattern. */
static int check_becomes(struct lexicon_reader *r, const yaml_node_t *at, const pcre2_code *code,
                         const char *becomes)
{
    for (const char *p = strchr(becomes, '$'); p; p = strchr(p + 1, '$')) {
        char name[32];
        size_t n = 0;
        while (pattern_is_name(p[1 + n]) && p[1 + n] != '-' && n + 1 < sizeof name) {
            name[n] = p[1 + n];
            n++;
        }
        name[n] = '\0';
        if (!has_group(code, name))
            return yaml_complain(&r->file, at, r->e, "$%s: the pattern has no such group", name);
    }
    return 0;
}

static int read_rule(struct lexicon_reader *r, const yaml_node_t *map, struct lettering_rule *to)
{
    static const char *const names[] = {"name", "find", "becomes", "overlay", "note"};
    static const char *const styles[] = {"title", "lower-third", "caption", "credit"};
    yaml_node_t *f[5];
    to->becomes = "";
    if (yaml_fields(&r->file, map, names, 5, 2, f, r->e) != 0 ||
        copy_text(r, f[0], &to->name) != 0 || copy_text(r, f[2], &to->becomes) != 0 ||
        copy_text(r, f[3], &to->overlay) != 0 || copy_text(r, f[4], &to->note) != 0)
        return -1;
    to->find = compile_pattern(r, f[1]);
    if (!to->find || (f[2] && check_becomes(r, f[2], to->find, to->becomes) != 0))
        return -1;
    if (!to->overlay && !to->note)
        return yaml_complain(&r->file, map, r->e, "needs an overlay, or a note that says why not");
    if (!to->overlay)
        return 0;
    bool known = false;
    for (size_t i = 0; i < sizeof styles / sizeof *styles; i++)
        known |= strcmp(styles[i], to->overlay) == 0;
    if (!known)
        return yaml_complain(&r->file, f[3], r->e,
                             "overlay must be title, lower-third, caption or credit");
    if (!has_group(to->find, "text"))
        return yaml_complain(&r->file, f[1], r->e, "an overlay needs a group (?<text> ...)");
    return 0;
}

static int read_rules(struct lexicon_reader *r, const yaml_node_t *list)
{
    struct lexicon *to = r->to;
    size_t count;
    if (yaml_list(&r->file, list, &count, r->e) != 0)
        return -1;
    to->rules = arena_array(&to->arena, count + 1, sizeof *to->rules);
    if (!to->rules)
        return error_memory(r->e);
    for (; to->rule_count < count; to->rule_count++)
        if (read_rule(r, yaml_item(&r->file, list, to->rule_count), &to->rules[to->rule_count]))
            return -1;
    return 0;
}

static int read_tidy(struct lexicon_reader *r, const yaml_node_t *list)
{
    struct lexicon *to = r->to;
    size_t count, two;
    if (yaml_list(&r->file, list, &count, r->e) != 0)
        return -1;
    to->tidy = arena_array(&to->arena, count + 1, sizeof *to->tidy);
    if (!to->tidy)
        return error_memory(r->e);
    for (; to->tidy_count < count; to->tidy_count++) {
        yaml_node_t *item = yaml_item(&r->file, list, to->tidy_count);
        struct tidy_rule *t = &to->tidy[to->tidy_count];
        if (yaml_list(&r->file, item, &two, r->e) != 0)
            return -1;
        if (two != 2)
            return yaml_complain(&r->file, item, r->e, "must be [pattern, what it becomes]");
        yaml_node_t *becomes = yaml_item(&r->file, item, 1);
        t->find = compile_pattern(r, yaml_item(&r->file, item, 0));
        if (!t->find || copy_text(r, becomes, &t->becomes) != 0 ||
            check_becomes(r, becomes, t->find, t->becomes) != 0)
            return -1;
    }
    return 0;
}

/* before: what the words must not stand behind, in PCRE2's syntax; "" for nothing. */
static pcre2_code *compile_words(struct lexicon_reader *r, const char *before,
                                 const yaml_node_t *list)
{
    char *words = pattern_of_words(r, list);
    const char *text = words ? arena_printf(&r->to->arena, "%s%s", before, words) : NULL;
    if (words && !text)
        error_memory(r->e);
    free(words);
    return text ? pattern_compile(r, list, text) : NULL;
}

static int read_additions(struct lexicon_reader *r, const yaml_node_t *list, struct category *to)
{
    static const char *const names[] = {"words", "when"};
    static const char denied[] = "(?<!\\bno[ ])(?<!\\bnot[ ])(?<!\\bnot[ ]at[ ])(?<!\\bwithout[ ])";
    yaml_node_t *f[2];
    size_t count;
    if (yaml_list(&r->file, list, &count, r->e) != 0)
        return -1;
    to->add = arena_array(&r->to->arena, count + 1, sizeof *to->add);
    if (!to->add)
        return error_memory(r->e);
    for (; to->add_count < count; to->add_count++) {
        struct addition *a = &to->add[to->add_count];
        const yaml_node_t *item = yaml_item(&r->file, list, to->add_count);
        if (yaml_fields(&r->file, item, names, 2, 2, f, r->e) != 0 ||
            copy_text(r, f[0], &a->words) != 0 || !(a->when = compile_words(r, denied, f[1])))
            return -1;
    }
    return 0;
}

static int read_category(struct lexicon_reader *r, const yaml_node_t *item, struct category *to)
{
    static const char *const names[] = {"name", "known", "add"};
    static const struct {
        const char *name;
        enum word_kind kind;
    } kinds[] = {{"camera", WORDS_CAMERA}, {"light", WORDS_LIGHT}, {"look", WORDS_LOOK}};
    yaml_node_t *f[3];
    if (yaml_fields(&r->file, item, names, 3, 3, f, r->e) != 0 || copy_text(r, f[0], &to->name))
        return -1;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, to->name) == 0)
            to->kind = kinds[i].kind;
    if (!to->kind)
        return yaml_complain(&r->file, f[0], r->e, "a category is camera, light or look");
    to->known = compile_words(r, "", f[1]);
    return to->known ? read_additions(r, f[2], to) : -1;
}

static int read_categories(struct lexicon_reader *r, const yaml_node_t *list)
{
    struct lexicon *to = r->to;
    size_t count;
    if (yaml_list(&r->file, list, &count, r->e) != 0)
        return -1;
    to->categories = arena_array(&to->arena, count + 1, sizeof *to->categories);
    if (!to->categories)
        return error_memory(r->e);
    for (; to->category_count < count; to->category_count++) {
        const yaml_node_t *item = yaml_item(&r->file, list, to->category_count);
        if (read_category(r, item, &to->categories[to->category_count]) != 0)
            return -1;
    }
    return 0;
}

static int read_all(struct lexicon_reader *r)
{
    static const char *const names[] = {"quotes", "words", "patterns",
                                        "rules",  "tidy",  "categories"};
    yaml_node_t *f[6], *root = yaml_file_root(&r->file);
    if (yaml_fields(&r->file, root, names, 6, 6, f, r->e) != 0 || read_quotes(r, f[0]) != 0 ||
        read_words(r, f[1]) != 0 || read_patterns(r, f[2]) != 0 || read_rules(r, f[3]) != 0 ||
        read_tidy(r, f[4]) != 0 || read_categories(r, f[5]) != 0)
        return -1;
    char *text = pattern_expand(r, f[1], "\\A (?: no_ )? @lettering \\z");
    r->to->lettering = text ? pattern_compile(r, f[1], text) : NULL;
    free(text);
    return r->to->lettering ? 0 : -1;
}

int lexicon_open(const char *path, struct lexicon **out, struct error *e)
{
    struct lexicon *to = calloc(1, sizeof *to);
    if (!to)
        return error_memory(e);
    struct lexicon_reader r = {.to = to, .e = e};
    int rc = -1;
    to->path = arena_strdup(&to->arena, path);
    if (!to->path)
        error_memory(e);
    else if (yaml_file_open(to->path, &r.file, e) == 0)
        rc = read_all(&r);
    yaml_file_close(&r.file);
    free(r.macros);
    if (rc == 0)
        *out = to;
    else
        lexicon_close(to);
    return rc;
}

void lexicon_close(struct lexicon *lexicon)
{
    if (!lexicon)
        return;
    for (size_t i = 0; i < lexicon->code_count; i++)
        pcre2_code_free(lexicon->codes[i]);
    free(lexicon->codes);
    arena_free(&lexicon->arena);
    free(lexicon);
}
