/* What stages made, on its way into the production directory and out of it again.
 *
 * The order that makes `kill -9` harmless. A stage leaves finished files in its workdir. Then
 *   1. their digests and stats are taken (a rename changes neither),
 *   2. what is delivered gets the number of a version (versions.h), which the journal learns: from
 *      here on it knows every final name that may appear,
 *   3. each file is synced and renamed to its final name, its directory synced,
 *   4. the RECORD_DONE record is put, in one transaction with the small artefacts,
 *   5. the stable names are pointed to the current version.
 * Killed before 2: nothing has changed. Between 2 and 4: every file under a final name is whole and
 * known; the record does not claim to be done, so the stage runs again, and what it makes gets the
 * same number when it is the same, the next one otherwise. After 4: done; the end of the next run
 * points. A finished record whose file was since replaced is told by its stat: the plan does not
 * trust it.
 */
#ifndef AUTEUR_PIPELINE_EXECUTE_ARTEFACTS_H
#define AUTEUR_PIPELINE_EXECUTE_ARTEFACTS_H

#include "journal/journal.h"
#include "pipeline/execute/plan.h"
#include "pipeline/execute/production.h"
#include "stages/stage.h"

enum { MOST_ARTEFACTS = 16 };

/* Reads what `stage` made for a shot under the plan's key: bytes are copied to the arena, a file
 * is named by its absolute path. NULL in *out when there is none of that name. A file that does not
 * have the bytes that the journal knows, since a disk rots, is removed: ERROR_MEDIA. */
int artefact_load(struct journal *journal, const struct production *production,
                  const struct plan_setup *setup, const struct plan *plan, size_t shot,
                  enum stage_id stage, const char *name, struct arena *arena,
                  const struct artefact **out, struct error *e);

/* Checks an output for form: a name without slashes, one of bytes and path, no second of that
 * name. */
int artefact_check(const struct artefact *list, size_t count, const struct artefact *fresh,
                   struct error *e);

/* The artefact as the journal will list it: size, stat and digest, and the final path relative to
 * the production; what is delivered has no path yet, which its version decides. Strings in the
 * arena. */
int artefact_describe(const struct artefact *a, const struct shot *shot, struct hash128 key,
                      struct arena *arena, struct record_artefact *out, struct error *e);

/* Step 3 for one file; artefacts kept as bytes need none. What is delivered and stands already
 * stays as it is, and `described` becomes what stands. */
int artefact_publish(const struct production *production, const struct artefact *a,
                     struct record_artefact *described, struct arena *arena, struct error *e);

#endif
