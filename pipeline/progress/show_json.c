#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "pipeline/progress/show.h"

static const char *const names[] = {
    [EVENT_BEGIN] = "begin",   [EVENT_BROKEN] = "broken",
    [EVENT_OPEN] = "open",     [EVENT_OPENED] = "opened",
    [EVENT_START] = "start",   [EVENT_PROGRESS] = "progress",
    [EVENT_FINISH] = "finish", [EVENT_FRESH] = "fresh",
    [EVENT_FAILED] = "failed", [EVENT_DELIVERED] = "delivered",
    [EVENT_NOTE] = "note",     [EVENT_LOADING] = "loading",
    [EVENT_MENDED] = "mended", [EVENT_INTERRUPT] = "interrupt",
    [EVENT_TICK] = "tick",     [EVENT_END] = "end",
};

static double unix_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)(t.tv_nsec / 1000000) / 1e3;
}

/* Rounded to milliseconds: more is noise, and makes long lines. */
static json_t *seconds(double s)
{
    return json_real(round(s * 1e3) / 1e3);
}

static void add_error(json_t *line, const struct error *error)
{
    json_object_set_new(line, "code", json_string(error_code_name(error->code)));
    json_object_set_new(line, "message", json_string(error->text));
}

static void add_counts(json_t *line, const struct show *s, const struct event *event)
{
    json_t *stages = json_object();

    for (int i = 0; i < STAGES; i++)
        json_object_set_new(stages, s->progress.stages[i]->name,
                            json_integer((json_int_t)event->plan->run[i]));
    json_object_set_new(line, "shots", json_integer((json_int_t)s->progress.shots));
    json_object_set_new(line, "jobs", json_integer((json_int_t)event->plan->to_run));
    json_object_set_new(line, "stages", stages);
}

static void add_result(json_t *line, const struct execution_result *r, double took)
{
    json_object_set_new(line, "shots", json_integer((json_int_t)r->shots));
    json_object_set_new(line, "delivered", json_integer((json_int_t)r->delivered));
    json_object_set_new(line, "failed", json_integer((json_int_t)r->failed));
    json_object_set_new(line, "remaining", json_integer((json_int_t)r->remaining));
    json_object_set_new(line, "made", json_integer((json_int_t)r->made));
    json_object_set_new(line, "interrupted", json_boolean(r->interrupted));
    json_object_set_new(line, "seconds", seconds(took));
}

/* The fields of a job's event. */
static void add_job(json_t *line, const struct show *s, const struct event *event)
{
    double left = progress_left(&s->progress, event->at, NULL);

    switch (event->kind) {
    case EVENT_START:
        json_object_set_new(line, "attempt", json_integer(event->attempt));
        json_object_set_new(line, "reason", json_string(event->reason));
        break;
    case EVENT_PROGRESS:
        json_object_set_new(line, "done", json_real(event->done));
        json_object_set_new(line, "total", json_real(event->total));
        json_object_set_new(line, "unit", json_string(event->unit));
        json_object_set_new(line, "left", isnan(left) ? json_null() : seconds(left));
        break;
    case EVENT_FINISH:
        json_object_set_new(line, "attempt", json_integer(event->attempt));
        json_object_set_new(line, "seconds", seconds(event->seconds));
        json_object_set_new(line, "peak_kib", json_integer((json_int_t)event->peak_kib));
        json_object_set_new(line, "left", isnan(left) ? json_null() : seconds(left));
        break;
    case EVENT_FRESH:
        json_object_set_new(line, "left", isnan(left) ? json_null() : seconds(left));
        break;
    case EVENT_FAILED:
        json_object_set_new(line, "attempt", json_integer(event->attempt));
        json_object_set_new(line, "seconds", seconds(event->seconds));
        json_object_set_new(line, "retry", json_boolean(event->retry));
        add_error(line, event->error);
        break;
    case EVENT_BROKEN:
        add_error(line, event->error);
        break;
    default:
        break;
    }
}

static void add_note(json_t *line, const struct event *event)
{
    json_object_set_new(line, "stage", json_string(event->stage_name));
    json_object_set_new(line, "engine", json_string(event->note->engine));
    json_object_set_new(line, "topic", json_string(note_topic_name(event->note->topic)));
    json_object_set_new(line, "state", json_string(note_state_name(event->note->state)));
    json_object_set_new(line, "text", json_string(event->note->text));
}

/* Once a second a job is often enough to watch a sampler. */
static bool is_due(struct show *s, const struct event *event)
{
    struct in_hand *h = progress_in_hand(&s->progress, event->shot, event->stage);

    if (!h || event->at - h->told < 1)
        return false;
    h->told = event->at;
    return true;
}

void show_json(void *ctx, const struct event *event)
{
    struct show *s = ctx;
    json_t *line;

    progress_event(&s->progress, event);
    if (event->kind == EVENT_TICK || (event->kind == EVENT_PROGRESS && !is_due(s, event)) ||
        (event->kind == EVENT_LOADING && !progress_load_is_due(&s->progress, event, 1)) ||
        (event->kind == EVENT_NOTE && !heard_note(&s->heard, event->note)))
        return;
    line = json_object();
    json_object_set_new(line, "event", json_string(names[event->kind]));
    json_object_set_new(line, "time", json_real(unix_now()));
    if (event->kind == EVENT_OPEN || event->kind == EVENT_OPENED) {
        json_object_set_new(line, "stage", json_string(event->stage_name));
        json_object_set_new(line, "group", json_string(event->group));
        json_object_set_new(line, "count", json_integer((json_int_t)event->count));
        if (event->kind == EVENT_OPENED)
            json_object_set_new(line, "seconds", seconds(event->seconds));
    } else if (event->kind == EVENT_BEGIN) {
        add_counts(line, s, event);
    } else if (event->kind == EVENT_END) {
        add_result(line, event->result, event->at - s->progress.began);
    } else if (event->kind == EVENT_LOADING) {
        json_object_set_new(line, "stage", json_string(event->stage_name));
        json_object_set_new(line, "done", json_real(event->done));
        json_object_set_new(line, "total", json_real(event->total));
    } else if (event->kind == EVENT_MENDED) {
        json_object_set_new(line, "stage", json_string(event->stage_name));
        json_object_set_new(line, "text", json_string(event->text));
    } else if (event->kind == EVENT_NOTE) {
        add_note(line, event);
    } else if (event->kind != EVENT_INTERRUPT) {
        json_object_set_new(line, "shot", json_string(event->shot_id));
        if (event->kind != EVENT_DELIVERED)
            json_object_set_new(line, "stage", json_string(event->stage_name));
        add_job(line, s, event);
    }
    if (json_dumpf(line, s->out, JSON_COMPACT | JSON_REAL_PRECISION(15)) != 0 ||
        fputc('\n', s->out) == EOF)
        fprintf(s->errors, "auteur-pipe: an event could not be written\n");
    fflush(s->out);
    json_decref(line);
}
