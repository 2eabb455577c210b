#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/internal.h"
#include "journal/verify.h"
#include "kernels/base/strbuf.h"

enum { PROBLEMS_TOLD = 40 };

/* Things that must match between two tables, as hashes: sorted and compared at the end. */
struct set {
    struct hash128 *items;
    size_t count, room;
};

struct check {
    struct strbuf text;
    size_t problems;
    uint64_t counts[256], blob_bytes;
    struct set keys, records; /* (shot, stage, key, status) of table k and of table r */
    struct set blobs,
        wanted; /* (key, name, size, digest) of blobs and of artefacts kept as blobs */
    bool first_seen, other_version, no_memory;
};

static int problem(void *ctx, const char *text)
{
    struct check *c = ctx;

    if (c->problems++ < PROBLEMS_TOLD)
        strbuf_addf(&c->text, "  damaged: %s\n", text);
    return 0;
}

static void set_add(struct check *c, struct set *s, const void *bytes, size_t size)
{
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 256;
        struct hash128 *grown = reallocarray(s->items, room, sizeof *grown);

        if (!grown) {
            c->no_memory = true;
            return;
        }
        s->items = grown;
        s->room = room;
    }
    s->items[s->count++] = hash_bytes(bytes, size);
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct hash128));
}

static void set_sort(struct set *s)
{
    if (s->count)
        qsort(s->items, s->count, sizeof *s->items, compare);
}

/* How many of `some` are not in `all`; both sorted. */
static size_t missing(const struct set *some, const struct set *all)
{
    size_t n = 0;

    for (size_t i = 0; i < some->count; i++)
        n += !all->count ||
             !bsearch(&some->items[i], all->items, all->count, sizeof *all->items, compare);
    return n;
}

static void add_status(struct check *c, struct set *s, const uint8_t *key, size_t key_size,
                       struct hash128 content, enum record_status status)
{
    uint8_t raw[KEY_MAX + 17];

    memcpy(raw, key + 1, key_size - 1);
    memcpy(raw + key_size - 1, content.bytes, 16);
    raw[key_size + 15] = (uint8_t)status;
    set_add(c, s, raw, key_size + 16);
}

static void add_blob(struct check *c, struct set *s, struct hash128 key, const void *name,
                     size_t name_size, uint64_t size, struct hash128 digest)
{
    struct encoder w = {0};

    encode_hash(&w, key);
    encode_bytes(&w, name, name_size);
    encode_u64(&w, size);
    encode_hash(&w, digest);
    if (w.failed)
        c->no_memory = true;
    else
        set_add(c, s, w.bytes, w.size);
    free(w.bytes);
}

static bool check_record(struct check *c, const uint8_t *key, size_t key_size,
                         const struct envelope *v)
{
    struct arena arena = {0};
    struct stage_record r;
    bool no_memory, sound = decode_record(v, &arena, &r, &no_memory);

    c->no_memory |= no_memory;
    if (sound)
        add_status(c, &c->records, key, key_size, r.key, r.status);
    for (size_t i = 0; sound && i < r.artefact_count; i++) {
        const struct record_artefact *a = &r.artefacts[i];

        if (!a->path[0])
            add_blob(c, &c->wanted, r.key, a->name, strlen(a->name), a->size, a->digest);
    }
    arena_free(&arena);
    return sound;
}

/* Each blob goes in twice: an artefact may have been recorded without a digest. */
static void check_blob(struct check *c, const uint8_t *key, size_t key_size,
                       const struct envelope *v)
{
    struct hash128 content;

    memcpy(content.bytes, key + 1, 16);
    add_blob(c, &c->blobs, content, key + 17, key_size - 17, v->payload_size,
             hash_bytes(v->payload, v->payload_size));
    add_blob(c, &c->blobs, content, key + 17, key_size - 17, v->payload_size,
             (struct hash128){{0}});
    c->blob_bytes += v->payload_size;
}

static bool check_value(struct check *c, const uint8_t *key, size_t key_size,
                        const struct envelope *v)
{
    struct hash128 hash;
    enum record_status status;

    if (key[0] == TABLE_RECORD && !check_record(c, key, key_size, v))
        return false;
    if (!value_known(v))
        return false;
    if (key[0] == TABLE_KEY && decode_key_status(v, &hash, &status))
        add_status(c, &c->keys, key, key_size, hash, status);
    if (key[0] == TABLE_BLOB)
        check_blob(c, key, key_size, v);
    if (key[0] == TABLE_CHECKPOINT)
        c->blob_bytes += v->payload_size;
    return true;
}

static int value(void *ctx, const uint8_t *key, size_t key_size, const struct envelope *v)
{
    struct check *c = ctx;
    struct format_record f = {0};
    char what[160], line[240];

    if (!c->first_seen) {
        c->first_seen = true;
        if (key_size != 1 || key[0] != TABLE_FORMAT || !decode_format(v, &f))
            problem(c, "it has no format record: another program's file?");
        else if (f.version != FORMAT_VERSION) {
            strbuf_addf(&c->text,
                        "  it is of version %u; this auteur-pipe reads version %d. It may be quite "
                        "sound: use the auteur-pipe that wrote it\n",
                        (unsigned)f.version, FORMAT_VERSION);
            c->other_version = true;
            c->problems++;
            return 1;
        }
    }
    if (check_value(c, key, key_size, v)) {
        c->counts[key[0]]++;
        return 0;
    }
    key_describe(key, key_size, what, sizeof what);
    snprintf(line, sizeof line, "%s has a form that this version does not know", what);
    return problem(c, line);
}

