/* The noise schedule that a diffusion model was trained on, and which of its timesteps are visited.
 * Everything is computed in the published schedulers' own order and precision, because 1 - alpha
 * loses most of its digits at small timesteps, and with them the agreement.
 */
#ifndef AUTEUR_STAGES_GENERATE_NOISE_SCHEDULE_H
#define AUTEUR_STAGES_GENERATE_NOISE_SCHEDULE_H

#include "stages/generate/sampler.h"

/* x, or the float nearest to it. Both for one operation at a time: then computing in double and
 * rounding gives what computing in float gives. */
static inline double noise_round(bool single, double x)
{
    return single ? (double)(float)x : x;
}

/* The cumulated alphas of every training timestep, [train_timesteps], in float (single) or double;
 * a linear schedule is in float either way. snr_shift is not applied, zero_snr neither. */
void noise_schedule_alphas(const struct sampler_config *c, bool single, double *alphas);

/* Moves and stretches the roots of cumulated alphas so that the last is zero and the first stays:
 * S. Lin et al., "Common Diffusion Noise Schedules and Sample Steps are Flawed" (2023). */
void noise_schedule_to_zero_snr(bool single, int count, double *alphas);

/* sigma = sqrt((1 - alpha) / alpha) of every training timestep, [train_timesteps], with zero_snr
 * applied. ERROR_MODEL where the betas leave sigmas that are not finite and above zero. */
int noise_schedule_sigmas(const struct sampler_config *c, float *sigmas, struct error *e);

/* The training timesteps that `steps` steps visit, [steps], falling. More steps than there are
 * timesteps are ERROR_INPUT. rounded: whole numbers, also where linspace gives others. */
int noise_schedule_timesteps(const struct sampler_config *c, int steps, bool rounded,
                             float *timesteps, struct error *e);

#endif
