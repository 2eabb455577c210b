/* HunyuanVideo as a family: LLaMA and CLIP read the prompt, the transformer is told its guidance,
 * and there is one pass a step. */
#include "stages/generate/family.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "stages/decode/hunyuan_vae.h"
#include "stages/generate/hunyuan_text.h"
#include "stages/generate/hunyuan_transformer.h"

static const char *inside(struct arena *a, const char *dir, const char *name)
{
    const char *path = path_join(a, dir, name);
    return path ? path : ""; /* out of memory: opening "" fails with its own message */
}

/* ---- check */

static int check_widths(const struct hunyuan_transformer *m, const struct hunyuan_vae *v,
                        const struct hunyuan_text *t, const char *dir, struct error *e)
{
    if (hunyuan_text_width(t) != hunyuan_transformer_text_dim(m) ||
        hunyuan_text_pooled_width(t) != hunyuan_transformer_pooled_dim(m))
        return error_set(e, ERROR_MODEL,
                         "%s: the text encoders give widths of %d and %d, the transformer reads %d "
                         "and %d: these parts are of different models",
                         dir, hunyuan_text_width(t), hunyuan_text_pooled_width(t),
                         hunyuan_transformer_text_dim(m), hunyuan_transformer_pooled_dim(m));
    if (hunyuan_vae_channels(v) != hunyuan_transformer_channels(m))
        return error_set(e, ERROR_MODEL,
                         "%s: the VAE has latents of %d channels, the transformer of %d: these "
                         "parts are of different models",
                         dir, hunyuan_vae_channels(v), hunyuan_transformer_channels(m));
    return 0;
}

static int check(const char *dir, struct error *e)
{
    struct arena a = {0};
    struct hunyuan_text *text = NULL;
    struct hunyuan_transformer *model = NULL;
    struct hunyuan_vae *vae = NULL;
    int rc = hunyuan_text_open(dir, NULL, &text, e) ||
                     hunyuan_transformer_load(inside(&a, dir, "transformer"), NULL, &model, e) ||
                     hunyuan_vae_load(inside(&a, dir, "vae"), NULL, &vae, e) ||
                     check_widths(model, vae, text, dir, e)
                 ? -1
                 : 0;

    hunyuan_text_close(text);
    hunyuan_transformer_free(model);
    hunyuan_vae_free(vae);
    arena_free(&a);
    return rc;
}

/* ---- the prompt */

static int encoder_open(const char *dir, struct device *d, void **encoder, struct error *e)
{
    struct hunyuan_text *t;

    if (hunyuan_text_open(dir, d, &t, e))
        return -1;
    *encoder = t;
    return 0;
}

static int encode(void *encoder, const struct generation *g, struct conditions *out,
                  struct error *e)
{
    struct hunyuan_text *t = encoder;
    int length = g->text_length ? g->text_length : HUNYUAN_TEXT_LENGTH;
    struct tensor *embeds =
        conditions_add(out, "prompt_embeds", 2, (int64_t[]){length, hunyuan_text_width(t)});
    struct tensor *mask = conditions_add(out, "prompt_attention_mask", 1, (int64_t[]){length});
    struct tensor *pooled =
        conditions_add(out, "pooled_prompt_embeds", 1, (int64_t[]){hunyuan_text_pooled_width(t)});

    if (!embeds->data || !mask->data || !pooled->data)
        return error_memory(e);
    return hunyuan_text_encode(t, g->prompt, embeds, mask, pooled, e);
}

static void encoder_close(void *encoder)
{
    hunyuan_text_close(encoder);
}

/* ---- the denoiser */

struct model {
    struct hunyuan_transformer *transformer;
    int space, time; /* what one latent stands for */
    struct hunyuan_conditioning *conditioning;
    const struct sampler *sampler;
    struct step_cache cache;
};

static void model_close(void *model)
{
    struct model *m = model;

    if (!m)
        return;
    hunyuan_conditioning_free(m->conditioning);
    hunyuan_transformer_free(m->transformer);
    step_cache_free(&m->cache);
    free(m);
}

static int model_open(const char *dir, struct device *d, void **model, struct error *e)
{
    struct arena a = {0};
    struct hunyuan_vae *vae = NULL;
    struct model *m = calloc(1, sizeof *m);
    int rc = m ? hunyuan_vae_load(inside(&a, dir, "vae"), NULL, &vae, e) : error_memory(e);

    if (rc == 0) {
        m->space = hunyuan_vae_space_factor(vae);
        m->time = hunyuan_vae_time_factor(vae);
        rc = hunyuan_transformer_load(inside(&a, dir, "transformer"), d, &m->transformer, e);
    }
    hunyuan_vae_free(vae);
    arena_free(&a);
    if (rc)
        model_close(m);
    else
        *model = m;
    return rc;
}

