/* Doing: opens and closes the stages' sessions, runs one stage of one shot, publishes what it made
 * and records it. Several threads may run jobs of one runner at once; sessions belong to the
 * engine's thread.
 */
#ifndef AUTEUR_PIPELINE_EXECUTE_RUNNER_H
#define AUTEUR_PIPELINE_EXECUTE_RUNNER_H

#include "pipeline/execute/monitor.h"
#include "pipeline/execute/peak.h"
#include "pipeline/execute/plan.h"
#include "pipeline/execute/production.h"

struct runner {
    const struct plan_setup *setup;
    const struct plan *plan;
    const struct production *production;
    struct journal *journal;
    struct peak_meter *peak;
    struct monitor *monitor;      /* NULL: nobody watches */
    struct monitor_peaks opening; /* of the session that is open */
    bool (*cancelled)(void *ctx);
    void (*progress)(void *ctx, size_t shot, enum stage_id stage, double done, double total,
                     const char *unit);
    void (*loading)(void *ctx, size_t done, size_t total); /* bytes, while a session opens */
    void *ctx;
};

/* Loads what jobs of a group share; *session may be NULL when the stage needs nothing. Close it
 * when this returns 0. */
int runner_open(struct runner *r, enum stage_id stage, const uint32_t *shots, size_t count,
                void **session, struct error *e);
void runner_close(struct runner *r, enum stage_id stage, void *session);

struct job_report {
    double seconds;
    uint64_t peak_kib;
    unsigned attempt; /* which try of this key, over all runs, from 1 */
    bool unrecorded;  /* with an error: the journal could not be written, which the error says */
};
/* One stage of `count` shots (to STAGE_BATCH_MOST; more than one only where the stage runs them
 * together). session: NULL in the CPU lane. errors[i] is ERROR_NONE: made, delivered and recorded;
 * else it is recorded as failed, or not at all (unrecorded, or ERROR_CANCELLED: its record stays
 * RECORD_RUNNING). */
void runner_run(struct runner *r, const uint32_t *shots, size_t count, enum stage_id stage,
                void *session, struct job_report *reports, struct error *errors);

/* Records a shot's stage as failed that was not even started; where it was made before, that record
 * stays and the refusal is an event. */
int runner_refuse(struct runner *r, size_t shot, enum stage_id stage, const char *text,
                  struct error *e);

#endif
