#include "stages/composite/fonts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <fontconfig/fontconfig.h>
#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_TRUETYPE_TABLES_H
#include <unictype.h>

#include "stages/composite/text.h"

struct font {
    char *family;
    bool bold;
    FcPattern *pattern; /* of the installed file */
    FcCharSet *covers;  /* the pattern's */
    FT_Face face;
    double ass_size;
    struct font *next;
};

struct fonts {
    FT_Library library;
    struct font *list;
};

int fonts_open(struct fonts **out, struct error *e)
{
    struct fonts *f;

    if (!FcInit())
        return error_set(e, ERROR_MEDIA, "fontconfig cannot start: install the fontconfig package");
    f = calloc(1, sizeof *f);
    if (!f || FT_Init_FreeType(&f->library) != 0) {
        free(f);
        return error_memory(e);
    }
    *out = f;
    return 0;
}

static void font_free(struct font *font)
{
    if (!font)
        return;
    if (font->face)
        FT_Done_Face(font->face);
    if (font->pattern)
        FcPatternDestroy(font->pattern);
    free(font->family);
    free(font);
}

void fonts_close(struct fonts *f)
{
    struct font *next;

    if (!f)
        return;
    for (struct font *font = f->list; font; font = next) {
        next = font->next;
        font_free(font);
    }
    FT_Done_FreeType(f->library);
    free(f);
}

/* libass's own rule: the OS/2 table's Windows metrics, else FreeType's. */
static double measure(FT_Face face)
{
    const TT_OS2 *os2 = FT_Get_Sfnt_Table(face, FT_SFNT_OS2);
    int height = face->ascender - face->descender;

    if (os2 && (short)os2->usWinAscent + (short)os2->usWinDescent != 0)
        height = (short)os2->usWinAscent + (short)os2->usWinDescent;
    return height > 0 && face->units_per_EM ? (double)height / face->units_per_EM : 1.2;
}

/* Takes the pattern. NULL: out of memory or an unreadable file. */
static struct font *add(struct fonts *f, const char *family, bool bold, FcPattern *pattern)
{
    struct font *font = calloc(1, sizeof *font);
    FcChar8 *file;
    int index = 0;

    if (!font) {
        FcPatternDestroy(pattern);
        return NULL;
    }
    font->pattern = pattern;
    font->bold = bold;
    font->family = strdup(family);
    FcPatternGetInteger(pattern, FC_INDEX, 0, &index);
    if (!font->family || FcPatternGetString(pattern, FC_FILE, 0, &file) != FcResultMatch ||
        FcPatternGetCharSet(pattern, FC_CHARSET, 0, &font->covers) != FcResultMatch ||
        FT_New_Face(f->library, (const char *)file, index, &font->face) != 0) {
        font_free(font);
        return NULL;
    }
    font->ass_size = measure(font->face);
    font->next = f->list;
    f->list = font;
    return font;
}

static FcPattern *request(const char *family, bool bold)
{
    FcPattern *p = FcPatternCreate();

    if (p && family)
        FcPatternAddString(p, FC_FAMILY, (const FcChar8 *)family);
    if (p) {
        FcPatternAddInteger(p, FC_WEIGHT, bold ? FC_WEIGHT_BOLD : FC_WEIGHT_REGULAR);
        FcPatternAddInteger(p, FC_SLANT, FC_SLANT_ROMAN);
        FcPatternAddBool(p, FC_SCALABLE, FcTrue);
    }
    return p;
}

/* The best match for a request, whatever its family. */
static FcPattern *match(FcPattern *p)
{
    FcResult result;

    FcConfigSubstitute(NULL, p, FcMatchPattern);
    FcDefaultSubstitute(p);
    return FcFontMatch(NULL, p, &result);
}

static bool has_family(const FcPattern *p, const char *family)
{
    FcChar8 *name;

    for (int i = 0; FcPatternGetString(p, FC_FAMILY, i, &name) == FcResultMatch; i++)
        if (strcasecmp((const char *)name, family) == 0)
            return true;
    return false;
}

static struct font *find(struct fonts *f, const char *family, bool bold)
{
    bool generic = strcasecmp(family, "sans-serif") == 0 || strcasecmp(family, "serif") == 0 ||
                   strcasecmp(family, "monospace") == 0;
    FcPattern *wanted, *got = NULL;
    FcChar8 *name;

    for (struct font *font = f->list; font; font = font->next)
        if (font->bold == bold && strcasecmp(font->family, family) == 0)
            return font;
    wanted = request(family, bold);
    if (wanted)
        got = match(wanted);
    if (wanted)
        FcPatternDestroy(wanted);
    if (!got)
        return NULL;
    if (generic && FcPatternGetString(got, FC_FAMILY, 0, &name) == FcResultMatch) {
        char *real = strdup((const char *)name);
        struct font *font = real ? find(f, real, bold) : NULL;

        FcPatternDestroy(got);
        free(real);
        return font;
    }
    if (!has_family(got, family)) {
        FcPatternDestroy(got);
        return NULL;
    }
    return add(f, family, bold, got);
}

