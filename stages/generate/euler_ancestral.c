/* Euler steps that go further down than the schedule says, and up again with fresh noise. Each step
 * draws, the last one too, where the noise weighs nothing: so the published one counts its draws.
 */
#include <math.h>

#include "stages/generate/sampler_method.h"

static void step(struct sampler *s, const float *output, float *latents)
{
    float from = s->sigmas[s->index], to = s->sigmas[s->index + 1];
    float from2 = from * from, to2 = to * to;
    float up = sqrtf(to2 * (from2 - to2) / from2);
    float down = sqrtf(to2 - up * up);
    float *noise = s->arrays;
    torch_random_normal(&s->random, noise, s->count);
    euler_move(s, from, down - from, output, latents);
    for (size_t i = 0; i < s->count; i++)
        latents[i] += noise[i] * up;
}

const struct sampler_method sampler_euler_ancestral = {
    .arrays = 1, .scales_input = true, .draws = true, .tables = euler_tables, .step = step};
