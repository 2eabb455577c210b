#include "prompts/bpe_merges.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static size_t place(const struct merges *m, int32_t left, int32_t right)
{
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    pair ^= pair >> 29;
    pair *= 0x9e3779b97f4a7c15; /* 2^64 over the golden ratio: D. Knuth, TAOCP 6.4 */
    return (size_t)(pair >> 32) & (m->room - 1);
}

/* The slot that holds a pair, or the free one where it belongs. At most half are taken. */
static struct merge *slot_of(const struct merges *m, int32_t left, int32_t right)
{
    for (size_t i = place(m, left, right);; i = (i + 1) & (m->room - 1)) {
        struct merge *s = &m->slots[i];
        if (s->left < 0 || (s->left == left && s->right == right))
            return s;
    }
}

const struct merge *merges_find(const struct merges *m, int32_t left, int32_t right)
{
    const struct merge *s = slot_of(m, left, right);
    return s->left < 0 ? NULL : s;
}

struct half {
    const char *text;
    size_t size;
};

/* False: it is neither of the two forms. */
static bool halves(const json_t *item, struct half *a, struct half *b)
{
    if (json_is_array(item) && json_array_size(item) == 2) {
        const json_t *x = json_array_get(item, 0), *y = json_array_get(item, 1);
        *a = (struct half){json_string_value(x), json_string_length(x)};
        *b = (struct half){json_string_value(y), json_string_length(y)};
        return a->text && b->text;
    }
    const char *text = json_string_value(item), *space = text ? strchr(text, ' ') : NULL;
    if (!space || strchr(space + 1, ' '))
        return false;
    *a = (struct half){text, (size_t)(space - text)};
    *b = (struct half){space + 1, json_string_length(item) - a->size - 1};
    return true;
}

/* The id of both halves together; -1: unknown, or out of memory. */
static int together(const struct vocabulary *v, struct half a, struct half b)
{
    char small[256];
    char *text = a.size + b.size <= sizeof small ? small : malloc(a.size + b.size);
    if (!text)
        return -1;
    memcpy(text, a.text, a.size);
    memcpy(text + a.size, b.text, b.size);
    int id = vocabulary_find(v, text, a.size + b.size);
    if (text != small)
        free(text);
    return id;
}

/* How much of a half an error message has room for. */
static int shown(struct half h)
{
    return h.size < 40 ? (int)h.size : 40;
}

static int add(struct merges *m, const json_t *item, size_t rank, const struct vocabulary *v,
               const char *path, struct error *e)
{
    struct half a, b;
    if (!halves(item, &a, &b))
        return error_set(e, ERROR_MODEL, "%s: merge %zu is not of two tokens", path, rank + 1);
    int left = vocabulary_find(v, a.text, a.size), right = vocabulary_find(v, b.text, b.size),
        id = together(v, a, b);
    if (left < 0 || right < 0 || id < 0)
        return error_set(e, ERROR_MODEL,
                         "%s: merge %zu (\"%.*s\" and \"%.*s\") makes or names a token that the "
                         "vocabulary does not have",
                         path, rank + 1, shown(a), a.text, shown(b), b.text);
    *slot_of(m, left, right) = (struct merge){left, right, (uint32_t)rank, id};
    return 0;
}

int merges_read(struct merges *m, const json_t *list, const struct vocabulary *v, const char *path,
                struct error *e)
{
    if (!json_is_array(list))
        return error_set(e, ERROR_MODEL, "%s: has no list of merges", path);
    m->room = 16;
    while (m->room < 2 * json_array_size(list))
        m->room *= 2;
    m->slots = malloc(m->room * sizeof *m->slots);
    if (!m->slots)
        return error_memory(e);
    for (size_t i = 0; i < m->room; i++)
        m->slots[i].left = -1;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (add(m, json_array_get(list, i), i, v, path, e) != 0)
            return -1;
    return 0;
}

void merges_free(struct merges *m)
{
    free(m->slots);
    *m = (struct merges){0};
}
