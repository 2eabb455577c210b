#include "stages/generate/keyframe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/decode/picture_file.h"
#include "stages/decode/vae_session.h"
#include "stages/generate/encoding.h"
#include "stages/generate/sampling.h"

/* ---- the shot's own */

int keyframe_check(const struct shot *shot, struct error *e)
{
    uint8_t *rgb = NULL;
    int width, height;
    int rc = picture_file_rgb(shot->keyframe, shot->keyframe_written, &rgb, &width, &height, e);
    free(rgb);
    return rc;
}

int keyframe_read(const struct shot *shot, struct generation *g, struct arena *a, struct error *e)
{
    uint8_t *rgb = NULL, *kept;
    int width, height;
    if (picture_file_rgb(shot->keyframe, shot->keyframe_written, &rgb, &width, &height, e) != 0)
        return -1;
    size_t size = (size_t)width * (size_t)height * 3;
    kept = arena_alloc(a, size);
    if (kept)
        memcpy(kept, rgb, size);
    free(rgb);
    if (!kept)
        return error_memory(e);
    g->picture.rgb = kept;
    g->picture.width = width;
    g->picture.height = height;
    return 0;
}

/* ---- made from the prompt: one model in memory at a time, each for all shots */

struct work {
    const struct stage_group *group;
    struct session *session;
    const struct family *family;
    const char *dir, *name;        /* of the checkpoint; for people */
    struct conditions *conditions; /* of each shot */
    struct tensor *latents;        /* of each shot that has some, in the session's arena */
};

static bool wanted(const struct work *w, size_t i)
{
    return w->session->shots[i].settings.makes_keyframe;
}

static int interrupted(const struct work *w, struct error *e)
{
    return w->group->cancelled(w->group)
               ? error_set(e, ERROR_CANCELLED, "interrupted while keyframes were made")
               : 0;
}

static int encode_prompts(struct work *w, struct error *e)
{
    struct session *s = w->session;
    struct encoding x = {.group = w->group, .family = w->family, .dir = w->dir, .name = w->name};
    struct shot_words *words = arena_array(&s->arena, s->count, sizeof *words);
    size_t peak;
    if (!words)
        return error_memory(e);
    for (size_t i = 0; i < s->count; i++)
        if (wanted(w, i))
            words[x.count++] =
                (struct shot_words){&s->shots[i].settings.keyframe, &w->conditions[i]};
    x.shots = words;
    return encode_all(&x, &peak, e);
}

static int keep_latents(struct work *w, size_t i, const struct sampling *s, struct error *e)
{
    if (sampling_is_whole(s, e) != 0)
        return -1;
    w->latents[i] = tensor_new(&w->session->arena, 4, s->latents.shape);
    if (!w->latents[i].data)
        return error_memory(e);
    memcpy(w->latents[i].data, s->latents.data, (size_t)tensor_count(&s->latents) * sizeof(float));
    return 0;
}

/* Keyframes of one tier and board are of one size, number of steps and guidance: as many as may go
 * through the model together. */
static int sample_together(struct work *w, void *model, const struct sampler_config *config,
                           const size_t *shots, int count, struct error *e)
{
    struct sampling samplings[SAMPLING_MOST] = {0}, *s[SAMPLING_MOST];
    const struct sampler *first = &samplings[0].sampler;
    int rc = 0;
    for (int i = 0; i < count && rc == 0; i++) {
        s[i] = &samplings[i];
        rc = sampling_prepare(s[i], w->family, model, config,
                              &w->session->shots[shots[i]].settings.keyframe,
                              &w->conditions[shots[i]], e);
    }
    if (rc == 0)
        rc = sampling_begin(s, count, e);
    while (rc == 0 && first->index < first->steps && (rc = interrupted(w, e)) == 0)
        rc = sampling_step_all(s, count, e);
    for (int i = 0; i < count && rc == 0; i++)
        rc = keep_latents(w, shots[i], s[i], e);
    for (int i = 0; i < count; i++)
        sampling_close(&samplings[i]);
    return rc;
}

/* Where memory does not hold so many at once, half of them and then the others. */
static int sample_some(struct work *w, struct ladder *l, struct device *d, void *model,
                       const struct sampler_config *config, const size_t *shots, int count,
                       struct error *e)
{
    int half = count / 2, rc;
    if (count <= ladder_together(l)) {
        rc = sample_together(w, model, config, shots, count, e);
        if (rc == 0 || e->code != ERROR_MEMORY || count == 1 || !ladder_halve(l, d, count, e))
            return rc;
    }
    return sample_some(w, l, d, model, config, shots, half, e) == 0
               ? sample_some(w, l, d, model, config, shots + half, count - half, e)
               : -1;
}

