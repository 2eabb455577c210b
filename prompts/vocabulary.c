#include "prompts/vocabulary.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct vocabulary_slot {
    const char *token; /* NULL: free */
    uint32_t size;
    int32_t id;
};

/* The slot that holds a token, or the free one where it belongs. At most half are taken. */
static struct vocabulary_slot *slot_of(const struct vocabulary *v, const char *token, size_t size)
{
    size_t i = XXH3_64bits(token, size) & (v->room - 1);
    for (;; i = (i + 1) & (v->room - 1)) {
        struct vocabulary_slot *s = &v->slots[i];
        if (!s->token || (s->size == size && memcmp(s->token, token, size) == 0))
            return s;
    }
}

int vocabulary_find(const struct vocabulary *v, const char *token, size_t size)
{
    const struct vocabulary_slot *s = v->room ? slot_of(v, token, size) : NULL;
    return s && s->token ? s->id : -1;
}

static int add(struct vocabulary *v, const char *token, size_t size, int id, struct error *e)
{
    struct vocabulary_slot *s = slot_of(v, token, size);
    char *copy = arena_strndup(&v->strings, token, size);
    if (!copy)
        return error_memory(e);
    *s = (struct vocabulary_slot){copy, (uint32_t)size, id};
    v->count++;
    if (id >= v->size)
        v->size = id + 1;
    return 0;
}

/* Adds all tokens; `seen` has a bit for each possible id. */
static int add_all(struct vocabulary *v, const json_t *tokens, uint8_t *seen, const char *path,
                   struct error *e)
{
    json_t *object = (json_t *)tokens; /* jansson's iterators are not const */
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const char *token = json_object_iter_key(at);
        const json_t *value = json_object_iter_value(at);
        double id = json_is_number(value) ? json_number_value(value) : -1;
        if (!(id >= 0 && id <= VOCABULARY_ID_MAX) || id != (int)id)
            return error_set(e, ERROR_MODEL,
                             "%s: the id of \"%.60s\" is no whole number from 0 to %d", path, token,
                             VOCABULARY_ID_MAX);
        uint8_t *byte = &seen[(int)id / 8], bit = (uint8_t)(1 << (int)id % 8);
        if (*byte & bit)
            return error_set(e, ERROR_MODEL, "%s: \"%.60s\" has the id %d, which another token has",
                             path, token, (int)id);
        *byte |= bit;
        if (add(v, token, json_object_iter_key_len(at), (int)id, e) != 0)
            return -1;
    }
    return 0;
}

int vocabulary_read(struct vocabulary *v, const json_t *tokens, const char *path, struct error *e)
{
    if (!json_is_object(tokens) || json_object_size(tokens) == 0)
        return error_set(e, ERROR_MODEL, "%s: has no vocabulary, an object of tokens and ids",
                         path);
    v->room = 16;
    while (v->room < 2 * json_object_size(tokens))
        v->room *= 2;
    v->slots = calloc(v->room, sizeof *v->slots);
    uint8_t *seen = calloc(VOCABULARY_ID_MAX / 8 + 1, 1);
    int rc = v->slots && seen ? add_all(v, tokens, seen, path, e) : error_memory(e);
    free(seen);
    return rc;
}

void vocabulary_free(struct vocabulary *v)
{
    arena_free(&v->strings);
    free(v->slots);
    *v = (struct vocabulary){0};
}
