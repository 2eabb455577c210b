/* The check that SentencePiece leaves out: a model's table of character normalisations is a trie
 * (darts-clone's double array) that the library walks without looking at its bounds, so a damaged
 * file would read anywhere in memory. */
#ifndef AUTEUR_PROMPTS_CHARSMAP_H
#define AUTEUR_PROMPTS_CHARSMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `model`: the bytes of a SentencePiece model file (a protocol buffer). True when every walk
 * through its normalisation table stays inside the table; also when it has none. False too when
 * memory is short. */
bool charsmap_sound(const uint8_t *model, size_t size);

#endif
