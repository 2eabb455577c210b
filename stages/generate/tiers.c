#include "stages/generate/tiers.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/base/file.h"
#include "kernels/base/strbuf.h"

/* No model here writes legible letters, so lettering heads every list. */
#define NO_LETTERS "text, letters, lettering, subtitles, captions, watermark, logo, signature"

const struct tier tiers_all[] = {
    {
        .name = "previs",
        .model = "Wan 2.2 form, small",
        .family = FAMILY_WAN,
        .supported = true,
        .embedded = true,
        .small = true,
        .steps = 16,
        .guidance = 2.5,
        .guidance_2 = 2.5,
        .frames_max = 121,
        .pixels_max = 384 * 224,
        /* short, and mostly words that it was taught */
        .negative = "text, letters, watermark, subtitles, logo, blurry, low quality",
    },
    {
        .name = "validator",
        .model = "SDXL and SVD-XT",
        .family = FAMILY_SDXL_SVD,
    },
    {
        .name = "workhorse",
        .model = "HunyuanVideo",
        .family = FAMILY_HUNYUAN_VIDEO,
    },
    {
        .name = "experimental",
        .model = "CogVideoX",
        .family = FAMILY_COGVIDEOX,
    },
    {
        .name = "flagship",
        .model = "Wan 2.2 A14B",
        .family = FAMILY_WAN,
        .supported = true,
        .steps = 40,
        .guidance = 4.0,
        .guidance_2 = 3.0,
        .frames_max = 121,
        .pixels_max = 1280 * 720,
        .negative = NO_LETTERS ", blurry, low quality, JPEG artefacts, overexposed, washed out, "
                               "still picture, deformed, extra fingers, poorly drawn hands, "
                               "poorly drawn faces, fused fingers, walking backwards",
    },
};
const int tier_count = sizeof tiers_all / sizeof *tiers_all;

/* What the Wan VAE and the denoiser's patches ask of sizes. */
enum { SIZE_MULTIPLE = 16, FRAME_MULTIPLE = 4, SPACE_FACTOR = 8, TIME_FACTOR = 4 };

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
        if (tiers_all[i].supported)
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

int tier_of_shot(const struct stage_env *env, const struct shot *shot, const struct tier **out,
                 struct error *e)
{
    const char *name = tier_name_of_shot(env, shot);
    const struct tier *tier = tier_find(name);
    if (!tier)
        return unknown_tier(name, e);
    if (!tier->supported)
        return error_set(e, ERROR_INPUT, "tier %s (%s) is not supported by this version",
                         tier->name, tier->model);
    if (shot->frames > tier->frames_max)
        return error_set(e, ERROR_INPUT, "%d frames: tier %s makes at most %d; split the shot",
                         shot->frames, tier->name, tier->frames_max);
    *out = tier;
    return 0;
}

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int tier_checkpoint(const struct stage_env *env, const struct tier *tier, struct arena *a,
                    const char **path, struct error *e)
{
    const char *found = NULL;
    for (size_t i = 0; i < env->board->model_count; i++)
        if (strcmp(env->board->models[i].tier, tier->name) == 0)
            found = env->board->models[i].path;
    if (!found && !tier->embedded && !(env->models_dir && *env->models_dir))
        return error_set(e, ERROR_MODEL,
                         "tier %s (%s) has no checkpoint: name its directory in the storyboard "
                         "(models: {%s: PATH}), or put it under --models as %s",
                         tier->name, tier->model, tier->name, tier->name);
    if (!found)
        found = path_join(a, tier->embedded ? env->data_dir : env->models_dir, tier->name);
    if (!found)
        return error_memory(e);
    if (!is_directory(found))
        return error_set(e, ERROR_MODEL,
                         "the checkpoint of tier %s is not there: %s is no directory", tier->name,
                         found);
    *path = found;
    return 0;
}

static int round_up(int value, int multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

/* The largest multiple of SIZE_MULTIPLE for the longer side at which the picture is within the
 * tier's pixels; the other side follows the board's aspect. */
static void fit(int64_t pixels_max, int long_side, int short_side, int *fitted_long,
                int *fitted_short)
{
    double aspect = (double)short_side / long_side;
    int side = (int)sqrt((double)pixels_max / aspect) / SIZE_MULTIPLE * SIZE_MULTIPLE;
    if (side < SIZE_MULTIPLE)
        side = SIZE_MULTIPLE;
    if (side > long_side)
        side = round_up(long_side, 2);
    *fitted_long = side;
    *fitted_short = (int)lround(side * aspect / 2) * 2;
    if (*fitted_short < 2)
        *fitted_short = 2;
}

void tier_geometry(const struct tier *tier, const struct board *board, const struct shot *shot,
                   struct tier_geometry *out)
{
    struct tier_geometry g = {.picture_width = board->width, .picture_height = board->height};
    if ((int64_t)board->width * board->height > tier->pixels_max) {
        if (board->width >= board->height)
            fit(tier->pixels_max, board->width, board->height, &g.picture_width, &g.picture_height);
        else
            fit(tier->pixels_max, board->height, board->width, &g.picture_height, &g.picture_width);
    }
    g.width = round_up(g.picture_width, SIZE_MULTIPLE);
    g.height = round_up(g.picture_height, SIZE_MULTIPLE);
    g.left = (g.width - g.picture_width) / 4 * 2;
    g.top = (g.height - g.picture_height) / 4 * 2;
    g.picture_frames = shot->frames;
    g.frames = round_up(shot->frames - 1, FRAME_MULTIPLE) + 1;
    g.latent_frames = (g.frames - 1) / TIME_FACTOR + 1;
    g.latent_width = g.width / SPACE_FACTOR;
    g.latent_height = g.height / SPACE_FACTOR;
    *out = g;
}
