/* Samplers: from noise to latents in some steps, one face over all of them.
 *
 *   euler, euler_ancestral   T. Karras et al., "Elucidating the Design Space of Diffusion-Based
 *                            Generative Models" (2022), on the noise schedule of training or on
 *                            their own ("Karras sigmas"); ancestral adds fresh noise at each step
 *   ddim                     J. Song et al., "Denoising Diffusion Implicit Models" (2021), eta 0,
 *                            with zero terminal SNR (S. Lin et al., 2023) and shifted SNR
 *   flow_euler               Euler steps of a rectified flow over shifted sigmas
 *   unipc                    W. Zhao et al., "UniPC" (2023), of a flow
 *
 * A checkpoint's scheduler_config.json says which one and how; a board may choose another.
 * Use: init, then for each step: sampler_scale_input() gives what the model sees, the model is told
 * timesteps[index], sampler_step() takes its output. Tables and sums are rounded where the
 * published schedulers round them, so that latents agree to a float's last places.
 */
#ifndef AUTEUR_STAGES_GENERATE_SAMPLER_H
#define AUTEUR_STAGES_GENERATE_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/error.h"
#include "kernels/base/json.h"
#include "stages/generate/torch_random.h"

enum sampler_kind {
    SAMPLER_EULER,
    SAMPLER_EULER_ANCESTRAL,
    SAMPLER_DDIM,
    SAMPLER_FLOW_EULER,
    SAMPLER_UNIPC,
    SAMPLER_KINDS
};
enum beta_schedule { BETAS_LINEAR, BETAS_SCALED_LINEAR };
enum prediction { PREDICTION_EPSILON, PREDICTION_V, PREDICTION_FLOW };
enum timestep_spacing { SPACING_LINSPACE, SPACING_LEADING, SPACING_TRAILING };

/* Settings, as sampler_config_read() gives them. What a kind does not have is at its default. */
struct sampler_config {
    enum sampler_kind kind;
    enum prediction prediction;
    int train_timesteps;
    /* euler, euler_ancestral, ddim */
    enum beta_schedule betas;
    double beta_start, beta_end;
    enum timestep_spacing spacing;
    int steps_offset; /* of leading spacing */
    bool zero_snr;    /* betas rescaled to no signal at the last timestep */
    /* euler, euler_ancestral */
    bool karras;
    double sigma_min, sigma_max; /* of Karras sigmas; 0: the schedule's own */
    /* euler */
    bool continuous;      /* the model is told 0.25 log(sigma) */
    bool final_sigma_min; /* the last sigma is the schedule's least one, not zero */
    /* ddim */
    double snr_shift;
    bool alpha_to_one; /* the last step goes to alpha 1, not to that of timestep 0 */
    /* flow_euler, unipc */
    double flow_shift; /* sigma' = shift sigma / (1 + (shift - 1) sigma) */
    /* unipc */
    int order;            /* 1 or 2 */
    uint64_t uncorrected; /* bit k: the corrector leaves alone what step k led to */
};

/* Reads a published scheduler_config.json; what it does not name has its class's published default.
 * Another class, or a setting that asks for something else, is refused by name; ERROR_MODEL. */
int sampler_config_read(const char *path, struct sampler_config *out, struct error *e);
/* The same from an object that holds those keys; `path` is for messages. */
int sampler_config_from_json(const json_t *root, const char *path, struct sampler_config *out,
                             struct error *e);

/* What a board may ask for: "euler", "euler_karras", "euler_ancestral" ...; ends with NULL. */
extern const char *const sampler_names[];
/* Puts another sampler in place of the checkpoint's ("" or NULL: keeps it), and another flow shift
 * (0: keeps it). ERROR_INPUT where the checkpoint was not trained for it. */
int sampler_config_choose(struct sampler_config *config, const char *name, double flow_shift,
                          struct error *e);
/* The name of what is configured; one of sampler_names. */
const char *sampler_config_name(const struct sampler_config *config);

enum { SAMPLER_STEPS_MAX = 1000 };

struct sampler_method;
/* Read-only for users, but for `random`. */
struct sampler {
    const struct sampler_method *method;
    struct sampler_config config;
    int steps, index;                    /* index steps are done */
    size_t count;                        /* elements of the latents */
    float timesteps[SAMPLER_STEPS_MAX];  /* what the model is told at each step */
    float sigmas[SAMPLER_STEPS_MAX + 1]; /* [steps + 1]; ddim has none */
    float init_noise_sigma;              /* what the first noise is multiplied by */
    struct torch_random random;          /* where ancestral steps draw from */
    double *alphas;                      /* ddim: [train_timesteps] cumulated */
    float *arrays;                       /* [method->arrays * count] */
};

/* count: elements of the latents. random: the generator as it stands after the initial noise was
 * drawn, copied; NULL will do where sampler_draws() is false. Steps out of 1..SAMPLER_STEPS_MAX (or
 * more than the model was trained with) are ERROR_INPUT. `s` may be uninitialised; free it also
 * when this fails. */
int sampler_init(struct sampler *s, const struct sampler_config *config, int steps, size_t count,
                 const struct torch_random *random, struct error *e);
void sampler_free(struct sampler *s); /* a zeroed one too */
/* Whether steps draw random numbers. */
bool sampler_draws(const struct sampler_config *config);

/* What the model is given at this step: latents / sqrt(sigma^2 + 1) for Euler's, else a copy.
 * [count] each; `scaled` may be `latents`. index < steps. */
void sampler_scale_input(const struct sampler *s, const float *latents, float *scaled);

/* Takes one step in place: latents [count] at sigmas[index] become those at sigmas[index + 1].
 * `output` is the model's prediction for timesteps[index] and is not kept. index < steps. */
void sampler_step(struct sampler *s, const float *output, float *latents);

/* The state between two steps, to go on from bit for bit. Little-endian, versioned, with a
 * checksum; the latents themselves are the caller's to keep. sampler_state_size() bytes. */
size_t sampler_state_size(const struct sampler *s);
void sampler_state_write(const struct sampler *s, uint8_t *bytes);
/* Into an `s` initialised with the same settings: a state of other settings, of another version, or
 * a damaged one is ERROR_MODEL and leaves `s` as it was. */
int sampler_state_read(struct sampler *s, const uint8_t *bytes, size_t size, struct error *e);
/* How far it is, from the bytes alone; false: they are no state of this version. */
bool sampler_state_peek(const uint8_t *bytes, size_t size, int *index, int *steps);

/* out = without + guidance (with - without), of `count` predictions each. */
void sampler_guide(float *out, const float *without, const float *with, float guidance,
                   int64_t count);
/* CogVideoX's dynamic guidance at a timestep t of n steps:
 * 1 + guidance (1 - cos(pi ((n - t) / n)^5)) / 2. (t counts to train_timesteps, n does not: that is
 * how it was published.) */
double sampler_dynamic_guidance(double guidance, int steps, double timestep);

#endif
