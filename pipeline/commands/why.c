#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/commands/command.h"
#include "pipeline/execute/executor.h"
#include "pipeline/execute/workspace.h"
#include "pipeline/exit_code.h"
#include "pipeline/progress/progress.h"

/* A value on one line, cut where it becomes a paragraph. */
static void print_value(const char *value)
{
    int n = 0;

    if (!value) {
        fputs("nothing", stdout);
        return;
    }
    putchar('"');
    for (const char *p = value; *p; p++) {
        /* Cut between characters, not within one. */
        if (n >= 60 && ((unsigned char)*p & 0xc0) != 0x80) {
            fputs("...", stdout);
            break;
        }
        putchar((unsigned char)*p < ' ' ? ' ' : *p);
        n++;
    }
    putchar('"');
}

static int explain(struct workspace *w, struct journal_view *view, size_t shot, int stage,
                   struct error *e)
{
    const struct plan_job *j = plan_job(&w->plan, shot, stage);
    struct arena arena = {0};
    const char *name = w->setup.stages[stage]->name;
    struct plan_change *changes;
    struct stage_record r;
    size_t count;
    int rc, failed = 0;

    rc = plan_changes(&w->plan, &w->setup, view, shot, (enum stage_id)stage, &arena, &changes,
                      &count, e);
    if (rc == 0 && j->reason == REASON_FAILED)
        failed = journal_get(view, w->board.shots[shot].id, name, &r, e);
    if (failed < 0)
        rc = -1;
    if (rc == 0)
        printf("  %-9s  %s%s%s\n", name, reason_text((enum reason)j->reason), failed ? ": " : "",
               failed ? failure_text(r.error, name) : "");
    if (j->reason == REASON_NEVER)
        count = 0; /* every input "was nothing": that is no news */
    for (size_t i = 0; rc == 0 && i < count; i++) {
        bool is_stage = false;

        for (int k = 0; k < STAGES; k++) {
            size_t n = strlen(w->setup.stages[k]->name);

            is_stage |= strncmp(changes[i].name, w->setup.stages[k]->name, n) == 0 &&
                        (changes[i].name[n] == '\0' || changes[i].name[n] == '.');
        }
        if (is_stage) { /* a key in hex tells nobody anything */
            printf("               %s changed\n", changes[i].name);
            continue;
        }
        printf("               %s: was ", changes[i].name);
        print_value(changes[i].was);
        printf(", is ");
        print_value(changes[i].now);
        printf("\n");
    }
    arena_free(&arena);
    return rc;
}

/* What the stale stages of a shot would take, from its own earlier record or from its like. */
struct estimate {
    double seconds;
    bool unknown; /* some of it was never measured */
    bool open;    /* some of it may turn out not to be needed */
};

static void add_cost_of_shot(struct workspace *w, struct cost_table *costs,
                             struct journal_view *view, size_t shot, struct estimate *sum)
{
    const struct shot *about = &w->board.shots[shot];
    int tier = cost_tier(costs, cost_tier_name(&w->env, about));

    for (int i = 0; i < STAGES; i++) {
        const struct plan_job *j = plan_job(&w->plan, shot, i);
        struct error ignored = {0};
        struct stage_record r;
        double seconds;

        if (j->verdict != VERDICT_RUN)
            continue;
        if (journal_get(view, about->id, w->setup.stages[i]->name, &r, &ignored) == 1 &&
            r.status == RECORD_DONE)
            seconds = r.seconds;
        else
            seconds = cost_of(costs, (enum stage_id)i, tier, about->frames);
        if (isnan(seconds))
            sum->unknown = true;
        else
            sum->seconds += seconds;
        sum->open |= j->reason == REASON_OPEN;
    }
}

static void print_cost(const char *what, const struct estimate *cost)
{
    char text[24];

    duration_text(cost->seconds, text);
    if (!cost->unknown)
        printf("%s %sabout %s of work\n", what, cost->open ? "at most " : "", text);
    else if (cost->seconds > 0 && !cost->open)
        printf("%s at least %s of work; some of it was never measured\n", what, text);
    else
        printf("%s not known: %s\n", what,
               cost->open ? "some of it was never measured, and some may not be needed"
                          : "nothing like it was measured here yet");
}

static bool is_stale(const struct plan *plan, size_t shot)
{
    for (int i = 0; i < STAGES; i++)
        if (plan_job(plan, shot, i)->verdict == VERDICT_RUN ||
            plan_job(plan, shot, i)->verdict == VERDICT_BROKEN)
            return true;
    return false;
}

