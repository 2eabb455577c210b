/* The "normalizer" part of a tokenizer.json: what is done to a text before it is cut into words.
 * Unicode's tables are libunistring's. */
#ifndef AUTEUR_PROMPTS_TEXT_NORMALIZER_H
#define AUTEUR_PROMPTS_TEXT_NORMALIZER_H

#include <jansson.h>
#include <stddef.h>

#include "kernels/base/error.h"

struct text_normalizer;
/* Reads NFC, NFD, NFKC, NFKD, Lowercase, Replace or a Sequence of them; null does nothing. `path`
 * is for messages. */
int text_normalizer_read(const json_t *settings, const char *path, struct text_normalizer **out,
                         struct error *e);
void text_normalizer_free(struct text_normalizer *n); /* NULL-safe */

/* A text of valid UTF-8, normalised. Caller frees *out. */
int text_normalize(const struct text_normalizer *n, const char *text, size_t size, char **out,
                   size_t *out_size, struct error *e);

/* The text with U+FFFD for what is no UTF-8: one for each maximal subpart of a character, as
 * Unicode recommends (3.9, table 3-8). Caller frees *out. */
int text_repair(const char *text, size_t size, char **out, size_t *out_size, struct error *e);

#endif
