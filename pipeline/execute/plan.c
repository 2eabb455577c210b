#include "pipeline/execute/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "pipeline/execute/key.h"

const char *reason_text(enum reason reason)
{
    static const char *const texts[REASONS] = {
        [REASON_NONE] = "up to date",
        [REASON_NEVER] = "never made",
        [REASON_CHANGED] = "changed",
        [REASON_EARLIER] = "an earlier stage changed",
        [REASON_MISSING] = "file missing",
        [REASON_ALTERED] = "file altered",
        [REASON_FAILED] = "failed before",
        [REASON_INTERRUPTED] = "interrupted before",
        [REASON_OPEN] = "only if an earlier stage makes something else",
    };

    return texts[reason];
}

/* What planning holds beside the plan. */
struct planner {
    struct plan *plan;
    const struct plan_setup *setup;
    struct journal_view *view; /* NULL without a journal */
    struct key_maker maker;
    int dir; /* the production directory; -1 when there is none yet */
    uint32_t last_group[STAGES];
};

static int add_problem(struct plan *plan, size_t shot, enum stage_id stage, const struct error *why,
                       struct error *e)
{
    struct plan_problem *p;

    if (plan->problem_count == plan->problem_room) {
        size_t room = plan->problem_room * 2 + 8;
        struct plan_problem *grown = realloc(plan->problems, room * sizeof *grown);

        if (!grown)
            return error_memory(e);
        plan->problems = grown;
        plan->problem_room = room;
    }
    p = &plan->problems[plan->problem_count++];
    *p = (struct plan_problem){(uint32_t)shot, stage, why->code,
                               arena_strdup(&plan->arena, why->text)};
    return p->text ? 0 : error_memory(e);
}

/* Groups are numbered as they first appear. There are few: a tier or two. */
static int number_group(struct planner *p, enum stage_id stage, const char *name, uint32_t *out,
                        struct error *e)
{
    struct plan *plan = p->plan;
    uint32_t i = p->last_group[stage];

    if (!name || !name[0]) {
        *out = 0;
        return 0;
    }
    if (i == 0 || strcmp(plan->groups[i], name) != 0)
        for (i = 1; i < plan->group_count; i++)
            if (strcmp(plan->groups[i], name) == 0)
                break;
    if (i == plan->group_count) {
        const char **grown = realloc(plan->groups, (i + 1) * sizeof *grown);

        if (!grown)
            return error_memory(e);
        plan->groups = grown;
        plan->groups[i] = arena_strdup(&plan->arena, name);
        if (!plan->groups[i])
            return error_memory(e);
        plan->group_count++;
    }
    p->last_group[stage] = *out = i;
    return 0;
}

/* A copied production, or one that came back from a backup, has files of other times: then their
 * content decides. */
