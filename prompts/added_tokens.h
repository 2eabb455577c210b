/* Tokens that are found in a text as they stand, before it is cut into words: markers such as
 * <|endoftext|>. Of several that begin at one place the longest counts. */
#ifndef AUTEUR_PROMPTS_ADDED_TOKENS_H
#define AUTEUR_PROMPTS_ADDED_TOKENS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/error.h"
#include "prompts/text_normalizer.h"
#include "prompts/vocabulary.h"

struct added_token {
    char *text; /* what is looked for: normalised, if it is looked for in the normalised text */
    size_t size;
    int32_t id;
    bool single_word;             /* only where no letter of a word is next to it */
    bool strip_left, strip_right; /* the white space beside it belongs to it */
};

struct added_tokens {
    struct added_token *list; /* sorted by text */
    size_t count;
    int size; /* every id is below this */
};

/* Reads of the "added_tokens" of a tokenizer.json those that are looked for in the normalised text,
 * or the others. `path` is for messages. Zeroed before; added_tokens_free() also after a failure.
 */
int added_tokens_read(struct added_tokens *t, const json_t *list, bool normalized,
                      const struct text_normalizer *n, const struct vocabulary *v, const char *path,
                      struct error *e);
void added_tokens_free(struct added_tokens *t);

/* Cuts a text of valid UTF-8 at the tokens found in it: `take` is given the pieces of text (id -1)
 * and the tokens, in order, until it returns something but 0. */
typedef int added_piece(void *ctx, int32_t id, const char *text, size_t size, struct error *e);
int added_tokens_cut(const struct added_tokens *t, const char *text, size_t size, added_piece *take,
                     void *ctx, struct error *e);

#endif
