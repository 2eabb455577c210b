/* One stage of one shot in hand: the struct that a stage's run() is given, and behind it what the
 * runner needs to record it. */
#ifndef AUTEUR_PIPELINE_EXECUTE_JOB_H
#define AUTEUR_PIPELINE_EXECUTE_JOB_H

#include <jansson.h>

#include "pipeline/execute/artefacts.h"
#include "pipeline/execute/runner.h"

struct loaded;

struct job {
    struct stage_job base; /* first: what the stage is given */
    struct runner *runner;
    size_t shot;
    enum stage_id stage;
    struct hash128 key;
    struct arena arena;
    struct loaded *loaded;
    struct error unread; /* of an input that is there and cannot be had: the job's failure */
    struct artefact outputs[MOST_ARTEFACTS];
    size_t output_count;
    json_t *notes;
    struct stage_record record;
    bool kept; /* what stands of some key is finished work, or steps to go on from */
};

/* job_begin() recalls what the journal knows of this stage, counts the attempt and starts its
 * clock; job_fill() prepares what the stage is given. Either may fail; job_free() always. */
struct job *job_begin(struct runner *r, size_t shot, enum stage_id stage, struct error *e);
int job_fill(struct job *j, struct error *e);
void job_free(struct job *j);

const struct shot *job_shot(const struct job *j);
const char *job_stage_name(const struct job *j);
int job_output(struct stage_job *base, const struct artefact *a, struct error *e);

/* Puts the record with this status; it lists no artefacts. */
int job_put(struct job *j, enum record_status status, const char *event, struct error *e);

uint64_t clock_unix_ns(void);
double clock_monotonic(void); /* seconds */

#endif
