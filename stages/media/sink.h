/* A file that a muxer writes to, through our own callbacks, so that a full disk or a failed write
 * is never swallowed: the first failed write's errno stands until sink_close(), whatever the
 * muxer made of it. */
#ifndef AUTEUR_STAGES_MEDIA_SINK_H
#define AUTEUR_STAGES_MEDIA_SINK_H

#include <libavformat/avio.h>

#include "kernels/base/error.h"

struct sink {
    AVIOContext *pb;
    int fd;
    int failed; /* errno of the first failure, or 0 */
    char *path;
};

/* Creates or truncates `path`. */
int sink_open(struct sink *s, const char *path, struct error *e);
/* Flushes and closes. -1 when anything written since sink_open() did not reach the file. */
int sink_close(struct sink *s, struct error *e);
/* Frees whatever is still there; for a sink that is given up, and harmless after sink_close(). */
void sink_free(struct sink *s);

#endif
