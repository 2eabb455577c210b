/* What jobs and devices say while they run. */
#include <string.h>

#include "pipeline/execute/job.h"
#include "pipeline/execute/lanes.h"

void lanes_emit(struct executor *x, struct event event)
{
    event.at = clock_monotonic();
    if (event.kind == EVENT_NOTE || event.kind == EVENT_LOADING || event.kind == EVENT_MENDED) {
        event.stage_name = x->x->setup->stages[event.stage]->name;
    } else if (event.kind != EVENT_BEGIN && event.kind != EVENT_TICK && event.kind != EVENT_END &&
               event.kind != EVENT_INTERRUPT) {
        event.shot_id = x->x->setup->env->board->shots[event.shot].id;
        event.stage_name = x->x->setup->stages[event.stage]->name;
    }
    event.plan = x->x->plan;
    x->x->sink.emit(x->x->sink.ctx, &event);
}

bool lanes_cancelled(void *ctx)
{
    struct executor *x = ctx;

    return atomic_load(&x->cancel);
}

void lanes_progress(void *ctx, size_t shot, enum stage_id stage, double done, double total,
                    const char *unit)
{
    struct executor *x = ctx;

    pthread_mutex_lock(&x->mutex);
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *s = &x->slots[i];

        if (!s->busy || s->shot != shot || s->stage != stage)
            continue;
        s->moved = true;
        s->done = done;
        s->total = total;
        strncpy(s->unit, unit, sizeof s->unit - 1);
        break;
    }
    pthread_mutex_unlock(&x->mutex);
}

void lanes_loading(void *ctx, size_t done, size_t total)
{
    struct executor *x = ctx;

    pthread_mutex_lock(&x->mutex);
    x->loading.moved = true;
    x->loading.done = done;
    x->loading.total = total;
    pthread_mutex_unlock(&x->mutex);
}

void lanes_mended(void *ctx, const char *text)
{
    struct executor *x = ctx;

    pthread_mutex_lock(&x->mutex);
    lanes_emit(x, (struct event){.kind = EVENT_MENDED, .stage = x->engine_at, .text = text});
    pthread_mutex_unlock(&x->mutex);
}

void lanes_note(void *ctx, const struct note *note)
{
    struct executor *x = ctx;

    pthread_mutex_lock(&x->mutex);
    lanes_emit(x, (struct event){.kind = EVENT_NOTE, .stage = x->engine_at, .note = note});
    pthread_mutex_unlock(&x->mutex);
}
