/* J. Song et al., "Denoising Diffusion Implicit Models" (2021), equation 12 with eta 0, as the
 * CogVideoX checkpoints publish it: alphas of shifted SNR (P. Esser et al., 2024) and zero terminal
 * SNR. With x_t = sqrt(alpha) x_0 + sqrt(1 - alpha) noise. */
#include <math.h>
#include <stdlib.h>

#include "stages/generate/noise_schedule.h"
#include "stages/generate/sampler_method.h"

static bool in_float(const struct sampler_config *c)
{
    return c->betas == BETAS_LINEAR;
}

static int cumulate(struct sampler *s, struct error *e)
{
    const struct sampler_config *c = &s->config;
    bool single = in_float(c);
    double *alphas = s->alphas;
    noise_schedule_alphas(c, false, alphas);
    for (int i = 0; i < c->train_timesteps; i++) {
        double below = noise_round(single, (1 - c->snr_shift) * alphas[i]);
        below = noise_round(single, c->snr_shift + below);
        alphas[i] = noise_round(single, alphas[i] / below);
    }
    if (c->zero_snr)
        noise_schedule_to_zero_snr(single, c->train_timesteps, alphas);
    for (int i = 0; i < c->train_timesteps; i++)
        if (!(alphas[i] >= 0 && alphas[i] < 1) || (alphas[i] == 0 && !c->zero_snr))
            return error_set(e, ERROR_MODEL,
                             "beta_start %g, beta_end %g and snr_shift_scale %g give no "
                             "noise schedule",
                             c->beta_start, c->beta_end, c->snr_shift);
    return 0;
}

static int tables(struct sampler *s, struct error *e)
{
    const struct sampler_config *c = &s->config;
    s->alphas = calloc((size_t)c->train_timesteps, sizeof *s->alphas);
    if (!s->alphas)
        return error_memory(e);
    if (cumulate(s, e) != 0 || noise_schedule_timesteps(c, s->steps, true, s->timesteps, e) != 0)
        return -1;
    /* With an offset, leading spacing may begin beyond the last timestep. */
    for (int i = 0; i < s->steps; i++)
        if (s->timesteps[i] < 0 || s->timesteps[i] > (float)(c->train_timesteps - 1))
            return error_set(
                e, ERROR_MODEL, "steps_offset %d leads to timestep %g of %d with %d steps",
                c->steps_offset, (double)s->timesteps[i], c->train_timesteps, s->steps);
    return 0;
}

static void step(struct sampler *s, const float *output, float *latents)
{
    const struct sampler_config *c = &s->config;
    bool single = in_float(c);
    int t = (int)s->timesteps[s->index], to = t - c->train_timesteps / s->steps;
    double here = s->alphas[t], last = c->alpha_to_one ? 1 : s->alphas[0];
    double there = to >= 0 ? s->alphas[to] : last;
    double noise = noise_round(single, 1 - here), signal_root = noise_round(single, sqrt(here));
    double carried = noise_round(single, noise_round(single, 1 - there) / noise);
    carried = noise_round(single, sqrt(carried));
    double renewed = noise_round(single, signal_root * carried);
    renewed = noise_round(single, sqrt(there)) - renewed;
    float signal = (float)signal_root, noisy = (float)sqrt(noise);
    float a = (float)carried, b = (float)renewed;
    for (size_t i = 0; i < s->count; i++) {
        float x = latents[i];
        float x0 = c->prediction == PREDICTION_V ? signal * x - noisy * output[i]
                                                 : (x - noisy * output[i]) / signal;
        latents[i] = a * x + b * x0;
    }
}

const struct sampler_method sampler_ddim = {.tables = tables, .step = step};
