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

int sampling_open(struct sampling *s, const struct family *family, void *model,
                  const struct sampler_config *config, const struct generation *generation,
                  const struct conditions *conditions, struct error *e)
{
    struct torch_random random;
    int64_t shape[4];
    *s = (struct sampling){.family = family, .model = model};
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
    return family->begin(model, generation, conditions, &s->sampler, e);
}

void sampling_close(struct sampling *s)
{
    sampler_free(&s->sampler);
    arena_free(&s->arena);
    *s = (struct sampling){0};
}

int sampling_step(struct sampling *s, struct error *e)
{
    struct sampler *sampler = &s->sampler;
    const float *latents = s->latents.data;
    int step = sampler->index;
    sampler_scale_input(sampler, latents, s->scaled.data);
    if (s->family->predict(s->model, &s->scaled, step, &s->output, e) != 0)
        return -1;
    sampler_step(sampler, s->output.data, s->latents.data);
    for (size_t i = 0; i < sampler->count; i++)
        if (!isfinite(latents[i]))
            return error_set(e, ERROR_MODEL,
                             "step %d of %d gives numbers that are not finite: the checkpoint is "
                             "damaged, or the guidance too strong",
                             step + 1, sampler->steps);
    return 0;
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
