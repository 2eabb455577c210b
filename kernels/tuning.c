#include "kernels/tuning.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "kernels/base/file.h"

/* A file: a hash of what follows, the identity with its NUL, entries one after another. */
static const char magic[8] = "AUTUNE1";
enum { FILE_LIMIT = 16 << 20 };

/* FNV-1a. */
static uint64_t sum_of(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < size; i++)
        h = (h ^ at[i]) * 1099511628211u;
    return h;
}

/* Key and value follow it, here and in the file. */
struct entry {
    uint32_t key_size, value_size;
    int32_t effort;
};

struct table {
    struct entry **entries;
    size_t count;
};

struct tuning {
    char path[PATH_MAX], *identity;
    struct table known;
};

static const unsigned char *entry_key(const struct entry *e)
{
    return (const unsigned char *)(e + 1);
}

static size_t entry_size(const struct entry *e)
{
    return sizeof *e + e->key_size + e->value_size;
}

static struct entry **find(const struct table *t, const void *key, size_t size)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->entries[i]->key_size == size && memcmp(entry_key(t->entries[i]), key, size) == 0)
            return &t->entries[i];
    return NULL;
}

static void table_free(struct table *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->entries[i]);
    free(t->entries);
    *t = (struct table){0};
}

/* Takes the entry; in place of one of the same key unless that was looked for harder. */
static void put(struct table *t, struct entry *e)
{
    struct entry **old = find(t, entry_key(e), e->key_size), **grown;

    if (old && (*old)->effort < e->effort) {
        free(*old);
        *old = e;
        return;
    }
    grown = old ? NULL : realloc(t->entries, (t->count + 1) * sizeof(struct entry *));
    if (!grown) {
        free(e);
        return;
    }
    t->entries = grown;
    t->entries[t->count++] = e;
}

static struct entry *new_entry(struct entry head, const void *key, const void *value)
{
    struct entry *e = malloc(entry_size(&head));

    if (!e)
        return NULL;
    *e = head;
    memcpy(e + 1, key, head.key_size);
    memcpy((char *)(e + 1) + head.key_size, value, head.value_size);
    return e;
}

/* ---- the file */

static void parse(struct table *t, const char *at, const char *end)
{
    struct entry head;

    while ((size_t)(end - at) >= sizeof head) {
        memcpy(&head, at, sizeof head);
        at += sizeof head;
        if ((uint64_t)head.key_size + head.value_size > (uint64_t)(end - at))
            return;
        struct entry *e = new_entry(head, at, at + head.key_size);
        if (e)
            put(t, e);
        at += head.key_size + head.value_size;
    }
}

static void read_file(const struct tuning *t, struct table *out)
{
    size_t head = sizeof magic + sizeof(uint64_t), name = strlen(t->identity) + 1, size;
    struct error ignored = {0};
    uint64_t sum;
    char *bytes;

    if (!t->path[0] || file_read(t->path, FILE_LIMIT, &bytes, &size, &ignored))
        return;
    if (size >= head + name && memcmp(bytes, magic, sizeof magic) == 0) {
        sum = sum_of(bytes + head, size - head);
        if (memcmp(&sum, bytes + sizeof magic, sizeof sum) == 0 &&
            memcmp(bytes + head, t->identity, name) == 0)
            parse(out, bytes + head + name, bytes + size);
    }
    free(bytes);
}

static void write_file(const struct tuning *t)
{
    size_t head = sizeof magic + sizeof(uint64_t), name = strlen(t->identity) + 1;
    size_t size = head + name;
    struct error ignored = {0}; /* what cannot be written is found again */
    uint64_t sum;
    char *bytes, *at;

    for (size_t i = 0; i < t->known.count; i++)
        size += entry_size(t->known.entries[i]);
    bytes = malloc(size);
    if (!bytes || size > FILE_LIMIT) {
        free(bytes);
        return;
    }
    memcpy(bytes, magic, sizeof magic);
    memcpy(bytes + head, t->identity, name);
    at = bytes + head + name;
    for (size_t i = 0; i < t->known.count; i++) {
        memcpy(at, t->known.entries[i], entry_size(t->known.entries[i]));
        at += entry_size(t->known.entries[i]);
    }
    sum = sum_of(bytes + head, size - head);
    memcpy(bytes + sizeof magic, &sum, sizeof sum);
    file_write_atomic(t->path, bytes, size, &ignored);
    free(bytes);
}

/* What other processes found meanwhile; theirs first. Whoever holds the lock may write. */
static void merge_and_write(struct tuning *t)
{
    char name[PATH_MAX + 8];
    struct table mine = t->known;
    int lock;

    if (!t->path[0])
        return;
    snprintf(name, sizeof name, "%s.lock", t->path);
    lock = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    if (lock < 0)
        return;
    flock(lock, LOCK_EX);
    t->known = (struct table){0};
    read_file(t, &t->known);
    for (size_t i = 0; i < mine.count; i++)
        put(&t->known, mine.entries[i]);
    free(mine.entries);
    write_file(t);
    close(lock);
}

/* ---- its place */

struct tuning *tuning_open(const char *identity)
{
    struct tuning *t = calloc(1, sizeof *t);
    char folder[PATH_MAX - 64];

    if (!t)
        return NULL;
    t->identity = strdup(identity);
    if (!t->identity) {
        free(t);
        return NULL;
    }
    if (cache_folder(folder, sizeof folder))
        snprintf(t->path, sizeof t->path, "%s/tuning-%016llx", folder,
                 (unsigned long long)sum_of(identity, strlen(identity)));
    read_file(t, &t->known);
    return t;
}

void tuning_close(struct tuning *t)
{
    if (!t)
        return;
    table_free(&t->known);
    free(t->identity);
    free(t);
}

const char *tuning_path(const struct tuning *t)
{
    return t->path;
}

/* ---- finding and keeping */

bool tuning_find(struct tuning *t, const void *key, size_t key_size, int effort, void *value,
                 size_t value_size)
{
    struct entry **e = find(&t->known, key, key_size);

    if (!e || (*e)->effort < effort || (*e)->value_size != value_size)
        return false;
    memcpy(value, entry_key(*e) + key_size, value_size);
    return true;
}

void tuning_keep(struct tuning *t, const void *key, size_t key_size, int effort, void *value,
                 size_t value_size)
{
    struct entry head = {(uint32_t)key_size, (uint32_t)value_size, effort};
    struct entry *e = new_entry(head, key, value);

    if (!e)
        return;
    put(&t->known, e);
    merge_and_write(t);
    tuning_find(t, key, key_size, effort, value, value_size);
}
