#include "pipeline/commands/warnings.h"

#include <stdio.h>
#include <string.h>

#include "pipeline/commands/enhancers.h"
#include "stages/generate/settings.h"

void warnings_where(const char *path, const struct shot *first, size_t count)
{
    fprintf(stderr, "%s:%d: shot %s", path, first->line, first->id);
    if (count > 1)
        fprintf(stderr, " and %zu more", count - 1);
    fputs(": ", stderr);
}

/* Shots of the board that have something in common. */
struct found {
    const struct shot *first;
    size_t count;
};

static void find(struct found *f, const struct shot *shot)
{
    f->first = f->first ? f->first : shot;
    f->count++;
}

/* The shot at the index, NULL where nothing is to be generated for it. */
static const struct shot *to_generate(const struct workspace *w, size_t index)
{
    const struct shot *shot = &w->board.shots[index];
    uint8_t verdict = plan_job(&w->plan, index, STAGE_GENERATE)->verdict;
    bool made = verdict == VERDICT_SKIP || verdict == VERDICT_FRESH;

    return shot->kind == SHOT_GENERATED && !made ? shot : NULL;
}

/* A threshold of a step cache that neither the board nor the command line switches on or off. */
static void print_idle_threshold(const struct workspace *w, const char *path)
{
    struct found f = {0};

    for (size_t i = 0; i < w->board.shot_count && !*w->env.step_cache; i++) {
        const struct shot *shot = to_generate(w, i);

        if (shot && shot->step_cache_threshold > 0 && !*shot->step_cache)
            find(&f, shot);
    }
    if (!f.count)
        return;
    warnings_where(path, f.first, f.count);
    fprintf(stderr, "warning: `step_cache_threshold` does nothing without a step cache: name its "
                    "mode with `step_cache: first-block` or timestep\n");
}

/* It is for the pass without the prompt, which is made where guidance is above 1. */
static bool reads_negative(const struct workspace *w, const struct shot *shot)
{
    struct settings s;
    struct error ignored = {0};

    if (settings_of(&w->env, shot, &s, &ignored) != 0 || s.tier->family->needs_picture)
        return true;
    return s.generation.guidance > 1 && !s.tier->family->guidance_embedded;
}

/* Negative prompts that a tier does not read, once a tier. */
static void print_unread(const struct workspace *w, const char *path)
{
    for (int t = 0; t < tier_count; t++) {
        struct found f = {0};
        bool embedded = tiers_all[t].family->guidance_embedded;

        for (size_t i = 0; i < w->board.shot_count; i++) {
            const struct shot *shot = to_generate(w, i);

            if (shot && *shot->negative &&
                strcmp(tier_name_of_shot(&w->env, shot), tiers_all[t].name) == 0 &&
                !reads_negative(w, shot))
                find(&f, shot);
        }
        if (!f.count)
            continue;
        warnings_where(path, f.first, f.count);
        fprintf(stderr,
                "warning: `negative` does nothing: tier %s (%s) %smakes no pass without the "
                "prompt%s\n",
                tiers_all[t].name, tiers_all[t].model,
                embedded ? "is told its guidance as a number and " : "",
                embedded ? "" : " where guidance is 1");
    }
}

/* What `prompt` warns of. A shot whose tier cannot be opened has a problem of its own. */
static void print_prompts(const struct workspace *w, const char *path)
{
    struct enhancers all = {.env = &w->env};

    for (size_t i = 0; i < w->board.shot_count; i++) {
        const struct shot *shot = to_generate(w, i);
        struct enhancer *enhancer;
        struct enhanced now = {0};
        struct error ignored = {0};
        struct arena arena = {0};

        if (shot && enhancers_for(&all, shot, &enhancer, &ignored) == 0 &&
            enhancer_shot(enhancer, shot, &arena, &now, &ignored) == 0)
            for (size_t k = 0; k < now.note_count; k++)
                if (now.notes[k].warning) {
                    warnings_where(path, shot, 1);
                    fprintf(stderr, "warning: %s\n", now.notes[k].text);
                }
        arena_free(&arena);
    }
    enhancers_close(&all);
}

void warnings_print(const struct workspace *w, const char *path)
{
    print_prompts(w, path);
    print_unread(w, path);
    print_idle_threshold(w, path);
}
