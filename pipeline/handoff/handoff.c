#include "pipeline/handoff/handoff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "pipeline/handoff/timeline.h"
#include "stages/stage.h"
#include "storyboards/film.h"

enum { TIMELINE_SIZE_LIMIT = 1 << 28, REEL_SIZE = 9 };

struct handoff {
    const struct board *board;
    const struct production *production;
    struct arena arena;
    struct film_place *places;
    struct medium *media;    /* one a shot; path NULL: not delivered */
    struct hash128 *digests; /* of media's contents */
    char (*reels)[REEL_SIZE];
    struct clip *clips;
    struct marker *markers;
    struct track track;
    struct timeline timeline;
};

static int make_room(struct handoff *h, struct error *e)
{
    size_t n = h->board->shot_count;

    h->places = arena_array(&h->arena, n, sizeof *h->places);
    h->media = arena_array(&h->arena, n, sizeof *h->media);
    h->digests = arena_array(&h->arena, n, sizeof *h->digests);
    h->reels = arena_array(&h->arena, n, sizeof *h->reels);
    h->clips = arena_array(&h->arena, n, sizeof *h->clips);
    h->markers = arena_array(&h->arena, n, sizeof *h->markers);
    return h->places && h->media && h->digests && h->reels && h->clips && h->markers
               ? 0
               : error_memory(e);
}

/* An id as a reel: capitals, digits, '_', at most eight; a number where that is taken. */
static void name_reel(struct handoff *h, size_t shot)
{
    const char *id = h->board->shots[shot].id;
    char *reel = h->reels[shot];
    size_t n = 0;

    for (; *id && n + 1 < REEL_SIZE; id++)
        reel[n++] = *id >= 'a' && *id <= 'z'                                   ? *id - 'a' + 'A'
                    : (*id >= 'A' && *id <= 'Z') || (*id >= '0' && *id <= '9') ? *id
                                                                               : '_';
    for (size_t i = 0; i < shot; i++)
        if (strcmp(h->reels[i], reel) == 0) {
            snprintf(reel, REEL_SIZE, "S%07zu", (shot + 1) % 10000000);
            break;
        }
}

static bool is_film(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot && (strcmp(dot, ".mp4") == 0 || strcmp(dot, ".mov") == 0);
}

/* The delivered film of a shot, if there is one. */
static int find_medium(struct handoff *h, struct journal_view *view, size_t shot, struct error *e)
{
    const struct board *b = h->board;
    struct medium *m = &h->media[shot];
    struct stage_record r;
    int found = journal_get(view, b->shots[shot].id, stage_encode.name, &r, e);

    if (found <= 0 || r.status != RECORD_DONE)
        return found < 0 ? -1 : 0;
    for (size_t i = 0; i < r.artefact_count && !m->path; i++)
        if (is_film(r.artefacts[i].path)) {
            m->path = arena_strdup(&h->arena, r.artefacts[i].path);
            if (!m->path)
                return error_memory(e);
            h->digests[shot] = r.artefacts[i].digest;
        }
    name_reel(h, shot);
    m->reel = h->reels[shot];
    m->timecode = b->deliver.start - b->deliver.handles;
    m->frames = b->shots[shot].frames;
    m->video = true;
    return 0;
}

static int find_media(struct handoff *h, struct journal *journal, struct error *e)
{
    struct journal_view *view;
    int rc = 0;

    if (journal_view_begin(journal, &view, e) != 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < h->board->shot_count; i++)
        rc = find_medium(h, view, i, e);
    journal_view_end(view);
    return rc;
}

