/* Where the shots stand in the film: one after another, with transitions over the cuts.
 *
 * A transition of n frames into a shot lies over the cut before it, n/2 of them ahead of the cut
 * (rounded down) and the rest behind it, and shows both shots. What it needs beyond a cut comes
 * from handles, as far as there are any, and otherwise from the shots themselves, which then give
 * up that many frames at their ends: the film becomes shorter. The first shot's transition is from
 * black and wholly its own.
 */
#ifndef AUTEUR_STORYBOARDS_FILM_H
#define AUTEUR_STORYBOARDS_FILM_H

#include "storyboards/board.h"

struct film_place {
    int64_t at;        /* of the cut before it, in the film's frames */
    int in, frames;    /* what is between its two cuts, of the delivered frames */
    int before, after; /* the transition into it: frames ahead of the cut and behind it */
};

/* Fills places[shot_count]; the film's length in frames. */
int64_t film_lay_out(const struct board *b, struct film_place *places);
/* Whether the transitions at a shot's two ends leave it a frame between its cuts and do not run
 * into one another; `next_before`: of the shot after it, 0 for the last. */
bool film_place_holds(const struct film_place *p, int next_before);

#endif
