#include "kernels/base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    unsigned char *bytes;
    void *raw; /* as it was allocated: bytes is the first aligned one in it */
};

enum { BLOCK_SIZE = 64 * 1024 };

static struct arena_block *block_new(struct arena_source *source, size_t size)
{
    struct arena_block *b = malloc(sizeof *b);

    if (!b)
        return NULL;
    /* calloc() gives large blocks as pages that are not there until they are written to. */
    b->raw = source ? source->get(source, size) : calloc(1, size + 63);
    b->bytes = source ? b->raw : (unsigned char *)(((uintptr_t)b->raw + 63) & ~(uintptr_t)63);
    if (!b->raw) {
        free(b);
        return NULL;
    }
    b->next = NULL;
    b->used = 0;
    b->size = size;
    return b;
}

/* Where `size` bytes would begin in a block; SIZE_MAX: they do not fit. */
static size_t room_in(const struct arena_block *b, size_t size, size_t align)
{
    size_t at = (b->used + align - 1) & ~(align - 1);
    return at <= b->size && size <= b->size - at ? at : SIZE_MAX;
}

/* The block to allocate from: the head; in a rewound arena the fullest one that has room. */
static struct arena_block *block_with_room(const struct arena *a, size_t size, size_t align)
{
    struct arena_block *best = NULL;

    for (struct arena_block *b = a->head; b; b = a->rewound ? b->next : NULL)
        if (room_in(b, size, align) != SIZE_MAX &&
            (!best || b->size - b->used < best->size - best->used))
            best = b;
    return best;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t align = a->source ? 256 : size >= 64 ? 64 : 16;
    size_t block_size = a->source ? a->source->block_size : BLOCK_SIZE;
    struct arena_block *b = NULL;
    size_t at = 0;

    if (size > SIZE_MAX / 2)
        return NULL;
    b = block_with_room(a, size, align);
    if (b) {
        at = room_in(b, size, align);
    } else {
        size_t room = size > block_size / 4 ? (size + 63) & ~(size_t)63 : block_size;
        struct arena_block *fresh = block_new(a->source, room ? room : 64);

        if (!fresh)
            return NULL;
        /* A block made for one large allocation goes behind the head, so that the head's
         * remaining room is not lost. */
        if (a->head && room != block_size) {
            fresh->next = a->head->next;
            a->head->next = fresh;
        } else {
            fresh->next = a->head;
            a->head = fresh;
        }
        b = fresh;
    }
    b->used = at + size;
    return b->bytes + at;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / 2 / size)
        return NULL;
    return arena_alloc(a, count * size);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *copy = arena_alloc(a, n + 1);

    if (copy)
        memcpy(copy, s, n);
    return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args, again;
    char *text = NULL;
    int n;

    va_start(args, format);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n >= 0)
        text = arena_alloc(a, (size_t)n + 1);
    if (text)
        vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

void arena_free(struct arena *a)
{
    struct arena_block *b = a->head;

    while (b) {
        struct arena_block *next = b->next;

        if (a->source)
            a->source->put(a->source, b->raw, b->size);
        else
            free(b->raw);
        free(b);
        b = next;
    }
    a->head = NULL;
    a->rewound = false;
}

void arena_rewind(struct arena *a)
{
    for (struct arena_block *b = a->head; b; b = b->next) {
        if (b->used && a->source)
            a->source->clear(a->source, b->bytes, b->used);
        else
            memset(b->bytes, 0, b->used);
        b->used = 0;
    }
    a->rewound = true;
}

bool arena_run(const struct arena *a, size_t i, void **bytes, size_t *size)
{
    for (const struct arena_block *b = a->head; b; b = b->next) {
        if (b->used == 0 || i-- > 0)
            continue;
        *bytes = b->bytes;
        *size = b->used;
        return true;
    }
    return false;
}
