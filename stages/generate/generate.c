/* The generate stage: enhanced prompts become final latents. */
#include <stdlib.h>
#include <time.h>

#include "kernels/base/file.h"
#include "stages/generate/keyframe.h"
#include "stages/generate/latents.h"
#include "stages/generate/sampling.h"
#include "stages/generate/session.h"
#include "stages/generate/verdict.h"

enum { CHECKPOINT_SECONDS = 10 };

static enum lane generate_lane(const struct stage_env *env, const struct shot *shot)
{
    (void)env;
    return shot->kind == SHOT_GENERATED ? LANE_ENGINE : LANE_NONE;
}

static const char *generate_group(const struct stage_env *env, const struct shot *shot)
{
    return tier_name_of_shot(env, shot); /* a board has one checkpoint a tier */
}

/* ---- keys */

static int describe_part(const struct stage_env *env, const char *dir, const char *part,
                         const char *prefix, struct inputs *in, struct arena *a, struct error *e)
{
    bool optional = *part == '?';
    const char *name = part + optional, *path = path_join(a, dir, name);
    const char *label = arena_printf(a, "%s.%s", prefix, name);
    struct hash128 digest;
    if (!path || !label)
        return error_memory(e);
    if (optional && !path_exists(path))
        return 0;
    if (env->identify(env->identify_ctx, path, &digest, e) != 0)
        return -1;
    in->digest(in, label, digest);
    return 0;
}

/* Another family's checkpoint is told as that, before a part of it is missed. */
static int need_family(const struct tier *tier, const struct family *family, const char *dir,
                       struct error *e)
{
    const struct family *found;
    if (family_of_checkpoint(dir, &found, e) != 0)
        return -1;
    if (found != family)
        return error_set(e, ERROR_MODEL,
                         "%s: is a checkpoint of the %s family; tier %s wants %s (%s)", dir,
                         found->name, tier->name, family->name, family->pipelines[0]);
    return 0;
}

static int describe_checkpoint(const struct stage_env *env, const struct tier *tier,
                               const struct family *family, const char *dir, const char *prefix,
                               struct inputs *in, struct arena *a, struct error *e)
{
    int rc = need_family(tier, family, dir, e);
    if (rc == 0)
        rc = describe_part(env, dir, "model_index.json", prefix, in, a, e);
    for (const char *const *part = family->parts; *part && rc == 0; part++)
        rc = describe_part(env, dir, *part, prefix, in, a, e);
    return rc;
}

static int describe_models(const struct stage_env *env, const struct shot *shot,
                           const struct settings *s, struct inputs *in, struct arena *a,
                           struct error *e)
{
    const struct family *keyframe = s->tier->keyframe.family;
    struct hash128 digest;
    const char *dir;
    if (tier_checkpoint(env, s->tier, a, &dir, e) != 0 ||
        describe_checkpoint(env, s->tier, s->tier->family, dir, "model", in, a, e) != 0)
        return -1;
    if (!keyframe)
        return 0;
    if (!s->makes_keyframe) {
        if (env->identify(env->identify_ctx, shot->keyframe, &digest, e) != 0) {
            keyframe_check(shot, e); /* says it as the board wrote it */
            return -1;
        }
        in->digest(in, "keyframe", digest);
        return 0;
    }
    if (tier_prompt_checkpoint(env, s->tier, a, &dir, e) != 0)
        return -1;
    return dir ? describe_checkpoint(env, s->tier, keyframe, dir, "keyframe", in, a, e) : 0;
}

static int generate_describe(const struct stage_env *env, const struct shot *shot,
                             struct inputs *in, struct error *e)
{
    struct arena a = {0};
    struct settings s;
    int rc = settings_of(env, shot, &s, e);
    if (rc == 0) {
        settings_describe(&s, in);
        rc = describe_models(env, shot, &s, in, &a, e);
    }
    arena_free(&a);
    return rc;
}

/* ---- check */

/* A checkpoint of the family, whole as far as can be said without reading weights. */
static int check_checkpoint(const char *dir, struct error *e)
{
    const struct family *family;
    return family_of_checkpoint(dir, &family, e) == 0 ? family->check(dir, e) : -1;
}

static int check_family(const struct tier *tier, const struct family *family, const char *dir,
                        struct error *e)
{
    return need_family(tier, family, dir, e) == 0 ? verdict_on(check_checkpoint, dir, e) : -1;
}

static int check_sampler(const struct settings *s, const char *dir, struct error *e)
{
    struct sampler_config config;
    return sampling_config(dir, s->sampler, s->flow_shift, &config, e);
}

static int check_keyframe(const struct stage_env *env, const struct shot *shot,
                          const struct settings *s, struct arena *a, struct error *e)
{
    const char *dir;
    if (!s->tier->keyframe.family)
        return 0;
    if (!s->makes_keyframe)
        return keyframe_check(shot, e);
    if (tier_prompt_checkpoint(env, s->tier, a, &dir, e) != 0)
        return -1;
    if (!dir)
        return error_set(e, ERROR_MODEL,
                         "tier %s: its folder holds %s alone, which sets a picture in motion: give "
                         "the shot a `keyframe`, or put both models there, as %s and %s",
                         s->tier->name, s->tier->family->pipelines[0], s->tier->keyframe.folder,
                         s->tier->keyframe.motion_folder);
    return check_family(s->tier, s->tier->keyframe.family, dir, e);
}

