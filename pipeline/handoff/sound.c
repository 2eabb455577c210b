#include "pipeline/handoff/sound.h"

#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/strbuf.h"
#include "pipeline/execute/narration.h"
#include "pipeline/execute/recipe.h"
#include "pipeline/handoff/sound_files.h"
#include "stages/sound/mix.h"
#include "stages/sound/voice.h"
#include "storyboards/recipe.h"

enum { SOUND_VERSION = 1 }; /* raise it when the same board sounds otherwise */

struct writing {
    const struct stage_env *env;
    const struct board *board;
    const struct production *production;
    struct arena arena;
    struct sound_files files;
    struct film_place *places;
    int64_t frames;             /* of the film */
    struct mix_narration *cues; /* of the shots that have one, in order of time */
    struct sound *spoken;
    size_t *shots; /* whose they are */
    size_t count;
    struct mix mix;
};

/* ---- what decides it */

static int add_narrations(const struct writing *w, struct strbuf *text, struct error *e)
{
    const struct board *b = w->board;

    for (size_t i = 0; i < w->count; i++) {
        const struct shot *shot = &b->shots[w->shots[i]];
        const struct narration *n = &shot->narration;
        struct hash128 content;
        char hex[HASH_HEX_SIZE] = "";

        if (*n->file && w->env->identify(w->env->identify_ctx, n->file, &content, e) != 0)
            return -1;
        if (*n->file)
            hash_hex(content, hex);
        strbuf_addf(text, "%s %" PRId64 " %s %s %d %zu\n", shot->id,
                    narration_begins(b, w->places, w->shots[i]), hex, n->voice, n->speed,
                    strlen(n->text));
        strbuf_add(text, n->text);
    }
    return 0;
}

static int key_of(const struct writing *w, char key[HASH_HEX_SIZE], struct error *e)
{
    const struct board *b = w->board;
    const struct board_sound *s = &b->sound;
    struct strbuf text = {0};
    struct hash128 music;
    char hex[HASH_HEX_SIZE] = "";
    int rc = add_narrations(w, &text, e);

    if (rc == 0 && *s->music) {
        rc = w->env->identify(w->env->identify_ctx, s->music, &music, e);
        if (rc == 0)
            hash_hex(music, hex);
    }
    strbuf_addf(&text, "%d %d %d/%d %" PRId64 " %" PRId64 " %s %g %g %g %g %g %g %s\n",
                SOUND_VERSION, VOICE_VERSION, b->fps.num, b->fps.den, w->frames, b->deliver.start,
                hex, s->music_volume, s->duck, s->fade_in, s->fade_out, s->loudness, s->peak,
                s->command);
    if (rc == 0 && text.failed)
        rc = error_memory(e);
    if (rc == 0)
        hash_hex(hash_bytes(text.text, text.length), key);
    strbuf_free(&text);
    return rc;
}

/* Whether all that the journal's record names is there. */
static bool is_there(const struct writing *w, const json_t *record)
{
    const char *name;
    json_t *files, *file;
    size_t i;

    json_object_foreach((json_t *)record, name, files) json_array_foreach(files, i, file)
    {
        const char *path = json_string_value(json_object_get(file, "path"));
        struct error ignored = {0};
        struct file_stat st;
        char whole[4096];

        snprintf(whole, sizeof whole, "%s/%s", w->production->dir, path ? path : "");
        if (!path || file_stat(whole, &st, &ignored) != 0 ||
            st.size != (uint64_t)json_integer_value(json_object_get(file, "size")))
            return false;
    }
    return true;
}

static int recall(struct writing *w, struct journal *journal, struct error *e)
{
    struct journal_view *view;
    const char *text = NULL;
    int rc = 0;

    if (journal_view_begin(journal, &view, e) != 0)
        return -1;
    if (journal_meta_get(view, "sound", &text, e) < 0)
        rc = -1;
    else if (text)
        w->files.was = json_loads(text, 0, NULL);
    journal_view_end(view);
    return rc;
}

/* Whether what the key stands for was made and is there. */
static bool is_made(const struct writing *w, const char *key)
{
    const char *was = json_string_value(json_object_get(w->files.was, "key"));

    return was && strcmp(was, key) == 0 && is_there(w, w->files.was);
}

/* ---- files */

static int write_file(struct writing *w, struct sound_file *file, json_t *recipe, struct error *e)
{
    return recipe_of_many("sound", recipe, &w->arena, &file->recipe, e) == 0
               ? sound_files_write(&w->files, file, e)
               : -1;
}

/* Its part of the narration's stem, from the frame on which it begins to the end of that in which
 * it ends. */
