/* The proxy: a small H.264 film for looking at, with the shot's id, tier and seed and the running
 * timecode in the picture, and where it is asked for a slate in front: one picture that says what
 * the shot is. */
#ifndef AUTEUR_STAGES_ENCODE_PROXY_H
#define AUTEUR_STAGES_ENCODE_PROXY_H

#include "stages/encode/output.h"
#include "stages/encode/titles.h"

struct proxy {
    struct board board; /* of the proxy's size, whose timecode begins with the slate */
    int slate;          /* pictures in front: 0 or 1 */
    struct titles *burn_in;
    struct SwsContext *scaler;
    AVFrame *small;
    struct output output;
};

/* Fonts and room for what is burned in. */
int proxy_check(const struct board *b, const struct shot *shot, struct error *e);
/* What the burned-in text depends on, for the content key. */
int proxy_describe(const struct board *b, const struct shot *shot, struct inputs *in);

int proxy_open(struct proxy *p, struct stage_job *job, struct error *e);
/* Frame n of the shot, AV_PIX_FMT_GBRP10 of the board's size. */
int proxy_put(struct proxy *p, const AVFrame *picture, int n, struct error *e);
void proxy_close(struct proxy *p); /* a zeroed one too */

#endif
