/* shots/ID/ID_v001.json: what was asked and what was made. Keys are sorted and values are the same
 * for the same content, except under "timings", which says when, how long, how often and in how
 * much memory. */
#ifndef AUTEUR_PIPELINE_EXECUTE_SHEET_H
#define AUTEUR_PIPELINE_EXECUTE_SHEET_H

#include "journal/journal.h"
#include "stages/stage.h"

/* Of a version; the records of a shot's stages: one with attempts 0 is of a stage that the shot
 * does without. */
char *sheet_make(const struct board *board, const struct shot *shot, int version,
                 const struct stage *const *stages, const struct stage_record records[STAGES],
                 struct error *e); /* caller frees; NULL: out of memory */

#endif