static int write_narration(struct writing *w, size_t cue, struct error *e)
{
    const struct rational fps = w->board->fps;
    const struct mix_narration *n = &w->cues[cue];
    const struct shot *shot = &w->board->shots[w->shots[cue]];
    int64_t at = narration_begins(w->board, w->places, w->shots[cue]), end = at + 1;
    struct sound part = w->mix.narration;
    struct sound_file file = {"Narration", shot->id, "narration", &part, at, 0, NULL};

    while (end < w->frames && sound_of_frame(end, fps) < n->at + n->sound->count)
        end++;
    part.samples += n->at * SOUND_CHANNELS;
    part.count = sound_of_frame(end, fps) - n->at;
    file.frames = end - at;
    return write_file(
        w, &file,
        json_pack("{s:s,s:o}", "shot", shot->id, "narration", narration_recipe(&shot->narration)),
        e);
}

static int write_all(struct writing *w, struct error *e)
{
    const char *name = w->board->name;
    struct sound_file music = {"Music", name, "music", &w->mix.music, 0, w->frames, NULL};
    struct sound_file mix = {"Mix", name, "mix", &w->mix.film, 0, w->frames, NULL};

    if (dir_make(w->files.dir, e) != 0)
        return -1;
    for (size_t i = 0; i < w->count; i++)
        if (write_narration(w, i, e) != 0)
            return -1;
    if (w->mix.music.samples &&
        write_file(w, &music, json_pack("{s:o}", "sound", sound_recipe(&w->board->sound)), e) != 0)
        return -1;
    return write_file(w, &mix, json_pack("{s:o}", "sound", sound_recipe(&w->board->sound)), e);
}

/* ---- making it */

static int mix_all(struct writing *w, struct error *e)
{
    const struct board *b = w->board;
    int64_t samples = sound_of_frame(w->frames, b->fps);
    struct sound music = {0};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < w->count; i++) {
        const struct shot *shot = &b->shots[w->shots[i]];

        rc = narration_load(b, shot, &w->spoken[i], e);
        if (rc != 0)
            error_wrap(e, "the narration of shot %s", shot->id);
        w->cues[i] = (struct mix_narration){
            &w->spoken[i], sound_of_frame(narration_begins(b, w->places, w->shots[i]), b->fps)};
    }
    if (rc == 0 && *b->sound.music)
        rc = sound_read_file(b->sound.music, b->sound.music_written, samples, &music, e);
    if (rc == 0)
        rc = mix_make(&b->sound, samples, w->cues, w->count, *b->sound.music ? &music : NULL,
                      &w->mix, e);
    sound_free(&music);
    return rc;
}

static int remember(struct writing *w, struct journal *journal, const char *key, struct error *e)
{
    char *text = NULL;
    int rc;

    if (json_object_set_new(w->files.made, "key", json_string(key)) == 0)
        text = json_dumps(w->files.made, JSON_COMPACT | JSON_SORT_KEYS);
    rc = text ? journal_meta_put(journal, "sound", text, e) : error_memory(e);
    free(text);
    return rc;
}

static int make_room(struct writing *w, struct error *e)
{
    const struct board *b = w->board;
    size_t n = b->shot_count;

    w->places = arena_array(&w->arena, n, sizeof *w->places);
    w->cues = arena_array(&w->arena, n, sizeof *w->cues);
    w->spoken = arena_array(&w->arena, n, sizeof *w->spoken);
    w->shots = arena_array(&w->arena, n, sizeof *w->shots);
    w->files.board = b;
    w->files.arena = &w->arena;
    w->files.made = json_object();
    w->files.dir = path_join(&w->arena, w->production->dir, "sound");
    if (!w->files.dir || !w->places || !w->cues || !w->spoken || !w->shots || !w->files.made)
        return error_memory(e);
    w->frames = film_lay_out(b, w->places);
    for (size_t i = 0; i < n; i++)
        if (b->shots[i].narration.line)
            w->shots[w->count++] = i;
    return 0;
}

int sound_write(const struct stage_env *env, const struct production *p, struct journal *journal,
                struct error *e)
{
    struct writing w = {.env = env, .board = env->board, .production = p};
    char key[HASH_HEX_SIZE] = "";
    bool wanted;
    int rc = -1;

    if (make_room(&w, e) != 0 || recall(&w, journal, e) != 0)
        goto done;
    wanted = w.count || *w.board->sound.music;
    if (wanted && key_of(&w, key, e) != 0)
        goto done;
    if (wanted ? is_made(&w, key) : json_object_size(w.files.was) == 0)
        rc = 0;
    else if (!wanted)
        rc = journal_meta_put(journal, "sound", "{}", e);
    else if (mix_all(&w, e) == 0 && write_all(&w, e) == 0)
        rc = remember(&w, journal, key, e);
done:
    for (size_t i = 0; w.spoken && i < w.count; i++)
        sound_free(&w.spoken[i]);
    mix_free(&w.mix);
    json_decref(w.files.was);
    json_decref(w.files.made);
    arena_free(&w.arena);
    return rc;
}
