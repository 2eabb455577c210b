#include "prompts/quotes.h"

#include <stdbool.h>
#include <string.h>
#include <unictype.h>
#include <unistr.h>

#include "kernels/base/strbuf.h"

enum { QUOTE_LENGTH_MAX = 600 }; /* bytes; a longer one is prose whose closing mark is missing */

int quote_at(const char *p)
{
    ucs4_t c;
    const uint8_t *b = (const uint8_t *)p;
    if (*b != 0xee || u8_strmbtouc(&c, b) != QUOTE_BYTES)
        return -1;
    return c >= QUOTE_FIRST && c < QUOTE_FIRST + QUOTES_MAX ? (int)(c - QUOTE_FIRST) : -1;
}

/* The character before and after a place; 0 at the ends. */
static ucs4_t before(const char *begin, const char *p)
{
    ucs4_t c = 0;
    return u8_prev(&c, (const uint8_t *)p, (const uint8_t *)begin) ? c : 0;
}

static ucs4_t at(const char *p)
{
    ucs4_t c = 0;
    u8_strmbtouc(&c, (const uint8_t *)p);
    return c;
}

static bool is_single(ucs4_t c)
{
    return c == '\'' || c == 0x2018 || c == 0x2019;
}

static bool can_open(const struct lexicon *lexicon, const struct quote_pair *pair,
                     const char *begin, const char *p, int size)
{
    ucs4_t previous = before(begin, p), next = at(p + size);
    if (next == 0 || next == ' ')
        return false;
    if (!is_single(pair->open)) /* after a digit a straight mark is inches */
        return pair->open != pair->close || !uc_is_alnum(previous);
    if (previous != 0 && uc_is_alnum(previous))
        return false;
    if (uc_is_digit(next)) { /* '80s */
        const char *q = p + size;
        while (uc_is_digit(at(q)))
            q++;
        if (at(q) == 's')
            return false;
    }
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    int elided = match ? pcre2_match(lexicon->elision, (PCRE2_SPTR)p + size, PCRE2_ZERO_TERMINATED,
                                     0, PCRE2_NO_UTF_CHECK, match, NULL)
                       : 0;
    pcre2_match_data_free(match);
    return elided < 0;
}

/* The closing mark of what was opened before `p`; NULL when there is none in reach. */
static const char *closing(const struct quote_pair *pair, const char *p)
{
    for (const char *q = p; *q && q - p <= QUOTE_LENGTH_MAX;) {
        ucs4_t c;
        int size = u8_strmbtouc(&c, (const uint8_t *)q);
        bool closes = c == pair->close || (pair->open == 0x2018 && c == 0x2019);
        if (closes && (!is_single(c) || (!uc_is_alnum(at(q + size)) && before(p, q) != ' ')))
            return q;
        q += size;
    }
    return NULL;
}

static int remember(struct quotes *out, struct arena *a, const char *open, const char *text,
                    const char *close, const char *end)
{
    while (text < close && *text == ' ')
        text++;
    while (close > text && strchr(" ,;", close[-1]))
        close--;
    struct quote *q = &out->items[out->count++];
    q->text = arena_strndup(a, text, (size_t)(close - text));
    q->marked = arena_strndup(a, open, (size_t)(end - open));
    return q->text && q->marked ? 0 : -1;
}

/* The pair that opens a quotation at `p`, and its closing mark; NULL: none does. */
static const struct quote_pair *opened(const struct lexicon *lexicon, const char *begin,
                                       const char *p, ucs4_t c, int size, const char **close)
{
    for (size_t i = 0; i < lexicon->pair_count; i++) {
        const struct quote_pair *pair = &lexicon->pairs[i];
        if (pair->open == c && can_open(lexicon, pair, begin, p, size) &&
            (*close = closing(pair, p + size)))
            return pair;
    }
    return NULL;
}

char *quotes_find(const struct lexicon *lexicon, struct arena *a, const char *text,
                  struct quotes *out)
{
    struct strbuf b = {0};
    out->count = 0;
    out->vanished = false;
    out->items = arena_array(a, QUOTES_MAX, sizeof *out->items);
    if (!out->items)
        return NULL;
    for (const char *p = text; *p;) {
        ucs4_t c;
        int size = u8_strmbtouc(&c, (const uint8_t *)p);
        const char *close = NULL;
        const struct quote_pair *pair =
            out->count < QUOTES_MAX ? opened(lexicon, text, p, c, size, &close) : NULL;
        if (!pair) {
            strbuf_addn(&b, p, (size_t)size);
            p += size;
            continue;
        }
        const char *end = close + u8_strmblen((const uint8_t *)close);
        if (remember(out, a, p, p + size, close, end) != 0)
            b.failed = true;
        else if (out->items[out->count - 1].text[0]) {
            uint8_t mark[6];
            int n = u8_uctomb(mark, QUOTE_FIRST + (ucs4_t)out->count - 1, sizeof mark);
            strbuf_addn(&b, (const char *)mark, (size_t)n);
        } else
            out->vanished = true;
        p = end;
    }
    char *copy = b.failed ? NULL : arena_strdup(a, b.text ? b.text : "");
    strbuf_free(&b);
    return copy;
}
