/* Which font draws which character.
 *
 * The family that the board (or the style) names draws what it can. What it cannot goes to the
 * family of its script in a fixed list, so that Chinese, Japanese and Korean text each get their
 * own forms and nothing hangs on the order in which a machine lists its fonts; what that list does
 * not know goes to whatever installed font has the character. The typesetter names the chosen
 * family for every run of text, so that what is checked is what is drawn.
 */
#ifndef AUTEUR_STAGES_COMPOSITE_FONTS_H
#define AUTEUR_STAGES_COMPOSITE_FONTS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/base/error.h"

struct font; /* a family in one weight */
struct fonts;

int fonts_open(struct fonts **out, struct error *e);
void fonts_close(struct fonts *f); /* NULL-safe */

/* NULL: no such family is installed, or memory ran out (*e tells which: ERROR_MEDIA with the mend).
 * "sans-serif", "serif" and "monospace" mean what the machine takes them for. */
const struct font *fonts_find(struct fonts *f, const char *family, bool bold, struct error *e);

/* Han characters are drawn differently in these; a text's language is guessed from all of it. */
enum han { HAN_CHINESE, HAN_JAPANESE, HAN_KOREAN };
enum han fonts_han(const char *text);

/* The font for one character of a text set in `first`; `last` drew the character before (NULL: none
 * yet) and keeps spaces, marks and punctuation that it has. NULL when no installed font has it. */
const struct font *fonts_for(struct fonts *f, const struct font *first, const struct font *last,
                             uint32_t codepoint, enum han han);

const char *font_family(const struct font *font);
bool font_bold(const struct font *font);
/* What libass calls the size of type whose em is 1: it measures a font from its highest to its
 * lowest line, as GDI did. */
double font_ass_size(const struct font *font);
/* How far a character moves the pen, in ems. */
double font_advance(const struct font *font, uint32_t codepoint);

/* Characters that have no shape of their own: joiners, direction marks, variation selectors. */
bool font_ignorable(uint32_t codepoint);

#endif
