#include "stages/forecast/films.h"

#include <limits.h>

static const double MIB = 1 << 20;

static double least(double a, double b)
{
    return a < b ? a : b;
}

static double pixels(const struct board *b)
{
    return (double)b->width * b->height;
}

/* FFV1's encoder takes room for the worst frame that there is, 37 words of 4 bytes a pixel and a
 * sixteenth more, but never 2 GiB, and it comes to be used; each of four slices has tables. */
static double film_titles(const struct board *b)
{
    return least(pixels(b) * 4 * 37 * 17 / 16, INT_MAX) + 4 * MIB +
           pixels(b) * (4 + 4); /* the canvas, the frame */
}

double film_master(const struct board *b, int width, int height)
{
    /* Of 16 bits in three planes: the picture on the board and the frame; the lightness of the last
     * frame; the encoder's room for the worst that there is, and a copy of what it made, 5 bytes a
     * pixel where it finds little to save. */
    const double frame = 6 + 6 + 2 + 12 + 5;
    /* Two pictures as they come, and in floats one plane of one that is resized across. */
    double source = 2 * 6.0 * width * height + 4.0 * b->width * height;

    return pixels(b) * frame + source;
}

/* x264 looks ahead as far as the next key frame, a second (stages/encode/codecs.c), 40 frames at
 * most; some 15 more are on their way through its threads, or wait as B-frames. */
static double film_h264(const struct board *b, int frames)
{
    const double waiting = 2.9; /* bytes a pixel: 4:2:0, and smaller ones for the lookahead */
    const double made = 6;      /* of one that is referred to: 4:2:0, and half-pixels */
    double second = (double)b->fps.num / b->fps.den;

    return pixels(b) * (waiting * least(frames, least(second, 40) + 15) + made * least(frames, 8));
}

/* What one form's encoder holds, and its reader after it: bytes. Measured beyond x264 at 1024x1024
 * on two cores: H.265 310 MiB, DNxHR 45, PNG 12, TIFF 40, EXR 64; ProRes less than is counted
 * below. */
static double film_form(const struct board *b, enum deliver_codec codec, int frames, int threads)
{
    switch (codec) {
    case DELIVER_H264:
        return film_h264(b, frames);
    case DELIVER_H265: /* 10 bits in 16 */
        return 2.5 * film_h264(b, frames);
    case DELIVER_DNXHR:
        return pixels(b) * 32 * threads;
    case DELIVER_PNG:
    case DELIVER_TIFF:
    case DELIVER_EXR: /* two frames a thread wait, one is packed */
        return pixels(b) * 40 * threads;
    default:
        return pixels(b) * 8 * threads;
    }
}

/* Every form that is made at once; with the textless film and the titles where a shot may have
 * them. */
static double film_forms(const struct board *b, int frames, int threads)
{
    const struct deliver *d = &b->deliver;
    int main_codec = deliver_main(d) >= 0 ? deliver_main(d) : d->codecs.items[0];
    bool layers = false;
    double sum = 0;

    for (size_t i = 0; i < b->shot_count; i++)
        layers |= b->shots[i].overlay_count > 0 && d->layers == LAYERS_TITLES;
    for (int i = 0; i < d->codecs.count; i++)
        sum += film_form(b, d->codecs.items[i], frames, threads);
    if (d->proxy != PROXY_NONE) /* smaller, but with its own layer */
        sum += film_h264(b, frames);
    if (layers)
        sum += film_form(b, main_codec, frames, threads) +
               film_form(b, DELIVER_PRORES_4444, frames, threads);
    return sum;
}

double film_delivery(const struct board *b, int frames, int threads)
{
    /* The master is read with two threads more, a frame each; one is mixed with titles, of which
     * two are at hand; two are converted. */
    double film = 6.0 * (threads + 2) + 6 + 2 * 4 + 2 * 1.5;
    double titles = film_titles(b);
    double encoder = film_forms(b, frames, threads);

    /* Tables, stacks; and the C library's arenas for FFmpeg's threads: the same film of 1024x1024
     * took 219 MiB on idle cores and 293 on busy ones. */
    film = pixels(b) * film + encoder + 64 * MIB + 60 * MIB;
    return film > titles ? film : titles;
}
