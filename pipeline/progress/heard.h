/* What the devices of a run said of their optimisations. A run opens several devices (the text
 * encoder's, the denoiser's, the decoder's); each says a thing once, a run shows it once. */
#ifndef AUTEUR_PIPELINE_PROGRESS_HEARD_H
#define AUTEUR_PIPELINE_PROGRESS_HEARD_H

#include <stdbool.h>
#include <stdio.h>

#include "kernels/notes.h"

enum { HEARD_NOTES = 96, HEARD_LINE = 300 };
struct heard {
    struct heard_note {
        enum note_topic topic;
        enum note_state state;
        char engine[24], line[HEARD_LINE];
    } notes[HEARD_NOTES];
    size_t count;
};

/* Remembers it. NULL: it was heard before in this run (or there is no more room); else its line. */
const char *heard_note(struct heard *h, const struct note *note);

/* The summary, a line for each engine and state: what took effect by name, what did not with its
 * reason. Of a topic and state the last word counts. Nothing heard, nothing printed. */
void heard_summary(FILE *out, const struct heard *h);

#endif
