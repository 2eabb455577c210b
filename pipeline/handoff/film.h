/* The film at the top of a production: film_v001.mp4, film_v002.mp4 ... A number is never given to
 * another film and a file never written over, since an editor may have linked it; film.mp4 is a
 * symbolic link to what the timeline says now.
 *
 * The journal's meta remembers them: "film:1" ... hold the key of each (what the timeline says, the
 * media's contents, the sound's) and its size; the same key is the same number again.
 */
#ifndef AUTEUR_PIPELINE_HANDOFF_FILM_H
#define AUTEUR_PIPELINE_HANDOFF_FILM_H

#include <stdbool.h>
#include <stdint.h>

#include "journal/journal.h"
#include "pipeline/execute/production.h"
#include "pipeline/handoff/handoff.h"

struct film_request {
    const struct handoff *handoff;
    const struct production *production;
    struct journal *journal;
    const char *sound; /* a mix as long as the film, a path; NULL: none */
    int threads;
    bool (*interrupted)(void);
    void (*progress)(void *ctx, int64_t done, int64_t total); /* frames; NULL: nobody asks */
    void *ctx;
};

enum { FILM_NAME_SIZE = 32 };
/* Renders the film unless it is there. `made`: the name of the file that was written, "" when
 * there was nothing to do (also when nothing is delivered: then there is no film). What fails
 * leaves the film that was there; ERROR_CANCELLED. */
int film_write(const struct film_request *r, char made[FILM_NAME_SIZE], struct error *e);

/* contact-sheet.png, when it would change. */
int contact_sheet_update(const struct handoff *h, const struct production *p,
                         struct journal *journal, struct error *e);

#endif
