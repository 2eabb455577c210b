/* Text as the prompt rules take it: valid UTF-8, one space between words. */
#ifndef AUTEUR_PROMPTS_WORDS_H
#define AUTEUR_PROMPTS_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/arena.h"

enum { WORDS_BYTES_MAX = 8192 }; /* of a cleaned text: no model reads more than 512 tokens */

/* A copy in which white space and control characters are single spaces, none at the ends, and
 * bytes that are no UTF-8, private-use characters and U+FFFE-like non-characters are left out.
 * At most WORDS_BYTES_MAX bytes are kept, cut before a word where there is one (*cut says so).
 * NULL: out of memory. */
char *words_clean(struct arena *a, const char *text, bool *cut);

/* The longest beginning of `text` that is shorter than `size` bytes and ends with a word, not
 * counting space and punctuation after it; 0 when there is none. Words are those of Unicode's
 * UAX 29, so that a text without spaces has some too. `text` has at most WORDS_BYTES_MAX bytes. */
size_t words_shorten(const char *text, size_t size);
/* The same by characters as a reader sees them: for a text that is one endless word. */
size_t characters_shorten(const char *text, size_t size);

/* A copy whose first letter is a capital. NULL: out of memory. */
char *words_capitalise(struct arena *a, const char *text);
bool words_begin_with_capital(const char *text);

#endif
