/* Decode: latents, a picture, a clip or a card become the shot's textless master. */
#include <stdlib.h>

#include "kernels/base/file.h"
#include "stages/decode/sources.h"
#include "stages/decode/upscaler_choice.h"
#include "stages/generate/latents.h"
#include "stages/stage.h"

struct decode_session {
    struct vae_session vae;
    struct upscaler *upscaler; /* on the VAE's device; NULL: none */
};

static enum lane decode_lane(const struct stage_env *env, const struct shot *shot)
{
    (void)env;
    return shot->kind == SHOT_GENERATED ? LANE_ENGINE : LANE_CPU;
}

/* Shots of one tier share its VAE. */
static const char *decode_group(const struct stage_env *env, const struct shot *shot)
{
    const struct tier *tier;
    struct error e;

    if (shot->kind != SHOT_GENERATED || tier_of_shot(env, shot, &tier, &e) != 0)
        return NULL;
    return tier->name;
}

static int vae_path(const struct stage_env *env, const struct tier *tier, struct arena *a,
                    const char **out, struct error *e)
{
    const char *checkpoint;

    if (tier_checkpoint(env, tier, a, &checkpoint, e) != 0)
        return -1;
    *out = path_join(a, checkpoint, "vae");
    return *out ? 0 : error_memory(e);
}

static int describe_upscaler(const struct stage_env *env, const struct tier *tier,
                             const struct shot *shot, struct arena *a, struct inputs *in,
                             struct error *e)
{
    const char *path;
    struct hash128 digest;

    if (upscaler_choose(env, tier, shot, a, &path, e) != 0 ||
        (path && env->identify(env->identify_ctx, path, &digest, e) != 0))
        return -1;
    if (path)
        in->digest(in, "model.upscaler", digest);
    return 0;
}

static int describe_generated(const struct stage_env *env, const struct shot *shot,
                              struct inputs *in, struct error *e)
{
    struct arena a = {0};
    const struct tier *tier;
    const char *path;
    struct hash128 digest;
    int rc = -1;

    if (tier_of_shot(env, shot, &tier, e) == 0 && vae_path(env, tier, &a, &path, e) == 0 &&
        env->identify(env->identify_ctx, path, &digest, e) == 0) {
        in->digest(in, "model.vae", digest);
        if (shot->rate != RATE_BOARD)
            in->integer(in, "rate", shot->rate);
        if (env->vae.frames > 0 && tier->family->vae_chunk)
            in->integer(in, "vae.frames", env->vae.frames);
        rc = describe_upscaler(env, tier, shot, &a, in, e);
    }
    arena_free(&a);
    return rc;
}

static int describe_source(const struct stage_env *env, const struct shot *shot, struct inputs *in,
                           struct error *e)
{
    const struct source *s = &shot->source;
    struct hash128 digest;

    if (env->identify(env->identify_ctx, s->path, &digest, e) != 0)
        return -1;
    in->digest(in, "source.file", digest);
    in->text(in, "source.fit", s->fit == FIT_COVER ? "cover" : "contain");
    if (shot->kind == SHOT_FOOTAGE) {
        in->number(in, "source.in", s->in);
        return 0;
    }
    in->text(in, "source.move", still_move_name(s->move));
    in->number(in, "source.amount", s->amount);
    return 0;
}

static int decode_describe(const struct stage_env *env, const struct shot *shot, struct inputs *in,
                           struct error *e)
{
    const struct board *b = env->board;

    in->text(in, "kind", shot_kind_name(shot->kind));
    in->integer(in, "width", b->width);
    in->integer(in, "height", b->height);
    in->integer(in, "fps.num", b->fps.num);
    in->integer(in, "fps.den", b->fps.den);
    in->integer(in, "frames", shot->frames);
    if (shot->kind == SHOT_GENERATED && env->vae.tile_width > 0) {
        in->integer(in, "vae.tile_width", env->vae.tile_width);
        in->integer(in, "vae.tile_height", env->vae.tile_height);
    }
    if (shot->kind == SHOT_GENERATED)
        return describe_generated(env, shot, in, e);
    if (shot->kind != SHOT_CARD)
        return describe_source(env, shot, in, e);
    in->integer(in, "card.background", shot->card.background);
    in->integer(in, "card.background_to", shot->card.background_to);
    return 0;
}

/* The upscaler's weights, if there are any. */
static int check_upscaler(const struct stage_env *env, const struct tier *tier,
                          const struct shot *shot, struct arena *a, struct error *e)
{
    struct upscaler *u = NULL;
    const char *path;
    int rc;

    if (upscaler_choose(env, tier, shot, a, &path, e) != 0)
        return -1;
    rc = path ? upscaler_open(path, NULL, &u, e) : 0;
    upscaler_close(u);
    return rc;
}

/* generate's check has looked the checkpoint through, its VAE too; there must be one. */
static int check_generated(const struct stage_env *env, const struct shot *shot, struct error *e)
{
    struct arena a = {0};
    const struct tier *tier;
    const char *path;
    int rc = -1;

    if (tier_of_shot(env, shot, &tier, e) == 0 && vae_path(env, tier, &a, &path, e) == 0)
        rc = path_exists(path)
                 ? 0
                 : error_set(e, ERROR_MODEL, "the checkpoint is incomplete: there is no %s", path);
    if (rc == 0)
        rc = check_upscaler(env, tier, shot, &a, e);
    arena_free(&a);
    return rc;
}

