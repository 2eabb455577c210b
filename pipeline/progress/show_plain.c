#include <math.h>
#include <string.h>

#include "pipeline/progress/show.h"

void show_plain(void *ctx, const struct event *event)
{
    struct show *s = ctx;
    const char *line;
    char left[24];
    bool about;

    progress_event(&s->progress, event);
    switch (event->kind) {
    case EVENT_BROKEN:
        fprintf(s->errors, "FAILED %s: %s\n", event->shot_id, event->error->text);
        break;
    case EVENT_OPEN:
        fprintf(s->out, "load   %s for %s, %zu %s\n", event->group, event->stage_name, event->count,
                event->count == 1 ? "shot" : "shots");
        break;
    case EVENT_LOADING:
        if (!progress_load_is_due(&s->progress, event, 5))
            return;
        fprintf(s->out, "load   %s %.1f of %.1f GB\n", event->stage_name, event->done / 1e9,
                event->total / 1e9);
        break;
    case EVENT_START:
        fprintf(s->out, "start  %s %s (%s)\n", event->shot_id, event->stage_name,
                event->attempt > 1 ? "another attempt" : event->reason);
        break;
    case EVENT_FINISH:
        duration_text(progress_left(&s->progress, event->at, &about), left);
        fprintf(s->out, "done   %s %s, %.1f s, %llu MiB%s%s\n", event->shot_id, event->stage_name,
                event->seconds, (unsigned long long)event->peak_kib / 1024,
                !left[0] ? ""
                : about  ? ", left about "
                         : ", left ",
                left);
        break;
    case EVENT_FRESH:
        fprintf(s->out, "fresh  %s %s\n", event->shot_id, event->stage_name);
        break;
    case EVENT_FAILED:
        fprintf(s->errors, "%s %s %s: %s\n", event->retry ? "again " : "FAILED", event->shot_id,
                event->stage_name, failure_text(event->error->text, event->stage_name));
        break;
    case EVENT_NOTE:
        line = s->verbose ? heard_note(&s->heard, event->note) : NULL;
        if (line)
            fprintf(s->out, "%s\n", line);
        break;
    case EVENT_MENDED:
        fprintf(s->errors, "mended %s: %s\n", event->stage_name, event->text);
        break;
    case EVENT_INTERRUPT:
        fprintf(s->errors, "interrupted: finishing the step in hand; once more stops at once\n");
        break;
    default:
        return;
    }
    fflush(s->out);
}

void show_summary(FILE *out, const struct execution_result *r, const char *dir, double seconds)
{
    char time[24];

    if (r->made == 0 && r->failed == 0 && r->remaining == 0) {
        fprintf(out, "nothing to do: %zu %s up to date in %s (%.2f s)\n", r->shots,
                r->shots == 1 ? "shot is" : "shots are", dir, seconds);
        return;
    }
    duration_text(seconds, time);
    fprintf(out, "%zu of %zu %s delivered", r->delivered, r->shots,
            r->shots == 1 ? "shot" : "shots");
    if (r->failed)
        fprintf(out, ", %zu failed", r->failed);
    if (r->remaining)
        fprintf(out, ", %zu left", r->remaining);
    fprintf(out, " in %s: %s/shots\n", time, dir);
}
