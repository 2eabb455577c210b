#include "stages/composite/markup.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <unictype.h>
#include <unilbrk.h>
#include <uniname.h>
#include <unistr.h>

#include "stages/composite/text.h"

static int no_glyph(uint32_t c, struct error *e)
{
    char name[UNINAME_MAX] = "", shown[8] = "";
    int n = u8_uctomb((uint8_t *)shown, c, sizeof shown - 1);

    if (n < 0 || !uc_is_print(c))
        shown[0] = '\0';
    unicode_character_name(c, name);
    return error_set(e, ERROR_MEDIA,
                     "no installed font has the character %s%sU+%04X%s%s: install a font that has "
                     "it (Debian: fonts-noto) or change the text",
                     shown, shown[0] ? " " : "", (unsigned)c, name[0] ? " " : "", name);
}

/* Spaces of any kind have no ink; controls are not set at all. */
static bool is_control(uint32_t c)
{
    return c != '\n' && (c < 0x20 || (c >= 0x7f && c < 0xa0));
}

const struct font *markup_main_font(struct fonts *fonts, const struct font *first, const char *text)
{
    enum han han = fonts_han(text);
    const struct font *last = NULL, *font;
    uint32_t c;

    while ((c = text_next(&text)) != 0) {
        const uc_script_t *script = uc_script(c);

        font = fonts_for(fonts, first, last, c, han);
        if (font && script && strcmp(script->name, "Common") != 0)
            return font;
        last = font;
    }
    return first;
}

int markup_check(struct fonts *fonts, const struct font *first, const char *text, struct error *e)
{
    enum han han = fonts_han(text);
    const struct font *last = NULL;
    uint32_t c;

    while ((c = text_next(&text)) != 0) {
        if (c == '\n' || is_control(c))
            continue;
        last = fonts_for(fonts, first, last, c, han);
        if (!last)
            return no_glyph(c, e);
    }
    return 0;
}

/* An ideograph, a kana, a hangul syllable: may be broken after without a space. */
static bool is_wide(uint32_t c)
{
    return uc_is_property_ideographic(c) || (c >= 0x3040 && c <= 0x30ff) ||
           (c >= 0xac00 && c <= 0xd7a3);
}

/* Width of the part of a paragraph from s to end, in ems. */
static double measure(struct fonts *fonts, const struct font *first, const char *s, const char *end,
                      enum han han)
{
    const struct font *last = NULL;
    double width = 0;

    while (s < end) {
        uint32_t c = text_next(&s);
        const struct font *font = fonts_for(fonts, first, last, c, han);

        if (font)
            width += font_advance(last = font, c);
    }
    return width;
}

struct extent markup_extent(struct fonts *fonts, const struct font *first, const char *text)
{
    enum han han = fonts_han(text);
    struct extent out = {.paragraphs = 1};

    for (;;) {
        size_t n = strcspn(text, " \n");
        double word = measure(fonts, first, text, text + n + (text[n] == ' '), han);

        out.total += word;
        out.word = fmax(out.word, word);
        if (!text[n])
            return out;
        out.paragraphs += text[n] == '\n';
        text += n + 1;
    }
}

/* What lines are made of: a paragraph and where UAX #14 allows it to be broken. */
struct paragraph {
    struct fonts *fonts;
    const struct font *first;
    enum han han;
    const char *text;
    size_t size;
    char *chances;
};

static bool ends_phrase(uint32_t c)
{
    return c == 0x3001 || c == 0x3002 || c == 0xff0c || c == 0xff01 || c == 0xff1f || c == 0xff1b;
}

/* Greedy lines of at most `limit` ems; marks in breaks[] (one byte a byte of text) where each
 * begins, and returns how many there are. With `phrases`, a line that is full ends where a phrase
 * did, if that leaves it half full. */
