#include "kernels/base/hash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct hasher {
    XXH3_state_t *state;
};

static struct hash128 canonical(XXH128_hash_t h)
{
    struct hash128 out;
    XXH128_canonical_t c;

    XXH128_canonicalFromHash(&c, h);
    memcpy(out.bytes, c.digest, sizeof out.bytes);
    return out;
}

struct hasher *hasher_new(void)
{
    struct hasher *h = malloc(sizeof *h);

    if (!h)
        return NULL;
    h->state = XXH3_createState();
    if (!h->state) {
        free(h);
        return NULL;
    }
    hasher_reset(h);
    return h;
}

void hasher_reset(struct hasher *h)
{
    XXH3_128bits_reset(h->state);
}

void hasher_add(struct hasher *h, const void *bytes, size_t size)
{
    XXH3_128bits_update(h->state, bytes, size);
}

struct hash128 hasher_result(const struct hasher *h)
{
    return canonical(XXH3_128bits_digest(h->state));
}

void hasher_free(struct hasher *h)
{
    if (!h)
        return;
    XXH3_freeState(h->state);
    free(h);
}

struct hash128 hash_bytes(const void *bytes, size_t size)
{
    return canonical(XXH3_128bits(bytes, size));
}

int hash_file(const char *path, struct hash128 *out, struct error *e)
{
    enum { CHUNK = 1 << 18 };
    FILE *f = NULL;
    struct hasher *h = hasher_new();
    char *chunk = malloc(CHUNK);
    int rc = -1;
    size_t n;

    if (!h || !chunk) {
        error_memory(e);
        goto done;
    }
    f = fopen(path, "rb");
    if (!f) {
        error_errno(e, errno, "open", path);
        goto done;
    }
    while ((n = fread(chunk, 1, CHUNK, f)) > 0)
        hasher_add(h, chunk, n);
    if (ferror(f)) {
        error_errno(e, errno, "read", path);
        goto done;
    }
    *out = hasher_result(h);
    rc = 0;
done:
    if (f)
        fclose(f);
    free(chunk);
    hasher_free(h);
    return rc;
}

bool hash_equal(struct hash128 a, struct hash128 b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

void hash_hex(struct hash128 h, char out[HASH_HEX_SIZE])
{
    for (size_t i = 0; i < sizeof h.bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", h.bytes[i]);
}
