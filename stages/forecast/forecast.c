#include "stages/forecast/forecast.h"

#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/outline.h"
#include "stages/decode/rehearsal.h"
#include "stages/decode/tiling.h"
#include "stages/decode/upscaler.h"
#include "stages/decode/upscaler_choice.h"
#include "stages/forecast/checkpoint.h"
#include "stages/forecast/films.h"
#include "stages/forecast/fit.h"
#include "stages/generate/sampling.h"

/* One model's way through a shot. */
struct walk {
    const struct stage_env *env;
    const struct machine *machine;
    const struct shot *shot; /* whose pictures these are; NULL: they are keyframes */
    const struct family *family;
    const char *dir;
    const char *const *names;
    const char *sampler; /* as struct settings has them */
    double flow_shift;
    struct generation *generation;
    struct dry_run run;
    struct forecast *forecast;
    struct arena arena;
    struct conditions conditions;
    struct tensor latents;
    size_t heap;  /* in use before */
    bool to_host; /* the weights, on the rung of the ladder where they must go */
    int together; /* shots at once in a sampler */
};

enum { WORDS, SAMPLING, DECODING };
static const char *const names_of_picture[] = {"picture: words", "picture: sampling",
                                               "picture: decoding"};
static const char *const names_of_shot[] = {"words", "sampling", "decoding"};

static size_t heap_in_use(void)
{
    struct mallinfo2 heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
}

static int open_device(struct walk *w, enum dtype activations, struct device **d, struct error *e)
{
    struct device_options options = w->env->device;

    options.kind = DEVICE_CUDA;
    if (w->to_host)
        options.memory = MEMORY_SAFE;
    if (w->machine->gpus == 0)
        options.memory = MEMORY_SPEED; /* a processor's memory is the host's */
    options.or_cpu = false;
    options.threads = 1;
    options.notes = (struct note_listener){0};
    options.activations = activations;
    options.attention = w->family->fp8 ? options.linears : 0;
    options.dry = &w->run;
    dry_begin(&w->run);
    w->heap = heap_in_use();
    return device_open(&options, d, e);
}

/* Of the stage so far nothing but what it has loaded. */
static void forget_work(struct walk *w)
{
    double stored = w->run.stored;

    dry_begin(&w->run);
    w->run.stored = stored;
}

/* What is on the device now that a model is loaded and nothing has been run. */
static double loaded(const struct walk *w)
{
    return (double)(w->run.used - w->run.base - w->run.scratch);
}

/* Of what work takes of a heap: what that keeps of pieces that were given back. A run of 640x352
 * and 49 frames took 276 MiB where 272 are told without (2026-11-22). */
static const double HEAP_KEEPS = 0.05;

static struct forecast_stage *add_stage(struct walk *w, int name, double weights)
{
    struct forecast_stage *s = &w->forecast->stage[w->forecast->count++];
    const struct dry_run *r = &w->run;
    double base = (double)(r->base + r->scratch_peak);
    double activations = (double)r->peak - base - weights;
    double kept = w->machine->gpus > 0 ? 0 : HEAP_KEEPS * activations;

    *s = (struct forecast_stage){
        .name = w->names[name],
        .weights = weights,
        .models = 1,
        .workspace = base + kept,
        .activations = activations,
        .peak = (double)r->peak + kept,
        .host = (double)(r->host_peak > w->heap ? r->host_peak - w->heap : 0) + (double)r->streamed,
        .streamed = (double)r->streamed,
        .stored = r->stored,
        .load = r->stored / w->machine->disk,
        .work = r->seconds,
        .hoped = r->seconds,
    };
    return s;
}

/* ---- the three stages of every family */

