/* HunyuanVideo: LLaMA and CLIP, one transformer with its guidance inside, flow-match Euler, causal
 * VAE. */
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "prompts/tokenizer.h"
#include "stages/generate/family.h"
#include "stages/generate/hunyuan_text.h"
#include "stages/generate/hunyuan_transformer.h"
#include "stages/parity/families.h"

enum { TOKENS_MAX = 4096, CALLS_MAX = 16 };

struct check {
    struct parity *p;
    struct arena arena;
    struct generation g;
    bool seeded; /* the golden names a seed */
    const char *template;
    int crop_start;
};

static int read_settings(struct check *c, struct error *e)
{
    const json_t *json = c->p->golden.json;
    const char *path = c->p->golden.path;
    struct generation *g = &c->g;
    double seed = 0;

    g->negative = "";
    g->guidance = -1;
    g->text_length = HUNYUAN_TEXT_LENGTH;
    c->seeded = json_object_get(json, "seed") != NULL;
    if (json_get_string(json, path, "prompt", &g->prompt, e) ||
        json_get_number(json, path, "seed", 0, 9007199254740992.0, &seed, e) ||
        json_get_int(json, path, "steps", 1, SAMPLER_STEPS_MAX, &g->steps, e) ||
        json_get_int(json, path, "height", 1, 65536, &g->height, e) ||
        json_get_int(json, path, "width", 1, 65536, &g->width, e) ||
        json_get_int(json, path, "frames", 1, 65536, &g->frames, e) ||
        json_get_int(json, path, "max_sequence_length", 1, TOKENS_MAX, &g->text_length, e) ||
        json_get_number(json, path, "guidance", 0, 1000, &g->guidance, e) ||
        json_get_string(json, path, "template", &c->template, e) ||
        json_get_int(json, path, "crop_start", 1, TOKENS_MAX, &c->crop_start, e))
        return -1;
    g->seed = (uint64_t)seed;
    return 0;
}

static const char *inside(struct check *c, const char *name)
{
    const char *path = path_join(&c->arena, c->p->dir, name);
    return path ? path : ""; /* out of memory: opening "" fails with its own message */
}

/* ---- tokens */

/* length: what the reference library padded to and cut at; 0: neither. */
static bool same_ids(const struct tokenizer *t, const json_t *text, const json_t *ids, int length)
{
    int32_t got[TOKENS_MAX];
    struct error e = {0};
    const char *bytes = json_string_value(text);
    int count, rc;

    if (!bytes)
        return false;
    rc = length
             ? tokenizer_encode_padded(t, bytes, json_string_length(text), got, length, &count, &e)
             : tokenizer_encode(t, bytes, json_string_length(text), got, TOKENS_MAX, &count, &e);
    if (rc || json_array_size(ids) != (size_t)(length ? length : count))
        return false;
    for (size_t i = 0; i < json_array_size(ids); i++)
        if (json_number_value(json_array_get(ids, i)) != got[i])
            return false;
    return true;
}

static int check_tokens(struct check *c, const char *folder, const char *key, const char *label,
                        int length, struct error *e)
{
    const json_t *texts = json_object_get(json_object_get(c->p->golden.json, "tokenize"), key);
    struct report *r = &c->p->report;
    struct tokenizer *t;
    json_t *pair;
    size_t i, wrong = 0;
    char what[64];

    if (tokenizer_open(inside(c, folder), &t, e))
        return -1;
    json_array_foreach(texts, i, pair)
    {
        if (same_ids(t, json_array_get(pair, 0), json_array_get(pair, 1), length))
            continue;
        wrong++;
        snprintf(what, sizeof what, "text %zu differs", i);
        report_fact(r, label, false, what);
    }
    tokenizer_close(t);
    snprintf(what, sizeof what, "%zu texts", json_array_size(texts));
    if (wrong == 0)
        report_fact(r, label, json_array_size(texts) > 0, what);
    return 0;
}

/* ---- what the denoiser is given */

static void check_template(struct check *c, const struct hunyuan_text *t)
{
    char what[64];

    if (c->template)
        report_fact(&c->p->report, "template",
                    strcmp(c->template, HUNYUAN_TEMPLATE_HEAD "{}" HUNYUAN_TEMPLATE_TAIL) == 0, "");
    if (c->crop_start) {
        snprintf(what, sizeof what, "%d, ours %d", c->crop_start, hunyuan_text_crop(t));
        report_fact(&c->p->report, "crop_start", hunyuan_text_crop(t) == c->crop_start, what);
    }
}

