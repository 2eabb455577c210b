#include "pipeline/execute/sheet.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* jansson frees what it is given also on failure, and takes NULL as failure: so pieces are built
 * without a check each, and `ok` tells at the end. */
static void put(json_t *object, const char *name, json_t *value, bool *ok)
{
    if (json_object_set_new(object, name, value) != 0)
        *ok = false;
}

static json_t *color(uint32_t rgb)
{
    char text[8];

    snprintf(text, sizeof text, "#%06x", (unsigned)(rgb & 0xffffff));
    return json_string(text);
}

/* JSON numbers of this size are signed here: the upper half of the seeds is written as text. */
static json_t *whole(uint64_t n)
{
    return n <= INT64_MAX ? json_integer((json_int_t)n) : json_sprintf("%" PRIu64, n);
}

static json_t *overlays_asked(const struct shot *shot, bool *ok)
{
    json_t *list = json_array();

    for (size_t i = 0; i < shot->overlay_count; i++) {
        const struct overlay *v = &shot->overlays[i];
        json_t *o = json_object();

        put(o, "style", json_string(overlay_style_name(v->style)), ok);
        put(o, "position", json_string(overlay_position_name(v->position)), ok);
        put(o, "text", json_string(v->text), ok);
        if (v->subtext[0])
            put(o, "subtext", json_string(v->subtext), ok);
        if (v->font[0])
            put(o, "font", json_string(v->font), ok);
        if (v->has_color)
            put(o, "color", color(v->color), ok);
        put(o, "in", json_real(v->in), ok);
        put(o, "out", json_real(v->out), ok);
        if (json_array_append_new(list, o) != 0)
            *ok = false;
    }
    return list;
}

static json_t *asked(const struct shot *shot, bool *ok)
{
    json_t *o = json_object();

    put(o, "kind", json_string(shot_kind_name(shot->kind)), ok);
    put(o, "tier", json_string(shot->tier), ok);
    put(o, "frames", json_integer(shot->frames), ok);
    put(o, "overlays", overlays_asked(shot, ok), ok);
    if (shot->kind == SHOT_GENERATED) {
        put(o, "prompt", json_string(shot->prompt), ok);
        put(o, "negative", json_string(shot->negative), ok);
        put(o, "look", json_string(shot->look), ok);
        put(o, "camera", json_string(shot->camera), ok);
        put(o, "seed", whole(shot->seed), ok);
        if (shot->steps > 0)
            put(o, "steps", json_integer(shot->steps), ok);
        if (shot->guidance >= 0)
            put(o, "guidance", json_real(shot->guidance), ok);
        if (shot->guidance_2 >= 0)
            put(o, "guidance_2", json_real(shot->guidance_2), ok);
        if (shot->sampler[0])
            put(o, "sampler", json_string(shot->sampler), ok);
        if (shot->shift > 0)
            put(o, "shift", json_real(shot->shift), ok);
        if (shot->step_cache[0])
            put(o, "step_cache", json_string(shot->step_cache), ok);
        if (shot->step_cache_threshold > 0)
            put(o, "step_cache_threshold", json_real(shot->step_cache_threshold), ok);
        if (shot->motion > 0)
            put(o, "motion", json_integer(shot->motion), ok);
        if (shot->noise >= 0)
            put(o, "noise", json_real(shot->noise), ok);
        if (shot->keyframe[0])
            put(o, "keyframe", json_string(shot->keyframe), ok);
    } else if (shot->kind == SHOT_CARD) {
        put(o, "background", color(shot->card.background), ok);
        put(o, "background_to", color(shot->card.background_to), ok);
    } else {
        put(o, "source", json_string(shot->source.written), ok);
        put(o, "in", json_real(shot->source.in), ok);
        put(o, "move", json_string(still_move_name(shot->source.move)), ok);
    }
    return o;
}

static json_t *stage_made(const struct stage_record *r, bool *ok)
{
    json_t *notes = json_loads(r->notes, 0, NULL), *files = json_array(), *o = json_object();
    char hex[HASH_HEX_SIZE];

    hash_hex(r->key, hex);
    put(o, "key", json_string(hex), ok);
    put(o, "notes", notes ? notes : json_object(), ok);
    for (size_t i = 0; i < r->artefact_count; i++) {
        const struct record_artefact *a = &r->artefacts[i];
        json_t *f = json_object();

        hash_hex(a->digest, hex);
        put(f, "name", json_string(a->name), ok);
        put(f, "size", json_integer((json_int_t)a->size), ok);
        put(f, "xxh3", json_string(hex), ok);
        if (json_array_append_new(files, f) != 0)
            *ok = false;
    }
    put(o, "made", files, ok);
    return o;
}

static json_t *stage_timings(const struct stage_record *r, bool *ok)
{
    json_t *o = json_object();

    put(o, "attempt", json_integer(r->attempts), ok);
    put(o, "seconds", json_real(r->seconds), ok);
    put(o, "peak_kib", json_integer((json_int_t)r->peak_kib), ok);
    put(o, "started", json_real((double)r->started_ns / 1e9), ok);
    put(o, "finished", json_real((double)r->finished_ns / 1e9), ok);
    return o;
}

char *sheet_make(const struct board *board, const struct shot *shot, int version,
                 const struct stage *const *stages, const struct stage_record records[STAGES],
                 struct error *e)
{
    json_t *root = json_object(), *made = json_object(), *timings = json_object();
    char *text = NULL, *line;
    bool ok = true;

    put(root, "shot", json_string(shot->id), &ok);
    put(root, "version", json_integer(version), &ok);
    put(root, "board", json_string(board->name), &ok);
    put(root, "fps", json_sprintf("%d/%d", board->fps.num, board->fps.den), &ok);
    put(root, "size", json_pack("[ii]", board->width, board->height), &ok);
    put(root, "duration", json_real(frames_to_seconds(shot->frames, board->fps)), &ok);
    put(root, "asked", asked(shot, &ok), &ok);
    for (int i = 0; i < STAGES; i++)
        if (records[i].attempts) {
            put(made, stages[i]->name, stage_made(&records[i], &ok), &ok);
            put(timings, stages[i]->name, stage_timings(&records[i], &ok), &ok);
        }
    put(root, "made", made, &ok);
    put(root, "timings", timings, &ok);
    if (ok)
        text = json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
    json_decref(root);
    /* A text file ends with a line's end. */
    line = text ? realloc(text, strlen(text) + 2) : NULL;
    if (!line) {
        free(text);
        error_memory(e);
        return NULL;
    }
    strcat(line, "\n");
    return line;
}
