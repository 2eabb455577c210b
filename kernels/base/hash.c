#include "kernels/base/hash.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "kernels/base/file.h"

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
    struct hasher *h = hasher_new();
    char *chunk = malloc(CHUNK);
    uint64_t size;
    ssize_t n;
    int fd = -1, rc = -1;

    if (!h || !chunk) {
        error_memory(e);
        goto done;
    }
    if (file_open(path, &fd, &size, e) != 0)
        goto done;
    while ((n = read(fd, chunk, CHUNK)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            error_errno(e, errno, "read", path);
            goto done;
        }
        hasher_add(h, chunk, (size_t)n);
    }
    *out = hasher_result(h);
    rc = 0;
done:
    if (fd >= 0)
        close(fd);
    free(chunk);
    hasher_free(h);
    return rc;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_file(struct hasher *h, const char *dir, const char *name, struct error *e)
{
    struct hash128 content;
    char *path = NULL;
    int rc;

    if (asprintf(&path, "%s/%s", dir, name) < 0)
        return error_memory(e);
    rc = hash_file(path, &content, e);
    free(path);
    if (rc == 0) {
        hasher_add(h, name, strlen(name) + 1);
        hasher_add(h, content.bytes, sizeof content.bytes);
    }
    return rc;
}

int hash_path(const char *path, struct hash128 *out, struct error *e)
{
    struct dirent **entries;
    struct hasher *h;
    int n = scandir(path, &entries, not_hidden, by_bytes), rc = 0;

    if (n < 0)
        return errno == ENOTDIR ? hash_file(path, out, e) : error_errno(e, errno, "read", path);
    h = hasher_new();
    if (!h)
        rc = error_memory(e);
    for (int i = 0; i < n; i++) {
        if (rc == 0)
            rc = add_file(h, path, entries[i]->d_name, e);
        free(entries[i]);
    }
    free(entries);
    if (rc == 0)
        *out = hasher_result(h);
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
