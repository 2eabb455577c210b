#include "pipeline/review/preview.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNELS_MOST = 64, ROUNDS = 60, FRAMES_MOST = 9 };

/* Colours about -1..1 as a sum of channels, the last row by itself. Least squares on the four
 * generated shots of storyboards/demo.yaml against their masters: it explains nine tenths of the
 * variance. */
static const struct {
    const char *tier;
    int channels;
    float rgb[9][3];
} known[] = {
    {"previs",
     8,
     {{-.402f, -.419f, -.227f},
      {-.062f, -.017f, -.097f},
      {.037f, .001f, .118f},
      {.020f, .018f, .045f},
      {.056f, .018f, .051f},
      {.033f, .030f, .010f},
      {-.042f, .011f, .065f},
      {.041f, -.012f, -.047f},
      {.005f, -.076f, -.095f}}},
};

/* The frames around the middle one, averaged, thinned: noise that is not sampled away yet differs
 * from frame to frame, and the picture hardly does. */
struct slice {
    int channels, width, height, every; /* every so many latents to a pixel */
    size_t channel_stride, frame_stride, row_stride;
    int first, frames;
    const float *data;
    float *mean; /* [channels][height * width] */
};

static int average(struct slice *s, struct error *e)
{
    int pixels = s->width * s->height;

    s->mean = calloc((size_t)s->channels * (size_t)pixels, sizeof *s->mean);
    if (!s->mean)
        return error_memory(e);
    for (int c = 0; c < s->channels; c++)
        for (int f = s->first; f < s->first + s->frames; f++)
            for (int i = 0; i < pixels; i++)
                s->mean[c * pixels + i] +=
                    s->data[(size_t)c * s->channel_stride + (size_t)f * s->frame_stride +
                            (size_t)(i / s->width * s->every) * s->row_stride +
                            (size_t)(i % s->width * s->every)] /
                    (float)s->frames;
    return 0;
}

static float at(const struct slice *s, int channel, int pixel)
{
    return s->mean[channel * s->width * s->height + pixel];
}

static unsigned char byte_of(double v)
{
    return (unsigned char)(v <= 0 ? 0 : v >= 1 ? 255 : lround(v * 255));
}

/* While much of the latents is noise still, their picture is pale: its contrast is raised to that
 * of a usual film, at most so many times. */
static void raise_contrast(float *rgb, int count)
{
    const double usual = 0.2, most = 2.5;
    double mean[3] = {0}, spread = 0, gain;

    for (int i = 0; i < 3 * count; i++)
        mean[i % 3] += (double)rgb[i] / count;
    for (int i = 0; i < 3 * count; i++)
        spread += ((double)rgb[i] - mean[i % 3]) * ((double)rgb[i] - mean[i % 3]) / (3 * count);
    gain = spread > 0 ? usual / sqrt(spread) : 1;
    gain = gain < 1 ? 1 : gain > most ? most : gain;
    for (int i = 0; i < 3 * count; i++)
        rgb[i] = (float)(mean[i % 3] + gain * ((double)rgb[i] - mean[i % 3]));
}

/* 1: done, 0: nothing is known of the tier's channels. */
static int estimate(const struct slice *s, const char *tier, struct preview *out, struct error *e)
{
    int count = s->width * s->height;

    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        float *rgb;

        if (strcmp(known[k].tier, tier) != 0 || known[k].channels != s->channels)
            continue;
        rgb = calloc(3 * (size_t)count, sizeof *rgb);
        if (!rgb)
            return error_memory(e);
        for (int i = 0; i < 3 * count; i++) {
            float v = known[k].rgb[s->channels][i % 3];

            for (int n = 0; n < s->channels; n++)
                v += known[k].rgb[n][i % 3] * at(s, n, i / 3);
            rgb[i] = v / 2 + 0.5f;
        }
        raise_contrast(rgb, count);
        for (int i = 0; i < 3 * count; i++)
            out->rgb[i] = byte_of((double)rgb[i]);
        free(rgb);
        return 1;
    }
    return 0;
}

struct components {
    double mean[CHANNELS_MOST], covariance[CHANNELS_MOST][CHANNELS_MOST];
    double axis[3][CHANNELS_MOST], spread[3];
};