static bool is_as_left(const struct planner *p, const struct record_artefact *a,
                       const struct stat *st)
{
    struct arena arena = {0};
    struct error ignored = {0};
    struct hash128 digest;
    const char *path;
    bool same;

    if ((uint64_t)st->st_size != a->size)
        return false;
    if ((uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec == a->mtime_ns)
        return true;
    path = path_join(&arena, p->setup->dir, a->path);
    same = path && hash_path(path, &digest, &ignored) == 0 && hash_equal(digest, a->digest);
    arena_free(&arena);
    return same;
}

/* Whether what a finished record lists is still there as it was left. 0 or -1. */
static int look_for_artefacts(struct planner *p, const struct stage_record *r, enum reason *reason,
                              struct error *e)
{
    *reason = REASON_NONE;
    for (size_t i = 0; i < r->artefact_count && *reason == REASON_NONE; i++) {
        const struct record_artefact *a = &r->artefacts[i];
        struct stat st;

        if (!a->path[0]) {
            const void *bytes;
            size_t size;
            int found = journal_get_blob(p->view, r->key, a->name, &bytes, &size, e);

            if (found < 0)
                return -1;
            if (!found)
                *reason = REASON_MISSING;
        } else if (p->dir < 0 || fstatat(p->dir, a->path, &st, 0) != 0) {
            *reason = REASON_MISSING;
        } else if (!is_as_left(p, a, &st)) {
            *reason = REASON_ALTERED;
        }
    }
    return 0;
}

/* What a record and the files that it lists say, whatever it was made from. 0 or -1. */
static int look_at_record(struct planner *p, const struct stage_record *r, enum reason *reason,
                          struct error *e)
{
    if (r->status == RECORD_DONE)
        return look_for_artefacts(p, r, reason, e);
    *reason = r->status == RECORD_FAILED ? REASON_FAILED : REASON_INTERRUPTED;
    return 0;
}

/* What the stage reads by content comes from this one. */
static bool reads_content_of(const struct stage *stage, int from)
{
    return stage->reads_content.artefact && (int)stage->reads_content.stage == from &&
           (stage->reads & (1u << from));
}

/* A changed key is the stage's own doing when one of its own inputs changed; otherwise what it
 * reads changed. Cheap enough for every stale job: whether a stage it reads is stale is known. */
static enum reason why_changed(const struct plan_job *jobs, enum stage_id at,
                               const struct stage *stage)
{
    static const struct hash128 unknown;

    for (int i = 0; i < STAGES; i++) {
        if (!(stage->reads & (1u << i)) || jobs[i].verdict != VERDICT_RUN)
            continue;
        if (reads_content_of(stage, i)
                ? hash_equal(jobs[at].content, unknown)
                : jobs[i].reason == REASON_CHANGED || jobs[i].reason == REASON_EARLIER)
            return REASON_EARLIER;
    }
    return REASON_CHANGED;
}

/* Whether the key of a stage supposes what one that has yet to run will make. */
static bool is_open(const struct plan_job *jobs, const struct stage *stage)
{
    for (int i = 0; i < STAGES; i++)
        if ((stage->reads & (1u << i)) &&
            (jobs[i].open || (reads_content_of(stage, i) && jobs[i].verdict == VERDICT_RUN)))
            return true;
    return false;
}

/* Hands what a stage made, or made last time, to those that read it by content. */
static void pass_content(const struct plan_setup *setup, struct plan_job *jobs, enum stage_id from,
                         const struct stage_record *r)
{
    for (int i = (int)from + 1; i < STAGES; i++) {
        if (!reads_content_of(setup->stages[i], (int)from))
            continue;
        jobs[i].content = (struct hash128){0};
        for (size_t k = 0; r && k < r->artefact_count; k++)
            if (strcmp(r->artefacts[k].name, setup->stages[i]->reads_content.artefact) == 0)
                jobs[i].content = r->artefacts[k].digest;
    }
}

static int judge(struct planner *p, const struct shot *shot, struct plan_job *jobs,
                 enum stage_id stage, struct error *e)
{
    const struct stage *about = p->setup->stages[stage];
    struct stage_record r;
    enum reason reason = REASON_NEVER;
    int found = 0;

    if (p->view)
        found = journal_get(p->view, shot->id, about->name, &r, e);
    if (found < 0)
        return -1;
    if (found && !hash_equal(r.key, jobs[stage].key))
        reason = why_changed(jobs, stage, about);
    else if (found && look_at_record(p, &r, &reason, e) != 0)
        return -1;
    jobs[stage].open = is_open(jobs, about);
    if (jobs[stage].open && reason == REASON_NONE)
        reason = REASON_OPEN;
    pass_content(p->setup, jobs, stage, found && r.status == RECORD_DONE ? &r : NULL);
    jobs[stage].reason = (uint8_t)reason;
    jobs[stage].verdict = reason == REASON_NONE ? VERDICT_FRESH : VERDICT_RUN;
    p->plan->run[stage] += reason != REASON_NONE;
    p->plan->to_run += reason != REASON_NONE;
    return 0;
}

/* The key of a job whose earlier stages have theirs, and what follows from it. On failure *why is
 * set when it was the stage that could not describe itself. */
static int key_and_judge(struct planner *p, size_t shot, enum stage_id stage, struct error *why,
                         struct error *e)
{
    const struct plan_setup *setup = p->setup;
    const struct shot *about = &setup->env->board->shots[shot];
    struct plan_job *jobs = &p->plan->jobs[shot * STAGES];
    struct hash128 reads[STAGES];

    plan_reads(p->plan, setup, shot, stage, reads);
    if (key_make(&p->maker, setup->stages[stage], stage, setup->stages, reads, setup->env, about,
                 &jobs[stage].key, why) != 0)
        return error_set(e, why->code, "%s", why->text);
    return judge(p, about, jobs, stage, e);
}

/* A model's folder is away from `stage` on: the shot is broken, but its records stand. */
static int set_aside(struct planner *p, size_t index, enum stage_id stage, const struct error *why,
                     struct error *e)
{
    const struct plan_setup *setup = p->setup;
    const struct shot *shot = &setup->env->board->shots[index];
    struct plan_job *jobs = &p->plan->jobs[index * STAGES];

    for (int i = 0; i < STAGES; i++) {
        enum reason reason = REASON_NEVER;
        struct stage_record r;
        int found = 0;

        jobs[i].lane = (uint8_t)setup->stages[i]->lane(setup->env, shot);
        jobs[i].uncompared = jobs[i].lane != LANE_NONE;
        if (!jobs[i].uncompared || i < (int)stage)
            continue;
        if (p->view)
            found = journal_get(p->view, shot->id, setup->stages[i]->name, &r, e);
        if (found < 0 || (found && look_at_record(p, &r, &reason, e) != 0))
            return -1;
        jobs[i].reason = (uint8_t)reason;
    }
    return plan_break(p->plan, index, stage, why, e);
}

static int plan_shot(struct planner *p, size_t index, struct error *e)
{
    const struct plan_setup *setup = p->setup;
    const struct shot *shot = &setup->env->board->shots[index];
    struct plan_job *jobs = &p->plan->jobs[index * STAGES];

    if (setup->only[0] && fnmatch(setup->only, shot->id, 0) != 0)
        return 0;
    for (int i = 0; i < STAGES; i++) {
        const struct stage *stage = setup->stages[i];
        const char *group;
        struct error why = {0};

        jobs[i].lane = (uint8_t)stage->lane(setup->env, shot);
        if (jobs[i].lane == LANE_NONE)
            continue;
        group = stage->group ? stage->group(setup->env, shot) : NULL;
        if (number_group(p, (enum stage_id)i, group, &jobs[i].group, e) != 0)
            return -1;
        if (key_and_judge(p, index, (enum stage_id)i, &why, e) == 0)
            continue;
        if (why.code == ERROR_NONE || why.code == ERROR_MEMORY || why.code == ERROR_JOURNAL)
            return -1;
        error_clear(e);
        return why.code == ERROR_ABSENT ? set_aside(p, index, (enum stage_id)i, &why, e)
                                        : plan_break(p->plan, index, (enum stage_id)i, &why, e);
    }
    return 0;
}

static int planner_begin(struct planner *p, struct plan *plan, const struct plan_setup *setup,
                         struct error *e)
{
    *p = (struct planner){.plan = plan, .setup = setup};
    p->dir = open(setup->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return setup->journal ? journal_view_begin(setup->journal, &p->view, e) : 0;
}

static void planner_end(struct planner *p)
{
    if (p->view)
        journal_view_end(p->view);
    if (p->dir >= 0)
        close(p->dir);
    key_maker_free(&p->maker);
}

int plan_make(struct plan *plan, const struct plan_setup *setup, struct error *e)
{
    struct planner p;
    size_t shots = setup->env->board->shot_count;
    int rc;

    *plan = (struct plan){.shots = shots};
    plan->jobs = calloc(shots ? shots * STAGES : 1, sizeof *plan->jobs);
    plan->groups = calloc(1, sizeof *plan->groups);
    if (!plan->jobs || !plan->groups)
        return error_memory(e);
    plan->groups[0] = "";
    plan->group_count = 1;
    rc = planner_begin(&p, plan, setup, e);
    for (size_t i = 0; i < shots && rc == 0; i++)
        rc = plan_shot(&p, i, e);
    planner_end(&p);
    return rc;
}

/* Judges again what is open; `stage` itself is done, and its record known. */
static int settle(struct planner *p, size_t shot, enum stage_id stage, unsigned *fresh,
                  struct error *e)
{
    struct plan *plan = p->plan;
    struct plan_job *jobs = &plan->jobs[shot * STAGES];
    const char *id = p->setup->env->board->shots[shot].id, *name = p->setup->stages[stage]->name;
    struct stage_record r;
    int found = journal_get(p->view, id, name, &r, e);

    if (found < 0)
        return -1;
    if (!found || r.status != RECORD_DONE || !hash_equal(r.key, jobs[stage].key))
        return error_set(e, ERROR_JOURNAL, "%s of shot %s was recorded but is not in the journal",
                         name, id);
    pass_content(p->setup, jobs, stage, &r);
    jobs[stage].verdict = VERDICT_FRESH;
    jobs[stage].reason = REASON_NONE;
    plan->run[stage]--;
    plan->to_run--;
    for (int i = (int)stage + 1; i < STAGES; i++) {
        struct error why = {0};

        if (!jobs[i].open || jobs[i].verdict != VERDICT_RUN)
            continue;
        plan->run[i]--;
        plan->to_run--;
        if (key_and_judge(p, shot, (enum stage_id)i, &why, e) != 0)
            return -1;
        if (jobs[i].verdict == VERDICT_FRESH)
            *fresh |= 1u << i;
    }
    return 0;
}

int plan_settle(struct plan *plan, const struct plan_setup *setup, size_t shot, enum stage_id stage,
                unsigned *fresh, struct error *e)
{
    struct planner p;
    bool awaited = false;
    int rc;

    *fresh = 0;
    for (int i = (int)stage + 1; i < STAGES; i++)
        awaited |= plan_job(plan, shot, i)->open && reads_content_of(setup->stages[i], (int)stage);
    if (!awaited)
        return 0;
    rc = planner_begin(&p, plan, setup, e);
    if (rc == 0)
        rc = settle(&p, shot, stage, fresh, e);
    planner_end(&p);
    return rc;
}

void plan_free(struct plan *plan)
{
    free(plan->jobs);
    free(plan->groups);
    free(plan->problems);
    arena_free(&plan->arena);
    *plan = (struct plan){0};
}

void plan_reads(const struct plan *plan, const struct plan_setup *setup, size_t shot,
                enum stage_id stage, struct hash128 reads[STAGES])
{
    for (int i = 0; i < STAGES; i++)
        reads[i] = reads_content_of(setup->stages[stage], i) ? plan_job(plan, shot, stage)->content
                                                             : plan_job(plan, shot, i)->key;
}

const char *plan_uncompared(const struct plan *plan, size_t shot)
{
    for (size_t i = 0; i < plan->problem_count; i++)
        if (plan->problems[i].shot == shot)
            return plan_job(plan, shot, (int)plan->problems[i].stage)->uncompared
                       ? plan->problems[i].text
                       : NULL;
    return NULL;
}

enum stage_id plan_last_stage(const struct plan *plan, size_t shot)
{
    for (int i = STAGES - 1; i >= 0; i--)
        if (plan_job(plan, shot, i)->verdict != VERDICT_SKIP)
            return (enum stage_id)i;
    return STAGES;
}

int plan_break(struct plan *plan, size_t shot, enum stage_id stage, const struct error *why,
               struct error *e)
{
    struct plan_job *jobs = &plan->jobs[shot * STAGES];

    for (int i = 0; i < STAGES; i++) {
        if (jobs[i].verdict == VERDICT_RUN) {
            plan->run[i]--;
            plan->to_run--;
        }
        if (jobs[i].lane != LANE_NONE)
            jobs[i].verdict = VERDICT_BROKEN;
    }
    return add_problem(plan, shot, stage, why, e);
}
