/* auteur-pipe conform [DIR] [SHOT=N ...]: which version of each shot the timelines show. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "pipeline/commands/command.h"
#include "pipeline/execute/versions.h"
#include "pipeline/execute/workspace.h"
#include "pipeline/exit_code.h"
#include "pipeline/handoff/handoff.h"

static bool is_choice(const char *operand)
{
    return strchr(operand, '=') && !strchr(operand, '/');
}

static const struct shot *find_shot(const struct board *b, const char *id, size_t length)
{
    for (size_t i = 0; i < b->shot_count; i++)
        if (strlen(b->shots[i].id) == length && memcmp(b->shots[i].id, id, length) == 0)
            return &b->shots[i];
    return NULL;
}

static int read_versions(struct workspace *w, const char *shot, struct versions *out,
                         struct error *e)
{
    struct journal_view *view;
    int rc;

    if (journal_view_begin(w->journal, &view, e) != 0)
        return -1;
    rc = versions_read(view, shot, &w->arena, out, e);
    journal_view_end(view);
    return rc;
}

/* Timelines would refer to a file that somebody removed. */
static int check_files(struct workspace *w, const struct version *v, struct error *e)
{
    for (size_t i = 0; i < v->file_count; i++) {
        char *path = arena_printf(&w->arena, "%s/%s", w->production.dir, v->files[i].path);

        if (!path)
            return error_memory(e);
        if (!path_exists(path))
            return error_set(e, ERROR_INPUT, "%s is gone: bring it back, or choose another version",
                             path);
    }
    return 0;
}

/* "r001=2", "r001=v002", "r001=current". */
static int choose(struct workspace *w, const char *choice, struct error *e)
{
    const char *equals = strchr(choice, '='), *digits = equals + 1 + (equals[1] == 'v');
    const struct shot *shot = find_shot(&w->board, choice, (size_t)(equals - choice));
    struct versions versions;
    const struct version *chosen;
    char *end;
    long number = strtol(digits, &end, 10);

    if (!shot)
        return error_set(e, ERROR_USAGE, "%s has no shot '%.*s'", w->board.name,
                         (int)(equals - choice), choice);
    if (strcmp(equals + 1, "current") == 0)
        return versions_conform(w->journal, shot->id, 0, e);
    if (end == digits || *end || number < 1 || number > VERSION_MOST)
        return error_set(e, ERROR_USAGE, "'%s': after the = stands a version's number, or current",
                         choice);
    if (read_versions(w, shot->id, &versions, e) != 0)
        return -1;
    chosen = versions_of(&versions, (int)number);
    if (!chosen)
        return error_set(e, ERROR_USAGE, "shot %s has no version %ld: it has %zu", shot->id, number,
                         versions.count);
    if (chosen->frames != shot->frames)
        return error_set(
            e, ERROR_USAGE,
            "version %ld of shot %s holds %d frames, the film shows of %d: give the shot "
            "its old length in the storyboard first",
            number, shot->id, chosen->frames, shot->frames);
    if (check_files(w, chosen, e) != 0)
        return -1;
    return versions_conform(w->journal, shot->id, (int)number, e);
}

static int show(struct workspace *w, struct error *e)
{
    static const char *const reviews[] = {"", " approved", " rejected"};

    for (size_t i = 0; i < w->board.shot_count; i++) {
        const char *id = w->board.shots[i].id;
        struct versions v;
        const struct version *current, *shown;

        if (read_versions(w, id, &v, e) != 0)
            return -1;
        current = versions_current(&v);
        shown = versions_shown(&v);
        printf("%s:", id);
        for (size_t k = 0; k < v.count; k++)
            printf("%s v%03d%s%s%s", k ? "," : "", v.items[k].number, reviews[v.items[k].review],
                   &v.items[k] == current ? " (current)" : "",
                   &v.items[k] == shown ? " (in the timelines)" : "");
        printf("%s\n", v.count ? "" : " not delivered");
    }
    return 0;
}

int command_conform(const struct options *o)
{
    const char *dir = "";
    struct workspace w = {0};
    struct request r;
    struct error e = {0};
    int choices = 0;

    for (int i = 0; i < o->operand_count; i++)
        if (is_choice(o->operands[i]))
            choices++;
        else if (!dir[0])
            dir = o->operands[i];
        else
            error_set(&e, ERROR_USAGE, "'%s' is no choice: write SHOT=N", o->operands[i]);
    if (e.code || production_find(&w.production, dir, &e) != 0 ||
        workspace_journal(&w, choices ? JOURNAL_WRITE : JOURNAL_READ, &e) != 0 ||
        workspace_recall(&w, &r, &e) != 0 || workspace_board_copy(&w, &r, &e) != 0)
        goto fail;
    for (int i = 0; i < o->operand_count; i++)
        if (is_choice(o->operands[i]) && choose(&w, o->operands[i], &e) != 0)
            goto fail;
    if ((choices && handoff_update(&w.board, &w.production, w.journal, &e) != 0) ||
        show(&w, &e) != 0)
        goto fail;
    if (choices)
        puts("the timelines say so; film.mp4 and the contact sheet follow with the next run or "
             "resume");
    workspace_close(&w);
    return EXIT_DELIVERED;
fail:
    workspace_close(&w);
    return command_failed(&e);
}
