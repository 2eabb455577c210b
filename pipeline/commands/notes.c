#include <stdio.h>
#include <string.h>

#include "kernels/base/suggest.h"
#include "pipeline/commands/command.h"
#include "pipeline/commands/find_production.h"
#include "pipeline/execute/versions.h"
#include "pipeline/exit_code.h"
#include "pipeline/handoff/handoff.h"
#include "pipeline/review/notes.h"
#include "pipeline/review/page.h"

/* The workspace of a production with the board that it was last run from. */
static int open_production(struct workspace *w, struct request *r, const char *given,
                           enum journal_mode mode, struct error *e)
{
    if (find_production(&w->production, given, e) != 0 || workspace_journal(w, mode, e) != 0 ||
        workspace_recall(w, r, e) != 0)
        return -1;
    r->only = "";
    return workspace_board_copy(w, r, e);
}

static void print_import(const struct notes_import *did, const char *dir)
{
    printf("%zu %s taken, %zu changed, %zu known before; %zu %s\n", did->added,
           did->added == 1 ? "note" : "notes", did->changed, did->known, did->verdicts,
           did->verdicts == 1 ? "verdict" : "verdicts");
    printf("%s/index.html shows them\n", dir);
}

static int import(const char *path, const char *given, struct error *e)
{
    struct workspace w = {0};
    struct notes_import did;
    struct request r;
    json_t *file = NULL;
    int rc = -1;

    if (open_production(&w, &r, given, JOURNAL_WRITE, e) == 0 &&
        notes_read(path, &w.board, &w.production, &file, e) == 0 &&
        notes_merge(file, &w.board, w.journal, &did, e) == 0 &&
        versions_point_all(&w.production, &w.board, w.journal, e) == 0 &&
        handoff_update(&w.board, &w.production, w.journal, e) == 0 &&
        workspace_plan(&w, &r, e) == 0 && page_write(&w, e) == 0) {
        print_import(&did, w.production.dir);
        rc = 0;
    }
    json_decref(file);
    workspace_close(&w);
    return rc;
}

/* ---- what there is */

static const char *text_of(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));

    return s ? s : "";
}

/* A note's words on one line each, behind its place. */
static void print_note(const json_t *note)
{
    const char *text = text_of(note, "text"), *author = text_of(note, "author");

    printf("  v%03d %s  ", (int)json_integer_value(json_object_get(note, "version")),
           text_of(note, "timecode"));
    for (; *text; text++) {
        if (*text == '\n')
            printf("\n                    ");
        else if ((unsigned char)*text >= ' ')
            putchar(*text);
    }
    printf(*author ? " (%s)\n" : "\n", author);
}

static void print_shot(const char *id, const json_t *notes, const json_t *verdicts)
{
    const char *version;
    json_t *value;
    size_t i;

    if (json_array_size(notes) == 0 && json_object_size(verdicts) == 0)
        return;
    printf("%s", id);
    json_object_foreach((json_t *)(uintptr_t)verdicts, version, value)
        printf("  v%03d %s", atoi(version), json_string_value(value));
    printf("\n");
    json_array_foreach(notes, i, value) print_note(value);
}

static json_t *shot_json(const char *id, json_t *notes, json_t *verdicts)
{
    return json_pack("{ss sO sO}", "shot", id, "notes", notes, "reviews", verdicts);
}

static int tell_shot(struct journal_view *view, const char *id, json_t *list, bool *any,
                     struct error *e)
{
    json_t *notes = NULL, *verdicts = NULL;
    int rc = -1;

    if (notes_of_shot(view, id, &notes, e) != 0 || notes_verdicts(view, id, &verdicts, e) != 0)
        goto done;
    rc = 0;
    if (!notes && !verdicts)
        goto done;
    notes = notes ? notes : json_array();
    verdicts = verdicts ? verdicts : json_object();
    *any = true;
    if (!list)
        print_shot(id, notes, verdicts);
    else if (json_array_append_new(list, shot_json(id, notes, verdicts)) != 0)
        rc = error_memory(e);
done:
    json_decref(notes);
    json_decref(verdicts);
    return rc;
}

static int tell(const char *given, bool as_json, struct error *e)
{
    json_t *list = as_json ? json_array() : NULL;
    struct journal_view *view = NULL;
    struct workspace w = {0};
    struct request r;
    bool any = false;
    int rc = open_production(&w, &r, given, JOURNAL_READ, e);

    if (rc == 0)
        rc = journal_view_begin(w.journal, &view, e);
    for (size_t i = 0; rc == 0 && i < w.board.shot_count; i++)
        rc = tell_shot(view, w.board.shots[i].id, list, &any, e);
    if (view)
        journal_view_end(view);
    if (rc == 0 && as_json)
        rc = command_json(
            json_pack("{ss ss sO}", "dir", w.production.dir, "board", w.board.name, "shots", list),
            e);
    else if (rc == 0 && !any)
        printf("no notes yet: write them on the page %s/index.html, export them there, then "
               "auteur-pipe notes import FILE\n",
               w.production.dir);
    json_decref(list);
    workspace_close(&w);
    return rc;
}

int command_notes(const struct options *o)
{
    const char *first = o->operand_count ? o->operands[0] : "";
    struct suggestion s = {.word = first};
    struct error e = {0};
    int rc;

    suggest_offer(&s, "import");
    if (strcmp(first, "import") == 0 && o->operand_count > 1)
        rc = import(o->operands[1], o->operand_count > 2 ? o->operands[2] : "", &e);
    else if (strcmp(first, "import") == 0)
        rc = error_set(&e, ERROR_USAGE,
                       "notes import what? Name the file that the review page exported");
    else if (o->operand_count > 1)
        rc = error_set(&e, ERROR_USAGE, "notes cannot '%s'%s", first,
                       s.best ? ": did you mean import?" : ": import, or nothing to read them");
    else
        rc = tell(first, o->json, &e);
    return rc == 0 ? EXIT_DELIVERED : command_failed(&e);
}
