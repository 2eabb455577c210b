/* One picture over another, column by column. */
#ifndef AUTEUR_STAGES_FILM_MIX_H
#define AUTEUR_STAGES_FILM_MIX_H

#include <libavutil/frame.h>

#include "kernels/base/error.h"

enum { MIX_WHOLE = 256 };
struct mix_weights {
    int width;
    uint16_t *luma, *chroma; /* of what comes, 0..MIX_WHOLE: [width], [width / 2] */
};
int mix_weights_open(struct mix_weights *w, int width, struct error *e);
void mix_weights_close(struct mix_weights *w); /* a zeroed one too */

/* Everywhere the same; share 0..1. */
void mix_evenly(struct mix_weights *w, double share);
/* An edge from left to right, `soft` pixels wide; outside the picture at share 0 and 1. */
void mix_edge(struct mix_weights *w, double share, int soft);

/* All of AV_PIX_FMT_YUV420P and of one size; `out` is writable. */
void mix_pictures(const AVFrame *from, const AVFrame *to, const struct mix_weights *w,
                  AVFrame *out);

#endif
