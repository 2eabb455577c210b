/* Keyframes: the picture that an image-to-video model sets in motion, the shot's own or made from
 * its prompt by the tier's first model. */
#ifndef AUTEUR_STAGES_GENERATE_KEYFRAME_H
#define AUTEUR_STAGES_GENERATE_KEYFRAME_H

#include "stages/generate/session.h"

/* Whether the shot's own picture is there and can be read. */
int keyframe_check(const struct shot *shot, struct error *e);
/* Reads the shot's own picture into g->picture; pixels come from the arena. */
int keyframe_read(const struct shot *shot, struct generation *g, struct arena *a, struct error *e);
/* Makes a picture for every shot of the session that has none. */
int keyframes_make(const struct stage_group *group, struct session *s, struct error *e);

#endif
