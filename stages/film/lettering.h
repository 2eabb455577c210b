/* Plain words on a picture, through libass, in the fonts of composite: for cards and sheets of
 * ours, not for a shot's overlays. */
#ifndef AUTEUR_STAGES_FILM_LETTERING_H
#define AUTEUR_STAGES_FILM_LETTERING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libavutil/frame.h>

#include "kernels/base/error.h"

struct label {
    int x, y, width; /* of its top left; lines are at most so wide */
    int lines;       /* at most; text that is longer ends in an ellipsis */
    double em;       /* in pixels */
    bool bold, centered;
    uint32_t color;   /* 0xRRGGBB */
    const char *text; /* "" draws nothing; a line's end is a space */
};

/* Over a writable AV_PIX_FMT_RGB24 picture. ERROR_MEDIA: a font is missing. A character that no
 * font has is drawn as a question mark. */
int lettering_draw(AVFrame *picture, const struct label *labels, size_t count, struct error *e);

#endif
