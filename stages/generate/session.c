#include "stages/generate/session.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "stages/generate/encoding.h"
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

static int encode_shots(struct session *s, const struct stage_group *group, struct error *e)
{
    struct encoding x = {group, s->tier->family, s->dir, s->tier->name, NULL, s->count};
    struct shot_words *words = arena_array(&s->arena, s->count, sizeof *words);
    if (!words)
        return error_memory(e);
    for (size_t i = 0; i < s->count; i++)
        words[i] = (struct shot_words){&s->shots[i].settings.generation, &s->shots[i].conditions};
    x.shots = words;
    return encode_all(&x, &s->encoder_peak, e);
}

/* The shot that needs the most memory. */
static const struct generation *largest(const struct session *s)
{
    const struct generation *most = &s->shots[0].settings.generation;
    for (size_t i = 1; i < s->count; i++) {
        const struct generation *g = &s->shots[i].settings.generation;
        if ((int64_t)g->width * g->height * g->frames >
            (int64_t)most->width * most->height * most->frames)
            most = g;
    }
    return most;
}

static void close_model(struct session *s)
{
    if (s->tier)
        s->tier->family->model_close(s->model);
    device_close(s->device);
    s->model = NULL;
    s->device = NULL;
}

/* A memory mode that was asked for and changes nothing here. */
static void tell_of_memory(const struct session *s)
{
    enum memory_mode mode = s->env->device.memory;
    bool one_memory = device_kind(s->device) == DEVICE_CPU && !device_can_stream(s->device);
    if (mode != MEMORY_AUTO && one_memory)
        device_note_missing(s->device, NOTE_OFFLOAD,
                            "a processor has one memory, %s changes nothing",
                            mode == MEMORY_SAFE ? "--memory safe" : "--no-offload");
    else if (mode == MEMORY_SAFE && !s->tier->family->streams)
        device_note_missing(s->device, NOTE_OFFLOAD,
                            "%s has no blocks of layers, its weights stay on the device",
                            s->tier->name);
}

static void tell_of_precision(const struct session *s)
{
    const struct device_options *o = &s->env->device;
    const struct family *family = s->tier->family;
    bool asked = o->linears == DTYPE_F8_E4M3, cpu = device_kind(s->device) == DEVICE_CPU;
    if (cpu && o->activations != DTYPE_F32)
        device_note_missing(s->device, NOTE_PRECISION,
                            "a processor keeps its numbers in F32, --precision %s changes nothing",
                            o->activations == DTYPE_BF16 ? "bf16" : "f16");
    if (cpu && device_has_f16(s->device))
        device_note(s->device, NOTE_PRECISION, "F16 Products in Long Attention Activated.");
    if (asked && !family->fp8)
        device_note_missing(s->device, NOTE_FP8, "%s has no layers that may be kept in it",
                            s->tier->name);
    else if (!asked && family->fp8 && device_kind(s->device) == DEVICE_CUDA)
        device_note_off(s->device, NOTE_FP8, "--precision fp8 switches it on");
    else if (asked && cpu)
        device_note(
            s->device, NOTE_FP8,
            "FP8 Rounding of the Large Layers (Slow on a Processor: to Judge the Picture).");
}

/* What is said to SDXL, where it makes neither the shots nor their keyframes. */
static void tell_of_pictures(const struct session *s)
{
    bool made = s->tier->family->batch_max > 1;
    for (size_t i = 0; i < s->count; i++)
        made |= s->shots[i].settings.makes_keyframe;
    if (!made && s->env->preset && *s->env->preset)
        device_note_missing(s->device, NOTE_PRESET,
                            "SDXL makes nothing for %s, --preset %s changes nothing", s->tier->name,
                            s->env->preset);
    if (!made && s->env->batch > 0)
        device_note_missing(s->device, NOTE_BATCH,
                            "%s makes one shot after another, --batch changes nothing",
                            s->tier->name);
}

/* What would serve this model and was not asked for, or was and cannot be had. */
static void tell_what_is_off(const struct session *s)
{
    const struct family *family = s->tier->family;
    bool cached = false, in_vain = false;
    tell_of_memory(s);
    tell_of_precision(s);
    tell_of_pictures(s);
    if (s->env->device.patience == PATIENCE_ENOUGH && device_kind(s->device) == DEVICE_CPU)
        device_note_missing(s->device, NOTE_SEARCH,
                            "a processor has one form of each operation, --compile changes "
                            "nothing");
    for (size_t i = 0; i < s->count; i++) {
        cached |= s->shots[i].settings.generation.step_cache.mode != STEP_CACHE_OFF;
        in_vain |= s->shots[i].settings.no_step_cache;
    }
    if (in_vain)
        device_note_missing(s->device, NOTE_STEP_CACHE,
                            "%s samples with a UNet, which has none, it is left out",
                            s->tier->name);
    if (!cached && family->step_cache)
        device_note_off(s->device, NOTE_STEP_CACHE, "--step-cache first-block switches it on");
}

static int open_model(struct session *s, struct error *e)
{
    const struct generation *g = largest(s);
    struct device_options options = s->env->device;
    options.activations = family_model_dtype(s->tier->family, &options);
    options.attention = s->tier->family->fp8 ? options.linears : 0;
    bool again;
    do {
        if (device_open(&options, &s->device, e) != 0)
            return -1;
        if (!s->ladder.env)
            ladder_begin(&s->ladder, s->env, s->device, s->tier->family->streams,
                         "%s, %dx%d, %d frames", s->tier->name, g->width, g->height, g->frames);
        device_set_memory(s->device, s->ladder.memory);
        if (s->tier->family->model_open(s->dir, s->device, &s->model, e) == 0) {
            tell_what_is_off(s);
            return 0;
        }
        s->model = NULL;
        again = ladder_to_host(&s->ladder, s->device, e);
        close_model(s);
    } while (again);
    return -1;
}

int session_ready(struct session *s, struct error *e)
{
    return s->model ? 0 : open_model(s, e);
}

bool session_mend(struct session *s, struct error *e)
{
    if (!ladder_to_host(&s->ladder, s->device, e))
        return false;
    close_model(s);
    return open_model(s, e) == 0;
}

static int prepare(struct session *s, const struct stage_group *group, struct error *e)
{
    s->env = group->env;
    if (group->count == 0)
        return error_set(e, ERROR_INTERNAL, "generate: a group of no shots");
    if (tier_of_shot(group->env, group->shots[0], &s->tier, e) != 0 ||
        tier_checkpoint(group->env, s->tier, &s->arena, &s->dir, e) != 0 ||
        list_shots(s, group, e) != 0 || find_pictures(s, group, e) != 0 ||
        encode_shots(s, group, e) != 0)
        return -1;
    return open_model(s, e);
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
    close_model(s);
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
