/* The lettering rules of the lexicon at work on one prompt. For enhance.c. */
#ifndef AUTEUR_PROMPTS_LETTERING_H
#define AUTEUR_PROMPTS_LETTERING_H

#include "prompts/enhance.h"

/* Lists that grow in an arena while a prompt is worked on. */
struct enhanced_notes {
    struct arena *arena;
    struct enhanced_note *items;
    size_t count, room;
};
/* After a hundred only warnings are taken. -1: out of memory, which may be ignored. */
int notes_add(struct enhanced_notes *notes, bool warning, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct lettering {
    char *prompt; /* what is left of it */
    struct enhanced_overlay *overlays;
    size_t count;
};

/* `prompt` is clean (words.h). policy is not LETTERING_KEEP. */
int lettering_lift(const struct lexicon *lexicon, const char *prompt, enum lettering_policy policy,
                   struct arena *a, struct lettering *out, struct enhanced_notes *notes,
                   struct error *e);

#endif
