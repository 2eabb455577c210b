#include "stages/decode/hunyuan_vae.h"

#include <string.h>

#include "stages/decode/hunyuan_vae_impl.h"
#include "stages/decode/vae_limits.h"

enum { TIME_FACTOR = 4 };

int hunyuan_vae_channels(const struct hunyuan_vae *v)
{
    return v->channels;
}

int hunyuan_vae_time_factor(const struct hunyuan_vae *v)
{
    (void)v; /* others are refused at load */
    return TIME_FACTOR;
}

int hunyuan_vae_space_factor(const struct hunyuan_vae *v)
{
    return v->space_factor;
}

int hunyuan_vae_frames(const struct hunyuan_vae *v, int latent_frames)
{
    return 1 + (latent_frames - 1) * hunyuan_vae_time_factor(v);
}

/* ---- a clip */

/* Frames from .. of [C, T, H, W] to [T, H, W, C], scaled: as many as work is for. */
static void take_latents(struct hunyuan_vae *v, const struct tensor *latents, int64_t from)
{
    int64_t frame = latents->shape[2] * latents->shape[3], area = v->shape[0] * frame;
    float scaling = (float)v->scaling;

    for (int64_t c = 0; c < v->channels; c++) {
        const float *plane = (const float *)latents->data + (c * latents->shape[1] + from) * frame;
        for (int64_t i = 0; i < area; i++)
            v->host_latents[i * v->channels + c] = plane[i] / scaling;
    }
}

/* Pictures of tiles on their way to whoever wants those of the clip. The first of a tile come out
 * of the last of the tile before; of a later tile the very first is its beginning's own, and not
 * shown. They come while the next tiles are being decoded: it goes through the tiles by itself. */
struct joint {
    picture_fn *frame;
    void *ctx;
    int64_t frames, length, stride; /* latent frames: of the clip, of a tile, from tile to tile */
    int64_t from;                   /* the latent frame that this tile begins with */
    int64_t first, shown, pictures; /* of this tile: the first that counts, how many do; all */
    int64_t before;                 /* pictures that `tail` holds */
    int64_t at;                     /* the next picture of the tile */
    int index, total;               /* of the clip's pictures */
    float *tail, *kept;             /* [OVERLAP][picture]: of the tile before; of this one */
    float *mixed;                   /* [picture] */
};
enum { OVERLAP = TIME_FACTOR };

static int64_t pictures_of(int64_t latent_frames)
{
    return 1 + (latent_frames - 1) * TIME_FACTOR;
}

/* Latent frames of the tile that begins there. */
static int64_t tile_frames(const struct joint *j, int64_t from)
{
    return hunyuan_least(j->length, j->frames - from);
}

/* Whether a tile that begins there shows a picture. */
static bool is_needed(const struct joint *j, int64_t from)
{
    return from == 0 || from < j->frames - 1;
}

static void begin_tile(struct joint *j, int64_t from)
{
    j->from = from;
    j->first = from > 0;
    j->pictures = pictures_of(tile_frames(j, from));
    j->shown = hunyuan_least(j->stride * TIME_FACTOR + 1 - j->first, j->pictures - j->first);
    j->shown = hunyuan_least(j->shown, j->total - j->index);
    j->at = 0;
}

/* What this tile left is what the next one fades out of. */
static void next_tile(struct joint *j)
{
    float *old = j->tail;

    j->before = hunyuan_least(j->pictures - j->first, OVERLAP);
    j->tail = j->kept;
    j->kept = old;
    begin_tile(j, j->from + j->stride);
}

static int join(void *ctx, int unused, const float *rgb, int width, int height, struct error *e)
{
    struct joint *j = ctx;
    int64_t size = (int64_t)width * height * 3, counted, at, extent, keeps;

    (void)unused;
    if (j->at == j->pictures)
        next_tile(j);
    counted = j->pictures - j->first;
    at = j->at++ - j->first;
    extent = hunyuan_least(hunyuan_least(j->before, OVERLAP), counted);
    keeps = hunyuan_least(counted, OVERLAP);
    if (at < 0)
        return 0;
    if (at < extent) {
        const float *old = j->tail + (j->before - extent + at) * size;
        float part = (float)at / (float)extent;
        for (int64_t i = 0; i < size; i++)
            j->mixed[i] = old[i] * (1 - part) + rgb[i] * part;
        rgb = j->mixed;
    }
    if (j->kept && at >= counted - keeps)
        memcpy(j->kept + (at - (counted - keeps)) * size, rgb, (size_t)size * sizeof *rgb);
    return at < j->shown && j->frame(j->ctx, j->index++, rgb, width, height, e) ? -1 : 0;
}

/* Memory for what two tiles share. */
static int make_seams(struct joint *j, struct arena *a, int64_t picture, struct error *e)
{
    j->tail = arena_array(a, (size_t)(OVERLAP * picture), sizeof(float));
    j->kept = arena_array(a, (size_t)(OVERLAP * picture), sizeof(float));
    j->mixed = arena_array(a, (size_t)picture, sizeof(float));
    return j->tail && j->kept && j->mixed ? 0 : error_memory(e);
}

/* The published pipeline's way through a clip, which may be one tile. The device is told of a tile
 * before the pictures of the last one are handed on. */
static int decode_tiles(struct hunyuan_vae *v, const struct tensor *latents, struct joint *j,
                        struct error *e)
{
    struct picture_stream s = {.device = v->device, .take = join, .ctx = j, .error = e};
    const int64_t *n = latents->shape;

    for (int64_t from = 0; is_needed(j, from); from += j->stride) {
        if (hunyuan_vae_make_work(v, (int64_t[]){tile_frames(j, from), n[2], n[3]}, e))
            return -1;
        if (from == 0 && vae_gains_from_many_frames(v->device))
            s.slots = v->slots;
        take_latents(v, latents, from);
        if (hunyuan_vae_run(v, &s))
            return -1;
    }
    return picture_stream_end(&s);
}

void hunyuan_vae_tile(struct hunyuan_vae *v, int pictures)
{
    v->tile = pictures;
}

int hunyuan_vae_decode(struct hunyuan_vae *v, const struct tensor *latents,
                       hunyuan_vae_frame_fn *frame, void *ctx, struct error *e)
{
    int64_t frames = latents->rank == 4 ? latents->shape[1] : 0;
    struct joint j = {.frame = frame, .ctx = ctx, .frames = frames, .length = frames};
    struct arena seams = {0};
    char text[96];
    int rc = 0;

    if (latents->rank != 4 || latents->shape[0] != v->channels || tensor_count(latents) < 1)
        return error_set(e, ERROR_MODEL, "%s: latents of shape %s do not fit a VAE of %d channels",
                         v->dir, tensor_shape_text(latents, text, sizeof text), v->channels);
    j.total = hunyuan_vae_frames(v, (int)frames);
    j.stride = frames;
    if (v->tile && frames > v->tile / TIME_FACTOR) {
        j.length = v->tile / TIME_FACTOR + 1;
        j.stride = j.length - 2;
        rc = make_seams(
            &j, &seams,
            latents->shape[2] * latents->shape[3] * v->space_factor * v->space_factor * 3, e);
    }
    begin_tile(&j, 0);
    if (rc == 0)
        rc = decode_tiles(v, latents, &j, e);
    arena_free(&seams);
    return rc;
}
