#include "stages/generate/settings.h"

#include <math.h>
#include <string.h>

#include "stages/generate/presets.h"

static double or_default(double value, double otherwise)
{
    return value >= 0 ? value : otherwise;
}

/* The rate at which the model's frames are shown: what SVD is told. */
static double model_fps(const struct stage_env *env, const struct tier_geometry *g)
{
    double fps = (double)env->board->fps.num / env->board->fps.den;
    return g->step_num != g->step_den ? fmax(1, round(fps * g->step_num / g->step_den)) : fps;
}

static enum step_cache_mode mode_of(const char *name)
{
    int mode = 0;
    while (step_cache_names[mode] && strcmp(step_cache_names[mode], name) != 0)
        mode++;
    return step_cache_names[mode] ? (enum step_cache_mode)mode : STEP_CACHE_OFF;
}

/* What the command line says counts before the board. A family that has none is left alone, and
 * that is kept to be told (no_step_cache). */
static void fill_step_cache(const struct stage_env *env, const struct shot *shot,
                            struct settings *s)
{
    bool told = env->step_cache && *env->step_cache;
    enum step_cache_mode mode = mode_of(told ? env->step_cache : shot->step_cache);
    double threshold =
        env->step_cache_threshold > 0 ? env->step_cache_threshold : shot->step_cache_threshold;
    if (mode == STEP_CACHE_OFF)
        return;
    if (!s->tier->family->step_cache) {
        s->no_step_cache = true;
        return;
    }
    s->generation.step_cache.mode = mode;
    s->generation.step_cache.threshold = threshold > 0 ? threshold : step_cache_threshold(mode);
}

/* A name that no option or board could have given is as none. */
static const struct preset *preset_of(const struct stage_env *env)
{
    const struct preset *p = preset_find(env->preset);
    return p ? p : preset_find(NULL);
}

static void fill_generation(const struct stage_env *env, const struct shot *shot,
                            struct settings *s)
{
    const struct tier *tier = s->tier;
    const struct tier_geometry *g = &s->geometry;
    bool given = shot->guidance >= 0; /* for both, unless the second is given as well */
    s->generation = (struct generation){
        .seed = shot->seed,
        .width = g->width,
        .height = g->height,
        .frames = g->frames,
        .steps = shot->steps > 0                ? shot->steps
                 : tier->family == &family_sdxl ? preset_of(env)->steps
                                                : tier->steps,
        .guidance = or_default(shot->guidance, tier->guidance),
        .guidance_2 = or_default(shot->guidance_2,
                                 given && tier->guidance_2 > 1 ? shot->guidance : tier->guidance_2),
        .fps = model_fps(env, g),
        .motion_bucket = shot->motion > 0 ? shot->motion : tier->motion,
        .noise_strength = or_default(shot->noise, tier->noise),
        .dynamic_guidance = -1, /* off, as the published pipeline has it unless told otherwise */
    };
}

static void fill_keyframe(const struct stage_env *env, const struct shot *shot, struct settings *s)
{
    const struct tier *tier = s->tier;
    s->keyframe = (struct generation){.seed = shot->seed,
                                      .frames = 1,
                                      .steps = preset_of(env)->steps,
                                      .guidance = tier->keyframe.guidance,
                                      .guidance_2 = tier->keyframe.guidance};
    tier_keyframe_size(tier, &s->geometry, tier_trained_pixels(env, tier), &s->keyframe.width,
                       &s->keyframe.height);
}

static bool has_second_guidance(const struct tier *tier)
{
    return tier->family->needs_picture || tier->family == &family_wan;
}

/* The shot without those of the board's defaults that its tier has no use for. */
static struct shot without_unused(const struct shot *shot, const struct tier *tier)
{
    struct shot s = *shot;
    if (s.inherited.step_cache && !tier->family->step_cache)
        s.step_cache = "";
    if (s.inherited.guidance_2 && !has_second_guidance(tier))
        s.guidance_2 = -1;
    if (s.inherited.motion && !tier->family->needs_picture)
        s.motion = 0;
    if (s.inherited.noise && !tier->family->needs_picture)
        s.noise = -1;
    return s;
}

