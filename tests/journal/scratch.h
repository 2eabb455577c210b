/* What the journal's tests share: a scratch folder, a seeded random source, and a made-up world of
 * shots whose every record can be predicted. */
#ifndef AUTEUR_TESTS_JOURNAL_SCRATCH_H
#define AUTEUR_TESTS_JOURNAL_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal/journal.h"

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        if ((call) != 0) {                                                                         \
            print_error("%s: %s\n", #call, e.text);                                                \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

static inline uint64_t random_next(uint64_t *state) /* splitmix64 */
{
    uint64_t x = (*state += 0x9E3779B97F4A7C15u);

    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static inline uint64_t random_seed(void)
{
    const char *given = getenv("AUTEUR_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 1000003u;

    print_message("AUTEUR_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* A fresh folder's path, static; removed by scratch_remove(). */
static inline const char *scratch_make(void)
{
    static char path[256];
    const char *base = getenv("TMPDIR");

    snprintf(path, sizeof path, "%s/auteur-journal.XXXXXX", base && base[0] ? base : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

static inline void scratch_remove(const char *path)
{
    struct error e = {0};

    assert_ok(path_remove(path, &e));
}

/* The world: shot N at version V has one record of stage "generate" with two inputs, a file and two
 * blobs, all made from N and V alone. */
struct world_shot {
    char id[32], path[64], prompt[400];
    struct record_input inputs[2];
    struct record_artefact artefacts[3];
    struct journal_blob blobs[2];
    uint8_t small[40];
    uint8_t *large;
    struct stage_record record;
};

enum { WORLD_LARGE = 9000 };

static inline void world_make(struct world_shot *w, unsigned n, unsigned version)
{
    uint64_t state = n * 1000u + version;

    *w = (struct world_shot){0};
    w->large = malloc(WORLD_LARGE);
    assert_non_null(w->large);
    for (size_t i = 0; i < sizeof w->small; i++)
        w->small[i] = (uint8_t)random_next(&state);
    for (size_t i = 0; i < WORLD_LARGE; i++)
        w->large[i] = (uint8_t)random_next(&state);
    snprintf(w->id, sizeof w->id, "shot-%04u", n);
    snprintf(w->path, sizeof w->path, ".auteur/artefacts/%04u-v%u.mkv", n, version);
    memset(w->prompt, 'a' + (int)(n % 26), sizeof w->prompt - 1);
    w->inputs[0] = (struct record_input){"prompt", w->prompt};
    w->inputs[1] = (struct record_input){"seed", w->id};
    w->blobs[0] = (struct journal_blob){"small", w->small, sizeof w->small};
    w->blobs[1] = (struct journal_blob){"latents", w->large, WORLD_LARGE};
    w->artefacts[0] = (struct record_artefact){"small", "", sizeof w->small, 0,
                                               hash_bytes(w->small, sizeof w->small)};
    w->artefacts[1] =
        (struct record_artefact){"latents", "", WORLD_LARGE, 0, hash_bytes(w->large, WORLD_LARGE)};
    w->artefacts[2] = (struct record_artefact){"master.mkv", w->path, 1000 + n, 77, {{1, 2, 3}}};
    w->record = (struct stage_record){.key = hash_bytes(w->path, strlen(w->path)),
                                      .status = RECORD_DONE,
                                      .attempts = 1,
                                      .started_ns = 1000000u * n,
                                      .finished_ns = 1000000u * n + 500,
                                      .seconds = 0.25 * n,
                                      .peak_kib = 4096,
                                      .error = "",
                                      .notes = "{\"steps\":8}",
                                      .inputs = w->inputs,
                                      .input_count = 2,
                                      .artefacts = w->artefacts,
                                      .artefact_count = 3};
}

static inline void world_free(struct world_shot *w)
{
    free(w->large);
}

static inline int world_put(struct journal *j, unsigned n, unsigned version, struct error *e)
{
    struct world_shot w;
    int rc;

    world_make(&w, n, version);
    rc = journal_put(j, w.id, "generate", &w.record, w.blobs, 2, "made", e);
    world_free(&w);
    return rc;
}

static inline bool record_equal(const struct stage_record *a, const struct stage_record *b)
{
    bool same = hash_equal(a->key, b->key) && a->status == b->status &&
                a->attempts == b->attempts && a->started_ns == b->started_ns &&
                a->finished_ns == b->finished_ns && a->seconds == b->seconds &&
                a->peak_kib == b->peak_kib && strcmp(a->error, b->error) == 0 &&
                strcmp(a->notes, b->notes) == 0 && a->input_count == b->input_count &&
                a->artefact_count == b->artefact_count;

    for (size_t i = 0; same && i < a->input_count; i++)
        same = strcmp(a->inputs[i].name, b->inputs[i].name) == 0 &&
               strcmp(a->inputs[i].value, b->inputs[i].value) == 0;
    for (size_t i = 0; same && i < a->artefact_count; i++) {
        const struct record_artefact *x = &a->artefacts[i], *y = &b->artefacts[i];

        same = strcmp(x->name, y->name) == 0 && strcmp(x->path, y->path) == 0 &&
               x->size == y->size && x->mtime_ns == y->mtime_ns && hash_equal(x->digest, y->digest);
    }
    return same;
}

/* What the journal says of shot n at that version: 1 exactly right (record, key and both blobs), 0
 * there is no such record, -1 an error, and -2 something that is not true. */
static inline int world_look(struct journal_view *v, unsigned n, unsigned version, struct error *e)
{
    struct world_shot w;
    struct stage_record r;
    struct hash128 key;
    enum record_status status;
    const void *bytes;
    size_t size;
    int rc, key_rc;

    world_make(&w, n, version);
    rc = journal_get(v, w.id, "generate", &r, e);
    key_rc = rc < 0 ? -1 : journal_get_key(v, w.id, "generate", &key, &status, e);
    if (key_rc < 0)
        rc = -1;
    else if (rc != key_rc)
        rc = -2;
    else if (rc == 1 && (!record_equal(&r, &w.record) || !hash_equal(key, w.record.key) ||
                         status != RECORD_DONE))
        rc = -2;
    for (int i = 0; rc == 1 && i < 2; i++) {
        rc = journal_get_blob(v, w.record.key, w.blobs[i].name, &bytes, &size, e);
        if (rc == 0 ||
            (rc == 1 && (size != w.blobs[i].size || memcmp(bytes, w.blobs[i].bytes, size) != 0)))
            rc = -2;
    }
    world_free(&w);
    return rc;
}

#endif
