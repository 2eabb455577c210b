/* Pictures from a decoder to whoever wants them, a slice at a time: one slice is read and handed on
 * while the device works on the next. */
#ifndef AUTEUR_STAGES_PICTURE_STREAM_H
#define AUTEUR_STAGES_PICTURE_STREAM_H

#include "kernels/device.h"

/* Gets each picture as it is done: index from 0, rgb [height][width][3] F32 interleaved, about
 * -1..1, good until it returns. Nonzero stops the decoding, which then fails; leave the reason in
 * *e. */
typedef int picture_fn(void *ctx, int index, const float *rgb, int width, int height,
                       struct error *e);

struct picture_stream {
    struct device *device;
    picture_fn *take;
    void *ctx;
    struct error *error;
    /* the stream's own; zeroed at first */
    int64_t frames, height, width; /* of the slice that is on its way; frames 0: none is */
    int index, slot;
};

/* rgb [n, height, width, 3], which the device may have been told to make and may be told to write
 * again. Hands on what was put before. -1: failed, with the reason. */
int picture_stream_put(struct picture_stream *s, const struct tensor *rgb);
/* Hands on the last. */
int picture_stream_end(struct picture_stream *s);

#endif
