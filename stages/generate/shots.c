#include "stages/generate/shots.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/notes.h"
#include "stages/generate/latents.h"
#include "stages/generate/sampling.h"

enum { CHECKPOINT_SECONDS = 10 };

struct running {
    struct stage_job *job;
    struct error *error; /* its failure, once it has one */
    const struct prepared_shot *shot;
    struct sampling sampling;
};

/* ---- checkpoints */

static int save(struct running *r, struct error *e)
{
    size_t size = sampling_state_size(&r->sampling);
    uint8_t *bytes = malloc(size);
    if (!bytes)
        return error_memory(e);
    sampling_state_write(&r->sampling, bytes);
    int rc = r->job->checkpoint_save(r->job, bytes, size, e);
    free(bytes);
    return rc;
}

/* Goes on from the shot's checkpoint. One that cannot be used, which only a damaged journal or an
 * older program leaves, is as good as none: the shot begins anew. */
static void restore(struct running *r)
{
    size_t size;
    const uint8_t *bytes = r->job->checkpoint_load(r->job, &size);
    struct error ignored = {0};
    if (bytes)
        sampling_state_read(&r->sampling, bytes, size, &ignored);
}

/* The steps that were done before memory ran out, for another attempt with less. */
static void keep(struct running *r)
{
    struct error ignored = {0};
    if (r->sampling.sampler.index > 0)
        save(r, &ignored);
}

/* ---- before the first step, and after the last */

static int begin(struct running *r, struct session *session, struct error *e)
{
    const struct settings *s;
    struct sampler_config config;
    const char *dir;
    r->shot = session_shot(session, r->job->shot->id);
    if (!r->shot)
        return error_set(e, ERROR_INTERNAL, "generate: the shot's prompt was not encoded");
    s = &r->shot->settings;
    if (tier_checkpoint(r->job->env, session->tier, r->job->arena, &dir, e) != 0 ||
        sampling_config(dir, s->sampler, s->flow_shift, &config, e) != 0 ||
        sampling_prepare(&r->sampling, session->tier->family, session->model, &config,
                         &s->generation, &r->shot->conditions, e) != 0)
        return -1;
    restore(r);
    return 0;
}

/* What it ran on; on a GPU, how much of its memory was in use at most; what was done because
 * memory was short. */
/* A processor keeps F32, where it does not round as FP8 would. */
static bool takes_effect(const struct device *d, const char *precision)
{
    if (strcmp(precision, "fp8") == 0)
        return device_linears(d) == DTYPE_F8_E4M3;
    if (strcmp(precision, "f32") == 0)
        return true;
    return device_activations(d) != DTYPE_F32;
}

static int note_device(struct stage_job *job, const struct session *session, struct error *e)
{
    const char *name = device_kind(session->device) == DEVICE_CUDA ? "\"cuda\"" : "\"cpu\"";
    const char *model = arena_printf(job->arena, "%zu", device_memory_peak(session->device) >> 20);
    const char *encoder = arena_printf(job->arena, "%zu", session->encoder_peak >> 20);
    const char *cuts = arena_printf(job->arena, "%d", session->ladder.cuts);
    const char *keyframe_cuts = arena_printf(job->arena, "%d", session->keyframe_cuts);
    if (!model || !encoder || !cuts || !keyframe_cuts)
        return error_memory(e);
    job->note(job, "device", name);
    if (device_streams(session->device))
        job->note(job, "weights", "\"streamed\"");
    if (session->ladder.cuts > 0)
        job->note(job, "smaller_pieces", cuts);
    if (session->keyframe_cuts > 0)
        job->note(job, "keyframe_smaller_pieces", keyframe_cuts);
    if (device_memory_peak(session->device) == 0)
        return 0;
    job->note(job, "encoder_gpu_mib", encoder);
    job->note(job, "gpu_mib", model);
    return 0;
}

/* Blocks of the model that the shot needed, where a step cache left some out; said where it left
 * out none. */
static int note_step_cache(const struct running *r, struct device *d, struct error *e)
{
    struct stage_job *job = r->job;
    enum step_cache_mode mode = r->shot->settings.generation.step_cache.mode;
    if (mode == STEP_CACHE_OFF)
        return 0;
    const char *name = arena_printf(job->arena, "\"%s\"", step_cache_names[mode]);
    const char *evaluated = arena_printf(job->arena, "%lld", (long long)r->sampling.evaluated);
    const char *left_out = arena_printf(job->arena, "%lld", (long long)r->sampling.left_out);
    if (!name || !evaluated || !left_out)
        return error_memory(e);
    job->note(job, "step_cache", name);
    job->note(job, "blocks_evaluated", evaluated);
    job->note(job, "blocks_left_out", left_out);
    if (r->sampling.left_out == 0)
        device_note_missing(d, NOTE_STEP_CACHE,
                            "no step was near enough to the last computed one (%s, threshold %g)",
                            step_cache_names[mode],
                            r->shot->settings.generation.step_cache.threshold);
    return 0;
}

