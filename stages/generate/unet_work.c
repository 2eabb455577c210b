#include <string.h>

#include "stages/generate/unet.h"

/* The most numbers that each of the flat tensors holds at any level. */
struct room {
    int64_t wide, state, normed, mix, ff, channels;
};

static void grow(int64_t *room, int64_t count)
{
    if (*room < count)
        *room = count;
}

/* in: the widest input of the level's residual blocks. */
static void level_room(const struct unet *m, struct room *r, const struct unet_level *v,
                       int64_t pixels, int64_t in)
{
    int64_t own = pixels * v->channels;

    grow(&r->wide, pixels * in);
    grow(&r->wide, own);
    grow(&r->state, own);
    grow(&r->normed, own);
    grow(&r->channels, v->channels);
    if (!v->attends)
        return;
    grow(&r->wide, 3 * own);
    grow(&r->ff, unet_feed_forward_room(pixels, v->channels));
    if (m->temporal)
        grow(&r->mix, own);
}

/* Skips are made on the way down; on the way up they decide how wide the inputs are, and an
 * upsampler's result has the level's own channels at the size of the next. */
static bool plan(struct unet *m, struct room *r)
{
    struct unet_workspace *w = &m->work;
    int64_t n = w->clips * w->frames, height = w->height, width = w->width;
    int64_t channels = m->down[0].channels, pixels[UNET_LEVELS_MAX];
    int skip = 0;
    bool failed = false;

#define SKIP()                                                                                     \
    do {                                                                                           \
        w->skips[skip] = ACTIVATION_NEW(m->device, &w->arena, n, height, width, channels);         \
        failed |= !w->skips[skip++].data;                                                          \
    } while (0)
    SKIP();
    for (int i = 0; i < m->levels; i++) {
        struct unet_level *v = &m->down[i];
        pixels[i] = n * height * width;
        level_room(m, r, v, pixels[i], channels);
        channels = v->channels;
        for (int j = 0; j < v->layers; j++)
            SKIP();
        if (!v->resamples)
            continue;
        height = (height + 1) / 2;
        width = (width + 1) / 2;
        SKIP();
    }
#undef SKIP
    level_room(m, r, &m->mid, pixels[m->levels - 1], channels);
    for (int i = 0; i < m->levels; i++) {
        struct unet_level *v = &m->up[i];
        int64_t here = pixels[m->levels - 1 - i];
        for (int j = 0; j < v->layers; j++) {
            level_room(m, r, v, here, channels + w->skips[--skip].shape[3]);
            channels = v->channels;
        }
        if (v->resamples) {
            grow(&r->state, pixels[m->levels - 2 - i] * channels);
            grow(&r->wide, pixels[m->levels - 2 - i] * channels);
        }
    }
    return failed;
}

static bool make(struct unet *m, struct room *r)
{
    struct unet_workspace *w = &m->work;
    struct device *d = m->device;
    int64_t n = w->clips * w->frames, h = w->height, v = w->width;

    w->input = ACTIVATION_NEW(d, &w->arena, n, h, v, m->in_channels);
    w->output = ACTIVATION_NEW(d, &w->arena, n, h, v, m->out_channels);
    w->sample = TENSOR_NEW(&w->arena, n, m->in_channels, h, v);
    w->predicted = TENSOR_NEW(&w->arena, n, m->out_channels, h, v);
    w->wide = ACTIVATION_NEW(d, &w->arena, r->wide);
    w->state = ACTIVATION_NEW(d, &w->arena, r->state);
    w->normed = ACTIVATION_NEW(d, &w->arena, r->normed);
    w->x = ACTIVATION_NEW(d, &w->arena, r->normed);
    w->mix = ACTIVATION_NEW(d, &w->arena, r->mix);
    w->ff = ACTIVATION_NEW(d, &w->arena, r->ff);
    if (device_linears(d) == DTYPE_F8_E4M3) { /* no row is narrower than a level's channels */
        w->normed_scales = TENSOR_NEW(&w->arena, n * h * v);
        w->ff_scales = TENSOR_NEW(&w->arena, n * h * v);
        if (!w->normed_scales.data || !w->ff_scales.data)
            return true;
    }
    w->host_waves = TENSOR_NEW(&w->host, w->clips, m->time_in);
    w->waves = TENSOR_NEW(&w->arena, w->clips, m->time_in);
    w->embedded = TENSOR_NEW(&w->arena, w->clips, m->time_dim);
    w->silu = TENSOR_NEW(&w->arena, w->clips, m->time_dim);
    w->shift = TENSOR_NEW(&w->arena, w->clips * r->channels);
    return !w->input.data || !w->output.data || !w->sample.data || !w->predicted.data ||
           !w->wide.data || !w->state.data || !w->normed.data || !w->x.data ||
           (r->mix && !w->mix.data) || !w->ff.data || !w->host_waves.data || !w->waves.data ||
           !w->embedded.data || !w->silu.data || !w->shift.data;
}

/* An upsampler whose result has an odd side doubles its input in a step of its own, and then wants
 * its weights in another form. */
static int load_unscaled(struct unet *m, struct error *e)
{
    const struct conv_form plain = {.scale = 1, .stride = 1};
    struct unet_workspace *w = &m->work;
    struct loader l = {.device = m->device, .arena = &w->arena, .error = e};
    struct safetensors *weights = NULL;
    int64_t height = w->height, width = w->width;

    for (int i = m->levels - 2; i >= 0 && !l.failed; i--) {
        int64_t channels = m->up[i].channels;
        if (height % 2 || width % 2) {
            if (!weights && safetensors_open(m->dir, &weights, e))
                return -1;
            l.weights = weights;
            load_conv_form(&l, &w->unscaled[i], plain, channels, channels, 0, 3, 3,
                           "up_blocks.%d.upsamplers.0.conv", i);
        }
        height = (height + 1) / 2;
        width = (width + 1) / 2;
    }
    safetensors_close(weights);
    return l.failed ? -1 : 0;
}

void unet_free_workspace(struct unet *m)
{
    device_graph_free(&m->work.graph);
    arena_free(&m->work.arena);
    arena_free(&m->work.host);
    m->work.clips = 0; /* for no size */
}

int unet_make_workspace(struct unet *m, int64_t clips, int64_t frames, int64_t height,
                        int64_t width, struct error *e)
{
    struct unet_workspace *w = &m->work;
    struct room room = {0};
    bool failed;

    if (w->clips == clips && w->frames == frames && w->height == height && w->width == width)
        return 0;
    unet_free_workspace(m);
    *w = (struct unet_workspace){.arena = device_arena(m->device),
                                 .clips = clips,
                                 .frames = frames,
                                 .height = height,
                                 .width = width};
    failed = plan(m, &room);
    failed |= make(m, &room);
    if (failed) {
        error_set(e, ERROR_MEMORY,
                  "%s: not enough memory for %lld frames of %lld x %lld latents; make smaller or "
                  "fewer",
                  m->dir, (long long)(clips * frames), (long long)width, (long long)height);
        goto failed;
    }
    if (load_unscaled(m, e))
        goto failed;
    return 0;
failed:
    unet_free_workspace(m);
    return -1;
}
