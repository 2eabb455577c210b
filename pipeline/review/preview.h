/* A picture of latents that are not decoded: each pixel from the channels of one place of the
 * middle frame. For families whose figures are known that is a linear estimate of the colours; of
 * others the three principal components in false colours. */
#ifndef AUTEUR_PIPELINE_REVIEW_PREVIEW_H
#define AUTEUR_PIPELINE_REVIEW_PREVIEW_H

#include <jansson.h>
#include <stdbool.h>

#include "kernels/tensor.h"

/* Largest picture, in pixels to a side: larger ones are thinned out. */
enum { PREVIEW_SIDE = 256 };
struct preview {
    int width, height;
    unsigned char *rgb; /* [height][width][3]; the caller frees it */
};
/* `latents` are F32 [channels][frames][h][w], or [frames][channels][h][w] where frames_first. */
int preview_make(const struct tensor *latents, bool frames_first, const char *tier,
                 struct preview *out, struct error *e);

#endif
