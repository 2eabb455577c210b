/* What an editor opens: timelines of the whole production, at the top of its folder, beside
 * shots/: NAME.otio, NAME.edl, NAME.xml (Final Cut Pro 7's, for Premiere Pro) and NAME.fcpxml, or
 * those that deliver's `timeline` asks for. */
#ifndef AUTEUR_PIPELINE_HANDOFF_HANDOFF_H
#define AUTEUR_PIPELINE_HANDOFF_HANDOFF_H

#include "journal/journal.h"
#include "pipeline/execute/production.h"
#include "storyboards/board.h"

/* From what the journal says is delivered; a shot that is not stands as a gap of its length.
 * Replaces a file only when it would say something else, and removes those that are no longer asked
 * for. Every write is atomic. */
int handoff_write(const struct board *b, const struct production *p, struct journal *journal,
                  struct error *e);

#endif
