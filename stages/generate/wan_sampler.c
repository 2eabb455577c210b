#include "stages/generate/wan_sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/json.h"

/* One expert is in memory at a time, though each shot loads both then: two of 14 billion weights
 * are more than most machines hold. */
struct wan_sampler {
    struct arena arena;
    struct device *device;
    struct sampler_config schedule;
    double boundary;     /* the lowest timestep of the first expert; -1: there is only one */
    const char *dirs[2]; /* of the experts */
    int loaded;          /* which one `expert` is; -1: none */
    struct wan_transformer *expert;
    int channels, text_dim;
};

struct wan_sampling {
    struct wan_sampler *sampler;
    struct wan_request request;
    struct sampler steps;
    struct tensor latents;
    float *with, *without; /* the model's output given the prompt, and the negative prompt */
    int expert;            /* whose conditioning is prepared; -1: none's */
    struct wan_conditioning *prompt, *negative;
};

static int read_index(const char *path, double *boundary_ratio, struct error *e)
{
    json_t *root;
    const char *class = NULL;
    bool expand = false;
    if (json_read(path, &root, e) != 0)
        return -1;
    *boundary_ratio = -1;
    int rc = json_get_string(root, path, "_class_name", &class, e);
    if (rc == 0 && strcmp(class, "WanPipeline") != 0)
        rc = error_set(e, ERROR_MODEL, "%s: %.100s: only WanPipeline is supported", path, class);
    if (rc == 0)
        rc = json_get_number(root, path, "boundary_ratio", -1, 1, boundary_ratio, e);
    if (rc == 0)
        rc = json_get_bool(root, path, "expand_timesteps", &expand, e);
    if (rc == 0 && expand)
        rc = error_set(e, ERROR_MODEL, "%s: expand_timesteps is not supported", path);
    json_decref(root);
    return rc;
}

/* Everything but the weights. boundary: as in the sampler. */
static int read_settings(const char *dir, struct arena *a, struct sampler_config *schedule,
                         double *boundary, struct error *e)
{
    const char *index = path_join(a, dir, "model_index.json");
    const char *steps = path_join(a, dir, "scheduler/scheduler_config.json");
    double ratio;
    if (!index || !steps)
        return error_memory(e);
    if (read_index(index, &ratio, e) != 0 || sampler_config_read(steps, schedule, e) != 0)
        return -1;
    if (schedule->prediction != PREDICTION_FLOW)
        return error_set(e, ERROR_MODEL, "%s: sampler %s does not fit a Wan model: it is a flow",
                         steps, sampler_config_name(schedule));
    *boundary = ratio > 0 ? ratio * schedule->train_timesteps : -1;
    return 0;
}

static int use_expert(struct wan_sampler *s, int i, struct error *e)
{
    if (s->loaded == i)
        return 0;
    wan_transformer_free(s->expert);
    s->expert = NULL;
    s->loaded = -1;
    if (wan_transformer_load(s->dirs[i], s->device, &s->expert, e) != 0)
        return -1;
    s->loaded = i;
    int channels = wan_transformer_channels(s->expert);
    int text_dim = wan_transformer_text_dim(s->expert);
    if (s->channels != 0 && (channels != s->channels || text_dim != s->text_dim))
        return error_set(e, ERROR_MODEL, "%s: the two experts differ in form", s->dirs[i]);
    s->channels = channels;
    s->text_dim = text_dim;
    return 0;
}

int wan_sampler_load(const char *dir, struct device *d, struct wan_sampler **out, struct error *e)
{
    struct wan_sampler *s = calloc(1, sizeof *s);
    if (!s)
        return error_memory(e);
    s->device = d;
    s->loaded = -1;
    s->dirs[0] = path_join(&s->arena, dir, "transformer");
    s->dirs[1] = path_join(&s->arena, dir, "transformer_2");
    int rc = s->dirs[0] && s->dirs[1] ? 0 : error_memory(e);
    if (rc == 0)
        rc = read_settings(dir, &s->arena, &s->schedule, &s->boundary, e);
    if (rc == 0)
        rc = use_expert(s, 0, e);
    if (rc == 0)
        *out = s;
    else
        wan_sampler_free(s);
    return rc;
}

void wan_sampler_free(struct wan_sampler *s)
{
    if (!s)
        return;
    wan_transformer_free(s->expert);
    arena_free(&s->arena);
    free(s);
}

