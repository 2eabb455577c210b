/* Reading a rendered film back. */
#ifndef AUTEUR_STAGES_FILM_CHECK_H
#define AUTEUR_STAGES_FILM_CHECK_H

#include "stages/encode/verify.h"
#include "stages/film/film.h"

/* Every picture against its fingerprint from before the encoder; size, rate, times, colours,
 * timecode and the length of the sound. ERROR_MEDIA says what is wrong; ERROR_CANCELLED. */
int film_check(const struct film *f, const char *path, const struct print *prints, struct error *e);

#endif