static int finish(const struct running *r, const struct session *session, struct error *e)
{
    struct stage_job *job = r->job;
    const struct settings *s = &r->shot->settings;
    size_t size = latents_size(&r->sampling.latents);
    uint8_t *bytes = arena_alloc(job->arena, size);
    const char *tier = arena_printf(job->arena, "\"%s\"", s->tier->name);
    const char *steps = arena_printf(job->arena, "%d", s->generation.steps);
    const char *guidance = arena_printf(job->arena, "%g", s->generation.guidance);
    const char *sampler =
        arena_printf(job->arena, "\"%s\"", sampler_config_name(&r->sampling.sampler.config));
    if (!bytes || !tier || !steps || !guidance || !sampler)
        return error_memory(e);
    job->note(job, "tier", tier);
    job->note(job, "steps", steps);
    job->note(job, "guidance", guidance);
    job->note(job, "sampler", sampler);
    if (s->precision && takes_effect(session->device, s->precision)) {
        const char *precision = arena_printf(job->arena, "\"%s\"", s->precision);
        if (!precision)
            return error_memory(e);
        job->note(job, "precision", precision);
    }
    if (note_step_cache(r, session->device, e) != 0 || note_device(job, session, e) != 0)
        return -1;
    latents_write(&r->sampling.latents, bytes);
    struct artefact a = {.name = "latents", .bytes = bytes, .size = size};
    return job->output(job, &a, e);
}

/* ---- the steps */

/* Shots that take their steps together. */
struct lot {
    struct running *of[STAGE_BATCH_MOST];
    int count;
};

static bool time_to_save(const struct timespec *saved)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec - saved->tv_sec >= CHECKPOINT_SECONDS;
}

static void progress(const struct lot *l)
{
    for (int i = 0; i < l->count; i++) {
        struct stage_job *job = l->of[i]->job;
        const struct sampler *s = &l->of[i]->sampling.sampler;
        job->progress(job, s->index, s->steps, "step");
    }
}

/* A shot that breaks leaves the others to go on; the model sees it to the end of the lot. */
static int after_step(struct lot *l, bool stop, bool due, struct error *e)
{
    int left = 0;
    for (int i = 0; i < l->count; i++) {
        struct running *r = l->of[i];
        if (r->error->code == ERROR_NONE && sampling_is_whole(&r->sampling, r->error) == 0 &&
            (stop || due))
            save(r, r->error);
        left += r->error->code == ERROR_NONE;
    }
    if (stop)
        return error_set(e, ERROR_CANCELLED, "interrupted after step %d of %d",
                         l->of[0]->sampling.sampler.index, l->of[0]->sampling.sampler.steps);
    return left > 0 ? 0 : error_set(e, ERROR_MODEL, "no shot of the batch is left");
}

/* Which part of the model makes the next step. */
static int part_of(const struct sampling *s)
{
    const struct sampler *sampler = &s->sampler;
    return s->family->part && s->model && sampler->index < sampler->steps
               ? s->family->part(s->model, sampler, sampler->index)
               : 0;
}

/* The steps that are left, or those of one part of the model. */
static int step_all(struct lot *l, struct session *session, struct error *e)
{
    struct sampling *together[STAGE_BATCH_MOST];
    const struct sampler *s = &l->of[0]->sampling.sampler;
    struct stage_job *job = l->of[0]->job;
    struct timespec saved;
    for (int i = 0; i < l->count; i++) {
        together[i] = &l->of[i]->sampling;
        together[i]->model = session->model; /* another one, should it have been mended */
    }
    int part = part_of(together[0]);
    if (job->cancelled(job)) {
        for (int i = 0; i < l->count; i++)
            keep(l->of[i]);
        return error_set(e, ERROR_CANCELLED, "interrupted before step %d of %d", s->index + 1,
                         s->steps);
    }
    if (s->index < s->steps && sampling_begin(together, l->count, e) != 0)
        return -1;
    clock_gettime(CLOCK_MONOTONIC, &saved);
    progress(l);
    while (s->index < s->steps && part_of(together[0]) == part) {
        if (sampling_step_all(together, l->count, e) != 0)
            return -1;
        progress(l);
        bool due = s->index < s->steps && time_to_save(&saved);
        if (after_step(l, job->cancelled(job), due, e) != 0)
            return -1;
        if (due)
            clock_gettime(CLOCK_MONOTONIC, &saved);
    }
    return 0;
}

static void fail_all(struct lot *l, const struct error *e)
{
    for (int i = 0; i < l->count; i++)
        if (l->of[i]->error->code == ERROR_NONE)
            *l->of[i]->error = *e;
}

static void sample(struct lot *l, struct session *session);

