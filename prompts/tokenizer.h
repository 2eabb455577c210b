/* Words to numbers: a SentencePiece unigram model with the conventions of T5 and UMT5, where a
 * text's ids are its pieces followed by </s>. Any bytes are a text: what is no UTF-8 becomes
 * U+FFFD. A tokenizer is read-only once open and may be used by several threads. */
#ifndef AUTEUR_PROMPTS_TOKENIZER_H
#define AUTEUR_PROMPTS_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/error.h"

enum {
    TOKENIZER_LIMIT_MAX = 512,     /* the longest text the Wan family was trained on */
    TOKENIZER_BYTES_MAX = 1 << 20, /* a longer text is refused */
};

struct tokenizer;

/* Opens a tokenizer directory as published: spiece.model or tokenizer.model, and
 * tokenizer_config.json, whose model_max_length (at most 512 here, and 512 where it is missing) is
 * the padded length of the model's texts. */
int tokenizer_open(const char *dir, struct tokenizer **out, struct error *e);
void tokenizer_close(struct tokenizer *t); /* NULL-safe */

/* How many tokens, </s> included, the model reads of a text. */
int tokenizer_limit(const struct tokenizer *t);
/* Ids are below this. */
int tokenizer_vocabulary(const struct tokenizer *t);

/* Writes the ids of `size` bytes of text and </s>, at most `max` of them (max >= 1): of a longer
 * text the first max - 1 pieces. *count is how many were written. */
int tokenizer_encode(const struct tokenizer *t, const char *text, size_t size, int32_t *ids,
                     int max, int *count, struct error *e);
/* How many ids a text has in full, </s> included; -1 on failure. */
int tokenizer_count(const struct tokenizer *t, const char *text, size_t size, struct error *e);

#endif
