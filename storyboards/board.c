#include "storyboards/board.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "storyboards/film.h"
#include "storyboards/problems.h"
#include "storyboards/shot.h"
#include "storyboards/sound.h"

enum { BOARD_SIZE_LIMIT = 64 << 20 };

static void read_models(struct reader *r, const struct node *n, struct board *board)
{
    struct slots slots;
    struct models_values values;
    struct model_path *models = arena_array(r->arena, GENERATED_TIERS, sizeof *models);

    object_defaults(r, &models_table, &values);
    if (!models || !n || !slots_collect(r, &models_table, n, false, &slots)) {
        r->no_memory |= !models;
        return;
    }
    object_read(r, &models_table, &slots, &values);
    for (int i = 0; i < GENERATED_TIERS; i++)
        if (slots.value[i])
            models[board->model_count++] =
                (struct model_path){tier_names[i], values.path[i], slots.value[i]->line};
    board->models = models;
}

/* An hour, as a programme's first frame has in post-production, or what the board says. */
static void read_start(struct reader *r, const struct node *n, const char *written,
                       struct deliver *d)
{
    const char *text = *written                    ? written
                       : timecode_can_drop(r->fps) ? "01:00:00;00"
                                                   : "01:00:00:00";

    d->drop = strchr(text, ';');
    if (!timecode_parse(text, r->fps, &d->start)) {
        d->start = d->handles;
        if (d->drop && !timecode_can_drop(r->fps))
            complain(r, n,
                     "drop-frame timecode is for 29.97 and 59.94 frames a second; write '%.11s' "
                     "with a colon",
                     text);
        else
            complain(r, n, "'%.40s' is no timecode: write \"hh:mm:ss%cff\", frames to %d%s", text,
                     d->drop ? ';' : ':', (r->fps.num - 1) / r->fps.den,
                     d->drop ? "; drop-frame counting leaves out a minute's first numbers, but for "
                               "every tenth minute's"
                             : "");
    } else if (d->start < d->handles) {
        complain(r, n, "'start' leaves no room for %d frames of handles before it", d->handles);
    }
}

static bool has_codec(const struct deliver *d, enum deliver_codec codec)
{
    for (int i = 0; i < d->codecs.count; i++)
        if (d->codecs.items[i] == (int)codec)
            return true;
    return false;
}

static void read_deliver(struct reader *r, const struct node *n, struct board *board)
{
    struct slots slots = {0};
    struct deliver_values values;

    object_defaults(r, &deliver_table, &values);
    if (n && slots_collect(r, &deliver_table, n, false, &slots))
        object_read(r, &deliver_table, &slots, &values);
    board->deliver = values.deliver;
    if (deliver_main(&board->deliver) < 0 && board->deliver.timeline != TIMELINE_NONE)
        complain(r, slots.value[DELIVER_ROW_CODEC],
                 "timelines refer to films, and 'codec' has pictures alone; add prores or h264 to "
                 "it, or write timeline: none");
    else if (deliver_main(&board->deliver) < 0 && slots.value[DELIVER_ROW_FILM] &&
             board->deliver.film != FILM_NONE)
        complain(r, slots.value[DELIVER_ROW_FILM],
                 "the rough cut is made of films, and 'codec' has pictures alone; add prores or "
                 "h264 to it, or write film: none");
    else if (slots.value[DELIVER_ROW_CODEC] && !has_codec(&board->deliver, DELIVER_H264) &&
             board->deliver.proxy == PROXY_NONE)
        caution(r, slots.value[DELIVER_ROW_CODEC],
                "few browsers play what 'codec' asks for, so the review page may show posters "
                "alone: add h264, or proxy: burn-in");
    if (slots.value[DELIVER_ROW_TIMELINE] && !timecode_has_rate(r->fps) &&
        board->deliver.timeline != TIMELINE_NONE && board->deliver.timeline != TIMELINE_FINAL_CUT)
        complain(
            r, slots.value[DELIVER_ROW_TIMELINE],
            "%g frames a second cannot be said in an EDL or in Final Cut 7 XML, which know the "
            "rates of timecode (23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60); write one of these "
            "as fps, or timeline: final-cut or none",
            (double)r->fps.num / r->fps.den);
    r->handles = board->deliver.handles;
    read_start(r, slots.value[DELIVER_ROW_START] ? slots.value[DELIVER_ROW_START] : n, values.start,
               &board->deliver);
}

struct named {
    const char *id;
    const struct node *at;
};

static int compare_named(const void *left, const void *right)
{
    const struct named *a = left, *b = right;
    int order = strcasecmp(a->id, b->id);

    if (order)
        return order;
    if (a->at->line != b->at->line)
        return a->at->line < b->at->line ? -1 : 1;
    return (a->at->column > b->at->column) - (a->at->column < b->at->column);
}

