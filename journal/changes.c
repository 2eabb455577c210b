#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/internal.h"

void change_begin(struct changes *c)
{
    c->scratch.failed = false;
    envelope_begin(&c->scratch, c->key.bytes, c->key.size, table_payload_at(c->key.bytes[0]),
                   RECORD_VERSION);
}

static struct change *change_add(struct changes *c)
{
    struct change *ch;

    if (c->count == c->room) {
        size_t room = c->room ? 2 * c->room : 16;
        struct change *grown = reallocarray(c->items, room, sizeof *grown);

        if (!grown)
            return NULL;
        c->items = grown;
        c->room = room;
    }
    ch = &c->items[c->count];
    *ch = (struct change){.key = arena_alloc(&c->arena, sizeof c->key)};
    if (!ch->key)
        return NULL;
    *ch->key = c->key;
    return ch;
}

int change_end(struct changes *c, const void *body, size_t body_size, bool copy, struct error *e)
{
    struct change *ch = c->scratch.failed ? NULL : change_add(c);
    size_t size = c->scratch.size;

    if (body_size > UINT32_MAX - BLOB_OFFSET || size > UINT32_MAX)
        return error_set(e, ERROR_SPACE,
                         "the journal takes values of less than 4 GiB, and this one has %zu bytes",
                         body_size);
    if (!ch)
        return error_memory(e);
    ch->head = arena_alloc(&c->arena, size);
    ch->body = body;
    if (copy && body_size) {
        void *bytes = arena_alloc(&c->arena, body_size);

        if (bytes)
            memcpy(bytes, body, body_size);
        ch->body = bytes;
    }
    if (!ch->head || (body_size && !ch->body))
        return error_memory(e);
    memcpy(ch->head, c->scratch.bytes, size);
    ch->head_size = size;
    ch->body_size = body_size;
    c->bytes += size + body_size;
    c->count++;
    return 0;
}

int change_remove(struct changes *c, struct error *e)
{
    if (!change_add(c))
        return error_memory(e);
    c->count++;
    return 0;
}

void changes_free(struct changes *c)
{
    arena_free(&c->arena);
    free(c->items);
    free(c->scratch.bytes);
    *c = (struct changes){0};
}

static int apply(MDB_txn *txn, MDB_dbi dbi, const struct change *c, uint64_t serial)
{
    MDB_val key = {c->key->size, c->key->bytes};
    MDB_val data = {c->head_size + c->body_size, NULL};
    int rc;

    if (!c->head) {
        rc = mdb_del(txn, dbi, &key, NULL);
        return rc == MDB_NOTFOUND ? 0 : rc;
    }
    rc = mdb_put(txn, dbi, &key, &data, MDB_RESERVE);
    if (rc != 0)
        return rc;
    memcpy(data.mv_data, c->head, c->head_size);
    if (c->body_size)
        memcpy((uint8_t *)data.mv_data + c->head_size, c->body, c->body_size);
    envelope_seal(data.mv_data, data.mv_size, serial);
    return 0;
}

/* The format record goes into every transaction: its serial then tells which transaction a tree is
 * of (verify.c). */
static int format_change(const struct journal *j, struct changes *c, struct error *e)
{
    struct format_record f = {FORMAT_VERSION, j->serial_base, j->created_ns};

    key_format(&c->key);
    change_begin(c);
    encode_format(&c->scratch, &f);
    return change_end(c, NULL, 0, true, e);
}

/* Returns an LMDB status. MDB_RESERVE gives memory of the transaction, not of the map, so a value
 * is copied once and sealed in place. */
static int transaction(struct journal *j, const struct change *format, const struct changes *c)
{
    MDB_txn *txn = NULL;
    uint64_t serial;
    int rc = mdb_txn_begin(j->env, NULL, 0, &txn);

    if (rc != 0)
        return rc;
    serial = j->serial_base + mdb_txn_id(txn);
    rc = apply(txn, j->dbi, format, serial);
    for (size_t i = 0; rc == 0 && i < c->count; i++)
        rc = apply(txn, j->dbi, &c->items[i], serial);
    if (rc == 0)
        return mdb_txn_commit(txn); /* frees it in any case */
    mdb_txn_abort(txn);
    return rc;
}

int journal_disk_status(const struct journal *j, size_t bytes, int rc)
{
    int fd, status;

    if (rc != EIO)
        return rc;
    fd = open(j->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); /* without a name: leaves nothing */
    if (fd < 0)
        return errno == ENOSPC || errno == EDQUOT ? errno : rc;
    status = posix_fallocate(fd, 0, (off_t)(bytes + (1 << 16)));
    close(fd);
    return status == ENOSPC || status == EDQUOT ? status : rc;
}

static int grow(struct journal *j, size_t bytes, struct error *e)
{
    MDB_envinfo info;
    size_t size;
    int rc = mdb_env_info(j->env, &info);

    if (rc != 0)
        return journal_lmdb_error(j, rc, "look at its size", e);
    size = info.me_mapsize + (info.me_mapsize > bytes ? info.me_mapsize : bytes);
    if (size < info.me_mapsize)
        return journal_lmdb_error(j, MDB_MAP_FULL, "enlarge its map", e);
    return journal_map_resize(j, size & ~(size_t)65535, e);
}

int changes_commit(struct journal *j, const struct changes *c, struct error *e)
{
    enum { GROWS_MOST = 32 };
    struct changes format = {0};
    int rc = 0, grown = 0;

    if (j->broken)
        return error_set(e, ERROR_MEMORY, "journal %s: its map was lost; run again", j->dir);
    if (format_change(j, &format, e) != 0) {
        changes_free(&format);
        return -1;
    }
    for (int i = 0; i < GROWS_MOST && grown == 0; i++) {
        rc = transaction(j, &format.items[0], c);
        if (rc != MDB_MAP_FULL)
            break;
        grown = grow(j, 2 * c->bytes, e);
    }
    changes_free(&format);
    if (grown != 0)
        return -1;
    rc = journal_disk_status(j, 2 * c->bytes, rc);
    return rc == 0 ? 0 : journal_lmdb_error(j, rc, "write to it", e);
}
