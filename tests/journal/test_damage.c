/* Damaged files: cut short anywhere, bytes flipped anywhere, other programs' files, other versions.
 * Whatever is done to the file, nothing crashes (these run under the sanitizers), nothing that is
 * said is false, a refused journal is left as it was, and salvage gives a sound one. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "journal/internal.h"
#include "journal/page.h"
#include "tests/journal/scratch.h"

enum { SHOTS = 60, OLD_VERSION = 1, NEW_VERSION = 2, EVENTS = SHOTS + SHOTS / 2 + 1 };

/* A journal of two levels of branches, with free pages, replaced records and a checkpoint; its
 * file's bytes are kept, and each test damages a copy. */
struct sample {
    const char *dir;
    char file[300];
    char *bytes;
    size_t size;
};

static unsigned version_of(unsigned n)
{
    return n % 2 ? OLD_VERSION : NEW_VERSION;
}

static int setup(void **state)
{
    struct sample *s = calloc(1, sizeof *s);
    struct error e = {0};
    struct page_meta metas[2];
    struct journal *j;
    int fd, newest;

    assert_non_null(s);
    s->dir = scratch_make();
    snprintf(s->file, sizeof s->file, "%s/" DATA_FILE, s->dir);
    assert_ok(journal_open(s->dir, JOURNAL_WRITE, &j, &e));
    assert_ok(journal_batch_begin(j, &e));
    for (unsigned n = 0; n < SHOTS; n++)
        assert_ok(world_put(j, n, OLD_VERSION, &e));
    assert_ok(journal_batch_end(j, &e));
    for (unsigned n = 0; n < SHOTS; n += 2)
        assert_ok(world_put(j, n, NEW_VERSION, &e));
    assert_ok(journal_sweep(j, NULL, NULL, &e));
    assert_ok(journal_meta_put(j, "name", "sample", &e));
    assert_ok(journal_event(j, "run", "", "", "done", &e));
    assert_ok(journal_checkpoint_put(j, (struct hash128){{1}}, "abc", 3, &e));
    journal_close(j);
    assert_ok(file_read(s->file, 1 << 30, &s->bytes, &s->size, &e));
    fd = open(s->file, O_RDONLY);
    assert_ok(page_metas(fd, metas, &newest, &e));
    close(fd);
    assert_true(metas[newest].main.depth >= 2 && metas[newest].free.entries > 0 &&
                metas[newest].main.overflow_pages > SHOTS);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct sample *s = *state;

    scratch_remove(s->dir);
    free(s->bytes);
    free(s);
    return 0;
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

static void assert_file_is(const char *path, const void *bytes, size_t size)
{
    struct error e = {0};
    char *now;
    size_t now_size;

    assert_ok(file_read(path, 1 << 30, &now, &now_size, &e));
    assert_int_equal(now_size, size);
    assert_memory_equal(now, bytes, size);
    free(now);
}

static int count_one(void *ctx, uint64_t time_ns, const char *kind, const char *shot,
                     const char *stage, const char *text)
{
    (void)time_ns, (void)kind, (void)shot, (void)stage, (void)text;
    return ++*(int *)ctx, 0;
}

/* Every answer of an opened journal is right or ERROR_JOURNAL. Returns the errors met. */
static unsigned assert_truthful(struct journal *j, int more_events, const char *now)
{
    struct error e = {0};
    struct journal_view *v;
    unsigned errors = 0;
    int events = 0;
    struct journal_visitor visitor = {.ctx = &events, .event = count_one};

    assert_ok(journal_view_begin(j, &v, &e));
    for (unsigned n = 0; n < SHOTS; n++) {
        int rc = world_look(v, n, version_of(n), &e);

        if (rc == -1) {
            assert_int_equal(e.code, ERROR_JOURNAL);
            assert_non_null(strstr(e.text, "journal salvage"));
            error_clear(&e);
            errors++;
        } else if (rc != 1) { /* neither "there is none" nor something false */
            fail_msg("%s: shot %u: %s", now ? now : "", n,
                     rc == 0 ? "said not to be there" : "a false answer");
        }
    }
    if (journal_walk(v, &visitor, &e) != 0) {
        assert_int_equal(e.code, ERROR_JOURNAL);
        errors++;
    } else {
        assert_int_equal(events, EVENTS + more_events);
    }
    journal_view_end(v);
    return errors;
}

/* A meta page of zeros: the way in is barred, every record is whole. */
static void bar_the_way_in(const char *file)
{
    static const char zeros[4096];
    int fd = open(file, O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, zeros, sizeof zeros, 0), sizeof zeros);
    close(fd);
}

