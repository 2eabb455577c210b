#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "journal/internal.h"

enum { RESIZE_WAIT_S = 2 };

bool journal_gate_enter(struct journal *j)
{
    bool open;

    pthread_mutex_lock(&j->gate);
    while (j->resizing)
        pthread_cond_wait(&j->gate_changed, &j->gate);
    open = !j->broken;
    if (open)
        j->views++;
    pthread_mutex_unlock(&j->gate);
    return open;
}

void journal_gate_leave(struct journal *j)
{
    pthread_mutex_lock(&j->gate);
    j->views--;
    pthread_cond_broadcast(&j->gate_changed);
    pthread_mutex_unlock(&j->gate);
}

/* Waits a while for the open views to end, since their bytes move with the map. One that stays open
 * may be the caller's own: waiting for ever would be a deadlock, so that is an error. */
int journal_map_resize(struct journal *j, size_t size, struct error *e)
{
    struct timespec until;
    size_t open;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RESIZE_WAIT_S;
    pthread_mutex_lock(&j->gate);
    while (j->resizing)
        pthread_cond_wait(&j->gate_changed, &j->gate);
    j->resizing = true;
    while (j->views && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&j->gate_changed, &j->gate, &until);
    open = j->views;
    if (open == 0) {
        rc = mdb_env_set_mapsize(j->env, size);
        j->broken = rc != 0;
    }
    j->resizing = false;
    pthread_cond_broadcast(&j->gate_changed);
    pthread_mutex_unlock(&j->gate);
    if (open)
        return error_set(e, ERROR_SPACE,
                         "journal %s: its map is full and cannot grow while %zu views of it are "
                         "open; run again and it starts larger",
                         j->dir, open);
    return rc == 0 ? 0 : journal_lmdb_error(j, rc, "enlarge its map", e);
}

int journal_view_begin(struct journal *j, struct journal_view **out, struct error *e)
{
    struct journal_view *v = calloc(1, sizeof *v);

    if (!v)
        return error_memory(e);
    v->j = j;
    for (int tries = 0;; tries++) {
        int rc;

        if (!journal_gate_enter(j)) {
            free(v);
            return error_set(e, ERROR_MEMORY, "journal %s: its map was lost; run again", j->dir);
        }
        rc = mdb_txn_begin(j->env, NULL, MDB_RDONLY, &v->txn);
        if (rc == 0)
            break;
        journal_gate_leave(j);
        /* The writer, another process, has made the map larger than ours. */
        if (rc == MDB_MAP_RESIZED && tries < 10 && journal_map_resize(j, 0, e) == 0)
            continue;
        free(v);
        return e->code ? -1 : journal_lmdb_error(j, rc, "read it", e);
    }
    *out = v;
    return 0;
}

void journal_view_end(struct journal_view *v)
{
    if (!v)
        return;
    mdb_txn_abort(v->txn);
    journal_gate_leave(v->j);
    arena_free(&v->arena);
    free(v);
}

static int damaged(struct journal_view *v, const void *key, size_t size, struct error *e)
{
    char what[160];

    key_describe(key, size, what, sizeof what);
    return journal_damage(v->j->dir, e, "%s does not match its checksum", what);
}

static bool opens(const MDB_val *key, const MDB_val *data, struct envelope *out)
{
    return envelope_open(data->mv_data, data->mv_size, true, out) &&
           out->key_size == key->mv_size && memcmp(out->key, key->mv_data, key->mv_size) == 0;
}

int journal_fetch(struct journal_view *v, const struct key *k, struct envelope *out,
                  struct error *e)
{
    MDB_val key = {k->size, (void *)k->bytes}, data;
    int rc = mdb_get(v->txn, v->j->dbi, &key, &data);

    if (rc == MDB_NOTFOUND)
        return 0;
    if (rc != 0)
        return journal_lmdb_error(v->j, rc, "read it", e);
    return opens(&key, &data, out) ? 1 : damaged(v, k->bytes, k->size, e);
}