int wan_sampler_check(const char *dir, int *text_dim, struct error *e)
{
    struct wan_sampler *s;
    int rc = wan_sampler_load(dir, NULL, &s, e);
    if (rc != 0)
        return -1;
    if (s->boundary >= 0)
        rc = use_expert(s, 1, e);
    *text_dim = s->text_dim;
    wan_sampler_free(s);
    return rc;
}

int wan_sampler_channels(const struct wan_sampler *s)
{
    return s->channels;
}

int wan_sampler_text_dim(const struct wan_sampler *s)
{
    return s->text_dim;
}

int wan_sampling_open(struct wan_sampler *s, const struct wan_request *request, float *latents,
                      struct wan_sampling **out, struct error *e)
{
    int channels = wan_sampler_channels(s);
    struct sampler_config schedule = s->schedule;
    struct wan_sampling *g = calloc(1, sizeof *g);
    if (!g)
        return error_memory(e);
    g->sampler = s;
    g->request = *request;
    g->expert = -1;
    g->latents = TENSOR_F32(latents, channels, request->frames, request->height, request->width);
    size_t count = (size_t)tensor_count(&g->latents);
    g->with = calloc(count, sizeof(float));
    g->without = calloc(count, sizeof(float));
    int rc = g->with && g->without ? 0 : error_memory(e);
    if (rc == 0)
        rc = sampler_config_choose(&schedule, request->sampler, request->flow_shift, e);
    if (rc == 0)
        rc = sampler_init(&g->steps, &schedule, request->steps, count, NULL, e);
    if (rc == 0)
        *out = g;
    else
        wan_sampling_close(g);
    return rc;
}

static void drop_conditioning(struct wan_sampling *g)
{
    wan_conditioning_free(g->prompt);
    wan_conditioning_free(g->negative);
    g->prompt = g->negative = NULL;
    g->expert = -1;
}

void wan_sampling_close(struct wan_sampling *g)
{
    if (!g)
        return;
    drop_conditioning(g);
    sampler_free(&g->steps);
    free(g->with);
    free(g->without);
    free(g);
}

struct sampler *wan_sampling_steps(struct wan_sampling *g)
{
    return &g->steps;
}

/* Makes the prompts ready for the expert of this step, once for all its steps. */
static int prepare(struct wan_sampling *g, int expert, struct error *e)
{
    if (g->expert == expert)
        return 0;
    drop_conditioning(g); /* it belongs to the expert that may go now */
    if (use_expert(g->sampler, expert, e) != 0)
        return -1;
    struct wan_transformer *m = g->sampler->expert;
    if (wan_transformer_prepare(m, &g->request.prompt, g->request.padded_length, &g->prompt, e) !=
        0)
        return -1;
    if (g->request.guidance[expert] != 1 &&
        wan_transformer_prepare(m, &g->request.negative, g->request.padded_length, &g->negative,
                                e) != 0)
        return -1;
    g->expert = expert;
    return 0;
}

static int forward(struct wan_sampling *g, const struct wan_conditioning *c, float timestep,
                   float *to, struct error *e)
{
    struct tensor out = g->latents;
    out.data = to;
    return wan_transformer_forward(g->sampler->expert, c, &g->latents, timestep, &out, e);
}

int wan_sampling_step(struct wan_sampling *g, struct error *e)
{
    int step = g->steps.index;
    float timestep = g->steps.timesteps[step];
    int expert = g->sampler->boundary >= 0 && timestep < g->sampler->boundary;
    float guidance = (float)g->request.guidance[expert];
    float *latents = g->latents.data;
    if (prepare(g, expert, e) != 0 || forward(g, g->prompt, timestep, g->with, e) != 0)
        return -1;
    if (g->negative) {
        if (forward(g, g->negative, timestep, g->without, e) != 0)
            return -1;
        for (size_t i = 0; i < g->steps.count; i++)
            g->with[i] = g->without[i] + guidance * (g->with[i] - g->without[i]);
    }
    sampler_step(&g->steps, g->with, latents);
    for (size_t i = 0; i < g->steps.count; i++)
        if (!isfinite(latents[i]))
            return error_set(e, ERROR_MODEL,
                             "step %d of %d gives numbers that are not finite: the checkpoint is "
                             "damaged, or the guidance (%g) too strong",
                             step + 1, g->steps.steps, (double)guidance);
    return 0;
}
