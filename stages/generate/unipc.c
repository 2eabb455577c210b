/* UniPC, a predictor-corrector solver of the diffusion ODE: W. Zhao et al., "UniPC: A Unified
 * Predictor-Corrector Framework for Fast Sampling of Diffusion Models" (2023), in the form the Wan
 * checkpoints publish: flow prediction over flow sigmas, data prediction, B(h) = e^h - 1 ("bh2"),
 * order 2 with a lower order at the first and the last step, last sigma zero. Of order 1 and with
 * no corrector it is Euler's method, which distilled models are taught to step by.
 *
 * With x_t = (1 - sigma) x_0 + sigma noise, the model's output v gives x_0 = x_t - sigma v, and
 * steps are taken in lambda = log((1 - sigma) / sigma).
 */
#include <math.h>

#include "stages/generate/sampler_method.h"

/* Evenly from 1 to 1 / train_timesteps, then shifted. In double, and one operation a statement so
 * that no compiler fuses two: the timestep is the whole part of sigma * 1000, where a last place
 * can matter. */
static int tables(struct sampler *s, struct error *e)
{
    const struct sampler_config *c = &s->config;
    (void)e;
    double end = 1.0 / c->train_timesteps;
    double stride = (end - 1.0) / s->steps;
    for (int i = 0; i < s->steps; i++) {
        double sigma = i * stride;
        sigma += 1.0;
        double below = (c->flow_shift - 1.0) * sigma;
        below += 1.0;
        sigma = c->flow_shift * sigma / below;
        if (i == 0 && fabs(sigma - 1.0) < 1e-6)
            sigma -= 1e-6; /* lambda of 1 is infinite */
        s->timesteps[i] = (float)(int)(sigma * c->train_timesteps);
        s->sigmas[i] = (float)sigma;
    }
    s->sigmas[s->steps] = 0;
    return 0;
}

/* Of the predictor at a step. The last one goes to sigma zero, where lambda is infinite, and the
 * first one has nothing to look back on. */
static int order_at(const struct sampler *s, int index)
{
    int order = s->config.order;
    if (order > s->steps - index)
        order = s->steps - index;
    return order > index + 1 ? index + 1 : order;
}

static double lambda(float sigma)
{
    return log(1.0 - sigma) - log(sigma);
}

/* One exponential-integrator step from sigmas[0] = s to sigmas[1] = t:
 *   x_t = carry x_s - alpha (e^-h - 1) (x0 + rho_before (x0_before - x0) / r + rho_here (x0_t -
 * x0)) where the predictor has no last term. */
struct stride {
    double carry; /* sigma_t / sigma_s */
    double alpha; /* 1 - sigma_t */
    double hh;    /* -h = lambda_s - lambda_t; -inf for the last step */
    double grown; /* e^-h - 1: h phi_1 and B(h) alike */
    double r;     /* (lambda of the step before - lambda_s) / h, when there is one */
};

static struct stride stride_from(const float *sigmas, int order)
{
    float s = sigmas[0], t = sigmas[1];
    struct stride d = {.carry = (double)t / s, .alpha = 1.0 - t, .hh = lambda(s) - lambda(t)};
    d.grown = expm1(d.hh);
    if (order == 2)
        d.r = (lambda(sigmas[-1]) - lambda(s)) / -d.hh;
    return d;
}

/* What the sum that makes new latents gives each of its terms. */
struct weights {
    float carried, x0_before, x0, x0_here;
};

static struct weights weigh(const struct stride *d, double before, double here)
{
    double scale = -d->alpha * d->grown;
    return (struct weights){
        .carried = (float)d->carry,
        .x0_before = (float)(scale * before),
        .x0 = (float)(scale * (1.0 - before - here)),
        .x0_here = (float)(scale * here),
    };
}

/* UniC: the step that the predictor took last, taken again with x_0 at the place it led to. */
static struct weights corrector(const struct sampler *s)
{
    int order = order_at(s, s->index - 1);
    struct stride d = stride_from(s->sigmas + s->index - 1, order);
    if (order == 1)
        return weigh(&d, 0, 0.5);
    /* rho solves [1 1; r 1] rho = b with b_k = k! h phi_{k+1}(h) / B(h). */
    double phi = d.grown / d.hh - 1.0;
    double b1 = phi / d.grown;
    double b2 = (phi / d.hh - 0.5) * 2.0 / d.grown;
    double rho = (b2 - b1) / (d.r - 1.0);
    return weigh(&d, rho / d.r, b1 - rho);
}

/* UniP: the next step, from the predictions of x_0 so far. */
static struct weights predictor(const struct sampler *s)
{
    int order = order_at(s, s->index);
    struct stride d = stride_from(s->sigmas + s->index, order);
    return weigh(&d, order == 2 ? 0.5 / d.r : 0, 0);
}

/* What a step led to is not corrected. */
static bool leaves_alone(const struct sampler *s, int index)
{
    return index < 64 && (s->config.uncorrected >> index & 1);
}

static void step(struct sampler *s, const float *output, float *latents)
{
    float *last_sample = s->arrays;   /* the corrected latents before the last predictor */
    float *x0 = s->arrays + s->count; /* the last prediction of x_0, */
    float *x0_before = x0 + s->count; /* and the one before */
    float sigma = s->sigmas[s->index];
    struct weights p = predictor(s), c = {0};
    bool corrects = s->index > 0 && !leaves_alone(s, s->index - 1);
    if (corrects)
        c = corrector(s);
    for (size_t i = 0; i < s->count; i++) {
        float here = latents[i] - sigma * output[i];
        float x = latents[i];
        if (corrects)
            x = c.carried * last_sample[i] + c.x0_before * x0_before[i] + c.x0 * x0[i] +
                c.x0_here * here;
        last_sample[i] = x;
        x0_before[i] = x0[i];
        x0[i] = here;
        latents[i] = p.carried * x + p.x0_before * x0_before[i] + p.x0 * here;
    }
}

const struct sampler_method sampler_unipc = {
    .arrays = 3, .kept = 3, .tables = tables, .step = step};
