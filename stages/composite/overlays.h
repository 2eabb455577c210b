/* The overlays of a shot: the board's, then those that the prompt asked for. */
#ifndef AUTEUR_STAGES_COMPOSITE_OVERLAYS_H
#define AUTEUR_STAGES_COMPOSITE_OVERLAYS_H

#include "stages/stage.h"

/* Everything lives in the job's arena. */
int overlays_of_job(struct stage_job *job, const struct overlay **out, size_t *count,
                    struct error *e);

/* Whether fonts are there for all of them, glyph by glyph. The error names the overlay's line in
 * the board, the font or the character, and the mend. */
int overlays_check(const struct overlay *overlays, size_t count, struct error *e);

#endif
