/* CogVideoX: T5, a transformer of either form, DDIM, a causal VAE that decodes in batches. */
#include <string.h>

#include "kernels/base/file.h"
#include "prompts/tokenizer.h"
#include "stages/generate/cogvideox.h"
#include "stages/generate/cogvideox_transformer.h"
#include "stages/parity/families.h"

enum { TOKENS_MAX = 4096, CALLS_MAX = 16 };

static const struct family *const family = &family_cogvideox;

struct check {
    struct parity *p;
    struct arena arena;
    struct generation g;
    bool seeded; /* the golden names a seed */
};

static int read_settings(struct check *c, struct error *e)
{
    const json_t *json = c->p->golden.json;
    const char *path = c->p->golden.path;
    struct generation *g = &c->g;
    double seed = 0;
    bool dynamic = false;

    g->negative = "";
    g->guidance = -1;
    c->seeded = json_object_get(json, "seed") != NULL;
    if (json_get_string(json, path, "prompt", &g->prompt, e) ||
        json_get_string(json, path, "negative_prompt", &g->negative, e) ||
        json_get_number(json, path, "seed", 0, 9007199254740992.0, &seed, e) ||
        json_get_int(json, path, "steps", 1, SAMPLER_STEPS_MAX, &g->steps, e) ||
        json_get_int(json, path, "height", 1, 65536, &g->height, e) ||
        json_get_int(json, path, "width", 1, 65536, &g->width, e) ||
        json_get_int(json, path, "frames", 1, 65536, &g->frames, e) ||
        json_get_int(json, path, "max_sequence_length", 0, TOKENS_MAX, &g->text_length, e) ||
        json_get_number(json, path, "guidance", 0, 1000, &g->guidance, e) ||
        json_get_bool(json, path, "dynamic_cfg", &dynamic, e))
        return -1;
    g->seed = (uint64_t)seed;
    if (json_object_get(json, "dynamic_cfg"))
        g->dynamic_guidance = dynamic ? 1 : -1;
    return 0;
}

static const char *inside(struct check *c, const char *name)
{
    const char *path = path_join(&c->arena, c->p->dir, name);
    return path ? path : ""; /* out of memory: opening "" fails with its own message */
}

/* ---- tokens, and what the denoiser is given */

static bool same_ids(const struct tokenizer *t, const json_t *text, const json_t *ids)
{
    int32_t got[TOKENS_MAX];
    struct error e = {0};
    int count;

    if (!json_is_string(text) ||
        tokenizer_encode(t, json_string_value(text), json_string_length(text), got, TOKENS_MAX,
                         &count, &e) ||
        json_array_size(ids) != (size_t)count)
        return false;
    for (int i = 0; i < count; i++)
        if (json_number_value(json_array_get(ids, (size_t)i)) != got[i])
            return false;
    return true;
}

static int check_tokens(struct check *c, struct error *e)
{
    const json_t *texts = json_object_get(json_object_get(c->p->golden.json, "tokenize"), "t5");
    struct report *r = &c->p->report;
    size_t i, wrong = 0;
    struct tokenizer *t;
    char what[64];
    json_t *pair;

    if (tokenizer_open(inside(c, "tokenizer"), &t, e))
        return -1;
    json_array_foreach(texts, i, pair)
    {
        if (same_ids(t, json_array_get(pair, 0), json_array_get(pair, 1)))
            continue;
        wrong++;
        snprintf(what, sizeof what, "text %zu differs", i);
        report_fact(r, "tokenize.t5", false, what);
    }
    tokenizer_close(t);
    snprintf(what, sizeof what, "%zu texts", json_array_size(texts));
    if (wrong == 0)
        report_fact(r, "tokenize.t5", json_array_size(texts) > 0, what);
    return 0;
}

static int encode(struct check *c, struct conditions *conditions, struct error *e)
{
    void *encoder;
    int rc;

    if (family->encoder_open(c->p->dir, c->p->device, &encoder, e))
        return -1;
    rc = family->encode(encoder, &c->g, conditions, e);
    family->encoder_close(encoder);
    for (int i = 0; i < conditions->count && rc == 0; i++) {
        const struct condition *one = &conditions->item[i];
        golden_check(&c->p->golden, &c->p->report, one->name, one->name, one->value.data,
                     tensor_count(&one->value), PARITY_MODULE);
    }
    return rc;
}

/* ---- the denoiser */

/* The golden has each of our values twice. */
static void check_table(struct check *c, const char *name, const char *label,
                        const struct tensor *ours)
{
    int64_t rows = ours->shape[0], pairs = ours->shape[1];
    struct tensor twice = TENSOR_NEW(&c->arena, rows, 2 * pairs);

    if (!twice.data) {
        report_fact(&c->p->report, label, false, "out of memory");
        return;
    }
    for (int64_t i = 0; i < 2 * rows * pairs; i++)
        ((float *)twice.data)[i] = ((const float *)ours->data)[i / 2];
    golden_check(&c->p->golden, &c->p->report, name, label, twice.data, tensor_count(&twice),
                 PARITY_MODULE);
}

static int check_positions(struct check *c, const struct cogvideox_transformer *m,
                           const int64_t shape[4], struct error *e)
{
    int64_t tokens = cogvideox_tokens(m, shape);
    struct tensor cosines = TENSOR_NEW(&c->arena, tokens, cogvideox_head_pairs(m));
    struct tensor sines = TENSOR_NEW(&c->arena, tokens, cogvideox_head_pairs(m));

    if (!cosines.data || !sines.data)
        return error_memory(e);
    cogvideox_rotary_tables(m, shape, cosines.data, sines.data);
    check_table(c, "transformer.call0.in.image_rotary_emb.0", "rotary.cos", &cosines);
    check_table(c, "transformer.call0.in.image_rotary_emb.1", "rotary.sin", &sines);
    return 0;
}