static void check_matches(struct check *c)
{
    char line[160];
    size_t n;

    set_sort(&c->keys);
    set_sort(&c->records);
    set_sort(&c->blobs);
    n = missing(&c->keys, &c->records) + missing(&c->records, &c->keys);
    if (n) {
        snprintf(line, sizeof line, "%zu records do not match their entries in the key table", n);
        problem(c, line);
    }
    n = missing(&c->wanted, &c->blobs);
    if (n) {
        snprintf(line, sizeof line, "%zu artefacts that records keep in the journal are not there",
                 n);
        problem(c, line);
    }
}

static void summary(struct check *c, const struct verify *v)
{
    const uint64_t *n = c->counts;

    if (c->problems > PROBLEMS_TOLD)
        strbuf_addf(&c->text, "  ... and %zu more\n", c->problems - PROBLEMS_TOLD);
    if (!c->first_seen) {
        strbuf_addf(&c->text, "  what is in it could not be counted: the damage bars the way in, "
                              "which says nothing of the records\n");
        return;
    }
    if (c->problems)
        strbuf_addf(&c->text, "  counted as far as the damage lets one see:\n");
    strbuf_addf(&c->text,
                "  %llu stage records, %llu attempts, %llu events, %llu blobs and %llu checkpoints "
                "of %.1f MiB, %llu values, %llu file digests\n  %llu pages in use, %llu free\n",
                (unsigned long long)n[TABLE_RECORD], (unsigned long long)n[TABLE_ATTEMPT],
                (unsigned long long)n[TABLE_EVENT], (unsigned long long)n[TABLE_BLOB],
                (unsigned long long)n[TABLE_CHECKPOINT], (double)c->blob_bytes / (1 << 20),
                (unsigned long long)n[TABLE_META], (unsigned long long)n[TABLE_DIGEST],
                (unsigned long long)v->pages, (unsigned long long)v->free_pages);
}

static int check_file(const char *dir, struct check *c, struct error *e)
{
    struct verify v = {
        .txnid = VERIFY_NEWEST, .deep = true, .ctx = c, .value = value, .problem = problem};
    char *path = NULL;
    int rc = -1;

    if (asprintf(&path, "%s/" DATA_FILE, dir) < 0)
        return error_memory(e);
    v.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (v.fd < 0 && errno == ENOENT)
        error_set(e, ERROR_IO, "there is no journal in %s", dir);
    else if (v.fd < 0)
        error_errno(e, errno, "open the journal", path);
    else
        rc = verify_run(&v, e);
    if (rc == 0 && !c->first_seen && c->problems == 0)
        problem(c, "it has no format record: another program's file?");
    if (rc == 0 && !c->other_version) {
        if (c->problems == 0)
            check_matches(c);
        summary(c, &v);
    }
    if (v.fd >= 0)
        close(v.fd);
    free(path);
    return rc;
}

static void check_free(struct check *c)
{
    strbuf_free(&c->text);
    free(c->keys.items);
    free(c->records.items);
    free(c->blobs.items);
    free(c->wanted.items);
}

bool journal_is_sound(const char *dir)
{
    struct check c = {0};
    struct error ignored = {0};
    bool sound = check_file(dir, &c, &ignored) == 0 && c.problems == 0 && !c.no_memory;

    check_free(&c);
    return sound;
}

/* Under the writer's lock, so that the file stands still. Where nothing can be written nobody
 * writes. */
static int check_locked(const char *dir, struct check *c, struct error *e)
{
    int lock = -1, rc;

    if (opened_once(dir, c, e) != 0)
        return -1;
    if (access(dir, W_OK) != 0 && errno == EROFS)
        rc = 0;
    else
        rc = writer_lock_take(dir, &lock, e);
    if (rc == 0)
        rc = check_file(dir, c, e);
    writer_lock_release(lock);
    opened_no_more(c);
    return rc;
}

int journal_check(const char *dir, char **report, struct error *e)
{
    struct check c = {0};
    struct strbuf whole = {0};
    char *text, place[COMMAND_DIR_SIZE];
    int rc;

    *report = NULL;
    rc = check_locked(dir, &c, e);
    strbuf_addf(&whole, "journal %s: %s\n%s", dir,
                rc                ? "not checked"
                : c.problems == 0 ? "sound"
                                  : "not sound",
                c.text.text ? c.text.text : "");
    whole.failed |= c.text.failed || c.no_memory;
    text = strbuf_take(&whole);
    if (!text && rc == 0)
        rc = error_memory(e);
    *report = text;
    if (rc == 0 && c.other_version)
        rc =
            error_set(e, ERROR_JOURNAL, "the journal %s is of another version of auteur-pipe", dir);
    else if (rc == 0 && c.problems)
        rc =
            error_set(e, ERROR_JOURNAL,
                      "the journal %s is damaged: `" WAY_OUT
                      " %s` saves what can be read into a new journal and keeps this one beside it",
                      dir, journal_command_dir(dir, place));
    strbuf_free(&whole);
    check_free(&c);
    return rc;
}