static void find_covariance(const struct slice *s, struct components *p)
{
    int n = s->channels, count = s->width * s->height;

    for (int a = 0; a < n; a++) {
        for (int i = 0; i < count; i++)
            p->mean[a] += (double)at(s, a, i);
        p->mean[a] /= count;
    }
    for (int a = 0; a < n; a++)
        for (int b = 0; b <= a; b++) {
            double sum = 0;

            for (int i = 0; i < count; i++)
                sum += ((double)at(s, a, i) - p->mean[a]) * ((double)at(s, b, i) - p->mean[b]);
            p->covariance[a][b] = p->covariance[b][a] = sum / count;
        }
}

/* The axis of the largest spread by power iteration; it is taken out of the covariance then. */
static void find_axis(struct components *p, int which, int n)
{
    double *v = p->axis[which], next[CHANNELS_MOST], length = 0;

    for (int a = 0; a < n; a++)
        v[a] = 1 + 0.1 * a;
    for (int round = 0; round < ROUNDS; round++) {
        length = 0;
        for (int a = 0; a < n; a++) {
            next[a] = 0;
            for (int b = 0; b < n; b++)
                next[a] += p->covariance[a][b] * v[b];
            length += next[a] * next[a];
        }
        length = sqrt(length);
        for (int a = 0; a < n && length > 0; a++)
            v[a] = next[a] / length;
    }
    p->spread[which] = length;
    for (int a = 0; a < n; a++)
        for (int b = 0; b < n; b++)
            p->covariance[a][b] -= length * v[a] * v[b];
}

/* The first component as lightness, the others as two colour differences. */
static int false_colours(const struct slice *s, struct preview *out, struct error *e)
{
    struct components *p = calloc(1, sizeof *p);

    if (!p)
        return error_memory(e);
    find_covariance(s, p);
    for (int k = 0; k < 3; k++)
        find_axis(p, k, s->channels);
    for (int i = 0; i < s->width * s->height; i++) {
        double c[3] = {0};

        for (int k = 0; k < 3 && p->spread[k] > 0; k++) {
            for (int n = 0; n < s->channels; n++)
                c[k] += ((double)at(s, n, i) - p->mean[n]) * p->axis[k][n];
            c[k] /= 5 * sqrt(p->spread[k]); /* five deviations from black to white */
        }
        out->rgb[3 * i] = byte_of(0.5 + c[0] + 0.4 * c[1]);
        out->rgb[3 * i + 1] = byte_of(0.5 + c[0] - 0.2 * c[1] - 0.2 * c[2]);
        out->rgb[3 * i + 2] = byte_of(0.5 + c[0] + 0.4 * c[2]);
    }
    free(p);
    return 0;
}

static struct slice slice_of(const struct tensor *latents, bool frames_first)
{
    const int64_t *shape = latents->shape;
    size_t plane = (size_t)(shape[2] * shape[3]);
    int frames = (int)shape[frames_first ? 0 : 1], channels = (int)shape[frames_first ? 1 : 0];
    int64_t side = shape[2] > shape[3] ? shape[2] : shape[3];
    int every = (int)((side + PREVIEW_SIDE - 1) / PREVIEW_SIDE);
    int window = frames < FRAMES_MOST ? frames : FRAMES_MOST;

    return (struct slice){.channels = channels,
                          .width = (int)((shape[3] + every - 1) / every),
                          .height = (int)((shape[2] + every - 1) / every),
                          .every = every,
                          .channel_stride = frames_first ? plane : (size_t)frames * plane,
                          .frame_stride = frames_first ? (size_t)channels * plane : plane,
                          .row_stride = (size_t)shape[3],
                          .first = (frames - window) / 2,
                          .frames = window,
                          .data = latents->data};
}

int preview_make(const struct tensor *latents, bool frames_first, const char *tier,
                 struct preview *out, struct error *e)
{
    struct slice s = slice_of(latents, frames_first);
    int done = -1;

    *out = (struct preview){0};
    if (s.channels < 1 || s.channels > CHANNELS_MOST)
        return error_set(e, ERROR_MODEL, "latents of %d channels have no preview", s.channels);
    if (average(&s, e) != 0)
        return -1;
    *out = (struct preview){s.width, s.height, malloc((size_t)s.width * (size_t)s.height * 3)};
    if (!out->rgb)
        error_memory(e);
    else
        done = estimate(&s, tier, out, e);
    if (done == 0)
        done = false_colours(&s, out, e);
    free(s.mean);
    if (done < 0) {
        free(out->rgb);
        out->rgb = NULL;
    }
    return done < 0 ? -1 : 0;
}
