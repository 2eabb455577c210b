#include "stages/generate/sampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "stages/generate/latents.h"

int sampling_config(const char *dir, const char *sampler, double flow_shift,
                    struct sampler_config *out, struct error *e)
{
    struct arena a = {0};
    const char *path = path_join(&a, dir, "scheduler/scheduler_config.json");
    int rc = path ? sampler_config_read(path, out, e) : error_memory(e);
    if (rc == 0)
        rc = sampler_config_choose(out, sampler, flow_shift, e);
    arena_free(&a);
    return rc;
}

int sampling_noise(const struct family *family, const struct generation *generation,
                   struct tensor *noise, struct torch_random *random, struct error *e)
{
    size_t before = family->noise_before ? family->noise_before(generation) : 0;
    torch_random_seed(random, generation->seed);
    if (before > 0) {
        float *drawn = malloc(before * sizeof *drawn);
        if (!drawn)
            return error_memory(e);
        torch_random_normal(random, drawn, before);
        free(drawn);
    }
    torch_random_normal(random, noise->data, (size_t)tensor_count(noise));
    return 0;
}

int sampling_prepare(struct sampling *s, const struct family *family, void *model,
                     const struct sampler_config *config, const struct generation *generation,
                     const struct conditions *conditions, struct error *e)
{
    struct torch_random random;
    int64_t shape[4];
    *s = (struct sampling){
        .family = family, .model = model, .generation = generation, .conditions = conditions};
    if (family->latents_shape(model, generation, shape, e) != 0)
        return -1;
    s->latents = tensor_new(&s->arena, 4, shape);
    s->scaled = tensor_new(&s->arena, 4, shape);
    s->output = tensor_new(&s->arena, 4, shape);
    if (!s->latents.data || !s->scaled.data || !s->output.data)
        return error_memory(e);
    size_t count = (size_t)tensor_count(&s->latents);
    if (sampling_noise(family, generation, &s->latents, &random, e) != 0 ||
        sampler_init(&s->sampler, config, generation->steps, count, &random, e) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        ((float *)s->latents.data)[i] *= s->sampler.init_noise_sigma;
    return 0;
}

int sampling_begin(struct sampling *const *s, int count, struct error *e)
{
    const struct generation *generations[SAMPLING_MOST];
    const struct conditions *conditions[SAMPLING_MOST];
    const struct family *family = s[0]->family;
    if (count == 1)
        return family->begin(s[0]->model, s[0]->generation, s[0]->conditions, &s[0]->sampler, e);
    if (count > SAMPLING_MOST || count > family->batch_max)
        return error_set(e, ERROR_INTERNAL, "%d shots at once through a model of family %s", count,
                         family->name);
    for (int i = 0; i < count; i++) {
        generations[i] = s[i]->generation;
        conditions[i] = s[i]->conditions;
    }
    return family->begin_batch(s[0]->model, count, generations, conditions, &s[0]->sampler, e);
}

int sampling_open(struct sampling *s, const struct family *family, void *model,
                  const struct sampler_config *config, const struct generation *generation,
                  const struct conditions *conditions, struct error *e)
{
    return sampling_prepare(s, family, model, config, generation, conditions, e) == 0
               ? sampling_begin(&s, 1, e)
               : -1;
}

void sampling_close(struct sampling *s)
{
    sampler_free(&s->sampler);
    arena_free(&s->arena);
    *s = (struct sampling){0};
}

static int predict(struct sampling *const *s, int count, int step, struct error *e)
{
    const struct tensor *latents[SAMPLING_MOST];
    struct tensor *out[SAMPLING_MOST];
    const struct family *family = s[0]->family;
    if (count == 1)
        return family->predict(s[0]->model, &s[0]->scaled, step, &s[0]->output, e);
    for (int i = 0; i < count; i++) {
        latents[i] = &s[i]->scaled;
        out[i] = &s[i]->output;
    }
    return family->predict_batch(s[0]->model, latents, step, out, e);
}

static bool is_finite(const struct sampling *s)
{
    const float *latents = s->latents.data;
    for (size_t i = 0; i < s->sampler.count; i++)
        if (!isfinite(latents[i]))
            return false;
    return true;
}

int sampling_step_all(struct sampling *const *s, int count, struct error *e)
{
    int step = s[0]->sampler.index;
    for (int i = 0; i < count; i++)
        sampler_scale_input(&s[i]->sampler, s[i]->latents.data, s[i]->scaled.data);
    if (predict(s, count, step, e) != 0)
        return -1;
    for (int i = 0; i < count; i++) {
        sampler_step(&s[i]->sampler, s[i]->output.data, s[i]->latents.data);
        s[i]->broken |= !is_finite(s[i]);
    }
    return 0;
}

int sampling_is_whole(const struct sampling *s, struct error *e)
{
    return s->broken ? error_set(e, ERROR_MODEL,
                                 "step %d of %d gives numbers that are not finite: the checkpoint "
                                 "is damaged, or the guidance too strong",
                                 s->sampler.index, s->sampler.steps)
                     : 0;
}

int sampling_step(struct sampling *s, struct error *e)
{
    return sampling_step_all(&s, 1, e) == 0 ? sampling_is_whole(s, e) : -1;
}

size_t sampling_state_size(const struct sampling *s)
{
    return latents_size(&s->latents) + sampler_state_size(&s->sampler);
}

void sampling_state_write(const struct sampling *s, uint8_t *bytes)
{
    latents_write(&s->latents, bytes);
    sampler_state_write(&s->sampler, bytes + latents_size(&s->latents));
}

int sampling_state_read(struct sampling *s, const uint8_t *bytes, size_t size, struct error *e)
{
    struct arena a = {0};
    struct tensor found;
    size_t first = latents_size(&s->latents);
    int rc = size > first ? latents_read(bytes, first, &a, &found, e)
                          : error_set(e, ERROR_MODEL, "the checkpoint is cut short");
    if (rc == 0 && memcmp(found.shape, s->latents.shape, 4 * sizeof *found.shape) != 0)
        rc = error_set(e, ERROR_MODEL, "the checkpoint's latents are of another size");
    if (rc == 0)
        rc = sampler_state_read(&s->sampler, bytes + first, size - first, e);
    if (rc == 0)
        memcpy(s->latents.data, found.data, s->sampler.count * sizeof(float));
    arena_free(&a);
    return rc;
}
