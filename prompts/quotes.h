/* Finding the quoted strings of a text. */
#ifndef AUTEUR_PROMPTS_QUOTES_H
#define AUTEUR_PROMPTS_QUOTES_H

#include <stdbool.h>

#include "prompts/lexicon.h"

struct quote {
    const char *text;   /* what stood between the marks, without space at its ends */
    const char *marked; /* with its marks */
};

struct quotes {
    struct quote *items; /* at most QUOTES_MAX */
    size_t count;
    bool vanished; /* there were marks with nothing between them */
};

/* A copy of `text` (valid UTF-8, no private-use characters) in which every quoted string is the one
 * character QUOTE_FIRST + its number. An apostrophe is no quotation mark, nor is an inch mark; what
 * is opened and never closed is left alone. Empty quotations vanish. NULL: out of memory. */
char *quotes_find(const struct lexicon *lexicon, struct arena *a, const char *text,
                  struct quotes *out);

/* The number of the quote that begins at `p`, or -1. */
int quote_at(const char *p);
enum { QUOTE_BYTES = 3 }; /* of such a character in UTF-8 */

#endif
