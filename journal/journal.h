/* The job journal: an LMDB environment in DIR (DIR/data.mdb, lock.mdb) that remembers what every
 * stage of every shot was asked, made and suffered. It knows nothing of stages: shots and stages
 * are strings to it, keys are 128-bit hashes.
 *
 * (The builder of this room completes this comment: key layout, record version, durability rule,
 *  map growth, stale readers, what was rejected.)
 *
 * One writer: opening for writing takes a lock that names its holder's pid and host; a second
 * writer gets ERROR_BUSY saying which process holds it. Readers never block and never are blocked.
 * Functions may be called from any thread; the journal serialises writers itself. Every put is
 * durable when it returns 0. A full disk or map is ERROR_SPACE and leaves the journal as it was.
 * Damage and foreign versions are ERROR_JOURNAL with a way out in the text; such a journal is
 * never written to.
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

enum record_status { RECORD_DONE = 1, RECORD_FAILED = 2, RECORD_RUNNING = 3 };

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
 * attempt; one that stays RECORD_RUNNING was interrupted. */
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
 * files beside it as DIR.damaged-<time>, and reports what was saved and what was lost. */
int journal_salvage(const char *dir, char **report, struct error *e);

#endif