/* Salvages dir, which then is sound; nothing is done where it was sound before. Returns how many
 * shots came through, each truthful (an older version may stand for one that was destroyed). */
static unsigned salvage(struct sample *s)
{
    struct error e = {0};
    struct journal *j;
    struct journal_view *v;
    unsigned saved = 0;
    char *report, *kept;
    bool sound = journal_check(s->dir, &report, &e) == 0;

    free(report);
    error_clear(&e);
    if (journal_salvage(s->dir, &report, &e) != 0)
        fail_msg("%s", e.text);
    kept = strstr(report, "kept at ");
    assert_int_equal(sound, kept == NULL);
    assert_int_equal(sound, strstr(report, "sound, nothing to do") != NULL);
    if (kept) {
        kept[strcspn(kept, "\n")] = '\0';
        kept += strlen("kept at ");
        assert_true(path_exists(kept));
        assert_ok(path_remove(kept, &e));
    }
    free(report);
    if (journal_check(s->dir, &report, &e) != 0)
        fail_msg("after salvage: %s", report);
    free(report);
    assert_ok(journal_open(s->dir, JOURNAL_WRITE, &j, &e));
    assert_ok(journal_view_begin(j, &v, &e));
    for (unsigned n = 0; n < SHOTS; n++) {
        int rc = world_look(v, n, version_of(n), &e);

        if (rc == -2 && version_of(n) == NEW_VERSION)
            rc = world_look(v, n, OLD_VERSION, &e) == 1 ? 0 : -2;
        assert_in_range(rc, 0, 1);
        saved += rc == 1;
    }
    journal_view_end(v);
    assert_ok(world_put(j, SHOTS - 2, 3, &e)); /* and it goes on */
    journal_close(j);
    return saved;
}

struct tally {
    unsigned refused, partly, unharmed, least_saved;
    const char *now; /* what was done to the file, for the message of a failure */
};

/* All that a person might do with a journal, on these bytes. */
static void try_all(struct sample *s, const char *bytes, size_t size, bool with_salvage,
                    struct tally *t)
{
    struct error e = {0};
    struct journal *j = NULL;
    char *report;
    unsigned wrong = 0;
    int open_rc, check_rc;

    write_file(s->file, bytes, size);
    open_rc = journal_open(s->dir, JOURNAL_READ, &j, &e);
    if (open_rc != 0) {
        assert_int_equal(e.code, ERROR_JOURNAL);
        assert_non_null(strstr(e.text, s->dir));
        error_clear(&e);
        t->refused++;
    } else {
        wrong = assert_truthful(j, 0, t->now);
        t->partly += wrong > 0;
        t->unharmed += wrong == 0;
    }
    journal_close(j);
    check_rc = journal_check(s->dir, &report, &e);
    if (open_rc != 0 || wrong) {
        assert_int_equal(check_rc, -1); /* check finds whatever opening and reading find */
        assert_int_equal(e.code, ERROR_JOURNAL);
    }
    assert_non_null(report);
    free(report);
    error_clear(&e);
    if (journal_open(s->dir, JOURNAL_WRITE, &j, &e) != 0) {
        assert_int_equal(e.code, ERROR_JOURNAL);
        error_clear(&e);
        assert_file_is(s->file, bytes, size); /* refused, and not touched */
    } else {
        assert_ok(journal_batch_begin(j, &e)); /* one fsync: there are hundreds of these */
        for (unsigned n = 200; n < 210; n++)
            assert_ok(world_put(j, n, 1, &e));
        assert_ok(journal_batch_end(j, &e));
        assert_ok(journal_checkpoint_put(j, (struct hash128){{1}}, bytes, 100000, &e));
        assert_int_equal(assert_truthful(j, 10, t->now), wrong);
        journal_close(j);
    }
    if (with_salvage) {
        unsigned saved;

        write_file(s->file, bytes, size);
        saved = salvage(s);
        if (saved < t->least_saved)
            t->least_saved = saved;
    }
}

