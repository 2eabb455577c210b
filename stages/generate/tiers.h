/* The tiers: which model makes a shot, where its checkpoint lies, and what it can do. */
#ifndef AUTEUR_STAGES_GENERATE_TIERS_H
#define AUTEUR_STAGES_GENERATE_TIERS_H

#include <stdbool.h>

#include "kernels/base/arena.h"
#include "kernels/base/error.h"
#include "stages/stage.h"

enum model_family {
    FAMILY_WAN,
    FAMILY_HUNYUAN_VIDEO,
    FAMILY_COGVIDEOX,
    FAMILY_SDXL_SVD,
};

struct tier {
    const char *name;  /* as a board writes it */
    const char *model; /* for people */
    enum model_family family;
    bool supported;     /* this version can run it */
    bool embedded;      /* its checkpoint ships with the program, in data_dir/NAME */
    bool small;         /* was taught on short captions: few words are added to its prompts */
    int steps;          /* by default */
    double guidance;    /* by default; 1: no guidance, one forward a step */
    double guidance_2;  /* of the low-noise expert of a checkpoint that has two; else as guidance */
    int frames_max;     /* delivered frames of one shot */
    int64_t pixels_max; /* of one frame as the model makes it */
    const char *negative; /* the base of every negative prompt: a list with commas */
};

extern const struct tier tiers_all[];
extern const int tier_count;

const struct tier *tier_find(const char *name); /* NULL: there is none such */

/* The name of the tier that makes this shot: env->tier where given, else the shot's own. */
const char *tier_name_of_shot(const struct stage_env *env, const struct shot *shot);
/* The tier of that name. Unknown names and
 * tiers that this version cannot run are ERROR_INPUT; so are shots that the tier is too small for.
 * The shot is SHOT_GENERATED. */
int tier_of_shot(const struct stage_env *env, const struct shot *shot, const struct tier **out,
                 struct error *e);

/* The tier's checkpoint directory: what the board's `models` say, else where it ships or lies under
 * env->models_dir. ERROR_MODEL, with the mend, when there is no such directory. The path lives in
 * the arena or the board. */
int tier_checkpoint(const struct stage_env *env, const struct tier *tier, struct arena *a,
                    const char **path, struct error *e);

/* What the model makes for a shot and which part of it is the picture. Sizes are rounded up to
 * multiples of 16 and frames to 4k + 1; the picture is the middle part of every frame and the first
 * frames. A board larger than the tier can make gets a smaller picture of (nearly) the same aspect,
 * which decode scales to the board's size. */
struct tier_geometry {
    int width, height, frames;         /* what the VAE gives */
    int picture_width, picture_height; /* even; <= width, height */
    int left, top;                     /* of the picture within the frame; even */
    int picture_frames;                /* = the shot's frames */
    int latent_frames, latent_height, latent_width;
};
void tier_geometry(const struct tier *tier, const struct board *board, const struct shot *shot,
                   struct tier_geometry *out);

#endif
