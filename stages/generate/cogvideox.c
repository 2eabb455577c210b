#include "stages/generate/cogvideox.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/config.h"
#include "stages/decode/cogvideox_vae.h"
#include "stages/generate/t5_text.h"
#include "stages/generate/cogvideox_transformer.h"

/* ---- the checkpoint */

/* What the parts of a checkpoint must agree on, and how pixels become latents. */
struct form {
    int space, time; /* pixels and pictures a latent */
    int channels;
};

static int load_vae(const char *dir, struct device *d, struct cogvideox_vae **out, struct error *e)
{
    struct arena a = {0};
    const char *path = path_join(&a, dir, "vae");
    int rc = path ? cogvideox_vae_load(path, d, out, e) : error_memory(e);

    arena_free(&a);
    return rc;
}

static int read_form(const char *dir, struct form *f, struct error *e)
{
    struct cogvideox_vae *v;

    if (load_vae(dir, NULL, &v, e))
        return -1;
    *f = (struct form){cogvideox_vae_space_factor(v), cogvideox_vae_time_factor(v),
                       cogvideox_vae_channels(v)};
    cogvideox_vae_free(v);
    return 0;
}

static int load_transformer(const char *dir, struct device *d, struct cogvideox_transformer **out,
                            struct error *e)
{
    struct arena a = {0};
    const char *path = path_join(&a, dir, "transformer");
    int rc = path ? cogvideox_transformer_load(path, d, out, e) : error_memory(e);

    arena_free(&a);
    return rc;
}

static int check_scheduler(const char *dir, struct error *e)
{
    struct sampler_config config;
    struct arena a = {0};
    const char *path = path_join(&a, dir, "scheduler/scheduler_config.json");
    int rc = path ? sampler_config_read(path, &config, e) : error_memory(e);

    arena_free(&a);
    return rc;
}

static int check_widths(const char *dir, const struct cogvideox_transformer *m, int text_width,
                        struct error *e)
{
    const struct cogvideox_sizes *s = cogvideox_transformer_sizes(m);
    struct form form;

    if (read_form(dir, &form, e))
        return -1;
    if (s->channels != form.channels)
        return error_set(e, ERROR_MODEL,
                         "%s: the transformer's in_channels (%d) are not the VAE's latent_channels "
                         "(%d)",
                         dir, s->channels, form.channels);
    if (s->text_width != text_width)
        return error_set(e, ERROR_MODEL,
                         "%s: the transformer's text_embed_dim (%d) is not the text encoder's "
                         "d_model (%d)",
                         dir, s->text_width, text_width);
    return 0;
}

/* ---- words */

/* How many tokens of a text the denoiser was trained on. */
static int read_text_length(const char *dir, int *length, struct error *e)
{
    struct arena a = {0};
    struct config c = {0};
    const char *path = path_join(&a, dir, "transformer");
    int rc = path ? config_open(path, NULL, &c, e) : error_memory(e);

    *length = 226;
    if (rc == 0)
        rc = config_int(&c, "max_text_seq_length", 2, T5_TEXT_MAX, length, e);
    config_close(&c);
    arena_free(&a);
    return rc;
}

static int encoder_open(const char *dir, struct device *d, void **encoder, struct error *e)
{
    struct t5_text *t = NULL;
    int length, rc = read_text_length(dir, &length, e);

    if (rc == 0)
        rc = t5_text_open(dir, T5_PADDING_READ, length, d, &t, e);
    *encoder = t;
    return rc;
}

static int encode(void *encoder, const struct generation *g, struct conditions *out,
                  struct error *e)
{
    return t5_text_encode(encoder, g, g->guidance > 1, out, e);
}

static void encoder_close(void *encoder)
{
    t5_text_close(encoder);
}

static int check(const char *dir, struct error *e)
{
    struct cogvideox_transformer *m;
    void *encoder;
    int rc;

    if (check_scheduler(dir, e) || encoder_open(dir, NULL, &encoder, e))
        return -1;
    rc = load_transformer(dir, NULL, &m, e);
    if (rc == 0) {
        rc = check_widths(dir, m, t5_text_width(encoder), e);
        cogvideox_transformer_free(m);
    }
    encoder_close(encoder);
    return rc;
}

