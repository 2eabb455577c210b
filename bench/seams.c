/* What decoding in tiles costs in quality: shots of a checkpoint decoded whole and in tiles of
 * several sizes and overlaps, and how far apart the frames are where tiles meet and away from
 * there.
 *
 *   bench/seams DIR [--tile N]... [--overlap N]... [--save FOLDER]
 *               [--frames N] [--size WxH] [--shots N] [--steps N] [--guidance G]
 *               [--device cpu|cuda]
 *
 * Tiles of N x N pixels at most. All differences are of 8-bit steps, over all frames of all shots.
 * A seam is a line that the whole picture does not have, so `step` is how much the difference
 * changes from a row or column to the next, on average over the pixels of a line 32 long; the
 * largest there is. --save writes the last frame of the first shot as PPM: whole, in tiles, and
 * their difference 32 times over grey.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/frames.h"
#include "bench/shots.h"
#include "stages/decode/tiling.h"

enum { CHOICES = 8, LINE = 32, LEVELS = 255 * 64, AMPLIFIED = 32 };

struct options {
    struct shots_options shots;
    int tiles, overlaps, tile[CHOICES], overlap[CHOICES];
    const char *save;
};

static bool own_option(void *ctx, const char *name, const char *value)
{
    struct options *o = ctx;

    if (strcmp(name, "--tile") == 0 && o->tiles < CHOICES)
        o->tile[o->tiles++] = atoi(value);
    else if (strcmp(name, "--overlap") == 0 && o->overlaps < CHOICES)
        o->overlap[o->overlaps++] = atoi(value);
    else if (strcmp(name, "--save") == 0)
        o->save = value;
    else
        return false;
    return true;
}

static int read_options(struct options *o, int argc, char **argv)
{
    *o = (struct options){0};
    if (shots_read(&o->shots, argc, argv, own_option, o) != 0)
        return -1;
    if (o->tiles == 0)
        o->tile[o->tiles++] = 192;
    if (o->overlaps == 0)
        o->overlaps = 1; /* 0: as runs have it */
    return 0;
}

/* ---- differences */

struct place {
    double sum, step;
    int64_t count;
};

struct row {
    struct tiling tiling;
    double most;
    int64_t levels[LEVELS + 1], count; /* how many differences lie in each 1/64 of a step */
    struct place meets, away;
};

struct view {
    const struct frames *whole, *tiled;
    const bool *meets; /* [height][width] */
    int frame;
};

/* Signed, in 8-bit steps, of the mean of a pixel's channels. */
static double off(const struct view *v, int x, int y)
{
    const struct frames *f = v->whole;
    size_t at =
        3 * (((size_t)v->frame * (size_t)f->height + (size_t)y) * (size_t)f->width + (size_t)x);
    double sum = 0;

    for (size_t k = at; k < at + 3; k++)
        sum += (double)v->tiled->rgb[k] - (double)f->rgb[k];
    return sum * 255 / 3;
}

static void add_pixels(struct row *r, const struct view *v)
{
    const struct frames *f = v->whole;
    size_t area = (size_t)f->height * (size_t)f->width, first = (size_t)v->frame * area * 3;

    for (size_t i = 0; i < area * 3; i++) {
        double apart = 255 * fabs((double)v->tiled->rgb[first + i] - (double)f->rgb[first + i]);
        struct place *p = v->meets[i / 3] ? &r->meets : &r->away;
        r->most = fmax(r->most, apart);
        r->levels[(int)(apart * 64)]++;
        r->count++;
        p->sum += apart;
        p->count++;
    }
}

/* The line of pixels that begins at x, y, and the one before it. */
static void add_line(struct row *r, const struct view *v, int x, int y, bool upright)
{
    bool meets = false;
    double step = 0;

    for (int i = 0; i < LINE; i++) {
        int px = upright ? x : x + i, py = upright ? y + i : y;
        meets |= v->meets[py * v->whole->width + px];
        step += off(v, px, py) - off(v, px - upright, py - !upright);
    }
    struct place *p = meets ? &r->meets : &r->away;
    p->step = fmax(p->step, fabs(step) / LINE);
}

static void add_lines(struct row *r, const struct view *v)
{
    int width = v->whole->width, height = v->whole->height;

    for (int y = 0; y + LINE <= height; y += LINE)
        for (int x = 1; x < width; x++)
            add_line(r, v, x, y, true);
    for (int y = 1; y < height; y++)
        for (int x = 0; x + LINE <= width; x += LINE)
            add_line(r, v, x, y, false);
}

static double quantile(const struct row *r, double part)
{
    int64_t below = 0;
    int i = 0;

    while (i < LEVELS && (double)(below += r->levels[i]) < part * (double)r->count)
        i++;
    return (i + 1) / 64.0;
}

static void print(const struct row *r, int width, int height)
{
    const struct tiling *t = &r->tiling;
    int factor = t->factor;
    int64_t area = t->rows * t->columns * t->width * t->height * factor * factor;
    int64_t shared =
        t->columns > 1 ? (t->columns * t->width * factor - width) / (t->columns - 1) : 0;
    double means[2] = {r->meets.count ? r->meets.sum / (double)r->meets.count : 0,
                       r->away.count ? r->away.sum / (double)r->away.count : 0};

    printf("%2lld x %-2lld of %4lldx%-4lld %7lld %6.2f %8.2f %8.2f %8.3f %9.3f %8.3f %9.2f %8.2f\n",
           (long long)t->columns, (long long)t->rows, (long long)t->width * factor,
           (long long)t->height * factor, (long long)shared,
           (double)area / ((double)width * height), r->most, quantile(r, 0.999),
           (r->meets.sum + r->away.sum) / (double)r->count, means[0], means[1], r->meets.step,
           r->away.step);
    fflush(stdout);
}

