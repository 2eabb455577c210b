#include "pipeline/handoff/handoff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "pipeline/execute/versions.h"
#include "pipeline/handoff/sound.h"
#include "pipeline/handoff/timeline.h"
#include "stages/media/media.h"
#include "storyboards/film.h"

enum { TRACKS = 2 + SOUND_TRACKS };

/* What a shot delivered, as timelines refer to it. A path of NULL: there is none. */
struct media {
    struct medium film, textless, titles;
    struct hash128 digest; /* of the film's content */
};

struct handoff {
    const struct board *board;
    const struct production *production;
    struct arena arena;
    struct film_place *places;
    struct media *media; /* one a shot */
    char (*reels)[MEDIA_REEL_SIZE];
    struct marker *markers;
    struct clip *clips[3]; /* films; textless films where there are titles; titles */
    struct track flat_tracks[TRACKS], layered_tracks[TRACKS];
    /* Burned-in films; and textless films under their titles, the same where nothing has any. */
    struct timeline flat, layered;
    const char *mix; /* of the sound, a path; NULL: none */
};

static int make_room(struct handoff *h, struct error *e)
{
    size_t n = h->board->shot_count;
    bool room = true;

    h->places = arena_array(&h->arena, n, sizeof *h->places);
    h->media = arena_array(&h->arena, n, sizeof *h->media);
    h->reels = arena_array(&h->arena, n, sizeof *h->reels);
    h->markers = arena_array(&h->arena, n, sizeof *h->markers);
    for (int i = 0; i < 3; i++) {
        h->clips[i] = arena_array(&h->arena, n, sizeof *h->clips[i]);
        room &= h->clips[i] != NULL;
    }
    return h->places && h->media && h->reels && h->markers && room ? 0 : error_memory(e);
}

/* A version that does not hold what the film shows of the shot now cannot stand in it. */
static bool holds(const struct board *b, const struct shot *shot, const struct version *v)
{
    return v->frames == shot->frames && v->timecode == b->deliver.start - b->deliver.handles;
}

/* The version that timelines are to show, or where that is of another length the newest that is
 * not. */
static const struct version *version_shown(const struct board *b, const struct shot *shot,
                                           const struct versions *all)
{
    const struct version *found = versions_shown(all);

    if (!found || holds(b, shot, found))
        return found;
    found = NULL;
    for (size_t i = 0; i < all->count; i++)
        if (holds(b, shot, &all->items[i]) && (!found || all->items[i].turn > found->turn))
            found = &all->items[i];
    return found;
}

static struct medium medium_of(const struct handoff *h, const struct version *v, size_t shot,
                               const char *what)
{
    static const char *const endings[] = {"mp4", "mov"};
    char name[64];

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        const struct version_file *file;

        snprintf(name, sizeof name, "deliver.%s%s", what, endings[i]);
        file = version_file(v, name);
        if (file)
            return (struct medium){.path = file->path,
                                   .reel = h->reels[shot],
                                   .timecode = v->timecode,
                                   .frames = v->frames,
                                   .video = true,
                                   .alpha = strcmp(what, "titles.") == 0};
    }
    return (struct medium){.path = NULL};
}

static int find_medium(struct handoff *h, struct journal_view *view, size_t i, struct error *e)
{
    const struct shot *shot = &h->board->shots[i];
    const struct version *shown;
    const struct version_file *film;
    struct versions versions;

    if (versions_read(view, shot->id, &h->arena, &versions, e) != 0)
        return -1;
    shown = version_shown(h->board, shot, &versions);
    if (!shown)
        return 0;
    media_reel(shot->id, h->reels[i]);
    h->media[i].film = medium_of(h, shown, i, "");
    h->media[i].textless = medium_of(h, shown, i, "textless.");
    h->media[i].titles = medium_of(h, shown, i, "titles.");
    film = version_file(shown, "deliver.mp4");
    film = film ? film : version_file(shown, "deliver.mov");
    if (film)
        h->media[i].digest = film->digest;
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
    const struct media *m = &h->media[i];
    bool there = m->film.path, both = there && (i == 0 || h->media[i - 1].film.path);
    bool layered = m->textless.path && m->titles.path;
    struct clip c = {.name = shot->id, .in = p->in, .frames = p->frames};

    h->clips[2][i] = c;
    if (layered)
        h->clips[2][i].medium = &m->titles;
    h->markers[i] = (struct marker){0, shot->id, shot->prompt};
    c.markers = &h->markers[i];
    c.marker_count = there && *shot->prompt;
    if (both && shot->transition.kind != TRANSITION_CUT)
        c.from = (struct transition){shot->transition.kind, p->before, p->after};
    c.medium = there ? &m->film : NULL;
    h->clips[0][i] = c;
    c.medium = layered ? &m->textless : c.medium;
    h->clips[1][i] = c;
}

static struct timeline timeline_of(const struct handoff *h, const struct track *tracks,
                                   size_t count)
{
    const struct board *b = h->board;

    return (struct timeline){.name = b->name,
                             .fps = b->fps,
                             .drop = b->deliver.drop,
                             .width = b->width,
                             .height = b->height,
                             .start = b->deliver.start,
                             .root = h->production->dir,
                             .tracks = tracks,
                             .count = count};
}

/* A transition over a cut of the pictures, told to the titles above it. Where only one side has any
 * they come out of nothing or go into it, for as long as the pictures show them: a dip to black
 * shows each shot on its own side of the cut alone. */
