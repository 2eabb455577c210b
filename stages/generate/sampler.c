#include "stages/generate/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/generate/sampler_method.h"

static const struct sampler_method *const methods[SAMPLER_KINDS] = {
    [SAMPLER_EULER] = &sampler_euler, [SAMPLER_EULER_ANCESTRAL] = &sampler_euler_ancestral,
    [SAMPLER_DDIM] = &sampler_ddim,   [SAMPLER_FLOW_EULER] = &sampler_flow_euler,
    [SAMPLER_UNIPC] = &sampler_unipc,
};

int sampler_init(struct sampler *s, const struct sampler_config *config, int steps, size_t count,
                 const struct torch_random *random, struct error *e)
{
    memset(s, 0, sizeof *s);
    if (steps < 1 || steps > SAMPLER_STEPS_MAX)
        return error_set(e, ERROR_INPUT, "%d sampling steps: from 1 to %d are possible", steps,
                         SAMPLER_STEPS_MAX);
    s->method = methods[config->kind];
    s->config = *config;
    s->steps = steps;
    s->count = count;
    s->init_noise_sigma = 1;
    if (random)
        s->random = *random;
    else if (s->method->draws)
        return error_set(e, ERROR_INTERNAL, "sampler %s: no random generator",
                         sampler_config_name(config));
    size_t arrays = (size_t)s->method->arrays;
    if (arrays > 0 && count > SIZE_MAX / sizeof(float) / arrays)
        return error_memory(e);
    s->arrays = calloc(arrays * count + 1, sizeof(float));
    if (!s->arrays)
        return error_memory(e);
    return s->method->tables(s, e);
}

void sampler_free(struct sampler *s)
{
    free(s->alphas);
    free(s->arrays);
    memset(s, 0, sizeof *s);
}

bool sampler_draws(const struct sampler_config *config)
{
    return methods[config->kind]->draws;
}

void sampler_scale_input(const struct sampler *s, const float *latents, float *scaled)
{
    if (!s->method->scales_input) {
        if (scaled != latents)
            memcpy(scaled, latents, s->count * sizeof *scaled);
        return;
    }
    float sigma = s->sigmas[s->index], scale = sqrtf(sigma * sigma + 1);
    for (size_t i = 0; i < s->count; i++)
        scaled[i] = latents[i] / scale;
}

void sampler_step(struct sampler *s, const float *output, float *latents)
{
    s->method->step(s, output, latents);
    s->index++;
}

void sampler_guide(float *out, const float *without, const float *with, float guidance,
                   int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = without[i] + guidance * (with[i] - without[i]);
}

double sampler_dynamic_guidance(double guidance, int steps, double timestep)
{
    double turn = pow((steps - timestep) / steps, 5);
    return 1 + guidance * ((1 - cos(M_PI * turn)) / 2);
}
