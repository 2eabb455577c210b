/* The threads of a run: one for the engine's lane, a pool for the CPU's, and the caller's, which
 * watches. The executor's own; executor.h is for its users. */
#ifndef AUTEUR_PIPELINE_EXECUTE_LANES_H
#define AUTEUR_PIPELINE_EXECUTE_LANES_H

#include <pthread.h>
#include <stdatomic.h>

#include "pipeline/execute/executor.h"
#include "pipeline/execute/runner.h"
#include "pipeline/execute/scheduler.h"

enum { MOST_JOBS = 256, SLOTS = MOST_JOBS + STAGE_BATCH_MOST };

/* What a running job last said. */
struct slot {
    bool busy, moved;
    size_t shot;
    enum stage_id stage;
    double done, total;
    char unit[16];
};

struct worker {
    struct executor *executor;
    size_t slot;
    pthread_t thread;
};

struct executor {
    const struct execution *x;
    struct stage_env env; /* as the jobs see it: their devices' notes come here */
    struct plan_setup setup;
    struct {
        bool moved;
        size_t done, total; /* bytes of what is being loaded */
    } loading;
    struct prefetch *prefetch; /* what the engine's lane will load next */
    enum stage_id engine_at;   /* the stage that the engine's lane works on */
    struct scheduler *scheduler;
    struct runner runner;
    struct peak_meter peak;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct slot slots[SLOTS]; /* of the pool, then the engine's */
    struct worker workers[MOST_JOBS + 1];
    struct execution_result result;
    atomic_bool cancel; /* what stages see; set by the interrupt and by a halt */
};

/* Tells the sink, filling in what every event has. With the mutex held, or before and after
 * lanes_run(). */
void lanes_emit(struct executor *x, struct event event);

/* Fit struct runner; ctx is the executor. */
bool lanes_cancelled(void *ctx);
void lanes_progress(void *ctx, size_t shot, enum stage_id stage, double done, double total,
                    const char *unit);

void lanes_loading(void *ctx, size_t done, size_t total);
/* Fits stage_env; ctx is the executor. */
void lanes_mended(void *ctx, const char *text);

/* Fits struct note_listener; ctx is the executor. Only the engine's lane has devices. */
void lanes_note(void *ctx, const struct note *note);

/* Runs until the scheduler is over. -1: a thread could not be started; those that were have
 * ended. */
int lanes_run(struct executor *x, struct error *e);

#endif
