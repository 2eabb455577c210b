/* Euler steps of a rectified flow: x_t = (1 - sigma) x_0 + sigma noise, and the model gives
 * dx / dsigma. Sigmas go evenly from 1 towards 0 and are shifted, in float. */
#include "stages/generate/sampler_method.h"

static int tables(struct sampler *s, struct error *e)
{
    (void)e;
    float shift = (float)s->config.flow_shift, less = (float)(s->config.flow_shift - 1);
    double stride = -1.0 / s->steps;
    for (int i = 0; i < s->steps; i++) {
        float sigma = (float)(i * stride + 1.0);
        float below = less * sigma;
        below += 1;
        s->sigmas[i] = shift * sigma / below;
        s->timesteps[i] = s->sigmas[i] * (float)s->config.train_timesteps;
    }
    s->sigmas[s->steps] = 0;
    return 0;
}

static void step(struct sampler *s, const float *output, float *latents)
{
    float stride = s->sigmas[s->index + 1] - s->sigmas[s->index];
    for (size_t i = 0; i < s->count; i++)
        latents[i] += stride * output[i];
}

const struct sampler_method sampler_flow_euler = {.tables = tables, .step = step};
