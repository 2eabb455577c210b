/* The generate stage: enhanced prompts become final latents. */
#include "kernels/base/file.h"
#include "stages/generate/encoding.h"
#include "stages/generate/keyframe.h"
#include "stages/generate/sampling.h"
#include "stages/generate/shots.h"
#include "stages/generate/verdict.h"

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

/* ---- work */

/* Parts are listed as model_index.json has them: encoders are read first all the same. */
static void generate_soon(const struct stage_env *env, const struct shot *shot, struct prefetch *p)
{
    struct arena a = {0};
    const struct tier *tier;
    struct error ignored = {0};
    const char *dir;
    if (tier_of_shot(env, shot, &tier, &ignored) == 0 &&
        tier_checkpoint(env, tier, &a, &dir, &ignored) == 0) {
        encoding_soon(tier->family, dir, true, p);
        encoding_soon(tier->family, dir, false, p);
    }
    arena_free(&a);
}

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

static int generate_run(void *session, struct stage_job *job, struct error *e)
{
    struct error found = {0};
    shots_run(session, &job, 1, &found);
    if (found.code == ERROR_NONE)
        return 0;
    *e = found;
    return -1;
}

static void generate_run_batch(void *session, struct stage_job *const *jobs, size_t count,
                               struct error *errors)
{
    shots_run(session, jobs, count, errors);
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
    .soon = generate_soon,
    .open = generate_open,
    .run = generate_run,
    .batch = shots_alike,
    .run_batch = generate_run_batch,
    .close = generate_close,
};
