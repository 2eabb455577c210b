/* The three ways to show a run. Each is an event sink over its own state; the first line of ctx is
 * struct show, so that one free() fits all.
 *
 *   terminal  one line a stage, redrawn in place ten times a second; failures stay above it
 *   plain     a line at the start and the finish of every stage of every shot
 *   json      one JSON object a line: see events.md
 *
 * What devices say of their optimisations is in the JSON always, in the other two when `verbose`.
 *
 * Failures go to standard error in the first two, everything else to `out`.
 */
#ifndef AUTEUR_PIPELINE_PROGRESS_SHOW_H
#define AUTEUR_PIPELINE_PROGRESS_SHOW_H

#include <stdio.h>

#include "pipeline/progress/heard.h"
#include "pipeline/progress/progress.h"

struct show {
    struct progress progress;
    FILE *out, *errors;
    bool color, verbose;
    struct heard heard;
    int columns; /* 0: asked of the terminal at every drawing */
    int drawn;   /* lines of the block that stands on the terminal */
};

void show_terminal(void *ctx, const struct event *event);
void show_plain(void *ctx, const struct event *event);
void show_json(void *ctx, const struct event *event);

/* Whether a stream is a terminal that can move its cursor. */
bool show_can_redraw(FILE *out);
/* How wide it is: COLUMNS where that is set, else the terminal; 80 where it is none. */
int show_columns(FILE *out);
/* Whether colour is wanted: a terminal, and NO_COLOR is not set. */
bool show_wants_color(FILE *out);

/* What a person reads at the end, or the reason why there was nothing to do. */
void show_summary(FILE *out, const struct execution_result *r, const char *dir, double seconds);

#endif
