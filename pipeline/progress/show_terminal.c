#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pipeline/progress/show.h"

/* Narrower terminals have no room for a bar beside the figures. */
enum { BAR = 20, WIDEST = 400, WIDTH_OF_BARS = 70 };

bool show_can_redraw(FILE *out)
{
    const char *term = getenv("TERM");

    return isatty(fileno(out)) && term && strcmp(term, "dumb") != 0;
}

bool show_wants_color(FILE *out)
{
    const char *no = getenv("NO_COLOR");

    return show_can_redraw(out) && !(no && no[0]);
}

int show_columns(FILE *out)
{
    const char *told = getenv("COLUMNS");
    int columns = told ? atoi(told) : 0;
    struct winsize w;

    if (columns <= 0 && ioctl(fileno(out), TIOCGWINSZ, &w) == 0)
        columns = w.ws_col;
    return columns <= 0 ? 80 : columns < WIDEST ? columns : WIDEST;
}

static int columns(const struct show *s)
{
    return s->columns ? s->columns : show_columns(s->out);
}

/* A line cut to the terminal's width: a wrapped one would break the redrawing. */
static void put_line(struct show *s, const char *text, const char *color)
{
    int width = columns(s) - 1;

    if (s->color && color[0])
        fprintf(s->out, "%s%.*s\033[0m\033[K\n", color, width, text);
    else
        fprintf(s->out, "%.*s\033[K\n", width, text);
    s->drawn++;
}

static void loading_text(const struct stage_progress *at, char *out, size_t size)
{
    if (at->to_load > 0)
        snprintf(out, size, "loading the model, %.1f of %.1f GB", at->loaded / 1e9,
                 at->to_load / 1e9);
    else
        snprintf(out, size, "loading the model");
}

/* What a stage has in hand: the first job in full, then how many more. */
static void in_hand_text(const struct progress *p, enum stage_id stage, char *out, size_t size)
{
    size_t more = 0;

    out[0] = '\0';
    if (p->stage[stage].loading_since > 0)
        loading_text(&p->stage[stage], out, size);
    for (size_t i = 0; i < p->in_hand_count; i++) {
        const struct in_hand *h = &p->in_hand[i];
        const char *id = p->env->board->shots[h->shot].id;

        if (h->stage != stage)
            continue;
        if (out[0])
            more++;
        else if (h->total > 0)
            snprintf(out, size, "%s %s %.0f/%.0f", id, h->unit, h->done, h->total);
        else
            snprintf(out, size, "%s", id);
    }
    if (more) {
        size_t used = strlen(out);

        snprintf(out + used, size - used, " and %zu more", more);
    }
}

/* Jobs finished, what is in hand counted by its share. */
static double share_done(const struct progress *p, enum stage_id stage)
{
    const struct stage_progress *s = &p->stage[stage];
    double done = (double)(s->done + s->failed);

    for (size_t i = 0; i < p->in_hand_count; i++)
        if (p->in_hand[i].stage == stage && p->in_hand[i].total > 0)
            done += fmin(p->in_hand[i].done / p->in_hand[i].total, 1);
    return s->total ? fmin(done / (double)s->total, 1) : 0;
}

/* "2.5 s/shot"; nothing for jobs too short for it to mean anything. */
static void rate_text(const struct stage_progress *at, bool over, double now, char *out,
                      size_t size)
{
    double each =
        at->done ? ((over ? at->last_finish : now) - at->first_start) / (double)at->done : 0;

    out[0] = '\0';
    if (each >= 1)
        snprintf(out, size, "%.1f s/shot", each);
    else if (each >= 0.1)
        snprintf(out, size, "%.1f shots/s", 1 / each);
}

/* Adds a column where it fits whole: half a figure misleads. */
static void add_column(char line[WIDEST], int width, const char *text, int pad)
{
    int used = (int)strlen(line);

    if (used + 1 + (int)strlen(text) <= width)
        snprintf(line + used, (size_t)(WIDEST - used), " %-*s", pad, text);
}