/* What only some models can do must not be asked of the others in vain. */
static int refuse(const struct tier *tier, const char *what, struct error *e)
{
    return error_set(e, ERROR_INPUT, "tier %s (%s) has no %s; leave it out", tier->name,
                     tier->model, what);
}

static int check_shot(const struct shot *shot, const struct tier *tier, struct error *e)
{
    bool moves_pictures = tier->family->needs_picture;
    if (shot->steps > SAMPLER_STEPS_MAX)
        return error_set(e, ERROR_INPUT, "%d steps: at most %d are possible", shot->steps,
                         SAMPLER_STEPS_MAX);
    if (*shot->keyframe && !moves_pictures)
        return refuse(tier, "keyframe: it makes its pictures from words", e);
    if (shot->motion > 0 && !moves_pictures)
        return refuse(tier, "motion", e);
    if (shot->noise >= 0 && !moves_pictures)
        return refuse(tier, "noise", e);
    if (mode_of(shot->step_cache) != STEP_CACHE_OFF && !tier->family->step_cache)
        return refuse(tier, "step cache", e);
    if (shot->guidance_2 >= 0 && !has_second_guidance(tier))
        return refuse(tier, "second guidance", e);
    return 0;
}

static const char *precision_of(const struct device_options *asked, const struct family *family)
{
    if (asked->linears == DTYPE_F8_E4M3 && family->fp8)
        return "fp8";
    if (asked->f32)
        return "f32";
    if (family_model_dtype(family, asked) == family->gpu.model)
        return NULL;
    return asked->activations == DTYPE_BF16 ? "bf16" : "f16";
}

int settings_of(const struct stage_env *env, const struct shot *shot, struct settings *out,
                struct error *e)
{
    const struct tier *tier;
    struct shot used;
    if (tier_of_shot(env, shot, &tier, e) != 0)
        return -1;
    used = without_unused(shot, tier);
    if (check_shot(&used, tier, e) != 0)
        return -1;
    *out = (struct settings){.tier = tier, .sampler = shot->sampler, .flow_shift = shot->shift};
    tier_shot_geometry(env, tier, shot, &out->geometry);
    fill_generation(env, &used, out);
    fill_step_cache(env, shot, out);
    out->precision = precision_of(&env->device, tier->family);
    out->makes_keyframe = tier->keyframe.family && !*shot->keyframe;
    if (out->makes_keyframe)
        fill_keyframe(env, shot, out);
    return 0;
}

int settings_batch(const struct stage_env *env, const struct family *family)
{
    int most = env->batch > 0 ? env->batch : preset_of(env)->batch;
    return family->batch_max < 1 ? 1 : most < family->batch_max ? most : family->batch_max;
}

void settings_describe(const struct settings *s, struct inputs *in)
{
    const struct generation *g = &s->generation;
    in->text(in, "tier", s->tier->name);
    in->integer(in, "seed", (int64_t)g->seed);
    in->integer(in, "width", g->width);
    in->integer(in, "height", g->height);
    in->integer(in, "frames", g->frames);
    in->integer(in, "steps", g->steps);
    in->number(in, "guidance", g->guidance);
    in->number(in, "guidance_2", g->guidance_2);
    if (*s->sampler)
        in->text(in, "sampler", s->sampler);
    if (s->flow_shift > 0)
        in->number(in, "shift", s->flow_shift);
    if (s->precision)
        in->text(in, "precision", s->precision);
    if (g->step_cache.mode != STEP_CACHE_OFF) {
        in->text(in, "step_cache", step_cache_names[g->step_cache.mode]);
        in->number(in, "step_cache_threshold", g->step_cache.threshold);
    }
    if (s->tier->family->needs_picture) {
        in->number(in, "fps", g->fps);
        in->integer(in, "motion", g->motion_bucket);
        in->number(in, "noise", g->noise_strength);
    }
    if (s->makes_keyframe) {
        in->integer(in, "keyframe.width", s->keyframe.width);
        in->integer(in, "keyframe.height", s->keyframe.height);
        in->integer(in, "keyframe.steps", s->keyframe.steps);
        in->number(in, "keyframe.guidance", s->keyframe.guidance);
    }
}
