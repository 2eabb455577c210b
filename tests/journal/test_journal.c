#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "journal/journal.h"
#include "tests/journal/scratch.h"

struct fixture {
    const char *dir;
    struct journal *j;
    struct journal_view *v;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error e = {0};

    assert_non_null(f);
    f->dir = scratch_make();
    assert_ok(journal_open(f->dir, JOURNAL_WRITE, &f->j, &e));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct error e = {0};
    char *report;

    journal_view_end(f->v);
    journal_close(f->j);
    /* Whatever a test did, the journal is sound after it. */
    if (journal_check(f->dir, &report, &e) != 0)
        fail_msg("%s%s", report ? report : "", e.text);
    free(report);
    scratch_remove(f->dir);
    free(f);
    return 0;
}

static struct journal_view *view(struct fixture *f)
{
    struct error e = {0};

    journal_view_end(f->v);
    assert_ok(journal_view_begin(f->j, &f->v, &e));
    return f->v;
}

static void reopen(struct fixture *f, enum journal_mode mode)
{
    struct error e = {0};

    journal_view_end(f->v);
    f->v = NULL;
    journal_close(f->j);
    f->j = NULL;
    assert_ok(journal_open(f->dir, mode, &f->j, &e));
}

static void records_come_back_after_reopening(void **state)
{
    struct fixture *f = *state;
    struct error e = {0};

    for (unsigned n = 0; n < 30; n++)
        assert_ok(world_put(f->j, n, 1, &e));
    assert_ok(world_put(f->j, 3, 2, &e));
    for (int mode = 0; mode < 2; mode++) {
        reopen(f, mode ? JOURNAL_WRITE : JOURNAL_READ);
        for (unsigned n = 0; n < 30; n++)
            assert_int_equal(world_look(view(f), n, n == 3 ? 2 : 1, &e), 1);
        assert_int_equal(world_look(view(f), 30, 1, &e), 0);
    }
}

static char *random_text(struct arena *a, uint64_t *seed, size_t most)
{
    size_t n = random_next(seed) % (most + 1);
    char *s = arena_alloc(a, n + 1);

    assert_non_null(s);
    for (size_t i = 0; i < n; i++)
        s[i] = (char)(1 + random_next(seed) % 255);
    return s;
}

static struct stage_record random_record(struct arena *a, uint64_t *seed)
{
    struct stage_record r = {.status = (enum record_status)(1 + random_next(seed) % 3),
                             .attempts = (uint32_t)random_next(seed),
                             .started_ns = random_next(seed),
                             .finished_ns = random_next(seed),
                             .seconds = (double)random_next(seed) / 3,
                             .peak_kib = random_next(seed),
                             .error = random_text(a, seed, 300),
                             .notes = random_text(a, seed, 3000),
                             .input_count = random_next(seed) % 40,
                             .artefact_count = random_next(seed) % 6};
    struct record_input *inputs = arena_array(a, r.input_count + 1, sizeof *inputs);
    struct record_artefact *artefacts = arena_array(a, r.artefact_count + 1, sizeof *artefacts);

    assert_non_null(inputs);
    assert_non_null(artefacts);
    for (size_t i = 0; i < sizeof r.key.bytes; i++)
        r.key.bytes[i] = (uint8_t)random_next(seed);
    for (size_t i = 0; i < r.input_count; i++)
        inputs[i] = (struct record_input){random_text(a, seed, 30), random_text(a, seed, 500)};
    for (size_t i = 0; i < r.artefact_count; i++) /* all kept as files */
        artefacts[i] = (struct record_artefact){random_text(a, seed, 30),
                                                arena_printf(a, "f/%s", random_text(a, seed, 90)),
                                                random_next(seed), random_next(seed), r.key};
    r.inputs = inputs;
    r.artefacts = artefacts;
    return r;
}

static void random_records_come_back(void **state)
{
    enum { MANY = 300 };
    struct fixture *f = *state;
    struct error e = {0};
    struct arena a = {0};
    uint64_t seed = random_seed();
    struct stage_record made[MANY], got;
    char *shots[MANY];

    for (int i = 0; i < MANY; i++) {
        made[i] = random_record(&a, &seed);
        shots[i] = arena_printf(&a, "%d%s", i, random_text(&a, &seed, 100));
        assert_ok(journal_put(f->j, shots[i], "decode", &made[i], NULL, 0, NULL, &e));
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(journal_get(view(f), shots[i], "decode", &got, &e), 1);
        assert_true(record_equal(&got, &made[i]));
    }
    arena_free(&a);
}

