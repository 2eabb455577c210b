/* What a board says of sound: `sound`, and a shot's `narration`. */
#ifndef AUTEUR_STORYBOARDS_SOUND_H
#define AUTEUR_STORYBOARDS_SOUND_H

#include "storyboards/values.h"

/* `n` is the mapping under `sound`, NULL when there is none. */
void sound_read(struct reader *r, const struct node *n, struct board_sound *out);
/* A shot's, with what `sound` says folded in. False: a complaint was added. */
bool sound_read_narration(struct reader *r, const struct node *n, struct narration *out);

#endif
