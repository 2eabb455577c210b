#include "pipeline/progress/heard.h"

#include <string.h>

const char *heard_note(struct heard *h, const struct note *note)
{
    struct heard_note *n = &h->notes[h->count];

    if (h->count == HEARD_NOTES)
        return NULL;
    n->topic = note->topic;
    n->state = note->state;
    snprintf(n->engine, sizeof n->engine, "%s", note->engine);
    note_line(note, n->line, sizeof n->line);
    for (size_t i = 0; i < h->count; i++)
        if (strcmp(h->notes[i].line, n->line) == 0)
            return NULL;
    h->count++;
    return n->line;
}

/* Whether a later note of the same engine speaks of the same topic. */
static bool is_outdated(const struct heard *h, size_t at)
{
    for (size_t i = at + 1; i < h->count; i++)
        if (h->notes[i].topic == h->notes[at].topic && h->notes[i].state == h->notes[at].state &&
            strcmp(h->notes[i].engine, h->notes[at].engine) == 0)
            return true;
    return false;
}

static const char *heading(enum note_state state)
{
    return state == NOTE_ACTIVE ? "Active" : state == NOTE_OFF ? "Switched Off" : "Unavailable";
}

/* The reason alone: what follows "TITLE Switched Off: " in the line. */
static const char *reason_of(const struct heard_note *n)
{
    const char *colon = strstr(n->line, ": ");

    return colon ? colon + 2 : n->line;
}

static void line_of(FILE *out, const struct heard *h, const char *engine, enum note_state state)
{
    const char *between = ": ";
    bool any = false;

    for (size_t i = 0; i < h->count; i++) {
        const struct heard_note *n = &h->notes[i];

        if (n->state != state || strcmp(n->engine, engine) != 0 || is_outdated(h, i))
            continue;
        if (!any)
            fprintf(out, "[%s] Summary: %s", engine, heading(state));
        any = true;
        fprintf(out, "%s%s", between, note_topic_title(n->topic));
        if (state != NOTE_ACTIVE)
            fprintf(out, " (%s)", reason_of(n));
        between = ", ";
    }
    if (any)
        fputc('\n', out);
}

void heard_summary(FILE *out, const struct heard *h)
{
    for (size_t i = 0; i < h->count; i++) {
        bool first = true;

        for (size_t k = 0; k < i; k++)
            first &= strcmp(h->notes[k].engine, h->notes[i].engine) != 0;
        for (int state = 0; first && state < NOTE_STATES; state++)
            line_of(out, h, h->notes[i].engine, (enum note_state)state);
    }
}
