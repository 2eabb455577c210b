/* The numbered files of sound/, and the journal's record of those that are the film's now: a JSON
 * object of lists ("Narration", "Music", "Mix") of {name, path, digest, at, frames, size}. */
#ifndef AUTEUR_PIPELINE_HANDOFF_SOUND_FILES_H
#define AUTEUR_PIPELINE_HANDOFF_SOUND_FILES_H

#include <jansson.h>

#include "stages/sound/sound.h"

struct sound_files {
    const char *dir; /* sound/ of the production, there already */
    const struct board *board;
    struct arena *arena;
    json_t *was;  /* what the journal said; NULL for nothing */
    json_t *made; /* what it is to be told */
};

/* One of them. */
struct sound_file {
    const char *list, *name, *kind;
    const struct sound *sound;
    int64_t at, frames; /* where in the film it lies */
    const char *recipe; /* see pipeline/execute/recipe.h */
};

/* Writes NAME.KIND_vNNN.wav and adds it to the list: under the number that has this content, or had
 * it by the journal; else under one that is new. */
int sound_files_write(struct sound_files *f, const struct sound_file *file, struct error *e);

#endif
