/* UniPC, a predictor-corrector solver of the diffusion ODE: W. Zhao et al., "UniPC: A Unified
 * Predictor-Corrector Framework for Fast Sampling of Diffusion Models" (2023), in the form the Wan
 * checkpoints publish: flow prediction over flow sigmas, data prediction, B(h) = e^h - 1 ("bh2"),
 * order 2 with a lower order at the first and the last step, last sigma zero.
 *
 * With x_t = (1 - sigma) x_0 + sigma noise, the model's output v gives x_0 = x_t - sigma v, and
 * steps are taken in lambda = log((1 - sigma) / sigma).
 */
#ifndef AUTEUR_STAGES_GENERATE_UNIPC_H
#define AUTEUR_STAGES_GENERATE_UNIPC_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/error.h"

struct unipc_config {
    int train_timesteps; /* 1000 */
    int order;           /* 1 or 2 */
    double flow_shift;   /* > 0; sigma' = shift sigma / (1 + (shift - 1) sigma) */
};

/* Reads a published scheduler_config.json. Settings that ask for another solver are refused with
 * their name; ERROR_MODEL. */
int unipc_config_read(const char *path, struct unipc_config *out, struct error *e);

enum { UNIPC_STEPS_MAX = 1000 };

struct unipc {
    struct unipc_config config;
    int steps, index; /* index steps are done */
    float sigmas[UNIPC_STEPS_MAX + 1];
    int timesteps[UNIPC_STEPS_MAX]; /* what the model is told at each step */
    int last_order;                 /* of the predictor's last step */
    size_t count;                   /* elements of the latents */
    float *last_sample;             /* [count] the corrected latents before the last predictor */
    float *x0, *x0_before;          /* [count] the two last predictions of x_0 */
};

/* 1 <= steps <= UNIPC_STEPS_MAX. `u` may be uninitialised; free it also when this fails. */
int unipc_init(struct unipc *u, const struct unipc_config *config, int steps, size_t count,
               struct error *e);
void unipc_free(struct unipc *u); /* a zeroed one too */

/* Takes one step in place: latents [count] at sigmas[index] become those at sigmas[index + 1].
 * `output` is the model's prediction for timesteps[index] and is not kept. index < steps. */
void unipc_step(struct unipc *u, const float *output, float *latents);

/* The state between two steps, to go on from bit for bit. Little-endian, versioned; the latents
 * themselves are the caller's to keep. unipc_state_size() bytes. */
size_t unipc_state_size(const struct unipc *u);
void unipc_state_write(const struct unipc *u, uint8_t *bytes);
/* Into a `u` initialised with the same settings: a state of other settings, of another version, or
 * a damaged one is ERROR_MODEL and leaves `u` as it was. */
int unipc_state_read(struct unipc *u, const uint8_t *bytes, size_t size, struct error *e);

#endif
