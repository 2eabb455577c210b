/* Composite: the overlays of a shot become its title layer. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/composite/composite.h"
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

static bool has_timecode(const struct shot *shot)
{
    for (size_t i = 0; i < shot->overlay_count; i++)
        if (shot->overlays[i].style == OVERLAY_TIMECODE)
            return true;
    return false;
}

static int composite_describe(const struct stage_env *env, const struct shot *shot,
                              struct inputs *in, struct error *e)
{
    const struct board *b = env->board;
    char timecode[TIMECODE_SIZE];

    (void)e;
    in->integer(in, "width", b->width);
    in->integer(in, "height", b->height);
    in->integer(in, "fps.num", b->fps.num);
    in->integer(in, "fps.den", b->fps.den);
    in->integer(in, "frames", shot->frames);
    in->integer(in, "overlays", (int64_t)shot->overlay_count);
    for (size_t i = 0; i < shot->overlay_count; i++)
        describe_overlay(in, i, &shot->overlays[i]);
    if (has_timecode(shot)) {
        media_timecode(b, 0, timecode);
        in->text(in, "timecode", timecode);
    }
    return 0;
}

/* Sets every overlay, or only measures it, and finds its place. */
static int lay_out(struct typesetter *t, const struct board *b, int frames,
                   const struct overlay *overlays, size_t count, bool measured,
                   struct placed *items, struct error *e)
{
    for (size_t i = 0; i < count; i++) {
        struct placed *p = &items[i];
        bool running = overlays[i].style == OVERLAY_TIMECODE;
        char timecode[16];

        p->overlay = &overlays[i];
        layout_times(p, b->fps, frames);
        media_timecode(b, p->first, timecode);
        if ((measured ? typeset_measure : typeset)(t, p->overlay, running ? timecode : NULL,
                                                   &p->block, e) != 0)
            return overlay_blame(p->overlay, e);
    }
    return layout_place(items, count, b->width, b->height, e);
}

/* Whether each fits by itself, and no two are ever seen together. */
static bool surely_fit(struct typesetter *t, const struct board *b, int frames,
                       const struct overlay *overlays, size_t count, struct placed *items)
{
    for (size_t i = 0; i < count; i++) {
        items[i].overlay = &overlays[i];
        layout_times(&items[i], b->fps, frames);
        for (size_t k = 0; k < i; k++)
            if (items[i].first <= items[k].last && items[k].first <= items[i].last)
                return false;
        if (!typeset_surely_fits(t, &overlays[i]))
            return false;
    }
    return true;
}

static int check_fit(struct typesetter *t, const struct board *b, int frames,
                     const struct overlay *overlays, size_t count, struct error *e)
{
    struct placed *items = calloc(count + 1, sizeof *items);
    int rc = 0;

    if (!items)
        return error_memory(e);
    if (!surely_fit(t, b, frames, overlays, count, items))
        rc = lay_out(t, b, frames, overlays, count, true, items, e);
    free(items);
    return rc;
}

/* Fonts take longer to find than words to measure: the last check's typesetter serves the next one
 * too, until the process ends. */
static struct {
    pthread_mutex_t mutex;
    struct typesetter *typesetter;
    int width, height; /* its pictures' */
} kept = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static int kept_typesetter(const struct board *b, struct error *e)
{
    if (kept.typesetter && kept.width == b->width && kept.height == b->height)
        return 0;
    typesetter_close(kept.typesetter);
    kept.typesetter = NULL;
    kept.width = b->width;
    kept.height = b->height;
    return typesetter_open(b->width, b->height, &kept.typesetter, e);
}

static int check_glyphs(struct typesetter *t, const struct overlay *overlays, size_t count,
                        struct error *e)
{
    for (size_t i = 0; i < count; i++)
        if (typeset_check(t, &overlays[i], e) != 0)
            return overlay_blame(&overlays[i], e);
    return 0;
}

int composite_check_overlays(const struct board *b, int frames, const struct overlay *overlays,
                             size_t count, struct error *e)
{
    int rc = -1;

    if (count == 0)
        return 0;
    pthread_mutex_lock(&kept.mutex);
    if (kept_typesetter(b, e) == 0 && check_glyphs(kept.typesetter, overlays, count, e) == 0)
        rc = check_fit(kept.typesetter, b, frames, overlays, count, e);
    pthread_mutex_unlock(&kept.mutex);
    return rc;
}