static int latents_shape(void *model, const struct generation *g, int64_t shape[4], struct error *e)
{
    const struct model *m = model;
    const int *patch = hunyuan_transformer_patch(m->transformer);
    int across = m->space * patch[2], down = m->space * patch[1];
    int latent_frames = (g->frames - 1) / m->time + 1;

    if (g->width < 1 || g->height < 1 || g->width % across || g->height % down)
        return error_set(e, ERROR_INPUT,
                         "HunyuanVideo makes pictures of multiples of %d x %d, not of %d x %d",
                         across, down, g->width, g->height);
    if (g->frames < 1 || (g->frames - 1) % m->time || latent_frames % patch[0])
        return error_set(e, ERROR_INPUT,
                         "HunyuanVideo cannot make %d frames: it makes 1, and then %d at a time",
                         g->frames, m->time * patch[0]);
    shape[0] = hunyuan_transformer_channels(m->transformer);
    shape[1] = latent_frames;
    shape[2] = g->height / m->space;
    shape[3] = g->width / m->space;
    return 0;
}

static int begin(void *model, const struct generation *g, const struct conditions *c,
                 const struct sampler *s, struct error *e)
{
    struct model *m = model;
    const struct tensor *embeds = conditions_find(c, "prompt_embeds");
    const struct tensor *mask = conditions_find(c, "prompt_attention_mask");
    const struct tensor *pooled = conditions_find(c, "pooled_prompt_embeds");
    int64_t words = 0;

    if (!embeds || !mask || !pooled || embeds->rank != 2 || tensor_count(mask) != embeds->shape[0])
        return error_set(e, ERROR_INTERNAL, "HunyuanVideo was given no prompt");
    while (words < embeds->shape[0] && ((const float *)mask->data)[words] != 0)
        words++;
    hunyuan_conditioning_free(m->conditioning);
    m->conditioning = NULL;
    m->sampler = s;
    hunyuan_transformer_cache(m->transformer, &m->cache);
    step_cache_begin(&m->cache, g->step_cache.mode, g->step_cache.threshold, s->steps);
    struct tensor real = tensor_slice(*embeds, 0, 0, words);
    return hunyuan_transformer_prepare(m->transformer, &real, pooled, g->guidance, &m->conditioning,
                                       e);
}

static int predict(void *model, const struct tensor *latents, int i, struct tensor *out,
                   struct error *e)
{
    struct model *m = model;
    step_cache_step(&m->cache, i);
    return hunyuan_transformer_forward(m->transformer, m->conditioning, latents,
                                       m->sampler->timesteps[i], out, e);
}

static const struct step_cache *cache_of(void *model)
{
    const struct model *m = model;
    return &m->cache;
}

/* ---- the VAE */

static int vae_open(const char *dir, struct device *d, void **vae, struct error *e)
{
    struct arena a = {0};
    struct hunyuan_vae *v;
    int rc = hunyuan_vae_load(inside(&a, dir, "vae"), d, &v, e);

    arena_free(&a);
    if (rc == 0)
        *vae = v;
    return rc;
}

static void vae_close(void *vae)
{
    hunyuan_vae_free(vae);
}

static void vae_chunk(void *vae, int frames)
{
    hunyuan_vae_tile(vae, frames);
}

static int vae_factor(void *vae)
{
    return hunyuan_vae_space_factor(vae);
}

static size_t vae_bytes(void *vae, const int64_t shape[4])
{
    return hunyuan_vae_bytes(vae, shape + 1);
}

static void vae_memory(void *vae, size_t bytes)
{
    hunyuan_vae_memory(vae, bytes);
}

static int decode(void *vae, const struct tensor *latents, family_frame_fn *frame, void *ctx,
                  struct error *e)
{
    return hunyuan_vae_decode(vae, latents, frame, ctx, e);
}

const struct family family_hunyuan_video = {
    .name = "hunyuan_video",
    .pipelines = (const char *const[]){"HunyuanVideoPipeline", NULL},
    .parts = (const char *const[]){"tokenizer", "text_encoder", "tokenizer_2", "text_encoder_2",
                                   "transformer", "scheduler", NULL},
    .size_multiple = 16,
    .frame_multiple = 4,
    .frames_max = 129, /* what it was trained on */
    .gpu = {DTYPE_BF16, DTYPE_BF16, DTYPE_F16},
    .guidance_embedded = true,
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
    .vae_chunk = vae_chunk,
    .vae_factor = vae_factor,
    .vae_bytes = vae_bytes,
    .vae_memory = vae_memory,
    .decode = decode,
};
