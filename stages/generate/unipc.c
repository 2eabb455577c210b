#include "stages/generate/unipc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/generate/little_endian.h"

static const char STATE_MAGIC[8] = "unipc-1"; /* the last character is the version */
enum { STATE_HEADER = 8 + 5 * 4 + 8 + 8 };

int unipc_init(struct unipc *u, const struct unipc_config *config, int steps, size_t count,
               struct error *e)
{
    memset(u, 0, sizeof *u);
    if (steps < 1 || steps > UNIPC_STEPS_MAX)
        return error_set(e, ERROR_INPUT, "%d sampling steps: from 1 to %d are possible", steps,
                         UNIPC_STEPS_MAX);
    u->config = *config;
    u->steps = steps;
    u->count = count;

    /* Evenly from 1 to 1 / train_timesteps, then shifted. In double, and one operation a statement
     * so that no compiler fuses two: the timestep is the whole part of sigma * 1000, where a last
     * place can matter. */
    double end = 1.0 / config->train_timesteps;
    double stride = (end - 1.0) / steps;
    for (int i = 0; i < steps; i++) {
        double sigma = i * stride;
        sigma += 1.0;
        double below = (config->flow_shift - 1.0) * sigma;
        below += 1.0;
        sigma = config->flow_shift * sigma / below;
        if (i == 0 && fabs(sigma - 1.0) < 1e-6)
            sigma -= 1e-6; /* lambda of 1 is infinite */
        u->timesteps[i] = (int)(sigma * config->train_timesteps);
        u->sigmas[i] = (float)sigma;
    }
    u->sigmas[steps] = 0;

    u->last_sample = calloc(count, sizeof(float));
    u->x0 = calloc(count, sizeof(float));
    u->x0_before = calloc(count, sizeof(float));
    if (!u->last_sample || !u->x0 || !u->x0_before)
        return error_memory(e);
    return 0;
}

void unipc_free(struct unipc *u)
{
    free(u->last_sample);
    free(u->x0);
    free(u->x0_before);
    memset(u, 0, sizeof *u);
}

static double lambda(float sigma)
{
    return log(1.0 - sigma) - log(sigma);
}

/* One exponential-integrator step from sigmas[from] = s to sigmas[from + 1] = t:
 *   x_t = carry x_s - alpha (e^-h - 1) (x0 + rho_before (x0_before - x0) / r + rho_here (x0_t -
 * x0)) where the predictor has no last term. */
struct stride {
    double carry; /* sigma_t / sigma_s */
    double alpha; /* 1 - sigma_t */
    double hh;    /* -h = lambda_s - lambda_t; -inf for the last step */
    double grown; /* e^-h - 1: h phi_1 and B(h) alike */
    double r;     /* (lambda of the step before - lambda_s) / h, when there is one */
};

static struct stride stride_from(const struct unipc *u, int from, int order)
{
    float s = u->sigmas[from], t = u->sigmas[from + 1];
    struct stride d = {.carry = (double)t / s, .alpha = 1.0 - t, .hh = lambda(s) - lambda(t)};
    d.grown = expm1(d.hh);
    if (order == 2)
        d.r = (lambda(u->sigmas[from - 1]) - lambda(s)) / -d.hh;
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
static struct weights corrector(const struct unipc *u)
{
    struct stride d = stride_from(u, u->index - 1, u->last_order);
    if (u->last_order == 1)
        return weigh(&d, 0, 0.5);
    /* rho solves [1 1; r 1] rho = b with b_k = k! h phi_{k+1}(h) / B(h). */
    double phi = d.grown / d.hh - 1.0;
    double b1 = phi / d.grown;
    double b2 = (phi / d.hh - 0.5) * 2.0 / d.grown;
    double rho = (b2 - b1) / (d.r - 1.0);
    return weigh(&d, rho / d.r, b1 - rho);
}

/* UniP: the next step, from the predictions of x_0 so far. */
static struct weights predictor(const struct unipc *u, int order)
{
    struct stride d = stride_from(u, u->index, order);
    return weigh(&d, order == 2 ? 0.5 / d.r : 0, 0);
}

void unipc_step(struct unipc *u, const float *output, float *latents)
{
    int left = u->steps - u->index;
    int order = u->config.order;
    if (order > left)
        order = left; /* the last step goes to sigma zero, where lambda is infinite */
    if (order > u->index + 1)
        order = u->index + 1;

    float sigma = u->sigmas[u->index];
    struct weights p = predictor(u, order), c = {0};
    if (u->index > 0)
        c = corrector(u);
    for (size_t i = 0; i < u->count; i++) {
        float here = latents[i] - sigma * output[i];
        float x = latents[i];
        if (u->index > 0)
            x = c.carried * u->last_sample[i] + c.x0_before * u->x0_before[i] + c.x0 * u->x0[i] +
                c.x0_here * here;
        u->last_sample[i] = x;
        u->x0_before[i] = u->x0[i];
        u->x0[i] = here;
        latents[i] = p.carried * x + p.x0_before * u->x0_before[i] + p.x0 * here;
    }
    u->last_order = order;
    u->index++;
}

size_t unipc_state_size(const struct unipc *u)
{
    return STATE_HEADER + 3 * u->count * sizeof(float);
}

static void write_header(const struct unipc *u, uint8_t **p)
{
    memcpy(*p, STATE_MAGIC, sizeof STATE_MAGIC);
    *p += sizeof STATE_MAGIC;
    put_u32(p, (uint32_t)u->config.train_timesteps);
    put_u32(p, (uint32_t)u->config.order);
    put_f64(p, u->config.flow_shift);
    put_u32(p, (uint32_t)u->steps);
    put_u64(p, u->count);
    put_u32(p, (uint32_t)u->index);
    put_u32(p, (uint32_t)u->last_order);
}

void unipc_state_write(const struct unipc *u, uint8_t *bytes)
{
    uint8_t *p = bytes;
    write_header(u, &p);
    put_floats(&p, u->last_sample, u->count);
    put_floats(&p, u->x0, u->count);
    put_floats(&p, u->x0_before, u->count);
}

int unipc_state_read(struct unipc *u, const uint8_t *bytes, size_t size, struct error *e)
{
    /* Everything before index and order is settings: it must be what `u` would write. */
    enum { SETTINGS = STATE_HEADER - 8 };
    uint8_t expected[STATE_HEADER], *w = expected;
    write_header(u, &w);
    if (size < STATE_HEADER || memcmp(bytes, STATE_MAGIC, sizeof STATE_MAGIC) != 0)
        return error_set(e, ERROR_MODEL, "sampler state: not one of this version");
    if (memcmp(bytes, expected, SETTINGS) != 0 || size != unipc_state_size(u))
        return error_set(e, ERROR_MODEL, "sampler state: made with other settings");
    const uint8_t *p = bytes + SETTINGS;
    uint32_t index = get_u32(&p), order = get_u32(&p);
    if (index > (uint32_t)u->steps || order > (uint32_t)u->config.order ||
        (index > 0) != (order > 0))
        return error_set(e, ERROR_MODEL, "sampler state: damaged");
    u->index = (int)index;
    u->last_order = (int)order;
    get_floats(&p, u->last_sample, u->count);
    get_floats(&p, u->x0, u->count);
    get_floats(&p, u->x0_before, u->count);
    return 0;
}