static void fill_clip(struct handoff *h, size_t i)
{
    const struct shot *shot = &h->board->shots[i];
    const struct film_place *p = &h->places[i];
    bool there = h->media[i].path, both = there && (i == 0 || h->media[i - 1].path);
    struct clip *c = &h->clips[i];

    h->markers[i] = (struct marker){0, shot->id, shot->prompt};
    *c = (struct clip){.name = shot->id,
                       .medium = there ? &h->media[i] : NULL,
                       .in = p->in,
                       .frames = p->frames,
                       .markers = &h->markers[i],
                       .marker_count = there && *shot->prompt};
    if (both && shot->transition.kind != TRANSITION_CUT)
        c->from = (struct transition){shot->transition.kind, p->before, p->after};
}

static void fill(struct handoff *h)
{
    const struct board *b = h->board;

    film_lay_out(b, h->places);
    for (size_t i = 0; i < b->shot_count; i++)
        fill_clip(h, i);
    h->track = (struct track){"V1", false, h->clips, b->shot_count};
    h->timeline = (struct timeline){.name = b->name,
                                    .fps = b->fps,
                                    .drop = b->deliver.drop,
                                    .width = b->width,
                                    .height = b->height,
                                    .start = b->deliver.start,
                                    .root = h->production->dir,
                                    .tracks = &h->track,
                                    .count = 1};
}

static bool says_so_already(const char *path, const char *text)
{
    struct error ignored = {0};
    size_t size;
    char *bytes;
    bool same;

    if (file_read(path, TIMELINE_SIZE_LIMIT, &bytes, &size, &ignored) != 0)
        return false;
    same = size == strlen(text) && memcmp(bytes, text, size) == 0;
    free(bytes);
    return same;
}

#define FOR(which) (1u << (which))
static const struct {
    const char *ending;
    char *(*text)(const struct timeline *t, struct error *e);
    unsigned wanted; /* by these of deliver's `timeline` */
} formats[] = {
    {"otio", timeline_otio, FOR(TIMELINE_ALL) | FOR(TIMELINE_RESOLVE)},
    {"edl", timeline_edl, FOR(TIMELINE_ALL) | FOR(TIMELINE_RESOLVE) | FOR(TIMELINE_AVID)},
    {"xml", timeline_fcp7, FOR(TIMELINE_ALL) | FOR(TIMELINE_PREMIERE)},
    {"fcpxml", timeline_fcpxml,
     FOR(TIMELINE_ALL) | FOR(TIMELINE_RESOLVE) | FOR(TIMELINE_FINAL_CUT)},
};

static int write_format(struct handoff *h, size_t i, struct error *e)
{
    char *path =
        arena_printf(&h->arena, "%s/%s.%s", h->production->dir, h->board->name, formats[i].ending);
    char *text;
    int rc = 0;

    if (!path)
        return error_memory(e);
    if (!(formats[i].wanted & FOR(h->board->deliver.timeline)))
        return path_remove(path, e);
    text = formats[i].text(&h->timeline, e);
    if (!text)
        return -1;
    if (!says_so_already(path, text))
        rc = file_write_atomic(path, text, strlen(text), e);
    free(text);
    return rc;
}

int handoff_write(struct handoff *h, struct error *e)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof formats / sizeof formats[0]; i++)
        rc = write_format(h, i, e);
    return rc;
}

int handoff_open(const struct board *b, const struct production *p, struct journal *journal,
                 struct handoff **out, struct error *e)
{
    struct handoff *h = calloc(1, sizeof *h);

    if (!h)
        return error_memory(e);
    h->board = b;
    h->production = p;
    if (make_room(h, e) != 0 || find_media(h, journal, e) != 0)
        goto failed;
    fill(h);
    if (timeline_fits(&h->timeline, e) != 0)
        goto failed;
    *out = h;
    return 0;
failed:
    handoff_close(h);
    return -1;
}

void handoff_close(struct handoff *h)
{
    if (!h)
        return;
    arena_free(&h->arena);
    free(h);
}

const struct board *handoff_board(const struct handoff *h)
{
    return h->board;
}

const struct timeline *handoff_timeline(const struct handoff *h)
{
    return &h->timeline;
}

struct hash128 handoff_digest(const struct handoff *h, size_t shot)
{
    return h->digests[shot];
}
