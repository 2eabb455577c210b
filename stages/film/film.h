/* The rough cut: clips one after another with the transitions between them, frame for frame as a
 * timeline says, and sound where there is any, in one small film to review.
 *
 *   dissolve  a linear mix over its frames, each at the middle of its time: n frames weigh the
 *             picture that comes 1/2n, 3/2n ... (2n-1)/2n
 *   fade      down to black ahead of the cut, up from it behind
 *   wipe      an edge, WIPE_SOFT pixels soft, moves from left to right; behind it is what comes
 *   a gap     black, with the shot's id and that it is not delivered
 * The first clip's transition is from black. Mixing is of Y'CbCr codes, as editing programs do it.
 *
 * H.264 in MP4, 4:2:0, BT.709 in limited range, the index first, a timecode track, AAC beside it
 * that lasts as long as the pictures to the sample. The same clips give the same bytes, whatever
 * the number of cores.
 */
#ifndef AUTEUR_STAGES_FILM_FILM_H
#define AUTEUR_STAGES_FILM_FILM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/error.h"
#include "storyboards/board.h"

enum {
    FILM_VERSION = 2,  /* raise when the same clips give another film */
    FILM_SIDE = 1280,  /* the longer side of its picture at most */
    FILM_RATE = 48000, /* of its sound */
    WIPE_SOFT = 4
};

struct film_clip {
    const char *name; /* the shot's id */
    const char *path; /* of its file, at the film's rate; NULL: a gap */
    int64_t in, frames;
    enum transition_kind kind; /* into it; TRANSITION_CUT: none, and before and after are 0 */
    int64_t before, after;     /* its frames ahead of the cut and behind it */
};

struct film {
    const struct film_clip *clips;
    size_t count;
    struct rational fps;
    int width, height;    /* see film_size() */
    const char *timecode; /* of its first frame */
    const char *sound;    /* a file: what it has beyond the film is left out, what it lacks is
                             silence; NULL: none */
    const char *recipe;   /* what it is made of, for its metadata; NULL: nothing */
    int threads;          /* of decoders */
    bool (*cancelled)(void *ctx);
    void (*progress)(void *ctx, int64_t done, int64_t total); /* frames; NULL: nobody asks */
    void *ctx;
};

/* A board's size, made smaller where a side is above FILM_SIDE; even. */
void film_size(int board_width, int board_height, int *width, int *height);
int64_t film_frames(const struct film *f);
/* Samples of sound that last as long as so many frames, to the nearest. */
int64_t film_samples(int64_t frames, struct rational fps);

/* Writes `path`, reads it back and compares it with what was meant. ERROR_MEDIA names the clip
 * whose file is damaged or too short; ERROR_CANCELLED. A failure may leave a part under `path`. */
int film_render(const struct film *f, const char *path, struct error *e);

#endif
