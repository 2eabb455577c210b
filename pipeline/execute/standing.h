/* How a stage of a shot stands, as `status` and the review page tell it. */
#ifndef AUTEUR_PIPELINE_EXECUTE_STANDING_H
#define AUTEUR_PIPELINE_EXECUTE_STANDING_H

#include "pipeline/execute/plan.h"

enum standing {
    STANDING_LEFT, /* never made, or of other inputs than the plan's */
    STANDING_DONE,
    STANDING_FAILED,
    STANDING_RUNNING,
    STANDING_INTERRUPTED,
    STANDINGS
};
const char *standing_name(enum standing s); /* "left" */

/* By a plan of now and the stage's record (NULL: none); `live`: a run goes on. Not of a job that is
 * VERDICT_SKIP. */
enum standing standing_of(const struct plan_job *j, const struct stage_record *r, bool live);
/* Why a failed one failed: the record's error, or why the plan cannot make the shot. */
const char *standing_error(const struct plan *plan, size_t shot, int stage,
                           const struct stage_record *r);

#endif