static int generate_check(const struct stage_env *env, const struct shot *shot, struct error *e)
{
    struct arena a = {0};
    struct settings s;
    const char *dir;
    int rc = -1;
    if (settings_of(env, shot, &s, e) == 0 && tier_checkpoint(env, s.tier, &a, &dir, e) == 0 &&
        check_family(s.tier, s.tier->family, dir, e) == 0 && check_sampler(&s, dir, e) == 0)
        rc = check_keyframe(env, shot, &s, &a, e);
    arena_free(&a);
    return rc;
}

/* ---- one shot: noise, steps, checkpoints */

static int generate_open(const struct stage_group *group, void **session, struct error *e)
{
    struct session *s = NULL;
    int rc = session_open(group, &s, e);
    *session = s;
    return rc;
}

static void generate_close(void *session)
{
    session_close(session);
}

struct running {
    struct stage_job *job;
    struct sampling sampling;
    struct timespec saved;
};

static int save(struct running *r, struct error *e)
{
    size_t size = sampling_state_size(&r->sampling);
    uint8_t *bytes = malloc(size);
    if (!bytes)
        return error_memory(e);
    sampling_state_write(&r->sampling, bytes);
    int rc = r->job->checkpoint_save(r->job, bytes, size, e);
    free(bytes);
    clock_gettime(CLOCK_MONOTONIC, &r->saved);
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

static int begin(struct running *r, const struct session *session, const struct prepared_shot *shot,
                 struct error *e)
{
    struct sampler_config config;
    const char *dir;
    if (tier_checkpoint(r->job->env, session->tier, r->job->arena, &dir, e) != 0 ||
        sampling_config(dir, shot->settings.sampler, shot->settings.flow_shift, &config, e) != 0 ||
        sampling_open(&r->sampling, session->tier->family, session->model, &config,
                      &shot->settings.generation, &shot->conditions, e) != 0)
        return -1;
    restore(r);
    clock_gettime(CLOCK_MONOTONIC, &r->saved);
    return 0;
}

static bool time_to_save(const struct running *r)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec - r->saved.tv_sec >= CHECKPOINT_SECONDS;
}

/* The steps that were done before memory ran out, for another attempt with less. */
static void keep(struct running *r, const struct error *e)
{
    struct error ignored = {0};
    if (e->code == ERROR_MEMORY && r->sampling.sampler.index > 0)
        save(r, &ignored);
}

static int sample(struct running *r, struct error *e)
{
    const struct sampler *s = &r->sampling.sampler;
    r->job->progress(r->job, s->index, s->steps, "step");
    while (s->index < s->steps) {
        if (sampling_step(&r->sampling, e) != 0) {
            keep(r, e);
            return -1;
        }
        r->job->progress(r->job, s->index, s->steps, "step");
        bool stop = r->job->cancelled(r->job), last = s->index == s->steps;
        if ((stop || (!last && time_to_save(r))) && save(r, e) != 0)
            return -1;
        if (stop)
            return error_set(e, ERROR_CANCELLED, "interrupted after step %d of %d", s->index,
                             s->steps);
    }
    return 0;
}

/* What it ran on; on a GPU, how much of its memory was in use at most. */
static int note_device(const struct running *r, const struct session *session, struct error *e)
{
    struct stage_job *job = r->job;
    const char *name = device_kind(session->device) == DEVICE_CUDA ? "\"cuda\"" : "\"cpu\"";
    const char *model = arena_printf(job->arena, "%zu", device_memory_peak(session->device) >> 20);
    const char *encoder = arena_printf(job->arena, "%zu", session->encoder_peak >> 20);
    if (!model || !encoder)
        return error_memory(e);
    job->note(job, "device", name);
    if (device_streams(session->device))
        job->note(job, "weights", "\"streamed\"");
    if (device_memory_peak(session->device) == 0)
        return 0;
    job->note(job, "encoder_gpu_mib", encoder);
    job->note(job, "gpu_mib", model);
    return 0;
}

/* Blocks of the model that the shot needed, where a step cache left some out. */
static int note_step_cache(const struct running *r, const struct settings *s, struct error *e)
{
    struct stage_job *job = r->job;
    enum step_cache_mode mode = s->generation.step_cache.mode;
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
    return 0;
}

static int finish(const struct running *r, const struct session *session, const struct settings *s,
                  struct error *e)
{
    struct stage_job *job = r->job;
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
    if (note_step_cache(r, s, e) != 0 || note_device(r, session, e) != 0)
        return -1;
    latents_write(&r->sampling.latents, bytes);
    struct artefact a = {.name = "latents", .bytes = bytes, .size = size};
    return job->output(job, &a, e);
}

static int generate_run(void *opaque, struct stage_job *job, struct error *e)
{
    struct session *session = opaque;
    struct running r = {.job = job};
    const struct prepared_shot *shot = session_shot(session, job->shot->id);
    if (!shot)
        return error_set(e, ERROR_INTERNAL, "generate: the shot's prompt was not encoded");
    int rc = session_ready(session, e);
    if (rc != 0)
        return -1;
    do {
        rc = begin(&r, session, shot, e) == 0 && sample(&r, e) == 0
                 ? finish(&r, session, &shot->settings, e)
                 : -1;
        sampling_close(&r.sampling);
    } while (rc != 0 && session_mend(session, e));
    if (rc == 0)
        ladder_done(&session->ladder, session->device);
    return rc;
}

const struct stage stage_generate = {
    .name = "generate",
    .version = 3,
    .lane = generate_lane,
    .group = generate_group,
    .describe = generate_describe,
    .reads = 1u << STAGE_ENHANCE,
    .reads_content = {STAGE_ENHANCE, "prompt.json"},
    .check = generate_check,
    .open = generate_open,
    .run = generate_run,
    .close = generate_close,
};