const struct font *fonts_find(struct fonts *f, const char *family, bool bold, struct error *e)
{
    /* Such a name would be taken for markup; no real family has one. */
    const struct font *font = strpbrk(family, "\\{}(),\n") ? NULL : find(f, family, bold);

    if (!font)
        error_set(e, ERROR_MEDIA,
                  "the font \"%s\" is not installed: install it or name another "
                  "(`fc-list : family` shows what there is)",
                  family);
    return font;
}

enum han fonts_han(const char *text)
{
    enum han han = HAN_CHINESE;
    uint32_t c;

    while ((c = text_next(&text)) != 0) {
        const uc_script_t *script = uc_script(c);

        if (script &&
            (strcmp(script->name, "Hiragana") == 0 || strcmp(script->name, "Katakana") == 0))
            return HAN_JAPANESE;
        if (script && strcmp(script->name, "Hangul") == 0)
            han = HAN_KOREAN;
    }
    return han;
}

/* The families of scripts, sans and serif. Scripts not listed are left to fontconfig. */
static const struct {
    const char *script, *sans, *serif;
} families[] = {
    {"Arabic", "Noto Sans Arabic", "Noto Naskh Arabic"},
    {"Hebrew", "Noto Sans Hebrew", "Noto Serif Hebrew"},
    {"Devanagari", "Noto Sans Devanagari", "Noto Serif Devanagari"},
    {"Thai", "Noto Sans Thai", "Noto Serif Thai"},
    {"Hiragana", "Noto Sans CJK JP", "Noto Serif CJK JP"},
    {"Katakana", "Noto Sans CJK JP", "Noto Serif CJK JP"},
    {"Hangul", "Noto Sans CJK KR", "Noto Serif CJK KR"},
    {"Latin", "Noto Sans", "Noto Serif"},
    {"Greek", "Noto Sans", "Noto Serif"},
    {"Cyrillic", "Noto Sans", "Noto Serif"},
};
static const char *const han_families[][2] = {
    [HAN_CHINESE] = {"Noto Sans CJK SC", "Noto Serif CJK SC"},
    [HAN_JAPANESE] = {"Noto Sans CJK JP", "Noto Serif CJK JP"},
    [HAN_KOREAN] = {"Noto Sans CJK KR", "Noto Serif CJK KR"},
};

static const char *script_family(uint32_t c, bool serif, enum han han)
{
    const uc_script_t *script = uc_script(c);

    if (script)
        for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
            if (strcmp(families[i].script, script->name) == 0)
                return serif ? families[i].serif : families[i].sans;
    return han_families[han][serif]; /* Han, and punctuation such as U+3002 */
}

static bool covers(const struct font *font, uint32_t c)
{
    return font && FcCharSetHasChar(font->covers, c);
}

/* Any installed font that has it. */
static struct font *any(struct fonts *f, const struct font *first, uint32_t c)
{
    FcPattern *wanted = request(first->family, first->bold), *got = NULL;
    FcCharSet *set = FcCharSetCreate(), *has;
    struct font *font = NULL;
    FcChar8 *name;

    for (struct font *known = f->list; known && !font; known = known->next)
        if (known->bold == first->bold && covers(known, c))
            font = known;
    if (!font && wanted && set && FcCharSetAddChar(set, c)) {
        FcPatternAddCharSet(wanted, FC_CHARSET, set);
        got = match(wanted);
    }
    if (got && FcPatternGetCharSet(got, FC_CHARSET, 0, &has) == FcResultMatch &&
        FcCharSetHasChar(has, c) && FcPatternGetString(got, FC_FAMILY, 0, &name) == FcResultMatch)
        font = find(f, (const char *)name, first->bold);
    if (got)
        FcPatternDestroy(got);
    if (set)
        FcCharSetDestroy(set);
    if (wanted)
        FcPatternDestroy(wanted);
    return covers(font, c) ? font : NULL;
}

const struct font *fonts_for(struct fonts *f, const struct font *first, const struct font *last,
                             uint32_t c, enum han han)
{
    const uc_script_t *script = uc_script(c);
    bool common =
        !script || strcmp(script->name, "Common") == 0 || strcmp(script->name, "Inherited") == 0;
    const struct font *font;

    if (font_ignorable(c))
        return last ? last : first;
    if (common && covers(last, c))
        return last;
    if (covers(first, c))
        return first;
    font = find(f, script_family(c, strstr(first->family, "Serif") != NULL, han), first->bold);
    return covers(font, c) ? font : any(f, first, c);
}

const char *font_family(const struct font *font)
{
    return font->family;
}

bool font_bold(const struct font *font)
{
    return font->bold;
}

double font_ass_size(const struct font *font)
{
    return font->ass_size;
}

double font_advance(const struct font *font, uint32_t c)
{
    FT_UInt glyph = FT_Get_Char_Index(font->face, c);

    if (font_ignorable(c) || uc_combining_class(c) != 0 ||
        FT_Load_Glyph(font->face, glyph, FT_LOAD_NO_SCALE) != 0)
        return 0;
    return (double)font->face->glyph->metrics.horiAdvance / font->face->units_per_EM;
}

bool font_ignorable(uint32_t c)
{
    return uc_is_property_default_ignorable_code_point(c) || c == '\n';
}
