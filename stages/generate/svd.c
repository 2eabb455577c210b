#include "stages/generate/svd.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "stages/decode/temporal_vae.h"
#include "stages/generate/unet_spatio_temporal.h"

/* ---- the checkpoint */

static int load_unet(const char *dir, struct device *d, struct unet_spatio_temporal **out,
                     struct error *e)
{
    struct arena a = {0};
    const char *path = path_join(&a, dir, "unet");
    int rc = path ? unet_spatio_temporal_load(path, d, out, e) : error_memory(e);

    arena_free(&a);
    return rc;
}

static int load_vae(const char *dir, struct device *d, struct temporal_vae **out, struct error *e)
{
    struct arena a = {0};
    const char *path = path_join(&a, dir, "vae");
    int rc = path ? temporal_vae_load(path, d, out, e) : error_memory(e);

    arena_free(&a);
    return rc;
}

/* The decoder's weights are looked up, too. */
static int read_vae(const char *dir, int *channels, int *factor, struct error *e)
{
    struct temporal_vae *v;

    if (load_vae(dir, NULL, &v, e))
        return -1;
    *channels = temporal_vae_channels(v);
    *factor = temporal_vae_space_factor(v);
    temporal_vae_free(v);
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

static int check_widths(const char *dir, const struct unet_spatio_temporal *m, const void *encoder,
                        struct error *e)
{
    int in = unet_spatio_temporal_in_channels(m), out = unet_spatio_temporal_out_channels(m);
    int context = unet_spatio_temporal_context_dim(m), channels, factor;

    if (context != svd_encoder_width(encoder))
        return error_set(e, ERROR_MODEL,
                         "%s: the UNet's cross_attention_dim (%d) is not the image_encoder's "
                         "projection_dim (%d)",
                         dir, context, svd_encoder_width(encoder));
    if (read_vae(dir, &channels, &factor, e))
        return -1;
    if (in != 2 * channels || out != channels)
        return error_set(e, ERROR_MODEL,
                         "%s: the UNet reads %d channels and makes %d: with the VAE's "
                         "latent_channels (%d) they should be %d and %d",
                         dir, in, out, channels, 2 * channels, channels);
    return 0;
}

static int check(const char *dir, struct error *e)
{
    struct unet_spatio_temporal *m;
    void *encoder;
    int rc;

    if (check_scheduler(dir, e) || svd_encoder_open(dir, NULL, &encoder, e))
        return -1;
    rc = load_unet(dir, NULL, &m, e);
    if (rc == 0) {
        rc = check_widths(dir, m, encoder, e);
        unet_spatio_temporal_free(m);
    }
    svd_encoder_close(encoder);
    return rc;
}

/* ---- the denoiser */

struct model {
    struct unet_spatio_temporal *unet;
    int channels, factor; /* of the VAE */
    struct unet_context *context;
    struct arena shot;
    struct tensor in, out; /* [B, T, 2C, h, w], [B, T, C, h, w]: without the picture, and with */
    float *guidance;       /* [T] */
    const struct sampler *sampler;
};

static void model_close(void *model)
{
    struct model *m = model;

    if (!m)
        return;
    unet_context_free(m->context);
    unet_spatio_temporal_free(m->unet);
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
                         "%d x %d: Stable Video Diffusion makes pictures of widths and heights "
                         "that are multiples of %d",
                         g->width, g->height, m->factor);
    if (g->frames < 1)
        return error_set(e, ERROR_INPUT, "%d frames: there must be one at least", g->frames);
    shape[0] = g->frames;
    shape[1] = m->channels;
    shape[2] = g->height / m->factor;
    shape[3] = g->width / m->factor;
    return 0;
}

/* From the first frame's to the last one's in even steps, summed from the nearer end. */
static void fill_guidance(const struct generation *g, float *guidance)
{
    float first = (float)g->guidance_2, last = (float)g->guidance;
    float step = g->frames > 1 ? (last - first) / (float)(g->frames - 1) : 0;

    for (int t = 0; t < g->frames; t++)
        guidance[t] = t < g->frames / 2 || g->frames == 1
                          ? first + step * (float)t
                          : last - step * (float)(g->frames - 1 - t);
}

/* The picture's latents stand behind every frame's own; they stay there for the whole shot. */
static void fill_picture(const struct tensor *picture, struct tensor *in)
{
    int64_t frames = in->shape[1], half = tensor_count(in) / in->shape[0] / frames / 2;

    for (int64_t b = 0; b < in->shape[0]; b++)
        for (int64_t t = 0; t < frames; t++)
            memcpy((float *)in->data + ((b * frames + t) * 2 + 1) * half,
                   (const float *)picture->data + b * half, (size_t)half * sizeof(float));
}

static void fill_latents(const struct tensor *latents, struct tensor *in)
{
    int64_t frames = in->shape[1], half = tensor_count(in) / in->shape[0] / frames / 2;

    for (int64_t b = 0; b < in->shape[0]; b++)
        for (int64_t t = 0; t < frames; t++)
            memcpy((float *)in->data + (b * frames + t) * 2 * half,
                   (const float *)latents->data + t * half, (size_t)half * sizeof(float));
}

void svd_time_ids(const struct generation *g, float ids[SVD_TIME_IDS])
{
    ids[0] = (float)(g->fps - 1);
    ids[1] = (float)g->motion_bucket;
    ids[2] = (float)g->noise_strength;
}

