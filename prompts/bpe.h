/* Byte-pair encoding over bytes: R. Sennrich et al., "Neural Machine Translation of Rare Words with
 * Subword Units" (2016), with the byte alphabet of GPT-2. A word's bytes become one token each;
 * then the pair whose merge was learnt first (of several, the leftmost) becomes one token, until no
 * pair can be merged. Time is n log n in the length of the word. */
#ifndef AUTEUR_PROMPTS_BPE_H
#define AUTEUR_PROMPTS_BPE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/error.h"
#include "prompts/vocabulary.h"

/* The byte alphabet: each byte as a character that can be seen. Printable Latin-1 characters stand
 * for themselves, the others are U+0100 on. Writes at most 2 bytes of UTF-8, returns how many. */
int bpe_byte_character(uint8_t byte, char out[2]);

struct bpe;

/* Reads the "model" part of a tokenizer.json: vocab, merges ("a b" or ["a", "b"]),
 * end_of_word_suffix, unk_token, ignore_merges. `path` is for messages. */
int bpe_read(const json_t *model, const char *path, struct bpe **out, struct error *e);
void bpe_free(struct bpe *b); /* NULL-safe */
const struct vocabulary *bpe_vocabulary(const struct bpe *b);

/* Token ids, appended to as a text is read; and the room that the work needs. Zeroed before. */
struct bpe_symbol;
struct bpe_merge;
struct bpe_work {
    int32_t *ids;
    size_t count, room;
    struct bpe_symbol *symbols;
    size_t symbol_room;
    struct bpe_merge *heap;
    size_t heap_room;
    char *word;
    size_t word_room;
};
void bpe_work_free(struct bpe_work *w);
int bpe_work_add(struct bpe_work *w, int32_t id, struct error *e);

/* Appends the ids of one word of at most INT32_MAX bytes. */
int bpe_encode(const struct bpe *b, const char *word, size_t size, struct bpe_work *w,
               struct error *e);

#endif
