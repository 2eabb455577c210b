#include "prompts/text_normalizer.h"

#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

#include "kernels/base/arena.h"
#include "kernels/base/strbuf.h"
#include "prompts/text_pattern.h"

enum {
    STEPS_MAX = 16,
    REPLACEMENT_MAX = 64,
    RESULT_MAX = 1 << 24, /* bytes: no text grows so, but for hostile settings */
};

struct step {
    int (*apply)(const struct step *s, const char *text, size_t size, struct strbuf *out,
                 struct error *e);
    uninorm_t form;
    struct text_pattern *pattern;
    const char *replacement;
};

struct text_normalizer {
    struct arena arena;
    struct step steps[STEPS_MAX];
    int count;
};

/* ---- steps */

static int apply_form(const struct step *s, const char *text, size_t size, struct strbuf *out,
                      struct error *e)
{
    size_t length;
    uint8_t *normal = u8_normalize(s->form, (const uint8_t *)text, size, NULL, &length);
    if (!normal)
        return error_memory(e);
    strbuf_addn(out, (const char *)normal, length);
    free(normal);
    return 0;
}

/* Character by character, without regard to the neighbours: a final sigma stays one as any other.
 * U+0130 is the one character whose small form is two. */
static int apply_lowercase(const struct step *s, const char *text, size_t size, struct strbuf *out,
                           struct error *e)
{
    (void)s;
    (void)e;
    for (size_t i = 0; i < size;) {
        ucs4_t c;
        i += (size_t)u8_mbtouc_unsafe(&c, (const uint8_t *)text + i, size - i);
        uint8_t small[6];
        int n = u8_uctomb(small, c == 0x130 ? 'i' : uc_tolower(c), sizeof small);
        strbuf_addn(out, (const char *)small, (size_t)n);
        if (c == 0x130)
            strbuf_add(out, "\xcc\x87"); /* U+0307, a dot above */
    }
    return 0;
}

static int apply_replace(const struct step *s, const char *text, size_t size, struct strbuf *out,
                         struct error *e)
{
    struct text_matches m;
    size_t start, end, done = 0;
    int rc = text_matches_begin(&m, s->pattern, text, size, e);
    if (rc != 0)
        return -1;
    while ((rc = text_matches_next(&m, &start, &end, e)) > 0) {
        strbuf_addn(out, text + done, start - done);
        strbuf_add(out, s->replacement);
        done = end;
    }
    strbuf_addn(out, text + done, size - done);
    text_matches_end(&m);
    return rc;
}

/* ---- reading */

static int read_step(struct text_normalizer *n, const json_t *settings, const char *path,
                     struct error *e);

static int read_sequence(struct text_normalizer *n, const json_t *list, const char *path,
                         struct error *e)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (read_step(n, json_array_get(list, i), path, e) != 0)
            return -1;
    return 0;
}

static int read_replace(struct text_normalizer *n, struct step *s, const json_t *settings,
                        const char *path, struct error *e)
{
    const char *content = json_string_value(json_object_get(settings, "content"));
    if (!content || strlen(content) > REPLACEMENT_MAX)
        return error_set(e, ERROR_MODEL,
                         "%s: normalizer Replace must have a content of at most %d bytes", path,
                         REPLACEMENT_MAX);
    s->apply = apply_replace;
    s->replacement = arena_strdup(&n->arena, content);
    if (!s->replacement)
        return error_memory(e);
    return text_pattern_read(json_object_get(settings, "pattern"), path, &s->pattern, e);
}

static int read_step(struct text_normalizer *n, const json_t *settings, const char *path,
                     struct error *e)
{
    const struct {
        const char *name;
        uninorm_t form;
    } forms[] = {
        {"NFC", UNINORM_NFC}, {"NFD", UNINORM_NFD}, {"NFKC", UNINORM_NFKC}, {"NFKD", UNINORM_NFKD}};
    const char *type = json_string_value(json_object_get(settings, "type"));
    if (!type)
        return error_set(e, ERROR_MODEL, "%s: a normalizer has no type", path);
    if (strcmp(type, "Sequence") == 0)
        return read_sequence(n, json_object_get(settings, "normalizers"), path, e);
    if (n->count == STEPS_MAX)
        return error_set(e, ERROR_MODEL, "%s: more than %d normalizers", path, STEPS_MAX);
    struct step *s = &n->steps[n->count++];
    if (strcmp(type, "Replace") == 0)
        return read_replace(n, s, settings, path, e);
    if (strcmp(type, "Lowercase") == 0)
        s->apply = apply_lowercase;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(type, forms[i].name) == 0)
            *s = (struct step){.apply = apply_form, .form = forms[i].form};
    return s->apply
               ? 0
               : error_set(e, ERROR_MODEL, "%s: the normalizer %.40s is not supported", path, type);
}

int text_normalizer_read(const json_t *settings, const char *path, struct text_normalizer **out,
                         struct error *e)
{
    struct text_normalizer *n = calloc(1, sizeof *n);
    if (!n)
        return error_memory(e);
    if (settings && !json_is_null(settings) && read_step(n, settings, path, e) != 0) {
        text_normalizer_free(n);
        return -1;
    }
    *out = n;
    return 0;
}

void text_normalizer_free(struct text_normalizer *n)
{
    if (!n)
        return;
    for (int i = 0; i < n->count; i++)
        text_pattern_free(n->steps[i].pattern);
    arena_free(&n->arena);
    free(n);
}

/* ---- use */

int text_normalize(const struct text_normalizer *n, const char *text, size_t size, char **out,
                   size_t *out_size, struct error *e)
{
    struct strbuf now = {0};
    int rc = 0;
    strbuf_addn(&now, text, size);
    for (int i = 0; i < n->count && rc == 0 && now.length > 0; i++) {
        struct strbuf next = {0};
        rc = n->steps[i].apply(&n->steps[i], now.text, now.length, &next, e);
        next.failed |= now.failed;
        strbuf_free(&now);
        now = next;
        if (rc == 0 && now.length > RESULT_MAX)
            rc = error_set(e, ERROR_INPUT, "a text grows to more than %d bytes", RESULT_MAX);
    }
    *out_size = now.length;
    if (rc == 0 && !(*out = strbuf_take(&now)))
        rc = error_memory(e);
    strbuf_free(&now);
    return rc;
}

/* How many bytes of what is no UTF-8 could be the beginning of one character. */
static size_t maximal_subpart(const uint8_t *bytes, size_t size)
{
    ucs4_t c;
    size_t n = 1;
    while (n < 3 && n < size && u8_mbtoucr(&c, bytes, n + 1) == -2) /* -2: more would be needed */
        n++;
    return n;
}

int text_repair(const char *text, size_t size, char **out, size_t *out_size, struct error *e)
{
    struct strbuf b = {0};
    const uint8_t *bytes = (const uint8_t *)text;
    for (size_t i = 0; i < size;) {
        const uint8_t *bad = u8_check(bytes + i, size - i);
        size_t good = bad ? (size_t)(bad - bytes) - i : size - i;
        strbuf_addn(&b, text + i, good);
        i += good;
        if (bad) {
            i += maximal_subpart(bad, size - i);
            strbuf_add(&b, "\xef\xbf\xbd");
        }
    }
    *out_size = b.length;
    *out = strbuf_take(&b);
    return *out ? 0 : error_memory(e);
}
