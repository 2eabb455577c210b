/* What is to be done, decided before anything is done: for every stage of every shot its content
 * key, compared with what the journal remembers and with the files that should be there. Making a
 * plan changes nothing.
 *
 * A stage that reads an earlier one by content (stage.reads_content) cannot be judged while that
 * one has yet to run. Such a job, and whatever waits for it, is planned to run, open to change: its
 * key supposes that the earlier stage makes what it made last time. When that stage has run for a
 * shot, plan_settle() judges them by what was made, and those that turn out to be up to date are
 * not run.
 *
 * Where a model's folder is away, keys that it counts in cannot be made. Such a shot cannot be made
 * either, but nothing is said against what was made of it before (plan_job.uncompared).
 *
 * 10,000 shots of five stages take a fraction of a second: one read view,
 * no allocation a job.
 */
#ifndef AUTEUR_PIPELINE_EXECUTE_PLAN_H
#define AUTEUR_PIPELINE_EXECUTE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal/journal.h"
#include "stages/stage.h"

enum verdict {
    VERDICT_SKIP,  /* the shot has no use for this stage, or is not among those asked for */
    VERDICT_FRESH, /* up to date */
    VERDICT_RUN,
    VERDICT_BROKEN /* an input cannot be had (a missing source): the shot fails */
};

enum reason {
    REASON_NONE,
    REASON_NEVER,       /* it was never made */
    REASON_CHANGED,     /* an input of its own changed: plan_changes() says which */
    REASON_EARLIER,     /* only a stage that it reads changed */
    REASON_OPEN,        /* it runs only if a stage that has yet to run makes something else */
    REASON_MISSING,     /* a file that it made is gone */
    REASON_ALTERED,     /* a file that it made is not as it was left */
    REASON_FAILED,      /* it failed before */
    REASON_INTERRUPTED, /* it was running when the program ended */
    REASONS
};
const char *reason_text(enum reason reason); /* "never made" */

struct plan_job {
    struct hash128 key;
    struct hash128 content; /* of what it reads by content; zero while nothing is known of that */
    uint8_t verdict, reason, lane;
    bool open;       /* its key supposes what an earlier stage will make */
    bool uncompared; /* broken because a model's folder is away: the reason is that of the record
                        and its files alone, REASON_NONE where they are as they were left */
    uint32_t group;  /* index into plan.groups */
};

struct plan {
    struct plan_job *jobs; /* [shot][stage] */
    size_t shots;
    const char **groups; /* the stages' own names of their groups; [0] is "" */
    size_t group_count;
    size_t run[STAGES]; /* how many jobs must run */
    size_t to_run;      /* of all stages */
    struct plan_problem *problems;
    size_t problem_count, problem_room;
    struct arena arena;
};

/* Why a shot is VERDICT_BROKEN. */
struct plan_problem {
    uint32_t shot;
    enum stage_id stage;
    enum error_code code;
    const char *text;
};

struct plan_setup {
    const struct stage *const *stages; /* by enum stage_id */
    const struct stage_env *env;
    struct journal *journal; /* NULL: nothing was ever made */
    const char *dir;         /* the production directory, absolute */
    const char *only;        /* a glob that a shot's id must match; "" for all */
};

/* -1 when the journal cannot be read or memory runs out; what is wrong with one shot is a problem
 * in the plan. Free the plan in both cases. */
int plan_make(struct plan *plan, const struct plan_setup *setup, struct error *e);
void plan_free(struct plan *plan);

static inline const struct plan_job *plan_job(const struct plan *plan, size_t shot, int stage)
{
    return &plan->jobs[shot * STAGES + (size_t)stage];
}
/* What counts of the shot's stages for `stage`: their keys, or the digest that it reads. */
void plan_reads(const struct plan *plan, const struct plan_setup *setup, size_t shot,
                enum stage_id stage, struct hash128 reads[STAGES]);
/* Why the shot could not be compared with its models, naming the folder that is away; NULL where it
 * was. */
const char *plan_uncompared(const struct plan *plan, size_t shot);
/* The last stage that the shot has use for; STAGES when it has none. */
enum stage_id plan_last_stage(const struct plan *plan, size_t shot);

/* Records a shot as broken after the plan was made (a stage's check failed). */
int plan_break(struct plan *plan, size_t shot, enum stage_id stage, const struct error *why,
               struct error *e);

/* A stage of a shot has run and is recorded: it is up to date, and the jobs that waited for what it
 * made get their true keys and are judged again. *fresh: the bits of those that need not run after
 * all. They must not have been started. */
int plan_settle(struct plan *plan, const struct plan_setup *setup, size_t shot, enum stage_id stage,
                unsigned *fresh, struct error *e);

/* One input of a job that is not as it was: NULL for what was not or is no longer there. */
struct plan_change {
    const char *name, *was, *now;
};
/* What changed since the stage was last made, in the arena; nothing when it never was. */
int plan_changes(const struct plan *plan, const struct plan_setup *setup, struct journal_view *view,
                 size_t shot, enum stage_id stage, struct arena *arena,
                 struct plan_change **changes, size_t *count, struct error *e);

/* Why a job runs, in a few words: "prompt, seed changed", "never made". Falls back to
 * reason_text(); lives in the arena or for ever. */
const char *plan_reason(const struct plan *plan, const struct plan_setup *setup, size_t shot,
                        enum stage_id stage, struct arena *arena);

#endif
