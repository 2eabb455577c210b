#include "stages/generate/noise_schedule.h"

#include <math.h>
#include <stdlib.h>

/* Evenly from `from` to `to`, from both ends to the middle, each with one rounding: so the
 * schedules of training were made. */
static float even_float(float from, float to, int i, int count)
{
    float stride = (to - from) / (float)(count - 1);
    if (i < count / 2)
        return fmaf(stride, (float)i, from);
    return fmaf(-stride, (float)(count - 1 - i), to);
}

static double even_double(double from, double to, int i, int count)
{
    double stride = (to - from) / (count - 1);
    if (i < count / 2)
        return fma(stride, i, from);
    return fma(-stride, count - 1 - i, to);
}

static double beta(const struct sampler_config *c, bool single, int i)
{
    int n = c->train_timesteps;
    if (c->betas == BETAS_LINEAR)
        return even_float((float)c->beta_start, (float)c->beta_end, i, n);
    double from = sqrt(c->beta_start), to = sqrt(c->beta_end);
    double root = single ? even_float((float)from, (float)to, i, n) : even_double(from, to, i, n);
    return noise_round(single, root * root);
}

void noise_schedule_alphas(const struct sampler_config *c, bool single, double *alphas)
{
    double product = 1;
    single = single || c->betas == BETAS_LINEAR;
    for (int i = 0; i < c->train_timesteps; i++) {
        product *= noise_round(single, 1 - beta(c, single, i));
        alphas[i] = noise_round(single, product);
    }
}

void noise_schedule_to_zero_snr(bool single, int count, double *alphas)
{
    for (int i = 0; i < count; i++)
        alphas[i] = noise_round(single, sqrt(alphas[i]));
    double first = alphas[0], last = alphas[count - 1];
    double stretch = noise_round(single, first / noise_round(single, first - last));
    for (int i = 0; i < count; i++) {
        double root = noise_round(single, alphas[i] - last);
        root = noise_round(single, root * stretch);
        alphas[i] = noise_round(single, root * root);
    }
}

/* The published scheduler goes back to betas and cumulates those again. */
static void rescale(int count, double *alphas)
{
    double product = 1, before = 1;
    noise_schedule_to_zero_snr(true, count, alphas);
    for (int i = 0; i < count; i++) {
        double beta = (float)(1 - noise_round(true, alphas[i] / before));
        before = alphas[i];
        product *= noise_round(true, 1 - beta);
        alphas[i] = (float)product;
    }
    alphas[count - 1] = 0x1p-24; /* not zero, that the first sigma is finite */
}

int noise_schedule_sigmas(const struct sampler_config *c, float *sigmas, struct error *e)
{
    int n = c->train_timesteps;
    double *alphas = calloc((size_t)n, sizeof *alphas);
    int rc = 0;
    if (!alphas)
        return error_memory(e);
    noise_schedule_alphas(c, true, alphas);
    if (c->zero_snr)
        rescale(n, alphas);
    for (int i = 0; i < n; i++) {
        sigmas[i] = sqrtf((float)(1 - alphas[i]) / (float)alphas[i]);
        if (!isfinite(sigmas[i]) || !(sigmas[i] > 0))
            rc = -1;
    }
    free(alphas);
    if (rc != 0)
        return error_set(e, ERROR_MODEL,
                         "beta_start %g and beta_end %g give no noise schedule over %d "
                         "timesteps",
                         c->beta_start, c->beta_end, n);
    return 0;
}

static double timestep(const struct sampler_config *c, int steps, int i)
{
    int n = c->train_timesteps;
    double stride;
    switch (c->spacing) {
    case SPACING_LEADING:
        return n / steps * (steps - 1 - i) + c->steps_offset;
    case SPACING_TRAILING:
        /* The published ones find the stride as a difference of places. */
        stride = n - (n - (double)n / steps);
        return rint(n - stride * i) - 1;
    default:
        if (steps == 1)
            return 0;
        if (i == 0)
            return n - 1;
        stride = (n - 1.0) / (steps - 1);
        return stride * (steps - 1 - i);
    }
}

int noise_schedule_timesteps(const struct sampler_config *c, int steps, bool rounded,
                             float *timesteps, struct error *e)
{
    if (steps > c->train_timesteps)
        return error_set(e, ERROR_INPUT,
                         "%d sampling steps: the model was trained with %d timesteps, no more "
                         "steps are possible",
                         steps, c->train_timesteps);
    for (int i = 0; i < steps; i++) {
        double t = timestep(c, steps, i);
        timesteps[i] = (float)(rounded ? rint(t) : t);
    }
    return 0;
}
