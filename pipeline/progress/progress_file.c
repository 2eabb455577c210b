#include "pipeline/progress/progress_file.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/base/file.h"

enum { FILE_LIMIT = 1 << 20 };
static const double PERIOD = 1; /* seconds */
static const char NAME[] = "progress.json";

static json_t *hand_json(const struct progress *p)
{
    json_t *list = json_array();

    for (size_t i = 0; i < p->in_hand_count; i++) {
        const struct in_hand *h = &p->in_hand[i];

        json_array_append_new(list, json_pack("{ss ss sf sf ss}", "shot",
                                              p->env->board->shots[h->shot].id, "stage",
                                              p->stages[h->stage]->name, "done", h->done, "total",
                                              h->total, "unit", h->unit));
    }
    return list;
}

static json_t *rounded(double seconds)
{
    return isnan(seconds) ? json_null() : json_real(round(seconds * 10) / 10);
}

/* It may be lost with the machine's power: so would the run be. */
void progress_file_event(struct progress_file *f, const struct progress *p,
                         const struct event *event)
{
    char path[PATH_MAX], fresh[PATH_MAX];
    json_t *o;

    if (event->kind != EVENT_TICK || event->at - f->written < PERIOD ||
        snprintf(path, sizeof path, "%s/%s", f->production->tmp, NAME) >= (int)sizeof path ||
        snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh)
        return;
    f->written = event->at;
    o = json_pack("{so so so}", "elapsed", rounded(event->at - p->began), "left",
                  rounded(progress_left(p, event->at, NULL)), "hand", hand_json(p));
    if (o && json_dump_file(o, fresh, JSON_COMPACT | JSON_REAL_PRECISION(12)) == 0)
        rename(fresh, path);
    json_decref(o);
}

json_t *progress_file_read(const struct production *p)
{
    struct error ignored = {0};
    char path[PATH_MAX], *text;
    json_t *o = NULL;
    size_t size;

    if (snprintf(path, sizeof path, "%s/%s", p->tmp, NAME) < (int)sizeof path &&
        file_read(path, FILE_LIMIT, &text, &size, &ignored) == 0) {
        o = json_loadb(text, size, 0, NULL);
        free(text);
    }
    if (json_is_object(o))
        return o;
    json_decref(o);
    return NULL;
}
