/* Why a job runs: its inputs compared with those of its record. */
#include <string.h>

#include "pipeline/execute/key.h"
#include "pipeline/execute/plan.h"

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
    struct hash128 reads[STAGES];
    struct record_input *now;
    struct stage_record r;
    size_t n;
    int found = journal_get(view, about->id, setup->stages[stage]->name, &r, e);

    *changes = NULL;
    *count = 0;
    if (found <= 0)
        return found;
    plan_reads(plan, setup, shot, stage, reads);
    if (key_inputs(arena, setup->stages[stage], setup->stages, reads, setup->env, about, &now, &n,
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
