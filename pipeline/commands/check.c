#include <stdio.h>

#include "pipeline/commands/command.h"
#include "pipeline/execute/executor.h"
#include "pipeline/execute/workspace.h"
#include "pipeline/exit_code.h"

static void print_problem(const struct workspace *w, const char *path, const struct plan_problem *p)
{
    const struct shot *shot = &w->board.shots[p->shot];

    fprintf(stderr, "%s:%d: shot %s: %s\n", path, shot->line, shot->id, p->text);
}

/* With no journal everything would have to run, so every stage's check is asked. */
int command_check(const struct options *o)
{
    const struct request r = {
        .board = o->operands[0], .tier = o->tier, .only = o->only, .models = o->models};
    struct workspace w = {0};
    struct error e = {0};
    int status = EXIT_DELIVERED;

    if (workspace_board(&w, &r, stderr, &e) != 0 || workspace_plan(&w, &r, &e) != 0 ||
        execution_check(&(struct execution){.setup = &w.setup, .plan = &w.plan}, &e) != 0) {
        status = command_failed(&e);
        goto done;
    }
    for (size_t i = 0; i < w.plan.problem_count; i++)
        print_problem(&w, o->operands[0], &w.plan.problems[i]);
    if (w.plan.problem_count) {
        status = EXIT_BOARD;
        fprintf(stderr, "%s: %zu %s\n", o->operands[0], w.plan.problem_count,
                w.plan.problem_count == 1 ? "problem" : "problems");
    } else {
        printf("%s: %zu %s, no problems\n", o->operands[0], w.board.shot_count,
               w.board.shot_count == 1 ? "shot" : "shots");
    }
done:
    workspace_close(&w);
    return status;
}
