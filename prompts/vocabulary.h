/* Tokens and their ids: a hash table from byte strings to numbers. */
#ifndef AUTEUR_PROMPTS_VOCABULARY_H
#define AUTEUR_PROMPTS_VOCABULARY_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/arena.h"
#include "kernels/base/error.h"

enum { VOCABULARY_ID_MAX = (1 << 24) - 1 }; /* a larger id is damage: no model has such a table */

struct vocabulary_slot;
struct vocabulary {
    struct arena strings;
    struct vocabulary_slot *slots;
    size_t room, count;
    int size; /* every id is below this */
};

/* Reads an object of token: id, where no id stands twice. `path` is for messages. Zeroed before;
 * vocabulary_free() also after a failure. */
int vocabulary_read(struct vocabulary *v, const json_t *tokens, const char *path, struct error *e);
void vocabulary_free(struct vocabulary *v);

int vocabulary_find(const struct vocabulary *v, const char *token, size_t size); /* -1: unknown */

#endif
