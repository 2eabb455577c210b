/* Words to numbers: the tokenizers of the published checkpoints behind one face.
 *
 *   T5, UMT5   a SentencePiece unigram model: the text's pieces, then </s>
 *   CLIP       byte-level BPE of words: <|startoftext|>, the text, <|endoftext|>
 *   LLaMA-3    byte-level BPE as tokenizer.json describes it: <|begin_of_text|>, the text
 *
 * Any bytes are a text: what is no UTF-8 becomes U+FFFD. Of T5's special tokens none is looked for
 * in texts: "</s>" is five characters there. A tokenizer is read-only once open and may be used by
 * several threads.
 *
 * Unicode's tables are those of PCRE2 and libunistring: in Debian 12, Unicode 14. The reference
 * library `tokenizers` 0.23 has letters and digits of Unicode 17 and composes by Unicode 9, so ids
 * may differ at 9300 letters and digits younger than Unicode 14, and where one of 220 combining
 * marks younger than Unicode 9 stands beside another mark (every code point was tried). */
#ifndef AUTEUR_PROMPTS_TOKENIZER_H
#define AUTEUR_PROMPTS_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/error.h"

enum {
    TOKENIZER_LIMIT_MAX = 512,     /* the most that tokenizer_limit() gives: what UMT5 reads */
    TOKENIZER_BYTES_MAX = 1 << 20, /* a longer text is refused */
};

struct tokenizer;

/* Opens a tokenizer directory as published: tokenizer_config.json and
 *   - spiece.model or tokenizer.model (T5, UMT5), or
 *   - tokenizer.json (a BPE model: LLaMA-3, CLIP), or
 *   - vocab.json and merges.txt (CLIP), whose special tokens are those of tokenizer_config.json and
 *     special_tokens_map.json: SDXL's second tokenizer pads with "!" and so takes every "!" in a
 *     text for it, as the reference library does.
 * Where several are there, the first counts. */
int tokenizer_open(const char *dir, struct tokenizer **out, struct error *e);
void tokenizer_close(struct tokenizer *t); /* NULL-safe */

/* How many tokens, markers included, the model reads of a text: model_max_length, at most 512, and
 * 512 where it is missing. A family that reads another number of tokens knows it itself. */
int tokenizer_limit(const struct tokenizer *t);
/* Ids are below this. */
int tokenizer_vocabulary(const struct tokenizer *t);

/* The id that stands for what the tokenizer has no pieces for; -1: it has pieces for any byte. */
int tokenizer_unknown(const struct tokenizer *t);

/* Writes the ids of `size` bytes of text with the markers around them, at most `max` (which has
 * room for the markers): a longer text loses its end, not its markers. *count is how many were
 * written. */
int tokenizer_encode(const struct tokenizer *t, const char *text, size_t size, int32_t *ids,
                     int max, int *count, struct error *e);
/* The same, filled up to `length` ids with the padding token, on the right (or on the left, where
 * tokenizer_config.json says so). The attention mask is 1 for the *count ids that are no padding.
 */
int tokenizer_encode_padded(const struct tokenizer *t, const char *text, size_t size, int32_t *ids,
                            int length, int *count, struct error *e);
/* How many ids a text has in full, markers included; -1 on failure. */
int tokenizer_count(const struct tokenizer *t, const char *text, size_t size, struct error *e);

#endif
