#include "pipeline/review/review.h"

#include <stdio.h>
#include <string.h>

#include "pipeline/execute/standing.h"
#include "pipeline/progress/progress.h"
#include "pipeline/review/notes.h"

/* The worst that a stage says is what the shot is; of several such the first stage is named. */
static int look_at_stages(struct review *r, struct review_shot *s, const struct workspace *w,
                          const struct plan *plan, struct journal_view *view, struct error *e)
{
    static const char *const states[STANDINGS] = {[STANDING_LEFT] = "waiting",
                                                  [STANDING_DONE] = "delivered",
                                                  [STANDING_FAILED] = "failed",
                                                  [STANDING_RUNNING] = "running",
                                                  [STANDING_INTERRUPTED] = "interrupted"};
    static const int rank[STANDINGS] = {[STANDING_LEFT] = 1,
                                        [STANDING_INTERRUPTED] = 2,
                                        [STANDING_FAILED] = 3,
                                        [STANDING_RUNNING] = 4};
    size_t shot = (size_t)(s - r->shots);
    enum standing worst = STANDING_DONE;

    for (int i = 0; i < STAGES; i++) {
        const struct plan_job *j = plan_job(plan, shot, i);
        const char *error;
        struct stage_record record;
        enum standing state;
        int found;

        if (j->verdict == VERDICT_SKIP)
            continue;
        found = journal_get(view, s->shot->id, w->setup.stages[i]->name, &record, e);
        if (found < 0)
            return -1;
        state = standing_of(j, found ? &record : NULL, r->live);
        if (rank[state] <= rank[worst])
            continue;
        worst = state;
        s->stage = state == STANDING_LEFT ? "" : w->setup.stages[i]->name;
        s->key = found ? record.key : j->key;
        error =
            state == STANDING_FAILED ? standing_error(plan, shot, i, found ? &record : NULL) : "";
        s->error = arena_strdup(&r->arena, failure_text(error, w->setup.stages[i]->name));
        if (!s->error)
            return error_memory(e);
    }
    s->state = states[worst];
    return 0;
}

static int recall_words(struct review_shot *s, struct journal_view *view, struct error *e)
{
    json_t *verdicts = NULL;
    int rc = -1;

    if (notes_of_shot(view, s->shot->id, &s->notes, e) != 0 ||
        notes_verdicts(view, s->shot->id, &verdicts, e) != 0)
        goto done;
    for (size_t i = 0; i < s->version_count; i++)
        s->versions[i].verdict = notes_verdict_of(verdicts, s->versions[i].number);
    rc = 0;
done:
    json_decref(verdicts);
    return rc;
}

static int gather_shot(struct review *r, size_t i, const struct workspace *w,
                       const struct plan *plan, struct journal_view *view, struct error *e)
{
    struct review_shot *s = &r->shots[i];

    s->shot = &r->board->shots[i];
    s->stage = s->error = "";
    if (look_at_stages(r, s, w, plan, view, e) != 0 || review_versions(r, s, e) != 0)
        return -1;
    return recall_words(s, view, e);
}

static int lay_out(struct review *r, struct error *e)
{
    struct film_place *places = arena_array(&r->arena, r->count, sizeof *places);

    r->shots = arena_array(&r->arena, r->count, sizeof *r->shots);
    if (!places || !r->shots)
        return error_memory(e);
    film_lay_out(r->board, places);
    for (size_t i = 0; i < r->count; i++)
        r->shots[i].place = places[i];
    return 0;
}

int review_gather(struct review *out, const struct workspace *w, const struct plan *plan, bool live,
                  struct error *e)
{
    struct journal_view *view;
    int rc = 0;

    *out = (struct review){.board = &w->board,
                           .production = &w->production,
                           .live = live,
                           .count = w->board.shot_count};
    if (lay_out(out, e) != 0) {
        out->count = 0;
        return -1;
    }
    if (journal_view_begin(w->journal, &view, e) != 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < out->count; i++)
        rc = gather_shot(out, i, w, plan, view, e);
    journal_view_end(view);
    return rc;
}

void review_free(struct review *r)
{
    for (size_t i = 0; i < r->count; i++) {
        json_decref(r->shots[i].notes);
        for (size_t k = 0; k < r->shots[i].version_count; k++)
            json_decref(r->shots[i].versions[k].sheet);
    }
    arena_free(&r->arena);
    *r = (struct review){0};
}