static void join_titles(struct clip *titles, size_t i, const struct transition *under)
{
    struct clip *before = i ? &titles[i - 1] : NULL, *after = &titles[i];
    bool leaves = before && before->medium, comes = after->medium, dips;

    if (under->kind == TRANSITION_CUT || (!leaves && !comes))
        return;
    after->from = *under;
    if (leaves && comes)
        return;
    dips = under->kind == TRANSITION_FADE;
    if (dips)
        after->from.kind = TRANSITION_DISSOLVE;
    if (comes) {
        int64_t early = dips || !before ? 0 : under->before;

        if (before && early >= before->frames) /* transitions have something between them */
            early = before->frames - 1;
        after->in -= early;
        after->frames += early;
        if (before)
            before->frames -= early;
        after->from.before = 0;
        after->from.after = early + under->after;
    } else {
        int64_t late = dips ? 0 : under->after;

        if (late >= after->frames)
            late = after->frames - 1;
        before->frames += late;
        after->frames -= late;
        after->from.before = under->before + late;
        after->from.after = 0;
    }
}

static int fill(struct handoff *h, struct journal *journal, struct error *e)
{
    size_t n = h->board->shot_count, pictures = 1, sounds;
    struct track sound[SOUND_TRACKS];

    if (sound_tracks(h->board, journal, &h->arena, sound, &sounds, e) != 0)
        return -1;
    film_lay_out(h->board, h->places);
    for (size_t i = 0; i < n; i++) {
        fill_clip(h, i);
        if (h->clips[2][i].medium)
            pictures = 2;
    }
    for (size_t i = 0; i < n; i++)
        join_titles(h->clips[2], i, &h->clips[0][i].from);
    h->flat_tracks[0] = (struct track){"V1", false, h->clips[0], n};
    h->layered_tracks[0] = (struct track){"V1", false, h->clips[1], n};
    h->layered_tracks[1] = (struct track){"Titles", false, h->clips[2], n};
    for (size_t i = 0; i < sounds; i++)
        h->flat_tracks[1 + i] = h->layered_tracks[pictures + i] = sound[i];
    h->flat = timeline_of(h, h->flat_tracks, 1 + sounds);
    h->layered = timeline_of(h, h->layered_tracks, pictures + sounds);
    return 0;
}

#define FOR(which) (1u << (which))
static const struct {
    const char *ending;
    char *(*text)(const struct timeline *t, struct error *e);
    unsigned wanted; /* by these of deliver's `timeline` */
    bool flat;       /* it has room for one track of pictures */
    bool any_rate;   /* it can say rates that are no timecode's */
} formats[] = {
    {"otio", timeline_otio, FOR(TIMELINE_ALL) | FOR(TIMELINE_RESOLVE), false, true},
    {"edl", timeline_edl, FOR(TIMELINE_ALL) | FOR(TIMELINE_RESOLVE) | FOR(TIMELINE_AVID), true,
     false},
    {"xml", timeline_fcp7, FOR(TIMELINE_ALL) | FOR(TIMELINE_PREMIERE), false, false},
    {"fcpxml", timeline_fcpxml, FOR(TIMELINE_ALL) | FOR(TIMELINE_RESOLVE) | FOR(TIMELINE_FINAL_CUT),
     false, true},
};

static bool is_wanted(const struct board *b, size_t format)
{
    return (formats[format].wanted & FOR(b->deliver.timeline)) &&
           (formats[format].any_rate || timecode_has_rate(b->fps));
}

static char *path_of(const struct board *b, const struct production *p, size_t format,
                     struct arena *arena)
{
    return arena_printf(arena, "%s/%s.%s", p->dir, b->name, formats[format].ending);
}

bool handoff_is_as_left(const struct board *b, const struct production *p, uint64_t since)
{
    struct error ignored = {0};
    bool same = true;

    for (size_t i = 0; same && i < sizeof formats / sizeof formats[0]; i++) {
        struct arena arena = {0};
        struct file_stat st;
        char *path = path_of(b, p, i, &arena);

        if (is_wanted(b, i))
            same = path && file_stat(path, &st, &ignored) == 0 && st.mtime_ns <= since;
        arena_free(&arena);
    }
    return same;
}

static int write_format(struct handoff *h, size_t i, struct error *e)
{
    char *path = path_of(h->board, h->production, i, &h->arena);
    char *text;
    int rc = 0;

    if (!path)
        return error_memory(e);
    if (!is_wanted(h->board, i))
        return path_remove(path, e);
    text = formats[i].text(formats[i].flat ? &h->flat : &h->layered, e);
    if (!text)
        return -1;
    rc = file_update(path, text, strlen(text), e);
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
    if (make_room(h, e) != 0 || find_media(h, journal, e) != 0 || fill(h, journal, e) != 0 ||
        sound_mix(p, journal, &h->arena, &h->mix, e) != 0 || timeline_fits(&h->flat, e) != 0)
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
    return &h->flat;
}

const char *handoff_mix(const struct handoff *h)
{
    return h->mix;
}

struct hash128 handoff_digest(const struct handoff *h, size_t shot)
{
    return h->media[shot].digest;
}

int handoff_update(const struct board *b, const struct production *p, struct journal *journal,
                   struct error *e)
{
    struct handoff *h;
    int rc = handoff_open(b, p, journal, &h, e);

    if (rc == 0) {
        rc = handoff_write(h, e);
        handoff_close(h);
    }
    return rc;
}
