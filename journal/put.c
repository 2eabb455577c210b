#include <string.h>
#include <time.h>

#include "journal/internal.h"

/* A batch is written when this much has gathered: it bounds memory, and what a kill can lose. */
enum { BATCH_CHANGES = 20000, BATCH_BYTES = 32 << 20 };

uint64_t journal_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A put: begin gives the changes to add to and holds the write mutex; end writes them, or leaves
 * them with the batch. With rc != 0 end takes back what this put added. */
struct put {
    struct journal *j;
    struct changes own, *to;
    size_t mark, mark_bytes;
};

int journal_flush(struct journal *j, struct error *e)
{
    int rc = j->pending.count ? changes_commit(j, &j->pending, e) : 0;

    if (rc == 0)
        changes_free(&j->pending);
    return rc;
}

static int put_begin(struct put *p, struct journal *j, struct error *e)
{
    if (!j->writable)
        return error_set(e, ERROR_INTERNAL, "the journal %s was opened for reading", j->dir);
    *p = (struct put){.j = j};
    pthread_mutex_lock(&j->write);
    p->to = j->batches ? &j->pending : &p->own;
    if ((j->pending.count > BATCH_CHANGES || j->pending.bytes > BATCH_BYTES) &&
        journal_flush(j, e) != 0) {
        pthread_mutex_unlock(&j->write);
        return -1;
    }
    p->mark = p->to->count;
    p->mark_bytes = p->to->bytes;
    return 0;
}

static int put_end(struct put *p, int rc, struct error *e)
{
    if (rc != 0) {
        p->to->count = p->mark;
        p->to->bytes = p->mark_bytes;
    } else if (p->to == &p->own) {
        rc = changes_commit(p->j, p->to, e);
    }
    changes_free(&p->own);
    pthread_mutex_unlock(&p->j->write);
    return rc;
}

static int add_event(struct put *p, const struct event_record *ev, struct error *e)
{
    key_event(&p->to->key, p->j->next_event++);
    change_begin(p->to);
    encode_event(&p->to->scratch, ev);
    return change_end(p->to, NULL, 0, true, e);
}

static int add_bytes(struct put *p, const void *bytes, size_t size, struct error *e)
{
    change_begin(p->to);
    return change_end(p->to, bytes, size, p->to != &p->own, e);
}

static int add_text(struct put *p, const char *text, struct error *e)
{
    change_begin(p->to);
    encode_string(&p->to->scratch, text);
    return change_end(p->to, NULL, 0, true, e);
}

static int add_record(struct put *p, const char *shot, const char *stage,
                      const struct stage_record *r, struct error *e)
{
    struct changes *c = p->to;

    if (key_stage(&c->key, TABLE_KEY, shot, stage, e) != 0)
        return -1;
    change_begin(c);
    encode_key_status(&c->scratch, r->key, r->status);
    if (change_end(c, NULL, 0, true, e) != 0 ||
        key_stage(&c->key, TABLE_RECORD, shot, stage, e) != 0)
        return -1;
    change_begin(c);
    encode_record(&c->scratch, r);
    if (change_end(c, NULL, 0, true, e) != 0 ||
        key_attempt(&c->key, shot, stage, r->key, r->attempts, e) != 0)
        return -1;
    change_begin(c);
    encode_attempt(&c->scratch, r);
    if (change_end(c, NULL, 0, true, e) != 0)
        return -1;
    /* Paths are kept apart, so that a sweep knows files which only replaced records named. */
    for (size_t i = 0; i < r->artefact_count; i++) {
        const char *path = r->artefacts[i].path;

        if (!path || !path[0])
            continue;
        key_hash(&c->key, TABLE_PATH, hash_bytes(path, strlen(path)));
        if (add_text(p, path, e) != 0)
            return -1;
    }
    return 0;
}

static const char *status_name(enum record_status s)
{
    return s == RECORD_DONE ? "done" : s == RECORD_FAILED ? "failed" : "running";
}

int journal_put(struct journal *j, const char *shot, const char *stage,
                const struct stage_record *r, const struct journal_blob *blobs, size_t blob_count,
                const char *event, struct error *e)
{
    struct put p;
    int rc;

    if (r->status < RECORD_DONE || r->status > RECORD_RUNNING)
        return error_set(e, ERROR_INTERNAL, "a record of status %d", (int)r->status);
    if (put_begin(&p, j, e) != 0)
        return -1;
    rc = add_record(&p, shot, stage, r, e);
    for (size_t i = 0; rc == 0 && i < blob_count; i++) {
        rc = key_blob(&p.to->key, r->key, blobs[i].name, e);
        if (rc == 0)
            rc = add_bytes(&p, blobs[i].bytes, blobs[i].size, e);
    }
    if (rc == 0 && event)
        rc = add_event(
            &p,
            &(struct event_record){journal_now_ns(), status_name(r->status), shot, stage, event},
            e);
    if (rc == 0 && r->status == RECORD_DONE) {
        key_hash(&p.to->key, TABLE_CHECKPOINT, r->key);
        rc = change_remove(p.to, e);
    }
    return put_end(&p, rc, e);
}

int journal_checkpoint_put(struct journal *j, struct hash128 key, const void *bytes, size_t size,
                           struct error *e)
{
    struct put p;

    if (put_begin(&p, j, e) != 0)
        return -1;
    key_hash(&p.to->key, TABLE_CHECKPOINT, key);
    return put_end(&p, add_bytes(&p, bytes, size, e), e);
}

int journal_event(struct journal *j, const char *kind, const char *shot, const char *stage,
                  const char *text, struct error *e)
{
    const struct event_record ev = {journal_now_ns(), kind, shot, stage, text};
    struct put p;

    if (put_begin(&p, j, e) != 0)
        return -1;
    return put_end(&p, add_event(&p, &ev, e), e);
}

int journal_meta_put(struct journal *j, const char *name, const char *value, struct error *e)
{
    struct put p;
    int rc;

    if (put_begin(&p, j, e) != 0)
        return -1;
    rc = key_meta(&p.to->key, name, e);
    return put_end(&p, rc == 0 ? add_text(&p, value, e) : rc, e);
}

int journal_digest_put(struct journal *j, const char *path, const struct file_stat *st,
                       struct hash128 digest, struct error *e)
{
    struct put p;

    if (put_begin(&p, j, e) != 0)
        return -1;
    key_hash(&p.to->key, TABLE_DIGEST, hash_bytes(path, strlen(path)));
    change_begin(p.to);
    encode_digest(&p.to->scratch, &(struct digest_record){path, *st, digest});
    return put_end(&p, change_end(p.to, NULL, 0, true, e), e);
}

int journal_batch_begin(struct journal *j, struct error *e)
{
    if (!j->writable)
        return error_set(e, ERROR_INTERNAL, "the journal %s was opened for reading", j->dir);
    pthread_mutex_lock(&j->write);
    j->batches++;
    pthread_mutex_unlock(&j->write);
    return 0;
}

int journal_batch_end(struct journal *j, struct error *e)
{
    int rc = 0;

    pthread_mutex_lock(&j->write);
    if (j->batches && --j->batches == 0) {
        rc = journal_flush(j, e);
        if (rc != 0)
            changes_free(&j->pending);
    }
    pthread_mutex_unlock(&j->write);
    return rc;
}
