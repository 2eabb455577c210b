#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "kernels/base/file.h"
#include "kernels/base/strbuf.h"
#include "pipeline/handoff/film.h"
#include "pipeline/progress/progress.h"
#include "stages/film/contact_sheet.h"
#include "stages/stage.h"

#define META "contact-sheet"

struct listing {
    const struct handoff *handoff;
    const struct production *production;
    struct arena arena;
    struct contact_shot *shots;
    size_t delivered;
    struct contact_sheet sheet;
    char key[HASH_HEX_SIZE];
};

/* What lies beside a film: its path with another ending in place of its own, or of all of its own.
 * NULL: there is none. */
static const char *beside(struct listing *l, const char *film, const char *ending)
{
    char *stem = path_join(&l->arena, l->production->dir, film);
    char *name = stem ? strrchr(stem, '/') + 1 : NULL, *dot, *path;

    while (name && (dot = strrchr(name, '.'))) {
        *dot = '\0';
        path = arena_printf(&l->arena, "%s%s", stem, ending);
        if (path && path_exists(path))
            return path;
    }
    return NULL;
}

/* What made a delivered film, which the command line may have put in place of the board's. */
static const char *tier_of(struct listing *l, const char *film, const char *otherwise)
{
    const char *path = beside(l, film, ".json"), *tier = NULL;
    json_t *about = path ? json_load_file(path, 0, NULL) : NULL;

    json_unpack(about, "{s:{s:{s:{s:s}}}}", "made", "generate", "notes", "tier", &tier);
    tier = tier ? arena_strdup(&l->arena, tier) : NULL;
    json_decref(about);
    return tier ? tier : otherwise;
}

/* What the last attempt at a shot says: the error of the first stage that failed; "" for none. */
static int failure_of(struct listing *l, struct journal_view *view, const char *id,
                      const char **out, struct error *e)
{
    *out = "";
    for (int i = 0; i < STAGES && !**out; i++) {
        struct stage_record r;
        int found = journal_get(view, id, stages_all[i]->name, &r, e);

        if (found < 0)
            return -1;
        if (found && r.status == RECORD_FAILED && r.error[0]) {
            const char *stage = stages_all[i]->name;

            *out = arena_printf(&l->arena, "%s: %s", stage, failure_text(r.error, stage));
            if (!*out)
                return error_memory(e);
        }
    }
    return 0;
}

static int list_shot(struct listing *l, struct journal_view *view, size_t i, struct error *e)
{
    const struct board *b = handoff_board(l->handoff);
    const struct medium *medium = handoff_timeline(l->handoff)->tracks[0].clips[i].medium;
    const struct shot *shot = &b->shots[i];
    struct contact_shot *c = &l->shots[i];
    const char *failure, *state;

    if (failure_of(l, view, shot->id, &failure, e) != 0)
        return -1;
    c->id = shot->id;
    c->alert = *failure;
    state = medium && *failure ? "delivered, a newer one failed"
            : medium           ? "delivered"
            : *failure         ? "failed"
                               : "not made yet";
    c->reason = medium ? "no poster" : *failure ? failure : "not made yet";
    c->poster = medium ? beside(l, medium->path, ".poster.png") : NULL;
    l->delivered += medium != NULL;
    c->about = arena_printf(&l->arena, "%.2f s \xC2\xB7 %s \xC2\xB7 %s",
                            frames_to_seconds(shot->frames - 2 * b->deliver.handles, b->fps),
                            medium ? tier_of(l, medium->path, shot->tier) : shot->tier, state);
    return c->about ? 0 : error_memory(e);
}

static int list(struct listing *l, struct journal *journal, struct error *e)
{
    const struct board *b = handoff_board(l->handoff);
    const struct timeline *t = handoff_timeline(l->handoff);
    struct journal_view *view;
    const char *about;
    int rc = 0;

    l->shots = arena_array(&l->arena, b->shot_count, sizeof *l->shots);
    if (!l->shots)
        return error_memory(e);
    if (journal_view_begin(journal, &view, e) != 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < b->shot_count; i++)
        rc = list_shot(l, view, i, e);
    journal_view_end(view);
    about = arena_printf(&l->arena,
                         "%zu of %zu shots delivered \xC2\xB7 %.1f s at %.5g frames a "
                         "second \xC2\xB7 %dx%d",
                         l->delivered, b->shot_count, frames_to_seconds(timeline_frames(t), b->fps),
                         (double)b->fps.num / b->fps.den, b->width, b->height);
    if (rc == 0 && !about)
        rc = error_memory(e);
    l->sheet = (struct contact_sheet){.title = b->name,
                                      .about = about,
                                      .width = b->width,
                                      .height = b->height,
                                      .shots = l->shots,
                                      .count = b->shot_count};
    return rc;
}

/* All that is seen; a poster is as the film that it lies beside. */
static int find_key(struct listing *l, struct error *e)
{
    const struct contact_sheet *s = &l->sheet;
    struct strbuf b = {0};
    char hex[HASH_HEX_SIZE];

    strbuf_addf(&b, "sheet %d\n%s\n%s\n", CONTACT_SHEET_VERSION, s->title, s->about);
    for (size_t i = 0; i < s->count; i++) {
        hash_hex(handoff_digest(l->handoff, i), hex);
        strbuf_addf(&b, "%s\n%s\n%s\n%s\n", s->shots[i].id, s->shots[i].about,
                    s->shots[i].poster ? s->shots[i].poster : s->shots[i].reason, hex);
    }
    if (b.failed) {
        strbuf_free(&b);
        return error_memory(e);
    }
    hash_hex(hash_bytes(b.text, b.length), l->key);
    strbuf_free(&b);
    return 0;
}

/* 1 when the sheet that stands says the same, else 0. */
static int stands(const struct listing *l, const char *path, struct journal *journal,
                  struct error *e)
{
    struct journal_view *view;
    const char *value;
    int found;

    if (journal_view_begin(journal, &view, e) != 0)
        return -1;
    found = journal_meta_get(view, META, &value, e);
    if (found > 0)
        found = strcmp(value, l->key) == 0 && path_exists(path);
    journal_view_end(view);
    return found;
}

static int draw(const struct listing *l, const char *path, struct error *e)
{
    const struct production *p = l->production;
    struct arena arena = {0};
    struct error ignored = {0};
    char *tmp = path_join(&arena, p->tmp, "contact-sheet.png");
    int rc = tmp ? dir_make(p->tmp, e) : error_memory(e);

    if (rc == 0)
        rc = contact_sheet_write(&l->sheet, tmp, e);
    if (rc == 0)
        rc = file_publish(tmp, path, e);
    path_remove(p->tmp, &ignored);
    arena_free(&arena);
    return rc;
}

int contact_sheet_update(const struct handoff *h, const struct production *p,
                         struct journal *journal, struct error *e)
{
    struct listing l = {.handoff = h, .production = p};
    const char *path = path_join(&l.arena, p->dir, "contact-sheet.png");
    int rc = path ? list(&l, journal, e) : error_memory(e);

    if (rc == 0 && l.sheet.count > CONTACT_SHEET_MOST)
        goto done; /* the review page has them all */
    if (rc == 0)
        rc = find_key(&l, e);
    if (rc == 0)
        rc = stands(&l, path, journal, e);
    if (rc == 0) {
        rc = draw(&l, path, e);
        if (rc == 0)
            rc = journal_meta_put(journal, META, l.key, e);
    }
done:
    arena_free(&l.arena);
    return rc < 0 ? -1 : 0;
}
