#include "prompts/charsmap.h"

#include <stdlib.h>

struct span {
    const uint8_t *bytes;
    size_t size;
};

static bool varint(struct span *s, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && s->size > 0; shift += 7) {
        uint8_t byte = *s->bytes++;
        s->size--;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* Takes the next field off a protocol buffer message. False at the end and where it is damaged
 * (which the library finds itself). `content` is empty but for fields of bytes. */
static bool next_field(struct span *s, uint64_t *number, struct span *content)
{
    uint64_t key, length;
    if (s->size == 0 || !varint(s, &key))
        return false;
    *number = key >> 3;
    *content = (struct span){0};
    switch (key & 7) {
    case 0:
        return varint(s, &length);
    case 1:
        length = 8;
        break;
    case 2:
        if (!varint(s, &length))
            return false;
        break;
    case 5:
        length = 4;
        break;
    default:
        return false;
    }
    if (length > s->size)
        return false;
    if ((key & 7) == 2)
        *content = (struct span){s->bytes, length};
    s->bytes += length;
    s->size -= length;
    return true;
}

static uint32_t unit(struct span trie, uint32_t i)
{
    const uint8_t *p = trie.bytes + 4 * (size_t)i;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Where a unit's children stand: at base ^ label. */
static uint32_t base_of(uint32_t at, uint32_t u)
{
    return at ^ ((u >> 10) << ((u & 1u << 9) >> 6));
}

/* Visits every unit that some text leads to. A child is looked for at base ^ c for any byte c, and
 * a unit with a leaf has its value at base: an offset into the normalised strings. */
static bool walk(struct span trie, size_t strings, uint32_t *queue, bool *seen)
{
    uint32_t count = (uint32_t)(trie.size / 4), head = 0, tail = 0;
    queue[tail++] = 0;
    seen[0] = true;
    while (head < tail) {
        uint32_t at = queue[head++], u = unit(trie, at);
        uint32_t base = base_of(at, u);
        if ((base | 255) >= count)
            return false;
        if ((u >> 8 & 1) && (unit(trie, base) & 0x7fffffff) >= strings && at != 0)
            return false;
        for (uint32_t c = 0; c < 256; c++) {
            uint32_t child = base ^ c;
            if (!seen[child] && (unit(trie, child) & (1u << 31 | 255)) == c) {
                seen[child] = true;
                queue[tail++] = child;
            }
        }
    }
    return true;
}

static bool table_sound(struct span table)
{
    if (table.size == 0)
        return true;
    if (table.size < 4)
        return false;
    uint32_t size = unit(table, 0);
    struct span trie = {table.bytes + 4, size};
    if (size > table.size - 4 || size % 4 != 0 || size == 0)
        return false;
    size_t strings = table.size - 4 - size;
    if (strings == 0 || table.bytes[table.size - 1] != 0)
        return false;
    uint32_t *queue = malloc(size);
    bool *seen = calloc(size / 4, sizeof *seen);
    bool sound = queue && seen && walk(trie, strings, queue, seen);
    free(queue);
    free(seen);
    return sound;
}

bool charsmap_sound(const uint8_t *model, size_t size)
{
    enum { NORMALIZER_SPEC = 3, PRECOMPILED_CHARSMAP = 2 };
    struct span message = {model, size}, spec, table;
    uint64_t number;
    while (next_field(&message, &number, &spec))
        while (number == NORMALIZER_SPEC && next_field(&spec, &number, &table)) {
            if (number == PRECOMPILED_CHARSMAP && !table_sound(table))
                return false;
            number = NORMALIZER_SPEC;
        }
    return true;
}
