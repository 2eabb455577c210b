#include "stages/composite/overlays.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* How long lettering that a prompt asked for takes to come and go. */
#define FADE 0.4

static const char *word(const json_t *o, const char *name, const char *fallback)
{
    const char *s = json_string_value(json_object_get(o, name));

    return s ? s : fallback;
}

static double number(const json_t *o, const char *name, double fallback)
{
    const json_t *v = json_object_get(o, name);

    return json_is_number(v) ? json_number_value(v) : fallback;
}

enum overlay_style overlay_style_named(const char *name)
{
    for (int s = 0; s < OVERLAY_STYLES; s++)
        if (strcmp(overlay_style_name((enum overlay_style)s), name) == 0)
            return (enum overlay_style)s;
    return OVERLAY_TITLE;
}

static enum overlay_position position_of(const char *name)
{
    for (int p = 0; p < POSITIONS; p++)
        if (strcmp(overlay_position_name((enum overlay_position)p), name) == 0)
            return (enum overlay_position)p;
    return POSITION_AUTO;
}

/* One member of "overlays": text is needed, everything else has a default. */
static int read_one(const json_t *o, double duration, struct arena *a, struct overlay *out,
                    struct error *e)
{
    double fade = duration >= 4 * FADE ? FADE : 0;

    *out = (struct overlay){
        .style = overlay_style_named(word(o, "style", "title")),
        .position = position_of(word(o, "position", "auto")),
        .text = arena_strdup(a, word(o, "text", "")),
        .subtext = arena_strdup(a, word(o, "subtext", "")),
        .font = arena_strdup(a, word(o, "font", "")),
        .size = number(o, "size", 0),
        .in = number(o, "in", 0),
        .out = number(o, "out", duration),
        .fade_in = number(o, "fade_in", fade),
        .fade_out = number(o, "fade_out", fade),
    };
    return out->text && out->subtext && out->font ? 0 : error_memory(e);
}

static int read_lettering(const struct artefact *made, double duration, struct arena *a,
                          struct overlay **out, size_t *count, struct error *e)
{
    json_error_t why;
    json_t *root = json_loadb(made->bytes, made->size, 0, &why), *list, *item;
    size_t i;
    int rc = -1;

    if (!root)
        return error_set(e, ERROR_INTERNAL, "lettering.json: %s", why.text);
    list = json_object_get(root, "overlays");
    *count = json_array_size(list);
    *out = arena_array(a, *count + 1, sizeof **out);
    if (!*out) {
        error_memory(e);
        goto done;
    }
    json_array_foreach(list, i, item)
    {
        if (read_one(item, duration, a, &(*out)[i], e) != 0)
            goto done;
    }
    rc = 0;
done:
    json_decref(root);
    return rc;
}

int overlay_blame(const struct overlay *o, struct error *e)
{
    if (o->line > 0)
        return error_wrap(e, "overlay in line %d (%s)", o->line, overlay_style_name(o->style));
    return error_wrap(e, "lettering from the prompt (%s)", overlay_style_name(o->style));
}

int overlays_of_job(struct stage_job *job, const struct overlay **out, size_t *count,
                    struct error *e)
{
    const struct artefact *made = job->input(job, STAGE_ENHANCE, "lettering.json");
    const struct shot *shot = job->shot;
    struct overlay *asked = NULL, *all;
    size_t asked_count = 0;

    if (made && made->bytes &&
        read_lettering(made, frames_to_seconds(shot->frames, job->env->board->fps), job->arena,
                       &asked, &asked_count, e) != 0)
        return -1;
    all = arena_array(job->arena, shot->overlay_count + asked_count + 1, sizeof *all);
    if (!all)
        return error_memory(e);
    for (size_t i = 0; i < shot->overlay_count; i++)
        all[i] = shot->overlays[i];
    for (size_t i = 0; i < asked_count; i++)
        all[shot->overlay_count + i] = asked[i];
    *out = all;
    *count = shot->overlay_count + asked_count;
    return 0;
}
