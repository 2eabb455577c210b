/* Salvage trusts nothing but checksums: neither the tree nor the pages nor the metas. It looks at
 * every offset of the file for a value's envelope whose checksum holds; a value carries its own
 * key, so that is all it takes. Of several values of one key, that with the greatest serial is the
 * newest: free pages still hold older ones. What was removed may so come back (a checkpoint, a
 * blob), and where the newest record was destroyed an older one may: both only cost a sweep or a
 * stage's work, since content keys decide what is still good. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "journal/internal.h"
#include "kernels/base/strbuf.h"

enum { WINDOW = 4 << 20, BLOCK = 4096, COMMIT_BYTES = 64 << 20 };

struct salvage {
    const char *dir;
    int fd;
    uint64_t size, unreadable; /* bytes */
    uint8_t *window;           /* WINDOW bytes of the file from window_at, then ENVELOPE_HEAD */
    uint8_t *value;            /* one value that reaches beyond the window */
    size_t value_room;
    struct journal *fresh;
    MDB_txn *txn;
    size_t txn_bytes;
    uint64_t newest, other_version, counts[256], without_blobs;
    unsigned foreign_format; /* the version in a format record that is not ours */
};

/* Bad sectors read as zeros and are counted. */
static void read_bytes(struct salvage *s, uint64_t at, uint8_t *to, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(s->fd, to + done, size - done, (off_t)(at + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            n = (ssize_t)(BLOCK - (at + done) % BLOCK);
            if ((size_t)n > size - done)
                n = (ssize_t)(size - done);
            memset(to + done, 0, (size_t)n);
            s->unreadable += (uint64_t)n;
        }
        done += (size_t)n;
    }
}

static size_t number(const uint8_t *p, int bytes)
{
    size_t x = 0;

    for (int i = 0; i < bytes; i++)
        x |= (size_t)p[i] << (8 * i);
    return x;
}

/* The size of the value that may begin here, from its head and its key's first byte; 0 for what
 * cannot be one. Nearly every offset ends here. */
static size_t candidate(const uint8_t *p)
{
    static const bool tables[256] = {
        [TABLE_FORMAT] = true,     [TABLE_META] = true,   [TABLE_RECORD] = true,
        [TABLE_ATTEMPT] = true,    [TABLE_EVENT] = true,  [TABLE_BLOB] = true,
        [TABLE_CHECKPOINT] = true, [TABLE_DIGEST] = true, [TABLE_PATH] = true};
    size_t key_size, gap, at;

    if (!tables[p[24]] || p[21] > KEY_MAX >> 8)
        return 0;
    key_size = number(p + 20, 2);
    gap = p[23];
    at = table_payload_at(p[24]);
    if (key_size == 0 || key_size > KEY_MAX)
        return 0;
    if (at ? ENVELOPE_HEAD + key_size + gap != at : gap != 0)
        return 0;
    return ENVELOPE_HEAD + key_size + gap + number(p + 16, 4);
}

/* LMDB statuses until the error is made in one place. */
static int txn_commit(struct salvage *s)
{
    MDB_txn *txn = s->txn;
    size_t bytes = s->txn_bytes;

    s->txn = NULL;
    s->txn_bytes = 0;
    return txn ? journal_disk_status(s->fresh, bytes, mdb_txn_commit(txn)) : 0;
}

/* Puts a proven value into the new journal unless a newer one of its key is there. */
static int keep(struct salvage *s, const uint8_t *value, size_t size, const struct envelope *v)
{
    MDB_val key = {v->key_size, (void *)v->key}, data;
    struct envelope before;
    int rc = s->txn ? 0 : mdb_txn_begin(s->fresh->env, NULL, 0, &s->txn);

    if (rc != 0)
        return rc;
    rc = mdb_get(s->txn, s->fresh->dbi, &key, &data);
    if (rc == 0 && envelope_open(data.mv_data, data.mv_size, true, &before) &&
        before.serial >= v->serial)
        return 0;
    if (rc == MDB_NOTFOUND)
        s->counts[v->key[0]]++;
    else if (rc != 0)
        return rc;
    data = (MDB_val){size, (void *)value};
    rc = mdb_put(s->txn, s->fresh->dbi, &key, &data, 0);
    s->txn_bytes += size;
    if (rc == 0 && s->txn_bytes > COMMIT_BYTES)
        rc = txn_commit(s);
    return rc;
}