static void cut_short_anywhere(void **state)
{
    struct sample *s = *state;
    struct tally t = {.least_saved = SHOTS};
    uint64_t seed = random_seed();

    for (size_t size = 0; size < s->size; size += 4096)
        try_all(s, s->bytes, size, size / 4096 % 4 == 0, &t);
    for (int i = 0; i < 60; i++)
        try_all(s, s->bytes, random_next(&seed) % (i < 20 ? 9000 : s->size), i % 4 == 0, &t);
    print_message("refused %u, unharmed %u\n", t.refused, t.unharmed);
    assert_int_equal(t.partly, 0);
    assert_true(t.refused > s->size / 4096 / 2);
}

static void bytes_flipped_anywhere(void **state)
{
    struct sample *s = *state;
    struct tally t = {.least_saved = SHOTS};
    uint64_t seed = random_seed();
    char now[100];

    for (int i = 0; i < 500; i++) {
        size_t at = random_next(&seed) % s->size;
        char before = s->bytes[at];

        if (i % 5 == 0) /* page heads and the node offsets behind them */
            at = random_next(&seed) % (s->size / 4096) * 4096 + random_next(&seed) % 40;
        else if (i % 5 == 1) /* the metas */
            at = random_next(&seed) % 2 * 4096 + random_next(&seed) % 160;
        before = s->bytes[at];
        s->bytes[at] ^= (char)(1 + random_next(&seed) % 255);
        snprintf(now, sizeof now, "byte %zu of page %zu: %02x -> %02x", at % 4096, at / 4096,
                 (uint8_t)before, (uint8_t)s->bytes[at]);
        t.now = now;
        try_all(s, s->bytes, s->size, i % 8 == 0, &t);
        s->bytes[at] = before;
    }
    print_message("refused %u, some records refused %u, unharmed %u; salvage saved at least %u of "
                  "%u shots\n",
                  t.refused, t.partly, t.unharmed, t.least_saved, SHOTS);
    assert_true(t.refused > 30 && t.partly > 30 && t.unharmed > 30);
    assert_true(t.least_saved >= SHOTS - 1); /* a byte is in one record at most */
}

/* LMDB has no checksum over its metas, and takes the one with the greater transaction number: every
 * value of that number's low byte, and a bit of every other byte. An older state must not come
 * back.
 */
static void metas_flipped_everywhere(void **state)
{
    enum { TXNID_AT = 16 + 128, META_END = TXNID_AT + 8 };
    struct sample *s = *state;
    struct error e = {0};
    uint64_t seed = random_seed();
    unsigned refused = 0, tries = 0;
    char now[100];

    for (size_t page = 0; page < 2; page++)
        for (size_t at = page * 4096; at < page * 4096 + META_END; at++)
            for (int x = 1; x < 256; x++) {
                struct journal *j = NULL;
                char before = s->bytes[at];

                if (at % 4096 != TXNID_AT && x != 1 << random_next(&seed) % 8)
                    continue;
                s->bytes[at] ^= (char)x;
                snprintf(now, sizeof now, "byte %zu of page %zu ^ %02x", at % 4096, page, x);
                write_file(s->file, s->bytes, s->size);
                if (journal_open(s->dir, JOURNAL_READ, &j, &e) == 0) {
                    assert_int_not_equal(at % 4096, TXNID_AT); /* none but the true one */
                    assert_int_equal(assert_truthful(j, 0, now), 0);
                } else {
                    assert_int_equal(e.code, ERROR_JOURNAL);
                    refused++;
                }
                error_clear(&e);
                journal_close(j);
                s->bytes[at] = before;
                tries++;
            }
    print_message("refused %u of %u\n", refused, tries);
    assert_true(tries > 600 && refused > 510);
}

