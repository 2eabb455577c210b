/* A byte-level BPE tokenizer as a tokenizer.json describes it: markers are looked for, the text is
 * normalised and cut into words, words become tokens, and markers are put around them. */
#ifndef AUTEUR_PROMPTS_BPE_TOKENIZER_H
#define AUTEUR_PROMPTS_BPE_TOKENIZER_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/error.h"

struct bpe_tokenizer;
/* `root` is a tokenizer.json; `path` is for messages. */
int bpe_tokenizer_read(const json_t *root, const char *path, struct bpe_tokenizer **out,
                       struct error *e);
void bpe_tokenizer_free(struct bpe_tokenizer *t); /* NULL-safe */

int bpe_tokenizer_vocabulary(const struct bpe_tokenizer *t);              /* ids are below this */
int bpe_tokenizer_find(const struct bpe_tokenizer *t, const char *token); /* -1: unknown */
/* The markers that are put before a text and behind it. */
int bpe_tokenizer_before(const struct bpe_tokenizer *t, const int32_t **ids);
int bpe_tokenizer_behind(const struct bpe_tokenizer *t, const int32_t **ids);

/* The text's ids without these markers: writes the first `max`, returns how many there are; -1 on
 * failure. Any thread, any bytes. */
int bpe_tokenizer_encode(const struct bpe_tokenizer *t, const char *text, size_t size, int32_t *ids,
                         int max, struct error *e);

#endif
