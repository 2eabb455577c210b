#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "pipeline/commands/command.h"
#include "pipeline/execute/job.h"
#include "pipeline/execute/monitor_file.h"
#include "pipeline/execute/standing.h"
#include "pipeline/execute/workspace.h"
#include "pipeline/exit_code.h"
#include "pipeline/progress/progress.h"
#include "pipeline/progress/show.h"
#include "pipeline/progress/spark.h"

/* One stage over all shots. */
struct stage_status {
    size_t done, failed, running, left;
    double seconds;
    uint64_t peak_kib;
};

struct status {
    struct workspace *w;
    struct stage_status stages[STAGES];
    size_t shots, delivered, failed, not_compared;
    const char *only; /* what the last run was for; "": every shot */
    bool live;        /* a run goes on */
    char who[JOURNAL_WHO_SIZE];
    size_t orphans;                 /* delivered files of shots that the board has no longer */
    struct monitor_history machine; /* count 0: no run was watched */
    json_t *json;                   /* of the shots; NULL: for people */
};

static void count(struct stage_status *at, enum standing state, const struct stage_record *r)
{
    if (state == STANDING_DONE)
        at->done++;
    else if (state == STANDING_FAILED)
        at->failed++;
    else if (state == STANDING_RUNNING)
        at->running++;
    else
        at->left++;
    if (r && state == STANDING_DONE) {
        at->seconds += r->seconds;
        if (at->peak_kib < r->peak_kib)
            at->peak_kib = r->peak_kib;
    }
}

/* Whether the shot is told as it was last made: it was not compared with its models, and has no
 * failure of its own to tell. */
static bool told_as_made(const struct plan *plan, size_t shot)
{
    bool uncompared = false;

    for (int i = 0; i < STAGES; i++) {
        if (plan_job(plan, shot, i)->reason == REASON_FAILED)
            return false;
        uncompared |= plan_job(plan, shot, i)->uncompared;
    }
    return uncompared;
}

static json_t *stage_json(const char *state, const struct stage_record *r, const char *error)
{
    return json_pack("{ss si sf sI ss}", "state", state, "attempts", r ? (int)r->attempts : 0,
                     "seconds", r ? r->seconds : 0.0, "peak_kib", (json_int_t)(r ? r->peak_kib : 0),
                     "error", error);
}

static int look_at_shot(struct status *s, struct journal_view *view, size_t shot, struct error *e)
{
    const struct workspace *w = s->w;
    const char *id = w->board.shots[shot].id, *why = "";
    json_t *stages = s->json ? json_object() : NULL;
    bool wanted = false, done = true, failed = false;

    for (int i = 0; i < STAGES; i++) {
        const struct plan_job *j = plan_job(&w->plan, shot, i);
        struct stage_record r;
        enum standing state;
        const char *error;
        int found;

        if (j->verdict == VERDICT_SKIP)
            continue;
        found = journal_get(view, id, w->setup.stages[i]->name, &r, e);
        if (found < 0) {
            json_decref(stages);
            return -1;
        }
        state = standing_of(j, found ? &r : NULL, s->live);
        error =
            state == STANDING_FAILED ? standing_error(&w->plan, shot, i, found ? &r : NULL) : "";
        wanted = true;
        done &= state == STANDING_DONE;
        failed |= state == STANDING_FAILED;
        count(&s->stages[i], state, found ? &r : NULL);
        if (stages)
            json_object_set_new(stages, w->setup.stages[i]->name,
                                stage_json(standing_name(state), found ? &r : NULL, error));
        else if (error[0])
            printf("FAILED %s %s: %s\n", id, w->setup.stages[i]->name,
                   failure_text(error, w->setup.stages[i]->name));
    }
    s->shots += wanted;
    s->delivered += wanted && done;
    s->failed += failed;
    if (told_as_made(&w->plan, shot))
        why = plan_uncompared(&w->plan, shot);
    s->not_compared += why[0] != '\0';
    if (stages)
        json_array_append_new(s->json,
                              json_pack("{ss sb ss so}", "id", id, "delivered", wanted && done,
                                        "not_compared", why, "stages", stages));
    return 0;
}

static bool is_on_board(const struct board *b, const char *shot)
{
    for (size_t i = 0; i < b->shot_count; i++)
        if (strcmp(b->shots[i].id, shot) == 0)
            return true;
    return false;
}

static int count_orphans(void *ctx, const char *shot, const char *stage,
                         const struct stage_record *r)
{
    struct status *s = ctx;
    struct arena a = {0};

    (void)stage;
    for (size_t i = 0; i < r->artefact_count; i++) {
        const char *path;

        if (strncmp(r->artefacts[i].path, "shots/", 6) != 0)
            continue;
        if (is_on_board(&s->w->board, shot))
            break;
        path = path_join(&a, s->w->production.dir, r->artefacts[i].path);
        s->orphans += path && path_exists(path);
    }
    arena_free(&a);
    return 0;
}

static bool is_told_so(const struct plan *plan, const struct plan_problem *p, const char *why)
{
    return strcmp(p->text, why) == 0 && told_as_made(plan, p->shot);
}

/* A line for each folder that is away, however many shots want it. */
static void print_not_compared(const struct workspace *w)
{
    const struct plan *plan = &w->plan;
    const struct plan_problem *p = plan->problems;

    for (size_t i = 0; i < plan->problem_count; i++) {
        size_t first = 0, n = 0;

        if (!told_as_made(plan, p[i].shot))
            continue;
        while (!is_told_so(plan, &p[first], p[i].text))
            first++;
        if (first < i)
            continue;
        for (size_t k = i; k < plan->problem_count; k++)
            n += is_told_so(plan, &p[k], p[i].text);
        printf("%zu %s told as last made, not compared with %s: %s\n", n, n == 1 ? "shot" : "shots",
               n == 1 ? "its model" : "their models",
               failure_text(p[i].text, w->setup.stages[p[i].stage]->name));
    }
}

