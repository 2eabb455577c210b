#include "storyboards/recipe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "storyboards/values.h"

/* Values are written as texts, as a person would: the reader knows what a field takes. jansson
 * frees what it is given also on failure and takes NULL as failure: a NULL at the end tells. */

static json_t *choices_json(const struct field *field, const struct choices *c)
{
    json_t *list = json_array();

    for (int i = 0; i < c->count; i++)
        json_array_append_new(list, json_string(field->choices[c->items[i]]));
    return list;
}

/* As many digits as the reader takes. */
static json_t *number_json(double v)
{
    char text[40];

    snprintf(text, sizeof text, "%.*f", fabs(v) < 1000 ? 12 : 9, v);
    if (strchr(text, '.')) {
        size_t n = strlen(text);

        while (text[n - 1] == '0')
            text[--n] = '\0';
        if (text[n - 1] == '.')
            text[n - 1] = '\0';
    }
    return json_string(text);
}

static json_t *value_json(const struct field *field, const void *place)
{
    const struct rational *rate = place;
    const int *whole = place;

    switch (field->type) {
    case FIELD_CHOICE:
        return json_string(field->choices[*whole]);
    case FIELD_CHOICES:
        return choices_json(field, place);
    case FIELD_WHOLE:
        return json_integer(*whole);
    case FIELD_SEED:
        return json_sprintf("%llu", (unsigned long long)*(const uint64_t *)place);
    case FIELD_NUMBER:
    case FIELD_TIME:
        return number_json(*(const double *)place);
    case FIELD_RATE:
        return json_sprintf("%d/%d", rate->num, rate->den);
    case FIELD_SIZE:
        return json_sprintf("%dx%d", whole[0], whole[1]);
    case FIELD_COLOR:
        return json_sprintf("#%06x", *(const uint32_t *)place);
    default:
        return json_string(*(const char *const *)place);
    }
}

static bool same_value(const struct field *field, const void *a, const void *b)
{
    switch (field->type) {
    case FIELD_CHOICE:
    case FIELD_WHOLE:
        return *(const int *)a == *(const int *)b;
    case FIELD_CHOICES:
        return memcmp(a, b, sizeof(struct choices)) == 0;
    case FIELD_SEED:
        return *(const uint64_t *)a == *(const uint64_t *)b;
    case FIELD_NUMBER:
    case FIELD_TIME:
        return *(const double *)a == *(const double *)b;
    case FIELD_RATE:
        return memcmp(a, b, sizeof(struct rational)) == 0;
    case FIELD_SIZE:
        return memcmp(a, b, 2 * sizeof(int)) == 0;
    case FIELD_COLOR:
        return *(const uint32_t *)a == *(const uint32_t *)b;
    default:
        return strcmp(*(const char *const *)a, *(const char *const *)b) == 0;
    }
}

/* What differs from the defaults, of rows that lack the flags in `without` and are no objects. */
static json_t *object_json(const struct table *table, const void *object, unsigned without)
{
    struct board_problems problems = {0};
    struct arena arena = {0};
    struct reader r = {.problems = &problems, .arena = &arena, .scratch = &arena, .dir = "/"};
    void *defaults = arena_alloc(&arena, table->size);
    json_t *out = defaults ? json_object() : NULL;

    if (out)
        object_defaults(&r, table, defaults);
    for (size_t i = 0; out && i < table->count; i++) {
        const struct field *field = &table->fields[i];
        const void *place = (const char *)object + field->offset;

        if (field->type == FIELD_OBJECT || field->type == FIELD_LIST || (field->flags & without) ||
            same_value(field, place, (const char *)defaults + field->offset))
            continue;
        if (json_object_set_new(out, field->name, value_json(field, place)) != 0) {
            json_decref(out);
            out = NULL;
        }
    }
    board_problems_free(&problems);
    arena_free(&arena);
    return out;
}

static void put(json_t **object, const char *name, json_t *value)
{
    if (json_object_set_new(*object, name, value) != 0) {
        json_decref(*object);
        *object = NULL;
    }
}