/* Looks at the `have` bytes at p, file offset `at`; *used is how many are done with. */
static int look(struct salvage *s, const uint8_t *p, size_t have, uint64_t at, size_t *used)
{
    size_t size = candidate(p);
    struct envelope v;
    struct format_record f;

    *used = 1;
    if (size == 0 || size > s->size - at)
        return 0;
    if (size > have) {
        if (size > s->value_room) {
            uint8_t *grown = realloc(s->value, size);

            if (!grown)
                return ENOMEM;
            s->value = grown;
            s->value_room = size;
        }
        read_bytes(s, at, s->value, size);
        p = s->value;
    }
    if (!envelope_open(p, size, true, &v))
        return 0;
    *used = size;
    if (v.serial > s->newest)
        s->newest = v.serial;
    if (v.key[0] == TABLE_FORMAT) {
        if (decode_format(&v, &f) && f.version != FORMAT_VERSION)
            s->foreign_format = f.version;
        return 0;
    }
    if (!value_known(&v)) {
        s->other_version++;
        return 0;
    }
    return keep(s, p, size, &v);
}

static int scan(struct salvage *s, struct error *e)
{
    uint64_t at = 0;
    int rc = 0;

    while (rc == 0 && at + ENVELOPE_HEAD < s->size) {
        size_t have = s->size - at < WINDOW ? (size_t)(s->size - at) : WINDOW, i = 0, used;

        read_bytes(s, at, s->window, have);
        for (; rc == 0 && i < have && have - i > ENVELOPE_HEAD; i += used)
            rc = look(s, s->window + i, have - i, at + i, &used);
        at += i;
    }
    if (rc == 0)
        rc = txn_commit(s);
    mdb_txn_abort(s->txn);
    s->txn = NULL;
    return rc == 0 ? 0 : journal_lmdb_error(s->fresh, rc, "fill the new journal", e);
}

/* The key table is made anew from the records; a record whose blobs did not survive goes. */
struct mending {
    struct salvage *s;
    struct journal_view *view;
    struct changes changes;
};

static int has_blobs(struct mending *m, const struct stage_record *r, struct error *e)
{
    const void *bytes;
    size_t size;
    int found = 1;

    for (size_t i = 0; found == 1 && i < r->artefact_count; i++) {
        const struct record_artefact *a = &r->artefacts[i];

        if (a->path[0])
            continue;
        found = journal_get_blob(m->view, r->key, a->name, &bytes, &size, e);
        if (found == 1 && size != a->size)
            found = 0;
    }
    return found;
}

static int mend(void *ctx, const uint8_t *key, size_t key_size, const struct envelope *v,
                struct error *e)
{
    struct mending *m = ctx;
    struct changes *c = &m->changes;
    struct stage_record r;
    bool no_memory;
    int whole;

    if (!decode_record(v, &m->view->arena, &r, &no_memory))
        return error_memory(e); /* its form was known when it was kept */
    whole = has_blobs(m, &r, e);
    if (whole < 0)
        return -1;
    memcpy(c->key.bytes, key, key_size);
    c->key.size = key_size;
    if (!whole) {
        m->s->without_blobs++;
        m->s->counts[TABLE_RECORD]--;
        return change_remove(c, e);
    }
    c->key.bytes[0] = TABLE_KEY;
    change_begin(c);
    encode_key_status(&c->scratch, r.key, r.status);
    return change_end(c, NULL, 0, true, e);
}

static int finish(struct salvage *s, struct error *e)
{
    struct mending m = {.s = s};
    struct key records = {{TABLE_RECORD}, 1};
    int rc = journal_view_begin(s->fresh, &m.view, e);

    if (rc == 0)
        rc = journal_each(m.view, &records, mend, &m, e);
    journal_view_end(m.view);
    /* From here on every serial is greater than any in the damaged file. */
    s->fresh->serial_base = s->newest;
    if (rc == 0)
        rc = changes_commit(s->fresh, &m.changes, e);
    changes_free(&m.changes);
    return rc;
}

static char *damaged_name(const char *dir)
{
    char when[32] = "", *name = NULL;
    time_t now = time(NULL);
    struct tm tm;

    if (gmtime_r(&now, &tm))
        strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &tm);
    for (int i = 0; i < 1000; i++) {
        int n = i ? asprintf(&name, "%s.damaged-%s-%d", dir, when, i)
                  : asprintf(&name, "%s.damaged-%s", dir, when);

        if (n < 0)
            return NULL;
        if (!path_exists(name))
            return name;
        free(name);
    }
    return NULL;
}

/* One step where the file system can exchange two names, two where it cannot. */
static int swap(const char *dir, const char *fresh, const char *damaged, struct error *e)
{
    if (renameat2(AT_FDCWD, fresh, AT_FDCWD, dir, RENAME_EXCHANGE) == 0) {
        if (rename(fresh, damaged) != 0)
            return error_errno(e, errno, "rename the damaged journal to", damaged);
        return 0;
    }
    if (rename(dir, damaged) != 0)
        return error_errno(e, errno, "rename the damaged journal to", damaged);
    if (rename(fresh, dir) != 0) {
        error_errno(e, errno, "rename the salvaged journal to", dir);
        return error_wrap(e, "the salvaged journal is at %s", fresh);
    }
    return 0;
}

