/* What people said of shots, as the journal keeps it (notes.md has the form):
 *   meta "notes:SHOT"   an array of notes
 *   meta "review:SHOT"  {"2": "approved"}: by version; versions that nobody judged are not there
 */
#ifndef AUTEUR_PIPELINE_REVIEW_NOTES_H
#define AUTEUR_PIPELINE_REVIEW_NOTES_H

#include <jansson.h>
#include <stdbool.h>

#include "journal/journal.h"
#include "pipeline/execute/production.h"
#include "storyboards/board.h"

/* The shot's notes, by version, frame and time; *out NULL: none. Caller: json_decref(). A value
 * that is not such an array is ERROR_JOURNAL. */
int notes_of_shot(struct journal_view *view, const char *shot, json_t **out, struct error *e);
/* Its verdicts, likewise. */
int notes_verdicts(struct journal_view *view, const char *shot, json_t **out, struct error *e);
/* "approved", "rejected" or "", never NULL; lives for ever. verdicts may be NULL. */
const char *notes_verdict_of(const json_t *verdicts, int version);

/* What an import did. */
struct notes_import {
    size_t added, changed, known; /* notes */
    size_t verdicts;              /* that are not as they were */
};
/* Reads a file that the page exported, whole: ERROR_INPUT, naming file, place and mend, where it is
 * not one, is another board's or is of shots that the board has not, or of versions that were never
 * delivered. Caller: json_decref(*out). */
int notes_read(const char *path, const struct board *board, const struct production *p,
               json_t **out, struct error *e);
/* Puts what was read into the journal; a note that is there already (by its id) takes the newer
 * words. All of it or, where writing fails, some shots' and not others': importing again mends
 * that. */
int notes_merge(const json_t *file, const struct board *board, struct journal *journal,
                struct notes_import *did, struct error *e);

#endif
