/* A bump allocator: many small allocations with one lifetime, freed together. Not thread-safe.
 * Every allocation is aligned to 64 bytes (a cache line, and what SIMD loads like) when it is of at
 * least 64 bytes, else to 16. Memory is zeroed. A NULL return means out of memory.
 */
#ifndef AUTEUR_BASE_ARENA_H
#define AUTEUR_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

/* Where blocks come from when it is not the heap: a device's memory, which the arena itself never
 * touches. Everything is aligned to 256 there. */
struct arena_source {
    void *(*get)(struct arena_source *s, size_t size); /* zeroed, aligned to 256; NULL: none left */
    void (*put)(struct arena_source *s, void *bytes, size_t size);
    void (*clear)(struct arena_source *s, void *bytes, size_t size); /* zeroes */
    size_t block_size; /* at least this much is asked for at once */
    bool host;         /* it is host memory after all */
};

struct arena_block;
struct arena {
    struct arena_block *head;
    struct arena_source *source; /* NULL: the heap */
    bool rewound;
};

void *arena_alloc(struct arena *a, size_t size);
void *arena_array(struct arena *a, size_t count, size_t size); /* NULL on overflow too */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Frees everything; the arena may be used again, with the same source. A zeroed arena is a valid
 * empty one. */
void arena_free(struct arena *a);

/* Forgets everything and frees nothing: what is allocated next comes from the memory that is there,
 * zeroed again, as long as it fits; the same allocations in the same order get the same places. */
void arena_rewind(struct arena *a);
/* The i-th run of memory that is in use; false when there are not so many. */
bool arena_run(const struct arena *a, size_t i, void **bytes, size_t *size);

#endif