static int words(struct walk *w, struct error *e)
{
    struct device *d = NULL;
    void *encoder = NULL;
    double weights;

    if (open_device(w, w->family->gpu.encoder, &d, e) != 0)
        return -1;
    int rc = w->family->encoder_open(w->dir, d, &encoder, e);
    weights = loaded(w);
    conditions_free(&w->conditions);
    if (rc == 0)
        rc = w->family->encode(encoder, w->generation, &w->conditions, e);
    if (rc == 0)
        add_stage(w, WORDS, weights);
    w->family->encoder_close(encoder);
    device_close(d);
    return rc;
}

static int keep_latents(struct walk *w, const struct tensor *latents, struct error *e)
{
    w->latents = tensor_new(&w->arena, latents->rank, latents->shape);
    return w->latents.data ? 0 : error_memory(e);
}

static int predict(const struct walk *w, void *model, struct sampling *s, int step, struct error *e)
{
    const struct tensor *latents[SAMPLING_MOST];
    struct tensor *out[SAMPLING_MOST];

    if (w->together == 1)
        return w->family->predict(model, &s->scaled, step, &s->output, e);
    for (int i = 0; i < w->together; i++) {
        latents[i] = &s[i].scaled;
        out[i] = &s[i].output;
    }
    return w->family->predict_batch(model, latents, step, out, e);
}

/* Which part of the model makes a step. */
static int part_of(const struct walk *w, void *model, const struct sampler *s, int step)
{
    return w->family->part ? w->family->part(model, s, step) : 0;
}

/* Two steps of each part of the model: what its first one makes ready serves all. The others are
 * like the second. */
static int take_steps(struct walk *w, void *model, struct sampling *s, struct error *e)
{
    const struct sampler *sampler = &s[0].sampler;
    int part = -1, of_part = 0;
    double before, second = 0;

    for (int i = 0; i < sampler->steps; i++) {
        of_part = part_of(w, model, sampler, i) == part ? of_part + 1 : 0;
        part = part_of(w, model, sampler, i);
        if (of_part > 1) {
            w->run.seconds += second;
            continue;
        }
        before = w->run.seconds;
        if (predict(w, model, s, i, e) != 0)
            return -1;
        second = w->run.seconds - before;
    }
    return 0;
}

/* What is read of a dry device is no distance: a step cache reuses nothing. */
static int sample(struct walk *w, void *model, struct error *e)
{
    struct sampler_config config;
    struct sampling s[SAMPLING_MOST] = {0}, *all[SAMPLING_MOST];
    int rc = sampling_config(w->dir, w->sampler, w->flow_shift, &config, e);

    if (rc != 0 && e->code == ERROR_INPUT)
        e->code = ERROR_USAGE; /* no limit that could be wider */
    for (int i = 0; rc == 0 && i < w->together; i++) {
        all[i] = &s[i];
        rc = sampling_prepare(all[i], w->family, model, &config, w->generation, &w->conditions, e);
    }
    if (rc == 0)
        rc = sampling_begin(all, w->together, e);
    if (rc == 0)
        rc = take_steps(w, model, s, e);
    if (rc == 0)
        rc = keep_latents(w, &s[0].latents, e);
    for (int i = 0; i < w->together; i++)
        sampling_close(&s[i]);
    return rc;
}

static int denoise(struct walk *w, struct error *e)
{
    struct device *d = NULL;
    struct generation *g = w->generation;
    double threshold = g->step_cache.threshold, weights, first;
    void *model = NULL;

    if (open_device(w, family_model_dtype(w->family, &w->env->device), &d, e) != 0)
        return -1;
    int rc = w->family->model_open(w->dir, d, &model, e);
    weights = loaded(w);
    first = w->run.stored;
    g->step_cache.threshold = 0;
    if (rc == 0)
        rc = sample(w, model, e);
    g->step_cache.threshold = threshold;
    if (rc == 0) {
        struct forecast_stage *s = add_stage(w, SAMPLING, weights);
        s->steps = g->steps;
        s->together = w->together;
        s->work /= w->together;
        s->hoped = s->work;
        if (g->step_cache.mode != STEP_CACHE_OFF) {
            s->fewer = step_cache_hope(g->step_cache.mode, threshold, s->steps);
            s->hoped /= s->fewer;
        }
        s->models = first > 0 ? (int)lround(w->run.stored / first) : 1;
    }
    w->family->model_close(model);
    device_close(d);
    return rc;
}

