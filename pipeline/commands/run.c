#include <stdio.h>

#include "pipeline/commands/command.h"
#include "pipeline/commands/produce.h"
#include "pipeline/execute/job.h"

int command_run(const struct options *o)
{
    struct request r = {.board = o->operands[0],
                        .tier = o->tier,
                        .precision = o->precision,
                        .step_cache = o->step_cache,
                        .step_cache_threshold = o->step_cache_threshold,
                        .compile = o->compile,
                        .preset = o->preset,
                        .batch = o->batch,
                        .only = o->only,
                        .models = o->models,
                        .device = o->device,
                        .vae_memory = o->vae_memory,
                        .vae_tile = o->vae_tile,
                        .vae_frames = o->vae_frames,
                        .jobs = o->jobs};
    double began = clock_monotonic();
    struct workspace w = {0};
    struct error e = {0};
    const char *dir = o->output;
    int status;

    if (options_memory(o, &r.memory, &e) != 0 || workspace_board(&w, &r, stderr, &e) != 0 ||
        workspace_step_cache(&w, &r, &e) != 0)
        goto fail;
    if (!dir[0])
        dir = arena_printf(&w.arena, "out/%s", w.board.name);
    if (!dir) {
        error_memory(&e);
        goto fail;
    }
    if (production_name(&w.production, dir, &e) != 0)
        goto fail;
    status = produce(&w, &r, o, began);
    workspace_close(&w);
    return status;
fail:
    workspace_close(&w);
    return command_failed(&e);
}
