/* Wan 2.1 and 2.2: UMT5, one or two transformers, UniPC, causal VAE. */
#include <math.h>
#include <string.h>

#include "kernels/base/file.h"
#include "prompts/tokenizer.h"
#include "prompts/umt5.h"
#include "stages/decode/wan_vae.h"
#include "stages/generate/torch_random.h"
#include "stages/generate/unipc.h"
#include "stages/generate/wan_transformer.h"
#include "stages/parity/families.h"

enum { EXPERTS = 2, TOKENS_MAX = 4096 };

/* What golden.json says was asked for. */
struct settings {
    const char *prompt, *negative;
    double seed, guidance[EXPERTS];
    double boundary; /* experts are switched below this timestep; 0: there is one */
    int steps, height, width, frames, max_tokens;
};

struct wan {
    struct parity *p;
    struct arena arena;
    struct settings s;
    struct tokenizer *tokenizer;
    struct umt5 *text;
    struct wan_transformer *expert[EXPERTS];
    int experts;
    struct wan_vae *vae;
    struct tensor prompt, negative; /* [tokens, width], without padding */
};

static int read_settings(const struct golden *g, struct settings *s, struct error *e)
{
    const char *path = g->path;

    *s = (struct settings){.negative = "", .seed = -1, .guidance = {-1, -1}};
    if (json_get_string(g->json, path, "prompt", &s->prompt, e) ||
        json_get_string(g->json, path, "negative_prompt", &s->negative, e) ||
        json_get_number(g->json, path, "seed", 0, 9007199254740992.0, &s->seed, e) ||
        json_get_int(g->json, path, "steps", 1, UNIPC_STEPS_MAX, &s->steps, e) ||
        json_get_int(g->json, path, "height", 1, 65536, &s->height, e) ||
        json_get_int(g->json, path, "width", 1, 65536, &s->width, e) ||
        json_get_int(g->json, path, "frames", 1, 65536, &s->frames, e) ||
        json_get_int(g->json, path, "max_sequence_length", 1, TOKENS_MAX, &s->max_tokens, e) ||
        json_get_number(g->json, path, "guidance", 0, 1000, &s->guidance[0], e) ||
        json_get_number(g->json, path, "boundary_ratio", 0, 1, &s->boundary, e))
        return -1;
    s->guidance[1] = s->guidance[0];
    return json_get_number(g->json, path, "guidance_2", 0, 1000, &s->guidance[1], e);
}

static const char *inside(struct wan *w, const char *name)
{
    const char *path = path_join(&w->arena, w->p->dir, name);
    return path ? path : ""; /* out of memory: opening "" fails with its own message */
}

static int load(struct wan *w, struct error *e)
{
    static const char *const names[EXPERTS] = {"transformer", "transformer_2"};
    struct device *d = w->p->device;

    if (tokenizer_open(inside(w, "tokenizer"), &w->tokenizer, e) ||
        umt5_load(inside(w, "text_encoder"), d, &w->text, e) ||
        wan_vae_load(inside(w, "vae"), d, &w->vae, e))
        return -1;
    w->experts = w->s.boundary > 0 ? EXPERTS : 1;
    for (int i = 0; i < w->experts; i++)
        if (wan_transformer_load(inside(w, names[i]), d, &w->expert[i], e))
            return -1;
    return 0;
}

/* ---- tokens and noise */

static bool same_ids(const struct wan *w, const json_t *text, const json_t *ids)
{
    int32_t got[TOKENS_MAX];
    struct error e = {0};
    int count;

    if (!json_is_string(text) ||
        tokenizer_encode(w->tokenizer, json_string_value(text), json_string_length(text), got,
                         TOKENS_MAX, &count, &e))
        return false;
    if (json_array_size(ids) != (size_t)count)
        return false;
    for (int i = 0; i < count; i++)
        if (json_number_value(json_array_get(ids, (size_t)i)) != got[i])
            return false;
    return true;
}

static void check_tokens(struct wan *w)
{
    const json_t *texts, *all = json_object_get(w->p->golden.json, "tokenize");
    struct report *r = &w->p->report;
    json_t *pair;
    size_t i, texts_seen = 0;
    char what[64];

    texts = json_object_get(all, "umt5");
    json_array_foreach(texts, i, pair)
    {
        const json_t *text = json_array_get(pair, 0);
        texts_seen++;
        if (same_ids(w, text, json_array_get(pair, 1)))
            continue;
        snprintf(what, sizeof what, "text %zu differs", i);
        report_fact(r, "tokenize.umt5", false, what);
    }
    snprintf(what, sizeof what, "%zu texts", texts_seen);
    report_fact(r, "tokenize.umt5", texts_seen > 0, what);
}

