/* A picture in memory: R'G'B' of BT.709 primaries, display-referred, full range, 16 bits a channel.
 * What every source of pixels (a still, a frame of a clip, a VAE) becomes before it is cropped,
 * scaled and written to the master. */
#ifndef AUTEUR_STAGES_DECODE_PICTURE_H
#define AUTEUR_STAGES_DECODE_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include <libavutil/frame.h>

#include "kernels/base/error.h"

struct picture {
    int width, height;
    uint16_t *planes[3]; /* red, green, blue; rows of `width` without gaps */
};

int picture_alloc(struct picture *p, int width, int height, struct error *e);
void picture_free(struct picture *p); /* a zeroed one too; leaves it zeroed */

/* A decoded frame of any pixel format, by its tags: matrix, range, primaries, transfer and chroma
 * siting. What is not tagged is taken as its kind usually is: RGB as it stands; Y'CbCr as BT.709
 * from 720 rows up and BT.601 below, limited range unless the format says otherwise. HLG and PQ are
 * brought down to standard range (colour.h). Transparent parts show black. *p is made to fit and
 * may be used again for the next frame. */
struct picture_reader; /* a conversion set up once for frames of one form */
int picture_read(struct picture_reader **reader, const AVFrame *frame, struct picture *p,
                 struct error *e);
void picture_reader_free(struct picture_reader *reader); /* NULL-safe */

/* Mirrored left to right if asked, then turned by quarter turns clockwise. */
int picture_turn(struct picture *p, int turns, bool mirrored, struct error *e);

#endif
