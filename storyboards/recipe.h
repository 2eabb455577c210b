/* A shot as a storyboard of its own. */
#ifndef AUTEUR_STORYBOARDS_RECIPE_H
#define AUTEUR_STORYBOARDS_RECIPE_H

#include <jansson.h>

#include "storyboards/board.h"

/* A storyboard of one shot, as JSON, which is YAML: read again it gives the shot with all that the
 * board said for it, paths absolute. `tier` "" or what the command line set in place of the shot's.
 * The caller owns it; NULL: out of memory. */
json_t *board_recipe(const struct board *b, const struct shot *shot, const char *tier);
/* Likewise a narration and the film's sound, as the objects of a storyboard that say them. */
json_t *narration_recipe(const struct narration *n);
json_t *sound_recipe(const struct board_sound *s);

#endif
