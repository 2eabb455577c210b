/* The samplers that a board may ask for by name, and which checkpoints they fit. */
#include <stdlib.h>
#include <string.h>

#include "stages/generate/sampler.h"

static const struct {
    enum sampler_kind kind;
    bool karras;
} choices[] = {
    {SAMPLER_EULER, false},          {SAMPLER_EULER, true}, {SAMPLER_EULER_ANCESTRAL, false},
    {SAMPLER_EULER_ANCESTRAL, true}, {SAMPLER_DDIM, false}, {SAMPLER_FLOW_EULER, false},
    {SAMPLER_UNIPC, false},
};
enum { CHOICES = sizeof choices / sizeof *choices };
const char *const sampler_names[CHOICES + 1] = {
    "euler", "euler_karras", "euler_ancestral", "euler_ancestral_karras",
    "ddim",  "flow_euler",   "unipc",           NULL,
};

const char *sampler_config_name(const struct sampler_config *config)
{
    int i = 0;
    while (i < CHOICES - 1 &&
           (choices[i].kind != config->kind || choices[i].karras != config->karras))
        i++;
    return sampler_names[i];
}

/* Why a checkpoint's settings forbid a sampler; NULL: they do not. */
static const char *obstacle(const struct sampler_config *c, enum sampler_kind kind)
{
    bool flow = kind == SAMPLER_FLOW_EULER || kind == SAMPLER_UNIPC;
    if (flow != (c->prediction == PREDICTION_FLOW))
        return flow ? "the model was not trained on a flow: euler, euler_ancestral and ddim fit it"
                    : "the model was trained on a flow: flow_euler and unipc fit it";
    if (c->continuous && kind != SAMPLER_EULER)
        return "the model is told sigmas, not timesteps: only euler fits it";
    if (c->snr_shift != 1 && kind != SAMPLER_DDIM)
        return "the model was trained with shifted SNR: only ddim fits it";
    if (kind == SAMPLER_DDIM && c->zero_snr && c->prediction == PREDICTION_EPSILON)
        return "the model was trained to zero SNR on noise: euler and euler_ancestral fit it";
    return NULL;
}

static int choose(struct sampler_config *c, int choice, struct error *e)
{
    enum sampler_kind kind = choices[choice].kind;
    const char *why = obstacle(c, kind);
    if (why)
        return error_set(e, ERROR_INPUT, "sampler %s: %s", sampler_names[choice], why);
    c->kind = kind;
    c->karras = choices[choice].karras;
    c->final_sigma_min = c->final_sigma_min && kind == SAMPLER_EULER;
    return 0;
}

int sampler_config_choose(struct sampler_config *config, const char *name, double flow_shift,
                          struct error *e)
{
    struct sampler_config c = *config;
    int i = 0;
    while (name && *name && i < CHOICES && strcmp(sampler_names[i], name) != 0)
        i++;
    if (i == CHOICES)
        return error_set(e, ERROR_INPUT,
                         "there is no sampler %.40s (there are euler, "
                         "euler_karras, euler_ancestral, euler_ancestral_karras, ddim, flow_euler "
                         "and unipc)",
                         name);
    if (name && *name && choose(&c, i, e) != 0)
        return -1;
    if (flow_shift != 0) {
        if (c.prediction != PREDICTION_FLOW)
            return error_set(e, ERROR_INPUT,
                             "shift: the model was not trained on a flow, it has "
                             "none");
        if (!(flow_shift >= 1e-3 && flow_shift <= 1e3))
            return error_set(e, ERROR_INPUT, "shift is %g: must be from 0.001 to 1000", flow_shift);
        c.flow_shift = flow_shift;
    }
    *config = c;
    return 0;
}