/* The key of a value that opening does not read (a blob's): looking it up must not say "none". */
static void keys_flipped_everywhere(void **state)
{
    struct sample *s = *state;
    struct error e = {0};
    unsigned refused = 0, met = 0;

    for (unsigned n = 0; n < SHOTS; n += 3) {
        struct world_shot w;
        struct key k;
        char *at = s->bytes;

        world_make(&w, n, version_of(n));
        assert_ok(key_blob(&k, w.record.key, "latents", &e));
        while ((at = memmem(at, s->size - (size_t)(at - s->bytes), k.bytes, k.size))) {
            struct journal *j = NULL;

            at[k.size - 1]++; /* "latentt": keeps its place in the order */
            write_file(s->file, s->bytes, s->size);
            if (journal_open(s->dir, JOURNAL_READ, &j, &e) == 0)
                met += assert_truthful(j, 0, "a key flipped");
            else
                refused++;
            error_clear(&e);
            journal_close(j);
            at[k.size - 1]--;
            at++;
        }
        world_free(&w);
    }
    print_message("refused %u, some records refused %u\n", refused, met);
    assert_true(refused >= SHOTS / 3);
}

/* A free list that names a page in use would have the next write destroy it. */
static void a_free_list_that_names_used_pages_is_refused(void **state)
{
    struct sample *s = *state;
    struct page_meta metas[2];
    struct error e = {0};
    int fd = open(s->file, O_RDONLY), newest;
    unsigned tries = 0;

    assert_true(fd >= 0);
    assert_ok(page_metas(fd, metas, &newest, &e));
    close(fd);
    assert_int_equal(metas[newest].free.depth, 1);
    for (size_t i = 0; i < metas[newest].free.entries; i++) {
        uint8_t *page = (uint8_t *)s->bytes + metas[newest].free.root * 4096;
        struct page_node node = page_node(page, i);
        uint8_t *list = node.flags & NODE_BIG ? (uint8_t *)s->bytes + node.page * 4096 + 16
                                              : page + (node.data - page);
        uint64_t count, before = UINT64_MAX;

        memcpy(&count, list, 8);
        for (uint64_t k = 1; k <= count; k++) {
            struct journal *j;
            uint64_t free_page, other;

            memcpy(&free_page, list + 8 * k, 8);
            other = free_page + 1;
            if (other < before && other <= metas[newest].last_page) { /* in the list's order */
                memcpy(list + 8 * k, &other, 8);
                write_file(s->file, s->bytes, s->size);
                assert_int_equal(journal_open(s->dir, JOURNAL_WRITE, &j, &e), -1);
                assert_int_equal(e.code, ERROR_JOURNAL);
                error_clear(&e);
                memcpy(list + 8 * k, &free_page, 8);
                tries++;
            }
            before = free_page;
        }
    }
    print_message("%u lists refused\n", tries);
    assert_true(tries > 0);
}

/* Whole sectors of rubbish or zeros, as a dying disk gives them. */
static void sectors_lost_anywhere(void **state)
{
    struct sample *s = *state;
    struct tally t = {.least_saved = SHOTS};
    uint64_t seed = random_seed();
    char *copy = malloc(s->size);

    assert_non_null(copy);
    for (int i = 0; i < 150; i++) {
        size_t at = random_next(&seed) % (s->size / 512) * 512;
        size_t size = 512u << random_next(&seed) % 5;
        int kind = (int)(random_next(&seed) % 3);

        memcpy(copy, s->bytes, s->size);
        if (size > s->size - at)
            size = s->size - at;
        for (size_t k = 0; k < size; k++)
            copy[at + k] = kind == 0   ? 0
                           : kind == 1 ? (char)random_next(&seed)
                                       : s->bytes[(at + k + 4096 * (1 + i)) % s->size];
        try_all(s, copy, s->size, i % 4 == 0, &t);
    }
    print_message("refused %u, some records refused %u, unharmed %u; salvage saved at least %u of "
                  "%u shots\n",
                  t.refused, t.partly, t.unharmed, t.least_saved, SHOTS);
    assert_true(t.least_saved >= SHOTS / 2);
    free(copy);
}

