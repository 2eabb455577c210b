/* How far a run is, for who looks on from another process: one small JSON object in the run's
 * temporary folder, replaced as a whole about once a second while the run lasts.
 *
 *   elapsed, left         seconds; left is null while nothing can be said
 *   hand [{shot, stage, done, total, unit}]   total 0: not told yet
 */
#ifndef AUTEUR_PIPELINE_PROGRESS_PROGRESS_FILE_H
#define AUTEUR_PIPELINE_PROGRESS_PROGRESS_FILE_H

#include <jansson.h>

#include "pipeline/execute/production.h"
#include "pipeline/progress/progress.h"

struct progress_file {
    const struct production *production;
    double written; /* when */
};

/* After each event that `p` was told of. What cannot be written is not: the next second's will. */
void progress_file_event(struct progress_file *f, const struct progress *p,
                         const struct event *event);

/* NULL: there is none that can be read. */
json_t *progress_file_read(const struct production *p);

#endif
