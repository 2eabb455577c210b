#include "stages/film/mix.h"

#include <math.h>
#include <stdlib.h>

int mix_weights_open(struct mix_weights *w, int width, struct error *e)
{
    *w = (struct mix_weights){.width = width};
    w->luma = calloc((size_t)width, sizeof *w->luma);
    w->chroma = calloc((size_t)width, sizeof *w->chroma);
    return w->luma && w->chroma ? 0 : error_memory(e);
}

void mix_weights_close(struct mix_weights *w)
{
    free(w->luma);
    free(w->chroma);
    *w = (struct mix_weights){0};
}

void mix_evenly(struct mix_weights *w, double share)
{
    uint16_t weight = (uint16_t)lround(share * MIX_WHOLE);

    for (int x = 0; x < w->width; x++)
        w->luma[x] = weight;
    for (int x = 0; x < w->width / 2; x++)
        w->chroma[x] = weight;
}

static uint16_t behind(double edge, double x, int soft)
{
    return (uint16_t)lround(fmin(fmax((edge - x) / soft + 0.5, 0), 1) * MIX_WHOLE);
}

/* A sample of chroma stands where the luma of its even column does. */
void mix_edge(struct mix_weights *w, double share, int soft)
{
    double edge = share * (w->width + soft) - soft / 2.0;

    for (int x = 0; x < w->width; x++)
        w->luma[x] = behind(edge, x + 0.5, soft);
    for (int x = 0; x < w->width / 2; x++)
        w->chroma[x] = w->luma[2 * x];
}

static void mix_row(const uint8_t *restrict from, const uint8_t *restrict to,
                    const uint16_t *restrict weight, uint8_t *restrict out, int width)
{
    for (int x = 0; x < width; x++) {
        uint16_t w = weight[x]; /* 255 * 256 + 128 is the most, and fits */

        out[x] = (uint8_t)((uint16_t)(from[x] * (uint16_t)(MIX_WHOLE - w) + to[x] * w + 128) >> 8);
    }
}

void mix_pictures(const AVFrame *from, const AVFrame *to, const struct mix_weights *w, AVFrame *out)
{
    for (int p = 0; p < 3; p++) {
        int width = p ? out->width / 2 : out->width, height = p ? out->height / 2 : out->height;

        for (int y = 0; y < height; y++)
            mix_row(from->data[p] + (ptrdiff_t)y * from->linesize[p],
                    to->data[p] + (ptrdiff_t)y * to->linesize[p], p ? w->chroma : w->luma,
                    out->data[p] + (ptrdiff_t)y * out->linesize[p], width);
    }
}