/* The root page gone: every record still comes back. */
static void salvage_needs_no_tree(void **state)
{
    struct sample *s = *state;
    struct page_meta metas[2];
    struct error e = {0};
    int fd = open(s->file, O_RDONLY), newest;
    struct journal *j;
    struct journal_view *v;
    const char *name;

    assert_true(fd >= 0);
    assert_ok(page_metas(fd, metas, &newest, &e));
    close(fd);
    memset(s->bytes + metas[newest].main.root * 4096, 0xff, 4096);
    memset(s->bytes, 0, 2 * 4096);
    write_file(s->file, s->bytes, s->size);
    assert_int_equal(journal_open(s->dir, JOURNAL_READ, &j, &e), -1);
    error_clear(&e);
    assert_int_equal(salvage(s), SHOTS);
    assert_ok(journal_open(s->dir, JOURNAL_READ, &j, &e));
    assert_ok(journal_view_begin(j, &v, &e));
    assert_int_equal(journal_meta_get(v, "name", &name, &e), 1);
    assert_string_equal(name, "sample");
    journal_view_end(v);
    journal_close(j);
}

/* After a salvage new records still win over those that were saved, at the next salvage too. */
static void serials_go_on_after_salvage(void **state)
{
    struct sample *s = *state;
    struct error e = {0};
    struct journal *j;
    struct journal_view *v;

    bar_the_way_in(s->file);
    assert_int_equal(salvage(s), SHOTS); /* puts the last but one at version 3 */
    bar_the_way_in(s->file);
    {
        char *report;

        assert_ok(journal_salvage(s->dir, &report, &e));
        assert_ok(path_remove(
            strstr(report, "kept at ") ? strtok(strstr(report, "kept at ") + 8, "\n") : "", &e));
        free(report);
    }
    assert_ok(journal_open(s->dir, JOURNAL_READ, &j, &e));
    assert_ok(journal_view_begin(j, &v, &e));
    assert_int_equal(world_look(v, SHOTS - 2, 3, &e), 1);
    assert_int_equal(world_look(v, 2, version_of(2), &e), 1);
    journal_view_end(v);
    journal_close(j);
}

static void a_sound_journal_is_not_salvaged(void **state)
{
    struct sample *s = *state;
    struct error e = {0};
    char *report;

    write_file(s->file, s->bytes, s->size);
    assert_ok(journal_salvage(s->dir, &report, &e));
    assert_non_null(strstr(report, "sound, nothing to do"));
    free(report);
    assert_file_is(s->file, s->bytes, s->size);
}

/* Zero records would be a false alarm: salvage saves them all. */
static void what_cannot_be_counted_is_not_given_as_none(void **state)
{
    struct sample *s = *state;
    struct error e = {0};
    char *report;

    write_file(s->file, s->bytes, s->size);
    bar_the_way_in(s->file);
    assert_int_equal(journal_check(s->dir, &report, &e), -1);
    assert_non_null(strstr(report, "could not be counted"));
    assert_null(strstr(report, "stage records"));
    free(report);
    error_clear(&e);
    assert_int_equal(salvage(s), SHOTS);
}

static void put_format(const char *dir, uint32_t version)
{
    struct error e = {0};
    struct journal *j;
    struct changes c = {0};
    struct format_record f = {version, 0, 1};

    assert_ok(journal_open(dir, JOURNAL_WRITE, &j, &e));
    key_format(&c.key);
    change_begin(&c);
    encode_format(&c.scratch, &f);
    if (version != FORMAT_VERSION)
        encode_string(&c.scratch, "what this version does not know");
    assert_ok(change_end(&c, NULL, 0, true, &e));
    assert_ok(changes_commit(j, &c, &e));
    changes_free(&c);
    journal_close(j);
}