static int fill_lines(const struct paragraph *p, double limit, bool phrases, char *breaks)
{
    const char *line = p->text, *chance = NULL, *phrase = NULL;
    uint32_t before = 0;
    int lines = 1;

    memset(breaks, 0, p->size);
    for (const char *s = p->text; s < p->text + p->size;) {
        if (p->chances[s - p->text] == UC_BREAK_POSSIBLE && s > line) {
            chance = s;
            if (ends_phrase(before))
                phrase = s;
        }
        before = text_next(&s);
        if (!chance || measure(p->fonts, p->first, line, s, p->han) <= limit)
            continue;
        if (phrases && phrase && measure(p->fonts, p->first, line, phrase, p->han) >= limit / 2)
            chance = phrase;
        breaks[chance - p->text] = 1;
        line = s = chance; /* measure what follows the break again */
        chance = phrase = NULL;
        before = 0;
        lines++;
    }
    return lines;
}

/* As few lines as `limit` ems allow, and of those the shortest: then they are about even. Whole
 * phrases come first, where that takes no more lines. */
static int mark_breaks(struct paragraph *p, double limit, char *breaks)
{
    double even, total = measure(p->fonts, p->first, p->text, p->text + p->size, p->han);
    int fewest;

    p->chances = malloc(p->size + 1);
    if (!p->chances)
        return -1;
    u8_possible_linebreaks((const uint8_t *)p->text, p->size, "UTF-8", p->chances);
    fewest = fill_lines(p, limit, false, breaks);
    for (int phrases = 1; phrases >= 0; phrases--)
        for (even = total / fewest; fewest > 1 && even <= limit; even += 0.5)
            if (fill_lines(p, even, phrases, breaks) == fewest)
                goto done;
    fill_lines(p, limit, false, breaks);
done:
    free(p->chances);
    return 0;
}

/* One character, harmless. libass takes "\{" for a brace; nothing stands for a backslash, but one
 * that is followed by a joiner of no width begins no command. */
static void add_escaped(struct strbuf *out, uint32_t c)
{
    uint8_t bytes[6];
    int n;

    if (c == '\\')
        strbuf_add(out, "\\\xE2\x81\xA0");
    else if (c == '{' || c == '}')
        strbuf_addf(out, "\\%c", (char)c);
    else if (c == 0x00a0)
        strbuf_add(out, "\\h");
    else if ((n = u8_uctomb(bytes, c, sizeof bytes)) > 0)
        strbuf_addn(out, (const char *)bytes, (size_t)n);
}

static int add_paragraph(struct strbuf *out, struct fonts *fonts, const struct font *first,
                         const char *text, size_t size, double em, double width, enum han han,
                         struct error *e)
{
    const struct font *last = NULL, *font;
    struct paragraph p = {fonts, first, han, text, size, NULL};
    const char *end = text + size;
    char *breaks = calloc(1, size + 1);
    bool wide = false;
    int rc = -1;

    if (!breaks)
        return error_memory(e);
    for (const char *s = text; s < end;)
        wide |= is_wide(text_next(&s));
    if (wide && mark_breaks(&p, width / em, breaks) != 0) {
        error_memory(e);
        goto done;
    }
    for (const char *s = text; s < end;) {
        size_t at = (size_t)(s - text);
        uint32_t c = text_next(&s);

        if (is_control(c))
            c = ' ';
        font = fonts_for(fonts, first, last, c, han);
        if (!font) {
            no_glyph(c, e);
            goto done;
        }
        if (wide && breaks[at])
            strbuf_add(out, "\\N");
        if (font != last)
            strbuf_addf(out, "{\\fn%s\\fs%.2f\\b%d}", font_family(font), em * font_ass_size(font),
                        font_bold(font));
        last = font;
        add_escaped(out, c);
    }
    rc = 0;
done:
    free(breaks);
    return rc;
}

int markup_add(struct strbuf *out, struct fonts *fonts, const struct font *first, const char *text,
               double size, double width, struct error *e)
{
    enum han han = fonts_han(text);

    for (;;) {
        size_t n = strcspn(text, "\n");

        if (add_paragraph(out, fonts, first, text, n, size, width, han, e) != 0)
            return -1;
        if (!text[n])
            return 0;
        strbuf_add(out, "\\N");
        text += n + 1;
    }
}