static void sample_halves(const struct lot *l, struct session *session)
{
    struct lot first = {.count = l->count / 2}, rest = {.count = l->count - first.count};
    for (int i = 0; i < l->count; i++)
        *(i < first.count ? &first.of[i] : &rest.of[i - first.count]) = l->of[i];
    sample(&first, session);
    sample(&rest, session);
}

/* Where memory does not hold so many at once, half of them and then the others; where it does not
 * hold one, the model is opened where it needs less, and the shot goes on from its checkpoint. */
static void sample_with_less(struct lot *l, struct session *session, struct error *e)
{
    struct running *r = l->of[0];
    if (l->count > 1 && ladder_halve(&session->ladder, session->device, l->count, e)) {
        sample_halves(l, session);
        return;
    }
    keep(r);
    if (!session_mend(session, e)) {
        fail_all(l, e);
        return;
    }
    sampling_close(&r->sampling);
    if (begin(r, session, r->error) == 0)
        sample(l, session);
}

static void sample(struct lot *l, struct session *session)
{
    struct error e = {0};
    if (session_ready(session, &e) != 0) {
        fail_all(l, &e);
        return;
    }
    if (l->count > ladder_together(&session->ladder)) {
        sample_halves(l, session);
        return;
    }
    if (l->count > 1)
        device_note(session->device, NOTE_BATCH, "Batched Forward: %d shots at once.", l->count);
    if (step_all(l, session, &e) == 0)
        ladder_done(&session->ladder, session->device);
    else if (e.code == ERROR_MEMORY)
        sample_with_less(l, session, &e);
    else
        fail_all(l, &e);
}

static bool goes_on(const struct running *r)
{
    return r->error->code == ERROR_NONE && r->sampling.sampler.index < r->sampling.sampler.steps;
}

/* Of a model in parts the first shot that needs the earliest; else the shots that stand at the
 * lowest step, as those of a batch that was interrupted do. false: all have failed or are at their
 * end. */
static bool next_lot(struct running *all, size_t count, const struct session *session,
                     struct lot *l)
{
    struct running *first = NULL;
    l->count = 0;
    for (size_t i = 0; i < count; i++) {
        struct running *r = &all[i];
        r->sampling.model = session->model;
        if (goes_on(r) && (!first || part_of(&r->sampling) < part_of(&first->sampling) ||
                           (!r->sampling.family->part &&
                            r->sampling.sampler.index < first->sampling.sampler.index)))
            first = r;
    }
    if (first && first->sampling.family->batch_max < 2)
        l->of[l->count++] = first;
    for (size_t i = 0; first && first->sampling.family->batch_max > 1 && i < count; i++)
        if (goes_on(&all[i]) && all[i].sampling.sampler.index == first->sampling.sampler.index)
            l->of[l->count++] = &all[i];
    return l->count > 0;
}

/* Other shots come before the rest of these: what was done is not lost with them. */
static void park(struct lot *l)
{
    for (int i = 0; i < l->count; i++)
        if (goes_on(l->of[i]))
            save(l->of[i], l->of[i]->error);
}

void shots_run(struct session *session, struct stage_job *const *jobs, size_t count,
               struct error *errors)
{
    struct running all[STAGE_BATCH_MOST] = {0};
    struct lot lot;
    struct error e = {0};
    bool ready = session_ready(session, &e) == 0;
    for (size_t i = 0; i < count; i++) {
        all[i].job = jobs[i];
        all[i].error = &errors[i];
        if (ready)
            begin(&all[i], session, &errors[i]);
        else
            errors[i] = e;
    }
    while (next_lot(all, count, session, &lot)) {
        sample(&lot, session);
        if (count > 1)
            park(&lot);
    }
    for (size_t i = 0; i < count; i++) {
        if (errors[i].code == ERROR_NONE)
            finish(&all[i], session, &errors[i]);
        sampling_close(&all[i].sampling);
    }
}

const char *shots_alike(const struct stage_env *env, const struct shot *shot, struct arena *a,
                        size_t *most)
{
    struct error ignored = {0};
    struct settings s;
    const struct generation *g = &s.generation;
    const char *dir;
    if (settings_of(env, shot, &s, &ignored) != 0)
        return NULL;
    if (s.tier->family->in_parts && tier_checkpoint(env, s.tier, a, &dir, &ignored) == 0 &&
        s.tier->family->in_parts(dir)) {
        *most = STAGE_BATCH_MOST;
        return arena_printf(a, "%s in parts", s.tier->name);
    }
    if (s.tier->family->batch_max < 2)
        return NULL;
    *most = (size_t)settings_batch(env, s.tier->family);
    return *most < 2 ? NULL
                     : arena_printf(a, "%s %dx%dx%d %d %s %a %d", s.tier->name, g->width, g->height,
                                    g->frames, g->steps, s.sampler, s.flow_shift, g->guidance > 1);
}