/* ---- pictures to look at */

static int save(const struct options *o, const struct frames *f, const struct frames *less,
                const char *name, struct error *e)
{
    size_t size = (size_t)f->width * (size_t)f->height * 3, first = (size_t)(f->count - 1) * size;
    char path[4096];
    FILE *to;

    snprintf(path, sizeof path, "%s/%s.ppm", o->save, name);
    to = fopen(path, "wb");
    if (!to)
        return error_set(e, ERROR_INPUT, "%s: cannot be written", path);
    fprintf(to, "P6\n%d %d\n255\n", f->width, f->height);
    for (size_t i = first; i < first + size; i++) {
        float value = less ? (f->rgb[i] - less->rgb[i]) * AMPLIFIED + 0.5F : f->rgb[i];
        fputc((int)(fminf(fmaxf(value, 0), 1) * 255 + 0.5F), to);
    }
    return fclose(to) == 0 ? 0 : error_set(e, ERROR_INPUT, "%s: cannot be written", path);
}

static int save_all(const struct options *o, const struct view *v, const struct tiling *t,
                    struct error *e)
{
    char tiled[64], apart[96];

    snprintf(tiled, sizeof tiled, "%lldx%lld-%lld", (long long)t->width, (long long)t->height,
             (long long)t->overlap);
    snprintf(apart, sizeof apart, "%s-difference", tiled);
    return save(o, v->whole, NULL, "whole", e) || save(o, v->tiled, NULL, tiled, e) ||
                   save(o, v->tiled, v->whole, apart, e)
               ? -1
               : 0;
}

/* ---- shots */

struct bench {
    const struct options *o;
    struct shots shots;
    struct device *device;
    void *model, *vae;
    struct frames whole, tiled;
    bool *meets;
    struct row row[CHOICES * CHOICES];
};

static int mark(struct bench *b, const struct tiling *t, const int64_t shape[4], struct error *e)
{
    int width = b->whole.width, height = b->whole.height;

    if (!b->meets)
        b->meets = malloc((size_t)width * (size_t)height * sizeof *b->meets);
    if (!b->meets)
        return error_memory(e);
    for (int i = 0; i < width * height; i++)
        b->meets[i] = tiling_shares(t, shape, i % width, i / width);
    return 0;
}

static int compare(struct bench *b, int shot, const struct tensor *latents, int choice,
                   struct error *e)
{
    const struct options *o = b->o;
    const struct family *f = b->shots.family;
    int tile = o->tile[choice / o->overlaps];
    struct vae_limits limits = {
        .tile_width = tile, .tile_height = tile, .overlap = o->overlap[choice % o->overlaps]};
    struct row *r = &b->row[choice];

    b->tiled.count = 0;
    if (tiling_choose(f, b->vae, b->device, &limits, latents->shape, &r->tiling, e) ||
        tiling_decode(f, b->vae, b->device, &limits, latents, frames_keep, &b->tiled, e) ||
        mark(b, &r->tiling, latents->shape, e))
        return -1;
    for (int i = 0; i < b->whole.count; i++) {
        struct view v = {&b->whole, &b->tiled, b->meets, i};
        add_pixels(r, &v);
        add_lines(r, &v);
        if (o->save && shot == 0 && i + 1 == b->whole.count && save_all(o, &v, &r->tiling, e))
            return -1;
    }
    return 0;
}

static int run_shot(struct bench *b, int i, struct error *e)
{
    struct generation g;
    struct sampling s = {0};
    int rc = shots_sample(&b->shots, i, b->model, STEP_CACHE_OFF, 0, &s, &g, e);

    b->whole.count = 0;
    if (rc == 0)
        rc = b->shots.family->decode(b->vae, &s.latents, frames_keep, &b->whole, e);
    for (int c = 0; c < b->o->tiles * b->o->overlaps && rc == 0; c++)
        rc = compare(b, i, &s.latents, c, e);
    sampling_close(&s);
    return rc;
}

static int run(struct bench *b, struct error *e)
{
    const struct shots_options *o = &b->o->shots;
    const struct device_options options = shots_device(o);
    const struct family *f;

    if (device_open(&options, &b->device, e) || shots_open(&b->shots, o, b->device, e))
        return -1;
    f = b->shots.family;
    if (f->model_open(o->dir, b->device, &b->model, e) ||
        f->vae_open(o->dir, b->device, &b->vae, e))
        return -1;
    for (int i = 0; i < o->count; i++)
        if (run_shot(b, i, e))
            return -1;
    printf("%-18s %7s %6s %8s %8s %8s %9s %8s %9s %8s\n", "tiles", "overlap", "work", "most",
           "99.9 %", "mean", "they meet", "away", "step there", "away");
    for (int c = 0; c < b->o->tiles * b->o->overlaps; c++)
        print(&b->row[c], b->whole.width, b->whole.height);
    return 0;
}

int main(int argc, char **argv)
{
    static struct bench bench, *b = &bench;
    struct options o;
    struct error e = {0};
    int rc;

    if (read_options(&o, argc, argv)) {
        fprintf(stderr,
                "usage: %s DIR [--tile N]... [--overlap N]... [--save FOLDER] [--frames N] "
                "[--size WxH] [--shots N] [--steps N] [--guidance G] [--device cpu|cuda]\n",
                argv[0]);
        return 1;
    }
    b->o = &o;
    rc = run(b, &e);
    if (rc)
        fprintf(stderr, "%s\n", e.text);
    if (b->shots.family) {
        b->shots.family->vae_close(b->vae);
        b->shots.family->model_close(b->model);
    }
    shots_close(&b->shots);
    frames_free(&b->whole);
    frames_free(&b->tiled);
    free(b->meets);
    device_close(b->device);
    return rc ? 1 : 0;
}
