/* Reading a published scheduler_config.json: what is not named there has its class's published
 * default, and keys that its class does not know are passed over, as the published loader does. */
#include <math.h>
#include <string.h>

#include "stages/generate/sampler.h"

enum { TRAIN_TIMESTEPS_MAX = 100000 };

static const struct {
    const char *class;
    struct sampler_config defaults;
} classes[SAMPLER_KINDS] = {
    {"EulerDiscreteScheduler",
     {.kind = SAMPLER_EULER,
      .betas = BETAS_LINEAR,
      .beta_start = 0.0001,
      .beta_end = 0.02,
      .spacing = SPACING_LINSPACE}},
    {"EulerAncestralDiscreteScheduler",
     {.kind = SAMPLER_EULER_ANCESTRAL,
      .betas = BETAS_LINEAR,
      .beta_start = 0.0001,
      .beta_end = 0.02,
      .spacing = SPACING_LINSPACE}},
    {"CogVideoXDDIMScheduler",
     {.kind = SAMPLER_DDIM,
      .betas = BETAS_SCALED_LINEAR,
      .beta_start = 0.00085,
      .beta_end = 0.012,
      .spacing = SPACING_LEADING,
      .snr_shift = 3}},
    {"FlowMatchEulerDiscreteScheduler",
     {.kind = SAMPLER_FLOW_EULER, .prediction = PREDICTION_FLOW}},
    {"UniPCMultistepScheduler", {.kind = SAMPLER_UNIPC, .prediction = PREDICTION_FLOW}},
};

/* What every class leaves as it is unless its file says otherwise. */
static struct sampler_config defaults_of(size_t class)
{
    struct sampler_config c = classes[class].defaults;
    c.train_timesteps = 1000;
    c.alpha_to_one = true;
    c.flow_shift = 1;
    c.order = 2;
    if (c.snr_shift == 0)
        c.snr_shift = 1;
    return c;
}

enum {
    EULER = 1 << SAMPLER_EULER,
    ANCESTRAL = 1 << SAMPLER_EULER_ANCESTRAL,
    DDIM = 1 << SAMPLER_DDIM,
    FLOW = 1 << SAMPLER_FLOW_EULER,
    UNIPC = 1 << SAMPLER_UNIPC,
};

/* Settings that have one value here, the kinds whose they are, and the value that a file without
 * them means. */
static const struct {
    unsigned kinds;
    const char *name, *wanted, *absent;
} fixed_words[] = {
    {UNIPC, "prediction_type", "flow_prediction", "epsilon"},
    {UNIPC, "solver_type", "bh2", "bh2"},
    {UNIPC, "final_sigmas_type", "zero", "zero"},
    {EULER, "interpolation_type", "linear", "linear"},
};
static const struct {
    unsigned kinds;
    const char *name;
    bool wanted, absent;
} fixed_flags[] = {
    {UNIPC, "use_flow_sigmas", true, false},
    {UNIPC, "predict_x0", true, true},
    {UNIPC, "lower_order_final", true, true},
    {UNIPC, "thresholding", false, false},
    {UNIPC, "rescale_betas_zero_snr", false, false},
    {UNIPC | FLOW, "use_karras_sigmas", false, false},
    {UNIPC | FLOW | EULER, "use_exponential_sigmas", false, false},
    {UNIPC | FLOW | EULER, "use_beta_sigmas", false, false},
    {UNIPC | FLOW, "use_dynamic_shifting", false, false},
    {FLOW, "invert_sigmas", false, false},
    {FLOW, "stochastic_sampling", false, false},
};
/* Settings that must be absent, null or empty. */
static const struct {
    unsigned kinds;
    const char *name;
} unset[] = {
    {UNIPC, "solver_p"},
    {UNIPC | FLOW, "shift_terminal"},
    {EULER | ANCESTRAL | DDIM, "trained_betas"},
};

static int check_words(unsigned kind, const json_t *root, const char *path, struct error *e)
{
    for (size_t i = 0; i < sizeof fixed_words / sizeof *fixed_words; i++) {
        const char *name = fixed_words[i].name, *word = fixed_words[i].absent;
        if (!(fixed_words[i].kinds & kind))
            continue;
        if (json_get_string(root, path, name, &word, e) != 0)
            return -1;
        if (strcmp(word, fixed_words[i].wanted) != 0)
            return error_set(e, ERROR_MODEL, "%s: %s is %.100s: only %s is supported", path, name,
                             word, fixed_words[i].wanted);
    }
    return 0;
}

