/* The generate stage: enhanced prompts become final latents. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/base/file.h"
#include "stages/generate/latents.h"
#include "stages/generate/tiers.h"
#include "stages/generate/torch_random.h"
#include "stages/generate/verdict.h"
#include "stages/generate/wan_sampler.h"
#include "stages/generate/wan_texts.h"
#include "stages/stage.h"

enum { CHECKPOINT_SECONDS = 30 };

struct session {
    const struct tier *tier;
    struct device *device;
    struct wan_texts texts;
    struct wan_sampler *sampler;
};

/* What decides how a shot is sampled, with the tier's defaults filled in. */
struct settings {
    const struct tier *tier;
    struct tier_geometry geometry;
    int steps;
    double guidance[2];
};

static int settings_of(const struct stage_env *env, const struct shot *shot, struct settings *out,
                       struct error *e)
{
    const struct tier *tier;
    if (tier_of_shot(env, shot, &tier, e) != 0)
        return -1;
    *out = (struct settings){
        .tier = tier,
        .steps = shot->steps > 0 ? shot->steps : tier->steps,
        .guidance = {shot->guidance >= 0 ? shot->guidance : tier->guidance,
                     shot->guidance >= 0 ? shot->guidance : tier->guidance_2},
    };
    tier_geometry(tier, env->board, shot, &out->geometry);
    if (out->steps > SAMPLER_STEPS_MAX)
        return error_set(e, ERROR_INPUT, "%d steps: at most %d are possible", out->steps,
                         SAMPLER_STEPS_MAX);
    return 0;
}

/* The parts of a checkpoint that decide latents; the last one only some have. */
static const char *const parts[] = {"tokenizer", "text_encoder", "scheduler", "transformer",
                                    "transformer_2"};
enum { PARTS = sizeof parts / sizeof *parts, NEEDED_PARTS = PARTS - 1 };

static enum lane generate_lane(const struct stage_env *env, const struct shot *shot)
{
    (void)env;
    return shot->kind == SHOT_GENERATED ? LANE_ENGINE : LANE_NONE;
}

static const char *generate_group(const struct stage_env *env, const struct shot *shot)
{
    return tier_name_of_shot(env, shot); /* a board has one checkpoint a tier */
}

static int describe_checkpoint(const struct stage_env *env, const struct tier *tier,
                               struct inputs *in, struct arena *a, struct error *e)
{
    const char *dir;
    if (tier_checkpoint(env, tier, a, &dir, e) != 0)
        return -1;
    for (int i = -1; i < PARTS; i++) {
        const char *name = i < 0 ? "model_index.json" : parts[i];
        const char *path = path_join(a, dir, name), *label = arena_printf(a, "model.%s", name);
        struct hash128 digest;
        if (!path || !label)
            return error_memory(e);
        if (i >= NEEDED_PARTS && !path_exists(path))
            continue;
        if (env->identify(env->identify_ctx, path, &digest, e) != 0)
            return -1;
        in->digest(in, label, digest);
    }
    return 0;
}

static int generate_describe(const struct stage_env *env, const struct shot *shot,
                             struct inputs *in, struct error *e)
{
    struct arena a = {0};
    struct settings s;
    int rc = settings_of(env, shot, &s, e);
    if (rc == 0) {
        in->text(in, "tier", s.tier->name);
        in->integer(in, "seed", (int64_t)shot->seed);
        in->integer(in, "width", s.geometry.width);
        in->integer(in, "height", s.geometry.height);
        in->integer(in, "frames", s.geometry.frames);
        in->integer(in, "steps", s.steps);
        in->number(in, "guidance", s.guidance[0]);
        in->number(in, "guidance_2", s.guidance[1]);
        rc = describe_checkpoint(env, s.tier, in, &a, e);
    }
    arena_free(&a);
    return rc;
}

static int differ_in_width(const char *dir, int denoiser, int encoder, struct error *e)
{
    return error_set(e, ERROR_MODEL,
                     "%s: the denoiser takes texts of width %d, the text encoder gives %d", dir,
                     denoiser, encoder);
}

static int check_parts(const char *dir, struct error *e)
{
    struct arena a = {0};
    int encoder, denoiser, rc = 0;
    for (int i = 0; i < NEEDED_PARTS && rc == 0; i++) {
        const char *path = path_join(&a, dir, parts[i]);
        if (!path)
            rc = error_memory(e);
        else if (!path_exists(path))
            rc = error_set(e, ERROR_MODEL, "the checkpoint is incomplete: there is no %s", path);
    }
    arena_free(&a);
    if (rc != 0 || wan_texts_check(dir, &encoder, e) != 0 ||
        wan_sampler_check(dir, &denoiser, e) != 0)
        return -1;
    return encoder == denoiser ? 0 : differ_in_width(dir, denoiser, encoder, e);
}