static void draw_stage(struct show *s, enum stage_id stage, double now)
{
    const struct progress *p = &s->progress;
    const struct stage_progress *at = &p->stage[stage];
    char bar[BAR + 3], count[48], rate[32], time[24], left[48] = "", hand[160], line[WIDEST];
    int full = (int)(share_done(p, stage) * BAR), width = columns(s) - 1;
    bool over = at->done + at->failed == at->total, about;

    snprintf(line, sizeof line, "%-9s", p->stages[stage]->name);
    memset(bar, '.', sizeof bar);
    memset(bar + 1, '#', (size_t)full);
    bar[0] = '[';
    bar[BAR + 1] = ']';
    bar[BAR + 2] = '\0';
    if (width >= WIDTH_OF_BARS)
        add_column(line, width, bar, 0);
    snprintf(count, sizeof count, "%3zu/%zu", at->done, at->total);
    add_column(line, width, count, 0);
    rate_text(at, over, now, rate, sizeof rate);
    add_column(line, width, rate, 12);
    duration_text(over ? NAN : progress_stage_left(p, stage, now, &about), time);
    if (time[0])
        snprintf(left, sizeof left, "left %s%s", about ? "~" : "", time);
    add_column(line, width, left, 13);
    in_hand_text(p, stage, hand, sizeof hand);
    if (hand[0])
        add_column(line, WIDEST - 1, hand, 0);
    put_line(s, line, at->failed ? "\033[31m" : over ? "\033[32m" : "");
}

static void erase(struct show *s)
{
    if (s->drawn)
        fprintf(s->out, "\033[%dA\r\033[J", s->drawn);
    s->drawn = 0;
}

static void draw(struct show *s, double now)
{
    const struct progress *p = &s->progress;
    bool over = p->delivered + p->failed >= p->shots, about;
    char line[200], left[24];

    if (s->drawn)
        fprintf(s->out, "\033[%dA\r", s->drawn);
    s->drawn = 0;
    for (int i = 0; i < STAGES; i++)
        if (p->stage[i].total)
            draw_stage(s, (enum stage_id)i, now);
    duration_text(progress_left(p, now, &about), left);
    snprintf(line, sizeof line, "%zu of %zu %s delivered%s", p->delivered, p->shots,
             p->shots == 1 ? "shot" : "shots",
             over       ? ""
             : !left[0] ? ", time left not known yet"
             : about    ? ", about "
                        : ", ");
    if (left[0] && !over)
        snprintf(line + strlen(line), sizeof line - strlen(line), "%s left", left);
    if (p->failed)
        snprintf(line + strlen(line), sizeof line - strlen(line), ", %zu failed", p->failed);
    put_line(s, line, "");
    fputs("\033[J", s->out); /* a stage that turned out to have nothing to do is gone */
    fflush(s->out);
}

/* A line that stays, above the block. */
static void say(struct show *s, const struct event *event, const char *what, const char *stage,
                const char *text)
{
    erase(s);
    fflush(s->out);
    fprintf(s->errors, "%s%s%s%s%s%s\n", what, event->shot_id ? event->shot_id : "",
            stage[0] ? " " : "", stage, event->shot_id ? ": " : "", text);
    fflush(s->errors);
}

static void say_note(struct show *s, const struct note *note)
{
    const char *line = s->verbose ? heard_note(&s->heard, note) : NULL;

    if (!line)
        return;
    erase(s);
    fprintf(s->out, "%s\n", line);
    fflush(s->out);
}

void show_terminal(void *ctx, const struct event *event)
{
    struct show *s = ctx;

    progress_event(&s->progress, event);
    switch (event->kind) {
    case EVENT_BROKEN:
        say(s, event, "FAILED ", "", event->error->text);
        break;
    case EVENT_FAILED:
        say(s, event, event->retry ? "again  " : "FAILED ", event->stage_name,
            failure_text(event->error->text, event->stage_name));
        break;
    case EVENT_NOTE:
        say_note(s, event->note);
        break;
    case EVENT_MENDED:
        say(s, event, "mended ", event->stage_name, event->text);
        break;
    case EVENT_INTERRUPT:
        say(s, event, "", "", "interrupted: finishing the step in hand; once more stops at once");
        break;
    case EVENT_TICK:
        draw(s, event->at);
        break;
    case EVENT_END:
        if (s->drawn)
            draw(s, event->at);
        break;
    default:
        break;
    }
}