static int check_flags(unsigned kind, const json_t *root, const char *path, struct error *e)
{
    for (size_t i = 0; i < sizeof fixed_flags / sizeof *fixed_flags; i++) {
        bool flag = fixed_flags[i].absent;
        if (!(fixed_flags[i].kinds & kind))
            continue;
        if (json_get_bool(root, path, fixed_flags[i].name, &flag, e) != 0)
            return -1;
        if (flag != fixed_flags[i].wanted)
            return error_set(e, ERROR_MODEL, "%s: only %s: %s is supported", path,
                             fixed_flags[i].name, fixed_flags[i].wanted ? "true" : "false");
    }
    return 0;
}

static int check_unset(unsigned kind, const json_t *root, const char *path, struct error *e)
{
    for (size_t i = 0; i < sizeof unset / sizeof *unset; i++) {
        const json_t *value = json_object_get(root, unset[i].name);
        bool empty_list = json_is_array(value) && json_array_size(value) == 0;
        if ((unset[i].kinds & kind) && value && !json_is_null(value) && !empty_list)
            return error_set(e, ERROR_MODEL, "%s: %s is not supported", path, unset[i].name);
    }
    return 0;
}

/* One of some words, by its place among them; *value is the place of the one meant when none is
 * named. */
static int get_choice(const json_t *root, const char *path, const char *name,
                      const char *const *words, int count, int *value, struct error *e)
{
    const char *word = words[*value];
    if (json_get_string(root, path, name, &word, e) != 0)
        return -1;
    for (int i = 0; i < count; i++)
        if (strcmp(words[i], word) == 0) {
            *value = i;
            return 0;
        }
    return error_set(e, ERROR_MODEL, "%s: %s is %.100s: only %s%s%s%s%s is supported", path, name,
                     word, words[0], count == 2 ? " or " : ", ", words[1], count > 2 ? " or " : "",
                     count > 2 ? words[2] : "");
}

/* A sigma, or zero where there is none. */
static int get_sigma(const json_t *root, const char *path, const char *name, double *value,
                     struct error *e)
{
    const json_t *found = json_object_get(root, name);
    if (!found || json_is_null(found))
        return 0;
    return json_get_number(root, path, name, 1e-6, 1e6, value, e);
}

static int read_karras(const json_t *root, const char *path, struct sampler_config *c,
                       struct error *e)
{
    if (json_get_bool(root, path, "use_karras_sigmas", &c->karras, e) != 0 ||
        get_sigma(root, path, "sigma_min", &c->sigma_min, e) != 0 ||
        get_sigma(root, path, "sigma_max", &c->sigma_max, e) != 0)
        return -1;
    if (c->sigma_max > 0 && c->sigma_min >= c->sigma_max)
        return error_set(e, ERROR_MODEL, "%s: sigma_min is %g, not below sigma_max, %g", path,
                         c->sigma_min, c->sigma_max);
    return 0;
}

static int read_euler(const json_t *root, const char *path, struct sampler_config *c,
                      struct error *e)
{
    static const char *const types[] = {"discrete", "continuous"};
    static const char *const finals[] = {"zero", "sigma_min"};
    int type = 0, final = 0;
    if (read_karras(root, path, c, e) != 0 ||
        get_choice(root, path, "timestep_type", types, 2, &type, e) != 0 ||
        get_choice(root, path, "final_sigmas_type", finals, 2, &final, e) != 0)
        return -1;
    c->continuous = type == 1 && c->prediction == PREDICTION_V; /* means nothing without */
    c->final_sigma_min = final == 1;
    return 0;
}

static int read_ddim(const json_t *root, const char *path, struct sampler_config *c,
                     struct error *e)
{
    if (json_get_bool(root, path, "set_alpha_to_one", &c->alpha_to_one, e) != 0 ||
        json_get_number(root, path, "snr_shift_scale", 1e-3, 1e3, &c->snr_shift, e) != 0)
        return -1;
    if (c->zero_snr && c->prediction == PREDICTION_EPSILON)
        return error_set(e, ERROR_MODEL,
                         "%s: prediction_type epsilon is not possible with rescale_betas_zero_snr",
                         path);
    return 0;
}

