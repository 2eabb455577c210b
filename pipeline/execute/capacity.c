#include "pipeline/execute/capacity.h"

#include <string.h>

#include "stages/forecast/fit.h"

/* Forecasts are good to a tenth. */
static const double SURELY = 0.9;

static bool is_due(const struct stage_env *env, const struct plan *plan, size_t shot)
{
    return env->board->shots[shot].kind == SHOT_GENERATED &&
           (plan_job(plan, shot, STAGE_GENERATE)->verdict == VERDICT_RUN ||
            plan_job(plan, shot, STAGE_DECODE)->verdict == VERDICT_RUN);
}

/* Whether the shot surely cannot be made, and then why. */
static bool cannot_fit(const struct stage_env *env, const struct shot *shot,
                       const struct machine *m, struct error *why)
{
    struct forecast f;
    double peak;

    error_clear(why);
    if (forecast_shot(env, shot, m, &f, why) != 0) /* of the rest stages' own checks say why */
        return why->code == ERROR_INPUT && env->vae.memory_asked;
    peak = forecast_peak(&f, m);
    if (m->gpus == 0 || peak * SURELY <= (double)m->facts.memory)
        return false;
    error_set(why, ERROR_MEMORY,
              "tier %s cannot make %d frames of %dx%d on this GPU: %s would need %.1f GiB, and all "
              "of its memory is %.1f GiB; make the shot shorter or the picture smaller, or choose "
              "another tier (auteur-pipe plan tells what fits)",
              f.tier->name, f.settings.generation.frames, f.settings.generation.width,
              f.settings.generation.height, forecast_largest(&f, m)->name, peak / 1073741824.0,
              (double)m->facts.memory / 1073741824.0);
    return true;
}

/* Of the shots of a tier that are due: the one with the most frames. -1: none. */
static int64_t longest_due(const struct stage_env *env, const struct plan *plan, const char *tier)
{
    int64_t longest = -1;

    for (size_t i = 0; i < plan->shots; i++)
        if (is_due(env, plan, i) &&
            strcmp(tier_name_of_shot(env, &env->board->shots[i]), tier) == 0 &&
            (longest < 0 || env->board->shots[i].frames > env->board->shots[longest].frames))
            longest = (int64_t)i;
    return longest;
}

/* Whether the limit that was too narrow for the last shot is so for this one, too. */
static bool is_like(const struct shot *last, const struct shot *shot, const struct error *why)
{
    return last && why->code == ERROR_INPUT && shot->frames == last->frames &&
           !*shot->keyframe == !*last->keyframe;
}

int capacity_check_on(const struct stage_env *env, struct plan *plan, const struct machine *m,
                      struct error *e)
{
    for (int t = 0; t < tier_count; t++) {
        int64_t i;
        const struct shot *last = NULL;
        struct error why = {0};

        /* Shots that are no longer than one that fits fit as well. */
        while ((i = longest_due(env, plan, tiers_all[t].name)) >= 0 &&
               (is_like(last, &env->board->shots[i], &why) ||
                cannot_fit(env, &env->board->shots[i], m, &why))) {
            last = &env->board->shots[i];
            if (plan_break(plan, (size_t)i, why.code == ERROR_INPUT ? STAGE_DECODE : STAGE_GENERATE,
                           &why, e) != 0)
                return -1;
        }
    }
    return 0;
}

int capacity_check(const struct stage_env *env, struct plan *plan, struct error *e)
{
    struct device_options options = env->device;
    struct error ignored = {0};
    struct machine m = {0};
    struct device *d;
    bool due = false, limited;

    for (size_t i = 0; i < plan->shots && !due; i++)
        due = is_due(env, plan, i);
    options.notes = (struct note_listener){0};
    if (!due || (options.kind != DEVICE_CUDA && !env->vae.memory_asked) ||
        device_open(&options, &d, &ignored) != 0)
        return 0;
    limited = device_kind(d) == DEVICE_CUDA || env->vae.memory_asked;
    if (limited)
        machine_of_device(d, &m);
    device_close(d);
    return limited ? capacity_check_on(env, plan, &m, e) : 0;
}