/* Whether a stage that takes so much is more than a GPU surely holds. */
static bool is_doubtful(const struct walk *w, double peak)
{
    return w->machine->gpus > 0 && !machine_holds(w->machine, peak);
}

/* Each picture through the upscaler, if there is one. */
static int enlarge(void *upscaler, int index, const float *rgb, int width, int height,
                   struct error *e)
{
    (void)index, (void)rgb;
    return upscaler ? upscaler_rehearse(upscaler, width, height, e) : 0;
}

/* The one that would enlarge the shot's pictures; *out is NULL where there is none. */
static int open_upscaler(const struct walk *w, struct device *d, struct upscaler **out,
                         struct error *e)
{
    struct arena a = {0};
    struct error ignored = {0};
    const char *path;
    int rc = 0;

    /* A checkpoint that is not there has none. */
    if (w->shot && upscaler_choose(w->env, w->forecast->tier, w->shot, &a, &path, &ignored) == 0 &&
        path)
        rc = upscaler_open(path, d, out, e);
    arena_free(&a);
    return rc;
}

/* Of the host's memory, for the shot's pictures on their way to the master. */
static double master_takes(const struct walk *w, const struct upscaler *upscaler)
{
    const struct tier_geometry *g = &w->forecast->settings.geometry;
    int scale = upscaler ? upscaler_scale(upscaler) : 1;

    if (!w->shot)
        return 0;
    return film_master(w->env->board, g->picture_width * scale, g->picture_height * scale);
}

/* In smaller pieces where it might not fit, as the ladder has it (stages/ladder.h). */
static int decode(struct walk *w, struct error *e)
{
    struct device *d = NULL;
    struct upscaler *upscaler = NULL;
    void *vae = NULL;
    struct vae_limits limits = w->env->vae;
    double weights;
    int rc, cuts = 0;
    bool again = true;

    if (open_device(w, w->family->gpu.vae, &d, e) != 0)
        return -1;
    rc = w->family->vae_open(w->dir, d, &vae, e);
    if (rc == 0 && w->machine->gpus > 0)
        rc = rehearsal_open(w->family, w->dir, d, &limits.rehearsal, e);
    if (rc == 0)
        rc = open_upscaler(w, d, &upscaler, e);
    weights = loaded(w);
    while (rc == 0 && again) {
        rc = tiling_decode(w->family, vae, d, &limits, &w->latents, enlarge, upscaler, e);
        again = rc == 0 && is_doubtful(w, (double)w->run.peak) &&
                tiling_smaller(w->family, vae, d, w->latents.shape, &limits);
        if (!again)
            continue;
        cuts++;
        device_trim(d);
        forget_work(w);
    }
    if (rc == 0) {
        struct forecast_stage *s = add_stage(w, DECODING, weights);
        s->cuts = cuts;
        s->host += master_takes(w, upscaler);
    }
    rehearsal_close(limits.rehearsal);
    upscaler_close(upscaler);
    w->family->vae_close(vae);
    device_close(d);
    return rc;
}

/* What the stage that was added last takes of the memory that is asked about. */
static double last_peak(const struct walk *w)
{
    const struct forecast last = {.stage = {w->forecast->stage[w->forecast->count - 1]},
                                  .count = 1};

    return forecast_peak(&last, w->machine);
}

/* Once more with its weights on the host, where the stage might not fit otherwise. */
static int on_ladder(struct walk *w, int (*stage)(struct walk *w, struct error *e), struct error *e)
{
    int rc = stage(w, e);

    if (rc != 0 || !is_doubtful(w, last_peak(w)) || w->env->device.memory != MEMORY_AUTO ||
        w->machine->facts.unified)
        return rc;
    w->forecast->count--;
    w->to_host = true;
    rc = stage(w, e);
    w->to_host = false;
    return rc;
}

