#define PCRE2_CODE_UNIT_WIDTH 8
#include "prompts/text_pattern.h"

#include <pcre2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/strbuf.h"

enum { PATTERN_BYTES_MAX = 1 << 16 };

struct text_pattern {
    pcre2_code *code;
};

/* \s and \S as Unicode's White_Space: PCRE2's own \s has U+180E too. Other escapes stay, if both
 * libraries mean the same by them. */
static int translate(const char *regex, const char *path, struct strbuf *b, struct error *e)
{
    for (const char *p = regex; *p; p++) {
        if (*p != '\\') {
            strbuf_addn(b, p, 1);
            continue;
        }
        char c = *++p;
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (c == '\0' || (letter && !strchr("sSdDpPnrtx", c)))
            return error_set(e, ERROR_MODEL, "%s: the pattern \"%.80s\" uses \\%c, not supported",
                             path, regex, c ? c : ' ');
        if (c == 's' || c == 'S')
            strbuf_add(b, c == 's' ? "\\p{White_Space}" : "\\P{White_Space}");
        else
            strbuf_addn(b, p - 1, 2);
    }
    return b->failed ? error_memory(e) : 0;
}

static int compile(const char *regex, uint32_t options, const char *path, struct text_pattern *p,
                   struct error *e)
{
    int number;
    PCRE2_SIZE offset;
    p->code = pcre2_compile((PCRE2_SPTR)regex, strlen(regex), PCRE2_UTF | options, &number, &offset,
                            NULL);
    if (!p->code) {
        char message[120];
        pcre2_get_error_message(number, (PCRE2_UCHAR *)message, sizeof message);
        return error_set(e, ERROR_MODEL, "%s: the pattern \"%.80s\": %s", path, regex, message);
    }
    pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE); /* only for speed: it may well be refused */
    return 0;
}

int text_pattern_read(const json_t *pattern, const char *path, struct text_pattern **out,
                      struct error *e)
{
    const json_t *regex = json_object_get(pattern, "Regex"),
                 *literal = json_object_get(pattern, "String"), *found = regex ? regex : literal;
    if (!json_is_string(found) || json_string_length(found) > PATTERN_BYTES_MAX ||
        strlen(json_string_value(found)) != json_string_length(found))
        return error_set(e, ERROR_MODEL, "%s: a pattern must be a Regex or a String", path);
    struct text_pattern *p = calloc(1, sizeof *p);
    struct strbuf b = {0};
    int rc = p ? 0 : error_memory(e);
    if (rc == 0 && regex)
        rc = translate(json_string_value(regex), path, &b, e);
    if (rc == 0 && regex)
        rc = compile(b.text ? b.text : "", PCRE2_UCP, path, p, e);
    else if (rc == 0)
        rc = compile(json_string_value(literal), PCRE2_LITERAL, path, p, e);
    strbuf_free(&b);
    if (rc == 0)
        *out = p;
    else
        text_pattern_free(p);
    return rc;
}

void text_pattern_free(struct text_pattern *p)
{
    if (!p)
        return;
    pcre2_code_free(p->code);
    free(p);
}

int text_matches_begin(struct text_matches *m, const struct text_pattern *p, const char *text,
                       size_t size, struct error *e)
{
    *m = (struct text_matches){.pattern = p, .text = text, .size = size};
    m->data = pcre2_match_data_create(1, NULL);
    return m->data ? 0 : error_memory(e);
}

static int match(const struct text_matches *m, uint32_t options)
{
    return pcre2_match(m->pattern->code, (PCRE2_SPTR)m->text, m->size, m->from,
                       PCRE2_NO_UTF_CHECK | options, m->data, NULL);
}

int text_matches_next(struct text_matches *m, size_t *start, size_t *end, struct error *e)
{
    if (m->from > m->size)
        return 0;
    int rc = match(m, 0);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = match(m, PCRE2_NO_JIT);
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    if (rc < 0) {
        char message[120];
        pcre2_get_error_message(rc, (PCRE2_UCHAR *)message, sizeof message);
        return error_set(e, ERROR_MODEL, "tokenizer: a pattern could not be searched for: %s",
                         message);
    }
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(m->data);
    *start = at[0];
    *end = m->from = at[1];
    if (at[0] >= at[1]) /* an empty match: go on behind the next character */
        do
            m->from++;
        while (m->from < m->size && ((unsigned char)m->text[m->from] & 0xc0) == 0x80);
    return *end >= *start ? 1 : 0; /* \K in a lookahead could put the end first */
}

void text_matches_end(struct text_matches *m)
{
    pcre2_match_data_free(m->data);
}