static int encode(struct check *c, struct conditions *conditions, struct error *e)
{
    const struct family *f = &family_hunyuan_video;
    void *encoder;
    int rc;

    if (f->encoder_open(c->p->dir, c->p->device, &encoder, e))
        return -1;
    check_template(c, encoder);
    rc = f->encode(encoder, &c->g, conditions, e);
    f->encoder_close(encoder);
    for (int i = 0; i < conditions->count && rc == 0; i++) {
        const struct condition *one = &conditions->item[i];
        golden_check(&c->p->golden, &c->p->report, one->name, one->name, one->value.data,
                     tensor_count(&one->value), PARITY_MODULE);
    }
    return rc;
}

/* ---- single calls of the transformer */

static bool get_input(struct check *c, int call, const char *name, int rank, struct tensor *out)
{
    char full[96];

    snprintf(full, sizeof full, "transformer.call%d.in.%s", call, name);
    return golden_get(&c->p->golden, &c->p->report, full, rank, out);
}

static int check_call(struct check *c, struct hunyuan_transformer *m, int call, struct error *e)
{
    struct tensor latents, timestep, text, mask, pooled, guidance, out;
    struct hunyuan_conditioning *prompt;
    int64_t words = 0;
    char name[64];
    int rc;

    if (!get_input(c, call, "hidden_states", 4, &latents) ||
        !get_input(c, call, "timestep", 1, &timestep) ||
        !get_input(c, call, "encoder_hidden_states", 2, &text) ||
        !get_input(c, call, "encoder_attention_mask", 1, &mask) ||
        !get_input(c, call, "pooled_projections", 1, &pooled) ||
        !get_input(c, call, "guidance", 1, &guidance))
        return 0;
    while (words < text.shape[0] && words < mask.shape[0] && ((float *)mask.data)[words] != 0)
        words++;
    text = tensor_slice(text, 0, 0, words);
    out = tensor_new(&c->arena, 4, latents.shape);
    if (!out.data)
        return error_memory(e);
    if (hunyuan_transformer_prepare(m, &text, &pooled, *(float *)guidance.data / 1000, &prompt, e))
        return -1;
    rc = hunyuan_transformer_forward(m, prompt, &latents, *(float *)timestep.data, &out, e);
    hunyuan_conditioning_free(prompt);
    snprintf(name, sizeof name, "transformer.call%d.out", call);
    if (rc == 0)
        golden_check(&c->p->golden, &c->p->report, name, name, out.data, tensor_count(&out),
                     PARITY_MODULE);
    return rc;
}

static int check_calls(struct check *c, struct error *e)
{
    struct hunyuan_transformer *m;
    char name[64];
    int rc, call = 0;

    if (hunyuan_transformer_load(inside(c, "transformer"), c->p->device, &m, e))
        return -1;
    do {
        rc = check_call(c, m, call++, e);
        snprintf(name, sizeof name, "transformer.call%d.out", call);
    } while (rc == 0 && call < CALLS_MAX && safetensors_find(c->p->golden.tensors, name));
    hunyuan_transformer_free(m);
    return rc;
}

/* ---- the VAE */

struct film {
    struct check *check;
    struct tensor planar; /* [3, frames, height, width], as the golden has it */
};

static int keep_frame(void *ctx, int index, const float *rgb, int width, int height,
                      struct error *e)
{
    struct film *f = ctx;
    int64_t area = (int64_t)width * height, frames = f->check->g.frames;

    if (!f->planar.data)
        f->planar = TENSOR_NEW(&f->check->arena, 3, frames, height, width);
    if (!f->planar.data)
        return error_memory(e);
    if (index >= frames || width != f->planar.shape[3] || height != f->planar.shape[2])
        return error_set(e, ERROR_MODEL, "the VAE made a frame of %d x %d, number %d", width,
                         height, index);
    for (int64_t i = 0; i < area; i++)
        for (int k = 0; k < 3; k++)
            ((float *)f->planar.data)[(k * frames + index) * area + i] = rgb[i * 3 + k];
    return 0;
}

static int check_frames(struct check *c, const struct tensor *latents, const char *label,
                        enum parity_class what, struct error *e)
{
    const struct family *f = &family_hunyuan_video;
    struct film film = {.check = c};
    void *vae;
    int rc;

    if (f->vae_open(c->p->dir, c->p->device, &vae, e))
        return -1;
    rc = f->decode(vae, latents, keep_frame, &film, e);
    f->vae_close(vae);
    if (rc == 0)
        golden_check(&c->p->golden, &c->p->report, "vae.frames", label, film.planar.data,
                     tensor_count(&film.planar), what);
    return rc;
}

