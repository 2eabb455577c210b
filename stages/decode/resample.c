#include "stages/decode/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOBES 3.0

/* For every output pixel of one axis: the first source pixel and `taps` weights that sum to 1. */
struct axis {
    int size, taps, room;
    int *first;
    float *weights; /* [size, taps] */
};

struct resampler {
    struct axis across, down;
    float *rows; /* rows already resampled across, [height of the window's rows, width] */
    size_t rows_room;
};

static double lanczos(double x)
{
    double a = M_PI * x;

    if (fabs(x) < 1e-9)
        return 1;
    return fabs(x) >= LOBES ? 0 : LOBES * sin(a) * sin(a / LOBES) / (a * a);
}

static int axis_set(struct axis *a, double start, double extent, struct error *e)
{
    double step = extent / a->size, widen = fmax(step, 1);
    int taps = 2 * (int)ceil(LOBES * widen) + 1;

    if (taps > a->room) {
        float *weights = realloc(a->weights, (size_t)taps * (size_t)a->size * sizeof *weights);

        if (!weights)
            return error_memory(e);
        a->weights = weights;
        a->room = taps;
    }
    a->taps = taps;
    for (int i = 0; i < a->size; i++) {
        double centre = start + (i + 0.5) * step - 0.5, sum = 0;
        float *w = a->weights + (size_t)i * (size_t)taps;

        a->first[i] = (int)floor(centre) - taps / 2;
        for (int k = 0; k < taps; k++) {
            double value = lanczos((a->first[i] + k - centre) / widen);

            w[k] = (float)value;
            sum += value;
        }
        for (int k = 0; k < taps; k++)
            w[k] = (float)(w[k] / sum);
    }
    return 0;
}

static int axis_open(struct axis *a, int size, struct error *e)
{
    a->size = size;
    a->first = calloc((size_t)size, sizeof *a->first);
    return a->first ? 0 : error_memory(e);
}

int resampler_open(int width, int height, struct resampler **out, struct error *e)
{
    struct resampler *r = calloc(1, sizeof *r);

    if (!r)
        return error_memory(e);
    if (axis_open(&r->across, width, e) != 0 || axis_open(&r->down, height, e) != 0) {
        resampler_close(r);
        return -1;
    }
    *out = r;
    return 0;
}

void resampler_close(struct resampler *r)
{
    if (!r)
        return;
    free(r->across.first);
    free(r->across.weights);
    free(r->down.first);
    free(r->down.weights);
    free(r->rows);
    free(r);
}

static int clamp(int i, int count)
{
    return i < 0 ? 0 : i >= count ? count - 1 : i;
}

static void row_across(const struct axis *a, const uint16_t *from, int width, float *out)
{
    for (int i = 0; i < a->size; i++) {
        const float *w = a->weights + (size_t)i * (size_t)a->taps;
        int first = a->first[i];
        float sum = 0;

        if (first >= 0 && first + a->taps <= width)
            for (int k = 0; k < a->taps; k++)
                sum += w[k] * from[first + k];
        else
            for (int k = 0; k < a->taps; k++)
                sum += w[k] * from[clamp(first + k, width)];
        out[i] = sum;
    }
}

/* Rows top..bottom-1 of the source are in `rows`. */
static void row_down(const struct resampler *r, int y, int top, int bottom, float *sum,
                     uint16_t *out)
{
    const struct axis *a = &r->down;
    size_t width = (size_t)r->across.size;

    memset(sum, 0, width * sizeof *sum);
    for (int k = 0; k < a->taps; k++) {
        float w = a->weights[(size_t)y * (size_t)a->taps + (size_t)k];
        int source = clamp(a->first[y] + k - top, bottom - top);
        const float *row = r->rows + (size_t)source * width;

        for (size_t x = 0; x < width; x++)
            sum[x] += w * row[x];
    }
    for (size_t x = 0; x < width; x++)
        out[x] = (uint16_t)(fminf(fmaxf(sum[x], 0), 65535) + 0.5f);
}

int resample(struct resampler *r, const struct picture *from, struct window window,
             struct picture *out, struct error *e)
{
    size_t width = (size_t)r->across.size, need;
    int top, bottom;

    if (axis_set(&r->across, window.x, window.width, e) != 0 ||
        axis_set(&r->down, window.y, window.height, e) != 0 ||
        picture_alloc(out, r->across.size, r->down.size, e) != 0)
        return -1;
    top = clamp(r->down.first[0], from->height);
    bottom = clamp(r->down.first[r->down.size - 1] + r->down.taps, from->height) + 1;
    need = (size_t)(bottom - top + 1) * width; /* and one row for sums */
    if (need > r->rows_room) {
        float *rows = realloc(r->rows, need * sizeof *rows);

        if (!rows)
            return error_memory(e);
        r->rows = rows;
        r->rows_room = need;
    }
    for (int c = 0; c < 3; c++) {
        for (int y = top; y < bottom; y++)
            row_across(&r->across, from->planes[c] + (size_t)y * (size_t)from->width, from->width,
                       r->rows + (size_t)(y - top) * width);
        for (int y = 0; y < r->down.size; y++)
            row_down(r, y, top, bottom, r->rows + (size_t)(bottom - top) * width,
                     out->planes[c] + (size_t)y * width);
    }
    return 0;
}
