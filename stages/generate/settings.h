/* What decides how a shot is sampled: the board's values, and the tier's defaults for the rest. */
#ifndef AUTEUR_STAGES_GENERATE_SETTINGS_H
#define AUTEUR_STAGES_GENERATE_SETTINGS_H

#include "stages/generate/tiers.h"

struct settings {
    const struct tier *tier;
    struct tier_geometry geometry;
    struct generation generation; /* all but prompt, negative and picture */
    const char *sampler;          /* "" for the checkpoint's own */
    const char *precision;        /* that was asked for, and is not what it has anyway; or NULL */
    bool no_step_cache;           /* asked for by the command line or `defaults`; it has none */
    double flow_shift;            /* 0: the checkpoint's own */
    /* Of a tier of two models, when the shot brings no picture: how its keyframe is made. The
     * sampler and flow shift are its checkpoint's own. */
    bool makes_keyframe;
    struct generation keyframe;
};

/* Settings that cannot be are ERROR_INPUT. The shot is SHOT_GENERATED. */
int settings_of(const struct stage_env *env, const struct shot *shot, struct settings *out,
                struct error *e);
/* How many shots of the same settings may go through such a model together. */
int settings_batch(const struct stage_env *env, const struct family *family);
/* Every setting that matters to the tier, under the names that `why` shows. */
void settings_describe(const struct settings *s, struct inputs *in);

#endif