/* A model's folder is away: which files of the last make are not there. */
static void tell_as_made(const struct workspace *w, size_t shot, const char *why)
{
    bool whole = true;

    printf("  not compared: %s\n", why);
    for (int i = 0; i < STAGES; i++) {
        const struct plan_job *j = plan_job(&w->plan, shot, i);

        if (j->verdict == VERDICT_SKIP || j->reason == REASON_NONE)
            continue;
        printf("  %-9s  %s\n", w->setup.stages[i]->name, reason_text((enum reason)j->reason));
        whole = false;
    }
    if (whole)
        printf("  all that was made of it is there\n");
}

static int cannot_be_made(struct workspace *w, struct journal_view *view, size_t shot,
                          const char *reason, struct error *e)
{
    bool made = false;

    for (int i = 0; i < STAGES; i++) {
        struct stage_record r;
        int found = journal_get(view, w->board.shots[shot].id, w->setup.stages[i]->name, &r, e);

        if (found < 0)
            return -1;
        made |= found && r.status == RECORD_DONE;
    }
    if (made && plan_uncompared(&w->plan, shot))
        tell_as_made(w, shot, reason);
    else
        printf("  cannot be made: %s\n%s", reason, made ? "" : "  never made\n");
    return 0;
}

/* What is stale of a shot, and what that costs. */
static int why_shot(struct workspace *w, struct cost_table *costs, struct journal_view *view,
                    size_t shot, struct estimate *total, struct error *e)
{
    const char *id = w->board.shots[shot].id;
    struct estimate cost = {0};

    if (!is_stale(&w->plan, shot)) {
        printf("%s is up to date\n", id);
        return 0;
    }
    printf("%s\n", id);
    for (size_t i = 0; i < w->plan.problem_count; i++)
        if (w->plan.problems[i].shot == shot)
            return cannot_be_made(w, view, shot, w->plan.problems[i].text, e);
    for (int i = 0; i < STAGES; i++)
        if (plan_job(&w->plan, shot, i)->verdict == VERDICT_RUN &&
            explain(w, view, shot, i, e) != 0)
            return -1;
    add_cost_of_shot(w, costs, view, shot, &cost);
    print_cost("  cost:     ", &cost);
    total->seconds += cost.seconds;
    total->unknown |= cost.unknown;
    total->open |= cost.open;
    return 0;
}

static int why(struct workspace *w, const char *only, struct error *e)
{
    struct cost_table costs = {0};
    struct journal_view *view;
    size_t stale = 0, named = 0;
    struct estimate total = {0};
    int rc = 0;

    if (cost_recall(&costs, w->journal, &w->board, w->setup.stages, e) != 0 ||
        journal_view_begin(w->journal, &view, e) != 0)
        return -1;
    for (size_t i = 0; i < w->plan.shots && rc == 0; i++) {
        if (only && strcmp(w->board.shots[i].id, only) != 0)
            continue;
        named++;
        if (!only && !is_stale(&w->plan, i))
            continue;
        stale++;
        rc = why_shot(w, &costs, view, i, &total, e);
    }
    journal_view_end(view);
    if (rc != 0)
        return -1;
    if (only && !named)
        return error_set(e, ERROR_USAGE, "%s has no shot '%s'", w->board.path, only);
    if (!stale)
        printf("every shot is up to date\n");
    else if (!only && w->plan.to_run)
        print_cost("in all:", &total);
    return 0;
}

int command_why(const struct options *o)
{
    const char *shot = o->operand_count ? o->operands[0] : NULL;
    const char *dir = o->operand_count > 1 ? o->operands[1] : "";
    struct workspace w = {0};
    struct request r;
    struct error e = {0};
    int status;

    /* A lone word may be the production rather than a shot. */
    if (o->operand_count == 1 && strchr(shot, '/')) {
        dir = shot;
        shot = NULL;
    }
    if (production_find(&w.production, dir, &e) != 0 ||
        workspace_journal(&w, JOURNAL_READ, &e) != 0 || workspace_recall(&w, &r, &e) != 0)
        goto fail;
    r.only = ""; /* what a shot asks for does not hang on which ones the last run was for */
    if (workspace_board(&w, &r, stderr, &e) != 0 || workspace_plan(&w, &r, &e) != 0 ||
        execution_check(&(struct execution){.setup = &w.setup, .plan = &w.plan}, &e) != 0 ||
        why(&w, shot, &e) != 0)
        goto fail;
    workspace_close(&w);
    return EXIT_DELIVERED;
fail:
    status = command_failed(&e);
    workspace_close(&w);
    return status;
}
