#include "stages/parity/chain.h"

#include <math.h>
#include <string.h>

#include "kernels/base/file.h"
#include "prompts/tokenizer.h"
#include "stages/generate/sampling.h"

enum { TOKENS_MAX = 4096 };
/* Normal numbers come in boxes of so many, each from as many uniform ones; seeds that are tried. */
enum { BOX = 16, SEEDS = 1 << 14 };

static const char *inside(struct chain *c, const char *name)
{
    const char *path = path_join(&c->arena, c->p->dir, name);
    return path ? path : ""; /* out of memory: opening "" fails with its own message */
}

static int choose_scheduler(struct chain *c, struct error *e)
{
    const char *sampler = "", *path;

    c->scheduler = inside(c, "scheduler/scheduler_config.json");
    if (json_get_string(c->p->golden.json, c->p->golden.path, "sampler", &sampler, e))
        return -1;
    if (!*sampler || strchr(sampler, '/'))
        return 0;
    path = arena_printf(&c->arena, "%s/scheduler.%s/scheduler_config.json", c->p->dir, sampler);
    if (!path)
        return error_memory(e);
    if (path_exists(path))
        c->scheduler = path;
    return 0;
}

static int read_settings(struct chain *c, struct error *e)
{
    const json_t *json = c->p->golden.json;
    const char *path = c->p->golden.path;
    struct generation *g = &c->g;
    double seed = 0;

    *g = (struct generation){.prompt = "", .negative = "", .frames = 1, .guidance = 1};
    c->seeded = json_object_get(json, "seed") != NULL;
    if (json_get_string(json, path, "prompt", &g->prompt, e) ||
        json_get_string(json, path, "negative_prompt", &g->negative, e) ||
        json_get_number(json, path, "seed", 0, 9007199254740992.0, &seed, e) ||
        json_get_int(json, path, "steps", 1, SAMPLER_STEPS_MAX, &g->steps, e) ||
        json_get_int(json, path, "height", 1, 65536, &g->height, e) ||
        json_get_int(json, path, "width", 1, 65536, &g->width, e) ||
        json_get_int(json, path, "frames", 1, 65536, &g->frames, e) ||
        json_get_number(json, path, "guidance", 0, 1000, &g->guidance, e) ||
        json_get_int(json, path, "decode_chunk_size", 0, 65536, &c->decode_chunk, e) ||
        json_get_int(json, path, "max_sequence_length", 0, TOKENS_MAX, &g->text_length, e))
        return -1;
    g->seed = (uint64_t)seed;
    c->pictures = g->frames;
    g->guidance_2 = g->guidance;
    if (!json_is_string(json_object_get(json, "negative_prompt")))
        g->negative = NULL;
    return json_get_number(json, path, "guidance_2", 0, 1000, &g->guidance_2, e);
}

int chain_open(struct chain *c, struct parity *p, const struct family *family, struct error *e)
{
    *c = (struct chain){.p = p, .family = family};
    return read_settings(c, e) || choose_scheduler(c, e) || family->check(p->dir, e) ? -1 : 0;
}

void chain_close(struct chain *c)
{
    conditions_free(&c->conditions);
    arena_free(&c->arena);
}

/* ---- tokens */

/* The ids of a text as golden.json lists texts: [text, ids]. */
struct ids {
    int32_t id[TOKENS_MAX];
    int count;
};

static bool encode(const struct tokenizer *t, const json_t *text, int length, struct ids *out)
{
    const char *bytes = json_string_value(text);
    size_t size = json_string_length(text);
    struct error e = {0};
    int count;

    if (!bytes)
        return false;
    if (length) {
        out->count = length;
        return tokenizer_encode_padded(t, bytes, size, out->id, length, &count, &e) == 0;
    }
    return tokenizer_encode(t, bytes, size, out->id, TOKENS_MAX, &out->count, &e) == 0;
}

static bool same(const struct ids *ours, const json_t *ids)
{
    if (json_array_size(ids) != (size_t)ours->count)
        return false;
    for (int i = 0; i < ours->count; i++)
        if (json_number_value(json_array_get(ids, (size_t)i)) != ours->id[i])
            return false;
    return true;
}

/* How many texts of a golden's tokenize.KEY have other ids than ours; -1: it has none. */
static int count_wrong(const json_t *golden, const char *key, const struct tokenizer *t, int length)
{
    const json_t *texts = json_object_get(json_object_get(golden, "tokenize"), key);
    int wrong = 0;
    struct ids ours;
    size_t i;
    json_t *pair;

    json_array_foreach(texts, i, pair)
    {
        if (!encode(t, json_array_get(pair, 0), length, &ours) ||
            !same(&ours, json_array_get(pair, 1)))
            wrong++;
    }
    return json_array_size(texts) ? wrong : -1;
}

