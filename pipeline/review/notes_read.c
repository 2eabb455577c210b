/* A file that the page exported, read and checked whole before anything is taken of it. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/suggest.h"
#include "pipeline/review/notes.h"

enum { FILE_LIMIT = 64 << 20, ID_MOST = 100, TEXT_MOST = 20000, NUMBER_MOST = 100000000 };

static const char FORMAT[] = "auteur-pipe notes";
#define MEND "export it again with the review page's button"

struct reading {
    const char *path;
    const struct board *board;
    const struct production *production;
    char place[64]; /* "notes[3]" */
    struct error *e;
};

static int wrong(const struct reading *r, const char *name, const char *wanted)
{
    return error_set(r->e, ERROR_INPUT, "%s: %s.%s %s: " MEND, r->path, r->place, name, wanted);
}

static int need_text(const struct reading *r, const json_t *o, const char *name, size_t least,
                     size_t most)
{
    const json_t *v = json_object_get(o, name);

    if (!json_is_string(v))
        return wrong(r, name, "is not a text");
    if (json_string_length(v) < least)
        return wrong(r, name, "is empty");
    return json_string_length(v) <= most ? 0 : wrong(r, name, "is too long");
}

static int need_number(const struct reading *r, const json_t *o, const char *name, json_int_t least)
{
    const json_t *v = json_object_get(o, name);
    json_int_t n = json_integer_value(v);

    return json_is_integer(v) && n >= least && n <= NUMBER_MOST
               ? 0
               : wrong(r, name, least ? "is not a whole number from 1" : "is not a whole number");
}

static int need_shot(const struct reading *r, const json_t *o)
{
    const char *id = json_string_value(json_object_get(o, "shot"));
    struct suggestion s = {.word = id ? id : ""};

    if (!id)
        return wrong(r, "shot", "is not a text");
    for (size_t i = 0; i < r->board->shot_count; i++) {
        if (strcmp(r->board->shots[i].id, id) == 0)
            return 0;
        suggest_offer(&s, r->board->shots[i].id);
    }
    return error_set(r->e, ERROR_INPUT,
                     "%s: %s: the board %s has no shot '%s'%s%s%s: take it out of the file, or run "
                     "the board that has it",
                     r->path, r->place, r->board->name, id, s.best ? " (did you mean " : "",
                     s.best ? s.best : "", s.best ? "?)" : "");
}

/* A version that was delivered, by its sheet beside the film; *frames: how many it has, 0 where the
 * sheet does not say. */
static int need_version(const struct reading *r, const json_t *o, int *frames)
{
    const char *shots = r->production->shots;
    const char *id = json_string_value(json_object_get(o, "shot"));
    int number = (int)json_integer_value(json_object_get(o, "version"));
    char path[PATH_MAX];
    json_t *sheet;

    *frames = 0;
    if (need_number(r, o, "version", 1) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/%s/%s_v%03d.json", shots, id, id, number);
    if (number == 1 && !path_exists(path))
        snprintf(path, sizeof path, "%s/%s/%s.json", shots, id, id);
    if (!path_exists(path))
        return error_set(r->e, ERROR_INPUT,
                         "%s: %s: shot '%s' has no version %d: take it out of the file, or name "
                         "the production that has it",
                         r->path, r->place, id, number);
    sheet = json_load_file(path, 0, NULL);
    json_unpack(sheet, "{s:{s:i}}", "asked", "frames", frames);
    json_decref(sheet);
    return 0;
}

static int check_note(const struct reading *r, const json_t *o)
{
    int frames;

    if (need_shot(r, o) != 0 || need_text(r, o, "id", 1, ID_MOST) != 0 ||
        need_version(r, o, &frames) != 0 || need_number(r, o, "frame", 0) != 0)
        return -1;
    if (frames && json_integer_value(json_object_get(o, "frame")) >= frames)
        return wrong(r, "frame", "is behind the film's last");
    return need_text(r, o, "timecode", 0, ID_MOST) != 0 ||
                   need_text(r, o, "text", 1, TEXT_MOST) != 0 ||
                   need_text(r, o, "author", 0, ID_MOST * 4) != 0 ||
                   need_text(r, o, "created", 0, ID_MOST) != 0
               ? -1
               : 0;
}

static int check_review(const struct reading *r, const json_t *o)
{
    static const char *const states[] = {"approved", "rejected", "open"};
    const char *state = json_string_value(json_object_get(o, "state"));

    int frames;

    if (need_shot(r, o) != 0 || need_version(r, o, &frames) != 0)
        return -1;
    for (size_t i = 0; state && i < sizeof states / sizeof *states; i++)
        if (strcmp(states[i], state) == 0)
            return 0;
    return wrong(r, "state", "is none of approved, rejected and open");
}

static int check_list(struct reading *r, const json_t *root, const char *name,
                      int (*check)(const struct reading *r, const json_t *o))
{
    const json_t *list = json_object_get(root, name), *o;
    size_t i;

    if (!json_is_array(list))
        return error_set(r->e, ERROR_INPUT, "%s: %s is not a list: " MEND, r->path, name);
    json_array_foreach(list, i, o)
    {
        snprintf(r->place, sizeof r->place, "%s[%zu]", name, i);
        if (check(r, o) != 0)
            return -1;
    }
    return 0;
}

static int check(struct reading *r, const json_t *root)
{
    const char *format = json_string_value(json_object_get(root, "format"));
    const char *board = json_string_value(json_object_get(root, "board"));
    json_int_t version = json_integer_value(json_object_get(root, "version"));

    if (!format || strcmp(format, FORMAT) != 0)
        return error_set(r->e, ERROR_INPUT,
                         "%s is no notes of a review page (its \"format\" is not \"%s\"): " MEND,
                         r->path, FORMAT);
    if (version != 1)
        return error_set(r->e, ERROR_INPUT,
                         "%s: version %d of notes is not read here: take a newer auteur-pipe",
                         r->path, (int)version);
    if (!board || strcmp(board, r->board->name) != 0)
        return error_set(r->e, ERROR_INPUT,
                         "%s is of the board '%s', not of '%s': name its own production after the "
                         "file",
                         r->path, board ? board : "", r->board->name);
    return check_list(r, root, "notes", check_note) == 0
               ? check_list(r, root, "reviews", check_review)
               : -1;
}

int notes_read(const char *path, const struct board *board, const struct production *p,
               json_t **out, struct error *e)
{
    struct reading r = {.path = path, .board = board, .production = p, .e = e};
    json_error_t bad;
    json_t *root;
    char *text;
    size_t size;

    if (file_read(path, FILE_LIMIT, &text, &size, e) != 0) {
        e->code = ERROR_INPUT;
        return -1;
    }
    root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &bad);
    free(text);
    if (!root)
        return error_set(e, ERROR_INPUT, "%s:%d:%d: this is no JSON (%s): " MEND, path, bad.line,
                         bad.column, bad.text);
    if (check(&r, root) == 0) {
        *out = root;
        return 0;
    }
    json_decref(root);
    return -1;
}
