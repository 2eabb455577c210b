#include "stages/decode/upscaler.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/loader.h"
#include "kernels/weight_file.h"

struct layer {
    struct conv conv;
    struct tensor slope; /* of all but the last */
};

struct upscaler {
    struct device *device;
    char *path;                         /* of the weights */
    struct arena weights, memory, host; /* memory, host: for frames of one size */
    struct layer layers[UPSCALER_MOST_LAYERS];
    int count, scale;
    int64_t width, height;                /* of that size; 0: none yet */
    struct tensor in, between[2], spread; /* [1, H, W, 3], [1, H, W, width], [1, H, W, 3 scale^2] */
    struct tensor small, pixels;          /* in and spread on the host */
    float *large;
};

/* ---- weights */

static const struct tensor *layer_weight(const struct safetensors *s, int layer)
{
    char name[32];

    snprintf(name, sizeof name, "body.%d.weight", 2 * layer);
    return safetensors_find(s, name);
}

static int bad_form(const struct safetensors *s, struct error *e, const char *what)
{
    return error_set(e, ERROR_MODEL,
                     "%s is no upscaler of the compact form (body.0.weight of [width, 3, 3, 3], "
                     "PReLUs between): %s",
                     safetensors_path(s), what);
}

/* What the shapes say: *width, and count and scale of u. */
static int read_form(struct upscaler *u, const struct safetensors *s, int64_t *width,
                     struct error *e)
{
    const struct tensor *first = layer_weight(s, 0), *last = first;

    while (u->count < UPSCALER_MOST_LAYERS && layer_weight(s, u->count))
        last = layer_weight(s, u->count++);
    if (u->count < 2)
        return bad_form(s, e, "it has fewer than two convolutions");
    if (layer_weight(s, u->count))
        return bad_form(s, e, "it has too many convolutions");
    if (first->rank != 4 || first->shape[0] < 1 || first->shape[0] > UPSCALER_MOST_WIDTH)
        return bad_form(s, e, "its first convolution is none, or too wide");
    *width = first->shape[0];
    for (u->scale = 1; u->scale <= UPSCALER_MOST_SCALE; u->scale++)
        if (last->rank == 4 && last->shape[0] == (int64_t)3 * u->scale * u->scale)
            return 0;
    return bad_form(s, e, "its last convolution does not make 3, 12, 27, ... 192 channels");
}

static int load(struct upscaler *u, const struct safetensors *s, struct error *e)
{
    struct loader l = {.device = u->device, .arena = &u->weights, .weights = s, .error = e};
    int64_t width = 0, in = 3;

    if (read_form(u, s, &width, e) != 0)
        return -1;
    for (int i = 0; i < u->count; i++, in = width) {
        bool last = i == u->count - 1;
        int64_t out = last ? (int64_t)3 * u->scale * u->scale : width;

        load_conv(&l, &u->layers[i].conv, out, in, 0, 3, 3, "body.%d", 2 * i);
        if (!last)
            load_vector(&l, &u->layers[i].slope, width, "body.%d.weight", 2 * i + 1);
    }
    if (!l.failed && safetensors_count(s) != (size_t)(3 * u->count - 1))
        return bad_form(s, e, "it holds other tensors besides");
    return l.failed ? -1 : 0;
}

/* Refuses a folder of which nothing could be weights; of the rest, weight_file.h knows what to say.
 */
static int check_folder(const char *path, struct error *e)
{
    bool found = strstr(path, ".safetensors") != NULL; /* a file */
    DIR *d = found ? NULL : opendir(path);
    struct dirent *entry;

    if (!found && !d)
        return error_errno(e, errno, "open", path);
    while (!found && (entry = readdir(d)))
        found = strstr(entry->d_name, ".safetensors") || weight_file_is_pickle(entry->d_name) ||
                weight_file_is_unfinished(entry->d_name);
    if (d)
        closedir(d);
    return found ? 0
                 : error_set(e, ERROR_MODEL,
                             "%s holds no weights: an upscaler's are in a file model.safetensors",
                             path);
}

static void add_mend(struct error *e)
{
    size_t used = strlen(e->text);

    if (e->code == ERROR_MODEL || e->code == ERROR_IO)
        snprintf(e->text + used, sizeof e->text - used, "%s", UPSCALER_MEND);
}

