/* Wan 2.1 and 2.2, text to video: UMT5 words, one denoiser or two experts, the causal VAE.
 *
 * Wan 2.2 A14B has two experts: "transformer" makes the steps whose timestep is at least
 * boundary_ratio * train_timesteps (high noise), "transformer_2" the rest. One of them is in memory
 * at a time: two of 14 billion weights are more than most machines hold. Shots that are sampled
 * together (shots.c) go through the first, all of them, and then through the second. */
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/json.h"
#include "stages/decode/wan_vae.h"
#include "stages/generate/family.h"
#include "stages/generate/t5_text.h"
#include "stages/generate/wan_transformer.h"

enum { EXPERTS = 2 };

/* ---- words */

static int encoder_open(const char *dir, struct device *d, void **out, struct error *e)
{
    struct t5_text *t = NULL;
    int rc = t5_text_open(dir, T5_PADDING_BLANK, 0, d, &t, e);
    *out = t;
    return rc;
}

static void encoder_close(void *encoder)
{
    t5_text_close(encoder);
}

static int encode(void *encoder, const struct generation *g, struct conditions *out,
                  struct error *e)
{
    return t5_text_encode(encoder, g, g->guidance > 1, out, e);
}

/* ---- the denoiser */

struct model {
    struct arena arena;
    struct device *device;
    double boundary_ratio; /* -1: there is only one expert */
    const char *dirs[EXPERTS];
    int loaded; /* which one `expert` is; -1: none */
    struct wan_transformer *expert;
    int channels, text_dim, patch[3]; /* of both */
    int space, time;                  /* what one latent stands for */

    /* The shot in hand. */
    const struct generation *generation;
    const struct conditions *conditions;
    const struct sampler *sampler;
    int prepared;                               /* whose conditioning it is; -1: none's */
    struct wan_conditioning *prompt, *negative; /* negative: NULL without guidance */
    struct step_cache cache;
};

static int read_index(const char *dir, struct arena *a, double *boundary_ratio, struct error *e)
{
    const char *path = path_join(a, dir, "model_index.json");
    json_t *root = NULL;
    bool expand = false;
    if (!path)
        return error_memory(e);
    if (json_read(path, &root, e) != 0)
        return -1;
    *boundary_ratio = -1;
    int rc = json_get_number(root, path, "boundary_ratio", -1, 1, boundary_ratio, e);
    if (rc == 0)
        rc = json_get_bool(root, path, "expand_timesteps", &expand, e);
    if (rc == 0 && expand)
        rc = error_set(e, ERROR_MODEL, "%s: expand_timesteps is not supported", path);
    json_decref(root);
    return rc;
}

static int use_expert(struct model *m, int i, struct error *e)
{
    if (m->loaded == i)
        return 0;
    wan_transformer_free(m->expert);
    m->expert = NULL;
    m->loaded = -1;
    if (wan_transformer_load(m->dirs[i], m->device, &m->expert, e) != 0)
        return -1;
    m->loaded = i;
    wan_transformer_cache(m->expert, &m->cache);
    int channels = wan_transformer_channels(m->expert);
    int text_dim = wan_transformer_text_dim(m->expert);
    if (m->channels != 0 && (channels != m->channels || text_dim != m->text_dim))
        return error_set(e, ERROR_MODEL, "%s: the two experts differ in form", m->dirs[i]);
    m->channels = channels;
    m->text_dim = text_dim;
    memcpy(m->patch, wan_transformer_patch(m->expert), sizeof m->patch);
    return 0;
}

static int read_factors(struct model *m, const char *dir, struct error *e)
{
    const char *path = path_join(&m->arena, dir, "vae");
    struct wan_vae *v = NULL;
    if (!path)
        return error_memory(e);
    if (wan_vae_load(path, NULL, &v, e) != 0)
        return -1;
    m->space = wan_vae_space_factor(v);
    m->time = wan_vae_time_factor(v);
    wan_vae_free(v);
    return 0;
}