static void large_blobs_are_aligned_and_whole(void **state)
{
    struct fixture *f = *state;
    struct error e = {0};
    size_t size = (5 << 20) + 3, got;
    uint64_t seed = random_seed();
    uint8_t *bytes = malloc(size);
    struct stage_record r = {.status = RECORD_RUNNING, .attempts = 1, .error = "", .notes = ""};
    struct journal_blob blob = {"latents", bytes, size};
    const void *at;

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)random_next(&seed);
    assert_ok(journal_put(f->j, "a", "generate", &r, &blob, 1, NULL, &e));
    reopen(f, JOURNAL_WRITE);
    assert_int_equal(journal_get_blob(view(f), r.key, "latents", &at, &got, &e), 1);
    assert_int_equal(got, size);
    assert_memory_equal(at, bytes, size);
    assert_int_equal((uintptr_t)at % 64, 0);
    assert_int_equal(journal_get_blob(f->v, r.key, "other", &at, &got, &e), 0);
    for (size = 4096; size < 4200; size++) {
        blob.size = size;
        assert_ok(journal_put(f->j, "a", "generate", &r, &blob, 1, NULL, &e));
        assert_int_equal(journal_get_blob(view(f), r.key, "latents", &at, &got, &e), 1);
        assert_int_equal(got, size);
        assert_int_equal((uintptr_t)at % 64, 0);
    }
    blob.size = 0;
    assert_ok(journal_put(f->j, "a", "generate", &r, &blob, 1, NULL, &e));
    assert_int_equal(journal_get_blob(view(f), r.key, "latents", &at, &got, &e), 1);
    assert_int_equal(got, 0);
    free(bytes);
}

static void a_view_does_not_move(void **state)
{
    struct fixture *f = *state;
    struct error e = {0};
    const char *before, *after;

    assert_ok(journal_meta_put(f->j, "board", "one", &e));
    assert_int_equal(journal_meta_get(view(f), "board", &before, &e), 1);
    for (int i = 0; i < 50; i++)
        assert_ok(journal_meta_put(f->j, "board", "two", &e));
    assert_int_equal(journal_meta_get(f->v, "board", &after, &e), 1);
    assert_string_equal(before, "one");
    assert_string_equal(after, "one");
    assert_int_equal(journal_meta_get(view(f), "board", &after, &e), 1);
    assert_string_equal(after, "two");
    assert_int_equal(journal_meta_get(f->v, "none", &after, &e), 0);
}

static void put_attempt(struct fixture *f, uint8_t key, uint32_t number, enum record_status status,
                        uint64_t start, const char *error)
{
    struct error e = {0};
    struct stage_record r = {.key = {{key}},
                             .status = status,
                             .attempts = number,
                             .started_ns = start,
                             .finished_ns = start + 5,
                             .seconds = 5e-9,
                             .error = error,
                             .notes = ""};

    assert_ok(journal_put(f->j, "s", "generate", &r, NULL, 0, NULL, &e));
}

static void every_attempt_is_remembered(void **state)
{
    struct fixture *f = *state;
    struct error e = {0};
    const struct stage_attempt *a;
    size_t n;

    put_attempt(f, 9, 1, RECORD_RUNNING, 100, "");
    put_attempt(f, 9, 1, RECORD_FAILED, 100, "out of memory");
    put_attempt(f, 9, 2, RECORD_RUNNING, 200, ""); /* interrupted */
    put_attempt(f, 9, 3, RECORD_DONE, 300, "");
    put_attempt(f, 2, 1, RECORD_DONE, 400, ""); /* another key sorts first but started last */
    assert_ok(journal_attempts(view(f), "s", "generate", &a, &n, &e));
    assert_int_equal(n, 4);
    assert_int_equal(a[0].status, RECORD_FAILED);
    assert_string_equal(a[0].error, "out of memory");
    assert_int_equal(a[1].status, RECORD_INTERRUPTED);
    assert_int_equal(a[1].number, 2);
    assert_int_equal(a[2].status, RECORD_DONE);
    assert_int_equal(a[3].key.bytes[0], 2);
    assert_int_equal(a[3].started_ns, 400);
    assert_ok(journal_attempts(f->v, "s", "decode", &a, &n, &e));
    assert_int_equal(n, 0);
}

