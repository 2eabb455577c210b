#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/internal.h"
#include "journal/verify.h"

/* Address space, not memory or disk: the file is as large as what is in it. Fits the 39 bits that
 * the smallest 64-bit kernels give a process. */
#define MAP_START    ((size_t)256 << 30)
#define MAP_LEAST    ((size_t)64 << 20)
#define READERS_MOST 1000

const char *journal_command_dir(const char *dir, char out[COMMAND_DIR_SIZE])
{
    static const char place[] = "/.auteur/journal";
    size_t n = strlen(dir), tail = sizeof place - 1;

    if (n > tail && strcmp(dir + n - tail, place) == 0)
        n -= tail;
    snprintf(out, COMMAND_DIR_SIZE, "%.*s", (int)n, dir);
    return out;
}

int journal_damage(const char *dir, struct error *e, const char *format, ...)
{
    char text[600], place[COMMAND_DIR_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return error_set(e, ERROR_JOURNAL,
                     "the journal %s is damaged: %s. `" WAY_OUT_CHECK
                     " %s` tells what is wrong, `" WAY_OUT
                     " %s` saves what can be read into a new journal and keeps this one beside it",
                     dir, text, journal_command_dir(dir, place), place);
}

int journal_lmdb_error(const struct journal *j, int rc, const char *what, struct error *e)
{
    switch (rc) {
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
    case EDQUOT:
        return error_set(e, ERROR_SPACE, "journal %s: cannot %s: %s", j->dir, what,
                         rc == ENOSPC ? "the disk is full; make room and try again"
                                      : mdb_strerror(rc));
    case ENOMEM:
        return error_memory(e);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_PANIC:
        return journal_damage(j->dir, e, "cannot %s: %s", what, mdb_strerror(rc));
    case MDB_READERS_FULL:
        return error_set(e, ERROR_BUSY, "journal %s: more than %d readers at once", j->dir,
                         READERS_MOST);
    default:
        return error_set(e, ERROR_IO, "journal %s: cannot %s: %s", j->dir, what, mdb_strerror(rc));
    }
}

static char *in_dir(const char *dir, const char *name)
{
    char *path = NULL;

    return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

static int env_open(const char *dir, unsigned flags, size_t map_size, MDB_env **out)
{
    MDB_env *env = NULL;
    int rc = mdb_env_create(&env);

    if (rc == 0)
        rc = mdb_env_set_maxreaders(env, READERS_MOST);
    if (rc == 0)
        rc = mdb_env_set_mapsize(env, map_size);
    /* NOTLS: a view belongs to its holder, not to the thread that opened it. */
    if (rc == 0)
        rc = mdb_env_open(env, dir, flags | MDB_NOTLS | MDB_NORDAHEAD, 0666);
    if (rc != 0)
        mdb_env_close(env);
    else
        *out = env;
    return rc;
}

static int env_create(const char *dir, struct error *e)
{
    struct journal j = {.dir = (char *)dir, .lock_fd = -1, .created_ns = journal_now_ns()};
    int rc = env_open(dir, 0, MAP_LEAST, &j.env);
    MDB_txn *txn = NULL;

    if (rc == 0)
        rc = mdb_txn_begin(j.env, NULL, 0, &txn);
    if (rc == 0)
        rc = mdb_dbi_open(txn, NULL, 0, &j.dbi);
    mdb_txn_abort(txn);
    if (rc != 0)
        rc = journal_lmdb_error(&j, rc, "create it", e);
    else
        rc = changes_commit(&j, &(struct changes){0}, e); /* the format record alone */
    mdb_env_close(j.env);
    return rc;
}

static int remove_unfinished(const char *dir, struct error *e)
{
    char *fresh = in_dir(dir, "new");
    int rc = fresh ? path_remove(fresh, e) : error_memory(e);

    free(fresh);
    return rc;
}

/* Made in a directory of its own and renamed into place: a data.mdb that is there is whole, so an
 * empty one is damage and not a beginning. */
int journal_create(const char *dir, struct error *e)
{
    char *fresh = in_dir(dir, "new"), *from = in_dir(dir, "new/" DATA_FILE),
         *to = in_dir(dir, DATA_FILE);
    int rc = -1;

    if (!fresh || !from || !to) {
        error_memory(e);
        goto done;
    }
    if (dir_make(fresh, e) != 0 || lmdb_lock_prepare(fresh, true, e) != 0 ||
        env_create(fresh, e) != 0)
        goto done;
    rc = file_publish(from, to, e);
done:
    (void)remove_unfinished(dir, &(struct error){0});
    free(fresh);
    free(from);
    free(to);
    return rc;
}

/* What journal_open() makes of the pages: the first thing that is wrong. */
struct opening {
    struct journal *j;
    struct error *e;
    bool first_seen, failed;
};

static int opening_problem(void *ctx, const char *text)
{
    struct opening *o = ctx;

    o->failed = true;
    return journal_damage(o->j->dir, o->e, "%s", text);
}

/* The format record's key sorts before every other: it is the first value to come by. */
static int opening_value(void *ctx, const uint8_t *key, size_t key_size, const struct envelope *v)
{
    struct opening *o = ctx;
    struct format_record f;
    char place[COMMAND_DIR_SIZE];

    if (o->first_seen)
        return 0;
    o->first_seen = true;
    o->failed = true;
    if (key_size != 1 || key[0] != TABLE_FORMAT || !v->payload || !decode_format(v, &f))
        return error_set(o->e, ERROR_JOURNAL,
                         "%s/" DATA_FILE " is not a journal of auteur-pipe: choose another output "
                         "folder, or move it away",
                         o->j->dir);
    if (f.version != FORMAT_VERSION)
        return error_set(o->e, ERROR_JOURNAL,
                         "the journal %s is of version %u, and this auteur-pipe reads version %d: "
                         "use the auteur-pipe that wrote it, or give another output folder. `%s "
                         "%s` tells more",
                         o->j->dir, (unsigned)f.version, FORMAT_VERSION, WAY_OUT_CHECK,
                         journal_command_dir(o->j->dir, place));
    o->failed = false;
    o->j->serial_base = f.serial_base;
    o->j->created_ns = f.created_ns;
    return 0;
}

/* Looks at every page that LMDB could touch, under a read transaction so that a writer in another
 * process reuses none of them meanwhile. */
static int verify_snapshot(struct journal *j, int fd, struct error *e)
{
    for (int tries = 0;; tries++) {
        struct opening o = {.j = j, .e = e};
        struct verify v = {.fd = fd, .ctx = &o, .value = opening_value, .problem = opening_problem};
        MDB_txn *txn = NULL;
        int rc = mdb_txn_begin(j->env, NULL, MDB_RDONLY, &txn);

        if (rc == 0)
            rc = mdb_dbi_open(txn, NULL, 0, &j->dbi);
        if (rc != 0) {
            mdb_txn_abort(txn);
            return journal_lmdb_error(j, rc, "read it", e);
        }
        v.txnid = mdb_txn_id(txn);
        rc = verify_run(&v, e);
        if (rc == 0 && !o.failed && !o.first_seen)
            rc = opening_value(&o, (const uint8_t *)"", 0, &(struct envelope){0});
        mdb_txn_abort(txn);
        if (rc != 0 && e->code == ERROR_BUSY && tries < 20) {
            error_clear(e);
            continue;
        }
        return rc != 0 || o.failed ? -1 : 0;
    }
}

/* 256 GiB of addresses where they can be had, less where the kernel or ulimit -v refuses. */
static int env_open_mapped(struct journal *j, size_t map_size, uint64_t file_size, bool table,
                           struct error *e)
{
    unsigned flags = (j->writable ? 0 : MDB_RDONLY) | (table ? 0 : MDB_NOLOCK);
    size_t least = (size_t)file_size + file_size / 2 + 65536;
    int rc;

    for (size_t size = map_size;; size /= 2) {
        if (size < least)
            size = least;
        size &= ~(size_t)65535;
        rc = env_open(j->dir, flags, size, &j->env);
        if (rc != ENOMEM || size <= least || size <= MAP_LEAST)
            break;
    }
    return rc == 0 ? 0 : journal_lmdb_error(j, rc, "open it", e);
}

static int open_checked(struct journal *j, size_t map_size, struct error *e)
{
    char *path = in_dir(j->dir, DATA_FILE);
    struct page_meta metas[2];
    struct stat st;
    int fd, newest, dead, without, rc = -1;

    if (!path)
        return error_memory(e);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        error_set(e, ERROR_IO, "there is no journal in %s: nothing was run there yet", j->dir);
    else if (fd < 0 || fstat(fd, &st) != 0)
        error_errno(e, errno, "open the journal", path);
    else if (page_metas(fd, metas, &newest, e) != 0) {
        struct error what = *e;

        if (what.code == ERROR_JOURNAL)
            journal_damage(j->dir, e, "%s", what.text);
    } else if ((without = lmdb_lock_prepare(j->dir, j->writable, e)) >= 0 &&
               env_open_mapped(j, map_size, (uint64_t)st.st_size, !without, e) == 0) {
        /* Slots of readers that died would keep old pages from being used again. */
        int status = mdb_reader_check(j->env, &dead);

        rc = status ? journal_lmdb_error(j, status, "look for dead readers", e)
                    : verify_snapshot(j, fd, e);
    }
    if (fd >= 0)
        close(fd);
    free(path);
    return rc;
}

static int find_next_event(struct journal *j, struct error *e)
{
    struct key past;
    MDB_txn *txn = NULL;
    MDB_cursor *cursor = NULL;
    MDB_val key, data;
    int rc = mdb_txn_begin(j->env, NULL, MDB_RDONLY, &txn);

    if (rc == 0)
        rc = mdb_cursor_open(txn, j->dbi, &cursor);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return journal_lmdb_error(j, rc, "read it", e);
    }
    key_event(&past, 0);
    past.bytes[0]++; /* the first key behind every event */
    past.size = 1;
    key = (MDB_val){past.size, past.bytes};
    rc = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);
    rc = mdb_cursor_get(cursor, &key, &data, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
    j->next_event = 1;
    if (rc == 0 && key.mv_size == 9 && *(uint8_t *)key.mv_data == TABLE_EVENT)
        j->next_event = key_event_sequence(key.mv_data) + 1;
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return 0;
}

static int open_for_writing(struct journal *j, struct error *e)
{
    char *path = in_dir(j->dir, DATA_FILE);
    struct stat st;
    int rc;

    if (!path)
        return error_memory(e);
    rc = writer_lock_take(j->dir, &j->lock_fd, e);
    if (rc == 0)
        rc = remove_unfinished(j->dir, e); /* of a process that was killed while it made one */
    if (rc == 0 && lstat(path, &st) != 0)
        rc = errno == ENOENT ? journal_create(j->dir, e)
                             : error_errno(e, errno, "open the journal", path);
    free(path);
    return rc;
}

int journal_open_sized(const char *dir, enum journal_mode mode, size_t map_size,
                       struct journal **out, struct error *e)
{
    struct journal *j = calloc(1, sizeof *j);
    struct stat st;

    if (!j)
        return error_memory(e);
    j->lock_fd = -1;
    j->writable = mode == JOURNAL_WRITE;
    pthread_mutex_init(&j->gate, NULL);
    pthread_cond_init(&j->gate_changed, NULL);
    pthread_mutex_init(&j->write, NULL);
    j->dir = strdup(dir);
    if (!j->dir) {
        error_memory(e);
        goto fail;
    }
    if (!j->writable && stat(dir, &st) != 0 && errno == ENOENT) {
        error_set(e, ERROR_IO, "there is no journal in %s: nothing was run there yet", dir);
        goto fail;
    }
    if ((j->writable && dir_make(dir, e) != 0) || opened_once(dir, j, e) != 0)
        goto fail;
    if (j->writable && open_for_writing(j, e) != 0)
        goto fail;
    if (open_checked(j, map_size, e) != 0 || (j->writable && find_next_event(j, e) != 0))
        goto fail;
    *out = j;
    return 0;
fail:
    journal_close(j);
    return -1;
}

int journal_open(const char *dir, enum journal_mode mode, struct journal **out, struct error *e)
{
    return journal_open_sized(dir, mode, MAP_START, out, e);
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    mdb_env_close(j->env);
    changes_free(&j->pending);
    writer_lock_release(j->lock_fd);
    opened_no_more(j);
    pthread_mutex_destroy(&j->write);
    pthread_cond_destroy(&j->gate_changed);
    pthread_mutex_destroy(&j->gate);
    free(j->dir);
    free(j);
}
