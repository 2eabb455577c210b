#include "stages/decode/temporal_vae.h"

#include <stdlib.h>

#include "stages/decode/image_vae_decoder.h"

struct temporal_vae {
    struct arena arena;
    struct image_decoder decoder;
};

static int load_decoder(struct image_decoder *v, struct error *e)
{
    struct safetensors *weights;
    struct config c;
    int rc;

    if (config_open(v->dir, "AutoencoderKLTemporalDecoder", &c, e))
        return -1;
    rc = image_form_read(&c, true, &v->form, e);
    config_close(&c);
    if (rc || safetensors_open(v->dir, &weights, e))
        return -1;
    v->temporal = true;
    rc = image_decoder_load(v, weights, e);
    safetensors_close(weights);
    return rc;
}

int temporal_vae_load(const char *dir, struct device *d, struct temporal_vae **out, struct error *e)
{
    struct temporal_vae *v = calloc(1, sizeof *v);

    if (!v)
        return error_memory(e);
    v->decoder.device = d;
    v->decoder.dir = arena_strdup(&v->arena, dir);
    if (!v->decoder.dir)
        error_memory(e);
    if (!v->decoder.dir || load_decoder(&v->decoder, e)) {
        temporal_vae_free(v);
        return -1;
    }
    *out = v;
    return 0;
}

void temporal_vae_free(struct temporal_vae *v)
{
    if (!v)
        return;
    image_decoder_free(&v->decoder);
    arena_free(&v->arena);
    free(v);
}

int temporal_vae_channels(const struct temporal_vae *v)
{
    return v->decoder.form.channels;
}

int temporal_vae_space_factor(const struct temporal_vae *v)
{
    return 1 << (v->decoder.form.levels - 1);
}

int temporal_vae_decode(struct temporal_vae *v, const struct tensor *latents, int chunk,
                        temporal_vae_frame_fn *frame, void *ctx, struct error *e)
{
    struct image_decoder *d = &v->decoder;
    const int64_t *n = latents->shape;
    char text[96];

    if (latents->rank != 4 || n[1] != d->form.channels || tensor_count(latents) < 1)
        return error_set(e, ERROR_MODEL, "%s: latents of shape %s do not fit a VAE of %d channels",
                         d->dir, tensor_shape_text(latents, text, sizeof text), d->form.channels);
    int64_t area = n[2] * n[3], step[2] = {n[1] * area, area};
    struct picture_stream to = {.device = d->device, .take = frame, .ctx = ctx, .error = e};
    int64_t together = chunk > 0 && chunk < n[0] ? chunk : n[0];
    for (int64_t t = 0; t < n[0]; t += together) {
        const float *from = (const float *)latents->data + t * step[0];
        int64_t count = n[0] - t < together ? n[0] - t : together;
        if (image_decoder_run(d, from, step, count, n[2], n[3], &to))
            return -1;
    }
    return picture_stream_end(&to);
}

size_t temporal_vae_bytes(const struct temporal_vae *v, int64_t frames, int64_t height,
                          int64_t width)
{
    return image_decoder_bytes(&v->decoder, frames, height, width);
}
