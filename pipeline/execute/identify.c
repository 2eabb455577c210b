#include "pipeline/execute/identify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEEPEST = 8 };
static const uint64_t MIB = 1 << 20, WHOLE = 64 << 20;

struct known {
    const char *path; /* NULL: an empty slot */
    struct hash128 digest;
};

struct identify {
    struct journal *journal;
    bool may_write;
    pthread_mutex_t mutex;
    struct arena arena;
    struct known *slots; /* open addressing; a power of two, at most half full */
    size_t room, count;
};

struct identify *identify_new(struct journal *journal, bool may_write)
{
    struct identify *id = calloc(1, sizeof *id);

    if (!id)
        return NULL;
    id->journal = journal;
    id->may_write = may_write;
    id->room = 64;
    id->slots = calloc(id->room, sizeof *id->slots);
    if (!id->slots || pthread_mutex_init(&id->mutex, NULL) != 0) {
        free(id->slots);
        free(id);
        return NULL;
    }
    return id;
}

void identify_free(struct identify *id)
{
    if (!id)
        return;
    pthread_mutex_destroy(&id->mutex);
    arena_free(&id->arena);
    free(id->slots);
    free(id);
}

static struct known *slot_of(struct known *slots, size_t room, const char *path)
{
    struct hash128 h = hash_bytes(path, strlen(path));
    size_t at;

    memcpy(&at, h.bytes, sizeof at);
    for (at &= room - 1; slots[at].path; at = (at + 1) & (room - 1))
        if (strcmp(slots[at].path, path) == 0)
            break;
    return &slots[at];
}

static int remember(struct identify *id, const char *path, struct hash128 digest, struct error *e)
{
    struct known *slot;

    if (2 * (id->count + 1) > id->room) {
        struct known *grown = calloc(id->room * 2, sizeof *grown);

        if (!grown)
            return error_memory(e);
        for (size_t i = 0; i < id->room; i++)
            if (id->slots[i].path)
                *slot_of(grown, id->room * 2, id->slots[i].path) = id->slots[i];
        free(id->slots);
        id->slots = grown;
        id->room *= 2;
    }
    slot = slot_of(id->slots, id->room, path);
    slot->path = arena_strdup(&id->arena, path);
    if (!slot->path)
        return error_memory(e);
    slot->digest = digest;
    id->count++;
    return 0;
}