static int check_vae(struct check *c, struct error *e)
{
    struct tensor latents;

    if (!golden_get(&c->p->golden, &c->p->report, "latents.final", 4, &latents))
        return 0;
    return check_frames(c, &latents, "vae.frames", PARITY_MODULE, e);
}

/* ---- the whole chain */

/* A golden that names no seed cannot say whether ours gives its noise: the chain starts from the
 * noise that it holds. */
static int make_noise(struct check *c, struct tensor *latents, struct error *e)
{
    struct golden *g = &c->p->golden;
    struct torch_random random;
    struct tensor noise;

    if (c->seeded) {
        torch_random_seed(&random, c->g.seed);
        torch_random_normal(&random, latents->data, (size_t)tensor_count(latents));
        golden_check(g, &c->p->report, "noise0", "noise0", latents->data, tensor_count(latents),
                     PARITY_NOISE);
        return 0;
    }
    if (!golden_get(g, &c->p->report, "noise0", 4, &noise) ||
        tensor_count(&noise) != tensor_count(latents))
        return error_set(e, ERROR_MODEL,
                         "%s names no seed, and its noise0 is not of the latents' size", g->path);
    memcpy(latents->data, noise.data, (size_t)tensor_count(latents) * sizeof(float));
    fprintf(c->p->report.out, "%-34s not checked: the golden names no seed\n", "noise0");
    return 0;
}

static int take_steps(struct check *c, void *model, const struct conditions *conditions,
                      struct sampler *sampler, struct tensor *latents, struct error *e)
{
    const struct family *f = &family_hunyuan_video;
    struct golden *g = &c->p->golden;
    struct report *r = &c->p->report;
    struct tensor out = tensor_new(&c->arena, 4, latents->shape);
    char name[64];

    if (!out.data)
        return error_memory(e);
    if (f->begin(model, &c->g, conditions, sampler, e))
        return -1;
    for (int i = 0; i < c->g.steps; i++) {
        if (f->predict(model, latents, i, &out, e))
            return -1;
        sampler_step(sampler, out.data, latents->data);
        snprintf(name, sizeof name, "latents.step%d", i);
        golden_check(g, r, name, name, latents->data, tensor_count(latents), PARITY_CHAIN);
    }
    golden_check(g, r, "latents.final", "latents.final", latents->data, tensor_count(latents),
                 PARITY_CHAIN);
    return 0;
}

static int sample(struct check *c, void *model, const struct conditions *conditions,
                  struct tensor *latents, struct error *e)
{
    struct sampler_config config;
    struct sampler sampler = {0};
    int64_t shape[4];
    int rc;

    if (family_hunyuan_video.latents_shape(model, &c->g, shape, e) ||
        sampler_config_read(inside(c, "scheduler/scheduler_config.json"), &config, e))
        return -1;
    *latents = tensor_new(&c->arena, 4, shape);
    if (!latents->data)
        return error_memory(e);
    rc = make_noise(c, latents, e) ||
                 sampler_init(&sampler, &config, c->g.steps, (size_t)tensor_count(latents), NULL,
                              e) ||
                 take_steps(c, model, conditions, &sampler, latents, e)
             ? -1
             : 0;
    sampler_free(&sampler);
    return rc;
}

/* From a seed and conditions of our own. */
static int check_chain(struct check *c, const struct conditions *conditions, struct error *e)
{
    const struct family *f = &family_hunyuan_video;
    struct tensor latents;
    void *model;
    int rc;

    if (f->model_open(c->p->dir, c->p->device, &model, e))
        return -1;
    rc = sample(c, model, conditions, &latents, e);
    f->model_close(model);
    return rc ? -1 : check_frames(c, &latents, "chain.frames", PARITY_CHAIN, e);
}

int parity_hunyuan_video(struct parity *p, struct error *e)
{
    struct check c = {.p = p};
    struct conditions conditions = {0};
    int rc = read_settings(&c, e) || family_hunyuan_video.check(p->dir, e) ||
                     check_tokens(&c, "tokenizer", "llama", "tokenize.llama", 0, e) ||
                     check_tokens(&c, "tokenizer_2", "clip", "tokenize.clip", 77, e) ||
                     encode(&c, &conditions, e) || check_calls(&c, e) || check_vae(&c, e) ||
                     check_chain(&c, &conditions, e)
                 ? -1
                 : 0;

    conditions_free(&conditions);
    arena_free(&c.arena);
    return rc;
}