static int generate_check(const struct stage_env *env, const struct shot *shot, struct error *e)
{
    struct arena a = {0};
    struct settings s;
    const char *dir;
    int rc = -1;
    if (settings_of(env, shot, &s, e) == 0 && tier_checkpoint(env, s.tier, &a, &dir, e) == 0)
        rc = verdict_on(check_parts, dir, e);
    arena_free(&a);
    return rc;
}

/* The two prompts of a prompt.json; the strings live in the arena. */
static int read_prompts(const struct artefact *made, struct arena *a, const char **prompt,
                        const char **negative, struct error *e)
{
    json_error_t bad;
    json_t *root = made && made->bytes ? json_loadb(made->bytes, made->size, 0, &bad) : NULL;
    const char *p = json_string_value(json_object_get(root, "prompt"));
    const char *n = json_string_value(json_object_get(root, "negative"));
    int rc = 0;
    if (!p || !n)
        rc = error_set(e, ERROR_INTERNAL, "generate: the shot has no enhanced prompt");
    else if (!(*prompt = arena_strdup(a, p)) || !(*negative = arena_strdup(a, n)))
        rc = error_memory(e);
    json_decref(root);
    return rc;
}

static int collect_texts(const struct stage_group *group, struct wan_texts *texts, struct error *e)
{
    struct arena a = {0};
    int rc = 0;
    for (size_t i = 0; i < group->count && rc == 0; i++) {
        const char *prompt, *negative;
        rc = read_prompts(group->input(group, i, STAGE_ENHANCE, "prompt.json"), &a, &prompt,
                          &negative, e);
        if (rc == 0)
            rc = wan_texts_add(texts, prompt, e);
        if (rc == 0)
            rc = wan_texts_add(texts, negative, e);
    }
    arena_free(&a);
    return rc;
}

static bool stopped(void *group)
{
    const struct stage_group *g = group;
    return g->cancelled(g);
}

static int load(struct session *s, const struct stage_group *group, struct arena *a,
                struct error *e)
{
    const char *dir;
    if (group->count == 0)
        return error_set(e, ERROR_INTERNAL, "generate: a group of no shots");
    if (tier_of_shot(group->env, group->shots[0], &s->tier, e) != 0 ||
        tier_checkpoint(group->env, s->tier, a, &dir, e) != 0 ||
        device_open(&(struct device_options){.threads = group->env->threads}, &s->device, e) != 0 ||
        collect_texts(group, &s->texts, e) != 0 ||
        wan_texts_encode(&s->texts, dir, s->device, stopped, (void *)group, e) != 0)
        return -1;
    device_trim(s->device);
    if (wan_sampler_load(dir, s->device, &s->sampler, e) != 0)
        return -1;
    if (wan_sampler_text_dim(s->sampler) != s->texts.width)
        return differ_in_width(dir, wan_sampler_text_dim(s->sampler), s->texts.width, e);
    return 0;
}

static void generate_close(void *session)
{
    struct session *s = session;
    if (!s)
        return;
    wan_sampler_free(s->sampler);
    wan_texts_free(&s->texts);
    device_close(s->device);
    free(s);
}

static int generate_open(const struct stage_group *group, void **session, struct error *e)
{
    struct arena a = {0};
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return error_memory(e);
    int rc = load(s, group, &a, e);
    arena_free(&a);
    if (rc == 0)
        *session = s;
    else
        generate_close(s);
    return rc;
}

/* ---- one shot: noise, steps, checkpoints */

struct running {
    struct session *session;
    struct stage_job *job;
    struct latents latents;
    struct wan_sampling *sampling;
    struct timespec saved;
};

/* A checkpoint is the latents' blob followed by the sampler's state. */
static int save(struct running *r, struct error *e)
{
    struct sampler *u = wan_sampling_steps(r->sampling);
    size_t first = latents_size(&r->latents), size = first + sampler_state_size(u);
    uint8_t *bytes = malloc(size);
    if (!bytes)
        return error_memory(e);
    latents_write(&r->latents, bytes);
    sampler_state_write(u, bytes + first);
    int rc = r->job->checkpoint_save(r->job, bytes, size, e);
    free(bytes);
    clock_gettime(CLOCK_MONOTONIC, &r->saved);
    return rc;
}

