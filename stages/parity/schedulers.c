/* Samplers alone: each case of golden.json is a scheduler's settings, driven at a real step count
 * by a model that is a formula. */
#include <math.h>
#include <string.h>

#include "stages/generate/sampler.h"
#include "stages/parity/families.h"

#define MODEL "tanh(0.7*scaled_input) * (0.3 + t/2000)"

/* One case being checked. */
struct one {
    struct golden *golden;
    struct report *report;
    const char *name;
    const json_t *json;
    double seed; /* negative: the golden names none */
    struct sampler sampler;
};

/* The golden keeps settings without their class: each has some key that no other has. */
static const char *class_of(const json_t *config)
{
    static const struct {
        const char *key, *class;
    } marks[] = {
        {"solver_order", "UniPCMultistepScheduler"},
        {"snr_shift_scale", "CogVideoXDDIMScheduler"},
        {"stochastic_sampling", "FlowMatchEulerDiscreteScheduler"},
        {"interpolation_type", "EulerDiscreteScheduler"},
    };
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (json_object_get(config, marks[i].key))
            return marks[i].class;
    return "EulerAncestralDiscreteScheduler";
}

static int read_config(struct one *c, struct sampler_config *out, struct error *e)
{
    const json_t *given = json_object_get(c->json, "config");
    json_t *config = json_copy((json_t *)given);
    int rc = 0;

    if (!json_object_get(given, "_class_name"))
        rc = json_object_set_new(config, "_class_name", json_string(class_of(given)));
    rc = rc ? error_memory(e) : sampler_config_from_json(config, c->golden->path, out, e);
    json_decref(config);
    return rc;
}

static const char *part(struct one *c, const char *what)
{
    const char *name = arena_printf(&c->golden->arena, "%s.%s", c->name, what);
    return name ? name : ""; /* out of memory: no tensor has this name */
}

static bool holds(struct one *c, const char *name)
{
    return safetensors_find(c->golden->tensors, name) != NULL;
}

static void check(struct one *c, const char *what, const float *got, int64_t count,
                  enum parity_class near)
{
    const char *name = part(c, what);
    golden_check(c->golden, c->report, name, name, got, count, near);
}

static int open_sampler(struct one *c, size_t count, struct torch_random *random, struct error *e)
{
    const char *model = "";
    struct sampler_config config;
    int steps = 0;

    if (json_get_string(c->json, c->golden->path, "model", &model, e) ||
        json_get_int(c->json, c->golden->path, "steps", 1, SAMPLER_STEPS_MAX, &steps, e) ||
        read_config(c, &config, e))
        return -1;
    if (strcmp(model, MODEL) != 0)
        return error_set(e, ERROR_MODEL, "the model %.100s is not known", model);
    return sampler_init(&c->sampler, &config, steps, count, random, e);
}

static void take_steps(struct one *c, struct tensor x, float *output)
{
    struct sampler *s = &c->sampler;
    float *latents = x.data;
    int kept = 0;
    char what[16];

    while (s->index < s->steps) {
        float weight = (float)(0.3 + (double)s->timesteps[s->index] / 2000.0);
        sampler_scale_input(s, latents, output);
        for (size_t i = 0; i < s->count; i++)
            output[i] = tanhf(0.7f * output[i]) * weight;
        sampler_step(s, output, latents);
        snprintf(what, sizeof what, "x%d", s->index);
        if (!holds(c, part(c, what)))
            continue;
        check(c, what, latents, (int64_t)s->count, PARITY_SAMPLER);
        kept++;
    }
    if (kept == 0)
        report_fact(c->report, c->name, false, "no latents in the golden");
}

/* From noise of our own; from the golden's where it names no seed. */
static void check_case(struct one *c, struct tensor x)
{
    struct sampler *s = &c->sampler;
    size_t count = (size_t)tensor_count(&x);
    float *latents = x.data, *output = arena_array(&c->golden->arena, count, sizeof *output);
    struct torch_random random;
    struct error e = {0};

    torch_random_seed(&random, c->seed < 0 ? 0 : (uint64_t)c->seed);
    if (!output) {
        report_fact(c->report, c->name, false, "out of memory");
        return;
    }
    torch_random_normal(&random, output, count);
    if (open_sampler(c, count, &random, &e)) {
        report_fact(c->report, c->name, false, e.text);
        return;
    }
    if (c->seed >= 0) {
        for (size_t i = 0; i < count; i++)
            latents[i] = output[i] * s->init_noise_sigma;
        check(c, "x0", latents, (int64_t)count, PARITY_NOISE);
    }
    check(c, "timesteps", s->timesteps, s->steps, PARITY_SAMPLER);
    if (holds(c, part(c, "sigmas")))
        check(c, "sigmas", s->sigmas, s->steps + 1, PARITY_SAMPLER);
    take_steps(c, x, output);
}

int parity_schedulers(struct parity *p, struct error *e)
{
    struct golden *g = &p->golden;
    const char *name;
    json_t *json;
    double seed = -1;

    if (json_object_get(g->json, "seed") &&
        json_get_number(g->json, g->path, "seed", 0, 9007199254740992.0, &seed, e))
        return -1;
    if (seed < 0)
        fprintf(p->report.out, "%-34s not checked: the golden names no seed\n", "x0");
    json_object_foreach(g->json, name, json)
    {
        struct one c = {
            .golden = g, .report = &p->report, .name = name, .json = json, .seed = seed};
        const struct tensor *x0;
        struct tensor x;
        if (!json_is_object(json_object_get(json, "config")))
            continue;
        x0 = safetensors_find(g->tensors, part(&c, "x0"));
        if (golden_get(g, &p->report, part(&c, "x0"), x0 ? x0->rank : 0, &x))
            check_case(&c, x);
        sampler_free(&c.sampler);
    }
    return 0;
}

bool parity_is_schedulers(const struct golden *g)
{
    const char *name;
    json_t *json;

    json_object_foreach(g->json, name, json)
    {
        if (json_is_object(json_object_get(json, "config")))
            return true;
    }
    return false;
}
