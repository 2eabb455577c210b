#include "pipeline/execute/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/execute/key.h"

const char *reason_text(enum reason reason)
{
    static const char *const texts[REASONS] = {
        [REASON_NONE] = "up to date",      [REASON_NEVER] = "never made",
        [REASON_CHANGED] = "changed",      [REASON_EARLIER] = "an earlier stage changed",
        [REASON_MISSING] = "file missing", [REASON_ALTERED] = "file altered",
        [REASON_FAILED] = "failed before", [REASON_INTERRUPTED] = "interrupted before",
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
        } else if ((uint64_t)st.st_size != a->size ||
                   (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec !=
                       a->mtime_ns) {
            *reason = REASON_ALTERED;
        }
    }
    return 0;
}

/* A changed key is the stage's own doing when one of its own inputs changed; otherwise what it
 * reads changed. Cheap enough for every stale job: whether a stage it reads is stale is known. */
static enum reason why_changed(const struct plan_job *jobs, const struct stage *stage)
{
    for (int i = 0; i < STAGES; i++)
        if ((stage->reads & (1u << i)) && jobs[i].verdict == VERDICT_RUN &&
            (jobs[i].reason == REASON_CHANGED || jobs[i].reason == REASON_EARLIER))
            return REASON_EARLIER;
    return REASON_CHANGED;
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
        reason = why_changed(jobs, about);
    else if (found && r.status == RECORD_FAILED)
        reason = REASON_FAILED;
    else if (found && r.status == RECORD_RUNNING)
        reason = REASON_INTERRUPTED;
    else if (found && look_for_artefacts(p, &r, &reason, e) != 0)
        return -1;
    jobs[stage].reason = (uint8_t)reason;
    jobs[stage].verdict = reason == REASON_NONE ? VERDICT_FRESH : VERDICT_RUN;
    p->plan->run[stage] += reason != REASON_NONE;
    p->plan->to_run += reason != REASON_NONE;
    return 0;
}

static int plan_shot(struct planner *p, size_t index, struct error *e)
{
    const struct plan_setup *setup = p->setup;
    const struct shot *shot = &setup->env->board->shots[index];
    struct plan_job *jobs = &p->plan->jobs[index * STAGES];
    struct hash128 keys[STAGES] = {0};

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
        if (key_make(&p->maker, stage, (enum stage_id)i, setup->stages, keys, setup->env, shot,
                     &keys[i], &why) != 0) {
            if (why.code == ERROR_MEMORY || why.code == ERROR_JOURNAL)
                return error_set(e, why.code, "%s", why.text);
            return plan_break(p->plan, index, (enum stage_id)i, &why, e);
        }
        jobs[i].key = keys[i];
        if (judge(p, shot, jobs, (enum stage_id)i, e) != 0)
            return -1;
    }
    return 0;
}

int plan_make(struct plan *plan, const struct plan_setup *setup, struct error *e)
{
    struct planner p = {.plan = plan, .setup = setup, .dir = -1};
    size_t shots = setup->env->board->shot_count;
    int rc = -1;

    *plan = (struct plan){.shots = shots};
    plan->jobs = calloc(shots ? shots * STAGES : 1, sizeof *plan->jobs);
    plan->groups = calloc(1, sizeof *plan->groups);
    if (!plan->jobs || !plan->groups)
        return error_memory(e);
    plan->groups[0] = "";
    plan->group_count = 1;
    p.dir = open(setup->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (setup->journal && journal_view_begin(setup->journal, &p.view, e) != 0)
        goto done;
    for (size_t i = 0; i < shots; i++)
        if (plan_shot(&p, i, e) != 0)
            goto done;
    rc = 0;
done:
    if (p.view)
        journal_view_end(p.view);
    if (p.dir >= 0)
        close(p.dir);
    key_maker_free(&p.maker);
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

void plan_keys(const struct plan *plan, size_t shot, struct hash128 keys[STAGES])
{
    for (int i = 0; i < STAGES; i++)
        keys[i] = plan_job(plan, shot, i)->key;
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

/* Appends a change when the values differ. */
static int compare(struct arena *arena, struct plan_change *list, size_t *count, const char *name,
                   const char *was, const char *now)
{
    struct plan_change *c = &list[*count];

    if (was && now && strcmp(was, now) == 0)
        return 0;
    *c =
        (struct plan_change){arena_strdup(arena, name), was ? arena_strdup(arena, was) : NULL, now};
    ++*count;
    return c->name && (!was || c->was) ? 0 : -1;
}

/* The value of inputs[at]'s namesake in another list: the second "overlay.text" answers the second.
 * NULL when there is none. */
static const char *value_of(const struct record_input *inputs, size_t count,
                            const struct record_input *like, size_t at)
{
    size_t nth = 0;

    for (size_t i = 0; i < at; i++)
        nth += strcmp(like[i].name, like[at].name) == 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(inputs[i].name, like[at].name) == 0 && nth-- == 0)
            return inputs[i].value;
    return NULL;
}

int plan_changes(const struct plan *plan, const struct plan_setup *setup, struct journal_view *view,
                 size_t shot, enum stage_id stage, struct arena *arena,
                 struct plan_change **changes, size_t *count, struct error *e)
{
    const struct shot *about = &setup->env->board->shots[shot];
    struct hash128 keys[STAGES];
    struct record_input *now;
    struct stage_record r;
    size_t n;
    int found = journal_get(view, about->id, setup->stages[stage]->name, &r, e);

    *changes = NULL;
    *count = 0;
    if (found <= 0)
        return found;
    plan_keys(plan, shot, keys);
    if (key_inputs(arena, setup->stages[stage], setup->stages, keys, setup->env, about, &now, &n,
                   e) != 0)
        return -1;
    *changes = arena_array(arena, n + r.input_count + 1, sizeof **changes);
    if (!*changes)
        return error_memory(e);
    for (size_t i = 0; i < n; i++)
        if (compare(arena, *changes, count, now[i].name, value_of(r.inputs, r.input_count, now, i),
                    now[i].value) != 0)
            return error_memory(e);
    for (size_t i = 0; i < r.input_count; i++)
        if (!value_of(now, n, r.inputs, i) &&
            compare(arena, *changes, count, r.inputs[i].name, r.inputs[i].value, NULL) != 0)
            return error_memory(e);
    return 0;
}

const char *plan_reason(const struct plan *plan, const struct plan_setup *setup, size_t shot,
                        enum stage_id stage, struct arena *arena)
{
    enum reason reason = (enum reason)plan_job(plan, shot, stage)->reason;
    const char *text = NULL;
    struct plan_change *changes;
    struct journal_view *view;
    struct error ignored = {0};
    size_t count;

    if (reason != REASON_CHANGED || !setup->journal ||
        journal_view_begin(setup->journal, &view, &ignored) != 0)
        return reason_text(reason);
    if (plan_changes(plan, setup, view, shot, stage, arena, &changes, &count, &ignored) == 0)
        for (size_t i = 0; i < count && i < 4; i++)
            text = arena_printf(arena, "%s%s%s", text ? text : "", text ? ", " : "",
                                i < 3 ? changes[i].name : "...");
    journal_view_end(view);
    text = text ? arena_printf(arena, "%s changed", text) : NULL;
    return text ? text : reason_text(reason);
}