/* Those that have no latents yet. */
static int sample_rest(struct work *w, struct ladder *l, struct device *d, void *model,
                       struct error *e)
{
    struct sampler_config config;
    size_t lot[SAMPLING_MOST];
    int most = settings_batch(w->group->env, w->family), count = 0;
    int rc = sampling_config(w->dir, "", 0, &config, e);
    for (size_t i = 0; i < w->session->count && rc == 0; i++) {
        if (wanted(w, i) && !w->latents[i].data)
            lot[count++] = i;
        if (count > 0 && (count == most || i + 1 == w->session->count)) {
            rc = sample_some(w, l, d, model, &config, lot, count, e);
            count = 0;
        }
    }
    return rc;
}

/* *again: memory ran out, and it may be tried with less. */
static int try_sampling(struct work *w, struct ladder *l, bool *again, struct error *e)
{
    struct device_options options = w->group->env->device;
    struct device *d;
    void *model = NULL;
    options.activations = family_model_dtype(w->family, &options);
    *again = false;
    if (device_open(&options, &d, e) != 0)
        return -1;
    if (!l->env)
        ladder_begin(l, w->group->env, d, w->family->streams, "model of %s", w->name);
    device_set_memory(d, l->memory);
    int rc = w->family->model_open(w->dir, d, &model, e);
    if (rc == 0)
        rc = sample_rest(w, l, d, model, e);
    w->family->model_close(model);
    if (rc == 0)
        ladder_done(l, d);
    else
        *again = ladder_to_host(l, d, e);
    device_close(d);
    return rc;
}

static int sample_all(struct work *w, struct error *e)
{
    struct ladder l = {0};
    bool again;
    int rc;
    do
        rc = try_sampling(w, &l, &again, e);
    while (rc != 0 && again);
    w->session->keyframe_cuts += l.cuts;
    return rc;
}

struct taken {
    struct arena *arena;
    struct generation *generation;
};

static int take_picture(void *ctx, int index, const float *rgb, int width, int height,
                        struct error *e)
{
    struct taken *t = ctx;
    size_t count = (size_t)width * (size_t)height * 3;
    uint8_t *bytes = index == 0 ? arena_alloc(t->arena, count) : NULL;
    if (index > 0)
        return error_set(e, ERROR_MODEL, "the keyframe's model made more than one picture");
    if (!bytes)
        return error_memory(e);
    for (size_t i = 0; i < count; i++) {
        float value = (rgb[i] + 1) * 127.5f;
        if (!isfinite(value))
            return error_set(e, ERROR_MODEL, "the keyframe holds numbers that are not finite");
        bytes[i] = (uint8_t)(fminf(fmaxf(value, 0), 255) + 0.5f);
    }
    t->generation->picture.rgb = bytes;
    t->generation->picture.width = width;
    t->generation->picture.height = height;
    return 0;
}

static int decode_one(struct work *w, struct vae_session *vae, size_t i, struct error *e)
{
    struct taken t = {&w->session->arena, &w->session->shots[i].settings.generation};
    int rc;
    do
        rc = interrupted(w, e) == 0 ? vae_session_decode(vae, &w->latents[i], take_picture, &t, e)
                                    : -1;
    while (rc != 0 && vae_session_again(vae, &w->latents[i], e));
    return rc;
}

/* In tiles only where memory is short: --vae-tile is for the shot's own frames, whose key has it.
 */
static int decode_all(struct work *w, struct error *e)
{
    struct stage_env env = *w->group->env;
    struct vae_session vae = {0};
    env.vae.tile_width = env.vae.tile_height = 0;
    int rc = vae_session_open(&vae, &env, w->family, w->dir, w->name, e);
    for (size_t i = 0; i < w->session->count && rc == 0; i++)
        if (wanted(w, i))
            rc = decode_one(w, &vae, i, e);
    w->session->keyframe_cuts += vae.cuts;
    vae_session_close(&vae);
    return rc;
}

int keyframes_make(const struct stage_group *group, struct session *s, struct error *e)
{
    struct work w = {.group = group, .session = s, .family = s->tier->keyframe.family};
    bool any = false;
    for (size_t i = 0; i < s->count; i++)
        any |= wanted(&w, i);
    if (!any)
        return 0;
    if (tier_prompt_checkpoint(group->env, s->tier, &s->arena, &w.dir, e) != 0)
        return -1;
    if (!w.dir)
        return error_set(e, ERROR_MODEL, "tier %s: there is no %s folder to make keyframes with",
                         s->tier->name, s->tier->keyframe.folder);
    w.conditions = arena_array(&s->arena, s->count, sizeof *w.conditions);
    w.latents = arena_array(&s->arena, s->count, sizeof *w.latents);
    w.name = arena_printf(&s->arena, "%s's keyframes", s->tier->name);
    if (!w.conditions || !w.latents || !w.name)
        return error_memory(e);
    int rc = encode_prompts(&w, e) == 0 && sample_all(&w, e) == 0 ? decode_all(&w, e) : -1;
    for (size_t i = 0; i < s->count; i++)
        conditions_free(&w.conditions[i]);
    return rc;
}
