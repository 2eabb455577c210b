/* Wan 2.1 and 2.2: UMT5, one or two transformers, UniPC, causal VAE. */
#include <string.h>

#include "kernels/base/file.h"
#include "prompts/t5.h"
#include "prompts/tokenizer.h"
#include "stages/decode/wan_vae.h"
#include "stages/generate/torch_random.h"
#include "stages/generate/wan_sampler.h"
#include "stages/parity/families.h"

enum { EXPERTS = 2, TOKENS_MAX = 4096 };

/* What golden.json says was asked for. */
struct settings {
    const char *prompt, *negative;
    double seed; /* negative: the golden names none */
    double guidance[EXPERTS];
    double boundary; /* the boundary_ratio between two experts; 0: there is one */
    int steps, height, width, frames, max_tokens;
};

struct wan {
    struct parity *p;
    struct arena arena;
    struct settings s;
    struct tokenizer *tokenizer;
    struct t5 *text;
    struct wan_vae *vae;
    struct tensor prompt, negative; /* [tokens, width], without padding */
};

static int read_settings(const struct golden *g, struct settings *s, struct error *e)
{
    const char *path = g->path;

    *s = (struct settings){.negative = "", .seed = -1, .guidance = {-1, -1}};
    if (json_get_string(g->json, path, "prompt", &s->prompt, e) ||
        json_get_string(g->json, path, "negative_prompt", &s->negative, e) ||
        (json_object_get(g->json, "seed") &&
         json_get_number(g->json, path, "seed", 0, 9007199254740992.0, &s->seed, e)) ||
        json_get_int(g->json, path, "steps", 1, SAMPLER_STEPS_MAX, &s->steps, e) ||
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
    struct device *d = w->p->device;

    return tokenizer_open(inside(w, "tokenizer"), &w->tokenizer, e) ||
                   t5_load(inside(w, "text_encoder"), d, &w->text, e) ||
                   wan_vae_load(inside(w, "vae"), d, &w->vae, e)
               ? -1
               : 0;
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

/* A golden that names no seed cannot say whether ours gives its noise: the chain starts from the
 * noise that it holds. */
static int golden_noise(struct wan *w, struct tensor *latents, struct error *e)
{
    struct tensor noise;

    if (!golden_get(&w->p->golden, &w->p->report, "noise0", 4, &noise) ||
        tensor_count(&noise) != tensor_count(latents))
        return error_set(e, ERROR_MODEL,
                         "%s names no seed, and its noise0 is not of the latents' size",
                         w->p->golden.path);
    memcpy(latents->data, noise.data, (size_t)tensor_count(latents) * sizeof(float));
    fprintf(w->p->report.out, "%-34s not checked: the golden names no seed\n", "noise0");
    return 0;
}

static int make_noise(struct wan *w, struct tensor *latents, struct error *e)
{
    int space = wan_vae_space_factor(w->vae), time = wan_vae_time_factor(w->vae);
    struct torch_random random;

    *latents = TENSOR_NEW(&w->arena, wan_vae_channels(w->vae), (w->s.frames - 1) / time + 1,
                          w->s.height / space, w->s.width / space);
    if (!latents->data)
        return error_memory(e);
    if (w->s.seed < 0)
        return golden_noise(w, latents, e);
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
    padded = TENSOR_NEW(&w->arena, w->s.max_tokens, t5_width(w->text));
    if (!padded.data)
        return error_memory(e);
    *out = tensor_slice(padded, 0, 0, count);
    if (t5_encode(w->text, ids, count, out, e))
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

static int call_expert(struct wan *w, const char *name, const struct tensor *text,
                       const struct tensor *latents, float timestep, struct tensor *out,
                       struct error *e)
{
    struct wan_transformer *m = NULL;
    struct wan_conditioning *c = NULL;
    struct tensor real;
    int64_t tokens = text->shape[0];
    int rc = -1;

    while (tokens > 0 &&
           is_zero((float *)text->data + (tokens - 1) * text->shape[1], text->shape[1]))
        tokens--;
    real = tensor_slice(*text, 0, 0, tokens);
    if (wan_transformer_load(inside(w, name), w->p->device, &m, e))
        return -1;
    if (wan_transformer_prepare(m, &real, (int)text->shape[0], &c, e) == 0)
        rc = wan_transformer_forward(m, c, latents, timestep, out, e);
    wan_conditioning_free(c);
    wan_transformer_free(m);
    return rc;
}

static int check_expert(struct wan *w, const char *expert, struct error *e)
{
    struct golden *g = &w->p->golden;
    struct report *r = &w->p->report;
    struct tensor latents, timestep, text, out;
    char name[64];

    snprintf(name, sizeof name, "%s.call0.in.hidden_states", expert);
    if (!golden_get(g, r, name, 4, &latents))
        return 0;
    snprintf(name, sizeof name, "%s.call0.in.encoder_hidden_states", expert);
    if (!golden_get(g, r, name, 2, &text))
        return 0;
    snprintf(name, sizeof name, "%s.call0.in.timestep", expert);
    if (!golden_get(g, r, name, 1, &timestep))
        return 0;
    out = tensor_new(&w->arena, 4, latents.shape);
    if (!out.data)
        return error_memory(e);
    if (call_expert(w, expert, &text, &latents, *(float *)timestep.data, &out, e))
        return -1;
    snprintf(name, sizeof name, "%s.call0.out", expert);
    golden_check(g, r, name, name, out.data, tensor_count(&out), PARITY_MODULE);
    return 0;
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
                        enum parity_class what, struct error *e)
{
    struct film film = {TENSOR_NEW(&w->arena, 3, wan_vae_frames(w->vae, (int)latents->shape[1]),
                                   latents->shape[2] * wan_vae_space_factor(w->vae),
                                   latents->shape[3] * wan_vae_space_factor(w->vae))};

    if (!film.planar.data)
        return error_memory(e);
    if (wan_vae_decode(w->vae, latents, keep_frame, &film, e))
        return -1;
    golden_check(&w->p->golden, &w->p->report, "vae.frames", label, film.planar.data,
                 tensor_count(&film.planar), what);
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

static int take_steps(struct wan *w, struct wan_sampling *sampling, const struct tensor *latents,
                      struct error *e)
{
    struct golden *g = &w->p->golden;
    struct report *r = &w->p->report;
    char name[64];

    for (int i = 0; i < w->s.steps; i++) {
        if (wan_sampling_step(sampling, e))
            return -1;
        snprintf(name, sizeof name, "latents.step%d", i);
        golden_check(g, r, name, name, latents->data, tensor_count(latents), PARITY_CHAIN);
    }
    golden_check(g, r, "latents.final", "latents.final", latents->data, tensor_count(latents),
                 PARITY_CHAIN);
    return 0;
}

/* From noise and embeddings of our own, with the sampler that shots are made with. */
static int check_chain(struct wan *w, const struct tensor *latents, struct error *e)
{
    struct wan_request request = {.prompt = w->prompt,
                                  .negative = w->negative,
                                  .padded_length = w->s.max_tokens,
                                  .guidance = {w->s.guidance[0], w->s.guidance[1]},
                                  .steps = w->s.steps,
                                  .frames = (int)latents->shape[1],
                                  .height = (int)latents->shape[2],
                                  .width = (int)latents->shape[3]};
    struct wan_sampler *sampler;
    struct wan_sampling *sampling = NULL;
    int rc;

    if (wan_sampler_load(w->p->dir, w->p->device, &sampler, e))
        return -1;
    rc = wan_sampling_open(sampler, &request, latents->data, &sampling, e);
    if (rc == 0)
        rc = take_steps(w, sampling, latents, e);
    wan_sampling_close(sampling);
    wan_sampler_free(sampler);
    return rc ? -1 : check_frames(w, latents, "chain.frames", PARITY_CHAIN, e);
}

static int check_all(struct wan *w, struct error *e)
{
    struct tensor noise;

    check_tokens(w);
    if (make_noise(w, &noise, e) || encode(w, w->s.prompt, "prompt_embeds", &w->prompt, e) ||
        encode(w, w->s.negative, "negative_prompt_embeds", &w->negative, e) ||
        check_expert(w, "transformer", e) ||
        (w->s.boundary > 0 && check_expert(w, "transformer_2", e)) || check_vae(w, e))
        return -1;
    return check_chain(w, &noise, e);
}

int parity_wan(struct parity *p, struct error *e)
{
    struct wan w = {.p = p};
    int rc = read_settings(&p->golden, &w.s, e) || load(&w, e) || check_all(&w, e) ? -1 : 0;

    tokenizer_close(w.tokenizer);
    t5_free(w.text);
    wan_vae_free(w.vae);
    arena_free(&w.arena);
    return rc;
}
