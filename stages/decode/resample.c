#include "stages/decode/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOBES 3.0

/* Rows that are resampled across together, side by side in two vectors: the taps of one row lie
 * where no vector wants them. Each sum is that of its row alone, in the order of its taps. */
enum { BAND = 8 };
typedef float four __attribute__((vector_size(16)));

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
    float *band; /* a band's columns that the taps reach, [their number, BAND] */
    size_t band_room;
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

            w[k] = fabs(value) < 1e-9 ? 0 : (float)value; /* whole steps: nothing to be done */
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
    free(r->band);
    free(r);
}

static int clamp(int i, int count)
{
    return i < 0 ? 0 : i >= count ? count - 1 : i;
}

/* Columns first..first+count-1 of rows y.. of a plane; beyond its edges they are the edge's. */
static void take_band(const struct picture *p, int c, int y, int first, int count, float *band)
{
    const uint16_t *rows[BAND];

    for (int r = 0; r < BAND; r++)
        rows[r] = p->planes[c] + (size_t)clamp(y + r, p->height) * (size_t)p->width;
    for (int i = 0; i < count; i++) {
        int x = clamp(first + i, p->width);

        for (int r = 0; r < BAND; r++)
            band[(size_t)i * BAND + (size_t)r] = rows[r][x];
    }
}

static void band_across(const struct axis *a, const float *band, float *out)
{
    size_t width = (size_t)a->size;

    for (size_t i = 0; i < width; i++) {
        const float *w = a->weights + i * (size_t)a->taps;
        const float *from = band + (size_t)(a->first[i] - a->first[0]) * BAND;
        four low = {0}, high = {0}, left, right;

        for (int k = 0; k < a->taps; k++, from += BAND) {
            memcpy(&left, from, sizeof left);
            memcpy(&right, from + BAND / 2, sizeof right);
            low += w[k] * left;
            high += w[k] * right;
        }
        for (size_t r = 0; r < BAND / 2; r++) {
            out[r * width + i] = low[r];
            out[(r + BAND / 2) * width + i] = high[r];
        }
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

        if (w == 0)
            continue;
        for (size_t x = 0; x < width; x++)
            sum[x] += w * row[x];
    }
    for (size_t x = 0; x < width; x++) {
        int value = (int)(sum[x] + 0.5f);

        out[x] = (uint16_t)(value < 0 ? 0 : value > 65535 ? 65535 : value);
    }
}

static int make_room(float **buffer, size_t *room, size_t need, struct error *e)
{
    float *grown;

    if (need <= *room)
        return 0;
    grown = realloc(*buffer, need * sizeof *grown);
    if (!grown)
        return error_memory(e);
    *buffer = grown;
    *room = need;
    return 0;
}

int resample(struct resampler *r, const struct picture *from, struct window window,
             struct picture *out, struct error *e)
{
    const struct axis *across = &r->across;
    size_t width = (size_t)r->across.size;
    int top, bottom, rows, columns;

    if (axis_set(&r->across, window.x, window.width, e) != 0 ||
        axis_set(&r->down, window.y, window.height, e) != 0 ||
        picture_alloc(out, r->across.size, r->down.size, e) != 0)
        return -1;
    top = clamp(r->down.first[0], from->height);
    bottom = clamp(r->down.first[r->down.size - 1] + r->down.taps, from->height) + 1;
    rows = (bottom - top + BAND - 1) / BAND * BAND;
    columns = across->first[across->size - 1] + across->taps - across->first[0];
    /* and one row for sums */
    if (make_room(&r->rows, &r->rows_room, (size_t)(rows + 1) * width, e) != 0 ||
        make_room(&r->band, &r->band_room, (size_t)columns * BAND, e) != 0)
        return -1;
    for (int c = 0; c < 3; c++) {
        for (int y = 0; y < rows; y += BAND) {
            take_band(from, c, top + y, across->first[0], columns, r->band);
            band_across(across, r->band, r->rows + (size_t)y * width);
        }
        for (int y = 0; y < r->down.size; y++)
            row_down(r, y, top, bottom, r->rows + (size_t)rows * width,
                     out->planes[c] + (size_t)y * width);
    }
    return 0;
}
