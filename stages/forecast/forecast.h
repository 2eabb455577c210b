/* What a shot would take of a machine, before any of it is begun: every stage that runs a model is
 * gone through on a dry device (kernels/dry/dry.h), with the code that would run. Where the tier's
 * checkpoint is not there, the outline of the published one stands for it. */
#ifndef AUTEUR_STAGES_FORECAST_FORECAST_H
#define AUTEUR_STAGES_FORECAST_FORECAST_H

#include "stages/forecast/machine.h"
#include "stages/generate/settings.h"
#include "stages/models/published.h"

/* One model at work. Bytes, seconds. */
struct forecast_stage {
    const char *name; /* "words", "sampling", "decoding"; of a keyframe "picture: ..." */
    double weights;   /* on the GPU at once */
    int models;       /* of so many bytes, that take turns there: Wan 2.2's two experts */
    double activations;
    double workspace;  /* what operations, libraries and the driver take besides */
    double peak;       /* of the three, all at their time */
    double host;       /* besides the program itself and the mapped files; decoding's with the
                        * shot's master (films.h) */
    double streamed;   /* of the host's: weights that come to the GPU block by block */
    double stored;     /* read from files */
    double load, work; /* the work of one shot, as a share of those that go together; a step cache
                        * is taken to reuse nothing */
    double hoped;      /* the work where it leaves out what it did on previs (step_cache_hope()) */
    double fewer;      /* times fewer blocks then; 1: none is known of; 0: no step cache */
    int steps;         /* of a sampler; else 0 */
    int together;      /* shots that go through a sampler's model at once; else 0 */
    int cuts;          /* how often the VAE's pieces were made smaller, to fit */
};

enum { FORECAST_STAGES = 6 };
struct forecast {
    const struct tier *tier;
    struct settings settings;
    /* Of a checkpoint that is not there the published one's sizes are told. */
    bool outlined;
    const struct published *published[2]; /* in the order of the walk, NULL after the last */
    struct error lack; /* why there is none where one should lie; ERROR_NONE: nothing says where */
    bool unusable;     /* something is there, in a layout that is not read */
    struct forecast_stage stage[FORECAST_STAGES];
    int count;
};

/* A stage that does not surely fit is forecast as the ladder has it: a VAE in smaller pieces,
 * weights on the host. The shot is SHOT_GENERATED, with as many like it as may go together
 * (settings_batch()). Faults of a checkpoint that is there are ERROR_MODEL; limits that a
 * person set and that are too narrow ERROR_INPUT, a sampler that does not go with the model
 * ERROR_USAGE. */
int forecast_shot(const struct stage_env *env, const struct shot *shot, const struct machine *m,
                  struct forecast *out, struct error *e);

#endif