static void another_version_is_refused(void **state)
{
    struct sample *s = *state;
    struct error e = {0};
    struct journal *j;
    char *bytes, *report;
    size_t size;

    put_format(s->dir, FORMAT_VERSION + 1);
    assert_ok(file_read(s->file, 1 << 30, &bytes, &size, &e));
    for (int mode = 0; mode < 2; mode++) {
        assert_int_equal(journal_open(s->dir, mode ? JOURNAL_WRITE : JOURNAL_READ, &j, &e), -1);
        assert_int_equal(e.code, ERROR_JOURNAL);
        assert_non_null(strstr(e.text, "of version 2"));
        assert_non_null(strstr(e.text, "journal check"));
        error_clear(&e);
    }
    assert_int_equal(journal_check(s->dir, &report, &e), -1);
    assert_int_equal(e.code, ERROR_JOURNAL);
    assert_non_null(strstr(report, "of version 2"));
    free(report);
    error_clear(&e);
    assert_int_equal(journal_salvage(s->dir, &report, &e), -1);
    assert_int_equal(e.code, ERROR_JOURNAL);
    free(report);
    assert_file_is(s->file, bytes, size);
    free(bytes);
}

/* The command that the text offers takes the production's directory, not the journal's. */
static void the_way_out_can_be_typed(void **state)
{
    struct sample *s = *state;
    struct error e = {0};
    struct journal *j;
    char dir[400], file[500], command[600];

    snprintf(dir, sizeof dir, "%s/out/.auteur/journal", s->dir);
    snprintf(file, sizeof file, "%s/" DATA_FILE, dir);
    assert_ok(dir_make(dir, &e));
    write_file(file, s->bytes, s->size - 5000);
    assert_int_equal(journal_open(dir, JOURNAL_WRITE, &j, &e), -1);
    snprintf(command, sizeof command, "`auteur-pipe journal salvage %s/out`", s->dir);
    assert_non_null(strstr(e.text, command));
    snprintf(command, sizeof command, "`auteur-pipe journal check %s/out`", s->dir);
    assert_non_null(strstr(e.text, command));
}

/* LMDB files of other programs: empty, with plain records, with named databases. */
static void another_programs_file_is_refused(void **state)
{
    struct sample *s = *state;

    for (int kind = 0; kind < 3; kind++) {
        struct error e = {0};
        struct journal *j;
        MDB_env *env;
        MDB_txn *txn;
        MDB_dbi dbi;
        MDB_val key = {3, "key"}, value = {5, "value"};
        char *bytes, *report;
        size_t size;

        assert_ok(path_remove(s->file, &e));
        assert_int_equal(mdb_env_create(&env), 0);
        assert_int_equal(mdb_env_set_maxdbs(env, 4), 0);
        assert_int_equal(mdb_env_open(env, s->dir, 0, 0666), 0);
        assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
        assert_int_equal(mdb_dbi_open(txn, kind == 2 ? "named" : NULL,
                                      kind == 2 ? MDB_CREATE | MDB_DUPSORT : 0, &dbi),
                         0);
        if (kind)
            assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
        assert_int_equal(mdb_txn_commit(txn), 0);
        mdb_env_close(env);
        assert_ok(file_read(s->file, 1 << 30, &bytes, &size, &e));
        for (int mode = 0; mode < 2; mode++) {
            assert_int_equal(journal_open(s->dir, mode ? JOURNAL_WRITE : JOURNAL_READ, &j, &e), -1);
            assert_int_equal(e.code, ERROR_JOURNAL);
            error_clear(&e);
        }
        assert_int_equal(journal_check(s->dir, &report, &e), -1);
        assert_int_equal(e.code, ERROR_JOURNAL);
        free(report);
        assert_file_is(s->file, bytes, size);
        free(bytes);
    }
}

