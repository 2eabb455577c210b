#include <math.h>

#include "stages/decode/interpolate.h"
#include "stages/decode/master.h"
#include "stages/decode/picture_lane.h"
#include "stages/decode/sources.h"
#include "stages/decode/upscaler_choice.h"

struct delivery {
    struct master *master;
    struct tier_geometry geometry;
    struct upscaler *upscaler;    /* NULL: none */
    int scale;                    /* of it; else 1 */
    int width, height;            /* of the picture's part of a frame, enlarged */
    struct picture_lane *lane;    /* of such */
    struct picture board;         /* on the board; the lane's */
    struct resampler *resampler;  /* NULL when they are of one size; the lane's */
    struct interpolator *between; /* NULL: the model's frames are shown as they are; the lane's */
    int done;                     /* frames of the shot; of the model where between is set */
};

/* Of numbers that are not finite: the upscaler's, where all that the model made are. */
static int no_picture(const struct delivery *d, const float *made, int index, struct error *e)
{
    size_t count = (size_t)d->geometry.width * (size_t)d->geometry.height * 3, finite = 0;

    while (finite < count && isfinite(made[finite]))
        finite++;
    if (d->upscaler && finite == count)
        return error_set(e, ERROR_MODEL,
                         "the upscaler %s made a picture that is no picture: frame %d holds "
                         "numbers that are not finite" UPSCALER_MEND,
                         upscaler_path(d->upscaler), index);
    return error_set(e, ERROR_MEDIA,
                     "the model made a picture that is no picture: frame %d holds numbers that are "
                     "not finite",
                     index);
}

/* Onto 0..65535. Whether one is not finite, in a way that compilers make vectors of. */
static int take_row(const float *restrict from, uint16_t *restrict red, uint16_t *restrict green,
                    uint16_t *restrict blue, int width)
{
    uint16_t *const to[3] = {red, green, blue};
    int none = 0;

    for (int x = 0; x < width; x++)
        for (int c = 0; c < 3; c++) {
            float value = (from[3 * x + c] + 1) * 32767.5f;

            none |= !(value - value == 0);
            value = value > 0 ? value : 0;
            to[c][x] = (uint16_t)(int)((value < 65535 ? value : 65535) + 0.5f);
        }
    return none;
}

static int take_picture(struct delivery *d, const float *rgb, int width, int height, int index,
                        struct picture *to, struct error *e)
{
    const struct tier_geometry *g = &d->geometry;
    const float *made = rgb;
    int scale = d->scale, none = 0;

    if (width != g->width || height != g->height)
        return error_set(e, ERROR_MODEL, "the VAE made pictures of %dx%d, not %dx%d", width, height,
                         g->width, g->height);
    if (d->upscaler && upscaler_run(d->upscaler, rgb, width, height, &rgb, e) != 0)
        return -1;
    for (int y = 0; y < d->height; y++) {
        const float *row = rgb + ((size_t)(g->top * scale + y) * (size_t)width + (size_t)g->left) *
                                     (size_t)scale * 3;
        size_t at = (size_t)y * (size_t)d->width;

        none |= take_row(row, to->planes[0] + at, to->planes[1] + at, to->planes[2] + at, d->width);
    }
    return none ? no_picture(d, made, index, e) : 0;
}

/* The model's frame that frame i of the shot shows. */
static int64_t model_frame(const struct tier_geometry *g, int i)
{
    return i * g->step_num / g->step_den;
}

/* A picture onto the board and into the master, as often as it is shown. */
static int show(void *ctx, const struct picture *p, int count, struct error *e)
{
    struct delivery *d = ctx;
    struct window all = {0, 0, p->width, p->height};

    if ((d->resampler && resample(d->resampler, p, all, &d->board, e) != 0) ||
        master_add(d->master, d->resampler ? &d->board : p, e) != 0)
        return -1;
    while (--count > 0)
        if (master_repeat(d->master, e) != 0)
            return -1;
    return 0;
}

/* The lane's: every picture that the model made and that is shown, or looked at for what lies
 * between. */
static int deliver(void *ctx, const struct picture *p, int count, struct error *e)
{
    struct delivery *d = ctx;

    return d->between ? interpolator_put(d->between, p, e) : show(d, p, count, e);
}

/* What is interpolated needs every frame up to the one behind the last. */
static int put_between(struct delivery *d, int index, const float *rgb, int width, int height,
                       struct error *e)
{
    const struct tier_geometry *g = &d->geometry;
    struct picture *picture;

    if (index > model_frame(g, g->picture_frames - 1) + 1)
        return 0;
    picture = picture_lane_room(d->lane, e);
    if (!picture || take_picture(d, rgb, width, height, index, picture, e) != 0)
        return -1;
    picture_lane_put(d->lane, 1);
    return 0;
}

static int on_frame(void *ctx, int index, const float *rgb, int width, int height, struct error *e)
{
    struct delivery *d = ctx;
    const struct tier_geometry *g = &d->geometry;
    struct picture *picture;
    int first = d->done;

    if (d->between)
        return put_between(d, index, rgb, width, height, e);
    if (d->done == g->picture_frames || model_frame(g, d->done) != index)
        return 0; /* the model's own rounding up, or it is not shown */
    picture = picture_lane_room(d->lane, e);
    if (!picture || take_picture(d, rgb, width, height, index, picture, e) != 0)
        return -1;
    while (d->done < g->picture_frames && model_frame(g, d->done) == index)
        d->done++;
    picture_lane_put(d->lane, d->done - first);
    return 0;
}

static int delivery_open(struct delivery *d, struct stage_job *job, const struct tier *tier,
                         struct error *e)
{
    const struct board *b = job->env->board;

    tier_shot_geometry(job->env, tier, job->shot, &d->geometry);
    d->scale = d->upscaler ? upscaler_scale(d->upscaler) : 1;
    d->width = d->geometry.picture_width * d->scale;
    d->height = d->geometry.picture_height * d->scale;
    if ((d->width != b->width || d->height != b->height) &&
        resampler_open(b->width, b->height, &d->resampler, e) != 0)
        return -1;
    if (master_open(job, &d->master, e) != 0)
        return -1;
    if (d->geometry.frames == 1)
        master_stands_still(d->master);
    if (d->geometry.interpolated &&
        interpolator_open(d->width, d->height, d->geometry.step_num, d->geometry.step_den,
                          d->geometry.picture_frames, show, d, &d->between, e) != 0)
        return -1;
    return picture_lane_open(d->width, d->height, deliver, d, &d->lane, e);
}

int decode_generated(struct vae_session *vae, struct upscaler *upscaler,
                     const struct tensor *latents, struct stage_job *job, struct error *e)
{
    struct delivery d = {.upscaler = upscaler};
    const struct tier *tier;
    int rc = -1;

    if (tier_of_shot(job->env, job->shot, &tier, e) == 0 && delivery_open(&d, job, tier, e) == 0 &&
        vae_session_decode(vae, latents, on_frame, &d, e) == 0 &&
        picture_lane_finish(d.lane, e) == 0 &&
        (!d.between || interpolator_finish(d.between, e) == 0))
        rc = master_finish(d.master, e);
    picture_lane_close(d.lane);
    interpolator_close(d.between);
    master_close(d.master);
    resampler_close(d.resampler);
    picture_free(&d.board);
    return rc;
}