/* Item 0 of [items, ...]: the pipeline gives every item the same. */
static struct tensor first_item(const struct tensor *t)
{
    struct tensor one = tensor_slice(*t, 0, 0, 1);
    return tensor_view(one, t->rank - 1, t->shape + 1);
}

static int check_call(struct check *c, struct cogvideox_transformer *m, int call, struct error *e)
{
    struct golden *g = &c->p->golden;
    struct report *r = &c->p->report;
    struct tensor latents, text, timestep, out, one;
    char in[64], words[64], time[64], name[64];

    snprintf(in, sizeof in, "transformer.call%d.in.hidden_states", call);
    snprintf(words, sizeof words, "transformer.call%d.in.encoder_hidden_states", call);
    snprintf(time, sizeof time, "transformer.call%d.in.timestep", call);
    snprintf(name, sizeof name, "transformer.call%d.out", call);
    if (!golden_get(g, r, in, 5, &latents) || !golden_get(g, r, words, 3, &text) ||
        !golden_get(g, r, time, 1, &timestep))
        return 0;
    if (text.shape[0] != latents.shape[0])
        return error_set(e, ERROR_MODEL, "%s: %s and %s are of different batches", g->path, in,
                         words);
    one = first_item(&latents);
    out = tensor_new(&c->arena, 5, latents.shape);
    if (!out.data)
        return error_memory(e);
    if (call == 0 && cogvideox_transformer_sizes(m)->rotary && check_positions(c, m, one.shape, e))
        return -1;
    if (cogvideox_transformer_prepare(m, &text, one.shape, e) ||
        cogvideox_transformer_forward(m, &one, *(float *)timestep.data, &out, e))
        return -1;
    golden_check(g, r, name, name, out.data, tensor_count(&out), PARITY_MODULE);
    return 0;
}

static int check_transformer(struct check *c, struct error *e)
{
    struct cogvideox_transformer *m;
    int rc, call = 0;
    char name[64];

    if (cogvideox_transformer_load(inside(c, "transformer"), c->p->device, &m, e))
        return -1;
    do {
        rc = check_call(c, m, call++, e);
        snprintf(name, sizeof name, "transformer.call%d.out", call);
    } while (rc == 0 && call < CALLS_MAX && safetensors_find(c->p->golden.tensors, name));
    cogvideox_transformer_free(m);
    return rc;
}

/* ---- the VAE */

struct film {
    struct golden *golden;
    struct tensor planar; /* [3, frames, height, width], as the golden has it */
    int frames;           /* that came */
};

static int keep_frame(void *ctx, int index, const float *rgb, int width, int height,
                      struct error *e)
{
    struct film *f = ctx;
    int64_t area = (int64_t)width * height;

    if (index >= f->planar.shape[1] || width != f->planar.shape[3] || height != f->planar.shape[2])
        return error_set(e, ERROR_MODEL,
                         "%s: vae.frames has another size: the VAE made a frame of %d x %d, "
                         "number %d",
                         f->golden->path, width, height, index);
    for (int64_t i = 0; i < area; i++)
        for (int c = 0; c < 3; c++)
            ((float *)f->planar.data)[(c * f->planar.shape[1] + index) * area + i] = rgb[i * 3 + c];
    f->frames++;
    return 0;
}

static int check_frames(struct check *c, const struct tensor *latents, const char *label,
                        enum parity_class what, struct error *e)
{
    struct golden *g = &c->p->golden;
    struct film film = {.golden = g};
    void *vae;
    int rc;

    if (!golden_get(g, &c->p->report, "vae.frames", 4, &film.planar))
        return 0;
    memset(film.planar.data, 0, (size_t)tensor_count(&film.planar) * sizeof(float));
    if (family->vae_open(c->p->dir, c->p->device, &vae, e))
        return -1;
    rc = family->decode(vae, latents, keep_frame, &film, e);
    family->vae_close(vae);
    if (rc == 0 && film.frames != film.planar.shape[1])
        report_fact(&c->p->report, label, false, "too few frames");
    else if (rc == 0)
        golden_check(g, &c->p->report, "vae.frames", label, film.planar.data,
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
    struct golden *g = &c->p->golden;
    struct report *r = &c->p->report;
    struct tensor out = tensor_new(&c->arena, 4, latents->shape);
    char name[64];

    if (!out.data)
        return error_memory(e);
    if (family->begin(model, &c->g, conditions, sampler, e))
        return -1;
    for (int i = 0; i < c->g.steps; i++) {
        if (family->predict(model, latents, i, &out, e))
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

    if (family->latents_shape(model, &c->g, shape, e) ||
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
    struct tensor latents;
    void *model;
    int rc;

    if (family->model_open(c->p->dir, c->p->device, &model, e))
        return -1;
    rc = sample(c, model, conditions, &latents, e);
    family->model_close(model);
    return rc ? -1 : check_frames(c, &latents, "chain.frames", PARITY_CHAIN, e);
}

int parity_cogvideox(struct parity *p, struct error *e)
{
    struct check c = {.p = p};
    struct conditions conditions = {0};
    int rc = read_settings(&c, e) || family->check(p->dir, e) || check_tokens(&c, e) ||
                     encode(&c, &conditions, e) || check_transformer(&c, e) || check_vae(&c, e) ||
                     check_chain(&c, &conditions, e)
                 ? -1
                 : 0;

    conditions_free(&conditions);
    arena_free(&c.arena);
    return rc;
}
