#include "prompts/words.h"

#include <string.h>
#include <unicase.h>
#include <unictype.h>
#include <unigbrk.h>
#include <unistr.h>
#include <uniwbrk.h>

static bool left_out(ucs4_t c)
{
    return uc_is_general_category(c, UC_PRIVATE_USE) || (c & 0xfffe) == 0xfffe || c == 0xfeff ||
           (c >= 0xfdd0 && c <= 0xfdef);
}

static bool is_space(ucs4_t c)
{
    return c <= 0x20 || c == 0x7f || uc_is_property_white_space(c) || uc_is_cntrl(c);
}

char *words_clean(struct arena *a, const char *text, bool *cut)
{
    const size_t limit = WORDS_BYTES_MAX;
    size_t left = strlen(text), length = 0, last_space = 0;
    char *out = arena_alloc(a, (left < limit ? left : limit) + 1);
    if (!out)
        return NULL;
    const uint8_t *p = (const uint8_t *)text;
    bool space = false;
    *cut = false;
    while (left > 0) {
        ucs4_t c;
        int n = u8_mbtoucr(&c, p, left);
        int size = n > 0 ? n : 1;
        if (n > 0 && is_space(c)) {
            space = true;
        } else if (n > 0 && !left_out(c)) {
            size_t gap = space && length > 0;
            if (length + gap + (size_t)n > limit) {
                *cut = true;
                length = last_space > 0 && !space ? last_space : length;
                break;
            }
            if (gap) {
                last_space = length;
                out[length++] = ' ';
            }
            space = false;
            memcpy(out + length, p, (size_t)n);
            length += (size_t)n;
        }
        p += size;
        left -= (size_t)size;
    }
    out[length] = '\0';
    return out;
}

size_t words_shorten(const char *text, size_t size)
{
    char breaks[WORDS_BYTES_MAX]; /* 1: a word begins here, or what stands between words */
    size_t all = strlen(text), end = 0;
    bool letters = false;
    if (all > sizeof breaks)
        return 0;
    u8_wordbreaks((const uint8_t *)text, all, breaks);
    for (size_t i = 0; i <= all && i < size; i++) {
        if (letters && (i == all || breaks[i]))
            end = i;
        if (i == all)
            break;
        if (breaks[i])
            letters = false;
        if (((uint8_t)text[i] & 0xc0) != 0x80) {
            ucs4_t c;
            u8_mbtouc(&c, (const uint8_t *)text + i, all - i);
            letters |= uc_is_alnum(c) || uc_is_general_category(c, UC_SYMBOL);
        }
    }
    return end;
}

size_t characters_shorten(const char *text, size_t size)
{
    const uint8_t *begin = (const uint8_t *)text, *end = begin + strlen(text), *at = begin;
    while (at < end) {
        const uint8_t *next = u8_grapheme_next(at, end);
        if (!next || (size_t)(next - begin) >= size)
            break;
        at = next;
    }
    return (size_t)(at - begin);
}

bool words_begin_with_capital(const char *text)
{
    ucs4_t c = 0;
    while (*text && !uc_is_alpha(c)) /* a quotation mark may stand first */
        text += u8_strmbtouc(&c, (const uint8_t *)text);
    return uc_is_upper(c);
}

char *words_capitalise(struct arena *a, const char *text)
{
    ucs4_t c;
    uint8_t first[6];
    int old = *text ? u8_mbtouc(&c, (const uint8_t *)text, strlen(text)) : 0;
    int new = old > 0 ? u8_uctomb(first, uc_totitle(c), sizeof first) : 0;
    if (old <= 0 || new <= 0)
        return arena_strdup(a, text);
    return arena_printf(a, "%.*s%s", new, (const char *)first, text + old);
}
