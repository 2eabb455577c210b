/* "did you mean ...": the nearest of some known words to one that is not known. */
#ifndef AUTEUR_BASE_SUGGEST_H
#define AUTEUR_BASE_SUGGEST_H

#include <stddef.h>

/* Letters to add, drop, replace or swap to come from a to b (optimal string alignment, on bytes;
 * case does not count, and '_' is '-'); words of more than 63 bytes are infinitely far from
 * everything. */
unsigned suggest_distance(const char *a, const char *b);

/* Keeps the best candidate seen. Start with {.word = typed}; after the last offer `best` is the
 * nearest one, or NULL when none is near enough to be what was meant. */
struct suggestion {
    const char *word, *best;
    unsigned distance;
};
void suggest_offer(struct suggestion *s, const char *candidate);

#endif
