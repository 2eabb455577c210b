/* For those who write a sampler: one const descriptor each, in sampler.c's table. */
#ifndef AUTEUR_STAGES_GENERATE_SAMPLER_METHOD_H
#define AUTEUR_STAGES_GENERATE_SAMPLER_METHOD_H

#include "stages/generate/sampler.h"

struct sampler_method {
    int arrays;        /* how many arrays of [count] floats it works with, */
    int kept;          /* the first of which are its state between two steps */
    bool scales_input; /* by 1 / sqrt(sigma^2 + 1) */
    bool draws;        /* random numbers, from s->random */
    /* Fills timesteps, sigmas, init_noise_sigma and what else it needs. */
    int (*tables)(struct sampler *s, struct error *e);
    /* Takes step s->index; the caller counts it. */
    void (*step)(struct sampler *s, const float *output, float *latents);
};

extern const struct sampler_method sampler_euler, sampler_euler_ancestral, sampler_ddim,
    sampler_flow_euler, sampler_unipc;

/* Euler's schedule serves its ancestral form too. */
int euler_tables(struct sampler *s, struct error *e);
/* latents += slope * stride, where the slope at `sigma` follows from what the model predicted. */
void euler_move(const struct sampler *s, float sigma, float stride, const float *output,
                float *latents);

#endif
