/* Sampling with a Wan checkpoint: steps of its denoiser, or of its two experts, with
 * classifier-free guidance. One session serves many shots.
 *
 * Wan 2.2 A14B has two experts: "transformer" makes the steps whose timestep is at least
 * boundary_ratio * train_timesteps (high noise), "transformer_2" the rest. One of them is in memory
 * at a time; a sampler has one sampling at a time.
 */
#ifndef AUTEUR_STAGES_GENERATE_WAN_SAMPLER_H
#define AUTEUR_STAGES_GENERATE_WAN_SAMPLER_H

#include "stages/generate/sampler.h"
#include "stages/generate/wan_transformer.h"

struct wan_sampler;

/* What can be said of a checkpoint without reading weights: settings, configs, and whether every
 * tensor of every expert is there in its shape. Cheap; before any long work. text_dim: of all. */
int wan_sampler_check(const char *dir, int *text_dim, struct error *e);
/* dir: a checkpoint directory as published (model_index.json, scheduler, transformer and perhaps
 * transformer_2). The device must outlive the sampler. */
int wan_sampler_load(const char *dir, struct device *d, struct wan_sampler **out, struct error *e);
void wan_sampler_free(struct wan_sampler *s); /* NULL-safe */
int wan_sampler_channels(const struct wan_sampler *s);
int wan_sampler_text_dim(const struct wan_sampler *s);

struct wan_request {
    /* [tokens, text_dim] each, of the prompt and the negative prompt; the latter is not looked at
     * where both guidances are 1. They must outlive the sampling. */
    struct tensor prompt, negative;
    int padded_length;  /* of both, in the model's eyes */
    double guidance[2]; /* of the first and the second expert; 1: none, one forward a step */
    int steps;
    const char *sampler;       /* by name, "" or NULL: the checkpoint's */
    double flow_shift;         /* 0: the checkpoint's */
    int frames, height, width; /* of the latents */
};

/* One shot being sampled. */
struct wan_sampling;
/* `latents`: [channels, frames, height, width], the noise to begin with; steps change it in place.
 * It must outlive the sampling. */
int wan_sampling_open(struct wan_sampler *s, const struct wan_request *request, float *latents,
                      struct wan_sampling **out, struct error *e);
void wan_sampling_close(struct wan_sampling *g); /* NULL-safe */

/* The sampler's state: how many steps are done (index of steps), and what to save and restore
 * together with the latents for going on bit for bit. */
struct sampler *wan_sampling_steps(struct wan_sampling *g);
/* Takes the next step; index < steps. Latents that are not finite afterwards are ERROR_MODEL. */
int wan_sampling_step(struct wan_sampling *g, struct error *e);

#endif
