#include "stages/generate/tiers.h"

#include <dirent.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/base/file.h"
#include "kernels/base/strbuf.h"
#include "stages/models/layout.h"

/* No model here writes legible letters, so lettering heads every list that is read. */
#define NO_LETTERS "text, letters, lettering, subtitles, captions, watermark, logo, signature"

const struct tier tiers_all[] = {
    {
        .name = "previs",
        .model = "Wan 2.2 form, small",
        .family = &family_wan,
        .embedded = true,
        .small = true,
        .native_fps = 24,
        .steps = 8, /* it is distilled to these, and to no guidance */
        .guidance = 1,
        .guidance_2 = 1,
        .frames_max = 121,
        .pixels_max = 416 * 240,
        .own_size = true, /* of fewer it makes a smear: a smaller board has them shrunk */
        .text_length = 512,
        .negative = "",
    },
    {
        .name = "validator",
        .model = "SDXL and SVD-XT",
        .family = &family_svd,
        .steps = 25,
        .guidance = 3,
        .guidance_2 = 1,
        .motion = 127,
        .noise = 0.02,
        .pixels_max = 1024 * 576,
        .text_length = 77,
        .negative = NO_LETTERS ", blurry, low quality, JPEG artefacts, deformed, frame, border",
        .keyframe = {.family = &family_sdxl,
                     .folder = "sdxl",
                     .motion_folder = "svd-xt",
                     .guidance = 5,
                     .pixels = 1024 * 1024},
    },
    {
        .name = "picture",
        .model = "SDXL",
        .family = &family_sdxl,
        .guidance = 5,
        .guidance_2 = 5,
        .pixels_max = 1024 * 1024,
        .own_size = true,
        .shares = "validator",
        .text_length = 77,
        .negative = NO_LETTERS ", blurry, low quality, JPEG artefacts, deformed, frame, border",
    },
    {
        .name = "workhorse",
        .native_fps = 24,
        .model = "HunyuanVideo",
        .family = &family_hunyuan_video,
        .steps = 50,
        .guidance = 6,
        .guidance_2 = 6,
        .frames_max = 129,
        .pixels_max = 1280 * 720,
        .text_length = 256,
        .negative = NO_LETTERS, /* the model reads none: its guidance is distilled */
    },
    {
        .name = "experimental",
        .native_fps = 8,
        .model = "CogVideoX",
        .family = &family_cogvideox,
        .steps = 50,
        .guidance = 6,
        .guidance_2 = 6,
        .frames_max = 49,
        .pixels_max = 720 * 480,
        .text_length = 226,
        .negative = NO_LETTERS ", blurry, low quality, deformed, still picture",
    },
    {
        .name = "flagship",
        .native_fps = 16,
        .model = "Wan 2.2 A14B",
        .family = &family_wan,
        .steps = 40,
        .guidance = 4,
        .guidance_2 = 3,
        .frames_max = 121,
        .pixels_max = 1280 * 720,
        .text_length = 512,
        .negative = NO_LETTERS ", blurry, low quality, JPEG artefacts, overexposed, washed out, "
                               "still picture, deformed, extra fingers, poorly drawn hands, "
                               "poorly drawn faces, fused fingers, walking backwards",
    },
};
const int tier_count = sizeof tiers_all / sizeof *tiers_all;

const struct tier *tier_find(const char *name)
{
    for (int i = 0; i < tier_count; i++)
        if (strcmp(tiers_all[i].name, name) == 0)
            return &tiers_all[i];
    return NULL;
}

static int unknown_tier(const char *name, struct error *e)
{
    struct strbuf names = {0};
    for (int i = 0; i < tier_count; i++)
        strbuf_addf(&names, "%s%s", names.length ? ", " : "", tiers_all[i].name);
    error_set(e, ERROR_INPUT, "there is no tier %s: this version has %s", name,
              names.text && !names.failed ? names.text : "others");
    strbuf_free(&names);
    return -1;
}

const char *tier_name_of_shot(const struct stage_env *env, const struct shot *shot)
{
    return env->tier && *env->tier ? env->tier : shot->tier;
}

/* Which of the model's frames the shot's are at, and how many of them it takes, before the family's
 * rounding. */
static int model_frames(const struct tier *tier, struct rational fps, const struct shot *shot,
                        struct tier_geometry *g)
{
    const struct family *family = tier->family;
    int64_t last = shot->frames - 1;

    g->step_num = g->step_den = 1;
    g->interpolated = false;
    if (!tier->frames_max && family->frames_max && shot->frames > family->frames_max) {
        g->step_num = family->frames_max;
        g->step_den = shot->frames;
        return family->frames_max;
    }
    if (shot->rate == RATE_BOARD || !tier->native_fps ||
        (int64_t)tier->native_fps * fps.den == fps.num)
        return shot->frames;
    g->step_num = (int64_t)tier->native_fps * fps.den;
    g->step_den = fps.num;
    g->interpolated = shot->rate == RATE_INTERPOLATE && g->step_num < g->step_den;
    if (g->interpolated) /* up to the one behind the last */
        return (int)((last * g->step_num + g->step_den - 1) / g->step_den) + 1;
    return (int)(last * g->step_num / g->step_den) + 1;
}