static void a_finished_record_forgets_its_checkpoint(void **state)
{
    struct fixture *f = *state;
    struct error e = {0};
    struct hash128 key = {{5}};
    const void *at;
    size_t size;

    put_attempt(f, 5, 1, RECORD_RUNNING, 1, "");
    assert_ok(journal_checkpoint_put(f->j, key, "step 1", 6, &e));
    assert_ok(journal_checkpoint_put(f->j, key, "step two", 8, &e));
    assert_int_equal(journal_checkpoint_get(view(f), key, &at, &size, &e), 1);
    assert_int_equal(size, 8);
    assert_memory_equal(at, "step two", 8);
    assert_ok(journal_sweep(f->j, NULL, NULL, &e));
    assert_int_equal(journal_checkpoint_get(view(f), key, &at, &size, &e), 1);
    put_attempt(f, 5, 1, RECORD_DONE, 1, "");
    assert_int_equal(journal_checkpoint_get(view(f), key, &at, &size, &e), 0);
}

static void a_digest_holds_while_the_file_does(void **state)
{
    struct fixture *f = *state;
    struct error e = {0};
    struct file_stat st = {10, 20, 30, 40}, other = st;
    struct hash128 d = {{1}}, got;

    assert_int_equal(journal_digest_get(view(f), "/clips/a.mov", &st, &got, &e), 0);
    assert_ok(journal_digest_put(f->j, "/clips/a.mov", &st, d, &e));
    assert_int_equal(journal_digest_get(view(f), "/clips/a.mov", &st, &got, &e), 1);
    assert_true(hash_equal(d, got));
    other.mtime_ns++;
    assert_int_equal(journal_digest_get(f->v, "/clips/a.mov", &other, &got, &e), 0);
    assert_int_equal(journal_digest_get(f->v, "/clips/b.mov", &st, &got, &e), 0);
}

struct seen {
    int metas, records, attempts, events, checkpoints, stop_after;
    char last_event[64];
};
static int see_meta(void *ctx, const char *name, const char *value)
{
    assert_string_equal(name, "name");
    assert_string_equal(value, "demo");
    return ((struct seen *)ctx)->metas++, 0;
}
static int see_record(void *ctx, const char *shot, const char *stage, const struct stage_record *r)
{
    struct seen *s = ctx;
    struct world_shot w;

    world_make(&w, (unsigned)s->records, 1); /* shots come in order */
    assert_string_equal(shot, w.id);
    assert_string_equal(stage, "generate");
    assert_true(record_equal(r, &w.record));
    world_free(&w);
    return ++s->records == s->stop_after;
}
static int see_attempt(void *ctx, const char *shot, const char *stage,
                       const struct stage_attempt *a)
{
    struct seen *s = ctx;
    char id[32];

    snprintf(id, sizeof id, "shot-%04d", s->attempts++);
    assert_string_equal(shot, id);
    assert_string_equal(stage, "generate");
    assert_int_equal(a->status, RECORD_DONE);
    return 0;
}
static int see_event(void *ctx, uint64_t time_ns, const char *kind, const char *shot,
                     const char *stage, const char *text)
{
    struct seen *s = ctx;

    (void)shot, (void)stage, (void)kind;
    assert_true(time_ns > 1000000000u * UINT64_C(1600000000));
    snprintf(s->last_event, sizeof s->last_event, "%s", text);
    return s->events++, 0;
}
static int see_checkpoint(void *ctx, struct hash128 key, size_t size)
{
    assert_int_equal(key.bytes[0], 77);
    assert_int_equal(size, 3);
    return ((struct seen *)ctx)->checkpoints++, 0;
}