static void tell(const struct salvage *s, const char *damaged, struct strbuf *b)
{
    const uint64_t *n = s->counts;

    strbuf_addf(b,
                "saved: %llu stage records, %llu attempts, %llu events, %llu blobs, %llu "
                "checkpoints, %llu values, %llu file digests\n",
                (unsigned long long)n[TABLE_RECORD], (unsigned long long)n[TABLE_ATTEMPT],
                (unsigned long long)n[TABLE_EVENT], (unsigned long long)n[TABLE_BLOB],
                (unsigned long long)n[TABLE_CHECKPOINT], (unsigned long long)n[TABLE_META],
                (unsigned long long)n[TABLE_DIGEST]);
    if (s->without_blobs)
        strbuf_addf(b, "lost: %llu stage records whose data is gone; those stages run again\n",
                    (unsigned long long)s->without_blobs);
    if (s->other_version)
        strbuf_addf(b, "left: %llu records of a form that this version does not know\n",
                    (unsigned long long)s->other_version);
    if (s->unreadable)
        strbuf_addf(b, "the disk could not read %llu bytes\n", (unsigned long long)s->unreadable);
    strbuf_addf(
        b,
        "A record that was destroyed wholly leaves no trace to count; its stage runs again.\n"
        "The new journal is at %s, the damaged one is kept at %s\n",
        s->dir, damaged);
}

static int fill(struct salvage *s, const char *fresh, struct error *e)
{
    char *path = NULL;
    struct stat st;
    int rc = -1;

    if (asprintf(&path, "%s/" DATA_FILE, s->dir) < 0)
        return error_memory(e);
    s->window = malloc(WINDOW + ENVELOPE_HEAD + 1);
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (!s->window)
        error_memory(e);
    else if (s->fd < 0 && errno == ENOENT)
        error_set(e, ERROR_IO, "there is no journal in %s", s->dir);
    else if (s->fd < 0 || fstat(s->fd, &st) != 0)
        error_errno(e, errno, "open the journal", path);
    else if (!S_ISREG(st.st_mode))
        error_set(e, ERROR_JOURNAL, "%s is not a regular file", path);
    else if (path_remove(fresh, e) == 0 && journal_open(fresh, JOURNAL_WRITE, &s->fresh, e) == 0) {
        s->size = (uint64_t)st.st_size;
        rc = scan(s, e);
        if (rc == 0 && s->foreign_format)
            rc = error_set(e, ERROR_JOURNAL,
                           "the journal %s is of version %u, and this auteur-pipe reads version "
                           "%d: salvage it with the auteur-pipe that wrote it; nothing was changed",
                           s->dir, s->foreign_format, FORMAT_VERSION);
        if (rc == 0)
            rc = finish(s, e);
    }
    journal_close(s->fresh);
    s->fresh = NULL;
    if (s->fd >= 0)
        close(s->fd);
    free(s->window);
    free(s->value);
    free(path);
    return rc;
}

static int salvage_locked(struct salvage *s, struct strbuf *report, struct error *e)
{
    char *fresh = NULL, *damaged;
    struct error ignored = {0};
    int rc = -1;

    if (journal_is_sound(s->dir)) {
        strbuf_addf(report, "journal %s: sound, nothing to do\n", s->dir);
        return 0;
    }
    damaged = damaged_name(s->dir);
    if (!damaged || asprintf(&fresh, "%s.salvage", s->dir) < 0) {
        fresh = NULL;
        error_memory(e);
    } else if (fill(s, fresh, e) != 0) {
        (void)path_remove(fresh, &ignored);
    } else {
        rc = swap(s->dir, fresh, damaged, e);
        if (rc == 0)
            tell(s, damaged, report);
    }
    free(fresh);
    free(damaged);
    return rc;
}

int journal_salvage(const char *dir, char **report, struct error *e)
{
    struct salvage s = {.fd = -1};
    struct strbuf text = {0};
    size_t n = strlen(dir);
    char *plain = strdup(dir);
    int lock = -1, rc = -1;

    *report = NULL;
    if (!plain)
        return error_memory(e);
    while (n > 1 && plain[n - 1] == '/')
        plain[--n] = '\0';
    s.dir = plain;
    if (opened_once(plain, &s, e) == 0 && writer_lock_take(plain, &lock, e) == 0)
        rc = salvage_locked(&s, &text, e);
    writer_lock_release(lock);
    opened_no_more(&s);
    *report = strbuf_take(&text);
    if (!*report && rc == 0)
        rc = error_memory(e);
    free(plain);
    return rc;
}
