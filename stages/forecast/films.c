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

/* x264 looks ahead as far as the next key frame, a second (stages/encode/encode.c), 40 frames at
 * most; some 15 more are on their way through its threads, or wait as B-frames. */
static double film_h264(const struct board *b, int frames)
{
    const double waiting = 2.9; /* bytes a pixel: 4:2:0, and smaller ones for the lookahead */
    const double made = 6;      /* of one that is referred to: 4:2:0, and half-pixels */
    double second = (double)b->fps.num / b->fps.den;

    return pixels(b) * (waiting * least(frames, least(second, 40) + 15) + made * least(frames, 8));
}

double film_delivery(const struct board *b, int frames, int threads)
{
    /* The master is read with two threads more, a frame each; one is mixed with titles, of which
     * two are at hand; two are converted. */
    double film = 6.0 * (threads + 2) + 6 + 2 * 4 + 2 * 1.5;
    double titles = film_titles(b);
    double encoder = b->deliver.codec == DELIVER_H264 ? film_h264(b, frames) : 0;

    /* Tables, stacks; and the C library's arenas for FFmpeg's threads: the same film of 1024x1024
     * took 219 MiB on idle cores and 293 on busy ones. */
    film = pixels(b) * film + encoder + 64 * MIB + 60 * MIB;
    return film > titles ? film : titles;
}
