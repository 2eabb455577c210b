#include "pipeline/commands/bench_tiles.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct film {
    float *pixels; /* [frames][size] */
    size_t size;
    int frames, room;
};

static int keep(void *ctx, int index, const float *rgb, int width, int height, struct error *e)
{
    struct film *f = ctx;

    f->size = (size_t)width * (size_t)height * 3;
    for (size_t i = 0; i < f->size; i++)
        if (!isfinite(rgb[i]))
            return error_set(e, ERROR_MODEL, "picture %d holds numbers that are not finite", index);
    if (f->frames == f->room) {
        int room = f->room ? 2 * f->room : 32;
        float *more = realloc(f->pixels, f->size * (size_t)room * sizeof *more);
        if (!more)
            return error_memory(e);
        f->pixels = more;
        f->room = room;
    }
    memcpy(f->pixels + f->size * (size_t)f->frames++, rgb, f->size * sizeof *rgb);
    return 0;
}

/* Of white. */
static double shown(float value)
{
    return fmin(fmax(((double)value + 1) / 2, 0), 1);
}

void picture_difference_add(struct picture_difference *d, float a, float b)
{
    double off = fabs(shown(a) - shown(b));
    int64_t steps = llabs(lround(shown(a) * 255) - lround(shown(b) * 255));

    d->most = fmax(d->most, off);
    d->sum += off;
    d->steps += steps;
    d->most_steps = steps > d->most_steps ? steps : d->most_steps;
    d->differ += steps > 0;
    d->count++;
}

static void tell(const char *where, const struct picture_difference *d)
{
    double count = d->count ? (double)d->count : 1;

    printf("  %-17s at most %.5f of white, on average %.6f; in 8 bits at most %lld of 255, on "
           "average %.3f, %.2f %% differ\n",
           where, d->most, d->sum / count, (long long)d->most_steps, (double)d->steps / count,
           100 * (double)d->differ / count);
}

int bench_tiles(const struct family *f, void *vae, struct device *d,
                const struct vae_limits *limits, const struct tensor *latents,
                struct tiles_difference *out, struct error *e)
{
    struct vae_limits whole = {.memory = limits->memory, .rehearsal = limits->rehearsal};
    struct film a = {0}, b = {0};
    struct tiling t;
    int rc, width;

    *out = (struct tiles_difference){0};
    rc = tiling_choose(f, vae, d, limits, latents->shape, &t, e) ||
                 tiling_decode(f, vae, d, limits, latents, keep, &b, e) ||
                 tiling_decode(f, vae, d, &whole, latents, keep, &a, e)
             ? -1
             : 0;
    width = rc == 0 ? (int)latents->shape[3] * t.factor : 0;

    for (size_t k = 0; rc == 0 && k < a.size * (size_t)a.frames; k++) {
        int pixel = (int)(k % a.size / 3);
        picture_difference_add(&out->all, a.pixels[k], b.pixels[k]);
        if (tiling_shares(&t, latents->shape, pixel % width, pixel / width))
            picture_difference_add(&out->shared, a.pixels[k], b.pixels[k]);
    }
    if (rc == 0) {
        out->columns = (int)t.columns;
        out->rows = (int)t.rows;
        out->width = (int)t.width * t.factor;
        out->height = (int)t.height * t.factor;
    }
    free(a.pixels);
    free(b.pixels);
    return rc;
}

void tiles_difference_print(const struct tiles_difference *t)
{
    printf("  %d x %d tiles of %dx%d against the whole picture:\n", t->columns, t->rows, t->width,
           t->height);
    tell("all pixels", &t->all);
    tell("where tiles meet", &t->shared);
    printf("  of noise, where every pixel is an edge: of shots see bench/README.md\n");
}

static json_t *difference_json(const struct picture_difference *d)
{
    double count = d->count ? (double)d->count : 1;

    return json_pack("{sf sf sI sf sf}", "most", d->most, "mean", d->sum / count, "most_steps",
                     (json_int_t)d->most_steps, "mean_steps", (double)d->steps / count,
                     "share_that_differs", (double)d->differ / count);
}

json_t *tiles_difference_json(const struct tiles_difference *t)
{
    return json_pack("{si si si si so so}", "columns", t->columns, "rows", t->rows, "width",
                     t->width, "height", t->height, "all", difference_json(&t->all), "shared",
                     difference_json(&t->shared));
}