int tier_of_shot(const struct stage_env *env, const struct shot *shot, const struct tier **out,
                 struct error *e)
{
    const char *name = tier_name_of_shot(env, shot);
    const struct tier *tier = tier_find(name);
    struct tier_geometry unused;
    int made;
    if (!tier)
        return unknown_tier(name, e);
    made = model_frames(tier, env->board->fps, shot, &unused);
    if (tier->frames_max && made > tier->frames_max)
        return error_set(e, ERROR_INPUT, "%d frames: tier %s makes at most %d; split the shot",
                         made, tier->name, tier->frames_max);
    *out = tier;
    return 0;
}

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* What the board says; NULL: nothing. */
static const char *board_folder(const struct stage_env *env, const struct tier *tier)
{
    for (size_t i = 0; i < env->board->model_count; i++)
        if (strcmp(env->board->models[i].tier, tier->name) == 0)
            return env->board->models[i].path;
    return NULL;
}

/* As a drive's mount point is while the drive is not plugged in. */
static bool is_empty(const char *folder)
{
    DIR *d = opendir(folder);
    const struct dirent *entry;
    bool empty = d != NULL;
    while (empty && (entry = readdir(d)))
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    if (d)
        closedir(d);
    return empty;
}

static const char *own_folder(const struct stage_env *env, const struct tier *tier, struct arena *a)
{
    const char *named = board_folder(env, tier), *given = NULL;

    if (named)
        return named;
    if (env->models_dir && *env->models_dir)
        given = path_join(a, env->models_dir, tier->name);
    if (tier->embedded && (!given || !is_directory(given) || is_empty(given)))
        return path_join(a, env->data_dir, tier->name);
    return given;
}

const char *tier_folder(const struct stage_env *env, const struct tier *tier, struct arena *a)
{
    const char *own = own_folder(env, tier, a), *other, *path = NULL;
    const struct tier *shares = tier->shares ? tier_find(tier->shares) : NULL;
    if (!shares || (own && is_directory(own)))
        return own;
    other = own_folder(env, shares, a);
    if (other)
        path = path_join(a, other, shares->keyframe.folder);
    return path && is_directory(path) ? path : own;
}

static int no_folder(const struct stage_env *env, const struct tier *tier, struct error *e)
{
    if (tier->embedded || (env->models_dir && *env->models_dir))
        return error_memory(e); /* it was said where */
    return error_set(e, ERROR_ABSENT,
                     "tier %s (%s) has no checkpoint: name its directory in the storyboard "
                     "(models: {%s: PATH}), or put it under --models or AUTEUR_MODELS as "
                     "%s",
                     tier->name, tier->model, tier->name, tier->name);
}

/* Whether the folder is itself a checkpoint, rather than one of two. */
static bool is_checkpoint(const char *folder, struct arena *a)
{
    const char *index = path_join(a, folder, "model_index.json");
    return index && path_exists(index);
}

static int not_there(const struct stage_env *env, const struct tier *tier, const char *path,
                     struct error *e)
{
    const char *mend = tier->embedded ? "it ships with the program: install that again"
                                      : "plug in the drive that it is on, say where it is with run "
                                        "--models DIR, or download it (see auteur-pipe models)";
    if (board_folder(env, tier))
        mend = "plug in the drive that it is on, or mend the storyboard's `models`";
    else if (!tier->embedded && is_directory(env->models_dir) && !is_empty(env->models_dir) &&
             !is_directory(path))
        mend = "download it there (see auteur-pipe models), or say where it is with --models DIR";
    return error_set(
        e, ERROR_ABSENT, "the checkpoint of tier %s is not there: %s %s: %s", tier->name, path,
        is_directory(path) ? "has no model_index.json and is empty" : "is no directory", mend);
}

/* A folder in another layout is told apart here, before any stage looks for a part of it. */
static int need_checkpoint(const struct stage_env *env, const struct tier *tier, const char *path,
                           struct arena *a, struct error *e)
{
    if (is_checkpoint(path, a))
        return 0;
    const char *known = layout_explain(path, a);
    if (known)
        return error_set(e, ERROR_MODEL, "the checkpoint of tier %s cannot be used: %s is %s",
                         tier->name, path, known);
    if (!is_directory(path) || is_empty(path))
        return not_there(env, tier, path, e);
    return error_set(e, ERROR_MODEL,
                     "the checkpoint of tier %s is not there: %s has no model_index.json",
                     tier->name, path);
}

