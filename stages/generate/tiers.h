/* The tiers: which models make a shot, where their checkpoints lie, and what they can do. */
#ifndef AUTEUR_STAGES_GENERATE_TIERS_H
#define AUTEUR_STAGES_GENERATE_TIERS_H

#include "stages/generate/family.h"
#include "stages/stage.h"

struct tier {
    const char *name;            /* as a board writes it */
    const char *model;           /* for people */
    const struct family *family; /* of the model that makes the frames */
    bool embedded;               /* its checkpoint ships too, in data_dir/NAME */
    bool small;                  /* was taught on short captions: nothing is added to prompts */
    int steps;                   /* by default */
    double guidance;             /* by default; 1: no guidance, one forward a step */
    double guidance_2;    /* of Wan's second expert, of SVD's first frame; else as guidance */
    int motion;           /* motion bucket of SVD */
    double noise;         /* strength of the noise on SVD's picture */
    int text_length;      /* tokens that the model reads of a prompt */
    int frames_max;       /* that the model makes of one shot; 0: it is slowed down, see below */
    int native_fps;       /* frames a second that the model was trained on; 0: any */
    int64_t pixels_max;   /* of one frame as the model makes it */
    bool own_size;        /* always about as many as its checkpoint was trained on, or told here */
    const char *shares;   /* the tier whose keyframes' model it is, where it has no folder */
    const char *negative; /* the base of every negative prompt: a list with commas */
    /* A tier of two models: the first makes the picture that the second sets in motion, unless the
     * shot brings its own (`keyframe`). The tier's folder has one folder for each. */
    struct {
        const struct family *family; /* NULL: there is none */
        const char *folder, *motion_folder;
        double guidance;
        int64_t pixels; /* about what the model was trained on */
    } keyframe;
};

extern const struct tier tiers_all[];
extern const int tier_count;

const struct tier *tier_find(const char *name); /* NULL: there is none such */

/* The name of the tier that makes this shot: env->tier where given, else the shot's own. */
const char *tier_name_of_shot(const struct stage_env *env, const struct shot *shot);
/* The tier of that name. Unknown names are ERROR_INPUT; so are shots that the tier is too small
 * for. The shot is SHOT_GENERATED. */
int tier_of_shot(const struct stage_env *env, const struct shot *shot, const struct tier **out,
                 struct error *e);

/* The tier's folder, there or not: what the board's `models` say, else where it ships or lies under
 * env->models_dir. NULL when nothing says where, or memory has run out. */
const char *tier_folder(const struct stage_env *env, const struct tier *tier, struct arena *a);
/* The checkpoint directory of the tier's family: what the board's `models` say, else where it ships
 * or lies under env->models_dir. ERROR_ABSENT, with the mend, when there is no such directory, an
 * empty one, or nothing that says where; ERROR_MODEL when it holds something else. The path lives
 * in the arena or the board. */
int tier_checkpoint(const struct stage_env *env, const struct tier *tier, struct arena *a,
                    const char **path, struct error *e);
/* The same of the model that reads the prompt: the keyframe's where the tier has one. *path is NULL
 * when the tier's folder holds the second model alone, which is enough for shots that bring their
 * picture. */
int tier_prompt_checkpoint(const struct stage_env *env, const struct tier *tier, struct arena *a,
                           const char **path, struct error *e);

/* What the model makes for a shot and which part of it is the picture. Sizes and frames are rounded
 * up to what the family can make; the picture is the middle part of every frame and the first
 * frames. A tier of its own size makes `trained` pixels (0: its most). A board larger than the tier
 * can make gets a smaller picture of (nearly) the same aspect, which decode scales to the board's
 * size. A model whose frames are few and spread over a shot of any length (SVD: 25) has each of
 * them shown several times; one that was trained at a rate of its own may have its frames shown at
 * that (the shot's `rate`). */
struct tier_geometry {
    int width, height, frames;         /* what the VAE gives */
    int picture_width, picture_height; /* even; <= width, height */
    int left, top;                     /* of the picture within the frame; even */
    int picture_frames;                /* = the shot's frames */
    /* Frame i of the shot is at the model's frame i * step_num / step_den: that one is shown,
     * rounded down, or it lies between two and is interpolated. 1/1: one for one. */
    int64_t step_num, step_den;
    bool interpolated;
};
void tier_geometry(const struct tier *tier, const struct board *board, const struct shot *shot,
                   int64_t trained, struct tier_geometry *out);
/* What a checkpoint says of the pixels that it was trained on: the one that reads the tier's
 * prompts, where it makes single pictures; 0 where it does not, does not say or is not there. */
int64_t tier_trained_pixels(const struct stage_env *env, const struct tier *tier);
/* tier_geometry() of a shot on its board, with what its checkpoint says. */
void tier_shot_geometry(const struct stage_env *env, const struct tier *tier,
                        const struct shot *shot, struct tier_geometry *out);
/* The size of the keyframe for such frames: of their aspect, about as many pixels as its model was
 * trained on (0: as the tier's published one was). */
void tier_keyframe_size(const struct tier *tier, const struct tier_geometry *g, int64_t trained,
                        int *width, int *height);

#endif