static void print_people(const struct status *s)
{
    const struct workspace *w = s->w;

    printf("%s (%s)\n", w->production.dir, w->board.name);
    printf("  %-10s %8s %8s %8s %10s %10s\n", "stage", "done", "left", "failed", "time", "peak");
    for (int i = 0; i < STAGES; i++) {
        const struct stage_status *at = &s->stages[i];
        char time[24];

        if (at->done + at->failed + at->running + at->left == 0)
            continue;
        duration_text(at->seconds, time);
        printf("  %-10s %8zu %8zu %8zu %10s %6" PRIu64 " MiB%s\n", w->setup.stages[i]->name,
               at->done, at->left + at->running, at->failed, time, at->peak_kib / 1024,
               at->running ? "  running" : "");
    }
    printf("%zu of %zu %s delivered", s->delivered, s->shots, s->shots == 1 ? "shot" : "shots");
    if (s->failed)
        printf(", %zu failed", s->failed);
    printf(s->live ? "; a run goes on: %s\n" : "\n", s->who);
    print_not_compared(w);
    if (s->only[0])
        printf("the last run was for --only '%s'\n", s->only);
    if (s->orphans)
        printf("%zu delivered %s of shots that are no longer in the board: nothing here removes "
               "them\n",
               s->orphans, s->orphans == 1 ? "file" : "files");
    spark_history(stdout, &s->machine, (double)clock_unix_ns() / 1e9, spark_locale_is_utf8());
}

static int print_json(struct status *s, struct error *e)
{
    const struct workspace *w = s->w;
    json_t *stages = json_object(), *root;

    for (int i = 0; i < STAGES; i++) {
        const struct stage_status *at = &s->stages[i];

        json_object_set_new(stages, w->setup.stages[i]->name,
                            json_pack("{sI sI sI sI sf sI}", "done", (json_int_t)at->done, "left",
                                      (json_int_t)at->left, "running", (json_int_t)at->running,
                                      "failed", (json_int_t)at->failed, "seconds", at->seconds,
                                      "peak_kib", (json_int_t)at->peak_kib));
    }
    root = json_pack("{ss ss ss sb ss sI sI sI sI sI so sO}", "dir", w->production.dir, "board",
                     w->board.name, "only", s->only, "live", s->live, "writer", s->who, "shots",
                     (json_int_t)s->shots, "delivered", (json_int_t)s->delivered, "failed",
                     (json_int_t)s->failed, "not_compared", (json_int_t)s->not_compared, "orphans",
                     (json_int_t)s->orphans, "stages", stages, "list", s->json);
    if (root && s->machine.count)
        json_object_set_new(root, "machine", monitor_history_json(&s->machine));
    return command_json(root, e);
}

/* What a run watched is beside the point: where it cannot be read, the rest is told all the same.
 */
static void recall_machine(struct status *s)
{
    struct error e = {0};

    if (monitor_recall(s->w->production.monitor, &s->machine, &e) < 0)
        fprintf(stderr, "auteur-pipe: %s\n", e.text);
}

/* One look. *live: whether a run goes on. The board is the copy that was last run: status tells
 * how that run stands, not what an edit since then would mean. Every shot of it is told of, also
 * where that run was for some alone. */
static int look(const struct options *o, bool *live, bool *good)
{
    struct workspace w = {0};
    struct status s = {.w = &w};
    struct journal_view *view = NULL;
    struct request r;
    struct error e = {0};
    int rc = -1;

    if (production_find(&w.production, o->operand_count ? o->operands[0] : "", &e) != 0)
        goto done;
    s.live = journal_writer(w.production.journal, s.who) == 1;
    if (workspace_journal(&w, JOURNAL_READ, &e) != 0 || workspace_recall(&w, &r, &e) != 0)
        goto done;
    s.only = r.only;
    r.only = "";
    if (workspace_board_copy(&w, &r, &e) != 0 || workspace_plan(&w, &r, &e) != 0 ||
        journal_view_begin(w.journal, &view, &e) != 0)
        goto done;
    recall_machine(&s);
    s.json = o->json ? json_array() : NULL;
    rc = 0;
    for (size_t i = 0; i < w.plan.shots && rc == 0; i++)
        rc = look_at_shot(&s, view, i, &e);
    if (rc == 0)
        rc = journal_walk(view, &(struct journal_visitor){.ctx = &s, .record = count_orphans}, &e);
    if (rc == 0 && o->json)
        rc = print_json(&s, &e);
    else if (rc == 0)
        print_people(&s);
    *live = s.live;
    *good = s.failed == 0;
done:
    json_decref(s.json);
    if (view)
        journal_view_end(view);
    workspace_close(&w);
    return rc == 0 ? EXIT_DELIVERED : command_failed(&e);
}

int command_status(const struct options *o)
{
    bool live = false, good = true;
    int status;

    for (;;) {
        if (o->watch && !o->json && show_can_redraw(stdout))
            fputs("\033[H\033[J", stdout);
        status = look(o, &live, &good);
        fflush(stdout);
        if (status != EXIT_DELIVERED || !o->watch || !live)
            break;
        sleep(2);
    }
    return status == EXIT_DELIVERED && !good ? EXIT_SHOTS : status;
}
