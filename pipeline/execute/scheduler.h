/* What to do next. The scheduler knows jobs (a stage of a shot), what each waits for and which
 * lane it runs in; it runs nothing, reads no clock and takes no lock: the executor asks it under
 * its own mutex and tells it the time (seconds, from any origin).
 *
 * Engine lane, one job (or one lot of jobs that run together) at a time and stage-major: all jobs
 * of a stage, group by group, before the first job of the next stage. A group (the jobs that share
 * a model) is opened once, when all its jobs have what they read or can never have it, and closed
 * before the next is opened. CPU lane, as many at once as the caller has workers: first what an
 * engine stage still waits for, then the latest stage, so that a shot is delivered as soon as it
 * can be.
 *
 * A job that fails blocks what reads it, never another shot. A transient failure is tried again
 * (ATTEMPTS in all) after a pause that grows, alone; other work goes on meanwhile.
 */
#ifndef AUTEUR_PIPELINE_EXECUTE_SCHEDULER_H
#define AUTEUR_PIPELINE_EXECUTE_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/error.h"
#include "stages/stage.h"

enum { ATTEMPTS = 3 };

enum job_state {
    JOB_NONE,    /* nothing to do: the stage is skipped or up to date */
    JOB_WAITING, /* for a stage that it reads */
    JOB_READY,
    JOB_RUNNING,
    JOB_DONE,
    JOB_FAILED,
    JOB_BLOCKED /* a stage that it reads failed */
};

enum outcome {
    OUTCOME_DONE,
    OUTCOME_FAILED,
    OUTCOME_TRANSIENT, /* worth another attempt */
    OUTCOME_CANCELLED  /* the job is as if it had never been started */
};

struct scheduler;

/* reads[s]: the bits (1u << stage) of the stages that stage s reads. NULL: out of memory. */
struct scheduler *scheduler_new(size_t shots, const unsigned reads[STAGES]);
void scheduler_free(struct scheduler *s);

/* A job that must run. group: equal numbers share a session, opened in the order of the numbers.
 * Not after scheduler_start(). */
void scheduler_add(struct scheduler *s, size_t shot, enum stage_id stage, enum lane lane,
                   uint32_t group);
/* An engine job that was added may run together with those of its group that have the same number
 * here (not 0), at most `most` at once. Not after scheduler_start(). */
void scheduler_together(struct scheduler *s, size_t shot, enum stage_id stage, uint64_t number,
                        size_t most);
int scheduler_start(struct scheduler *s, struct error *e);

enum engine_action {
    ENGINE_OPEN,  /* open the group `shots[0..count)` share, then scheduler_opened() */
    ENGINE_RUN,   /* run shots[0..count) together, then scheduler_finished() of each */
    ENGINE_CLOSE, /* close the group */
    ENGINE_WAIT,  /* until `wake` (INFINITY: until some job finishes) */
    ENGINE_END    /* nothing is left for this lane */
};
struct engine_step {
    enum engine_action action;
    enum stage_id stage;
    const uint32_t *shots; /* good until the next call */
    size_t count;
    double wake;
};
struct engine_step scheduler_engine(struct scheduler *s, double now);
/* After ENGINE_OPEN. Anything but OUTCOME_DONE: the group's jobs take that outcome (a transient
 * failure is final here) and the group counts as closed. */
void scheduler_opened(struct scheduler *s, enum outcome outcome);

/* Takes the next CPU job. False: none now; *wake as above. */
bool scheduler_cpu(struct scheduler *s, double now, uint32_t *shot, enum stage_id *stage,
                   double *wake);

/* True when the job will be tried again. */
bool scheduler_finished(struct scheduler *s, size_t shot, enum stage_id stage, enum outcome outcome,
                        double now);

/* A job that waits turned out to be up to date: it counts as never added. Call it before
 * scheduler_finished() of the stage whose result told so, the shot's later stages first. False: it
 * does not wait (any more), and stays as it is. */
bool scheduler_drop(struct scheduler *s, size_t shot, enum stage_id stage);

/* No new jobs from here on; those that run may finish. */
void scheduler_cancel(struct scheduler *s);
/* Nothing runs and nothing more will. */
bool scheduler_over(const struct scheduler *s);

enum job_state scheduler_state(const struct scheduler *s, size_t shot, enum stage_id stage);
unsigned scheduler_attempts(const struct scheduler *s, size_t shot, enum stage_id stage);

#endif
