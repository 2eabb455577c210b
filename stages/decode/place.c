#include "stages/decode/sources.h"

#include <math.h>
#include <string.h>

struct placement place_source(const struct picture *p, double aspect, enum source_fit fit,
                              int width, int height)
{
    double shown = p->width * aspect / p->height, board = (double)width / height;
    struct placement at = {{0, 0, p->width, p->height}, 0, 0, width, height};

    if (fit == FIT_COVER && shown > board) {
        at.seen.width = p->height * board / aspect;
        at.seen.x = (p->width - at.seen.width) / 2;
    } else if (fit == FIT_COVER) {
        at.seen.height = p->width * aspect / board;
        at.seen.y = (p->height - at.seen.height) / 2;
    } else if (shown > board) {
        at.height = (int)fmax(lround(width / shown), 1);
        at.top = (height - at.height) / 2;
    } else {
        at.width = (int)fmax(lround(height * shown), 1);
        at.left = (width - at.width) / 2;
    }
    return at;
}

static struct window scaled(struct window base, double by)
{
    return (struct window){base.x + base.width * (1 - by) / 2, base.y + base.height * (1 - by) / 2,
                           base.width * by, base.height * by};
}

/* Slow at both ends: half a cosine. */
static double ease(double t)
{
    return (1 - cos(M_PI * t)) / 2;
}

/* A window that travels `amount` of its own size along an axis `room` long: as large as it was if
 * the picture has that much to spare there, else smaller. */
static double fit_travel(double extent, double room, double amount)
{
    return fmin(1, room / (extent * (1 + amount)));
}

struct window still_window(const struct picture *p, struct window base, enum still_move move,
                           double amount, double t)
{
    bool across = move == MOVE_PAN_LEFT || move == MOVE_PAN_RIGHT;
    double s = ease(t), from = -0.5, to = 0.5;
    struct window w;

    if (move == MOVE_NONE || amount <= 0)
        return base;
    if (move == MOVE_PUSH_IN || move == MOVE_PULL_OUT) /* a constant rate of growth looks even */
        return scaled(base, pow(1 - amount, move == MOVE_PUSH_IN ? s : 1 - s));
    if (move == MOVE_PAN_LEFT || move == MOVE_TILT_UP) {
        from = 0.5;
        to = -0.5;
    }
    w = scaled(base, across ? fit_travel(base.width, p->width, amount)
                            : fit_travel(base.height, p->height, amount));
    if (across)
        w.x += w.width * amount * (from + (to - from) * s);
    else
        w.y += w.height * amount * (from + (to - from) * s);
    return w;
}

int place_picture(struct resampler *r, const struct picture *p, struct window seen,
                  const struct placement *at, struct picture *scratch, struct picture *board,
                  struct error *e)
{
    bool whole = at->width == board->width && at->height == board->height;
    struct picture *to = whole ? board : scratch;

    if (resample(r, p, seen, to, e) != 0)
        return -1;
    if (whole)
        return 0;
    for (int c = 0; c < 3; c++) {
        memset(board->planes[c], 0,
               (size_t)board->width * (size_t)board->height * sizeof(uint16_t));
        for (int y = 0; y < at->height; y++)
            memcpy(board->planes[c] + (size_t)(at->top + y) * (size_t)board->width + at->left,
                   to->planes[c] + (size_t)y * (size_t)at->width,
                   (size_t)at->width * sizeof(uint16_t));
    }
    return 0;
}
