/* Pictures of any form and size made into those of one, by libswscale: bytes are the same on every
 * machine. Y'CbCr that comes out is of BT.709 in limited range; R'G'B' is full. */
#ifndef AUTEUR_STAGES_FILM_FIT_H
#define AUTEUR_STAGES_FILM_FIT_H

#include <stdbool.h>

#include <libavutil/frame.h>

#include "kernels/base/error.h"

struct SwsContext;
struct fitter {
    enum AVPixelFormat format; /* what is wanted: the caller sets these three */
    int width, height;
    struct SwsContext *scaler;
};

/* Whether a picture has the form and size already. */
bool fitter_fits(const struct fitter *f, const AVFrame *picture);
/* A new picture, which the caller frees; NULL: *e. */
AVFrame *fitter_fit(struct fitter *f, const AVFrame *picture, struct error *e);
void fitter_close(struct fitter *f); /* a zeroed one too */

#endif