/* Half as many shots at once, and half of those, until they fit: as a run does where memory ends.
 */
static int denoise_some(struct walk *w, struct error *e)
{
    int rc = denoise(w, e);

    while (rc == 0 && w->together > 1 && is_doubtful(w, last_peak(w))) {
        w->forecast->count--;
        w->together /= 2;
        rc = denoise(w, e);
    }
    return rc;
}

/* ---- a shot */

/* A prompt as long as the tier reads: what it says decides nothing here. */
static const char *long_prompt(struct arena *a, int tokens)
{
    static const char word[] = "frigate ";
    size_t n = sizeof word - 1;
    char *text = arena_alloc(a, (size_t)tokens * n + 1);

    for (int i = 0; text && i < tokens; i++)
        memcpy(text + (size_t)i * n, word, n);
    if (text)
        text[(size_t)tokens * n] = '\0';
    return text;
}

/* A picture of the frame's own size, for what sets pictures in motion. */
static int add_picture(struct walk *w, struct error *e)
{
    struct generation *g = w->generation;
    uint8_t *rgb = arena_array(&w->arena, (size_t)g->width * (size_t)g->height, 3);

    if (!rgb)
        return error_memory(e);
    g->picture.rgb = rgb;
    g->picture.width = g->width;
    g->picture.height = g->height;
    return 0;
}

/* shot: NULL for its keyframe. */
static int go_through(const struct stage_env *env, const struct machine *m, const struct shot *shot,
                      const char *dir, struct forecast *f, struct error *e)
{
    bool picture = !shot;
    const struct family *family = picture ? f->tier->keyframe.family : f->tier->family;
    struct settings *s = &f->settings;
    struct generation *g = picture ? &s->keyframe : &s->generation;
    struct walk w = {.env = env,
                     .machine = m,
                     .shot = shot,
                     .family = family,
                     .dir = dir,
                     .names = picture ? names_of_picture : names_of_shot,
                     .sampler = picture ? "" : s->sampler,
                     .flow_shift = picture ? 0 : s->flow_shift,
                     .together = settings_batch(env, family),
                     .generation = g,
                     .forecast = f,
                     .run = machine_ledger(m)};
    int rc = 0;

    g->prompt = long_prompt(&w.arena, f->tier->text_length);
    g->negative = f->tier->negative;
    if (!g->prompt)
        rc = error_memory(e);
    if (rc == 0 && family->needs_picture)
        rc = add_picture(&w, e);
    if (rc == 0)
        rc = on_ladder(&w, words, e) == 0 && on_ladder(&w, denoise_some, e) == 0 ? decode(&w, e)
                                                                                 : -1;
    conditions_free(&w.conditions);
    arena_free(&w.arena);
    g->prompt = g->negative = NULL;
    g->picture.rgb = NULL;
    return rc;
}

static int walk_one(const struct stage_env *env, const struct machine *m, const struct shot *shot,
                    struct forecast *f, struct error *e)
{
    struct arena a = {0};
    const char *dir;
    bool outlined;
    int rc = forecast_checkpoint(env, !shot, &a, f, &dir, &outlined, e);

    outline_allow(rc == 0 && outlined);
    if (rc == 0)
        rc = go_through(env, m, shot, dir, f, e);
    outline_allow(false);
    arena_free(&a);
    return rc;
}

int forecast_shot(const struct stage_env *env, const struct shot *shot, const struct machine *m,
                  struct forecast *out, struct error *e)
{
    *out = (struct forecast){0};
    if (settings_of(env, shot, &out->settings, e) != 0)
        return -1;
    out->tier = out->settings.tier;
    if (out->settings.makes_keyframe && walk_one(env, m, NULL, out, e) != 0)
        return -1;
    return walk_one(env, m, shot, out, e);
}