/* Times from the shot's first frame behind its handle; one that stands to the end says no end. */
static json_t *overlays_json(const struct board *b, const struct shot *shot)
{
    double head = frames_to_seconds(b->deliver.handles, b->fps);
    double end = frames_to_seconds(shot->frames - b->deliver.handles, b->fps);
    json_t *list = json_array();

    for (size_t i = 0; i < shot->overlay_count; i++) {
        struct overlay_values v = {.overlay = shot->overlays[i], .fade = -1};
        json_t *o;

        v.overlay.in = fmax(0, v.overlay.in - head);
        v.overlay.out = v.overlay.out >= end - 1e-6 ? -1 : v.overlay.out - head;
        o = object_json(&overlay_table, &v, 0);
        if (o && v.overlay.has_color &&
            v.overlay.color == 0) /* black, which looks like not given */
            put(&o, "color", json_string("#000000"));
        if (json_array_append_new(list, o) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *source_json(const struct board *b, const struct shot *shot)
{
    struct source_values v = {.source = shot->source};
    bool still = shot->kind == SHOT_STILL;

    v.still = still ? shot->source.path : "";
    v.footage = still ? "" : shot->source.path;
    if (!still)
        v.source.in += frames_to_seconds(b->deliver.handles, b->fps);
    return object_json(&source_table, &v, 0);
}

/* What `defaults` said and not every tier has a use for is said by `defaults` again. */
static json_t *inherited_json(const struct shot *shot, json_t *of_shot)
{
    const struct {
        bool inherited;
        const char *name;
    } rows[] = {{shot->inherited.guidance_2, "guidance_2"},
                {shot->inherited.step_cache, "step_cache"},
                {shot->inherited.motion, "motion"},
                {shot->inherited.noise, "noise"}};
    json_t *out = json_object();

    for (size_t i = 0; out && i < sizeof rows / sizeof rows[0]; i++) {
        json_t *value = json_object_get(of_shot, rows[i].name);

        if (!rows[i].inherited || !value)
            continue;
        put(&out, rows[i].name, json_incref(value));
        json_object_del(of_shot, rows[i].name);
    }
    return out;
}

static json_t *shot_json(const struct board *b, const struct shot *shot, const char *tier,
                         json_t **defaults)
{
    struct shot_values v = {.shot = *shot, .duration = -1};
    bool generated = shot->kind == SHOT_GENERATED;
    json_t *out;

    v.shot.frames -= 2 * b->deliver.handles;
    if (generated && *tier)
        v.shot.tier = tier;
    out = object_json(&shot_table, &v, generated ? 0 : FIELD_MODEL_ONLY);
    if (!out)
        return NULL;
    if (generated)
        put(&out, "seed", json_sprintf("%llu", (unsigned long long)shot->seed));
    if (out && shot->overlay_count)
        put(&out, "overlays", overlays_json(b, shot));
    if (out && shot->kind == SHOT_CARD)
        put(&out, "card",
            json_pack("{s:o,s:o}", "background", json_sprintf("#%06x", shot->card.background), "to",
                      json_sprintf("#%06x", shot->card.background_to)));
    else if (out && !generated)
        put(&out, "source", source_json(b, shot));
    *defaults = out ? inherited_json(shot, out) : NULL;
    return out;
}

static json_t *models_json(const struct board *b)
{
    json_t *out = json_object();

    for (size_t i = 0; out && i < b->model_count; i++)
        put(&out, b->models[i].tier, json_string(b->models[i].path));
    return out;
}

json_t *narration_recipe(const struct narration *n)
{
    return object_json(&narration_table, n, 0);
}

json_t *sound_recipe(const struct board_sound *s)
{
    const struct sound_values v = {.sound = *s};

    return object_json(&sound_table, &v, 0);
}

json_t *board_recipe(const struct board *b, const struct shot *shot, const char *tier)
{
    struct board_values v = {.name = b->name,
                             .look = "",
                             .camera = "",
                             .negative = "",
                             .fps = b->fps,
                             .size = {b->width, b->height}};
    char start[TIMECODE_SIZE];
    struct deliver_values d = {.deliver = b->deliver, .start = start};
    json_t *defaults = NULL, *of_shot = shot_json(b, shot, tier, &defaults);
    json_t *out = of_shot ? object_json(&board_table, &v, 0) : NULL;

    timecode_format(b->deliver.start, b->fps, b->deliver.drop, start);
    if (out)
        put(&out, "deliver", object_json(&deliver_table, &d, 0));
    if (out && b->model_count && shot->kind == SHOT_GENERATED)
        put(&out, "models", models_json(b));
    if (out && json_object_size(defaults))
        put(&out, "defaults", json_incref(defaults));
    if (out)
        put(&out, "shots", json_pack("[O]", of_shot));
    json_decref(defaults);
    json_decref(of_shot);
    return out;
}
