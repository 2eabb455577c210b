#include "stages/decode/master.h"
#include "stages/decode/sources.h"

/* A repeatable value in 0..1 for a place: a fixed pattern without structure (the finaliser of
 * MurmurHash3). It stands still, so that it costs the encoder nothing. */
static double noise(uint32_t x, uint32_t y, uint32_t c)
{
    uint32_t h = x * 0x9E3779B1u ^ y * 0x85EBCA77u ^ c * 0xC2B2AE3Du;

    h = (h ^ h >> 16) * 0x85EBCA6Bu;
    h = (h ^ h >> 13) * 0xC2B2AE35u;
    return (double)(h ^ h >> 16) / 4294967296.0;
}

/* A vertical gradient, dithered by one step of the master's ten bits, so that neighbouring steps
 * mingle and no band has an edge. A flat card stays exactly flat. */
static void paint(struct picture *p, uint32_t top, uint32_t bottom)
{
    const double step = 65535.0 / 1023;

    for (int c = 0; c < 3; c++) {
        int shift = 16 - 8 * c;
        double from = (top >> shift & 255) * 257.0, to = (bottom >> shift & 255) * 257.0;

        for (int y = 0; y < p->height; y++) {
            double at = (y + 0.5) / p->height, value = from + (to - from) * at;
            uint16_t *row = p->planes[c] + (size_t)y * (size_t)p->width;

            for (int x = 0; x < p->width; x++) {
                double dither =
                    from == to ? 0 : (noise((uint32_t)x, (uint32_t)y, (uint32_t)c) - 0.5) * step;
                double out = value + dither;

                row[x] = (uint16_t)(out < 0 ? 0 : out > 65535 ? 65535 : out + 0.5);
            }
        }
    }
}

int decode_card(struct stage_job *job, struct error *e)
{
    const struct board *b = job->env->board;
    struct picture p = {0};
    struct master *m = NULL;
    int rc = -1;

    if (picture_alloc(&p, b->width, b->height, e) != 0)
        return -1;
    paint(&p, job->shot->card.background, job->shot->card.background_to);
    if (master_open(job, &m, e) != 0 || master_add(m, &p, e) != 0)
        goto done;
    while (master_frames(m) < job->shot->frames)
        if (master_repeat(m, e) != 0)
            goto done;
    rc = master_finish(m, e);
done:
    master_close(m);
    picture_free(&p);
    return rc;
}
