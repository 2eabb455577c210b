#include "stages/generate/sdxl.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/config.h"
#include "stages/decode/image_vae.h"
#include "stages/generate/sampling.h"
#include "stages/generate/sdxl_text.h"
#include "stages/generate/unet_2d.h"

/* ---- the checkpoint */

static int load_unet(const char *dir, struct device *d, struct unet_2d **out, struct error *e)
{
    struct arena a = {0};
    const char *path = path_join(&a, dir, "unet");
    int rc = path ? unet_2d_load(path, d, out, e) : error_memory(e);

    arena_free(&a);
    return rc;
}

static int load_vae(const char *dir, struct device *d, struct image_vae **out, struct error *e)
{
    struct arena a = {0};
    const char *path = path_join(&a, dir, "vae");
    int rc = path ? image_vae_load(path, d, IMAGE_VAE_DECODER, out, e) : error_memory(e);

    arena_free(&a);
    return rc;
}

static int read_vae(const char *dir, int *channels, int *factor, struct error *e)
{
    struct image_vae *v;

    if (load_vae(dir, NULL, &v, e))
        return -1;
    *channels = image_vae_channels(v);
    *factor = image_vae_space_factor(v);
    image_vae_free(v);
    return 0;
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

/* The UNet's sample_size is the side of its latents, as the published pipeline takes it for the
 * size that it makes unless told another. */
static int64_t trained_pixels(const char *dir)
{
    struct error ignored = {0};
    struct config config = {0};
    struct arena a = {0};
    const char *unet = path_join(&a, dir, "unet");
    int channels, factor, side = 0;
    int64_t pixels = 0;

    if (unet && config_open(unet, NULL, &config, &ignored) == 0 &&
        config_int(&config, "sample_size", 1, 4096, &side, &ignored) == 0 && side > 0 &&
        read_vae(dir, &channels, &factor, &ignored) == 0)
        pixels = (int64_t)side * factor * side * factor;
    config_close(&config);
    arena_free(&a);
    return pixels;
}

static int check_widths(const char *dir, const struct unet_2d *m, const void *encoder,
                        struct error *e)
{
    int channels, factor;

    if (unet_2d_context_dim(m) != sdxl_encoder_width(encoder))
        return error_set(e, ERROR_MODEL,
                         "%s: the UNet's cross_attention_dim (%d) is not the text encoders' "
                         "hidden_size together (%d)",
                         dir, unet_2d_context_dim(m), sdxl_encoder_width(encoder));
    if (unet_2d_pooled_width(m) != sdxl_encoder_pooled_width(encoder))
        return error_set(e, ERROR_MODEL,
                         "%s: the UNet wants pooled prompts of width %d, and text_encoder_2 has a "
                         "projection_dim of %d",
                         dir, unet_2d_pooled_width(m), sdxl_encoder_pooled_width(encoder));
    if (read_vae(dir, &channels, &factor, e))
        return -1;
    if (unet_2d_channels(m) != channels)
        return error_set(e, ERROR_MODEL,
                         "%s: the UNet's in_channels (%d) are not the VAE's latent_channels (%d)",
                         dir, unet_2d_channels(m), channels);
    return 0;
}

static int check(const char *dir, struct error *e)
{
    struct unet_2d *m;
    void *encoder;
    int rc;

    if (check_scheduler(dir, e) || sdxl_encoder_open(dir, NULL, &encoder, e))
        return -1;
    rc = load_unet(dir, NULL, &m, e);
    if (rc == 0) {
        rc = check_widths(dir, m, encoder, e);
        unet_2d_free(m);
    }
    sdxl_encoder_close(encoder);
    return rc;
}

/* ---- the denoiser */

struct model {
    struct unet_2d *unet;
    int channels, factor; /* of the VAE */
    struct unet_context *context;
    struct arena shot;
    int count;             /* shots in the batch */
    bool guided;           /* each twice: without its prompt, then with it */
    struct tensor in, out; /* [items, C, H, W]: the shots, or all without and then all with */
    float guidance[SAMPLING_MOST];
    const struct sampler *sampler;
};

static void model_close(void *model)
{
    struct model *m = model;

    if (!m)
        return;
    unet_context_free(m->context);
    unet_2d_free(m->unet);
    arena_free(&m->shot);
    free(m);
}

static int model_open(const char *dir, struct device *d, void **model, struct error *e)
{
    struct model *m = calloc(1, sizeof *m);

    if (!m)
        return error_memory(e);
    if (read_vae(dir, &m->channels, &m->factor, e) || load_unet(dir, d, &m->unet, e)) {
        model_close(m);
        return -1;
    }
    *model = m;
    return 0;
}

static int latents_shape(void *model, const struct generation *g, int64_t shape[4], struct error *e)
{
    const struct model *m = model;

    if (g->width < m->factor || g->height < m->factor || g->width % m->factor ||
        g->height % m->factor)
        return error_set(e, ERROR_INPUT,
                         "%d x %d: SDXL makes pictures of widths and heights that are multiples of "
                         "%d",
                         g->width, g->height, m->factor);
    if (g->frames > 1)
        return error_set(e, ERROR_INPUT, "%d frames: SDXL makes one picture", g->frames);
    shape[0] = m->channels;
    shape[1] = 1;
    shape[2] = g->height / m->factor;
    shape[3] = g->width / m->factor;
    return 0;
}

/* Conditions of one name, of each shot, into a batch that begins at `at`. */
static int gather(struct model *m, const struct conditions *const *c, const char *name,
                  struct tensor *out, int at, struct error *e)
{
    for (int i = 0; i < m->count; i++) {
        const struct tensor *one = conditions_find(c[i], name);
        struct tensor to = tensor_slice(*out, 0, at + i, 1);

        if (!one || one->rank != 2 || one->shape[0] != out->shape[1] ||
            one->shape[1] != out->shape[2])
            return error_set(e, ERROR_INTERNAL, "SDXL: there are no %s of one length", name);
        memcpy(to.data, one->data, (size_t)tensor_count(one) * sizeof(float));
    }
    return 0;
}

/* Of the negative prompts, then the prompts; or the prompts' alone. */
static int gather_both(struct model *m, const struct conditions *const *c, const char *negative,
                       const char *prompt, struct arena *a, struct tensor *out, struct error *e)
{
    const struct tensor *first = conditions_find(c[0], prompt);
    int passes = m->guided ? 2 : 1;

    if (!first || first->rank != 2)
        return error_set(e, ERROR_INTERNAL, "SDXL: there are no %s", prompt);
    *out = TENSOR_NEW(a, passes * m->count, first->shape[0], first->shape[1]);
    if (!out->data)
        return error_memory(e);
    if (m->guided && gather(m, c, negative, out, 0, e))
        return -1;
    return gather(m, c, prompt, out, (passes - 1) * m->count, e);
}

/* The size of the original picture, what of it was cropped, the size that is made. */
static void fill_time_ids(const struct generation *g, struct tensor *ids)
{
    const float one[UNET_2D_TIME_IDS] = {(float)g->height, (float)g->width, 0, 0,
                                         (float)g->height, (float)g->width};

    for (int64_t n = 0; n < ids->shape[0]; n++)
        memcpy((float *)ids->data + n * UNET_2D_TIME_IDS, one, sizeof one);
}

static int prepare(struct model *m, const struct generation *g, const struct conditions *const *c,
                   struct arena *a, struct error *e)
{
    struct tensor tokens, pooled, ids;

    if (gather_both(m, c, "negative_prompt_embeds", "prompt_embeds", a, &tokens, e) ||
        gather_both(m, c, "negative_pooled_prompt_embeds", "pooled_prompt_embeds", a, &pooled, e))
        return -1;
    pooled = TENSOR_VIEW(pooled, pooled.shape[0], pooled.shape[1] * pooled.shape[2]);
    ids = TENSOR_NEW(a, pooled.shape[0], UNET_2D_TIME_IDS);
    if (!ids.data)
        return error_memory(e);
    fill_time_ids(g, &ids);
    return unet_2d_prepare(m->unet, &tokens, &pooled, &ids, &m->context, e);
}

static int begin_batch(void *model, int count, const struct generation *const *g,
                       const struct conditions *const *c, const struct sampler *s, struct error *e)
{
    struct arena scratch = {0};
    struct model *m = model;
    int64_t shape[4];
    int rc;

    if (latents_shape(m, g[0], shape, e))
        return -1;
    m->count = count;
    m->guided = g[0]->guidance > 1;
    m->sampler = s;
    for (int i = 0; i < count; i++) {
        m->guidance[i] = (float)g[i]->guidance;
        if (g[i]->width != g[0]->width || g[i]->height != g[0]->height ||
            (g[i]->guidance > 1) != m->guided)
            return error_set(e, ERROR_INTERNAL, "SDXL: a batch of unlike shots");
    }
    unet_context_free(m->context);
    m->context = NULL;
    arena_free(&m->shot);
    m->in = TENSOR_NEW(&m->shot, count, shape[0], shape[2], shape[3]);
    m->out = TENSOR_NEW(&m->shot, m->guided ? 2 * count : count, shape[0], shape[2], shape[3]);
    rc = m->in.data && m->out.data ? prepare(m, g[0], c, &scratch, e) : error_memory(e);
    arena_free(&scratch);
    return rc;
}

static int begin(void *model, const struct generation *g, const struct conditions *c,
                 const struct sampler *s, struct error *e)
{
    return begin_batch(model, 1, &g, &c, s, e);
}

static int predict_batch(void *model, const struct tensor *const *latents, int i,
                         struct tensor *const *out, struct error *e)
{
    struct model *m = model;
    int64_t count = tensor_count(&m->in) / m->count;
    const float *without = m->out.data, *with = without;

    for (int k = 0; k < m->count; k++)
        memcpy((float *)m->in.data + k * count, latents[k]->data, (size_t)count * sizeof(float));
    if (unet_2d_forward(m->unet, m->context, &m->in, m->sampler->timesteps[i], &m->out, e))
        return -1;
    if (m->guided)
        with += m->count * count;
    for (int k = 0; k < m->count; k++, with += count, without += count) {
        float *to = out[k]->data;
        if (m->guided)
            sampler_guide(to, without, with, m->guidance[k], count);
        else
            memcpy(to, with, (size_t)count * sizeof(float));
    }
    return 0;
}

static int predict(void *model, const struct tensor *latents, int i, struct tensor *out,
                   struct error *e)
{
    return predict_batch(model, &latents, i, &out, e);
}

/* ---- the decoder */

struct decoder {
    struct image_vae *vae;
    struct device *wide; /* for a VAE that goes beyond F16, beside a device of F16; else NULL */
};

static void vae_close(void *vae)
{
    struct decoder *v = vae;

    if (!v)
        return;
    image_vae_free(v->vae);
    device_close(v->wide);
    free(v);
}

/* As the published pipeline has it, a VAE with force_upcast computes in F32 where all else is F16.
 */
static int widen(struct decoder *v, const char *dir, struct device **d, struct error *e)
{
    struct image_vae *looked;
    bool upcast;

    if (!*d || device_activations(*d) != DTYPE_F16)
        return 0;
    if (load_vae(dir, NULL, &looked, e))
        return -1;
    upcast = image_vae_force_upcast(looked);
    image_vae_free(looked);
    if (!upcast)
        return 0;
    if (device_open_beside(*d, DTYPE_F32, &v->wide, e))
        return -1;
    *d = v->wide;
    return 0;
}

static int vae_open(const char *dir, struct device *d, void **vae, struct error *e)
{
    struct decoder *v = calloc(1, sizeof *v);

    if (!v)
        return error_memory(e);
    if (widen(v, dir, &d, e) || load_vae(dir, d, &v->vae, e)) {
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

    return image_vae_decode(v->vae, latents, frame, ctx, e);
}

static int vae_factor(void *vae)
{
    return image_vae_space_factor(((struct decoder *)vae)->vae);
}

static size_t vae_bytes(void *vae, const int64_t shape[4])
{
    return image_vae_bytes(((struct decoder *)vae)->vae, shape[2], shape[3]);
}

const struct family family_sdxl = {
    .name = "sdxl",
    .pipelines = (const char *const[]){"StableDiffusionXLPipeline", NULL},
    .parts = (const char *const[]){"tokenizer", "tokenizer_2", "text_encoder", "text_encoder_2",
                                   "unet", "scheduler", NULL},
    .size_multiple = 8,
    .frame_multiple = 1,
    .frames_max = 1,
    .trained_pixels = trained_pixels,
    .gpu = {DTYPE_F16, DTYPE_F16, DTYPE_BF16}, /* its VAE leaves the range of F16 */
    .check = check,
    .encoder_open = sdxl_encoder_open,
    .encode = sdxl_encode,
    .encoder_close = sdxl_encoder_close,
    .model_open = model_open,
    .model_close = model_close,
    .latents_shape = latents_shape,
    .begin = begin,
    .predict = predict,
    .fp8 = true,
    .batch_max = SAMPLING_MOST,
    .begin_batch = begin_batch,
    .predict_batch = predict_batch,
    .vae_open = vae_open,
    .vae_close = vae_close,
    .vae_factor = vae_factor,
    .vae_bytes = vae_bytes,
    .decode = decode,
};