static void drop_conditioning(struct model *m)
{
    wan_conditioning_free(m->prompt);
    wan_conditioning_free(m->negative);
    m->prompt = m->negative = NULL;
    m->prepared = -1;
}

static void model_close(void *model)
{
    struct model *m = model;
    if (!m)
        return;
    drop_conditioning(m);
    wan_transformer_free(m->expert);
    step_cache_free(&m->cache);
    arena_free(&m->arena);
    free(m);
}

static int model_open(const char *dir, struct device *d, void **out, struct error *e)
{
    struct model *m = calloc(1, sizeof *m);
    if (!m)
        return error_memory(e);
    m->device = d;
    m->loaded = m->prepared = -1;
    m->dirs[0] = path_join(&m->arena, dir, "transformer");
    m->dirs[1] = path_join(&m->arena, dir, "transformer_2");
    int rc = m->dirs[0] && m->dirs[1] ? 0 : error_memory(e);
    if (rc == 0)
        rc = read_index(dir, &m->arena, &m->boundary_ratio, e);
    if (rc == 0)
        rc = use_expert(m, 0, e);
    if (rc == 0)
        rc = read_factors(m, dir, e);
    if (rc == 0)
        *out = m;
    else
        model_close(m);
    return rc;
}

/* What the VAE and the denoiser's patches ask of sizes. */
static int latents_shape(void *model, const struct generation *g, int64_t shape[4], struct error *e)
{
    const struct model *m = model;
    const int *patch = m->patch; /* there may be no expert: the last one did not fit */
    shape[0] = m->channels;
    shape[1] = (g->frames - 1) / m->time + 1;
    shape[2] = g->height / m->space;
    shape[3] = g->width / m->space;
    for (int i = 0; i < 3; i++)
        if (shape[i + 1] < 1 || shape[i + 1] % patch[i])
            return error_set(e, ERROR_INPUT, "%d frames of %dx%d are no size that the model makes",
                             g->frames, g->width, g->height);
    return 0;
}

static int begin(void *model, const struct generation *g, const struct conditions *c,
                 const struct sampler *s, struct error *e)
{
    struct model *m = model;
    int64_t shape[4];
    drop_conditioning(m);
    m->generation = g;
    m->conditions = c;
    m->sampler = s;
    step_cache_begin(&m->cache, g->step_cache.mode, g->step_cache.threshold, s->steps);
    return latents_shape(model, g, shape, e);
}

/* What an expert makes of a prompt's states; rows of zeros at the end are padding. */
static int prepare_text(struct model *m, const char *name, struct wan_conditioning **out,
                        struct error *e)
{
    const struct tensor *all = conditions_find(m->conditions, name);
    if (!all)
        return error_set(e, ERROR_INTERNAL, "there is no %s to sample with", name);
    struct tensor real = tensor_slice(*all, 0, 0, t5_text_rows(all));
    return wan_transformer_prepare(m->expert, &real, (int)all->shape[0], out, e);
}

static int expert_of(const struct model *m, const struct sampler *s, int step)
{
    double boundary = m->boundary_ratio * s->config.train_timesteps;
    return m->boundary_ratio > 0 && s->timesteps[step] < boundary;
}

static int part(void *model, const struct sampler *s, int step)
{
    return expert_of(model, s, step);
}

static bool in_parts(const char *dir)
{
    struct arena a = {0};
    const char *path = path_join(&a, dir, "transformer_2");
    bool there = path && path_exists(path);
    arena_free(&a);
    return there;
}

/* The first expert's guidance decides whether there is any: so it was published. */
static bool is_guided(const struct model *m)
{
    return m->generation->guidance > 1;
}

static double guidance_of(const struct model *m, int expert)
{
    return expert == 0 ? m->generation->guidance : m->generation->guidance_2;
}

/* Makes the prompts ready for an expert, once for all its steps. */
static int prepare(struct model *m, int expert, struct error *e)
{
    if (m->prepared == expert)
        return 0;
    drop_conditioning(m); /* it belongs to the expert that may go now */
    step_cache_forget(&m->cache);
    if (use_expert(m, expert, e) != 0 || prepare_text(m, "prompt_embeds", &m->prompt, e) != 0)
        return -1;
    if (is_guided(m) && prepare_text(m, "negative_prompt_embeds", &m->negative, e) != 0)
        return -1;
    m->prepared = expert;
    return 0;
}