static void things_in_the_way_are_refused(void **state)
{
    struct sample *s = *state;
    struct error e = {0};
    struct journal *j;
    char path[400], *report;

    assert_ok(path_remove(s->file, &e));
    assert_int_equal(mkfifo(s->file, 0666), 0); /* must not hang */
    assert_int_equal(journal_open(s->dir, JOURNAL_READ, &j, &e), -1);
    assert_int_equal(e.code, ERROR_JOURNAL);
    error_clear(&e);
    assert_int_equal(journal_salvage(s->dir, &report, &e), -1);
    free(report);
    error_clear(&e);
    assert_ok(path_remove(s->file, &e));
    assert_int_equal(mkdir(s->file, 0777), 0);
    assert_int_equal(journal_open(s->dir, JOURNAL_WRITE, &j, &e), -1);
    error_clear(&e);
    assert_ok(path_remove(s->file, &e));
    assert_int_equal(symlink("nowhere", s->file), 0); /* not made anew through a link */
    assert_int_equal(journal_open(s->dir, JOURNAL_WRITE, &j, &e), -1);
    error_clear(&e);
    assert_ok(path_remove(s->file, &e));
    write_file(s->file, "not a journal at all, just words", 32);
    assert_int_equal(journal_open(s->dir, JOURNAL_WRITE, &j, &e), -1);
    assert_int_equal(e.code, ERROR_JOURNAL);
    error_clear(&e);
    /* The way out leads somewhere even from here. */
    assert_int_equal(salvage(s), 0);
    snprintf(path, sizeof path, "%s/none", s->dir);
    assert_int_equal(journal_open(path, JOURNAL_READ, &j, &e), -1);
    assert_non_null(strstr(e.text, "nothing was run there yet"));
    assert_false(path_exists(path));
    error_clear(&e);
    assert_int_equal(journal_check(path, &report, &e), -1);
    free(report);
    error_clear(&e);
    assert_int_equal(journal_salvage(path, &report, &e), -1);
    free(report);
    error_clear(&e);
    write_file(path, "a file", 6);
    assert_int_equal(journal_open(path, JOURNAL_WRITE, &j, &e), -1);
    assert_int_equal(e.code, ERROR_IO);
}

/* Rubbish in LMDB's reader table, and in the lock's text. */
static void damaged_locks_do_no_harm(void **state)
{
    struct sample *s = *state;
    uint64_t seed = random_seed();
    char path[400], rubbish[70000];

    for (int i = 0; i < 20; i++) {
        struct error e = {0};
        struct journal *j;

        for (size_t k = 0; k < sizeof rubbish; k++)
            rubbish[k] = (char)random_next(&seed);
        snprintf(path, sizeof path, "%s/" LMDB_LOCK, s->dir);
        write_file(path, rubbish, i < 10 ? random_next(&seed) % sizeof rubbish : sizeof rubbish);
        snprintf(path, sizeof path, "%s/" WRITER_LOCK, s->dir);
        write_file(path, rubbish, 300);
        assert_ok(journal_open(s->dir, i % 2 ? JOURNAL_WRITE : JOURNAL_READ, &j, &e));
        assert_int_equal(assert_truthful(j, 0, NULL), 0);
        journal_close(j);
    }
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH(cut_short_anywhere),
        WITH(bytes_flipped_anywhere),
        WITH(metas_flipped_everywhere),
        WITH(keys_flipped_everywhere),
        WITH(a_free_list_that_names_used_pages_is_refused),
        WITH(sectors_lost_anywhere),
        WITH(salvage_needs_no_tree),
        WITH(serials_go_on_after_salvage),
        WITH(a_sound_journal_is_not_salvaged),
        WITH(what_cannot_be_counted_is_not_given_as_none),
        WITH(another_version_is_refused),
        WITH(the_way_out_can_be_typed),
        WITH(another_programs_file_is_refused),
        WITH(things_in_the_way_are_refused),
        WITH(damaged_locks_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
