/* One shot being sampled: noise of its seed, the sampler's steps around a family's predictions, and
 * what must be kept to go on bit for bit. Several may take their steps together: each has a seed,
 * noise, sampler and state of its own, and only the model sees them side by side (family.h says
 * what of a shot may depend on that). */
#ifndef AUTEUR_STAGES_GENERATE_SAMPLING_H
#define AUTEUR_STAGES_GENERATE_SAMPLING_H

#include "stages/generate/family.h"

enum { SAMPLING_MOST = 16 }; /* together */
enum { ANCHORS = 2 };        /* of a step cache */
struct sampling {
    const struct family *family;
    void *model;
    const struct generation *generation;
    const struct conditions *conditions;
    struct sampler sampler;       /* index of steps are done */
    struct tensor latents;        /* as family->latents_shape() says; host memory */
    struct tensor scaled, output; /* what the model sees and says, likewise */
    bool broken;                  /* its latents are not finite */
    /* With a step cache: the last computed step and the one before, and what the model saw then.
     * `lost`: it must see it again, for the sampling was cut short since. */
    struct anchor {
        int step; /* -1: there was none */
        bool lost;
        struct tensor seen;
    } anchors[ANCHORS];
    int64_t evaluated, left_out; /* blocks of the model so far, with a step cache */
    struct arena arena;
};

/* The sampler of a checkpoint (scheduler/scheduler_config.json), with what a board chose in its
 * place: sampler "" and flow_shift 0 keep the published ones. */
int sampling_config(const char *dir, const char *sampler, double flow_shift,
                    struct sampler_config *out, struct error *e);

/* A shot before its first step: `generation` and `conditions` must outlive it. `s` may be
 * uninitialised; close it also when this fails. */
int sampling_prepare(struct sampling *s, const struct family *family, void *model,
                     const struct sampler_config *config, const struct generation *generation,
                     const struct conditions *conditions, struct error *e);
/* The model's next steps are of these shots, of one model, size, number of steps and index, and
 * all with guidance or all without. */
int sampling_begin(struct sampling *const *s, int count, struct error *e);
/* Both, for one shot. */
int sampling_open(struct sampling *s, const struct family *family, void *model,
                  const struct sampler_config *config, const struct generation *generation,
                  const struct conditions *conditions, struct error *e);
void sampling_close(struct sampling *s); /* a zeroed one too */

/* The first noise, before the sampler's own scaling: the family's draws of this seed. `noise` has
 * the latents' size; *random is left after it. */
int sampling_noise(const struct family *family, const struct generation *generation,
                   struct tensor *noise, struct torch_random *random, struct error *e);

/* The shots of the last sampling_begin() take their next step; index < steps. When it fails none
 * has. A shot whose latents are not finite afterwards is broken, whatever the others are. */
int sampling_step_all(struct sampling *const *s, int count, struct error *e);
/* 0, or ERROR_MODEL of a broken one. */
int sampling_is_whole(const struct sampling *s, struct error *e);
/* Both, for one shot. */
int sampling_step(struct sampling *s, struct error *e);

/* All that steps change. State of other settings, of another version or a damaged one is
 * ERROR_MODEL and leaves the sampling as it was. */
size_t sampling_state_size(const struct sampling *s);
void sampling_state_write(const struct sampling *s, uint8_t *bytes);
int sampling_state_read(struct sampling *s, const uint8_t *bytes, size_t size, struct error *e);
/* A look at such bytes without the sampling: its latents, from the arena, and how many of its steps
 * are done. */
int sampling_state_peek(const uint8_t *bytes, size_t size, struct arena *a, struct tensor *latents,
                        int *step, int *steps, struct error *e);

#endif
