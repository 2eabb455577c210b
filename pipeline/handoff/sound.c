#include "pipeline/handoff/sound.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/strbuf.h"
#include "pipeline/execute/narration.h"
#include "stages/sound/mix.h"
#include "stages/sound/voice.h"

enum { SOUND_VERSION = 1 }; /* raise it when the same board sounds otherwise */

struct writing {
    const struct stage_env *env;
    const struct board *board;
    const struct production *production;
    struct arena arena;
    struct film_place *places;
    int64_t frames;             /* of the film */
    struct mix_narration *cues; /* of the shots that have one, in order of time */
    struct sound *spoken;
    size_t *shots; /* whose they are */
    size_t count;
    struct mix mix;
    json_t *made; /* what the journal is told */
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

/* 1: what the key stands for was made and is there; 0: not. *any: whether something is recorded. */
static int is_made(const struct writing *w, struct journal *journal, const char *key, bool *any,
                   struct error *e)
{
    struct journal_view *view;
    const char *text = NULL, *was;
    json_t *record = NULL;
    int rc = 0;

    if (journal_view_begin(journal, &view, e) != 0)
        return -1;
    if (journal_meta_get(view, "sound", &text, e) < 0)
        rc = -1;
    else if (text && *text)
        record = json_loads(text, 0, NULL);
    journal_view_end(view);
    *any = json_object_size(record) > 0;
    was = json_string_value(json_object_get(record, "key"));
    if (rc == 0 && was && strcmp(was, key) == 0 && is_there(w, record))
        rc = 1;
    json_decref(record);
    return rc;
}

/* ---- files */

/* The number under which this content stands already; else the first that is free. */
static int number_of(const char *stem, const char *part, bool *stands, struct error *e)
{
    struct hash128 ours, theirs;
    struct error ignored = {0};
    char path[4096];
    int next = 1;

    *stands = false;
    if (hash_file(part, &ours, e) != 0)
        return -1;
    for (int i = 1; i < 1000000; i++) {
        snprintf(path, sizeof path, "%s_v%03d.wav", stem, i);
        if (!path_exists(path))
            break;
        next = i + 1;
        if (hash_file(path, &theirs, &ignored) == 0 && hash_equal(ours, theirs)) {
            *stands = true;
            return i;
        }
    }
    return next;
}

/* Writes one file and adds it to the record's list. */
static int write_one(struct writing *w, const char *list, const char *name, const char *kind,
                     const struct sound *sound, int64_t at, int64_t frames, struct error *e)
{
    const struct board *b = w->board;
    char stem[4000], part[4096], path[4096];
    struct file_stat st;
    struct error ignored = {0};
    bool stands;
    int number;
    json_t *files = json_object_get(w->made, list);

    snprintf(stem, sizeof stem, "%s/sound/%s.%s", w->production->dir, name, kind);
    snprintf(part, sizeof part, "%s.part", stem);
    if (sound_write_file(part, sound, sound_of_frame(b->deliver.start + at, b->fps), name, e) != 0)
        goto failed;
    number = number_of(stem, part, &stands, e);
    if (number < 0)
        goto failed;
    snprintf(path, sizeof path, "%s_v%03d.wav", stem, number);
    if (stands ? path_remove(part, e) != 0 : file_publish(part, path, e) != 0)
        goto failed;
    if (file_stat(path, &st, e) != 0)
        return -1;
    if (!files) {
        files = json_array();
        json_object_set_new(w->made, list, files);
    }
    if (json_array_append_new(files,
                              json_pack("{ss ss+ sI sI sI}", "name", name, "path", "sound/",
                                        strrchr(path, '/') + 1, "at", (json_int_t)at, "frames",
                                        (json_int_t)frames, "size", (json_int_t)st.size)) != 0)
        return error_memory(e);
    return 0;
failed:
    path_remove(part, &ignored);
    return -1;
}

/* Its part of the narration's stem, from the frame on which it begins to the end of that in which
 * it ends. */
static int write_narration(struct writing *w, size_t cue, struct error *e)
{
    const struct rational fps = w->board->fps;
    const struct mix_narration *n = &w->cues[cue];
    int64_t at = narration_begins(w->board, w->places, w->shots[cue]), end = at + 1;
    struct sound part = w->mix.narration;

    while (end < w->frames && sound_of_frame(end, fps) < n->at + n->sound->count)
        end++;
    part.samples += n->at * SOUND_CHANNELS;
    part.count = sound_of_frame(end, fps) - n->at;
    return write_one(w, "Narration", w->board->shots[w->shots[cue]].id, "narration", &part, at,
                     end - at, e);
}

static int write_all(struct writing *w, struct error *e)
{
    char *dir = arena_printf(&w->arena, "%s/sound", w->production->dir);
    const char *name = w->board->name;

    if (!dir)
        return error_memory(e);
    if (dir_make(dir, e) != 0)
        return -1;
    for (size_t i = 0; i < w->count; i++)
        if (write_narration(w, i, e) != 0)
            return -1;
    if (w->mix.music.samples &&
        write_one(w, "Music", name, "music", &w->mix.music, 0, w->frames, e) != 0)
        return -1;
    return write_one(w, "Mix", name, "mix", &w->mix.film, 0, w->frames, e);
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

    if (json_object_set_new(w->made, "key", json_string(key)) == 0)
        text = json_dumps(w->made, JSON_COMPACT | JSON_SORT_KEYS);
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
    w->made = json_object();
    if (!w->places || !w->cues || !w->spoken || !w->shots || !w->made)
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
    bool any = false, wanted;
    int made, rc = -1;

    if (make_room(&w, e) != 0)
        goto done;
    wanted = w.count || *w.board->sound.music;
    if (wanted && key_of(&w, key, e) != 0)
        goto done;
    made = is_made(&w, journal, key, &any, e);
    if (made < 0)
        goto done;
    if (made || (!wanted && !any))
        rc = 0;
    else if (!wanted)
        rc = journal_meta_put(journal, "sound", "{}", e);
    else if (mix_all(&w, e) == 0 && write_all(&w, e) == 0)
        rc = remember(&w, journal, key, e);
done:
    for (size_t i = 0; w.spoken && i < w.count; i++)
        sound_free(&w.spoken[i]);
    mix_free(&w.mix);
    json_decref(w.made);
    arena_free(&w.arena);
    return rc;
}