static int predict(void *model, const struct tensor *latents, int i, struct tensor *out,
                   struct error *e)
{
    struct model *m = model;
    float timestep = m->sampler->timesteps[i];
    int expert = expert_of(m, m->sampler, i);
    if (prepare(m, expert, e) != 0)
        return -1;
    step_cache_step(&m->cache, i);
    return wan_transformer_guided(m->expert, m->prompt, m->negative, (float)guidance_of(m, expert),
                                  latents, timestep, out, e);
}

static const struct step_cache *cache_of(void *model)
{
    const struct model *m = model;
    return &m->cache;
}

/* ---- the whole checkpoint */

static int vae_open(const char *dir, struct device *d, void **out, struct error *e)
{
    struct arena a = {0};
    struct wan_vae *v = NULL;
    const char *path = path_join(&a, dir, "vae");
    int rc = path ? wan_vae_load(path, d, &v, e) : error_memory(e);
    *out = v;
    arena_free(&a);
    return rc;
}

static void vae_close(void *vae)
{
    wan_vae_free(vae);
}

static int check(const char *dir, struct error *e)
{
    struct t5_text *t = NULL;
    void *model = NULL, *vae = NULL;
    int rc = t5_text_open(dir, T5_PADDING_BLANK, 0, NULL, &t, e);
    if (rc == 0)
        rc = model_open(dir, NULL, &model, e);
    struct model *m = model;
    if (rc == 0 && m->boundary_ratio > 0)
        rc = use_expert(m, 1, e);
    if (rc == 0 && m->text_dim != t5_text_width(t))
        rc = error_set(e, ERROR_MODEL,
                       "%s: the denoiser takes texts of width %d, the text encoder gives %d", dir,
                       m->text_dim, t5_text_width(t));
    if (rc == 0)
        rc = vae_open(dir, NULL, &vae, e);
    if (rc == 0 && wan_vae_channels(vae) != m->channels)
        rc = error_set(e, ERROR_MODEL, "%s: the denoiser makes %d channels, the VAE takes %d", dir,
                       m->channels, wan_vae_channels(vae));
    vae_close(vae);
    model_close(model);
    t5_text_close(t);
    return rc;
}

static int decode(void *vae, const struct tensor *latents, family_frame_fn *frame, void *ctx,
                  struct error *e)
{
    return wan_vae_decode(vae, latents, frame, ctx, e);
}

static int vae_factor(void *vae)
{
    return wan_vae_space_factor(vae);
}

static size_t vae_bytes(void *vae, const int64_t shape[4])
{
    return wan_vae_bytes(vae, shape[2], shape[3]);
}

static void vae_memory(void *vae, size_t bytes)
{
    wan_vae_memory(vae, bytes);
}

const struct family family_wan = {
    .name = "wan",
    .pipelines = (const char *const[]){"WanPipeline", NULL},
    .parts = (const char *const[]){"tokenizer", "text_encoder", "scheduler", "transformer",
                                   "?transformer_2", NULL},
    .size_multiple = 16,
    .frame_multiple = 4,
    .gpu = {DTYPE_BF16, DTYPE_BF16, DTYPE_BF16},
    .streams = true,
    .fp8 = true,
    .check = check,
    .encoder_open = encoder_open,
    .encode = encode,
    .encoder_close = encoder_close,
    .model_open = model_open,
    .model_close = model_close,
    .latents_shape = latents_shape,
    .begin = begin,
    .predict = predict,
    .step_cache = cache_of,
    .in_parts = in_parts,
    .part = part,
    .vae_open = vae_open,
    .vae_close = vae_close,
    .vae_factor = vae_factor,
    .vae_bytes = vae_bytes,
    .vae_memory = vae_memory,
    .decode = decode,
};
