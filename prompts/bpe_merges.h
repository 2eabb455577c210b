/* The merges of a byte-pair encoding: which two tokens become one, and in which order they were
 * learnt. For bpe.c alone. */
#ifndef AUTEUR_PROMPTS_BPE_MERGES_H
#define AUTEUR_PROMPTS_BPE_MERGES_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/error.h"
#include "prompts/vocabulary.h"

struct merge {
    int32_t left, right;
    uint32_t rank; /* the first learnt is 0 */
    int32_t id;    /* the token that both become */
};

struct merges {
    struct merge *slots; /* a hash table; a slot whose left is -1 is free */
    size_t room;
};

/* Reads a list of "a b" or ["a", "b"]; where a pair stands twice, the later counts. `path` is for
 * messages. Zeroed before; merges_free() also after a failure. */
int merges_read(struct merges *m, const json_t *list, const struct vocabulary *v, const char *path,
                struct error *e);
void merges_free(struct merges *m);
const struct merge *merges_find(const struct merges *m, int32_t left, int32_t right);

#endif