/* One of the two folders of a tier of two models; what the tier's folder is when it has neither. */
static int need_one_of_two(const struct stage_env *env, const struct tier *tier, const char *folder,
                           const char *name, struct arena *a, const char **path, struct error *e)
{
    const char *first = path_join(a, folder, tier->keyframe.folder);
    const char *second = path_join(a, folder, tier->keyframe.motion_folder);
    *path = path_join(a, folder, name);
    if (!first || !second || !*path)
        return error_memory(e);
    if (!is_directory(first) && !is_directory(second) && layout_explain(folder, a))
        return need_checkpoint(env, tier, folder, a, e);
    return need_checkpoint(env, tier, *path, a, e);
}

int tier_checkpoint(const struct stage_env *env, const struct tier *tier, struct arena *a,
                    const char **path, struct error *e)
{
    const char *folder = tier_folder(env, tier, a);
    if (!folder)
        return no_folder(env, tier, e);
    *path = folder;
    if (tier->keyframe.family && !is_checkpoint(folder, a))
        return need_one_of_two(env, tier, folder, tier->keyframe.motion_folder, a, path, e);
    return need_checkpoint(env, tier, folder, a, e);
}

int tier_prompt_checkpoint(const struct stage_env *env, const struct tier *tier, struct arena *a,
                           const char **path, struct error *e)
{
    const char *folder;
    *path = NULL;
    if (!tier->keyframe.family)
        return tier_checkpoint(env, tier, a, path, e);
    folder = tier_folder(env, tier, a);
    if (!folder)
        return no_folder(env, tier, e);
    if (is_checkpoint(folder, a))
        return 0;
    return need_one_of_two(env, tier, folder, tier->keyframe.folder, a, path, e);
}

static int round_up(int value, int multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

/* The largest multiple for the longer side at which the picture is within these pixels; the other
 * side follows the board's aspect. enlarge: also beyond the board's own size. */
static void fit(int64_t pixels_max, bool enlarge, int multiple, int long_side, int short_side,
                int *fitted_long, int *fitted_short)
{
    double aspect = (double)short_side / long_side;
    int side = (int)(sqrt((double)pixels_max / aspect) + 1e-6) / multiple * multiple;
    if (side < multiple)
        side = multiple;
    if (side > long_side && !enlarge)
        side = round_up(long_side, 2);
    *fitted_long = side;
    *fitted_short = (int)lround(side * aspect / 2) * 2;
    if (*fitted_short < 2)
        *fitted_short = 2;
}

int64_t tier_trained_pixels(const struct stage_env *env, const struct tier *tier)
{
    const struct family *family = tier->keyframe.family ? tier->keyframe.family : tier->family;
    struct error ignored = {0};
    struct arena a = {0};
    const char *dir;
    int64_t pixels = 0;
    if (family->trained_pixels && tier_prompt_checkpoint(env, tier, &a, &dir, &ignored) == 0 && dir)
        pixels = family->trained_pixels(dir);
    arena_free(&a);
    return pixels;
}

void tier_geometry(const struct tier *tier, const struct board *board, const struct shot *shot,
                   int64_t trained, struct tier_geometry *out)
{
    int multiple = tier->family->size_multiple;
    int64_t most = tier->own_size && trained > 0 ? trained : tier->pixels_max;
    struct tier_geometry g = {.picture_width = board->width, .picture_height = board->height};
    if (tier->own_size || (int64_t)board->width * board->height > most) {
        if (board->width >= board->height)
            fit(most, tier->own_size, multiple, board->width, board->height, &g.picture_width,
                &g.picture_height);
        else
            fit(most, tier->own_size, multiple, board->height, board->width, &g.picture_height,
                &g.picture_width);
    }
    g.width = round_up(g.picture_width, multiple);
    g.height = round_up(g.picture_height, multiple);
    g.left = (g.width - g.picture_width) / 4 * 2;
    g.top = (g.height - g.picture_height) / 4 * 2;
    g.picture_frames = shot->frames;
    g.frames = model_frames(tier, board->fps, shot, &g);
    g.frames = round_up(g.frames - 1, tier->family->frame_multiple) + 1;
    *out = g;
}

void tier_shot_geometry(const struct stage_env *env, const struct tier *tier,
                        const struct shot *shot, struct tier_geometry *out)
{
    tier_geometry(tier, env->board, shot, tier->own_size ? tier_trained_pixels(env, tier) : 0, out);
}

void tier_keyframe_size(const struct tier *tier, const struct tier_geometry *g, int64_t trained,
                        int *width, int *height)
{
    int multiple = tier->keyframe.family->size_multiple;
    double scale = sqrt((double)(trained > 0 ? trained : tier->keyframe.pixels) /
                        ((double)g->width * g->height));
    if (scale < 1) /* a smaller one would only be enlarged */
        scale = 1;
    *width = (int)lround(g->width * scale / multiple) * multiple;
    *height = (int)lround(g->height * scale / multiple) * multiple;
    *width = *width < multiple ? multiple : *width;
    *height = *height < multiple ? multiple : *height;
}
