/* The job journal: an LMDB environment in DIR that remembers what every stage of every shot was
 * asked, made and suffered. It knows nothing of stages: shots and stages are strings to it, keys
 * are 128-bit hashes.
 *
 * Files: data.mdb (everything), lock.mdb (LMDB's reader table, worth nothing when nobody has it
 * open), writer.lock (who writes). The journal may be copied while nobody writes; data.mdb is
 * enough.
 *
 * One writer: opening for writing takes a lock of the process on writer.lock; a second writer gets
 * ERROR_BUSY with the holder's pid, host and start. The kernel drops the lock however the holder
 * ends. Readers need no lock, never block and are never blocked (but who may not write lock.mdb
 * opens it only while nobody is seen to write; a writer that begins meanwhile can spoil a view). A
 * process has a journal open once only; a forked child must not use its parent's.
 *
 * Threads: every function may be called from any thread; the journal serialises writers itself. A
 * view may move between threads but is used by one at a time.
 *
 * Durability: every put is one LMDB transaction, on the disk (fdatasync) when it returns 0, wholly
 * there or not at all after a kill or a power cut; a batch is several puts to a transaction. A full
 * disk or map is ERROR_SPACE and leaves the journal as it was, usable when there is room again.
 *
 * Form, version 1 (records.h has the keys, codec.h the envelope): one table; a key's first byte
 * says what it is, so that a shot's records lie together and one letter's keys can be walked.
 * Values are little-endian fields behind an envelope with an XXH3 checksum, verified at every read,
 * and with the key again, so that a value proves whose it is. Records of one stage: `k` (content
 * key and status, 50,000 of them read in about 15 ms), `r` (the whole), `a` (every attempt); `b`
 * blobs and `c` checkpoints lie on pages of their own and are read in place.
 *
 * Damage: LMDB trusts its file and crashes on a damaged one. journal_open() therefore reads every
 * tree page itself before LMDB does (verify.h: 40 ms for 50,000 records, 130 MB) and refuses what
 * is not sound, or not ours, or of another version, with ERROR_JOURNAL and the way out in the text;
 * such a journal is never written to. Not covered: a file that something else cuts short while it
 * is open here (SIGBUS), and an enemy (XXH3 guards against accidents).
 *
 * The map: 256 GiB of addresses at once, less where ulimit -v or the kernel refuses; the file is
 * only as large as what is in it. When it is full all the same it doubles, as soon as this
 * process's views have ended; after 2 s of waiting that is ERROR_SPACE. A reader follows a map that
 * the writer made larger. Slots that dead readers left in lock.mdb are cleared when a journal is
 * opened; pages they held are used again then.
 *
 * Rejected: SQLite (blobs are copied out of pages instead of read in place, a reader can make a
 * checkpoint wait; its checks of a damaged file are better, ours are verify.h); a log of our own or
 * plain files (what LMDB's transactions give would be ours to write and prove); MDB_WRITEMAP (a
 * full disk is a SIGBUS instead of an error, and a stray write of ours would be on the disk);
 * MDB_NOSYNC and MDB_NOMETASYNC (a finished stage could be forgotten; batches give the speed); a
 * forked child that reads the file first (verify.h); raw structs as values (padding, byte order, no
 * versions).
 */
#ifndef AUTEUR_JOURNAL_JOURNAL_H
#define AUTEUR_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/arena.h"
#include "kernels/base/error.h"
#include "kernels/base/file.h"
#include "kernels/base/hash.h"

struct journal;

enum journal_mode { JOURNAL_READ, JOURNAL_WRITE /* creates it where there is none */ };
int journal_open(const char *dir, enum journal_mode mode, struct journal **out, struct error *e);
void journal_close(struct journal *j);

/* 1 and who ("process 4711 on HOST since ...") when another process has the journal in `dir` open
 * for writing, else 0. Not in a process that has it open itself: it would let go of its lock. */
enum { JOURNAL_WHO_SIZE = 256 };
int journal_writer(const char *dir, char who[JOURNAL_WHO_SIZE]);

enum record_status {
    RECORD_DONE = 1,
    RECORD_FAILED = 2,
    RECORD_RUNNING = 3,
    RECORD_INTERRUPTED = 4 /* only of attempts that are read: it ran, and another began */
};

/* One input of a stage as it was when the record was made: for `why`. */
struct record_input {
    const char *name, *value;
};
struct record_artefact {
    const char *name; /* "master.mkv" */
    const char *path; /* relative to the production directory; "" when kept as a blob */
    uint64_t size;
    uint64_t mtime_ns;     /* of the file when it was recorded; 0 for a blob */
    struct hash128 digest; /* of the content */
};
struct stage_record {
    struct hash128 key;
    enum record_status status;
    uint32_t attempts;                /* which try of this key this is, from 1 */
    uint64_t started_ns, finished_ns; /* Unix time */
    double seconds;                   /* of the last attempt */
    uint64_t peak_kib;                /* VmHWM during the stage */
    const char *error;                /* "" unless failed */
    const char *notes;                /* a JSON object as text */
    const struct record_input *inputs;
    size_t input_count;
    const struct record_artefact *artefacts;
    size_t artefact_count;
};

/* A consistent view for many reads; one per thread at a time. Everything read through it lives
 * until journal_view_end(). Blob bytes point into the map: no copies. */
