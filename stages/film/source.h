/* The pictures of one clip, in the film's form, from any frame on. */
#ifndef AUTEUR_STAGES_FILM_SOURCE_H
#define AUTEUR_STAGES_FILM_SOURCE_H

#include <libavutil/frame.h>

#include "stages/film/film.h"

struct film_source;
/* `first`: the frame of the clip's file that is wanted first. */
int film_source_open(const struct film *film, const struct film_clip *clip, int64_t first,
                     struct film_source **out, struct error *e);
/* The next picture, which the caller frees: AV_PIX_FMT_YUV420P of the film's size. Not writable.
 * NULL: *e, which names the clip. */
AVFrame *film_source_next(struct film_source *s, struct error *e);
void film_source_close(struct film_source *s); /* NULL-safe */

/* One that is black. NULL: out of memory. */
AVFrame *film_black(const struct film *film, struct error *e);

#endif
