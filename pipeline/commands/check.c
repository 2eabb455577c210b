#include <stdio.h>
#include <string.h>

#include "pipeline/commands/command.h"
#include "pipeline/commands/warnings.h"
#include "pipeline/execute/executor.h"
#include "pipeline/execute/workspace.h"
#include "pipeline/exit_code.h"

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
        warnings_where(path, shot, more + 1);
        fprintf(stderr, "%s\n", p[i].text);
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
    warnings_print(&w, o->operands[0]);
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
