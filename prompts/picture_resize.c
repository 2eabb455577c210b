#include "prompts/picture_resize.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* ---- one axis: every output pixel is a weighted sum of `taps` input pixels from first[i] on */

struct axis {
    int out, taps;
    int *first;
    double *weight; /* [out][taps] */
};

static void axis_free(struct axis *a)
{
    free(a->first);
    free(a->weight);
}

static int axis_make(struct axis *a, int out, int taps, struct error *e)
{
    *a = (struct axis){.out = out, .taps = taps};
    a->first = calloc((size_t)out, sizeof *a->first);
    a->weight = calloc((size_t)out * (size_t)taps, sizeof *a->weight);
    return a->first && a->weight ? 0 : error_memory(e);
}

static int clamp(int x, int low, int high)
{
    return x < low ? low : x > high ? high : x;
}

/* ---- Lanczos */

enum { LOBES = 3, WEIGHT_BITS = 22 };

static double sinc(double x)
{
    return x == 0 ? 1 : sin(M_PI * x) / (M_PI * x);
}

static double lanczos(double x)
{
    return x >= -LOBES && x < LOBES ? sinc(x) * sinc(x / LOBES) : 0;
}

/* Weights as multiples of 2^-WEIGHT_BITS, rounded half away from zero. */
static int lanczos_axis(struct axis *a, int in, int out, struct error *e)
{
    double scale = (double)in / out, widened = scale > 1 ? scale : 1, support = LOBES * widened;

    if (axis_make(a, out, (int)ceil(support) * 2 + 1, e))
        return -1;
    for (int i = 0; i < out; i++) {
        double *weight = a->weight + (size_t)i * (size_t)a->taps, sum = 0;
        double center = (i + 0.5) * scale;
        int from = (int)(center - support + 0.5), end = (int)(center + support + 0.5);
        from = from < 0 ? 0 : from;
        end = end > in ? in : end;
        for (int k = 0; k < end - from; k++)
            sum += weight[k] = lanczos((k + from - center + 0.5) * (1 / widened));
        for (int k = 0; k < end - from; k++) {
            double share = sum != 0 ? weight[k] / sum : weight[k];
            weight[k] = trunc(share * (1 << WEIGHT_BITS) + (share < 0 ? -0.5 : 0.5));
        }
        a->first[i] = from;
    }
    return 0;
}

/* A line of pixels, three channels beside each other; they stand at intervals of `step` bytes. An
 * axis that keeps its size changes nothing. */
static void lanczos_line(const struct axis *a, int in, const uint8_t *from, size_t step,
                         uint8_t *to, size_t to_step)
{
    for (int i = 0; i < a->out; i++) {
        const double *weight = a->weight + (size_t)i * (size_t)a->taps;
        int first = a->first[i], taps = in - first < a->taps ? in - first : a->taps;
        for (size_t c = 0; c < 3; c++) {
            int64_t sum = 1 << (WEIGHT_BITS - 1);
            for (int k = 0; k < taps; k++)
                sum += (int64_t)weight[k] * from[(size_t)(first + k) * step + c];
            to[(size_t)i * to_step + c] =
                (uint8_t)(sum < 0 ? 0 : clamp((int)(sum >> WEIGHT_BITS), 0, 255));
        }
    }
}

/* One pass: pixels [lines] at intervals of `line`, each `in` pixels at intervals of `step`. */
struct pass {
    const struct axis *axis;
    int in, lines;
    size_t line, step, to_line, to_step;
};

static void lanczos_pass(const struct pass *p, const uint8_t *from, uint8_t *to)
{
    for (int i = 0; i < p->lines; i++)
        lanczos_line(p->axis, p->in, from + (size_t)i * p->line, p->step,
                     to + (size_t)i * p->to_line, p->to_step);
}

/* Each pass cuts what overshoots, so their order shows at hard edges. Pillow up to 12 always
 * goes across first; 13 goes down first where that takes away more than twice as many pixels. */
static bool goes_down_first(int width, int height, int to_width, int to_height)
{
    return height > to_height && height - to_height > 2 * ((int64_t)width - to_width);
}

int picture_resize_lanczos(const uint8_t *from, int width, int height, uint8_t *to, int to_width,
                           int to_height, struct error *e)
{
    bool down_first = goes_down_first(width, height, to_width, to_height);
    int between_width = down_first ? width : to_width;
    int between_height = down_first ? to_height : height;
    size_t row = (size_t)width * 3, between_row = (size_t)between_width * 3;
    size_t to_row = (size_t)to_width * 3;
    struct axis across = {0}, down = {0};
    uint8_t *between = malloc((size_t)between_height * between_row);
    int rc = -1;

    if (!between)
        error_memory(e);
    if (!between || lanczos_axis(&across, width, to_width, e) ||
        lanczos_axis(&down, height, to_height, e))
        goto done;
    if (down_first) {
        struct pass first = {&down, height, width, 3, row, 3, row};
        struct pass second = {&across, width, to_height, row, 3, to_row, 3};
        lanczos_pass(&first, from, between);
        lanczos_pass(&second, between, to);
    } else {
        struct pass first = {&across, width, height, row, 3, to_row, 3};
        struct pass second = {&down, height, to_width, 3, to_row, 3, to_row};
        lanczos_pass(&first, from, between);
        lanczos_pass(&second, between, to);
    }
    rc = 0;
done:
    axis_free(&across);
    axis_free(&down);
    free(between);
    return rc;
}

