/* The "pre_tokenizer" part of a tokenizer.json: how a text is cut into words. The words are spans
 * of the text: what ByteLevel does to their letters is the byte alphabet of bpe.h. */
#ifndef AUTEUR_PROMPTS_TEXT_SPLITTER_H
#define AUTEUR_PROMPTS_TEXT_SPLITTER_H

#include <jansson.h>
#include <stddef.h>

#include "kernels/base/error.h"

struct text_splitter;
/* Reads Split (Isolated or Removed), ByteLevel without a prefix space, or a Sequence of them that
 * has a ByteLevel. `path` is for messages. */
int text_splitter_read(const json_t *settings, const char *path, struct text_splitter **out,
                       struct error *e);
void text_splitter_free(struct text_splitter *s); /* NULL-safe */

/* Calls `take` with each word of a text of valid UTF-8, until it returns something but 0. */
typedef int text_word(void *ctx, const char *word, size_t size, struct error *e);
int text_split(const struct text_splitter *s, const char *text, size_t size, text_word *take,
               void *ctx, struct error *e);

#endif
