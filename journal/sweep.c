#include <stdlib.h>
#include <string.h>

#include "journal/internal.h"

/* A growing array of hashes, sorted before it is searched. */
struct hashes {
    struct hash128 *items;
    size_t count, room;
};

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct hash128));
}

static int add(struct hashes *h, struct hash128 x, struct error *e)
{
    if (h->count == h->room) {
        size_t room = h->room ? 2 * h->room : 256;
        struct hash128 *grown = reallocarray(h->items, room, sizeof *grown);

        if (!grown)
            return error_memory(e);
        h->items = grown;
        h->room = room;
    }
    h->items[h->count++] = x;
    return 0;
}

static void sort(struct hashes *h)
{
    if (h->count)
        qsort(h->items, h->count, sizeof *h->items, compare);
}

static bool has(const struct hashes *h, const uint8_t hash[16])
{
    return h->count && bsearch(hash, h->items, h->count, sizeof *h->items, compare);
}

struct sweep {
    struct hashes keys, paths; /* what records refer to */
    struct changes gone;
    void (*drop)(void *ctx, const char *path);
    void *drop_ctx;
};

static int live_record(void *ctx, const uint8_t *key, size_t key_size, const struct envelope *value,
                       struct error *e)
{
    struct sweep *s = ctx;
    struct arena arena = {0};
    struct stage_record r;
    bool no_memory;
    int rc = 0;

    if (!decode_record(value, &arena, &r, &no_memory)) {
        char what[160];

        key_describe(key, key_size, what, sizeof what);
        rc = no_memory ? error_memory(e)
                       : error_set(e, ERROR_JOURNAL,
                                   "%s has a form that this version does not know", what);
    } else {
        rc = add(&s->keys, r.key, e);
    }
    for (size_t i = 0; rc == 0 && i < r.artefact_count; i++) {
        const char *path = r.artefacts[i].path;

        if (path[0])
            rc = add(&s->paths, hash_bytes(path, strlen(path)), e);
    }
    arena_free(&arena);
    return rc;
}

static int forget(struct sweep *s, const uint8_t *key, size_t key_size, struct error *e)
{
    memcpy(s->gone.key.bytes, key, key_size);
    s->gone.key.size = key_size;
    return change_remove(&s->gone, e);
}

static int dead_bytes(void *ctx, const uint8_t *key, size_t key_size, const struct envelope *value,
                      struct error *e)
{
    struct sweep *s = ctx;

    (void)value;
    return key_size < 17 || has(&s->keys, key + 1) ? 0 : forget(s, key, key_size, e);
}

static int dead_path(void *ctx, const uint8_t *key, size_t key_size, const struct envelope *value,
                     struct error *e)
{
    struct sweep *s = ctx;
    const char *path;

    if (key_size != 17 || has(&s->paths, key + 1) || !decode_text(value, &path))
        return 0;
    /* First the file, then the journal's memory of it: a kill in between drops it once more. */
    if (s->drop)
        s->drop(s->drop_ctx, path);
    return forget(s, key, key_size, e);
}

int journal_sweep(struct journal *j, void (*drop)(void *ctx, const char *path), void *ctx,
                  struct error *e)
{
    struct sweep s = {.drop = drop, .drop_ctx = ctx};
    struct journal_view *v = NULL;
    struct key records = {{TABLE_RECORD}, 1}, blobs = {{TABLE_BLOB}, 1},
               checkpoints = {{TABLE_CHECKPOINT}, 1}, paths = {{TABLE_PATH}, 1};
    int rc;

    if (!j->writable)
        return error_set(e, ERROR_INTERNAL, "the journal %s was opened for reading", j->dir);
    pthread_mutex_lock(&j->write);
    rc = journal_flush(j, e);
    if (rc == 0)
        rc = journal_view_begin(j, &v, e);
    if (rc == 0)
        rc = journal_each(v, &records, live_record, &s, e);
    sort(&s.keys);
    sort(&s.paths);
    if (rc == 0)
        rc = journal_each(v, &blobs, dead_bytes, &s, e);
    if (rc == 0)
        rc = journal_each(v, &checkpoints, dead_bytes, &s, e);
    if (rc == 0)
        rc = journal_each(v, &paths, dead_path, &s, e);
    journal_view_end(v);
    if (rc == 0 && s.gone.count)
        rc = changes_commit(j, &s.gone, e);
    pthread_mutex_unlock(&j->write);
    changes_free(&s.gone);
    free(s.keys.items);
    free(s.paths.items);
    return rc;
}