/* ---- the denoiser */

struct model {
    struct cogvideox_transformer *transformer;
    struct form form;
    struct arena shot;
    struct tensor out; /* [items, T, C, H, W]: without the prompt where there are two, and with */
    const struct generation *generation;
    const struct sampler *sampler;
    struct step_cache cache;
};

static void model_close(void *model)
{
    struct model *m = model;

    if (!m)
        return;
    cogvideox_transformer_free(m->transformer);
    step_cache_free(&m->cache);
    arena_free(&m->shot);
    free(m);
}

static int model_open(const char *dir, struct device *d, void **model, struct error *e)
{
    struct model *m = calloc(1, sizeof *m);

    if (!m)
        return error_memory(e);
    if (read_form(dir, &m->form, e) || load_transformer(dir, d, &m->transformer, e)) {
        model_close(m);
        return -1;
    }
    *model = m;
    return 0;
}

static int latents_shape(void *model, const struct generation *g, int64_t shape[4], struct error *e)
{
    const struct model *m = model;
    const struct cogvideox_sizes *s = cogvideox_transformer_sizes(m->transformer);
    int side = m->form.space * s->patch, frames;

    if (g->width < side || g->height < side || g->width % side || g->height % side)
        return error_set(e, ERROR_INPUT,
                         "%d x %d: CogVideoX makes pictures of widths and heights that are "
                         "multiples of %d",
                         g->width, g->height, side);
    if (g->frames < 1 || (g->frames - 1) % m->form.time)
        return error_set(e, ERROR_INPUT,
                         "%d frames: CogVideoX makes one more than a multiple of %d", g->frames,
                         m->form.time);
    frames = (g->frames - 1) / m->form.time + 1;
    if (frames % s->patch_t != 1 % s->patch_t)
        return error_set(e, ERROR_INPUT,
                         "%d frames: this CogVideoX makes one more than a multiple of %d",
                         g->frames, m->form.time * s->patch_t);
    shape[0] = frames + s->patch_t - 1;
    shape[1] = s->channels;
    shape[2] = g->height / m->form.space;
    shape[3] = g->width / m->form.space;
    return 0;
}

/* The texts that a step's predictions are for: [negative, prompt], or the prompt alone. */
static int gather_texts(const struct conditions *c, bool guided, struct arena *a,
                        struct tensor *out, struct error *e)
{
    const struct tensor *text[2] = {conditions_find(c, "negative_prompt_embeds"),
                                    conditions_find(c, "prompt_embeds")};
    int from = guided ? 0 : 1;
    int64_t shape[3], count;

    for (int i = from; i < 2; i++)
        if (!text[i] || text[i]->rank != 2 || tensor_count(text[i]) != tensor_count(text[1]))
            return error_set(e, ERROR_INTERNAL, "CogVideoX: the %s was not encoded",
                             i ? "prompt" : "negative prompt");
    shape[0] = 2 - from;
    shape[1] = text[1]->shape[0];
    shape[2] = text[1]->shape[1];
    *out = tensor_new(a, 3, shape);
    if (!out->data)
        return error_memory(e);
    count = tensor_count(text[1]);
    for (int i = from; i < 2; i++)
        memcpy((float *)out->data + (i - from) * count, text[i]->data,
               (size_t)count * sizeof(float));
    return 0;
}

static int begin(void *model, const struct generation *g, const struct conditions *c,
                 const struct sampler *s, struct error *e)
{
    struct model *m = model;
    bool guided = g->guidance > 1;
    struct arena scratch = {0};
    int64_t shape[4];
    struct tensor text;
    int rc;

    if (latents_shape(m, g, shape, e))
        return -1;
    m->generation = g;
    m->sampler = s;
    cogvideox_transformer_cache(m->transformer, &m->cache);
    step_cache_begin(&m->cache, g->step_cache.mode, g->step_cache.threshold, s->steps);
    arena_free(&m->shot);
    m->out = TENSOR_NEW(&m->shot, guided ? 2 : 1, shape[0], shape[1], shape[2], shape[3]);
    if (!m->out.data)
        return error_memory(e);
    rc = gather_texts(c, guided, &scratch, &text, e);
    if (rc == 0)
        rc = cogvideox_transformer_prepare(m->transformer, &text, shape, e);
    arena_free(&scratch);
    return rc;
}

