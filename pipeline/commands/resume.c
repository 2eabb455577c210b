#include <stdio.h>

#include "kernels/base/file.h"
#include "pipeline/commands/command.h"
#include "pipeline/commands/produce.h"
#include "pipeline/execute/job.h"

/* The board at its own place counts, changed or not: content keys find out what that means. Its
 * copy serves only to say so, for sources are found relative to the board's own folder. */
static int find_board(struct workspace *w, const struct request *r, struct error *e)
{
    if (path_exists(r->board))
        return 0;
    return error_set(e, ERROR_INPUT,
                     "the storyboard %s is gone: put it back (its text as last run is in %s), or "
                     "run another with auteur-pipe run BOARD.yaml -o %s",
                     r->board, w->production.board_copy, w->production.dir);
}

/* Which shots the last run was for may be none of the board's any more. */
static int find_shots(const struct workspace *w, const struct request *r, struct error *e)
{
    struct error ignored = {0};

    if (workspace_only(w, r->only, &ignored) == 0)
        return 0;
    return error_set(
        e, ERROR_USAGE,
        "the last run was for --only '%s', and no shot of %s has such an id: say which "
        "with auteur-pipe run %s -o %s --only GLOB, or leave --only out for all",
        r->only, w->board.name, r->board, w->production.dir);
}

int command_resume(const struct options *o)
{
    double began = clock_monotonic();
    struct workspace w = {0};
    struct request r;
    struct error e = {0};
    const char *memory;
    int status;

    if (options_memory(o, &memory, &e) != 0 ||
        production_find(&w.production, o->operand_count ? o->operands[0] : "", &e) != 0 ||
        workspace_journal(&w, JOURNAL_READ, &e) != 0 || workspace_recall(&w, &r, &e) != 0 ||
        find_board(&w, &r, &e) != 0)
        goto fail;
    journal_close(w.journal);
    w.journal = NULL;
    if (o->jobs)
        r.jobs = o->jobs;
    if (o->device[0])
        r.device = o->device;
    if (o->batch)
        r.batch = o->batch;
    if (o->precision[0])
        r.precision = o->precision;
    if (memory[0])
        r.memory = memory;
    if (o->vae_memory[0])
        r.vae_memory = o->vae_memory;
    if (o->vae_tile[0])
        r.vae_tile = o->vae_tile;
    if (o->vae_frames)
        r.vae_frames = o->vae_frames;
    if (o->compile)
        r.compile = true;
    if (workspace_board(&w, &r, stderr, &e) != 0 || find_shots(&w, &r, &e) != 0)
        goto fail;
    status = produce(&w, &r, o, began);
    workspace_close(&w);
    return status;
fail:
    workspace_close(&w);
    return command_failed(&e);
}