/* Hashes `size` bytes of the file from `offset`. */
static int add_range(struct hasher *h, int fd, const char *path, uint64_t offset, uint64_t size,
                     char *buffer, struct error *e)
{
    while (size) {
        ssize_t n = pread(fd, buffer, size < MIB ? size : MIB, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(e, errno, "read", path);
        if (n == 0)
            return error_set(e, ERROR_IO, "%s became shorter while it was read", path);
        hasher_add(h, buffer, (size_t)n);
        offset += (uint64_t)n;
        size -= (uint64_t)n;
    }
    return 0;
}

static int hash_ends(const char *path, const struct file_stat *st, struct hash128 *out,
                     struct error *e)
{
    struct hasher *h = hasher_new();
    char *buffer = malloc(MIB);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = -1;

    if (!h || !buffer) {
        error_memory(e);
        goto done;
    }
    if (fd < 0) {
        error_errno(e, errno, "open", path);
        goto done;
    }
    hasher_add(h, &st->size, sizeof st->size);
    hasher_add(h, &st->mtime_ns, sizeof st->mtime_ns);
    if (add_range(h, fd, path, 0, MIB, buffer, e) != 0 ||
        add_range(h, fd, path, st->size - MIB, MIB, buffer, e) != 0)
        goto done;
    *out = hasher_result(h);
    rc = 0;
done:
    if (fd >= 0)
        close(fd);
    free(buffer);
    hasher_free(h);
    return rc;
}

/* 1 and the digest when the journal knows this file as it is now, else 0. */
static int ask_journal(struct identify *id, const char *path, const struct file_stat *st,
                       struct hash128 *out, struct error *e)
{
    struct journal_view *view;
    int found;

    if (!id->journal)
        return 0;
    if (journal_view_begin(id->journal, &view, e) != 0)
        return -1;
    found = journal_digest_get(view, path, st, out, e);
    journal_view_end(view);
    return found;
}

static int identify_file(struct identify *id, const char *path, const struct file_stat *st,
                         struct hash128 *out, struct error *e)
{
    bool keep = st->size > MIB;
    int found = keep ? ask_journal(id, path, st, out, e) : 0;

    if (found)
        return found < 0 ? -1 : 0;
    if ((st->size > WHOLE ? hash_ends(path, st, out, e) : hash_file(path, out, e)) != 0)
        return -1;
    if (keep && id->journal && id->may_write)
        return journal_digest_put(id->journal, path, st, *out, e);
    return 0;
}

static bool belongs(const char *name)
{
    static const char *const endings[] = {".json", ".model", ".txt", ".safetensors"};
    size_t n = strlen(name);

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t m = strlen(endings[i]);

        if (n > m && strcmp(name + n - m, endings[i]) == 0)
            return true;
    }
    return false;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Adds name and digest of everything in dir; `inside` is its name relative to the model's root. */
static int add_directory(struct identify *id, struct hasher *h, const char *dir, const char *inside,
                         int depth, struct error *e)
{
    struct arena arena = {0};
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, not_hidden, alphasort);
    int rc = n < 0 ? error_errno(e, errno, "list the directory", dir) : 0;

    for (int i = 0; i < n; i++) {
        char *path = path_join(&arena, dir, entries[i]->d_name);
        char *name = path_join(&arena, inside, entries[i]->d_name);
        struct stat st;
        struct file_stat fs;
        struct hash128 digest;

        free(entries[i]);
        if (rc != 0)
            continue;
        if (!path || !name) {
            rc = error_memory(e);
        } else if (stat(path, &st) != 0) {
            rc = error_errno(e, errno, "stat", path);
        } else if (S_ISDIR(st.st_mode) && depth < DEEPEST) {
            rc = add_directory(id, h, path, name, depth + 1, e);
        } else if (S_ISREG(st.st_mode) && belongs(name)) {
            rc = file_stat(path, &fs, e);
            if (rc == 0)
                rc = identify_file(id, path, &fs, &digest, e);
            if (rc == 0) {
                hasher_add(h, name, strlen(name) + 1);
                hasher_add(h, digest.bytes, sizeof digest.bytes);
            }
        }
    }
    free(entries);
    arena_free(&arena);
    return rc;
}

static int identify_new_path(struct identify *id, const char *path, struct hash128 *out,
                             struct error *e)
{
    struct file_stat fs;
    struct stat st;
    struct hasher *h;
    int rc;

    if (stat(path, &st) != 0)
        return error_errno(e, errno, "open", path);
    if (!S_ISDIR(st.st_mode)) {
        if (file_stat(path, &fs, e) != 0)
            return -1;
        return identify_file(id, path, &fs, out, e);
    }
    h = hasher_new();
    if (!h)
        return error_memory(e);
    rc = add_directory(id, h, path, "", 1, e);
    if (rc == 0)
        *out = hasher_result(h);
    hasher_free(h);
    return rc;
}

int identify_path(void *ctx, const char *path, struct hash128 *out, struct error *e)
{
    struct identify *id = ctx;
    const struct known *known;
    int rc = 0;

    pthread_mutex_lock(&id->mutex);
    known = slot_of(id->slots, id->room, path);
    if (known->path) {
        *out = known->digest;
    } else {
        rc = identify_new_path(id, path, out, e);
        if (rc == 0)
            rc = remember(id, path, *out, e);
    }
    pthread_mutex_unlock(&id->mutex);
    return rc;
}