/* Goldens of one checkpoint may contradict each other, where its tokenizer was made anew between
 * them: the one that lies there is then that of one golden only. Its name, if every text of it has
 * our ids; else NULL. */
static const char *golden_of_tokenizer(struct chain *c, const char *key, const struct tokenizer *t,
                                       int length)
{
    struct error e = {0};
    const char **names, *found = NULL;
    int count;

    if (golden_list(c->p->dir, &c->arena, &names, &count, &e))
        count = 0;
    for (int i = 0; i < count && !found; i++) {
        const char *path = path_join(&c->arena, c->p->dir, names[i]);
        json_t *golden;
        if (!path || json_read(path, &golden, &e))
            continue;
        if (count_wrong(golden, key, t, length) == 0)
            found = names[i];
        json_decref(golden);
    }
    return found;
}

int chain_check_tokens(struct chain *c, const char *folder, const char *key, int length,
                       struct error *e)
{
    const json_t *texts = json_object_get(json_object_get(c->p->golden.json, "tokenize"), key);
    int count = (int)json_array_size(texts), wrong;
    const char *other = NULL;
    char label[64], what[128];
    struct tokenizer *t;

    if (tokenizer_open(inside(c, folder), &t, e))
        return -1;
    wrong = count_wrong(c->p->golden.json, key, t, length);
    if (wrong > 0)
        other = golden_of_tokenizer(c, key, t, length);
    tokenizer_close(t);
    snprintf(label, sizeof label, "tokenize.%s", key);
    if (other)
        snprintf(what, sizeof what, "%d texts; %d are as %s has them", count, wrong, other);
    else if (wrong > 0)
        snprintf(what, sizeof what, "%d of %d texts differ", wrong, count);
    else
        snprintf(what, sizeof what, "%d texts", count);
    report_fact(&c->p->report, label, wrong == 0 || other, what);
    return 0;
}

/* ---- noise and conditions */

/* A golden that names no seed has one all the same, and mostly a small one. */
static bool find_seed(struct chain *c, const float *noise, int64_t count)
{
    int draw = count < 2 * BOX ? (int)count : 2 * BOX, compare = count < 2 * BOX ? draw : BOX;
    struct torch_random random;
    float got[2 * BOX];

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        int i = 0;
        torch_random_seed(&random, seed);
        torch_random_normal(&random, got, (size_t)draw);
        while (i < compare && fabsf(got[i] - noise[i]) < 1e-5f)
            i++;
        if (i < compare)
            continue;
        c->g.seed = seed;
        return true;
    }
    return false;
}

static void look_for_seed(struct chain *c)
{
    struct golden *g = &c->p->golden;
    const struct tensor *t = safetensors_find(g->tensors, "noise0");
    struct tensor noise;

    if (c->seeded || !t || !golden_get(g, &c->p->report, "noise0", t->rank, &noise))
        return;
    c->seeded = find_seed(c, noise.data, tensor_count(&noise));
    if (c->seeded)
        fprintf(c->p->report.out, "the golden names no seed; %llu gives its noise\n",
                (unsigned long long)c->g.seed);
    else
        fprintf(c->p->report.out, "noise is not checked: the golden names no seed\n");
}

int chain_check_noise(struct chain *c, struct error *e)
{
    struct golden *g = &c->p->golden;
    const struct tensor *noise;
    struct torch_random random;
    char name[32] = "noise0";

    look_for_seed(c);
    if (!c->seeded)
        return 0;
    torch_random_seed(&random, c->g.seed);
    for (int i = 0; (noise = safetensors_find(g->tensors, name));
         snprintf(name, sizeof name, "noise%d", ++i)) {
        int64_t count = tensor_count(noise);
        float *got = arena_array(&c->arena, (size_t)count, sizeof *got);
        if (!got)
            return error_memory(e);
        torch_random_normal(&random, got, (size_t)count);
        golden_check(g, &c->p->report, name, name, got, count, PARITY_NOISE);
    }
    return 0;
}

