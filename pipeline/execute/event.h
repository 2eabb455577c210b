/* What the executor tells while it works. A sink is called with the executor's lock held, so one
 * event at a time; it must not call back and should be quick. Strings live for the call. */
#ifndef AUTEUR_PIPELINE_EXECUTE_EVENT_H
#define AUTEUR_PIPELINE_EXECUTE_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/execute/plan.h"

enum event_kind {
    EVENT_BEGIN,    /* the run begins: plan */
    EVENT_BROKEN,   /* shot, stage, error: it cannot be made and is not tried */
    EVENT_OPEN,     /* stage, group, count: a model is being loaded */
    EVENT_LOADING,  /* stage, done, total: bytes of it, at a tick, when it moved */
    EVENT_OPENED,   /* stage, group, seconds */
    EVENT_START,    /* shot, stage, attempt, reason */
    EVENT_PROGRESS, /* shot, stage, done, total, unit: at a tick, when it moved */
    EVENT_FINISH,   /* shot, stage, attempt, seconds, peak_kib */
    EVENT_FRESH,    /* shot, stage: by what an earlier stage made it is up to date; it is not run */
    EVENT_FAILED,   /* shot, stage, attempt, seconds, error; retry: it will be tried again */
    EVENT_DELIVERED, /* shot: its last stage is done */
    EVENT_NOTE, /* stage, note: an optimisation took effect, or did not; each device says it once */
    EVENT_MENDED,    /* stage, text: trouble was met, and what was done about it */
    EVENT_INTERRUPT, /* the user interrupted: what is in hand is being finished */
    EVENT_TICK,      /* ten times a second: a good moment to draw */
    EVENT_END        /* result */
};

struct execution_result {
    size_t shots;     /* that were asked for */
    size_t delivered; /* of those, now or earlier */
    size_t failed;    /* broken, failed, or waiting on what failed */
    size_t remaining; /* not reached: interrupted or halted */
    size_t made;      /* jobs done in this run */
    bool interrupted;
    struct error halt; /* set: nothing could be recorded any more, so nothing more was made */
};

struct event {
    enum event_kind kind;
    double at; /* monotonic seconds */
    size_t shot;
    const char *shot_id;
    enum stage_id stage;
    const char *stage_name, *group, *unit, *text;
    size_t count;
    unsigned attempt;
    const char *reason;
    double seconds, done, total;
    uint64_t peak_kib;
    const struct error *error;
    const struct note *note;
    bool retry;
    const struct plan *plan;
    const struct execution_result *result;
};

struct event_sink {
    void (*emit)(void *ctx, const struct event *event);
    void *ctx;
};

#endif
