#include "stages/generate/unet_spatio_temporal.h"

#include <stdlib.h>
#include <string.h>

#include "stages/generate/unet.h"

struct unet_spatio_temporal {
    struct unet unet;
    int frames, id_dim;
};

/* The norms' eps are not in the config; up blocks and attending down blocks were built with one,
 * the others with another. */
static void set_eps(struct unet *u)
{
    u->norm_eps = u->mid.eps = 1e-5f;
    for (int i = 0; i < u->levels; i++) {
        u->down[i].eps = u->down[i].attends ? 1e-6f : 1e-5f;
        u->up[i].eps = 1e-6f;
    }
}

static int read_sizes(struct unet_spatio_temporal *m, const struct config *c, struct error *e)
{
    static const int heads[] = {5, 10, 20, 20};
    struct unet *u = &m->unet;

    u->in_channels = 8;
    u->out_channels = 4;
    u->groups = 32;
    u->conv_in_size = u->conv_out_size = 3;
    u->cosine_first = u->temporal = true;
    u->added_in = 768;
    m->id_dim = 256;
    m->frames = 25;
    if (config_int(c, "in_channels", 1, 1024, &u->in_channels, e) ||
        config_int(c, "out_channels", 1, 1024, &u->out_channels, e) ||
        config_int(c, "num_frames", 1, 1 << 14, &m->frames, e) ||
        config_int(c, "addition_time_embed_dim", 2, 1 << 14, &m->id_dim, e) ||
        config_int(c, "projection_class_embeddings_input_dim", 1, 1 << 20, &u->added_in, e) ||
        unet_read_sizes(u, c, "SpatioTemporal", "num_attention_heads", heads, 4, 1024, e))
        return -1;
    u->time_in = (int)u->down[0].channels;
    u->time_dim = 4 * u->time_in;
    if (u->time_in % 2 || m->id_dim % 2 || u->added_in != UNET_SPATIO_TEMPORAL_TIME_IDS * m->id_dim)
        return error_set(
            e, ERROR_MODEL,
            "%s: block_out_channels[0] %d and addition_time_embed_dim %d must be even, "
            "and projection_class_embeddings_input_dim %d %d times the latter",
            c->path, u->time_in, m->id_dim, u->added_in, UNET_SPATIO_TEMPORAL_TIME_IDS);
    set_eps(u);
    return 0;
}

static int read_config(struct unet_spatio_temporal *m, struct error *e)
{
    struct config c;
    int rc;

    if (config_open(m->unet.dir, "UNetSpatioTemporalConditionModel", &c, e))
        return -1;
    rc = read_sizes(m, &c, e);
    config_close(&c);
    return rc;
}

int unet_spatio_temporal_load(const char *dir, struct device *d, struct unet_spatio_temporal **out,
                              struct error *e)
{
    struct unet_spatio_temporal *m = calloc(1, sizeof *m);

    if (!m)
        return error_memory(e);
    m->unet.device = d;
    if (d)
        m->unet.weights = device_arena(d);
    m->unet.dir = arena_strdup(&m->unet.arena, dir);
    if (!m->unet.dir)
        error_memory(e);
    if (!m->unet.dir || read_config(m, e) || unet_load(&m->unet, e)) {
        unet_spatio_temporal_free(m);
        return -1;
    }
    *out = m;
    return 0;
}

void unet_spatio_temporal_free(struct unet_spatio_temporal *m)
{
    if (!m)
        return;
    unet_free(&m->unet);
    free(m);
}

int unet_spatio_temporal_in_channels(const struct unet_spatio_temporal *m)
{
    return m->unet.in_channels;
}

int unet_spatio_temporal_out_channels(const struct unet_spatio_temporal *m)
{
    return m->unet.out_channels;
}

int unet_spatio_temporal_context_dim(const struct unet_spatio_temporal *m)
{
    return m->unet.context_dim;
}

/* ---- a shot */

static bool image_fits(const struct unet_spatio_temporal *m, const struct tensor *image,
                       const struct tensor *time_ids, int64_t frames)
{
    return image->rank == 3 && time_ids->rank == 2 && frames >= 1 && image->shape[0] >= 1 &&
           image->shape[1] == 1 && image->shape[2] == m->unet.context_dim &&
           time_ids->shape[0] == image->shape[0] &&
           time_ids->shape[1] == UNET_SPATIO_TEMPORAL_TIME_IDS;
}

int unet_spatio_temporal_prepare(struct unet_spatio_temporal *m, const struct tensor *image,
                                 const struct tensor *time_ids, int64_t frames,
                                 struct unet_context **out, struct error *e)
{
    struct arena scratch = {0};
    struct tensor added;
    char text[96];
    int rc = -1;

    if (!image_fits(m, image, time_ids, frames))
        return error_set(e, ERROR_MODEL,
                         "%s: an embedded picture of shape %s does not fit: the UNet wants one "
                         "token of width %d a clip",
                         m->unet.dir, tensor_shape_text(image, text, sizeof text),
                         m->unet.context_dim);
    added = TENSOR_NEW(&scratch, image->shape[0], m->unet.added_in);
    if (!added.data) {
        error_memory(e);
    } else {
        for (int64_t i = 0; i < tensor_count(time_ids); i++)
            unet_waves(&m->unet, ((float *)time_ids->data)[i], m->id_dim,
                       (float *)added.data + i * m->id_dim);
        rc = unet_context_make(&m->unet, image, &added, frames, out, e);
    }
    arena_free(&scratch);
    return rc;
}

/* [B, frames, C, H, W] as [B * frames, C, H, W]. */
static struct tensor flat(const struct tensor *t)
{
    return TENSOR_VIEW(*t, t->shape[0] * t->shape[1], t->shape[2], t->shape[3], t->shape[4]);
}

int unet_spatio_temporal_forward(struct unet_spatio_temporal *m, const struct unet_context *c,
                                 const struct tensor *sample, float timestep, struct tensor *out,
                                 struct error *e)
{
    struct tensor frames, predicted;

    if (sample->rank != 5 || out->rank != 5)
        return error_set(e, ERROR_INTERNAL, "a clip's latents have five axes");
    frames = flat(sample);
    predicted = flat(out);
    return unet_forward(&m->unet, c, &frames, timestep, &predicted, e);
}