/* ---- blur, then bicubic */

/* Gaussian weights of an odd number of pixels, their sum 1. NULL: out of memory. */
static double *gauss(int count, double sigma)
{
    double *weight = calloc((size_t)count, sizeof *weight), sum = 0;

    if (!weight)
        return NULL;
    for (int k = 0; k < count; k++) {
        double x = (k - count / 2) / sigma;
        sum += weight[k] = exp(-x * x / 2);
    }
    for (int k = 0; k < count; k++)
        weight[k] /= sum;
    return weight;
}

/* R. Keys, "Cubic convolution interpolation for digital image processing" (1981), a = -0.75:
 * weights of the four pixels around a point that is t beyond the second. */
static void cubic(double t, double weight[4])
{
    const double a = -0.75;

    for (int k = 0; k < 4; k++) {
        double x = fabs(k - 1 - t);
        weight[k] = x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1
                           : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    }
}

/* The pixel that stands for one beyond the edge. */
static int reflect(int i, int in)
{
    i = i < 0 ? -i : i;
    i = i >= in ? 2 * (in - 1) - i : i;
    return clamp(i, 0, in - 1); /* of a picture of one pixel */
}

/* Both steps in one: a pixel that bicubic takes is a blurred one, and pixels beyond the edge are
 * the edge's. Positions are rounded to float, as they were. */
static int blurred_axis(struct axis *a, int in, int out, struct error *e)
{
    double sigma = fmax(((double)in / out - 1) / 2, 0.001);
    int count = (int)fmax(4 * sigma, 3) | 1, reach = count / 2;
    int taps = count + 3 < in ? count + 3 : in;
    float step = out > 1 ? (float)(in - 1) / (float)(out - 1) : 0;
    double *blur = gauss(count, sigma);
    int rc = blur ? axis_make(a, out, taps, e) : error_memory(e);

    for (int i = 0; i < out && rc == 0; i++) {
        double weight[4];
        float at = step * (float)i;
        int base = clamp((int)at, 0, in - 1);
        cubic(fmin(at - (float)base, 1), weight);
        a->first[i] = clamp(base - 1 - reach, 0, in - taps);
        for (int k = 0; k < 4; k++)
            for (int j = 0; j < count; j++) {
                int from = reflect(clamp(base + k - 1, 0, in - 1) + j - reach, in);
                a->weight[(size_t)i * (size_t)taps + (size_t)(from - a->first[i])] +=
                    weight[k] * blur[j];
            }
    }
    free(blur);
    return rc;
}

/* Row y of the picture, already narrow. */
static void blurred_row(const struct axis *across, const uint8_t *from, float *to)
{
    for (int i = 0; i < across->out; i++) {
        const double *weight = across->weight + (size_t)i * (size_t)across->taps;
        const uint8_t *at = from + (size_t)across->first[i] * 3;
        double sum[3] = {0};
        for (int k = 0; k < across->taps; k++, at += 3)
            for (int c = 0; c < 3; c++)
                sum[c] += weight[k] * at[c];
        for (int c = 0; c < 3; c++)
            to[i * 3 + c] = (float)(sum[c] / 127.5 - 1);
    }
}

static void blurred_column(const struct axis *down, const float *from, float *to, size_t step)
{
    for (int i = 0; i < down->out; i++) {
        const double *weight = down->weight + (size_t)i * (size_t)down->taps;
        double sum = 0;
        for (int k = 0; k < down->taps; k++)
            sum += weight[k] * from[(size_t)(down->first[i] + k) * step];
        to[(size_t)i * step] = (float)sum;
    }
}

int picture_resize_blurred(const uint8_t *from, int width, int height, float *to, int to_width,
                           int to_height, struct error *e)
{
    struct axis across = {0}, down = {0};
    size_t row = (size_t)to_width * 3;
    float *narrow = malloc((size_t)height * row * sizeof *narrow);
    int rc = -1;

    if (!narrow) {
        error_memory(e);
        goto done;
    }
    if (blurred_axis(&across, width, to_width, e) || blurred_axis(&down, height, to_height, e))
        goto done;
    for (int y = 0; y < height; y++)
        blurred_row(&across, from + (size_t)y * (size_t)width * 3, narrow + (size_t)y * row);
    for (size_t x = 0; x < row; x++)
        blurred_column(&down, narrow + x, to + x, row);
    rc = 0;
done:
    axis_free(&across);
    axis_free(&down);
    free(narrow);
    return rc;
}
