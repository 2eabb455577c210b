#include <jansson.h>
#include <string.h>

#include "pipeline/handoff/sound.h"

static const char *const names[SOUND_TRACKS] = {"Narration", "Music"};

/* What the journal says: the files of a track, in order of time. NULL: none. */
static int recall(struct journal *journal, json_t **out, struct error *e)
{
    struct journal_view *view;
    const char *text = NULL;
    int rc;

    *out = NULL;
    if (journal_view_begin(journal, &view, e) != 0)
        return -1;
    rc = journal_meta_get(view, "sound", &text, e) < 0 ? -1 : 0;
    if (rc == 0 && text)
        *out = json_loads(text, 0, NULL);
    journal_view_end(view);
    return rc;
}

static bool fill_clip(const struct board *b, const json_t *file, struct arena *arena, size_t number,
                      struct clip *c)
{
    struct medium *m = arena_alloc(arena, sizeof *m);
    const char *path = json_string_value(json_object_get(file, "path"));
    const char *name = json_string_value(json_object_get(file, "name"));
    int64_t at = json_integer_value(json_object_get(file, "at"));
    int64_t frames = json_integer_value(json_object_get(file, "frames"));

    if (!m || !path || !name)
        return false;
    *m = (struct medium){.path = arena_strdup(arena, path),
                         .reel = arena_printf(arena, "SND%05zu", number % 100000),
                         .timecode = b->deliver.start + at,
                         .frames = frames,
                         .sound = true};
    *c = (struct clip){.name = arena_strdup(arena, name), .medium = m, .frames = frames};
    return m->path && m->reel && c->name;
}

/* The files with gaps between them. */
static int fill_track(const struct board *b, const json_t *files, struct arena *arena,
                      size_t *number, struct track *t, struct error *e)
{
    struct clip *clips = arena_array(arena, 2 * json_array_size(files), sizeof *clips);
    int64_t end = 0;

    t->clips = clips;
    if (!clips)
        return error_memory(e);
    for (size_t i = 0; i < json_array_size(files); i++) {
        const json_t *file = json_array_get(files, i);
        int64_t at = json_integer_value(json_object_get(file, "at"));

        if (at > end)
            clips[t->count++] = (struct clip){.name = "", .frames = at - end};
        if (!fill_clip(b, file, arena, ++*number, &clips[t->count]))
            return error_memory(e);
        end = at + clips[t->count++].frames;
    }
    return 0;
}

int sound_tracks(const struct board *b, struct journal *journal, struct arena *arena,
                 struct track tracks[SOUND_TRACKS], size_t *count, struct error *e)
{
    json_t *known;
    size_t number = 0;
    int rc = recall(journal, &known, e);

    *count = 0;
    for (size_t i = 0; rc == 0 && i < SOUND_TRACKS; i++) {
        const json_t *files = json_object_get(known, names[i]);

        if (!json_array_size(files))
            continue;
        tracks[*count] = (struct track){.name = names[i], .sound = true};
        rc = fill_track(b, files, arena, &number, &tracks[(*count)++], e);
    }
    json_decref(known);
    return rc;
}

int sound_mix(struct journal *journal, struct arena *arena, const char **path, struct error *e)
{
    json_t *known;
    const char *found;
    int rc = recall(journal, &known, e);

    if (rc != 0)
        return -1;
    found = json_string_value(
        json_object_get(json_array_get(json_object_get(known, "Mix"), 0), "path"));
    *path = arena_strdup(arena, found ? found : "");
    json_decref(known);
    return *path ? 0 : error_memory(e);
}
