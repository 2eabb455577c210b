#include "pipeline/review/notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { META_SIZE = 80 };

static const char *const verdict_names[] = {"approved", "rejected"};

/* The JSON under a name of the journal, of this type; *out NULL: none. */
static int recall(struct journal_view *view, const char *what, const char *shot, json_type type,
                  json_t **out, struct error *e)
{
    char name[META_SIZE];
    const char *text;
    int found;

    *out = NULL;
    snprintf(name, sizeof name, "%s:%s", what, shot);
    found = journal_meta_get(view, name, &text, e);
    if (found <= 0)
        return found;
    *out = json_loads(text, 0, NULL);
    if (*out && json_typeof(*out) == type)
        return 0;
    json_decref(*out);
    *out = NULL;
    return error_set(e, ERROR_JOURNAL, "the journal's %s is not as this program writes it: %s",
                     name, "see auteur-pipe journal check");
}

int notes_of_shot(struct journal_view *view, const char *shot, json_t **out, struct error *e)
{
    return recall(view, "notes", shot, JSON_ARRAY, out, e);
}

int notes_verdicts(struct journal_view *view, const char *shot, json_t **out, struct error *e)
{
    return recall(view, "review", shot, JSON_OBJECT, out, e);
}

const char *notes_verdict_of(const json_t *verdicts, int version)
{
    char number[16];
    const char *said;

    snprintf(number, sizeof number, "%d", version);
    said = json_string_value(json_object_get(verdicts, number));
    for (size_t i = 0; said && i < sizeof verdict_names / sizeof *verdict_names; i++)
        if (strcmp(said, verdict_names[i]) == 0)
            return verdict_names[i];
    return "";
}

static int remember(struct journal *journal, const char *what, const char *shot, json_t *value,
                    struct error *e)
{
    char name[META_SIZE], *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
    int rc;

    if (!text)
        return error_memory(e);
    snprintf(name, sizeof name, "%s:%s", what, shot);
    rc = journal_meta_put(journal, name, text, e);
    free(text);
    return rc;
}

static json_t *find_note(json_t *notes, const char *id)
{
    json_t *note;
    size_t i;

    json_array_foreach(notes, i, note)
    {
        const char *its = json_string_value(json_object_get(note, "id"));

        if (its && strcmp(its, id) == 0)
            return note;
    }
    return NULL;
}

static const char *text_of(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));

    return s ? s : "";
}

static int in_order(const void *a, const void *b)
{
    static const char *const by[] = {"version", "frame"};
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;

    for (size_t i = 0; i < 2; i++) {
        json_int_t m = json_integer_value(json_object_get(x, by[i]));
        json_int_t n = json_integer_value(json_object_get(y, by[i]));

        if (m != n)
            return m < n ? -1 : 1;
    }
    return strcmp(text_of(x, "created"), text_of(y, "created"));
}

static json_t *sorted(const json_t *notes)
{
    size_t n = json_array_size(notes);
    json_t **list = calloc(n + 1, sizeof *list), *out = json_array();

    for (size_t i = 0; list && i < n; i++)
        list[i] = json_array_get(notes, i);
    if (list)
        qsort(list, n, sizeof *list, in_order);
    for (size_t i = 0; list && out && i < n; i++)
        if (json_array_append(out, list[i]) != 0) {
            json_decref(out);
            out = NULL;
        }
    if (!list) {
        json_decref(out);
        out = NULL;
    }
    free(list);
    return out;
}

/* A note of the file into those of its shot; 1: they are not as they were. */
static int take_note(json_t *notes, json_t *note, struct notes_import *did, struct error *e)
{
    json_t *own = find_note(notes, text_of(note, "id"));

    if (!own) {
        did->added++;
        return json_array_append_new(notes, json_deep_copy(note)) == 0 ? 1 : error_memory(e);
    }
    if (json_equal(own, note)) {
        did->known++;
        return 0;
    }
    did->changed++;
    return json_object_update(own, note) == 0 ? 1 : error_memory(e);
}

static bool is_of(const json_t *o, const char *shot)
{
    return strcmp(text_of(o, "shot"), shot) == 0;
}

static int merge_notes(const json_t *file, const char *shot, json_t *notes, struct journal *journal,
                       struct notes_import *did, struct error *e)
{
    json_t *note, *list;
    size_t i;
    int changed = 0, rc;

    json_array_foreach(json_object_get(file, "notes"), i, note)
    {
        int one = is_of(note, shot) ? take_note(notes, note, did, e) : 0;

        if (one < 0)
            return -1;
        changed |= one;
    }
    if (!changed)
        return 0;
    list = sorted(notes);
    rc = list ? remember(journal, "notes", shot, list, e) : error_memory(e);
    json_decref(list);
    return rc;
}

static int merge_verdicts(const json_t *file, const char *shot, json_t *verdicts,
                          struct journal *journal, struct notes_import *did, struct error *e)
{
    json_t *review;
    size_t i, before = did->verdicts;

    json_array_foreach(json_object_get(file, "reviews"), i, review)
    {
        const char *state = text_of(review, "state");
        int version = (int)json_integer_value(json_object_get(review, "version"));
        char number[16];

        if (!is_of(review, shot))
            continue;
        if (strcmp(state, "open") == 0)
            state = "";
        if (strcmp(notes_verdict_of(verdicts, version), state) == 0)
            continue;
        did->verdicts++;
        snprintf(number, sizeof number, "%d", version);
        if (!*state)
            json_object_del(verdicts, number);
        else if (json_object_set_new(verdicts, number, json_string(state)) != 0)
            return error_memory(e);
    }
    return did->verdicts == before ? 0 : remember(journal, "review", shot, verdicts, e);
}

/* What the journal has of a shot, to change: the view's own may be old by the next shot. */
static int begin_shot(struct journal *journal, const char *shot, json_t **notes, json_t **verdicts,
                      struct error *e)
{
    struct journal_view *view;
    int rc;

    if (journal_view_begin(journal, &view, e) != 0)
        return -1;
    rc = notes_of_shot(view, shot, notes, e);
    if (rc == 0)
        rc = notes_verdicts(view, shot, verdicts, e);
    journal_view_end(view);
    if (rc == 0 && !*notes)
        *notes = json_array();
    if (rc == 0 && !*verdicts)
        *verdicts = json_object();
    return rc == 0 && (!*notes || !*verdicts) ? error_memory(e) : rc;
}

int notes_merge(const json_t *file, const struct board *board, struct journal *journal,
                struct notes_import *did, struct error *e)
{
    struct error ending = {0};
    int rc = 0;

    *did = (struct notes_import){0};
    if (journal_batch_begin(journal, e) != 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < board->shot_count; i++) {
        const char *shot = board->shots[i].id;
        json_t *notes = NULL, *verdicts = NULL;

        rc = begin_shot(journal, shot, &notes, &verdicts, e);
        if (rc == 0)
            rc = merge_notes(file, shot, notes, journal, did, e);
        if (rc == 0)
            rc = merge_verdicts(file, shot, verdicts, journal, did, e);
        json_decref(notes);
        json_decref(verdicts);
    }
    if (journal_batch_end(journal, &ending) != 0 && rc == 0) {
        *e = ending;
        rc = -1;
    }
    return rc;
}