static int decode_check(const struct stage_env *env, const struct shot *shot, struct error *e)
{
    if (shot->kind == SHOT_STILL)
        return check_still(shot, e);
    if (shot->kind == SHOT_FOOTAGE)
        return check_footage(env, shot, e);
    return shot->kind == SHOT_GENERATED ? check_generated(env, shot, e) : 0;
}

static void decode_close(void *opaque)
{
    struct decode_session *s = opaque;

    if (!s)
        return;
    upscaler_close(s->upscaler);
    vae_session_close(&s->vae);
    free(s);
}

static void decode_soon(const struct stage_env *env, const struct shot *shot, struct prefetch *p)
{
    struct arena a = {0};
    const struct tier *tier;
    const char *path;
    struct error ignored = {0};

    if (tier_of_shot(env, shot, &tier, &ignored) == 0 &&
        vae_path(env, tier, &a, &path, &ignored) == 0)
        prefetch_add(p, path);
    arena_free(&a);
}

static int open_upscaler(struct decode_session *s, const char *path, struct error *e)
{
    int scale;

    if (upscaler_open(path, s->vae.device, &s->upscaler, e) != 0)
        return -1;
    scale = upscaler_scale(s->upscaler);
    device_note(s->vae.device, NOTE_UPSCALER, "Learned Upscaler Activated (%dx).", scale);
    return 0;
}

/* A number of frames that was asked for and changes nothing here. */
static void tell_of_frames(const struct vae_session *s, const struct tier *tier)
{
    if (s->limits.frames > 0 && !tier->family->vae_chunk)
        device_note_missing(s->device, NOTE_SLICES,
                            "the VAE of %s gives the same frames however many go together, "
                            "--vae-frames changes nothing",
                            tier->name);
}

static int decode_open(const struct stage_group *group, void **session, struct error *e)
{
    struct decode_session *s = calloc(1, sizeof *s);
    struct arena a = {0};
    const struct tier *tier;
    const char *path, *upscaler;
    int rc = -1;

    if (!s)
        return error_memory(e);
    if (tier_of_shot(group->env, group->shots[0], &tier, e) == 0 &&
        tier_checkpoint(group->env, tier, &a, &path, e) == 0)
        rc = vae_session_open(&s->vae, group->env, tier->family, path, tier->name, e);
    if (rc == 0) {
        tell_of_frames(&s->vae, tier);
        rc = upscaler_choose(group->env, tier, group->shots[0], &a, &upscaler, e);
    }
    if (rc == 0 && upscaler)
        rc = open_upscaler(s, upscaler, e);
    if (rc == 0)
        *session = s;
    else
        decode_close(s);
    arena_free(&a);
    return rc;
}

/* What it took of a GPU, and what was done because memory was short: tiles are not quite the whole
 * picture. */
static int note_memory(const struct vae_session *s, const struct tensor *latents,
                       struct stage_job *job, struct error *e)
{
    size_t peak = device_memory_peak(s->device);
    const char *mib = arena_printf(job->arena, "%zu", peak >> 20);
    const char *cuts = arena_printf(job->arena, "%d", s->cuts), *tile;
    struct tiling t;

    if (tiling_choose(s->family, s->vae, s->device, &s->limits, latents->shape, &t, e) != 0)
        return -1;
    tile = arena_printf(job->arena, "\"%lldx%lld\"", (long long)t.width * t.factor,
                        (long long)t.height * t.factor);
    if (!mib || !cuts || !tile)
        return error_memory(e);
    if (peak > 0)
        job->note(job, "gpu_mib", mib);
    if (s->cuts > 0)
        job->note(job, "smaller_pieces", cuts);
    if (t.rows * t.columns > 1)
        job->note(job, "tile", tile);
    return 0;
}

/* In smaller pieces when memory runs out; the master is begun anew. */
static int decode_latents(struct decode_session *session, struct stage_job *job, struct error *e)
{
    struct vae_session *s = &session->vae;
    const struct artefact *a = job->input(job, STAGE_GENERATE, "latents");
    struct tensor latents;
    int rc;

    if (!a || !a->bytes)
        return error_set(e, ERROR_INTERNAL, "there are no latents to decode");
    if (latents_read(a->bytes, a->size, job->arena, &latents, e) != 0)
        return -1;
    do
        rc = decode_generated(s, session->upscaler, &latents, job, e);
    while (rc != 0 && vae_session_again(s, &latents, e));
    return rc == 0 ? note_memory(s, &latents, job, e) : -1;
}

static int decode_run(void *opaque, struct stage_job *job, struct error *e)
{
    switch (job->shot->kind) {
    case SHOT_GENERATED:
        return decode_latents(opaque, job, e);
    case SHOT_STILL:
        return decode_still(job, e);
    case SHOT_FOOTAGE:
        return decode_footage(job, e);
    case SHOT_CARD:
        return decode_card(job, e);
    }
    return error_set(e, ERROR_INTERNAL, "a shot of unknown kind");
}

const struct stage stage_decode = {
    .name = "decode",
    .version = 1,
    .lane = decode_lane,
    .group = decode_group,
    .describe = decode_describe,
    .reads = 1u << STAGE_GENERATE,
    .check = decode_check,
    .soon = decode_soon,
    .open = decode_open,
    .run = decode_run,
    .close = decode_close,
};
