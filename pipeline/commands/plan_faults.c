/* Shots that a plan leaves out, and why. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/commands/plan_board.h"
#include "stages/generate/keyframe.h"

static bool has_checkpoint(const struct stage_env *env, const struct tier *tier)
{
    struct error ignored = {0};
    struct arena a = {0};
    const char *dir = NULL;
    bool has = tier_checkpoint(env, tier, &a, &dir, &ignored) == 0 &&
               tier_prompt_checkpoint(env, tier, &a, &dir, &ignored) == 0 && dir;

    arena_free(&a);
    return has;
}

bool plan_refuses(const struct stage_env *env, const struct shot *shot, struct settings *out,
                  struct error *why)
{
    bool generated = shot->kind == SHOT_GENERATED;

    if (generated && (settings_of(env, shot, out, why) != 0 ||
                      (*shot->keyframe && keyframe_check(shot, why) != 0)))
        return true;
    for (int i = 0; i < STAGES; i++) {
        const struct stage *stage = stages_all[i];

        if (!stage->check || stage->lane(env, shot) == LANE_NONE ||
            stage->check(env, shot, why) == 0)
            continue;
        if (!generated || (why->code != ERROR_MODEL && why->code != ERROR_ABSENT) ||
            has_checkpoint(env, out->tier)) {
            error_wrap(why, "%s", stage->name);
            return true;
        }
        error_clear(why);
    }
    return false;
}

int plan_add_fault(struct plan_board *p, const struct shot *shot, const struct error *why,
                   bool refused, struct error *e)
{
    for (size_t i = 0; i < p->fault_count; i++)
        if (strcmp(p->faults[i].why.text, why->text) == 0 &&
            strcmp(p->faults[i].shot->tier, shot->tier) == 0) {
            p->faults[i].more++;
            return 0;
        }
    if (p->fault_count == p->fault_room) {
        size_t room = p->fault_room ? 2 * p->fault_room : 8;
        struct plan_fault *faults = reallocarray(p->faults, room, sizeof *faults);

        if (!faults)
            return error_memory(e);
        p->faults = faults;
        p->fault_room = room;
    }
    p->faults[p->fault_count++] =
        (struct plan_fault){.shot = shot, .why = *why, .refused = refused};
    return 0;
}
