/* Where things lie in a production directory:
 *
 *   shots/ID/              delivered files; ID.json says what they are
 *   .auteur/journal/       the journal
 *   .auteur/artefacts/     large intermediate files: <key>.<shot>.<name> (two shots of the same
 *                          content have the same key; each keeps its own file, so that a record's
 *                          file is never another's to replace)
 *   .auteur/board.yaml     the storyboard's text as it was last run
 *   .auteur/monitor.json   the machine in the last minute that a run watched (--monitor)
 *   .auteur/tmp/           work in hand; there only while a run is, or after one that was killed
 */
#ifndef AUTEUR_PIPELINE_EXECUTE_PRODUCTION_H
#define AUTEUR_PIPELINE_EXECUTE_PRODUCTION_H

#include "kernels/base/arena.h"
#include "kernels/base/error.h"

struct production {
    struct arena arena;
    const char *dir; /* absolute */
    const char *journal, *artefacts, *shots, *tmp, *board_copy, *monitor;
};

/* Names only: nothing is made or looked for. */
int production_name(struct production *p, const char *dir, struct error *e);
void production_free(struct production *p);

/* The production that a command without DIR means: `given` when it is not "", the current
 * directory when it is a production, else the only one under ./out. -1: ERROR_USAGE saying which
 * there are. */
int production_find(struct production *p, const char *given, struct error *e);

#endif