int journal_each(struct journal_view *v, const struct key *prefix,
                 int (*visit)(void *ctx, const uint8_t *key, size_t key_size,
                              const struct envelope *value, struct error *e),
                 void *ctx, struct error *e)
{
    MDB_val key = {prefix->size, (void *)prefix->bytes}, data;
    MDB_cursor *cursor = NULL;
    int rc = mdb_cursor_open(v->txn, v->j->dbi, &cursor), go = 0;

    if (rc == 0)
        rc = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);
    for (; rc == 0 && go == 0; rc = go ? 0 : mdb_cursor_get(cursor, &key, &data, MDB_NEXT)) {
        struct envelope value;

        if (key.mv_size < prefix->size || memcmp(key.mv_data, prefix->bytes, prefix->size) != 0)
            break;
        go = opens(&key, &data, &value) ? visit(ctx, key.mv_data, key.mv_size, &value, e)
                                        : damaged(v, key.mv_data, key.mv_size, e);
    }
    mdb_cursor_close(cursor);
    if (rc != 0 && rc != MDB_NOTFOUND)
        return journal_lmdb_error(v->j, rc, "read it", e);
    return go;
}

/* A value that its checksum vouches for but whose fields make no sense: another version's. */
static int senseless(struct journal_view *v, const struct key *k, struct error *e)
{
    char what[160];

    key_describe(k->bytes, k->size, what, sizeof what);
    return journal_damage(v->j->dir, e, "%s has a form that this version does not know", what);
}

int journal_get(struct journal_view *v, const char *shot, const char *stage,
                struct stage_record *out, struct error *e)
{
    struct key k;
    struct envelope value;
    struct stage_record r;
    bool no_memory;
    int rc;

    if (key_stage(&k, TABLE_RECORD, shot, stage, e) != 0)
        return -1;
    rc = journal_fetch(v, &k, &value, e);
    if (rc != 1)
        return rc;
    if (!decode_record(&value, &v->arena, &r, &no_memory))
        return no_memory ? error_memory(e) : senseless(v, &k, e);
    *out = r;
    return 1;
}

int journal_get_key(struct journal_view *v, const char *shot, const char *stage,
                    struct hash128 *key, enum record_status *status, struct error *e)
{
    struct key k;
    struct envelope value;
    struct hash128 found;
    enum record_status found_status;
    int rc;

    if (key_stage(&k, TABLE_KEY, shot, stage, e) != 0)
        return -1;
    rc = journal_fetch(v, &k, &value, e);
    if (rc != 1)
        return rc;
    if (!decode_key_status(&value, &found, &found_status))
        return senseless(v, &k, e);
    *key = found;
    *status = found_status;
    return 1;
}

static int fetch_bytes(struct journal_view *v, const struct key *k, const void **bytes,
                       size_t *size, struct error *e)
{
    struct envelope value;
    int rc = journal_fetch(v, k, &value, e);

    if (rc != 1)
        return rc;
    if (value.version != RECORD_VERSION)
        return senseless(v, k, e);
    *bytes = value.payload;
    *size = value.payload_size;
    return 1;
}

int journal_get_blob(struct journal_view *v, struct hash128 key, const char *name,
                     const void **bytes, size_t *size, struct error *e)
{
    struct key k;

    if (key_blob(&k, key, name, e) != 0)
        return -1;
    return fetch_bytes(v, &k, bytes, size, e);
}

int journal_checkpoint_get(struct journal_view *v, struct hash128 key, const void **bytes,
                           size_t *size, struct error *e)
{
    struct key k;

    key_hash(&k, TABLE_CHECKPOINT, key);
    return fetch_bytes(v, &k, bytes, size, e);
}

int journal_meta_get(struct journal_view *v, const char *name, const char **value, struct error *e)
{
    struct key k;
    struct envelope found;
    const char *text;
    int rc;

    if (key_meta(&k, name, e) != 0)
        return -1;
    rc = journal_fetch(v, &k, &found, e);
    if (rc != 1)
        return rc;
    if (!decode_text(&found, &text))
        return senseless(v, &k, e);
    *value = text;
    return 1;
}

int journal_digest_get(struct journal_view *v, const char *path, const struct file_stat *st,
                       struct hash128 *out, struct error *e)
{
    struct key k;
    struct envelope value;
    struct digest_record d;
    int rc;

    key_hash(&k, TABLE_DIGEST, hash_bytes(path, strlen(path)));
    rc = journal_fetch(v, &k, &value, e);
    if (rc != 1)
        return rc;
    if (!decode_digest(&value, &d))
        return senseless(v, &k, e);
    if (strcmp(d.path, path) != 0 || d.st.size != st->size || d.st.mtime_ns != st->mtime_ns ||
        d.st.inode != st->inode || d.st.device != st->device)
        return 0;
    *out = d.digest;
    return 1;
}
