#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "prompts/clip_vision.h"
#include "prompts/picture_resize.h"
#include "stages/decode/image_vae.h"
#include "stages/generate/svd.h"

struct encoder {
    struct clip_pixels pixels;
    struct clip_vision *vision;
    struct image_vae *vae;
};

/* The published pipeline makes pictures of this size, whatever the model's config says. */
enum { CLIP_SIZE = 224 };

static int load(struct encoder *m, const char *dir, struct device *d, struct error *e)
{
    struct arena a = {0};
    const char *settings = path_join(&a, dir, "feature_extractor/preprocessor_config.json");
    const char *vision = path_join(&a, dir, "image_encoder"), *vae = path_join(&a, dir, "vae");
    int rc = !settings || !vision || !vae ? error_memory(e) : 0;

    if (rc == 0)
        rc = clip_pixels_read(settings, &m->pixels, e) ||
                     clip_vision_load(vision, d, &m->vision, e) ||
                     image_vae_load(vae, d, IMAGE_VAE_ENCODER, &m->vae, e)
                 ? -1
                 : 0;
    if (rc == 0 && clip_vision_size(m->vision) != CLIP_SIZE)
        rc = error_set(e, ERROR_MODEL,
                       "%s/config.json: image_size is %d: Stable Video Diffusion gives its picture "
                       "to CLIP at %d",
                       vision, clip_vision_size(m->vision), CLIP_SIZE);
    arena_free(&a);
    return rc;
}

int svd_encoder_open(const char *dir, struct device *d, void **encoder, struct error *e)
{
    struct encoder *m = calloc(1, sizeof *m);

    if (!m)
        return error_memory(e);
    if (load(m, dir, d, e)) {
        svd_encoder_close(m);
        return -1;
    }
    *encoder = m;
    return 0;
}

void svd_encoder_close(void *encoder)
{
    struct encoder *m = encoder;

    if (!m)
        return;
    clip_vision_free(m->vision);
    image_vae_free(m->vae);
    free(m);
}

int svd_encoder_width(const void *encoder)
{
    return clip_vision_width(((const struct encoder *)encoder)->vision);
}

bool svd_is_guided(const struct generation *g)
{
    return g->guidance > 1 || g->guidance_2 > 1;
}

/* ---- the picture for the VAE */

size_t svd_picture_noise(const struct generation *g)
{
    return (size_t)g->width * (size_t)g->height * 3;
}

/* Noise is drawn channel by channel. */
static void mix(const struct generation *g, const uint8_t *small, const float *noise, float *out)
{
    size_t area = (size_t)g->width * (size_t)g->height;
    float strength = (float)g->noise_strength;

    for (size_t i = 0; i < area; i++)
        for (size_t c = 0; c < 3; c++)
            out[i * 3 + c] =
                2 * ((float)small[i * 3 + c] / 255) - 1 + strength * noise[c * area + i];
}

int svd_conditioning_picture(const struct generation *g, struct tensor *out, struct error *e)
{
    size_t count = svd_picture_noise(g);
    uint8_t *small = malloc(count);
    float *noise = calloc(count, sizeof *noise);
    struct torch_random random;
    int rc = small && noise
                 ? picture_resize_lanczos(g->picture.rgb, g->picture.width, g->picture.height,
                                          small, g->width, g->height, e)
                 : error_memory(e);

    if (rc == 0) {
        torch_random_seed(&random, g->seed);
        torch_random_normal(&random, noise, count);
        mix(g, small, noise, out->data);
    }
    free(small);
    free(noise);
    return rc;
}

/* ---- conditions */

/* item: which half of a batch. */
static int encode_embedding(struct encoder *m, const struct generation *g, int item,
                            struct tensor *embeddings, struct error *e)
{
    struct arena scratch = {0};
    struct tensor pixels = TENSOR_NEW(&scratch, CLIP_SIZE, CLIP_SIZE, 3);
    struct tensor one = tensor_slice(*embeddings, 0, item, 1);
    int rc = !pixels.data ? error_memory(e)
             : clip_pixels_prepare(&m->pixels, g->picture.rgb, g->picture.width, g->picture.height,
                                   &pixels, e) ||
                     clip_vision_encode(m->vision, &pixels, &one, e)
                 ? -1
                 : 0;

    arena_free(&scratch);
    return rc;
}

static int encode_latents(struct encoder *m, const struct generation *g, int item,
                          struct tensor *latents, struct error *e)
{
    struct arena scratch = {0};
    struct tensor picture = TENSOR_NEW(&scratch, g->height, g->width, 3);
    struct tensor one = TENSOR_VIEW(tensor_slice(*latents, 0, item, 1), latents->shape[1],
                                    latents->shape[2], latents->shape[3]);
    int rc =
        !picture.data ? error_memory(e)
        : svd_conditioning_picture(g, &picture, e) || image_vae_encode(m->vae, &picture, &one, e)
            ? -1
            : 0;

    arena_free(&scratch);
    return rc;
}

int svd_encode(void *encoder, const struct generation *g, struct conditions *out, struct error *e)
{
    struct encoder *m = encoder;
    int items = svd_is_guided(g) ? 2 : 1, factor = image_vae_space_factor(m->vae);
    struct tensor *embeddings, *latents;

    if (!g->picture.rgb || g->picture.width < 1 || g->picture.height < 1)
        return error_set(e, ERROR_INPUT,
                         "Stable Video Diffusion sets a picture in motion: the "
                         "shot must name one");
    if (g->width < factor || g->height < factor)
        return error_set(e, ERROR_INPUT, "%d x %d is too small for Stable Video Diffusion",
                         g->width, g->height);
    embeddings = conditions_add(out, "image_embeddings", 3,
                                (int64_t[]){items, 1, clip_vision_width(m->vision)});
    latents = conditions_add(
        out, "image_latents", 4,
        (int64_t[]){items, image_vae_channels(m->vae), g->height / factor, g->width / factor});
    if (!embeddings->data || !latents->data)
        return error_memory(e);
    return encode_embedding(m, g, items - 1, embeddings, e) ||
                   encode_latents(m, g, items - 1, latents, e)
               ? -1
               : 0;
}
