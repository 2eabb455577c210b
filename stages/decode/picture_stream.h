/* Pictures from a decoder to whoever wants them, a slice at a time: slices are read and handed on
 * while the device works on the next. */
#ifndef AUTEUR_STAGES_PICTURE_STREAM_H
#define AUTEUR_STAGES_PICTURE_STREAM_H

#include "kernels/device.h"

/* Gets each picture as it is done: index from 0, rgb [height][width][3] F32 interleaved, about
 * -1..1, good until it returns. Nonzero stops the decoding, which then fails; leave the reason in
 * *e. */
typedef int picture_fn(void *ctx, int index, const float *rgb, int width, int height,
                       struct error *e);

enum { STREAM_FEWEST = 2 };

struct picture_stream {
    struct device *device;
    picture_fn *take;
    void *ctx;
    struct error *error;
    /* Slices that may be on their way together, at most READ_SLOTS, each with memory of its own on
     * both sides. 0: STREAM_FEWEST, which is enough where much work lies between two slices; on a
     * processor, which has nothing to go on with, none: each is handed on at once. Where some come
     * shortly one after another, as many as come so: they are handed on while the device does what
     * it is told after them. */
    int slots;
    /* the stream's own; zeroed at first */
    int64_t frames[READ_SLOTS], height, width; /* of the slices that are on their way */
    int oldest, waiting;                       /* which of them is the first; how many there are */
    int index;                                 /* of the next picture to be handed on */
};

/* rgb [n, height, width, 3], of one height and width always, which the device may have been told to
 * make and may be told to write again. Hands on the oldest slice where there is no slot left.
 * -1: failed, with the reason. */
int picture_stream_put(struct picture_stream *s, const struct tensor *rgb);
/* Hands on all that is left. */
int picture_stream_end(struct picture_stream *s);

#endif
