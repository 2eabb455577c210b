/* The film's pictures one after another, made ahead by a thread of their own while the encoder
 * works on those before. */
#ifndef AUTEUR_STAGES_FILM_CUT_H
#define AUTEUR_STAGES_FILM_CUT_H

#include <libavutil/frame.h>

#include "stages/film/film.h"

struct film_cut;
/* The film's clips must outlive it. */
int film_cut_open(const struct film *film, struct film_cut **out, struct error *e);
/* AV_PIX_FMT_YUV420P of the film's size, which the caller frees; not writable. NULL with *e clear:
 * the end; else the error. */
AVFrame *film_cut_next(struct film_cut *c, struct error *e);
void film_cut_close(struct film_cut *c); /* NULL-safe */

struct film_ahead;
int film_ahead_open(const struct film *film, struct film_ahead **out, struct error *e);
/* As film_cut_next(). */
AVFrame *film_ahead_next(struct film_ahead *a, struct error *e);
void film_ahead_close(struct film_ahead *a); /* NULL-safe */

#endif