int upscaler_open(const char *path, struct device *d, struct upscaler **out, struct error *e)
{
    struct upscaler *u = calloc(1, sizeof *u);
    struct safetensors *s = NULL;
    int rc = -1;

    if (!u)
        return error_memory(e);
    u->device = d;
    u->weights = u->memory = device_arena(d);
    if (check_folder(path, e) == 0 && safetensors_open(path, &s, e) == 0) {
        u->path = strdup(safetensors_path(s));
        rc = u->path ? load(u, s, e) : error_memory(e);
    }
    safetensors_close(s);
    if (rc != 0)
        add_mend(e);
    if (rc == 0)
        *out = u;
    else
        upscaler_close(u);
    return rc;
}

void upscaler_close(struct upscaler *u)
{
    if (!u)
        return;
    arena_free(&u->memory);
    arena_free(&u->weights);
    arena_free(&u->host);
    free(u->path);
    free(u);
}

int upscaler_scale(const struct upscaler *u)
{
    return u->scale;
}

const char *upscaler_path(const struct upscaler *u)
{
    return u->path;
}

/* ---- frames */

static int make_room(struct upscaler *u, int64_t width, int64_t height, struct error *e)
{
    struct device *d = u->device;
    int64_t deep = u->layers[0].conv.out, made = u->layers[u->count - 1].conv.out;

    if (u->width == width && u->height == height)
        return 0;
    arena_free(&u->memory);
    arena_free(&u->host);
    u->width = u->height = 0;
    u->in = ACTIVATION_NEW(d, &u->memory, 1, height, width, 3);
    for (int i = 0; i < 2; i++)
        u->between[i] = ACTIVATION_NEW(d, &u->memory, 1, height, width, deep);
    u->spread = ACTIVATION_NEW(d, &u->memory, 1, height, width, made);
    u->small = TENSOR_NEW(&u->host, 1, height, width, 3);
    u->pixels = TENSOR_NEW(&u->host, 1, height, width, made);
    u->large = arena_array(&u->host, (size_t)(height * width * made), sizeof *u->large);
    if (!u->in.data || !u->between[0].data || !u->between[1].data || !u->spread.data ||
        !u->small.data || !u->pixels.data || !u->large)
        return error_memory(e);
    u->width = width;
    u->height = height;
    return 0;
}

/* The network was taught on 0..1. */
static void take_frame(struct upscaler *u, const float *rgb)
{
    float *to = u->small.data;

    for (int64_t i = 0; i < tensor_count(&u->small); i++) {
        float v = rgb[i] * 0.5f + 0.5f;
        to[i] = !isfinite(v) ? v : v < 0 ? 0 : v > 1 ? 1 : v;
    }
}

/* Channel (c, row, column) of a pixel is c of the pixel that lies so in its square. */
static void shuffle(struct upscaler *u)
{
    const float *small = u->small.data, *pixels = u->pixels.data;
    int64_t scale = u->scale, square = scale * scale;

    for (int64_t line = 0; line < u->height * scale; line++) {
        float *to = u->large + line * u->width * scale * 3;
        for (int64_t x = 0; x < u->width; x++) {
            int64_t at = line / scale * u->width + x;
            const float *from = pixels + at * 3 * square + line % scale * scale;
            for (int64_t k = 0; k < scale; k++)
                for (int64_t c = 0; c < 3; c++)
                    *to++ = 2 * (small[3 * at + c] + from[c * square + k]) - 1;
        }
    }
}

static int work(struct upscaler *u, struct error *e)
{
    struct device *d = u->device;
    const struct tensor *x = &u->in;

    op_write(d, &u->in, &u->small);
    for (int i = 0; i < u->count - 1; i++) {
        struct tensor *to = &u->between[i % 2];
        op_conv_prelu(d, to, &x, &u->layers[i].conv, &u->layers[i].slope);
        x = to;
    }
    op_conv(d, &u->spread, &x, &u->layers[u->count - 1].conv, NULL);
    op_read(d, &u->pixels, &u->spread);
    return device_status(d, e);
}

int upscaler_run(struct upscaler *u, const float *rgb, int width, int height, const float **out,
                 struct error *e)
{
    if (make_room(u, width, height, e) != 0)
        return -1;
    take_frame(u, rgb);
    if (work(u, e) != 0)
        return -1;
    shuffle(u);
    *out = u->large;
    return 0;
}

int upscaler_rehearse(struct upscaler *u, int width, int height, struct error *e)
{
    return make_room(u, width, height, e) == 0 ? work(u, e) : -1;
}
