#include <limits.h>
#include <string.h>
#include <sys/statvfs.h>

#include "pipeline/commands/command.h"
#include "pipeline/commands/plan_board.h"
#include "pipeline/execute/workspace.h"
#include "pipeline/exit_code.h"
#include "pipeline/paths.h"

/* The one that was described, else the one that would run. */
static int find_machine(const struct options *o, const struct workspace *w, struct machine *m,
                        struct error *e)
{
    struct device *d;

    if (o->gpu[0] && strcmp(o->device, "cpu") == 0)
        return error_set(e, ERROR_USAGE,
                         "--gpu describes a machine with a GPU: it cannot stand beside --device "
                         "cpu");
    if (o->gpu[0])
        return machine_parse(o->gpu, m, e);
    if (device_open(&w->env.device, &d, e) != 0)
        return -1;
    machine_of_device(d, m);
    device_close(d);
    return 0;
}

/* Bytes that are free where films would go; 0: not known. */
static double disk_free(const char *output)
{
    struct arena a = {0};
    const char *absolute = paths_absolute(&a, output[0] ? output : "out");
    char path[PATH_MAX] = "", *end;
    struct statvfs disk;

    if (absolute)
        snprintf(path, sizeof path, "%s", absolute);
    arena_free(&a);
    while (statvfs(path, &disk) != 0) { /* what is not there yet will be in the folder above */
        end = strrchr(path, '/');
        if (!end || strcmp(path, "/") == 0)
            return 0;
        end[end == path] = '\0';
    }
    return (double)disk.f_bavail * (double)disk.f_frsize;
}

static int make_plan(const struct options *o, const struct request *r, struct workspace *w,
                     struct plan_board *plan, struct error *e)
{
    struct machine m;

    if (workspace_board(w, r, stderr, e) != 0 || workspace_step_cache(w, r, e) != 0 ||
        workspace_only(w, r->only, e) != 0 || find_machine(o, w, &m, e) != 0 ||
        plan_board_make(&w->env, r->board, r->only, &m, plan, e) != 0)
        return -1;
    plan->disk = disk_free(o->output);
    return 0;
}

int command_plan(const struct options *o)
{
    struct request r = {.board = o->operands[0],
                        .tier = o->tier,
                        .precision = o->precision,
                        .vae_memory = o->vae_memory,
                        .vae_tile = o->vae_tile,
                        .vae_frames = o->vae_frames,
                        .step_cache = o->step_cache,
                        .step_cache_threshold = o->step_cache_threshold,
                        .preset = o->preset,
                        .batch = o->batch,
                        .only = o->only,
                        .models = o->models,
                        .device = o->device[0] ? o->device : "auto"};
    struct workspace w = {0};
    struct plan_board plan = {0};
    struct error e = {0};
    int status;

    if (options_memory(o, &r.memory, &e) != 0 || make_plan(o, &r, &w, &plan, &e) != 0 ||
        (o->json && plan_board_json(&plan, &e) != 0)) {
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