/* Ids name folders, and some file systems do not tell A from a. */
static void check_ids(struct reader *r, struct named *named, size_t count)
{
    if (count)
        qsort(named, count, sizeof *named, compare_named);
    for (size_t i = 1; i < count; i++)
        if (!strcasecmp(named[i].id, named[i - 1].id))
            complain(r, named[i].at, "the id '%s' is taken: %s%s%s stands on line %d", named[i].id,
                     strcmp(named[i].id, named[i - 1].id) ? "'" : "",
                     strcmp(named[i].id, named[i - 1].id) ? named[i - 1].id : "it",
                     strcmp(named[i].id, named[i - 1].id) ? "'" : "", named[i - 1].at->line);
}

/* Timecode begins anew at midnight, and what lies across it reads back as negative. */
static void check_midnight(struct reader *r, const struct board *b, const struct film_place *places,
                           const struct node *const *at)
{
    const struct deliver *d = &b->deliver;
    int64_t day = timecode_day(b->fps, d->drop);
    char start[TIMECODE_SIZE];

    timecode_format(d->start, b->fps, d->drop, start);
    for (size_t i = 0; i < b->shot_count; i++)
        if (d->start + places[i].at + places[i].frames + d->handles >= day) {
            complain(r, at[i],
                     "the film begins at %s and shot '%s' would end it at midnight or later, "
                     "where timecode begins anew: write an earlier 'start' under deliver",
                     start, b->shots[i].id);
            return;
        }
}

/* Every transition finds its frames in the two shots beside it, and the film ends in its day. */
static void check_film(struct reader *r, const struct board *b, const struct node *const *at)
{
    struct film_place *places = arena_array(r->scratch, b->shot_count, sizeof *places);

    if (!places) {
        r->no_memory = true;
        return;
    }
    film_lay_out(b, places);
    for (size_t i = 0; i < b->shot_count; i++) {
        bool last = i + 1 == b->shot_count;
        int next = last ? 0 : places[i + 1].before, over = places[i].after + next;
        int frames = b->shots[i].frames - 2 * b->deliver.handles;

        if (!film_place_holds(&places[i], next))
            complain(r, at[i],
                     "the transitions at shot '%s' take %d of its frames and it has %d: make them "
                     "shorter or the shot longer%s",
                     b->shots[i].id, frames - places[i].frames + (over > 1 ? over : 1), frames,
                     b->deliver.handles ? "" : ", or give handles");
    }
    check_midnight(r, b, places, at);
}

static void read_shots(struct reader *r, const struct node *list, struct shot_defaults *defaults,
                       struct board *board)
{
    struct shot *shots;
    struct named *named;
    const struct node **at;
    size_t count = 0;

    if (list->kind != NODE_LIST || !list->count) {
        complain(r, list, "'shots' must be a list of at least one shot, each beginning with '- '");
        return;
    }
    shots = arena_array(r->arena, list->count, sizeof *shots);
    named = arena_array(r->scratch, list->count, sizeof *named);
    at = arena_array(r->scratch, list->count, sizeof *at);
    if (!shots || !named || !at) {
        r->no_memory = true;
        return;
    }
    for (const struct node *n = list->first; n && !r->no_memory; n = n->next) {
        struct shot *shot = &shots[board->shot_count++];

        at[shot - shots] = node_value(n);
        shot_read(r, node_value(n), defaults, shot);
        if (*shot->id)
            named[count++] = (struct named){shot->id, node_value(n)};
    }
    check_ids(r, named, count);
    if (!shots[0].transition.line) { /* what `defaults` say lies between shots */
        shots[0].transition.kind = TRANSITION_CUT;
        shots[0].transition.frames = 0;
    }
    board->shots = shots;
    if (!r->problems->errors)
        check_film(r, board, at);
}

/* The file's name without its ending, as an id. */
static const char *name_of_path(struct reader *r, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    size_t length = dot && dot != base ? (size_t)(dot - base) : strlen(base);
    char *name;

    if (length > 64)
        length = 64;
    name = arena_strndup(r->arena, base, length);
    if (!name) {
        r->no_memory = true;
        return "";
    }
    for (char *c = name; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *c))
            *c = '-';
    while (*name == '-' || *name == '_')
        name++;
    return *name ? name : "storyboard";
}

/* Any file of text is YAML; one complaint is better than one a line. */
static bool looks_like_board(struct reader *r, const struct node *root)
{
    const char *names[FIELDS_LIMIT];
    int keys = 0;

    if (root->kind != NODE_MAP) {
        complain(r, root, "this is not a storyboard: it must be a mapping with at least 'shots'");
        return false;
    }
    for (size_t i = 0; i < board_table.count; i++)
        names[i] = board_table.fields[i].name;
    for (const struct node *k = root->first; k; k = k->next->next, keys++) {
        const struct node *key = node_value(k);

        if (key->kind == NODE_SCALAR &&
            (table_find(&board_table, key->text, key->count) >= 0 || !strcmp(key->text, "<<") ||
             (keys < 16 && suggest(key->text, names, board_table.count))))
            return true;
    }
    complain(r, root,
             "this is not a storyboard: none of its keys is one of name, fps, size, shots");
    return false;
}