/* Goes on from the shot's checkpoint. One that cannot be used, which only a damaged journal or an
 * older program leaves, is as good as none: the shot begins anew. */
static void restore(struct running *r)
{
    size_t size, first = latents_size(&r->latents);
    const uint8_t *bytes = r->job->checkpoint_load(r->job, &size);
    struct arena a = {0};
    struct latents found;
    struct error ignored = {0};
    if (bytes && size > first && latents_read(bytes, first, &a, &found, &ignored) == 0 &&
        found.frames == r->latents.frames && found.height == r->latents.height &&
        found.width == r->latents.width && found.channels == r->latents.channels &&
        sampler_state_read(wan_sampling_steps(r->sampling), bytes + first, size - first,
                           &ignored) == 0)
        memcpy(r->latents.data, found.data, latents_count(&found) * sizeof(float));
    arena_free(&a);
}

static int begin(struct running *r, const struct settings *s, struct error *e)
{
    const struct session *session = r->session;
    const char *prompt, *negative;
    struct artefact const *made = r->job->input(r->job, STAGE_ENHANCE, "prompt.json");
    if (read_prompts(made, r->job->arena, &prompt, &negative, e) != 0)
        return -1;
    const struct wan_text *with = wan_texts_find(&session->texts, prompt);
    const struct wan_text *without = wan_texts_find(&session->texts, negative);
    if (!with || !without)
        return error_set(e, ERROR_INTERNAL, "generate: the shot's prompt was not encoded");
    r->latents = (struct latents){.channels = wan_sampler_channels(session->sampler),
                                  .frames = s->geometry.latent_frames,
                                  .height = s->geometry.latent_height,
                                  .width = s->geometry.latent_width};
    size_t count = latents_count(&r->latents);
    r->latents.data = arena_array(r->job->arena, count, sizeof(float));
    if (!r->latents.data)
        return error_memory(e);
    struct torch_random random;
    torch_random_seed(&random, r->job->shot->seed);
    torch_random_normal(&random, r->latents.data, count);
    struct wan_request request = {
        .prompt = with->embeddings,
        .negative = without->embeddings,
        .padded_length = session->texts.padded_length,
        .guidance = {s->guidance[0], s->guidance[1]},
        .steps = s->steps,
        .frames = r->latents.frames,
        .height = r->latents.height,
        .width = r->latents.width,
    };
    if (wan_sampling_open(session->sampler, &request, r->latents.data, &r->sampling, e) != 0)
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

static int sample(struct running *r, struct error *e)
{
    struct sampler *u = wan_sampling_steps(r->sampling);
    r->job->progress(r->job, u->index, u->steps, "step");
    while (u->index < u->steps) {
        if (wan_sampling_step(r->sampling, e) != 0)
            return -1;
        r->job->progress(r->job, u->index, u->steps, "step");
        bool stop = r->job->cancelled(r->job), last = u->index == u->steps;
        if ((stop || (!last && time_to_save(r))) && save(r, e) != 0)
            return -1;
        if (stop)
            return error_set(e, ERROR_CANCELLED, "interrupted after step %d of %d", u->index,
                             u->steps);
    }
    return 0;
}

static int finish(const struct running *r, const struct settings *s, struct error *e)
{
    struct stage_job *job = r->job;
    size_t size = latents_size(&r->latents);
    uint8_t *bytes = arena_alloc(job->arena, size);
    const char *tier = arena_printf(job->arena, "\"%s\"", s->tier->name);
    const char *steps = arena_printf(job->arena, "%d", s->steps);
    const char *guidance = arena_printf(job->arena, "%g", s->guidance[0]);
    if (!bytes || !tier || !steps || !guidance)
        return error_memory(e);
    job->note(job, "tier", tier);
    job->note(job, "steps", steps);
    job->note(job, "guidance", guidance);
    latents_write(&r->latents, bytes);
    struct artefact a = {.name = "latents", .bytes = bytes, .size = size};
    return job->output(job, &a, e);
}

static int generate_run(void *session, struct stage_job *job, struct error *e)
{
    struct running r = {.session = session, .job = job};
    struct settings s;
    int rc = -1;
    if (settings_of(job->env, job->shot, &s, e) == 0 && begin(&r, &s, e) == 0 && sample(&r, e) == 0)
        rc = finish(&r, &s, e);
    wan_sampling_close(r.sampling);
    return rc;
}

const struct stage stage_generate = {
    .name = "generate",
    .version = 2,
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
