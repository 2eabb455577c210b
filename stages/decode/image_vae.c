#include "stages/decode/image_vae.h"

#include <stdlib.h>
#include <string.h>

#include "stages/decode/image_vae_decoder.h"
#include "stages/decode/image_vae_encoder.h"

struct image_vae {
    struct arena arena;
    const char *dir;
    struct device *device;
    struct image_form form;
    int halves;
    struct image_encoder encoder;
    struct image_decoder decoder;
};

/* Which of the two classes it is decides which settings there are. */
static int read_config(struct image_vae *v, struct error *e)
{
    static const char clips[] = "AutoencoderKLTemporalDecoder";
    struct config c;
    const char *class = "AutoencoderKL";
    int rc = -1;

    if (config_open(v->dir, NULL, &c, e))
        return -1;
    if (json_get_string(c.root, c.path, "_class_name", &class, e))
        goto done;
    if (strcmp(class, clips) == 0 && (v->halves & IMAGE_VAE_DECODER) == 0)
        rc = image_form_read(&c, true, &v->form, e);
    else if (config_expect(&c, "_class_name", "AutoencoderKL", e) == 0)
        rc = image_form_read(&c, false, &v->form, e);
done:
    config_close(&c);
    return rc;
}

static int load_halves(struct image_vae *v, struct error *e)
{
    struct safetensors *weights;
    int rc = 0;

    if (safetensors_open(v->dir, &weights, e))
        return -1;
    v->encoder.dir = v->decoder.dir = v->dir;
    v->encoder.device = v->decoder.device = v->device;
    v->encoder.form = v->decoder.form = v->form;
    if (v->halves & IMAGE_VAE_ENCODER)
        rc = image_encoder_load(&v->encoder, weights, e);
    if (rc == 0 && v->halves & IMAGE_VAE_DECODER)
        rc = image_decoder_load(&v->decoder, weights, e);
    safetensors_close(weights);
    return rc;
}

int image_vae_load(const char *dir, struct device *d, int halves, struct image_vae **out,
                   struct error *e)
{
    struct image_vae *v = calloc(1, sizeof *v);

    if (!v)
        return error_memory(e);
    v->device = d;
    v->halves = halves;
    v->dir = arena_strdup(&v->arena, dir);
    if (!v->dir)
        error_memory(e);
    if (!v->dir || read_config(v, e) || load_halves(v, e)) {
        image_vae_free(v);
        return -1;
    }
    *out = v;
    return 0;
}

void image_vae_free(struct image_vae *v)
{
    if (!v)
        return;
    image_encoder_free(&v->encoder);
    image_decoder_free(&v->decoder);
    arena_free(&v->arena);
    free(v);
}

int image_vae_channels(const struct image_vae *v)
{
    return v->form.channels;
}

int image_vae_space_factor(const struct image_vae *v)
{
    return 1 << (v->form.levels - 1);
}

bool image_vae_force_upcast(const struct image_vae *v)
{
    return v->form.force_upcast;
}

int image_vae_encode(struct image_vae *v, const struct tensor *picture, struct tensor *latents,
                     struct error *e)
{
    int64_t factor = image_vae_space_factor(v);
    char a[96], b[96];

    if (picture->rank != 3 || picture->shape[2] != 3 || latents->rank != 3 ||
        latents->shape[0] != v->form.channels || picture->shape[0] < factor ||
        picture->shape[1] < factor || latents->shape[1] != picture->shape[0] / factor ||
        latents->shape[2] != picture->shape[1] / factor)
        return error_set(
            e, ERROR_MODEL, "%s: a picture of shape %s does not become latents of shape %s", v->dir,
            tensor_shape_text(picture, a, sizeof a), tensor_shape_text(latents, b, sizeof b));
    return image_encoder_run(&v->encoder, picture, latents, e);
}

int image_vae_decode(struct image_vae *v, const struct tensor *latents, image_vae_frame_fn *frame,
                     void *ctx, struct error *e)
{
    int last = latents->rank - 1;
    char text[96];

    if ((latents->rank != 3 && !(latents->rank == 4 && latents->shape[1] == 1)) ||
        latents->shape[0] != v->form.channels || tensor_count(latents) < 1)
        return error_set(e, ERROR_MODEL, "%s: latents of shape %s do not fit a VAE of %d channels",
                         v->dir, tensor_shape_text(latents, text, sizeof text), v->form.channels);
    int64_t height = latents->shape[last - 1], width = latents->shape[last];
    struct picture_stream to = {.device = v->device, .take = frame, .ctx = ctx, .error = e};
    return image_decoder_run(&v->decoder, latents->data, (int64_t[2]){0, height * width}, 1, height,
                             width, &to) ||
                   picture_stream_end(&to)
               ? -1
               : 0;
}

size_t image_vae_bytes(const struct image_vae *v, int64_t height, int64_t width)
{
    return image_decoder_bytes(&v->decoder, 1, height, width);
}
