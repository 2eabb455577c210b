#include "stages/generate/session.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "stages/generate/keyframe.h"
#include "stages/generate/sampling.h"

/* The two prompts of a prompt.json; the strings live in the arena. */
static int read_prompts(const struct artefact *made, struct arena *a, struct generation *g,
                        struct error *e)
{
    json_error_t bad;
    json_t *root = made && made->bytes ? json_loadb(made->bytes, made->size, 0, &bad) : NULL;
    const char *p = json_string_value(json_object_get(root, "prompt"));
    const char *n = json_string_value(json_object_get(root, "negative"));
    int rc = 0;
    if (!p || !n)
        rc = error_set(e, ERROR_INTERNAL, "generate: the shot has no enhanced prompt");
    else if (!(g->prompt = arena_strdup(a, p)) || !(g->negative = arena_strdup(a, n)))
        rc = error_memory(e);
    json_decref(root);
    return rc;
}

static int list_shots(struct session *s, const struct stage_group *group, struct error *e)
{
    s->shots = arena_array(&s->arena, group->count, sizeof *s->shots);
    if (!s->shots)
        return error_memory(e);
    for (; s->count < group->count; s->count++) {
        size_t i = s->count;
        struct prepared_shot *p = &s->shots[i];
        p->id = arena_strdup(&s->arena, group->shots[i]->id);
        if (!p->id)
            return error_memory(e);
        if (settings_of(group->env, group->shots[i], &p->settings, e) != 0 ||
            read_prompts(group->input(group, i, STAGE_ENHANCE, "prompt.json"), &s->arena,
                         &p->settings.generation, e) != 0)
            return -1;
        p->settings.keyframe.prompt = p->settings.generation.prompt;
        p->settings.keyframe.negative = p->settings.generation.negative;
    }
    return 0;
}

/* Gives every shot the picture that its model sets in motion. */
static int find_pictures(struct session *s, const struct stage_group *group, struct error *e)
{
    if (!s->tier->family->needs_picture)
        return 0;
    for (size_t i = 0; i < s->count; i++) {
        struct prepared_shot *p = &s->shots[i];
        if (!p->settings.makes_keyframe &&
            keyframe_read(group->shots[i], &p->settings.generation, &s->arena, e) != 0)
            return -1;
    }
    return keyframes_make(group, s, e);
}

static int encode_all(struct session *s, const struct stage_group *group, const char *dir,
                      struct error *e)
{
    const struct family *family = s->tier->family;
    struct device_options options = group->env->device;
    struct device *d;
    void *encoder = NULL;
    options.activations = family->gpu.encoder;
    if (device_open(&options, &d, e) != 0)
        return -1;
    int rc = family->encoder_open(dir, d, &encoder, e);
    for (size_t i = 0; i < s->count && rc == 0; i++)
        rc = group->cancelled(group)
                 ? error_set(e, ERROR_CANCELLED, "interrupted while prompts were encoded")
                 : family->encode(encoder, &s->shots[i].settings.generation,
                                  &s->shots[i].conditions, e);
    family->encoder_close(encoder);
    s->encoder_peak = device_memory_peak(d);
    device_close(d);
    return rc;
}

static int open_model(struct session *s, const struct stage_group *group, const char *dir,
                      struct error *e)
{
    const struct family *family = s->tier->family;
    struct device_options options = group->env->device;
    options.activations = family->gpu.model;
    return device_open(&options, &s->device, e) == 0
               ? family->model_open(dir, s->device, &s->model, e)
               : -1;
}

static int prepare(struct session *s, const struct stage_group *group, struct error *e)
{
    const char *dir;
    if (group->count == 0)
        return error_set(e, ERROR_INTERNAL, "generate: a group of no shots");
    if (tier_of_shot(group->env, group->shots[0], &s->tier, e) != 0 ||
        tier_checkpoint(group->env, s->tier, &s->arena, &dir, e) != 0 ||
        list_shots(s, group, e) != 0 || find_pictures(s, group, e) != 0 ||
        encode_all(s, group, dir, e) != 0)
        return -1;
    return open_model(s, group, dir, e);
}

int session_open(const struct stage_group *group, struct session **out, struct error *e)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return error_memory(e);
    if (prepare(s, group, e) != 0) {
        session_close(s);
        return -1;
    }
    *out = s;
    return 0;
}

void session_close(struct session *s)
{
    if (!s)
        return;
    if (s->tier)
        s->tier->family->model_close(s->model);
    device_close(s->device);
    for (size_t i = 0; i < s->count; i++)
        conditions_free(&s->shots[i].conditions);
    arena_free(&s->arena);
    free(s);
}

struct prepared_shot *session_shot(struct session *s, const char *id)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->shots[i].id, id) == 0)
            return &s->shots[i];
    return NULL;
}