struct journal_view;
int journal_view_begin(struct journal *j, struct journal_view **out, struct error *e);
void journal_view_end(struct journal_view *v);

/* 1 found, 0 none, -1 error. */
int journal_get(struct journal_view *v, const char *shot, const char *stage,
                struct stage_record *out, struct error *e);
/* The key and status alone, for a no-op run over many shots: no allocation. */
int journal_get_key(struct journal_view *v, const char *shot, const char *stage,
                    struct hash128 *key, enum record_status *status, struct error *e);
/* Bytes of 4 KiB and more are aligned to 64; smaller ones not at all. */
int journal_get_blob(struct journal_view *v, struct hash128 key, const char *name,
                     const void **bytes, size_t *size, struct error *e);

struct journal_blob {
    const char *name;
    const void *bytes;
    size_t size;
};
/* Writes the record, its attempt, its blobs and (unless NULL) an event line, and forgets the key's
 * checkpoint when the record is RECORD_DONE, all in one transaction. Nothing given is kept: every
 * byte is copied before it returns. */
int journal_put(struct journal *j, const char *shot, const char *stage,
                const struct stage_record *r, const struct journal_blob *blobs, size_t blob_count,
                const char *event, struct error *e);

/* Every attempt is remembered. (shot, stage, key, number) names one: putting a RECORD_RUNNING
 * record with attempts = 3 and then a RECORD_DONE one with the same key and number finishes that
 * attempt; one that stays RECORD_RUNNING was interrupted: the last, unless somebody writes the
 * journal, and those before it, which are given as RECORD_INTERRUPTED. */
struct stage_attempt {
    struct hash128 key;
    uint32_t number;
    enum record_status status;
    uint64_t started_ns, finished_ns;
    double seconds;
    uint64_t peak_kib;
    const char *error; /* "" unless failed */
};
/* In the order in which they started; lives as long as the view. 0 or -1. */
int journal_attempts(struct journal_view *v, const char *shot, const char *stage,
                     const struct stage_attempt **out, size_t *count, struct error *e);

/* Between begin and end, whatever this process puts (from any thread) is gathered and written many
 * puts to a transaction, so that 10,000 small records do not cost 10,000 fsyncs. Each put still is
 * there wholly or not at all, but durable and visible to views only when batch_end returns 0 (or
 * earlier, when enough has gathered). -1: the puts not yet written are not in the journal. */
int journal_batch_begin(struct journal *j, struct error *e);
int journal_batch_end(struct journal *j, struct error *e);

/* A checkpoint of unfinished work under its key; a later one replaces it. get: 1, 0 or -1. Put a
 * RECORD_RUNNING record of that key first: a sweep drops checkpoints that no record refers to. */
int journal_checkpoint_put(struct journal *j, struct hash128 key, const void *bytes, size_t size,
                           struct error *e);
int journal_checkpoint_get(struct journal_view *v, struct hash128 key, const void **bytes,
                           size_t *size, struct error *e);

/* Events: what happened, in order, for `journal dump` and for a person after a bad night. */
int journal_event(struct journal *j, const char *kind, const char *shot, const char *stage,
                  const char *text, struct error *e);

/* A file's content digest, remembered under its path while its stat stays the same. */
int journal_digest_get(struct journal_view *v, const char *path, const struct file_stat *st,
                       struct hash128 *out, struct error *e);
int journal_digest_put(struct journal *j, const char *path, const struct file_stat *st,
                       struct hash128 digest, struct error *e);

/* Small named values ("board", "name", "options"). get: 1, 0 or -1. */
int journal_meta_put(struct journal *j, const char *name, const char *value, struct error *e);
int journal_meta_get(struct journal_view *v, const char *name, const char **value, struct error *e);

/* Drops blobs and checkpoints that no record in the journal refers to, and calls drop() for files
 * that only dropped or replaced records referred to (again at the next sweep, if a kill comes
 * between the call and the journal's forgetting; drop() must not call the journal). For the end of
 * a run. */
int journal_sweep(struct journal *j, void (*drop)(void *ctx, const char *path), void *ctx,
                  struct error *e);

/* Walking everything, for dump and status, in this order; a NULL callback skips its kind. Each
 * returns 0 to go on, anything else ends the walk without an error. */
struct journal_visitor {
    void *ctx;
    int (*meta)(void *ctx, const char *name, const char *value);
    int (*record)(void *ctx, const char *shot, const char *stage, const struct stage_record *r);
    int (*attempt)(void *ctx, const char *shot, const char *stage, const struct stage_attempt *a);
    int (*event)(void *ctx, uint64_t time_ns, const char *kind, const char *shot, const char *stage,
                 const char *text);
    int (*checkpoint)(void *ctx, struct hash128 key, size_t size);
};
int journal_walk(struct journal_view *v, const struct journal_visitor *visitor, struct error *e);

/* Reads every page, record and blob, verifies checksums. 0: sound; *report (caller frees) tells
 * what was found in either case. */
int journal_check(const char *dir, char **report, struct error *e);
/* Copies every record that can still be read and verified into a new journal, keeps the damaged
 * files beside it as DIR.damaged-<time>, and reports what was saved and what was lost. A sound
 * journal is left as it is. */
int journal_salvage(const char *dir, char **report, struct error *e);

#endif
