/* One of FFmpeg's filter graphs over sounds in memory. */
#ifndef AUTEUR_STAGES_SOUND_GRAPH_H
#define AUTEUR_STAGES_SOUND_GRAPH_H

#include <libavfilter/avfilter.h>
#include <libavutil/frame.h>

#include "stages/sound/sound.h"

enum { GRAPH_INPUTS = 2 };

struct graph {
    AVFilterGraph *graph;
    AVFilterContext *in[GRAPH_INPUTS], *out;
    AVFrame *frame; /* what came out last */
};

/* `text` reads [in0] and [in1], in FFmpeg's own notation, and writes [out], which is made 48 kHz
 * stereo of float. forms[i]: abuffer's arguments for what comes in, NULL for 48 kHz stereo of
 * float. */
int graph_open(struct graph *g, const char *text, const char *const *forms, int inputs,
               struct error *e);
void graph_close(struct graph *g); /* also of one half opened */

int graph_send(struct graph *g, int input, AVFrame *frame, struct error *e); /* NULL: the end */
/* 1: g->frame is the next that came out; 0: none yet, or none any more; -1. */
int graph_receive(struct graph *g, struct error *e);

/* One whole sound or two of one length through the graph; *out is as long as the first of them:
 * filters that add to the end, or lose of it, are cut and filled. NULL for none, then only `look`
 * sees every frame that comes out. */
struct graph_look {
    void (*see)(void *ctx, const AVFrame *frame);
    void *ctx;
};
int graph_run(const char *text, const struct sound *const *inputs, int count,
              const struct graph_look *look, struct sound *out, struct error *e);

#endif
