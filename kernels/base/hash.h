/* 128-bit content hashes: XXH3 (https://github.com/Cyan4973/xxHash), a fast non-cryptographic hash.
 * Keys guard against change, not against an enemy. Bytes are stored big-endian (XXH's canonical
 * form), so that a key means the same on every machine. */
#ifndef AUTEUR_BASE_HASH_H
#define AUTEUR_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/error.h"

struct hash128 {
    uint8_t bytes[16];
};
enum { HASH_HEX_SIZE = 33 };

struct hasher;                   /* opaque XXH3 state */
struct hasher *hasher_new(void); /* NULL: out of memory */
void hasher_reset(struct hasher *h);
void hasher_add(struct hasher *h, const void *bytes, size_t size);
struct hash128 hasher_result(const struct hasher *h);
void hasher_free(struct hasher *h);

struct hash128 hash_bytes(const void *bytes, size_t size);
/* The whole content of a regular file, streamed. */
int hash_file(const char *path, struct hash128 *out, struct error *e);
/* The same, or of a folder of files (a picture sequence): of their names and contents, in the order
 * of the names. */
int hash_path(const char *path, struct hash128 *out, struct error *e);

bool hash_equal(struct hash128 a, struct hash128 b);
void hash_hex(struct hash128 h, char out[HASH_HEX_SIZE]);

#endif
