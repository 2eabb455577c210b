/* Euler steps of the diffusion ODE in sigma: x_t = x_0 + sigma noise, dx / dsigma = (x - x_0) /
 * sigma. T. Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models"
 * (2022), algorithm 1 without churn, and equation 5 for Karras sigmas. */
#include <math.h>
#include <stdlib.h>

#include "stages/generate/noise_schedule.h"
#include "stages/generate/sampler_method.h"

/* The schedule's sigma at a timestep between two. */
static double sigma_at(const float *trained, int count, double t)
{
    int below = (int)t;
    if (below >= count - 1)
        return trained[count - 1];
    double slope = (double)trained[below + 1] - trained[below];
    return slope * (t - below) + trained[below];
}

/* The timestep of a sigma: linear in log(sigma) between the schedule's. */
static float timestep_of(const float *log_trained, int count, double sigma)
{
    double here = log(fmax(sigma, 1e-10));
    int low = 0;
    for (int i = 1; i < count - 1; i++)
        if (log_trained[i] <= here)
            low = i;
    double w = (log_trained[low] - here) / (log_trained[low] - log_trained[low + 1]);
    w = fmin(fmax(w, 0), 1);
    return (float)((1 - w) * low + w * (low + 1));
}

/* Karras sigmas, and the timesteps that the model knows them by. */
static int karras(struct sampler *s, const float *trained, double *sigmas, struct error *e)
{
    const struct sampler_config *c = &s->config;
    int n = c->train_timesteps, steps = s->steps;
    double low = c->sigma_min > 0 ? c->sigma_min : sigmas[steps - 1];
    double high = c->sigma_max > 0 ? c->sigma_max : sigmas[0];
    float *logs = calloc((size_t)n, sizeof *logs);
    if (!logs)
        return error_memory(e);
    for (int i = 0; i < n; i++)
        logs[i] = logf(trained[i]);
    const double rho = 7;
    double root_low = pow(low, 1 / rho), root_high = pow(high, 1 / rho);
    for (int i = 0; i < steps; i++) {
        double ramp = steps > 1 ? i * (1.0 / (steps - 1)) : 0;
        if (i > 0 && i == steps - 1)
            ramp = 1;
        sigmas[i] = pow(root_high + ramp * (root_low - root_high), rho);
        s->timesteps[i] = timestep_of(logs, n, sigmas[i]);
    }
    free(logs);
    return 0;
}

static int fill(struct sampler *s, const float *trained, double *sigmas, struct error *e)
{
    const struct sampler_config *c = &s->config;
    for (int i = 0; i < s->steps; i++)
        sigmas[i] = sigma_at(trained, c->train_timesteps, s->timesteps[i]);
    if (c->karras && karras(s, trained, sigmas, e) != 0)
        return -1;
    float largest = 0;
    for (int i = 0; i < s->steps; i++) {
        s->sigmas[i] = (float)sigmas[i];
        largest = fmaxf(largest, s->sigmas[i]);
        if (c->continuous)
            s->timesteps[i] = 0.25f * logf(s->sigmas[i]);
    }
    s->sigmas[s->steps] = c->final_sigma_min ? trained[0] : 0;
    s->init_noise_sigma = c->spacing == SPACING_LEADING ? sqrtf(largest * largest + 1) : largest;
    return 0;
}

int euler_tables(struct sampler *s, struct error *e)
{
    const struct sampler_config *c = &s->config;
    float *trained = calloc((size_t)c->train_timesteps, sizeof *trained);
    double *sigmas = calloc((size_t)s->steps, sizeof *sigmas);
    int rc = trained && sigmas ? 0 : error_memory(e);
    if (rc == 0)
        rc = noise_schedule_sigmas(c, trained, e);
    if (rc == 0)
        rc = noise_schedule_timesteps(c, s->steps, false, s->timesteps, e);
    if (rc == 0)
        rc = fill(s, trained, sigmas, e);
    free(trained);
    free(sigmas);
    return rc;
}

/* A million numbers a step, while the device waits: what is the same for all of them is made first,
 * and the order of operations stays the published one. */
void euler_move(const struct sampler *s, float sigma, float stride, const float *output,
                float *latents)
{
    float square = sigma * sigma + 1, share = -sigma / sqrtf(square);

    if (s->config.prediction == PREDICTION_EPSILON)
        for (size_t i = 0; i < s->count; i++) {
            float x = latents[i], x0 = x - sigma * output[i];
            latents[i] = x + (x - x0) / sigma * stride;
        }
    else
        for (size_t i = 0; i < s->count; i++) {
            float x = latents[i], x0 = output[i] * share + x / square;
            latents[i] = x + (x - x0) / sigma * stride;
        }
}

static void step(struct sampler *s, const float *output, float *latents)
{
    float sigma = s->sigmas[s->index];

    euler_move(s, sigma, s->sigmas[s->index + 1] - sigma, output, latents);
}

const struct sampler_method sampler_euler = {
    .scales_input = true, .tables = euler_tables, .step = step};
