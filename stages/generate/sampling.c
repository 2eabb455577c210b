#include "stages/generate/sampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/hash.h"
#include "stages/generate/latents.h"
#include "stages/generate/little_endian.h"

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

static int make_anchors(struct sampling *s, const int64_t shape[4], struct error *e)
{
    for (int i = 0; i < ANCHORS; i++) {
        s->anchors[i].seen = tensor_new(&s->arena, 4, shape);
        if (!s->anchors[i].seen.data)
            return error_memory(e);
    }
    return 0;
}

static bool has_anchors(const struct sampling *s)
{
    return s->anchors[0].seen.data;
}

int sampling_prepare(struct sampling *s, const struct family *family, void *model,
                     const struct sampler_config *config, const struct generation *generation,
                     const struct conditions *conditions, struct error *e)
{
    struct torch_random random;
    int64_t shape[4];
    bool caches = family->step_cache && generation->step_cache.mode != STEP_CACHE_OFF;
    *s = (struct sampling){.family = family,
                           .model = model,
                           .generation = generation,
                           .conditions = conditions,
                           .anchors = {{.step = -1}, {.step = -1}}};
    if (family->latents_shape(model, generation, shape, e) != 0)
        return -1;
    s->latents = tensor_new(&s->arena, 4, shape);
    s->scaled = tensor_new(&s->arena, 4, shape);
    s->output = tensor_new(&s->arena, 4, shape);
    if (!s->latents.data || !s->scaled.data || !s->output.data ||
        (caches && make_anchors(s, shape, e) != 0))
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

/* What the step did with the model's cache. */
static void note_step(struct sampling *s)
{
    const struct step_cache *c = has_anchors(s) ? s->family->step_cache(s->model) : NULL;
    struct anchor oldest = s->anchors[1];
    if (!c)
        return;
    s->evaluated += c->evaluated;
    s->left_out += c->left_out;
    if (c->reused)
        return;
    s->anchors[1] = s->anchors[0];
    if (c->computed == 1) /* the cache was emptied: nothing of before is in it */
        s->anchors[1].step = -1;
    memcpy(oldest.seen.data, s->scaled.data, s->sampler.count * sizeof(float));
    s->anchors[0] = (struct anchor){.step = s->sampler.index, .seen = oldest.seen};
}

/* The same predictions again, in their order, for what the model keeps of them. */
static int find_anchors(struct sampling *s, struct error *e)
{
    for (int i = ANCHORS - 1; i >= 0; i--) {
        struct anchor *a = &s->anchors[i];
        if (a->lost && s->family->predict(s->model, &a->seen, a->step, &s->output, e) != 0)
            return -1;
        a->lost = false;
    }
    return 0;
}

static int predict_one(struct sampling *s, int step, struct error *e)
{
    if (find_anchors(s, e) != 0 ||
        s->family->predict(s->model, &s->scaled, step, &s->output, e) != 0)
        return -1;
    note_step(s);
    return 0;
}

static int predict(struct sampling *const *s, int count, int step, struct error *e)
{
    const struct tensor *latents[SAMPLING_MOST] = {0};
    struct tensor *out[SAMPLING_MOST] = {0};
    const struct family *family = s[0]->family;
    if (count == 1)
        return predict_one(s[0], step, e);
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

/* ---- state: the latents, the sampler's, and with a step cache:
 *   what the model saw at each anchor [latents_size], their steps + 1 u32,
 *   blocks evaluated and left out u64 each, XXH3-128 of these [16] */

enum { ANCHORS_REST = ANCHORS * 4 + 8 + 8, CHECKSUM = sizeof(struct hash128) };

static size_t anchors_size(const struct sampling *s)
{
    return has_anchors(s) ? ANCHORS * latents_size(&s->latents) + ANCHORS_REST + CHECKSUM : 0;
}

size_t sampling_state_size(const struct sampling *s)
{
    return latents_size(&s->latents) + sampler_state_size(&s->sampler) + anchors_size(s);
}

static void write_anchors(const struct sampling *s, uint8_t *bytes)
{
    size_t size = latents_size(&s->latents);
    uint8_t *p = bytes + ANCHORS * size;
    for (int i = 0; i < ANCHORS; i++) {
        latents_write(&s->anchors[i].seen, bytes + (size_t)i * size);
        put_u32(&p, (uint32_t)(s->anchors[i].step + 1));
    }
    put_u64(&p, (uint64_t)s->evaluated);
    put_u64(&p, (uint64_t)s->left_out);
    struct hash128 sum = hash_bytes(bytes, (size_t)(p - bytes));
    memcpy(p, sum.bytes, CHECKSUM);
}

void sampling_state_write(const struct sampling *s, uint8_t *bytes)
{
    latents_write(&s->latents, bytes);
    bytes += latents_size(&s->latents);
    sampler_state_write(&s->sampler, bytes);
    if (has_anchors(s))
        write_anchors(s, bytes + sampler_state_size(&s->sampler));
}

/* Blob of latents of the sampling's own size. */
static int read_latents(const struct sampling *s, const uint8_t *bytes, struct arena *a,
                        struct tensor *out, struct error *e)
{
    if (latents_read(bytes, latents_size(&s->latents), a, out, e) != 0)
        return -1;
    if (memcmp(out->shape, s->latents.shape, 4 * sizeof *out->shape) != 0)
        return error_set(e, ERROR_MODEL, "the checkpoint's latents are of another size");
    return 0;
}

/* Anchors of steps that this sampling has; the tensors come from the arena. */
static int read_anchors(const struct sampling *s, const uint8_t *bytes, struct arena *a,
                        struct anchor out[ANCHORS], int64_t blocks[2], struct error *e)
{
    size_t each = latents_size(&s->latents), size = ANCHORS * each + ANCHORS_REST;
    const uint8_t *p = bytes + ANCHORS * each;
    struct hash128 sum = hash_bytes(bytes, size);
    if (memcmp(sum.bytes, bytes + size, CHECKSUM) != 0)
        return error_set(e, ERROR_MODEL, "the checkpoint's step cache is damaged");
    for (int i = 0; i < ANCHORS; i++) {
        uint32_t step = get_u32(&p);
        if (step > (uint32_t)s->sampler.steps)
            return error_set(e, ERROR_MODEL, "the checkpoint's step cache is damaged");
        out[i].step = (int)step - 1;
        out[i].lost = step > 0;
        if (read_latents(s, bytes + (size_t)i * each, a, &out[i].seen, e) != 0)
            return -1;
    }
    blocks[0] = (int64_t)get_u64(&p);
    blocks[1] = (int64_t)get_u64(&p);
    return 0;
}

static void take_anchors(struct sampling *s, const struct anchor *found, const int64_t blocks[2])
{
    for (int i = 0; i < ANCHORS; i++) {
        struct anchor *a = &s->anchors[i];
        memcpy(a->seen.data, found[i].seen.data, s->sampler.count * sizeof(float));
        a->step = found[i].step;
        a->lost = found[i].lost;
    }
    s->evaluated = blocks[0];
    s->left_out = blocks[1];
}

static int read_state(struct sampling *s, const uint8_t *bytes, struct arena *a, struct error *e)
{
    struct anchor anchors[ANCHORS];
    int64_t blocks[2] = {0};
    struct tensor latents;
    const uint8_t *middle = bytes + latents_size(&s->latents);
    const uint8_t *last = middle + sampler_state_size(&s->sampler);
    if (read_latents(s, bytes, a, &latents, e) != 0 ||
        (has_anchors(s) && read_anchors(s, last, a, anchors, blocks, e) != 0) ||
        sampler_state_read(&s->sampler, middle, (size_t)(last - middle), e) != 0)
        return -1;
    memcpy(s->latents.data, latents.data, s->sampler.count * sizeof(float));
    if (has_anchors(s))
        take_anchors(s, anchors, blocks);
    return 0;
}

int sampling_state_read(struct sampling *s, const uint8_t *bytes, size_t size, struct error *e)
{
    struct arena a = {0};
    int rc = size == sampling_state_size(s)
                 ? read_state(s, bytes, &a, e)
                 : error_set(e, ERROR_MODEL, "the checkpoint is cut short or of other settings");
    arena_free(&a);
    return rc;
}

int sampling_state_peek(const uint8_t *bytes, size_t size, struct arena *a, struct tensor *latents,
                        int *step, int *steps, struct error *e)
{
    size_t first = latents_within(bytes, size);
    if (first == 0 || !sampler_state_peek(bytes + first, size - first, step, steps))
        return error_set(e, ERROR_MODEL, "these bytes are no state of a sampling");
    return latents_read(bytes, first, a, latents, e);
}