static int read_diffusion(const json_t *root, const char *path, struct sampler_config *c,
                          struct error *e)
{
    static const char *const schedules[] = {"linear", "scaled_linear"};
    static const char *const predictions[] = {"epsilon", "v_prediction"};
    static const char *const spacings[] = {"linspace", "leading", "trailing"};
    int schedule = c->betas, prediction = c->prediction, spacing = c->spacing;
    if (get_choice(root, path, "beta_schedule", schedules, 2, &schedule, e) != 0 ||
        get_choice(root, path, "prediction_type", predictions, 2, &prediction, e) != 0 ||
        get_choice(root, path, "timestep_spacing", spacings, 3, &spacing, e) != 0 ||
        json_get_number(root, path, "beta_start", 1e-8, 0.999, &c->beta_start, e) != 0 ||
        json_get_number(root, path, "beta_end", 1e-8, 0.999, &c->beta_end, e) != 0 ||
        json_get_int(root, path, "steps_offset", 0, 1000, &c->steps_offset, e) != 0 ||
        json_get_bool(root, path, "rescale_betas_zero_snr", &c->zero_snr, e) != 0)
        return -1;
    c->betas = (enum beta_schedule)schedule;
    c->prediction = (enum prediction)prediction;
    c->spacing = (enum timestep_spacing)spacing;
    if (c->kind == SAMPLER_EULER)
        return read_euler(root, path, c, e);
    return c->kind == SAMPLER_DDIM ? read_ddim(root, path, c, e) : 0;
}

/* Numbers of steps as a set of bits. */
static int get_steps(const json_t *root, const char *path, const char *name, uint64_t *steps,
                     struct error *e)
{
    const json_t *list = json_object_get(root, name), *step;
    size_t i;
    *steps = 0;
    if (!list || json_is_null(list))
        return 0;
    if (!json_is_array(list))
        return error_set(e, ERROR_MODEL, "%s: %s must be a list of steps", path, name);
    json_array_foreach((json_t *)list, i, step)
    {
        double at = json_is_number(step) ? json_number_value(step) : -1;
        if (!(at >= 0 && at < 64 && at == floor(at)))
            return error_set(e, ERROR_MODEL, "%s: %s[%zu] must be a step from 0 to 63", path, name,
                             i);
        *steps |= UINT64_C(1) << (int)at;
    }
    return 0;
}

static int read_flow(const json_t *root, const char *path, struct sampler_config *c,
                     struct error *e)
{
    const char *shift = c->kind == SAMPLER_UNIPC ? "flow_shift" : "shift";
    if (json_get_number(root, path, shift, 1e-3, 1e3, &c->flow_shift, e) != 0)
        return -1;
    if (c->kind != SAMPLER_UNIPC)
        return 0;
    return json_get_int(root, path, "solver_order", 1, 2, &c->order, e) ||
                   get_steps(root, path, "disable_corrector", &c->uncorrected, e)
               ? -1
               : 0;
}

static int find_class(const json_t *root, const char *path, size_t *class, struct error *e)
{
    const char *name = NULL;
    if (json_get_string(root, path, "_class_name", &name, e) != 0)
        return -1;
    for (*class = 0; *class < SAMPLER_KINDS; ++*class)
        if (strcmp(classes[*class].class, name) == 0)
            return 0;
    return error_set(e, ERROR_MODEL,
                     "%s: _class_name is %.100s: only %s, %s, %s, %s and %s are supported", path,
                     name, classes[0].class, classes[1].class, classes[2].class, classes[3].class,
                     classes[4].class);
}

/* Settings that are each in range may still give no noise schedule together: better said now, with
 * the file's name, than after the text encoder ran. */
static int prove(const struct sampler_config *c, const char *path, struct error *e)
{
    const struct torch_random random = {0};
    struct sampler s;
    int rc = sampler_init(&s, c, 1, 0, &random, e);
    sampler_free(&s);
    return rc == 0 ? 0 : error_wrap(e, "%s", path);
}

int sampler_config_from_json(const json_t *root, const char *path, struct sampler_config *out,
                             struct error *e)
{
    size_t class;
    if (find_class(root, path, &class, e) != 0)
        return -1;
    struct sampler_config c = defaults_of(class);
    unsigned kind = 1u << c.kind;
    if (check_words(kind, root, path, e) != 0 || check_flags(kind, root, path, e) != 0 ||
        check_unset(kind, root, path, e) != 0 ||
        json_get_int(root, path, "num_train_timesteps", 2, TRAIN_TIMESTEPS_MAX, &c.train_timesteps,
                     e) != 0)
        return -1;
    bool flow = c.prediction == PREDICTION_FLOW;
    if ((flow ? read_flow : read_diffusion)(root, path, &c, e) != 0 || prove(&c, path, e) != 0)
        return -1;
    *out = c;
    return 0;
}

int sampler_config_read(const char *path, struct sampler_config *out, struct error *e)
{
    json_t *root;
    if (json_read(path, &root, e) != 0)
        return -1;
    int rc = sampler_config_from_json(root, path, out, e);
    json_decref(root);
    return rc;
}