static void a_walk_sees_everything_in_order(void **state)
{
    struct fixture *f = *state;
    struct error e = {0};
    struct seen seen = {0};
    struct journal_visitor visitor = {&seen,       see_meta,  see_record,
                                      see_attempt, see_event, see_checkpoint};

    for (unsigned n = 0; n < 20; n++)
        assert_ok(world_put(f->j, n, 1, &e));
    assert_ok(journal_meta_put(f->j, "name", "demo", &e));
    assert_ok(journal_checkpoint_put(f->j, (struct hash128){{77}}, "abc", 3, &e));
    reopen(f, JOURNAL_WRITE); /* events go on counting where they stopped */
    assert_ok(journal_event(f->j, "run", "", "", "the last one", &e));
    assert_ok(journal_walk(view(f), &visitor, &e));
    assert_int_equal(seen.metas, 1);
    assert_int_equal(seen.records, 20);
    assert_int_equal(seen.attempts, 20);
    assert_int_equal(seen.events, 21);
    assert_string_equal(seen.last_event, "the last one");
    assert_int_equal(seen.checkpoints, 1);
    seen = (struct seen){.stop_after = 3};
    assert_ok(journal_walk(f->v, &visitor, &e));
    assert_int_equal(seen.records, 3);
    assert_int_equal(seen.events, 0);
    assert_ok(journal_walk(f->v, &(struct journal_visitor){0}, &e));
}

static void note_drop(void *ctx, const char *path)
{
    char *all = ctx;

    strcat(strcat(all, path), ";");
}

static void a_sweep_drops_what_no_record_names(void **state)
{
    struct fixture *f = *state;
    struct error e = {0};
    struct world_shot old;
    char dropped[1000] = "";
    const void *at;
    size_t size;

    world_make(&old, 1, 1);
    assert_ok(world_put(f->j, 1, 1, &e));
    assert_ok(world_put(f->j, 2, 1, &e));
    assert_ok(world_put(f->j, 1, 2, &e)); /* replaces the first */
    assert_ok(journal_checkpoint_put(f->j, (struct hash128){{99}}, "abc", 3, &e));
    assert_int_equal(journal_get_blob(view(f), old.record.key, "latents", &at, &size, &e), 1);
    assert_ok(journal_sweep(f->j, note_drop, dropped, &e)); /* with a view open */
    assert_string_equal(dropped, ".auteur/artefacts/0001-v1.mkv;");
    assert_int_equal(journal_get_blob(view(f), old.record.key, "latents", &at, &size, &e), 0);
    assert_int_equal(journal_checkpoint_get(f->v, (struct hash128){{99}}, &at, &size, &e), 0);
    assert_int_equal(world_look(f->v, 1, 2, &e), 1);
    assert_int_equal(world_look(f->v, 2, 1, &e), 1);
    dropped[0] = '\0';
    assert_ok(journal_sweep(f->j, note_drop, dropped, &e));
    assert_string_equal(dropped, "");
    world_free(&old);
}

static void a_batch_is_there_when_it_ends(void **state)
{
    struct fixture *f = *state;
    struct error e = {0};
    char dropped[1000] = "";

    assert_ok(journal_batch_begin(f->j, &e));
    for (unsigned n = 0; n < 200; n++)
        assert_ok(world_put(f->j, n, 1, &e));
    assert_int_equal(world_look(view(f), 199, 1, &e), 0);
    /* A put that is refused leaves nothing of itself in the batch. */
    assert_int_equal(journal_meta_put(f->j, "", "x", &e), -1);
    assert_int_equal(e.code, ERROR_INTERNAL);
    error_clear(&e);
    assert_ok(journal_batch_end(f->j, &e));
    for (unsigned n = 0; n < 200; n++)
        assert_int_equal(world_look(view(f), n, 1, &e), 1);
    /* A sweep inside a batch counts what the batch holds. */
    assert_ok(journal_batch_begin(f->j, &e));
    assert_ok(world_put(f->j, 300, 1, &e));
    assert_ok(journal_sweep(f->j, note_drop, dropped, &e));
    assert_ok(journal_batch_end(f->j, &e));
    assert_string_equal(dropped, "");
    assert_int_equal(world_look(view(f), 300, 1, &e), 1);
}

static void names_beyond_the_limits_are_refused(void **state)
{
    struct fixture *f = *state;
    struct error e = {0};
    struct stage_record r = {.status = RECORD_DONE, .error = "", .notes = ""};
    char longer[300];

    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(journal_put(f->j, longer, "encode", &r, NULL, 0, NULL, &e), -1);
    assert_int_equal(journal_put(f->j, "", "encode", &r, NULL, 0, NULL, &e), -1);
    assert_int_equal(journal_put(f->j, "s", longer, &r, NULL, 0, NULL, &e), -1);
    assert_int_equal(journal_get(view(f), longer, "encode", &r, &e), -1);
    r.status = (enum record_status)9;
    assert_int_equal(journal_put(f->j, "s", "encode", &r, NULL, 0, NULL, &e), -1);
    assert_int_equal(e.code, ERROR_INTERNAL);
}

