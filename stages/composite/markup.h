/* From a board's words to what libass sets: every run named with its font and size, every character
 * that libass would take for markup made harmless. */
#ifndef AUTEUR_STAGES_COMPOSITE_MARKUP_H
#define AUTEUR_STAGES_COMPOSITE_MARKUP_H

#include "kernels/base/strbuf.h"
#include "stages/composite/fonts.h"

/* Appends `text`, set in `first` (and the fonts that stand in for it) with an em of `size` pixels.
 * Lines of Chinese, Japanese and Korean, which libass breaks at spaces only, are broken here to be
 * at most `width` pixels and about even (UAX #14). A character that no font has is an error that
 * names it. */
int markup_add(struct strbuf *out, struct fonts *fonts, const struct font *first, const char *text,
               double size, double width, struct error *e);

/* How much room a text takes, in ems: all of it in one line, its widest word (between spaces), and
 * how many paragraphs it has. From the letters' advances, without shaping. */
struct extent {
    double total, word;
    int paragraphs;
};
struct extent markup_extent(struct fonts *fonts, const struct font *first, const char *text);

/* The font of the first letter that belongs to a script; `first` when there is none. */
const struct font *markup_main_font(struct fonts *fonts, const struct font *first,
                                    const char *text);

/* The error alone, without setting anything. */
int markup_check(struct fonts *fonts, const struct font *first, const char *text, struct error *e);

#endif