/* The board's overlays and the lettering that enhance finds in the prompt. */
static int check_lifted(const struct stage_env *env, const struct shot *shot, struct error *e)
{
    struct arena a = {0};
    struct enhancer *enhancer = NULL;
    struct enhanced enhanced;
    const struct tier *tier;
    struct overlay *all;
    size_t count = shot->overlay_count;
    int rc = -1;

    if (tier_of_shot(env, shot, &tier, e) != 0 || enhancer_open(env, tier, &enhancer, e) != 0 ||
        enhancer_shot(enhancer, shot, &a, &enhanced, e) != 0)
        goto done;
    all = arena_array(&a, count + enhanced.overlay_count + 1, sizeof *all);
    if (!all) {
        error_memory(e);
        goto done;
    }
    for (size_t i = 0; i < count; i++)
        all[i] = shot->overlays[i];
    for (size_t i = 0; i < enhanced.overlay_count; i++)
        all[count++] = (struct overlay){.style = overlay_style_named(enhanced.overlays[i].style),
                                        .text = enhanced.overlays[i].text,
                                        .subtext = "",
                                        .font = "",
                                        .out = frames_to_seconds(shot->frames, env->board->fps)};
    rc = composite_check_overlays(env->board, shot->frames, all, count, e);
done:
    enhancer_close(enhancer);
    arena_free(&a);
    return rc;
}

static bool has_quotes(const char *prompt)
{
    static const char *const marks[] = {"\"", "\u201c", "\u201e", "\u00ab", "\u2018", "\u300c"};

    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (strstr(prompt, marks[i]))
            return true;
    return false;
}

/* Whether any words of a prompt could be set: each character, and each word by itself. */
static bool words_can_be_set(const struct board *b, const char *prompt)
{
    const struct overlay whole[] = {
        {.text = prompt, .subtext = "", .font = "", .style = OVERLAY_TITLE},
        {.text = prompt, .subtext = "", .font = "", .style = OVERLAY_CAPTION},
    };
    struct error e = {0};
    bool can;

    pthread_mutex_lock(&kept.mutex);
    can = kept_typesetter(b, &e) == 0 && check_glyphs(kept.typesetter, whole, 2, &e) == 0 &&
          typeset_words_fit(kept.typesetter, &whole[0]);
    pthread_mutex_unlock(&kept.mutex);
    return can;
}

/* Lettering is words of the prompt, mostly in quotation marks. Finding out which words takes a
 * tokenizer: only where there are such marks, or where some word could not be set. A long phrase
 * without them that is lettering all the same meets its want of room when it is set. */
static int check_prompt(const struct stage_env *env, const struct shot *shot, struct error *e)
{
    if (shot->kind != SHOT_GENERATED || shot->text != TEXT_OVERLAY || !shot->prompt[0] ||
        (!has_quotes(shot->prompt) && words_can_be_set(env->board, shot->prompt)))
        return 0;
    return check_lifted(env, shot, e);
}

static int composite_check(const struct stage_env *env, const struct shot *shot, struct error *e)
{
    if (composite_check_overlays(env->board, shot->frames, shot->overlays, shot->overlay_count,
                                 e) != 0)
        return -1;
    return check_prompt(env, shot, e);
}

int composite_layer(struct stage_job *job, const struct board *b, int frames,
                    const struct overlay *overlays, size_t count, const char *path, int *stored,
                    struct error *e)
{
    struct typesetter *t = NULL;
    struct placed *items = calloc(count, sizeof *items);
    int rc = -1;

    if (!items)
        return error_memory(e);
    if (typesetter_open(b->width, b->height, &t, e) == 0 &&
        lay_out(t, b, frames, overlays, count, false, items, e) == 0)
        rc = layer_write(job, b, frames, t, items, count, path, stored, e);
    for (size_t i = 0; i < count; i++)
        block_free(&items[i].block);
    free(items);
    typesetter_close(t);
    return rc;
}

static int composite_run(void *session, struct stage_job *job, struct error *e)
{
    struct artefact a = {.name = "titles.mkv", .bytes = ""};
    const struct overlay *overlays;
    size_t count;
    int stored;
    char text[32];

    (void)session;
    if (overlays_of_job(job, &overlays, &count, e) != 0)
        return -1;
    if (count == 0)
        return job->output(job, &a, e);
    a = (struct artefact){.name = "titles.mkv"};
    a.path = arena_printf(job->arena, "%s/titles.mkv", job->workdir);
    if (!a.path)
        return error_memory(e);
    if (composite_layer(job, job->env->board, job->shot->frames, overlays, count, a.path, &stored,
                        e) != 0)
        return -1;
    snprintf(text, sizeof text, "%d", stored);
    job->note(job, "layer_frames", text);
    return job->output(job, &a, e);
}

const struct stage stage_composite = {
    .name = "composite",
    .version = 3,
    .lane = composite_lane,
    .describe = composite_describe,
    .reads = 1u << STAGE_ENHANCE,
    .reads_content = {STAGE_ENHANCE, "lettering.json"},
    .check = composite_check,
    .run = composite_run,
};
