#include "bench/frames.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

int frames_keep(void *ctx, int index, const float *rgb, int width, int height, struct error *e)
{
    struct frames *f = ctx;
    size_t size = (size_t)width * (size_t)height * 3;
    if (index >= f->room || width != f->width || height != f->height) {
        int room = index + 1 > 2 * f->room ? index + 1 : 2 * f->room;
        float *grown = realloc(f->rgb, (size_t)room * size * sizeof *grown);
        if (!grown)
            return error_memory(e);
        f->rgb = grown;
        f->room = room;
        f->width = width;
        f->height = height;
    }
    float *to = f->rgb + (size_t)index * size;
    for (size_t i = 0; i < size; i++)
        to[i] = fminf(fmaxf(rgb[i] * 0.5f + 0.5f, 0), 1);
    f->count = index + 1;
    return 0;
}

void frames_free(struct frames *f)
{
    free(f->rgb);
    *f = (struct frames){0};
}

static bool alike(const struct frames *a, const struct frames *b)
{
    return a->count == b->count && a->width == b->width && a->height == b->height && a->count > 0;
}

double frames_psnr(const struct frames *a, const struct frames *b)
{
    size_t n = (size_t)a->count * (size_t)a->width * (size_t)a->height * 3;
    double sum = 0;
    if (!alike(a, b))
        return NAN;
    for (size_t i = 0; i < n; i++)
        sum += ((double)a->rgb[i] - b->rgb[i]) * ((double)a->rgb[i] - b->rgb[i]);
    return -10 * log10(sum / (double)n);
}

static double luma(const float *rgb)
{
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
}

enum { WINDOW = 8, APART = 4 };

/* Of the windows whose first pixels are here; rows are `width` pixels apart. */
static double window_ssim(const float *a, const float *b, int width)
{
    double x = 0, y = 0, xx = 0, yy = 0, xy = 0, n = WINDOW * WINDOW;
    for (int row = 0; row < WINDOW; row++)
        for (int column = 0; column < WINDOW; column++) {
            double p = luma(a + 3 * (row * width + column));
            double q = luma(b + 3 * (row * width + column));
            x += p / n, y += q / n;
            xx += p * p / n, yy += q * q / n, xy += p * q / n;
        }
    double c1 = 0.01 * 0.01, c2 = 0.03 * 0.03;
    return (2 * x * y + c1) * (2 * (xy - x * y) + c2) /
           ((x * x + y * y + c1) * (xx - x * x + yy - y * y + c2));
}

double frames_ssim(const struct frames *a, const struct frames *b)
{
    double sum = 0;
    int64_t windows = 0;
    if (!alike(a, b))
        return NAN;
    for (int f = 0; f < a->count; f++)
        for (int row = 0; row + WINDOW <= a->height; row += APART)
            for (int column = 0; column + WINDOW <= a->width; column += APART, windows++) {
                size_t at = 3 * (((size_t)f * (size_t)a->height + (size_t)row) * (size_t)a->width +
                                 (size_t)column);
                sum += window_ssim(a->rgb + at, b->rgb + at, a->width);
            }
    return sum / (double)windows;
}
