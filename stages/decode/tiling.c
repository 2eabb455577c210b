#include "stages/decode/tiling.h"

#include <stdlib.h>
#include <string.h>

#include "stages/decode/rehearsal.h"

/* Latents: what neighbours share at least, a quarter of a tile or this, and a tile that is too
 * small to look at. The published tilings have a quarter, of 256 pixels mostly, and fade over all
 * of it; but to a convolution there are zeros beyond a tile. bench/seams: in previs shots a tile of
 * 192 pixels begins with a step of 13 of 255, without its outermost quarter of what it shares of 6.
 */
enum { OVERLAP = 16, SMALLEST = 16 };

static int64_t ceiling(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t smaller_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Of so many tiles over n latents. overlap: 0 as above; never more than half a tile, or three would
 * meet. */
static int64_t tile_size(int64_t n, int64_t tiles, int64_t overlap)
{
    int64_t fixed = ceiling(n + (tiles - 1) * (overlap ? overlap : OVERLAP), tiles);
    int64_t quarter = overlap ? 0 : ceiling(4 * n, 3 * tiles + 1);

    return smaller_of(fixed > quarter ? fixed : quarter, ceiling(2 * n, tiles + 1));
}

static void lay(struct tiling *t, const int64_t shape[4])
{
    t->height = tile_size(shape[2], t->rows, t->overlap);
    t->width = tile_size(shape[3], t->columns, t->overlap);
}

static bool is_smallest(const struct tiling *t)
{
    return t->width <= SMALLEST && t->height <= SMALLEST;
}

/* One more along the longer side. */
static void divide(struct tiling *t, const int64_t shape[4])
{
    ++*(t->width >= t->height ? &t->columns : &t->rows);
    lay(t, shape);
}

/* As the family says, who does not know what operations take for themselves. */
static size_t least_room(const struct family *f, void *vae, const struct tiling *t,
                         const int64_t shape[4])
{
    return f->vae_bytes(vae, (const int64_t[4]){shape[0], shape[1], t->height, t->width});
}

/* All of it, where the family keeps to t->room. */
static size_t takes(const struct family *f, void *vae, const struct vae_limits *limits,
                    const struct tiling *t, const int64_t shape[4])
{
    return rehearsal_takes(limits->rehearsal, f, vae,
                           (const int64_t[4]){shape[0], shape[1], t->height, t->width}, t->room);
}

/* As many as make tiles of this size at most. */
static int64_t tiles_of(int64_t n, int64_t size, int64_t overlap)
{
    int64_t tiles = 1;

    while (tiles < n && tile_size(n, tiles, overlap) > size)
        tiles++;
    return tiles;
}

size_t tiling_budget(struct device *d)
{
    size_t free_bytes = 0, total = 0;

    device_memory(d, &free_bytes, &total);
    const size_t share = free_bytes / 100 * VAE_SHARE, leave = total / VAE_LEAVES + 1;
    if (free_bytes < 2 * leave)
        return free_bytes / 2;
    return share < free_bytes - leave ? share : free_bytes - leave;
}

static size_t budget_of(struct device *d, const struct vae_limits *limits)
{
    return limits->memory ? limits->memory : tiling_budget(d);
}

/* What the smallest tile takes, in the smallest slices. */
static size_t least_of_all(const struct family *f, void *vae, const struct vae_limits *limits,
                           const int64_t shape[4])
{
    struct tiling t = {.rows = 1, .columns = 1, .overlap = limits->overlap / f->vae_factor(vae)};

    for (lay(&t, shape); !is_smallest(&t);)
        divide(&t, shape);
    t.room = least_room(f, vae, &t, shape);
    return takes(f, vae, limits, &t, shape);
}

bool tiling_smaller(const struct family *f, void *vae, struct device *d, const int64_t shape[4],
                    struct vae_limits *limits)
{
    size_t budget, least;

    if (f->vae_smaller && f->vae_smaller(vae)) {
        rehearsal_smaller(limits->rehearsal);
        return true;
    }
    if (!f->vae_bytes)
        return false;
    budget = budget_of(d, limits);
    least = least_of_all(f, vae, limits, shape);
    if (budget <= least)
        return false;
    limits->memory = budget / 2 > least ? budget / 2 : least;
    limits->memory_asked = false;
    return true;
}

static double in_unit(size_t bytes)
{
    return (double)bytes / (bytes < (size_t)1 << 30 ? 1 << 20 : 1 << 30);
}

static const char *unit_of(size_t bytes)
{
    return bytes < (size_t)1 << 30 ? "MiB" : "GiB";
}

/* A limit that a person set is theirs to mend; memory that is short may be there later. */
static int too_little(const struct vae_limits *limits, const struct tiling *t, size_t needed,
                      struct error *e)
{
    const long long width = t->width * t->factor, height = t->height * t->factor;
    const size_t mib = (needed + (1 << 20) - 1) >> 20;

    if (limits->memory_asked)
        return error_set(e, ERROR_INPUT,
                         "--vae-memory is %.1f %s, and decoding even a tile of %lldx%lld takes "
                         "%.1f %s: --vae-memory %zuM would do",
                         in_unit(t->budget), unit_of(t->budget), width, height, in_unit(needed),
                         unit_of(needed), mib);
    return error_set(e, ERROR_MEMORY,
                     "out of memory: decoding even a tile of %lldx%lld takes %.1f %s, and %.1f %s "
                     "are to be had; end other programs that use this memory, or take a smaller "
                     "tier",
                     width, height, in_unit(needed), unit_of(needed), in_unit(t->budget),
                     unit_of(t->budget));
}

/* The most that the family may be told of, in sixteenths of the budget, so that a tile takes no
 * more than that with what operations take; false: none is little enough, t->room the least. */
static bool find_room(const struct family *f, void *vae, const struct vae_limits *limits,
                      const int64_t shape[4], struct tiling *t)
{
    const size_t least = least_room(f, vae, t, shape), step = t->budget / 16 + 1;
    size_t taken;

    t->room = least;
    if (least > t->budget)
        return false;
    t->room = t->budget;
    taken = takes(f, vae, limits, t, shape);
    if (taken <= t->budget)
        return true;
    t->room = least;
    if (takes(f, vae, limits, t, shape) > t->budget)
        return false;
    for (size_t room = t->budget; taken > t->budget;) {
        size_t over = taken - t->budget > step ? taken - t->budget : step;

        if (room - least <= over) {
            t->room = least;
            return true;
        }
        t->room = room -= over;
        taken = takes(f, vae, limits, t, shape);
    }
    return true;
}

int tiling_choose(const struct family *f, void *vae, struct device *d,
                  const struct vae_limits *limits, const int64_t shape[4], struct tiling *out,
                  struct error *e)
{
    struct tiling t = {.rows = 1,
                       .columns = 1,
                       .factor = f->vae_factor ? f->vae_factor(vae) : 8,
                       .budget = budget_of(d, limits)};

    t.overlap = limits->overlap / t.factor;
    if (limits->tile_width > 0)
        t.columns = tiles_of(shape[3], limits->tile_width / t.factor, t.overlap);
    if (limits->tile_height > 0)
        t.rows = tiles_of(shape[2], limits->tile_height / t.factor, t.overlap);
    lay(&t, shape);
    rehearsal_chunk(limits->rehearsal, limits->frames);
    while (f->vae_bytes && t.budget > 0 && !find_room(f, vae, limits, shape, &t)) {
        if (is_smallest(&t)) {
            size_t needed = takes(f, vae, limits, &t, shape);
            return too_little(limits, &t, needed > t.room ? needed : t.room, e);
        }
        divide(&t, shape);
    }
    *out = t;
    return 0;
}

/* ---- tiles put together */

/* All pictures of a clip, each the weighted sum of its tiles. */
struct canvas {
    float **picture; /* [count] of [height][width][3] */
    int count, room;
    int width, height;          /* pixels */
    int left, top;              /* of the tile that comes in */
    const float *across, *down; /* [width], [height] of it: the weights of its pixels */
};

static void canvas_free(struct canvas *c)
{
    for (int i = 0; i < c->count; i++)
        free(c->picture[i]);
    free(c->picture);
}

/* Picture `index`, which is the next one or has been there. */
static float *canvas_picture(struct canvas *c, int index, struct error *e)
{
    float **more;

    if (index < c->count)
        return c->picture[index];
    if (c->count == c->room) {
        c->room = c->room ? 2 * c->room : 32;
        more = realloc(c->picture, (size_t)c->room * sizeof *more);
        if (!more) {
            error_memory(e);
            return NULL;
        }
        c->picture = more;
    }
    c->picture[c->count] = calloc((size_t)c->width * (size_t)c->height * 3, sizeof(float));
    if (!c->picture[c->count]) {
        error_memory(e);
        return NULL;
    }
    return c->picture[c->count++];
}

static int add_tile(void *ctx, int index, const float *rgb, int width, int height, struct error *e)
{
    struct canvas *c = ctx;
    float *picture = canvas_picture(c, index, e);

    if (!picture)
        return -1;
    for (int y = 0; y < height; y++) {
        float *to = picture + ((size_t)(c->top + y) * (size_t)c->width + (size_t)c->left) * 3;
        for (int x = 0; x < width; x++, to += 3, rgb += 3) {
            float part = c->down[y] * c->across[x];
            for (int k = 0; k < 3; k++)
                to[k] += part * rgb[k];
        }
    }
    return 0;
}

/* One axis of a picture in tiles. */
struct axis {
    int64_t tiles, size, n; /* size of a tile, and of all, in latents */
    int factor;             /* pixels a latent */
};

static struct axis across_of(const struct tiling *t, const int64_t shape[4])
{
    return (struct axis){t->columns, t->width, shape[3], t->factor};
}

static struct axis down_of(const struct tiling *t, const int64_t shape[4])
{
    return (struct axis){t->rows, t->height, shape[2], t->factor};
}

/* Where tile i begins: evenly apart, the last at the end. */
static int64_t begin_of(const struct axis *a, int64_t i)
{
    return a->tiles > 1 ? i * (a->n - a->size) / (a->tiles - 1) : 0;
}

/* What is said `inside` pixels in from an edge that lies in a neighbour: nothing in the outer
 * quarter of what both show, all in the inner, more and more between. */
static float fade(double shared, double inside)
{
    double part = (inside - shared / 4) / (shared / 2);

    return part < 0 ? 0 : part > 1 ? 1 : (float)part;
}

/* Pixels that tile i shares with the one before it. */
static double shared(const struct axis *a, int64_t i)
{
    return (double)((begin_of(a, i - 1) + a->size - begin_of(a, i)) * a->factor);
}

/* How much tile i has to say about a pixel of the picture, next to others. */
static float say_of(const struct axis *a, int64_t i, int64_t pixel)
{
    int64_t begin = begin_of(a, i), size = a->size * a->factor;
    double at = (double)(pixel - begin * a->factor) + 0.5;

    if (at < 0 || at > (double)size)
        return 0;
    float rise = i > 0 ? fade(shared(a, i), at) : 1;
    float fall = i + 1 < a->tiles ? fade(shared(a, i + 1), (double)size - at) : 1;
    return rise < fall ? rise : fall;
}

/* Weights of tile i's pixels: with those of its neighbours they are 1. */
static float *weights_of(const struct axis *a, int64_t i)
{
    int64_t size = a->size * a->factor, begin = begin_of(a, i) * a->factor;
    float *w = malloc((size_t)size * sizeof *w);

    for (int64_t k = 0; w && k < size; k++) {
        float sum = 0;
        for (int64_t j = 0; j < a->tiles; j++)
            sum += say_of(a, j, begin + k);
        w[k] = say_of(a, i, begin + k) / sum;
    }
    return w;
}

static int seen_by(const struct axis *a, int64_t at)
{
    int count = 0;

    for (int64_t i = 0; i < a->tiles; i++)
        count += at >= begin_of(a, i) && at < begin_of(a, i) + a->size;
    return count;
}

bool tiling_shares(const struct tiling *t, const int64_t shape[4], int x, int y)
{
    const struct axis across = across_of(t, shape), down = down_of(t, shape);

    return seen_by(&across, x / t->factor) > 1 || seen_by(&down, y / t->factor) > 1;
}

static void cut(const struct tensor *latents, const struct tiling *t, int64_t y, int64_t x,
                struct tensor *tile)
{
    const int64_t *n = latents->shape;
    const float *from = (const float *)latents->data + y * n[3] + x;
    float *to = tile->data;

    for (int64_t plane = 0; plane < n[0] * n[1]; plane++)
        for (int64_t row = 0; row < t->height; row++, to += t->width)
            memcpy(to, from + (plane * n[2] + row) * n[3], (size_t)t->width * sizeof *to);
}

static int decode_tile(const struct family *f, void *vae, const struct tiling *t,
                       const struct tensor *latents, int64_t row, int64_t column, struct canvas *c,
                       struct error *e)
{
    const int64_t *n = latents->shape;
    const struct axis vertical = down_of(t, n), horizontal = across_of(t, n);
    int64_t y = begin_of(&vertical, row), x = begin_of(&horizontal, column);
    float *down = weights_of(&vertical, row), *across = weights_of(&horizontal, column);
    struct arena a = {0};
    struct tensor tile = TENSOR_NEW(&a, n[0], n[1], t->height, t->width);
    int rc = down && across && tile.data ? 0 : error_memory(e);

    c->top = (int)y * t->factor;
    c->left = (int)x * t->factor;
    c->down = down;
    c->across = across;
    if (rc == 0) {
        cut(latents, t, y, x, &tile);
        rc = f->decode(vae, &tile, add_tile, c, e);
    }
    free(down);
    free(across);
    arena_free(&a);
    return rc;
}

static int decode_tiles(const struct family *f, void *vae, const struct tiling *t,
                        const struct tensor *latents, family_frame_fn *frame, void *ctx,
                        struct error *e)
{
    struct canvas c = {.width = (int)latents->shape[3] * t->factor,
                       .height = (int)latents->shape[2] * t->factor};
    int rc = 0;

    for (int64_t i = 0; rc == 0 && i < t->rows * t->columns; i++)
        rc = decode_tile(f, vae, t, latents, i / t->columns, i % t->columns, &c, e);
    for (int i = 0; rc == 0 && i < c.count; i++)
        rc = frame(ctx, i, c.picture[i], c.width, c.height, e);
    canvas_free(&c);
    return rc;
}

/* ---- decoding */

/* A processor has no VRAM to speak of: there it is told what a person asked for. Of one tile, only
 * that a size was asked for in vain. */
static void say(struct device *d, const struct tiling *t, const struct vae_limits *limits)
{
    size_t free_bytes = 0, total = 0;

    if (t->rows * t->columns == 1) {
        if (limits->tile_width > 0)
            device_note_missing(d, NOTE_TILES,
                                "%lldx%lld is decoded whole, --vae-tile changes nothing of it",
                                (long long)t->width * t->factor, (long long)t->height * t->factor);
        return;
    }
    if (device_kind(d) == DEVICE_CPU) {
        if (limits->memory_asked || limits->tile_width > 0)
            device_note(d, NOTE_TILES, "Tile Size: %lldx%lld within %.1f %s of Memory.",
                        (long long)t->width * t->factor, (long long)t->height * t->factor,
                        in_unit(t->budget), unit_of(t->budget));
        return;
    }
    device_memory(d, &free_bytes, &total);
    device_note(d, NOTE_TILES, "Optimized Tile Size: %lldx%lld based on %.0fGB VRAM.",
                (long long)t->width * t->factor, (long long)t->height * t->factor,
                (double)total / (1 << 30));
}

int tiling_decode(const struct family *f, void *vae, struct device *d,
                  const struct vae_limits *limits, const struct tensor *latents,
                  family_frame_fn *frame, void *ctx, struct error *e)
{
    struct tiling t;

    if (latents->rank != 4 || !f->vae_bytes)
        return f->decode(vae, latents, frame, ctx, e);
    if (tiling_choose(f, vae, d, limits, latents->shape, &t, e))
        return -1;
    if (limits->frames > 0 && f->vae_chunk)
        f->vae_chunk(vae, limits->frames);
    if (f->vae_memory)
        f->vae_memory(vae, t.room);
    say(d, &t, limits);
    if (t.rows == 1 && t.columns == 1)
        return f->decode(vae, latents, frame, ctx, e);
    return decode_tiles(f, vae, &t, latents, frame, ctx, e);
}
