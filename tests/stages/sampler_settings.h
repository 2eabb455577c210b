/* Settings of samplers, as the published files hold them, for the tests. */
#ifndef AUTEUR_TESTS_STAGES_SAMPLER_SETTINGS_H
#define AUTEUR_TESTS_STAGES_SAMPLER_SETTINGS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stages/generate/sampler.h"

#define EULER     "\"_class_name\":\"EulerDiscreteScheduler\""
#define ANCESTRAL "\"_class_name\":\"EulerAncestralDiscreteScheduler\""
#define DDIM      "\"_class_name\":\"CogVideoXDDIMScheduler\",\"clip_sample\":false"
#define FLOW      "\"_class_name\":\"FlowMatchEulerDiscreteScheduler\",\"shift\":7"
#define UNIPC                                                                                      \
    "\"_class_name\":\"UniPCMultistepScheduler\",\"prediction_type\":\"flow_prediction\","         \
    "\"use_flow_sigmas\":true"
#define SDXL                                                                                       \
    "\"beta_start\":0.00085,\"beta_end\":0.012,\"beta_schedule\":\"scaled_linear\","               \
    "\"steps_offset\":1,\"timestep_spacing\":\"leading\""
#define SVD                                                                                        \
    EULER "," SDXL ",\"prediction_type\":\"v_prediction\",\"timestep_type\":\"continuous\","       \
          "\"use_karras_sigmas\":true,\"sigma_min\":0.002,\"sigma_max\":700.0"
#define COGVIDEOX                                                                                  \
    DDIM ",\"prediction_type\":\"v_prediction\",\"rescale_betas_zero_snr\":true,"                  \
         "\"timestep_spacing\":\"trailing\",\"snr_shift_scale\":1"

static inline int configure(const char *text, struct sampler_config *c, struct error *e)
{
    json_error_t bad;
    json_t *root = json_loads(text, JSON_DECODE_INT_AS_REAL, &bad);
    error_clear(e);
    if (!root)
        fail_msg("%s: %s", text, bad.text);
    int rc = sampler_config_from_json(root, "config", c, e);
    json_decref(root);
    return rc;
}

static inline struct sampler_config config_of(const char *text)
{
    struct sampler_config c;
    struct error e = {0};
    if (configure(text, &c, &e) != 0)
        fail_msg("%s", e.text);
    return c;
}

#endif
