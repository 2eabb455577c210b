/* One overlay's lettering as an image, through libass: shaping, directions and line breaks are its
 * work; where the image goes and when it is seen is layout's.
 *
 * Colours are mixed in R'G'B' at the values that were asked for; nothing passes through Y'CbCr.
 */
#ifndef AUTEUR_STAGES_COMPOSITE_TYPESET_H
#define AUTEUR_STAGES_COMPOSITE_TYPESET_H

#include "kernels/base/error.h"
#include "stages/composite/block.h"
#include "stages/composite/fonts.h"
#include "storyboards/board.h"

struct typesetter;
/* For pictures of one size. Not for several threads at once. */
int typesetter_open(int width, int height, struct typesetter **out, struct error *e);
void typesetter_close(struct typesetter *t); /* NULL-safe */

/* The overlay's style, font and colour; `text` stands for the overlay's own where not NULL (a
 * running timecode). Text too wide or too tall for the safe area is set smaller, down to half its
 * size; what does not fit then is an error, and so is a font or a glyph that is missing. */
int typeset(struct typesetter *t, const struct overlay *o, const char *text, struct block *out,
            struct error *e);
/* The block's size alone (its rgba is NULL); the same errors. */
int typeset_measure(struct typesetter *t, const struct overlay *o, const char *text,
                    struct block *out, struct error *e);
/* Fonts and glyphs alone. */
int typeset_check(struct typesetter *t, const struct overlay *o, struct error *e);
/* Whether letters' widths alone show that typeset_check()ed text fits: a thousand times quicker
 * than setting it. False: it may fit. */
bool typeset_surely_fits(struct typesetter *t, const struct overlay *o);
/* The same of each word of its text, set by itself. */
bool typeset_words_fit(struct typesetter *t, const struct overlay *o);

#endif