static void read_root(struct reader *r, const struct node *root, struct board *board)
{
    struct board_values values;
    struct slots slots;
    struct shot_defaults defaults;

    if (!looks_like_board(r, root) || !slots_collect(r, &board_table, root, false, &slots))
        return;
    object_defaults(r, &board_table, &values);
    object_read(r, &board_table, &slots, &values);
    r->fps = board->fps = values.fps;
    board->width = values.size[0];
    board->height = values.size[1];
    board->name = slots.value[BOARD_ROW_NAME] ? values.name : name_of_path(r, board->path);
    read_models(r, slots.value[BOARD_ROW_MODELS], board);
    read_deliver(r, slots.value[BOARD_ROW_DELIVER], board);
    sound_read(r, slots.value[BOARD_ROW_SOUND], &board->sound);
    shot_read_defaults(r, slots.value[BOARD_ROW_DEFAULTS], &values, &defaults);
    if (slots.value[BOARD_ROW_SHOTS])
        read_shots(r, slots.value[BOARD_ROW_SHOTS], &defaults, board);
}

/* board->path and board->dir: absolute, without asking whether the file exists. */
static int set_place(struct board *board, const char *path, struct error *e)
{
    char *cwd = *path == '/' ? NULL : getcwd(NULL, 0);

    if (!cwd && *path != '/')
        return error_errno(e, errno, "find the current folder for", path);
    board->path = path_join(&board->arena, cwd ? cwd : "/", path);
    free(cwd);
    if (board->path) {
        size_t length = (size_t)(strrchr(board->path, '/') - board->path);

        board->dir = arena_strndup(&board->arena, board->path, length ? length : 1);
    }
    return board->path && board->dir ? 0 : error_memory(e);
}

static int sum_up(const struct board_problems *p, const char *path, struct error *e)
{
    for (size_t i = 0; i < p->count; i++)
        if (!p->items[i].warning)
            return error_set(e, ERROR_INPUT, "%s:%d:%d: %s%s", path, p->items[i].line,
                             p->items[i].column, p->items[i].message,
                             p->errors > 1 ? " (and more)" : "");
    return error_set(e, ERROR_INPUT, "%s: %zu errors", path, p->errors);
}

int board_read_bytes(const char *bytes, size_t size, const char *path, struct board *board,
                     struct board_problems *problems, struct error *e)
{
    struct arena scratch = {0};
    struct reader r = {.problems = problems, .scratch = &scratch, .arena = &board->arena};
    const struct node *root = NULL;
    int rc = -1;

    *board = (struct board){.name = ""};
    *problems = (struct board_problems){0};
    if (size > BOARD_SIZE_LIMIT)
        return error_set(e, ERROR_INPUT, "%s is %zu bytes; a storyboard has at most %d", path, size,
                         BOARD_SIZE_LIMIT);
    if (set_place(board, path, e) != 0) {
        board_free(board);
        return -1;
    }
    r.dir = board->dir;
    root = tree_read(bytes, size, &scratch, problems, &r.no_memory);
    if (root)
        read_root(&r, root, board);
    problems_sort(problems);
    if (r.no_memory)
        error_memory(e);
    else if (problems->errors)
        sum_up(problems, path, e);
    else
        rc = 0;
    arena_free(&scratch);
    if (rc != 0)
        board_free(board);
    return rc;
}

int board_read(const char *path, struct board *board, struct board_problems *problems,
               struct error *e)
{
    char *bytes = NULL;
    size_t size = 0;
    int rc;

    *board = (struct board){.name = ""};
    *problems = (struct board_problems){0};
    if (file_read(path, BOARD_SIZE_LIMIT, &bytes, &size, e) != 0)
        return -1;
    rc = board_read_bytes(bytes, size, path, board, problems, e);
    free(bytes);
    return rc;
}

void board_lengthen(struct board *board, size_t shot, int frames)
{
    /* Both are the arena's own memory, const to everybody else. */
    struct shot *s = (struct shot *)&board->shots[shot];
    struct overlay *overlays = (struct overlay *)s->overlays;
    double more = frames_to_seconds(frames - s->frames, board->fps);
    double end = frames_to_seconds(s->frames - board->deliver.handles, board->fps);
    double half = frames_to_seconds(1, board->fps) / 2;

    for (size_t i = 0; i < s->overlay_count; i++)
        if (overlays[i].out > end - half)
            overlays[i].out += more;
    s->frames = frames;
}

void board_free(struct board *board)
{
    if (!board)
        return;
    arena_free(&board->arena);
    *board = (struct board){.name = ""};
}