static int prepare(struct model *m, const struct generation *g, const struct tensor *embeddings,
                   struct error *e)
{
    float ids[2 * SVD_TIME_IDS];
    struct tensor time_ids = TENSOR_F32(ids, embeddings->shape[0], SVD_TIME_IDS);

    for (int64_t b = 0; b < embeddings->shape[0]; b++)
        svd_time_ids(g, ids + b * SVD_TIME_IDS);
    return unet_spatio_temporal_prepare(m->unet, embeddings, &time_ids, g->frames, &m->context, e);
}

static int begin(void *model, const struct generation *g, const struct conditions *c,
                 const struct sampler *s, struct error *e)
{
    const struct tensor *embeddings = conditions_find(c, "image_embeddings");
    const struct tensor *picture = conditions_find(c, "image_latents");
    int64_t items = svd_is_guided(g) ? 2 : 1, shape[4];
    struct model *m = model;

    if (latents_shape(m, g, shape, e))
        return -1;
    if (!embeddings || !picture || embeddings->shape[0] != items || picture->rank != 4 ||
        picture->shape[0] != items || memcmp(picture->shape + 1, shape + 1, 3 * sizeof *shape) != 0)
        return error_set(e, ERROR_INTERNAL, "Stable Video Diffusion was given no such picture");
    unet_context_free(m->context);
    m->context = NULL;
    arena_free(&m->shot);
    m->sampler = s;
    m->in = TENSOR_NEW(&m->shot, items, shape[0], 2 * shape[1], shape[2], shape[3]);
    m->out = TENSOR_NEW(&m->shot, items, shape[0], shape[1], shape[2], shape[3]);
    m->guidance = arena_array(&m->shot, (size_t)shape[0], sizeof *m->guidance);
    if (!m->in.data || !m->out.data || !m->guidance)
        return error_memory(e);
    fill_guidance(g, m->guidance);
    fill_picture(picture, &m->in);
    return prepare(m, g, embeddings, e);
}

static int predict(void *model, const struct tensor *latents, int i, struct tensor *out,
                   struct error *e)
{
    struct model *m = model;
    int64_t count = tensor_count(out), frame = count / out->shape[0];
    const float *without = m->out.data, *with = without + count;
    float *to = out->data;

    fill_latents(latents, &m->in);
    if (unet_spatio_temporal_forward(m->unet, m->context, &m->in, m->sampler->timesteps[i], &m->out,
                                     e))
        return -1;
    if (m->out.shape[0] == 1)
        memcpy(to, without, (size_t)count * sizeof(float));
    else
        for (int64_t t = 0; t < out->shape[0]; t++)
            sampler_guide(to + t * frame, without + t * frame, with + t * frame, m->guidance[t],
                          frame);
    return 0;
}

/* ---- the decoder */

struct decoder {
    struct temporal_vae *vae;
    int chunk;
};

static void vae_close(void *vae)
{
    struct decoder *v = vae;

    if (!v)
        return;
    temporal_vae_free(v->vae);
    free(v);
}

static int vae_open(const char *dir, struct device *d, void **vae, struct error *e)
{
    struct decoder *v = calloc(1, sizeof *v);

    if (!v)
        return error_memory(e);
    if (load_vae(dir, d, &v->vae, e)) {
        vae_close(v);
        return -1;
    }
    *vae = v;
    return 0;
}

static void vae_chunk(void *vae, int frames)
{
    ((struct decoder *)vae)->chunk = frames;
}

/* Frames see no further than their chunk: eight and fewer are a little less steady. */
static bool vae_smaller(void *vae)
{
    struct decoder *v = vae;
    bool can = v->chunk != 1;

    v->chunk = v->chunk == 0 ? 8 : (v->chunk + 1) / 2;
    return can;
}

static int vae_factor(void *vae)
{
    return temporal_vae_space_factor(((struct decoder *)vae)->vae);
}

static size_t vae_bytes(void *vae, const int64_t shape[4])
{
    struct decoder *v = vae;
    int64_t together = v->chunk > 0 && v->chunk < shape[0] ? v->chunk : shape[0];

    return temporal_vae_bytes(v->vae, together, shape[2], shape[3]);
}

static int decode(void *vae, const struct tensor *latents, family_frame_fn *frame, void *ctx,
                  struct error *e)
{
    struct decoder *v = vae;

    return temporal_vae_decode(v->vae, latents, v->chunk, frame, ctx, e);
}

const struct family family_svd = {
    .name = "svd",
    .pipelines = (const char *const[]){"StableVideoDiffusionPipeline", NULL},
    .parts = (const char *const[]){"feature_extractor", "image_encoder", "vae", "unet", "scheduler",
                                   NULL},
    .needs_picture = true,
    .size_multiple = 8,
    .frame_multiple = 1,
    .frames_max = 25,                         /* what the XT form was trained on */
    .gpu = {DTYPE_F32, DTYPE_F16, DTYPE_F16}, /* its VAE's encoder leaves the range of F16 */
    .check = check,
    .encoder_open = svd_encoder_open,
    .encode = svd_encode,
    .encoder_close = svd_encoder_close,
    .model_open = model_open,
    .model_close = model_close,
    .latents_shape = latents_shape,
    .noise_before = svd_picture_noise,
    .fp8 = true,
    .begin = begin,
    .predict = predict,
    .vae_open = vae_open,
    .vae_close = vae_close,
    .vae_chunk = vae_chunk,
    .vae_smaller = vae_smaller,
    .vae_factor = vae_factor,
    .vae_bytes = vae_bytes,
    .decode = decode,
};
