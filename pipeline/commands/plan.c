#include "pipeline/commands/command.h"
#include "pipeline/commands/plan_board.h"
#include "pipeline/execute/workspace.h"
#include "pipeline/exit_code.h"

/* The one that was described, else the one that would run. */
static int find_machine(const struct options *o, const struct workspace *w, struct machine *m,
                        struct error *e)
{
    struct device *d;

    if (o->gpu[0])
        return machine_parse(o->gpu, m, e);
    if (device_open(&w->env.device, &d, e) != 0)
        return -1;
    machine_of_device(d, m);
    device_close(d);
    return 0;
}

int command_plan(const struct options *o)
{
    struct request r = {.board = o->operands[0],
                        .tier = o->tier,
                        .precision = o->precision,
                        .vae_memory = o->vae_memory,
                        .vae_tile = o->vae_tile,
                        .step_cache = o->step_cache,
                        .step_cache_threshold = o->step_cache_threshold,
                        .preset = o->preset,
                        .batch = o->batch,
                        .only = o->only,
                        .models = o->models,
                        .device = o->device[0] ? o->device : "auto"};
    struct workspace w = {0};
    struct plan_board plan = {0};
    struct machine m;
    struct error e = {0};
    int status;

    if (options_memory(o, &r.memory, &e) != 0 || workspace_board(&w, &r, stderr, &e) != 0 ||
        workspace_step_cache(&w, &r, &e) != 0 || workspace_only(&w, r.only, &e) != 0 ||
        find_machine(o, &w, &m, &e) != 0 ||
        plan_board_make(&w.env, r.board, r.only, &m, &plan, &e) != 0 ||
        (o->json && plan_board_json(stdout, &plan, &e) != 0)) {
        status = command_failed(&e);
    } else {
        if (!o->json)
            plan_board_show(stdout, &plan);
        status = plan_board_is_bad(&plan) ? EXIT_BOARD
                 : plan_board_fits(&plan) ? EXIT_DELIVERED
                                          : EXIT_SHOTS;
    }
    plan_board_free(&plan);
    workspace_close(&w);
    return status;
}
