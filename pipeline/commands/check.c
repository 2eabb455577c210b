#include <stdio.h>
#include <string.h>

#include "pipeline/commands/command.h"
#include "pipeline/execute/executor.h"
#include "pipeline/execute/workspace.h"
#include "pipeline/exit_code.h"
#include "stages/generate/settings.h"

/* Which shots: the first, and how many in all. */
static void print_where(const char *path, const struct shot *first, size_t count)
{
    fprintf(stderr, "%s:%d: shot %s", path, first->line, first->id);
    if (count > 1)
        fprintf(stderr, " and %zu more", count - 1);
}

/* Shots that suffer the same (a tier without its checkpoint) are told once. */
static void print_problems(const struct workspace *w, const char *path)
{
    const struct plan_problem *p = w->plan.problems;

    for (size_t i = 0; i < w->plan.problem_count; i++) {
        const struct shot *shot = &w->board.shots[p[i].shot];
        size_t before = 0, more = 0;

        while (before < i && strcmp(p[before].text, p[i].text) != 0)
            before++;
        if (before < i)
            continue;
        for (size_t k = i + 1; k < w->plan.problem_count; k++)
            more += strcmp(p[k].text, p[i].text) == 0;
        print_where(path, shot, more + 1);
        fprintf(stderr, ": %s\n", p[i].text);
    }
}

/* A threshold of a step cache that neither the board nor the command line switches on or off. */
static void print_idle_threshold(const struct workspace *w, const char *path)
{
    const struct shot *first = NULL;
    size_t count = 0;

    for (size_t i = 0; i < w->board.shot_count && !*w->env.step_cache; i++) {
        const struct shot *shot = &w->board.shots[i];

        if (shot->kind != SHOT_GENERATED || !(shot->step_cache_threshold > 0) || *shot->step_cache)
            continue;
        first = first ? first : shot;
        count++;
    }
    if (!first)
        return;
    print_where(path, first, count);
    fprintf(stderr, ": warning: `step_cache_threshold` does nothing without a step cache: name its "
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

/* What a tier does not read, once a tier. */
static void print_unread(const struct workspace *w, const char *path)
{
    for (int t = 0; t < tier_count; t++) {
        const struct shot *first = NULL;
        size_t count = 0;
        bool embedded = tiers_all[t].family->guidance_embedded;

        for (size_t i = 0; i < w->board.shot_count; i++) {
            const struct shot *shot = &w->board.shots[i];

            if (shot->kind != SHOT_GENERATED || !*shot->negative ||
                strcmp(tier_name_of_shot(&w->env, shot), tiers_all[t].name) != 0 ||
                reads_negative(w, shot))
                continue;
            first = first ? first : shot;
            count++;
        }
        if (!first)
            continue;
        print_where(path, first, count);
        fprintf(stderr,
                ": warning: `negative` does nothing: tier %s (%s) %smakes no pass without the "
                "prompt%s\n",
                tiers_all[t].name, tiers_all[t].model,
                embedded ? "is told its guidance as a number and " : "",
                embedded ? "" : " where guidance is 1");
    }
}

/* With no journal everything would have to run, so every stage's check is asked. */
int command_check(const struct options *o)
{
    const struct request r = {.board = o->operands[0],
                              .tier = o->tier,
                              .step_cache = o->step_cache,
                              .step_cache_threshold = o->step_cache_threshold,
                              .preset = o->preset,
                              .only = o->only,
                              .models = o->models,
                              .device = "auto"};
    struct workspace w = {0};
    struct error e = {0};
    int status = EXIT_DELIVERED;

    if (workspace_board(&w, &r, stderr, &e) != 0 || workspace_step_cache(&w, &r, &e) != 0 ||
        workspace_plan(&w, &r, &e) != 0 ||
        execution_check(&(struct execution){.setup = &w.setup, .plan = &w.plan}, &e) != 0) {
        status = command_failed(&e);
        goto done;
    }
    print_unread(&w, o->operands[0]);
    print_idle_threshold(&w, o->operands[0]);
    print_problems(&w, o->operands[0]);
    if (w.plan.problem_count) {
        status = EXIT_BOARD;
        fprintf(stderr, "%s: %zu %s\n", o->operands[0], w.plan.problem_count,
                w.plan.problem_count == 1 ? "shot cannot be made" : "shots cannot be made");
    } else {
        printf("%s: %zu %s, no problems\n", o->operands[0], w.board.shot_count,
               w.board.shot_count == 1 ? "shot" : "shots");
    }
done:
    workspace_close(&w);
    return status;
}
