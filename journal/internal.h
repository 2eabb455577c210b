/* Shared by the journal's own files. */
#ifndef AUTEUR_JOURNAL_INTERNAL_H
#define AUTEUR_JOURNAL_INTERNAL_H

#include <lmdb.h>
#include <pthread.h>
#include <stdint.h>

#include "journal/codec.h"
#include "journal/journal.h"
#include "journal/records.h"

#define DATA_FILE     "data.mdb"
#define LMDB_LOCK     "lock.mdb"
#define WRITER_LOCK   "writer.lock"
#define WAY_OUT_CHECK "auteur-pipe journal check"
#define WAY_OUT       "auteur-pipe journal salvage"

/* One thing to write: a value under its key, or (head NULL) the key's removal. The value is `head`
 * (an unsealed envelope, key, payload) followed by `body`. */
struct change {
    struct key *key;
    uint8_t *head;
    const void *body;
    size_t head_size, body_size;
};
struct changes {
    struct arena arena;
    struct change *items;
    size_t count, room;
    size_t bytes;
    struct encoder scratch; /* the payload being encoded, between change_begin and change_end */
    struct key key;         /* its key */
};

struct journal {
    char *dir;
    bool writable;
    bool broken; /* the map could not be restored after a change of size */
    int lock_fd; /* the writer lock, or -1 */
    MDB_env *env;
    MDB_dbi dbi;

    /* The map changes size only while no view of this process is open. */
    pthread_mutex_t gate;
    pthread_cond_t gate_changed;
    size_t views;
    bool resizing;

    pthread_mutex_t write;            /* guards all below */
    uint64_t serial_base, created_ns; /* of the format record */
    uint64_t next_event;
    unsigned batches;
    struct changes pending;
};

struct journal_view {
    struct journal *j;
    MDB_txn *txn;
    struct arena arena;
};

/* open.c. `map_size` is where the map starts: tests make it small. */
int journal_open_sized(const char *dir, enum journal_mode mode, size_t map_size,
                       struct journal **out, struct error *e);
/* A fresh, empty journal file in an existing directory: DIR/data.mdb and nothing else. */
int journal_create(const char *dir, struct error *e);
/* An LMDB status as an error: "journal DIR: cannot <what>: ...". */
int journal_lmdb_error(const struct journal *j, int rc, const char *what, struct error *e);
/* What a person gives `auteur-pipe journal ...`: the production directory, when dir is the journal
 * in one; `out` otherwise holds dir itself. */
enum { COMMAND_DIR_SIZE = 400 };
const char *journal_command_dir(const char *dir, char out[COMMAND_DIR_SIZE]);
/* ERROR_JOURNAL with the way out behind it. */
int journal_damage(const char *dir, struct error *e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* lock.c */
int writer_lock_take(const char *dir, int *fd, struct error *e);
void writer_lock_release(int fd);
/* A process may have a journal open once only (LMDB's rule). */
int opened_once(const char *dir, const void *who, struct error *e);
void opened_no_more(const void *who);
/* lock.mdb is written through a map: gives it its blocks first, so that a full disk is an error
 * here and not a SIGBUS there. 1: this process may not write it, and nobody else writes the journal
 * now: a reader does without. -1: *e says why. */
int lmdb_lock_prepare(const char *dir, bool writable, struct error *e);

/* view.c: 1 found and sound, 0 none, -1. */
int journal_fetch(struct journal_view *v, const struct key *k, struct envelope *out,
                  struct error *e);
/* Every value of a table in key order; visit() returns 0 to go on, 1 to end, -1 with *e set. */
int journal_each(struct journal_view *v, const struct key *prefix,
                 int (*visit)(void *ctx, const uint8_t *key, size_t key_size,
                              const struct envelope *value, struct error *e),
                 void *ctx, struct error *e);
bool journal_gate_enter(struct journal *j);
void journal_gate_leave(struct journal *j);
/* 0 for size: as large as another process made it. */
int journal_map_resize(struct journal *j, size_t size, struct error *e);

/* changes.c. change_begin() takes c->key; encode the payload into c->scratch; change_end() copies
 * it. `body` is borrowed unless `copy`. A failure leaves c without the change. */
void change_begin(struct changes *c);
int change_end(struct changes *c, const void *body, size_t body_size, bool copy, struct error *e);
int change_remove(struct changes *c, struct error *e);
void changes_free(struct changes *c);
/* All of it in one durable transaction; grows the map where it must. */
int changes_commit(struct journal *j, const struct changes *c, struct error *e);
/* LMDB calls a write that the disk cut short an I/O error: turns a commit's EIO into ENOSPC or
 * EDQUOT when about that many bytes find no room. */
int journal_disk_status(const struct journal *j, size_t bytes, int rc);

/* check.c. Whether everything in it is as it should be; the writer's lock is held. */
bool journal_is_sound(const char *dir);

/* put.c. flush writes what the batch has gathered; the write mutex is held. */
int journal_flush(struct journal *j, struct error *e);
uint64_t journal_now_ns(void);

#endif
