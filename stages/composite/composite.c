/* Composite: the overlays of a shot become its title layer. */
#include <stdio.h>
#include <stdlib.h>

#include "stages/composite/layer.h"
#include "stages/composite/overlays.h"
#include "stages/composite/styles.h"
#include "stages/enhance.h"
#include "stages/media/media.h"

static enum lane composite_lane(const struct stage_env *env, const struct shot *shot)
{
    (void)env, (void)shot;
    return LANE_CPU;
}

static void describe_overlay(struct inputs *in, size_t i, const struct overlay *o)
{
    const struct {
        const char *name, *value;
    } texts[] = {
        {"style", overlay_style_name(o->style)},
        {"position", overlay_position_name(o->position)},
        {"text", o->text},
        {"subtext", o->subtext},
        {"font", o->font[0] ? o->font : styles_all[o->style].family},
    };
    const struct {
        const char *name;
        double value;
    } numbers[] = {
        {"size", o->size},         {"in", o->in}, {"out", o->out}, {"fade_in", o->fade_in},
        {"fade_out", o->fade_out},
    };
    char name[64];

    for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
        snprintf(name, sizeof name, "overlay[%zu].%s", i, texts[k].name);
        in->text(in, name, texts[k].value);
    }
    for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
        snprintf(name, sizeof name, "overlay[%zu].%s", i, numbers[k].name);
        in->number(in, name, numbers[k].value);
    }
    snprintf(name, sizeof name, "overlay[%zu].color", i);
    in->integer(in, name, o->has_color ? (int64_t)o->color : -1);
}

static int composite_describe(const struct stage_env *env, const struct shot *shot,
                              struct inputs *in, struct error *e)
{
    const struct board *b = env->board;

    (void)e;
    in->integer(in, "width", b->width);
    in->integer(in, "height", b->height);
    in->integer(in, "fps.num", b->fps.num);
    in->integer(in, "fps.den", b->fps.den);
    in->integer(in, "frames", shot->frames);
    in->integer(in, "overlays", (int64_t)shot->overlay_count);
    for (size_t i = 0; i < shot->overlay_count; i++)
        describe_overlay(in, i, &shot->overlays[i]);
    return 0;
}

static int blame(const struct overlay *o, struct error *e)
{
    if (o->line > 0)
        return error_wrap(e, "overlay in line %d (%s)", o->line, overlay_style_name(o->style));
    return error_wrap(e, "lettering from the prompt (%s)", overlay_style_name(o->style));
}

int overlays_check(const struct overlay *overlays, size_t count, struct error *e)
{
    struct fonts *fonts;
    int rc = 0;

    if (count == 0)
        return 0;
    if (fonts_open(&fonts, e) != 0)
        return -1;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = typeset_check(fonts, &overlays[i], e);
        if (rc != 0)
            blame(&overlays[i], e);
    }
    fonts_close(fonts);
    return rc;
}

/* The lettering that enhance finds in the prompt. */
static int check_lifted(const struct stage_env *env, const struct shot *shot, struct error *e)
{
    struct arena a = {0};
    struct enhancer *enhancer = NULL;
    struct enhanced enhanced;
    const struct tier *tier;
    int rc = -1;

    if (tier_of_shot(env, shot, &tier, e) == 0 && enhancer_open(env, tier, &enhancer, e) == 0 &&
        enhancer_shot(enhancer, shot, &a, &enhanced, e) == 0)
        rc = 0;
    for (size_t i = 0; rc == 0 && i < enhanced.overlay_count; i++) {
        const struct overlay o = {
            .text = enhanced.overlays[i].text, .subtext = "", .font = "", .style = OVERLAY_TITLE};

        rc = overlays_check(&o, 1, e);
    }
    enhancer_close(enhancer);
    arena_free(&a);
    return rc;
}

/* Lettering is words of the prompt: where fonts have every character of that, nothing can be
 * missing. Only where they do not is it worth finding out which words are lettering. */
static int check_prompt(const struct stage_env *env, const struct shot *shot, struct error *e)
{
    const struct overlay whole[] = {
        {.text = shot->prompt, .subtext = "", .font = "", .style = OVERLAY_TITLE},
        {.text = shot->prompt, .subtext = "", .font = "", .style = OVERLAY_CAPTION},
    };

    if (shot->kind != SHOT_GENERATED || shot->text != TEXT_OVERLAY || !shot->prompt[0] ||
        overlays_check(whole, 2, e) == 0)
        return 0;
    error_clear(e);
    return check_lifted(env, shot, e);
}

static int composite_check(const struct stage_env *env, const struct shot *shot, struct error *e)
{
    if (overlays_check(shot->overlays, shot->overlay_count, e) != 0)
        return -1;
    return check_prompt(env, shot, e);
}

/* Sets every overlay and finds its place. */
static int prepare(struct stage_job *job, struct typesetter *t, const struct overlay *overlays,
                   size_t count, struct placed *items, struct error *e)
{
    const struct board *b = job->env->board;

    for (size_t i = 0; i < count; i++) {
        struct placed *p = &items[i];
        char timecode[16];
        bool running = overlays[i].style == OVERLAY_TIMECODE;

        p->overlay = &overlays[i];
        layout_times(p, b->fps, job->shot->frames);
        media_timecode(p->first, b->fps, timecode);
        if (typeset(t, p->overlay, running ? timecode : NULL, &p->block, e) != 0 ||
            layout_place(items, i + 1, b->width, b->height, e) != 0)
            return blame(p->overlay, e);
    }
    return 0;
}

static int composite_run(void *session, struct stage_job *job, struct error *e)
{
    const struct board *b = job->env->board;
    struct artefact a = {.name = "titles.mkv", .bytes = ""};
    const struct overlay *overlays;
    struct typesetter *t = NULL;
    struct placed *items = NULL;
    size_t count;
    int rc = -1;

    (void)session;
    if (overlays_of_job(job, &overlays, &count, e) != 0)
        return -1;
    if (count == 0)
        return job->output(job, &a, e);
    a = (struct artefact){.name = "titles.mkv"};
    a.path = arena_printf(job->arena, "%s/titles.mkv", job->workdir);
    items = calloc(count, sizeof *items);
    if (!a.path || !items) {
        error_memory(e);
        goto done;
    }
    if (typesetter_open(b->width, b->height, &t, e) == 0 &&
        prepare(job, t, overlays, count, items, e) == 0 &&
        layer_write(job, t, items, count, a.path, e) == 0)
        rc = job->output(job, &a, e);
done:
    for (size_t i = 0; items && i < count; i++)
        block_free(&items[i].block);
    free(items);
    typesetter_close(t);
    return rc;
}

const struct stage stage_composite = {
    .name = "composite",
    .version = 2,
    .lane = composite_lane,
    .describe = composite_describe,
    .reads = 1u << STAGE_ENHANCE,
    .reads_content = {STAGE_ENHANCE, "lettering.json"},
    .check = composite_check,
    .run = composite_run,
};