static int make_noise(struct wan *w, struct tensor *latents, struct error *e)
{
    int space = wan_vae_space_factor(w->vae), time = wan_vae_time_factor(w->vae);
    struct torch_random random;

    *latents = TENSOR_NEW(&w->arena, wan_vae_channels(w->vae), (w->s.frames - 1) / time + 1,
                          w->s.height / space, w->s.width / space);
    if (!latents->data)
        return error_memory(e);
    torch_random_seed(&random, (uint64_t)w->s.seed);
    torch_random_normal(&random, latents->data, (size_t)tensor_count(latents));
    golden_check(&w->p->golden, &w->p->report, "noise0", "noise0", latents->data,
                 tensor_count(latents), PARITY_NOISE);
    return 0;
}

/* ---- the text encoder */

static int encode(struct wan *w, const char *text, const char *name, struct tensor *out,
                  struct error *e)
{
    int32_t ids[TOKENS_MAX];
    struct tensor padded;
    int count;

    if (tokenizer_encode(w->tokenizer, text, strlen(text), ids, w->s.max_tokens, &count, e))
        return -1;
    padded = TENSOR_NEW(&w->arena, w->s.max_tokens, umt5_width(w->text));
    if (!padded.data)
        return error_memory(e);
    *out = tensor_slice(padded, 0, 0, count);
    if (umt5_encode(w->text, ids, count, out, e))
        return -1;
    golden_check(&w->p->golden, &w->p->report, name, name, padded.data, tensor_count(&padded),
                 PARITY_MODULE);
    return 0;
}

/* ---- one call of a transformer */

static bool is_zero(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (x[i] != 0)
            return false;
    return true;
}

static int check_expert(struct wan *w, int i, struct error *e)
{
    static const char *const names[EXPERTS] = {"transformer", "transformer_2"};
    struct golden *g = &w->p->golden;
    struct report *r = &w->p->report;
    struct wan_conditioning *c = NULL;
    struct tensor latents, timestep, text, real, out;
    char name[64];
    int64_t tokens;
    int rc = -1;

    snprintf(name, sizeof name, "%s.call0.in.hidden_states", names[i]);
    if (!golden_get(g, r, name, 4, &latents))
        return 0;
    snprintf(name, sizeof name, "%s.call0.in.encoder_hidden_states", names[i]);
    if (!golden_get(g, r, name, 2, &text))
        return 0;
    snprintf(name, sizeof name, "%s.call0.in.timestep", names[i]);
    if (!golden_get(g, r, name, 1, &timestep))
        return 0;
    tokens = text.shape[0];
    while (tokens > 0 && is_zero((float *)text.data + (tokens - 1) * text.shape[1], text.shape[1]))
        tokens--;
    out = tensor_new(&w->arena, 4, latents.shape);
    if (!out.data)
        return error_memory(e);
    real = tensor_slice(text, 0, 0, tokens);
    if (wan_transformer_prepare(w->expert[i], &real, (int)text.shape[0], &c, e) ||
        wan_transformer_forward(w->expert[i], c, &latents, *(float *)timestep.data, &out, e))
        goto done;
    snprintf(name, sizeof name, "%s.call0.out", names[i]);
    golden_check(g, r, name, name, out.data, tensor_count(&out), PARITY_MODULE);
    rc = 0;
done:
    wan_conditioning_free(c);
    return rc;
}

/* ---- the VAE */

struct film {
    struct tensor planar; /* [3, frames, height, width], as the golden has it */
};

static int keep_frame(void *ctx, int index, const float *rgb, int width, int height,
                      struct error *e)
{
    struct film *f = ctx;
    int64_t area = (int64_t)width * height;

    if (index >= f->planar.shape[1] || width != f->planar.shape[3] || height != f->planar.shape[2])
        return error_set(e, ERROR_MODEL, "the VAE made a frame of %d x %d, number %d", width,
                         height, index);
    for (int64_t i = 0; i < area; i++)
        for (int c = 0; c < 3; c++)
            ((float *)f->planar.data)[(c * f->planar.shape[1] + index) * area + i] = rgb[i * 3 + c];
    return 0;
}

static int check_frames(struct wan *w, const struct tensor *latents, const char *label,
                        double tolerance, struct error *e)
{
    struct film film = {TENSOR_NEW(&w->arena, 3, wan_vae_frames(w->vae, (int)latents->shape[1]),
                                   latents->shape[2] * wan_vae_space_factor(w->vae),
                                   latents->shape[3] * wan_vae_space_factor(w->vae))};

    if (!film.planar.data)
        return error_memory(e);
    if (wan_vae_decode(w->vae, latents, keep_frame, &film, e))
        return -1;
    golden_check(&w->p->golden, &w->p->report, "vae.frames", label, film.planar.data,
                 tensor_count(&film.planar), tolerance);
    return 0;
}