int chain_check_conditions(struct chain *c, struct error *e)
{
    struct golden *g = &c->p->golden;
    void *encoder;
    int rc;

    if (c->family->encoder_open(c->p->dir, c->p->device, &encoder, e))
        return -1;
    rc = c->family->encode(encoder, &c->g, &c->conditions, e);
    c->family->encoder_close(encoder);
    for (int i = 0; rc == 0 && i < c->conditions.count; i++) {
        const struct condition *one = &c->conditions.item[i];
        if (safetensors_find(g->tensors, one->name))
            golden_check(g, &c->p->report, one->name, one->name, one->value.data,
                         tensor_count(&one->value), PARITY_CONDITION);
    }
    return rc;
}

/* ---- the decoder */

struct film {
    struct chain *chain;
    struct tensor planar; /* [3, frames, height, width], as the golden has it */
};

static int keep_frame(void *ctx, int index, const float *rgb, int width, int height,
                      struct error *e)
{
    struct film *f = ctx;
    int64_t area = (int64_t)width * height, frames = f->chain->pictures;

    if (!f->planar.data)
        f->planar = TENSOR_NEW(&f->chain->arena, 3, frames, height, width);
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

static int check_frames(struct chain *c, const struct tensor *latents, const char *label,
                        enum parity_class what, struct error *e)
{
    struct film film = {.chain = c};
    void *vae;
    int rc;

    if (c->family->vae_open(c->p->dir, c->p->device, &vae, e))
        return -1;
    if (c->family->vae_chunk)
        c->family->vae_chunk(vae, c->decode_chunk);
    rc = c->family->decode(vae, latents, keep_frame, &film, e);
    c->family->vae_close(vae);
    if (rc == 0)
        golden_check(&c->p->golden, &c->p->report, "vae.frames", label, film.planar.data,
                     tensor_count(&film.planar), what);
    return rc;
}

int chain_check_decoder(struct chain *c, struct error *e)
{
    const struct tensor *t = safetensors_find(c->p->golden.tensors, "latents.final");
    struct tensor latents;

    if (!golden_get(&c->p->golden, &c->p->report, "latents.final", 4, &latents))
        return 0;
    if (t->rank == 4 && latents.shape[0] == 1) /* a picture's: [1, C, H, W] */
        latents = TENSOR_VIEW(latents, latents.shape[1], 1, latents.shape[2], latents.shape[3]);
    return check_frames(c, &latents, "vae.frames", PARITY_DECODER, e);
}

/* ---- sampling */

/* A golden whose seed is not known cannot say whether ours gives its noise: the chain starts from
 * the noise that it holds. */
static int take_noise(struct chain *c, struct sampling *s, struct error *e)
{
    const char *name = c->family->noise_before ? "noise1" : "noise0";
    const struct tensor *noise = safetensors_find(c->p->golden.tensors, name);
    float *x = s->latents.data;

    if (!noise || noise->dtype != DTYPE_F32 || tensor_count(noise) != tensor_count(&s->latents))
        return error_set(e, ERROR_MODEL, "%s names no seed, and its %s is not of the latents' size",
                         c->p->golden.path, name);
    tensor_to_f32(noise, x);
    for (int64_t i = 0; i < tensor_count(noise); i++)
        x[i] *= s->sampler.init_noise_sigma;
    return 0;
}

static int take_steps(struct chain *c, struct sampling *s, struct error *e)
{
    struct golden *g = &c->p->golden;
    struct report *r = &c->p->report;
    int64_t count = tensor_count(&s->latents);
    char name[64];

    for (int i = 0; i < c->g.steps; i++) {
        if (sampling_step(s, e))
            return -1;
        snprintf(name, sizeof name, "latents.step%d", i);
        golden_check(g, r, name, name, s->latents.data, count, PARITY_CHAIN);
    }
    golden_check(g, r, "latents.final", "latents.final", s->latents.data, count, PARITY_CHAIN);
    return 0;
}

/* As shots are sampled. */
static int sample(struct chain *c, void *model, struct sampling *s, struct error *e)
{
    struct sampler_config config;

    if (sampler_config_read(c->scheduler, &config, e) ||
        sampling_open(s, c->family, model, &config, &c->g, &c->conditions, e) ||
        (!c->seeded && take_noise(c, s, e)))
        return -1;
    return take_steps(c, s, e);
}

int chain_check_sampling(struct chain *c, struct error *e)
{
    struct sampling s = {0};
    void *model;
    int rc;

    if (c->family->model_open(c->p->dir, c->p->device, &model, e))
        return -1;
    rc = sample(c, model, &s, e);
    c->family->model_close(model);
    if (rc == 0)
        rc = check_frames(c, &s.latents, "chain.frames", PARITY_CHAIN, e);
    sampling_close(&s);
    return rc;
}
