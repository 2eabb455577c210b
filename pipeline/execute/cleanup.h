/* What a run leaves behind, and what it must not. Only the holder of the journal's writer lock may
 * call these.
 *
 * .auteur/tmp is there while a run works. Found at the start, it says that the last run was
 * killed: then it is emptied, artefact files that no record names are removed, and the journal
 * says which files only replaced records named. What was delivered is never removed, nor what a
 * person lays beside it (versions.h).
 */
#ifndef AUTEUR_PIPELINE_EXECUTE_CLEANUP_H
#define AUTEUR_PIPELINE_EXECUTE_CLEANUP_H

#include <stdbool.h>

#include "journal/journal.h"
#include "pipeline/execute/production.h"

bool cleanup_due(const struct production *p); /* a killed run left something */

/* Makes the production's directories, clearing up after a killed run first. */
int cleanup_begin(const struct production *p, struct journal *journal, struct error *e);
/* Drops what was replaced, and tmp. What cannot be dropped now waits for the next run. */
void cleanup_end(const struct production *p, struct journal *journal);

#endif
