/* The sound of a file, whatever its form, as 48 kHz stereo. */
#ifndef AUTEUR_STAGES_FILM_SOUNDTRACK_H
#define AUTEUR_STAGES_FILM_SOUNDTRACK_H

#include <stdint.h>

#include <libavutil/frame.h>

#include "kernels/base/error.h"

struct soundtrack;
/* Its best stream of sound. ERROR_MEDIA names the file. */
int soundtrack_open(const char *path, struct soundtrack **out, struct error *e);
/* Up to `most` samples (AV_SAMPLE_FMT_FLTP), which the caller frees; fewer only at the end, none
 * behind it. NULL: *e. */
AVFrame *soundtrack_next(struct soundtrack *s, int most, struct error *e);
/* How long the container says that the stream is, in samples of 48 kHz. */
int64_t soundtrack_duration(const struct soundtrack *s);
void soundtrack_close(struct soundtrack *s); /* NULL-safe */

#endif