static int check_vae(struct wan *w, struct error *e)
{
    struct tensor latents;

    if (!golden_get(&w->p->golden, &w->p->report, "latents.final", 4, &latents))
        return 0;
    return check_frames(w, &latents, "vae.frames", PARITY_MODULE, e);
}

/* ---- the whole chain */

struct chain {
    struct wan_conditioning *prompt[EXPERTS], *negative[EXPERTS];
    struct tensor latents, guided, plain;
    struct unipc sampler;
};

static int prepare_chain(struct wan *w, struct chain *c, struct error *e)
{
    struct unipc_config config;

    for (int i = 0; i < w->experts; i++)
        if (wan_transformer_prepare(w->expert[i], &w->prompt, w->s.max_tokens, &c->prompt[i], e) ||
            wan_transformer_prepare(w->expert[i], &w->negative, w->s.max_tokens, &c->negative[i],
                                    e))
            return -1;
    c->guided = tensor_new(&w->arena, 4, c->latents.shape);
    c->plain = tensor_new(&w->arena, 4, c->latents.shape);
    if (!c->guided.data || !c->plain.data)
        return error_memory(e);
    if (unipc_config_read(inside(w, "scheduler/scheduler_config.json"), &config, e))
        return -1;
    return unipc_init(&c->sampler, &config, w->s.steps, (size_t)tensor_count(&c->latents), e);
}

/* Classifier-free guidance: away from the negative prompt, towards the prompt. */
static int predict(struct wan *w, struct chain *c, int timestep, struct error *e)
{
    int i = timestep < w->s.boundary * c->sampler.config.train_timesteps ? 1 : 0;
    float scale = (float)w->s.guidance[i], *guided = c->guided.data, *plain = c->plain.data;

    if (wan_transformer_forward(w->expert[i], c->prompt[i], &c->latents, (float)timestep,
                                &c->guided, e))
        return -1;
    if (w->s.guidance[0] <= 1)
        return 0;
    if (wan_transformer_forward(w->expert[i], c->negative[i], &c->latents, (float)timestep,
                                &c->plain, e))
        return -1;
    for (int64_t k = 0; k < tensor_count(&c->guided); k++)
        guided[k] = plain[k] + scale * (guided[k] - plain[k]);
    return 0;
}

static int sample(struct wan *w, struct chain *c, struct error *e)
{
    struct golden *g = &w->p->golden;
    struct report *r = &w->p->report;
    char name[64];

    if (prepare_chain(w, c, e))
        return -1;
    for (int i = 0; i < w->s.steps; i++) {
        if (predict(w, c, c->sampler.timesteps[i], e))
            return -1;
        unipc_step(&c->sampler, c->guided.data, c->latents.data);
        snprintf(name, sizeof name, "latents.step%d", i);
        golden_check(g, r, name, name, c->latents.data, tensor_count(&c->latents), PARITY_CHAIN);
    }
    golden_check(g, r, "latents.final", "latents.final", c->latents.data, tensor_count(&c->latents),
                 PARITY_CHAIN);
    return check_frames(w, &c->latents, "chain.frames", PARITY_CHAIN, e);
}

static int check_all(struct wan *w, struct error *e)
{
    struct chain c = {0};
    int rc = -1;

    check_tokens(w);
    if (make_noise(w, &c.latents, e) || encode(w, w->s.prompt, "prompt_embeds", &w->prompt, e) ||
        encode(w, w->s.negative, "negative_prompt_embeds", &w->negative, e))
        return -1;
    for (int i = 0; i < w->experts; i++)
        if (check_expert(w, i, e))
            return -1;
    if (check_vae(w, e) == 0)
        rc = sample(w, &c, e);
    for (int i = 0; i < EXPERTS; i++) {
        wan_conditioning_free(c.prompt[i]);
        wan_conditioning_free(c.negative[i]);
    }
    unipc_free(&c.sampler);
    return rc;
}

int parity_wan(struct parity *p, struct error *e)
{
    struct wan w = {.p = p};
    int rc = read_settings(&p->golden, &w.s, e) || load(&w, e) || check_all(&w, e) ? -1 : 0;

    tokenizer_close(w.tokenizer);
    umt5_free(w.text);
    for (int i = 0; i < EXPERTS; i++)
        wan_transformer_free(w.expert[i]);
    wan_vae_free(w.vae);
    arena_free(&w.arena);
    return rc;
}
