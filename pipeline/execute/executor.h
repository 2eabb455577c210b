/* The loop: a plan is carried out by the runner in the order that the scheduler gives. One thread
 * is the engine's lane, `jobs` threads are the pool; the caller's thread waits, notices the
 * interrupt and ticks.
 *
 * What is tried again: ERROR_IO and ERROR_MEMORY, twice, after 1 s and 4 s (a network disk that
 * hiccups, a neighbour that needed the memory). Nothing else: a full disk, a bad clip or a failed
 * check is the same a second later. When the journal itself cannot be written, nothing more is
 * started: what cannot be recorded must not be made.
 */
#ifndef AUTEUR_PIPELINE_EXECUTE_EXECUTOR_H
#define AUTEUR_PIPELINE_EXECUTE_EXECUTOR_H

#include "pipeline/execute/event.h"
#include "pipeline/execute/monitor.h"
#include "pipeline/execute/production.h"

struct execution {
    const struct plan_setup *setup;
    struct plan *plan; /* shots whose check fails are broken in it */
    const struct production *production;
    struct journal *journal; /* open for writing */
    int jobs;                /* >= 1 */
    bool (*interrupted)(void);
    struct event_sink sink;
    struct monitor *monitor; /* watches the jobs; NULL: nobody does */
};

/* Stage checks for every job that must run: those that fail break their shot. */
int execution_check(const struct execution *x, struct error *e);

/* Carries the plan out. 0: see *result; -1: it could not begin. */
int execution_run(const struct execution *x, struct execution_result *result, struct error *e);

#endif
