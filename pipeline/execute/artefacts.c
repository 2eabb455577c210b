#include "pipeline/execute/artefacts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"

/* Fills *out from the record, and *digest for a file; the blob's bytes point into the view. 1, 0 or
 * -1. */
static int find(struct journal_view *view, const char *shot, const char *stage, struct hash128 key,
                const char *name, struct artefact *out, struct hash128 *digest, struct error *e)
{
    struct stage_record r;
    int found = journal_get(view, shot, stage, &r, e);

    if (found <= 0 || r.status != RECORD_DONE || !hash_equal(r.key, key))
        return found < 0 ? -1 : 0;
    for (size_t i = 0; i < r.artefact_count; i++) {
        if (strcmp(r.artefacts[i].name, name) != 0)
            continue;
        *out = (struct artefact){.size = (size_t)r.artefacts[i].size};
        snprintf(out->name, sizeof out->name, "%s", name);
        if (r.artefacts[i].path[0]) {
            out->path = r.artefacts[i].path;
            *digest = r.artefacts[i].digest;
            return 1;
        }
        return journal_get_blob(view, key, name, &out->bytes, &out->size, e);
    }
    return 0;
}

/* Some seven gigabytes a second are hashed: little beside decoding the pictures in them. */
static int check_file(const char *path, struct hash128 made, struct error *e)
{
    struct hash128 found;

    if (hash_file(path, &found, e) != 0)
        return -1;
    if (hash_equal(found, made))
        return 1;
    unlink(path);
    return error_set(e, ERROR_MEDIA,
                     "%s no longer holds what was made: it is removed, and the next run makes it "
                     "again",
                     path);
}

int artefact_load(struct journal *journal, const struct production *production,
                  const struct plan_setup *setup, const struct plan *plan, size_t shot,
                  enum stage_id stage, const char *name, struct arena *arena,
                  const struct artefact **out, struct error *e)
{
    struct journal_view *view;
    struct artefact *a = arena_alloc(arena, sizeof *a);
    struct hash128 digest;
    void *copy = NULL;
    int found;

    *out = NULL;
    if (!a)
        return error_memory(e);
    if (journal_view_begin(journal, &view, e) != 0)
        return -1;
    found = find(view, setup->env->board->shots[shot].id, setup->stages[stage]->name,
                 plan_job(plan, shot, stage)->key, name, a, &digest, e);
    /* A view must not outlive a stage that saves checkpoints: its pages could not be used again
     * and the map would grow. So bytes are copied. */
    if (found > 0 && a->path) {
        a->path = path_join(arena, production->dir, a->path);
        if (!a->path)
            found = error_memory(e);
    } else if (found > 0) {
        copy = arena_alloc(arena, a->size ? a->size : 1);
        if (copy)
            a->bytes = memcpy(copy, a->bytes, a->size);
        else
            found = error_memory(e);
    }
    journal_view_end(view);
    if (found > 0 && a->path)
        found = check_file(a->path, digest, e);
    if (found > 0)
        *out = a;
    return found < 0 ? -1 : 0;
}

int artefact_check(const struct artefact *list, size_t count, const struct artefact *fresh,
                   struct error *e)
{
    if (!fresh->name[0] || strchr(fresh->name, '/') ||
        !memchr(fresh->name, '\0', sizeof fresh->name) || !fresh->bytes == !fresh->path)
        return error_set(e, ERROR_INTERNAL, "an artefact without a proper name or content");
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, fresh->name) == 0)
            return error_set(e, ERROR_INTERNAL, "the artefact %s was made twice", fresh->name);
    if (count == MOST_ARTEFACTS)
        return error_set(e, ERROR_INTERNAL, "a stage makes more than %d artefacts", MOST_ARTEFACTS);
    return 0;
}

int artefact_describe(const struct artefact *a, const struct shot *shot, struct hash128 key,
                      struct arena *arena, struct record_artefact *out, struct error *e)
{
    char hex[HASH_HEX_SIZE];
    struct file_stat st;

    *out = (struct record_artefact){.name = a->name, .path = "", .size = a->size};
    if (a->bytes) {
        out->digest = hash_bytes(a->bytes, a->size);
        return 0;
    }
    hash_hex(key, hex);
    if (!a->delivered)
        out->path = arena_printf(arena, ".auteur/artefacts/%s.%s.%s", hex, shot->id, a->name);
    if (!out->path)
        return error_memory(e);
    if (hash_path(a->path, &out->digest, e) != 0 || file_stat(a->path, &st, e) != 0)
        return -1;
    out->size = st.size;
    out->mtime_ns = st.mtime_ns;
    return 0;
}

/* What stands under a version's name is of that version (versions_number()), so nothing is written
 * over. */
static int describe_standing(const char *path, struct record_artefact *out, struct error *e)
{
    struct file_stat st;

    if (hash_path(path, &out->digest, e) != 0 || file_stat(path, &st, e) != 0)
        return -1;
    out->size = st.size;
    out->mtime_ns = st.mtime_ns;
    return 0;
}

int artefact_publish(const struct production *production, const struct artefact *a,
                     struct record_artefact *described, struct arena *arena, struct error *e)
{
    char *to, *slash;
    int rc;

    if (a->bytes)
        return 0;
    to = path_join(arena, production->dir, described->path);
    if (!to)
        return error_memory(e);
    if (a->delivered && path_exists(to))
        return describe_standing(to, described, e);
    slash = strrchr(to, '/');
    *slash = '\0';
    rc = dir_make(to, e);
    *slash = '/';
    return rc == 0 ? file_publish(a->path, to, e) : -1;
}
