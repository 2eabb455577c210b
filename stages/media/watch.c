#include "stages/media/watch.h"

#include <stdlib.h>
#include <string.h>

/* Thresholds, in the master's 1023 steps. */
enum {
    /* Black: at most one pixel in 2000 brighter than 6 %, where a display still shows black as
     * near black. A night sky with stars, a lit window or a moon has more. */
    DARK_LUMA = 61,
    LIGHT_PIXELS_PER = 2000,
    /* Flat: the standard deviation of every channel is under 0.3 %: less than an 8-bit step. Fog
     * and clear sky have ten times that. */
    FLAT_DEVIATION = 3,
    /* Frozen: no 16x16 block's luma changes by half a step on average. One sampled grain or a bird
     * of a few pixels does. */
    BLOCK = 16
};
#define FROZEN_STEPS 0.5

const struct watch_rule watch_rules[] = {
    /* A model that fails gives black or flat frames throughout, or one picture repeated. A film may
     * begin or end in black and hold still a while, hence shares. */
    [SHOT_GENERATED] = {.black = 0.5, .flat = 0.5, .frozen = 0.9},
    /* A picture may be one colour by design and stands still unless it is moved. Black means that
     * the file did not say what the person saw. */
    [SHOT_STILL] = {.black = 0.99, .flat = 1, .frozen = 1},
    /* A chosen clip may hold still (a locked camera, a screen recording) or be a plain colour. */
    [SHOT_FOOTAGE] = {.black = 0.99, .flat = 1, .frozen = 1},
    /* Cards are flat, frozen and often black because they were asked to be. */
    [SHOT_CARD] = {.black = 1, .flat = 1, .frozen = 1},
};

int watch_open(struct watch *w, int width, int height, struct error *e)
{
    *w = (struct watch){.first_bad = -1, .width = width, .height = height};
    w->before = calloc((size_t)width * (size_t)height, sizeof *w->before);
    w->blocks = calloc((size_t)width / BLOCK + 1, sizeof *w->blocks);
    return w->before && w->blocks ? 0 : error_memory(e);
}

static const uint16_t *row(const AVFrame *f, int plane, int y)
{
    return (const uint16_t *)(const void *)(f->data[plane] + (ptrdiff_t)y * f->linesize[plane]);
}

struct tally {
    uint64_t light;              /* pixels above DARK_LUMA */
    uint64_t sum[3], squares[3]; /* of every channel */
    bool moved;                  /* some block differs from the frame before */
};

static void tally_row(struct watch *w, const AVFrame *f, int y, struct tally *t)
{
    const uint16_t *g = row(f, 0, y), *b = row(f, 1, y), *r = row(f, 2, y);
    uint16_t *before = w->before + (size_t)y * (size_t)w->width;
    uint64_t sum[3] = {0}, squares[3] = {0};
    uint32_t light = 0;

    for (int x = 0; x < w->width; x++) {
        uint32_t luma = (r[x] + 2u * g[x] + b[x]) / 4;

        light += luma > DARK_LUMA;
        sum[0] += g[x], sum[1] += b[x], sum[2] += r[x];
        squares[0] += (uint32_t)g[x] * g[x];
        squares[1] += (uint32_t)b[x] * b[x];
        squares[2] += (uint32_t)r[x] * r[x];
        w->blocks[x / BLOCK] += (uint32_t)abs((int)luma - (int)before[x]);
        before[x] = (uint16_t)luma;
    }
    t->light += light;
    for (int c = 0; c < 3; c++) {
        t->sum[c] += sum[c];
        t->squares[c] += squares[c];
    }
}

/* Looks at a finished row of blocks and empties it. */
static bool blocks_moved(struct watch *w, int rows)
{
    size_t count = (size_t)(w->width + BLOCK - 1) / BLOCK;
    bool moved = false;

    for (size_t i = 0; i < count; i++)
        moved |= w->blocks[i] > FROZEN_STEPS * BLOCK * rows;
    memset(w->blocks, 0, count * sizeof *w->blocks);
    return moved;
}

void watch_add(struct watch *w, const AVFrame *master)
{
    double pixels = (double)w->width * w->height;
    struct tally t = {0};
    bool flat = true, black;

    for (int y = 0; y < w->height; y++) {
        tally_row(w, master, y, &t);
        if (y % BLOCK == BLOCK - 1 || y == w->height - 1)
            t.moved |= blocks_moved(w, y % BLOCK + 1);
    }
    for (int c = 0; c < 3; c++) {
        double mean = (double)t.sum[c] / pixels;

        flat &=
            (double)t.squares[c] / pixels - mean * mean < (double)FLAT_DEVIATION * FLAT_DEVIATION;
    }
    black = (double)t.light * LIGHT_PIXELS_PER < pixels;
    if ((black || flat) && w->first_bad < 0)
        w->first_bad = w->frames;
    w->black += black;
    w->flat += flat;
    w->frozen += w->frames > 0 && !t.moved;
    w->frames++;
}

int watch_verdict(const struct watch *w, enum shot_kind kind, struct error *e)
{
    const struct watch_rule *rule = &watch_rules[kind];

    if (w->frames == 0)
        return error_set(e, ERROR_MEDIA, "there are no pictures");
    if (w->black > rule->black * w->frames)
        return error_set(e, ERROR_MEDIA, "the picture is black in %d of %d frames (from frame %d)",
                         w->black, w->frames, w->first_bad);
    if (w->flat > rule->flat * w->frames)
        return error_set(e, ERROR_MEDIA,
                         "the picture is one flat colour in %d of %d frames (from frame %d)",
                         w->flat, w->frames, w->first_bad);
    if (w->frames > 1 && w->frozen > rule->frozen * (w->frames - 1))
        return error_set(e, ERROR_MEDIA,
                         "the picture is frozen: %d of %d frames equal the one before", w->frozen,
                         w->frames - 1);
    return 0;
}

void watch_close(struct watch *w)
{
    free(w->before);
    free(w->blocks);
    *w = (struct watch){0};
}