static bool is_dynamic(const struct model *m)
{
    int asked = m->generation->dynamic_guidance;
    return asked ? asked > 0 : cogvideox_transformer_sizes(m->transformer)->rotary;
}

static int predict(void *model, const struct tensor *latents, int i, struct tensor *out,
                   struct error *e)
{
    struct model *m = model;
    float timestep = m->sampler->timesteps[i], *to = out->data;
    const float *without = m->out.data, *with = without;
    int64_t count = tensor_count(out);
    double guidance = m->generation->guidance;

    step_cache_step(&m->cache, i);
    if (cogvideox_transformer_forward(m->transformer, latents, timestep, &m->out, e))
        return -1;
    if (m->out.shape[0] == 1) {
        memcpy(to, with, (size_t)count * sizeof(float));
        return 0;
    }
    if (is_dynamic(m))
        guidance = sampler_dynamic_guidance(guidance, m->sampler->steps, timestep);
    with += count;
    sampler_guide(to, without, with, (float)guidance, count);
    return 0;
}

static const struct step_cache *cache_of(void *model)
{
    const struct model *m = model;
    return &m->cache;
}

/* ---- the decoder */

struct decoder {
    struct cogvideox_vae *vae;
    int extra; /* latent frames at the beginning that only fill the denoiser's patches */
};

static int read_extra(const char *dir, int *extra, struct error *e)
{
    struct arena a = {0};
    const char *path = path_join(&a, dir, "transformer");
    struct config c = {0};
    int patch_t = 0, rc = path ? config_open(path, NULL, &c, e) : error_memory(e);

    if (rc == 0)
        rc = config_int(&c, "patch_size_t", 0, 16, &patch_t, e);
    *extra = patch_t > 1 ? patch_t - 1 : 0;
    config_close(&c);
    arena_free(&a);
    return rc;
}

static void vae_close(void *vae)
{
    struct decoder *v = vae;

    if (!v)
        return;
    cogvideox_vae_free(v->vae);
    free(v);
}

static int vae_open(const char *dir, struct device *d, void **vae, struct error *e)
{
    struct decoder *v = calloc(1, sizeof *v);

    if (!v)
        return error_memory(e);
    if (read_extra(dir, &v->extra, e) || load_vae(dir, d, &v->vae, e)) {
        vae_close(v);
        return -1;
    }
    *vae = v;
    return 0;
}

static int decode(void *vae, const struct tensor *latents, family_frame_fn *frame, void *ctx,
                  struct error *e)
{
    struct decoder *v = vae;
    struct tensor asked = *latents;

    if (latents->rank == 4 && latents->shape[0] > v->extra)
        asked = tensor_slice(*latents, 0, v->extra, latents->shape[0] - v->extra);
    return cogvideox_vae_decode(v->vae, &asked, frame, ctx, e);
}

static int vae_factor(void *vae)
{
    return cogvideox_vae_space_factor(((struct decoder *)vae)->vae);
}

static size_t vae_bytes(void *vae, const int64_t shape[4])
{
    const struct decoder *v = vae;
    return cogvideox_vae_bytes(v->vae, shape[0] - v->extra, shape[2], shape[3]);
}

const struct family family_cogvideox = {
    .name = "cogvideox",
    .pipelines = (const char *const[]){"CogVideoXPipeline", NULL},
    .parts = (const char *const[]){"tokenizer", "text_encoder", "transformer", "scheduler", NULL},
    .size_multiple = 16,
    .frame_multiple = 8,
    .frames_max = 49,
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
    .vae_open = vae_open,
    .vae_close = vae_close,
    .vae_factor = vae_factor,
    .vae_bytes = vae_bytes,
    .decode = decode,
};