static void a_reader_writes_nothing(void **state)
{
    struct fixture *f = *state;
    struct error e = {0};

    reopen(f, JOURNAL_READ);
    assert_int_equal(journal_meta_put(f->j, "a", "b", &e), -1);
    assert_int_equal(journal_sweep(f->j, NULL, NULL, &e), -1);
    assert_int_equal(journal_batch_begin(f->j, &e), -1);
    assert_int_equal(e.code, ERROR_INTERNAL);
}

/* Replacing a checkpoint again and again must not make the file grow without end. */
static void replaced_checkpoints_reuse_their_room(void **state)
{
    struct fixture *f = *state;
    struct error e = {0};
    size_t size = 1 << 20;
    uint8_t *bytes = calloc(1, size + 200000);
    struct file_stat st;
    char path[300];

    assert_non_null(bytes);
    for (int i = 0; i < 60; i++)
        assert_ok(journal_checkpoint_put(f->j, (struct hash128){{1}}, bytes,
                                         size + (size_t)(i % 7) * 20000, &e));
    snprintf(path, sizeof path, "%s/data.mdb", f->dir);
    assert_ok(file_stat(path, &st, &e));
    assert_in_range(st.size, size, 16 * size); /* levels off at about nine */
    free(bytes);
}

/* What opening demands of LMDB's pages must hold for whatever LMDB makes of a life of puts,
 * replaced blobs of all sizes, batches and sweeps. */
static void a_sound_journal_is_never_refused(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = random_seed();
    size_t most = 300000;
    uint8_t *bytes = calloc(1, most);

    assert_non_null(bytes);
    for (int i = 0; i < 700; i++) {
        struct error e = {0};
        struct hash128 key = {{(uint8_t)(random_next(&seed) % 9)}};
        unsigned what = (unsigned)(random_next(&seed) % 20),
                 n = (unsigned)(random_next(&seed) % 90);
        char name[40], *report;

        if (what < 8)
            assert_ok(world_put(f->j, n, 1 + (unsigned)(random_next(&seed) % 4), &e));
        else if (what < 13)
            assert_ok(journal_checkpoint_put(f->j, key, bytes,
                                             random_next(&seed) % (what < 11 ? 5000 : most), &e));
        else if (what == 13)
            assert_ok(journal_sweep(f->j, NULL, NULL, &e));
        else if (what == 14) {
            snprintf(name, sizeof name, "name %u", n);
            bytes[random_next(&seed) % 9000] = 'x';
            assert_ok(journal_meta_put(f->j, name, (char *)bytes, &e));
        } else if (what == 15) {
            assert_ok(journal_batch_begin(f->j, &e));
            for (unsigned k = 0; k < 40; k++)
                assert_ok(world_put(f->j, (n + k) % 90, 5, &e));
            assert_ok(journal_batch_end(f->j, &e));
        } else if (what == 16)
            view(f); /* an old view held over what follows */
        else
            assert_ok(journal_event(f->j, "note", "", "", "something happened", &e));
        if (i % 20 == 0)
            reopen(f, JOURNAL_WRITE);
        if (i % 100 == 0) {
            reopen(f, JOURNAL_READ);
            journal_close(f->j);
            f->j = NULL;
            if (journal_check(f->dir, &report, &e) != 0)
                fail_msg("%s", report);
            free(report);
            assert_ok(journal_open(f->dir, JOURNAL_WRITE, &f->j, &e));
        }
    }
    free(bytes);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH(records_come_back_after_reopening),     WITH(random_records_come_back),
        WITH(large_blobs_are_aligned_and_whole),     WITH(a_view_does_not_move),
        WITH(every_attempt_is_remembered),           WITH(a_finished_record_forgets_its_checkpoint),
        WITH(a_digest_holds_while_the_file_does),    WITH(a_walk_sees_everything_in_order),
        WITH(a_sweep_drops_what_no_record_names),    WITH(a_batch_is_there_when_it_ends),
        WITH(names_beyond_the_limits_are_refused),   WITH(a_reader_writes_nothing),
        WITH(replaced_checkpoints_reuse_their_room), WITH(a_sound_journal_is_never_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
