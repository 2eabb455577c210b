/* What a delivered file carries so that it can be made again: a storyboard of its shot
 * (storyboards/recipe.h), and beside it under "x-auteur", where storyboards may hold anything:
 *
 *   program   the version that made it
 *   board     the hash of that storyboard, and so of all that the shot was asked for
 *   models    the digests of the models and sources that it was made from, by the names that `why`
 *             shows: "generate.model.transformer"
 *   options   what the command line set: models, precision, preset, step cache
 *
 * It depends on the shot alone: an edit of another shot leaves it, and the file's bytes, as they
 * are. What is made of several shots carries under "x-auteur" the program and what it is of:
 *
 *   cut       of a film: the delivered files in it, in order
 *   sound     of a sound file: the shot and its narration, or the film's sound, as a storyboard
 *             says them
 */
#ifndef AUTEUR_PIPELINE_EXECUTE_RECIPE_H
#define AUTEUR_PIPELINE_EXECUTE_RECIPE_H

#include <jansson.h>

#include "pipeline/execute/plan.h"

/* JSON in one line, in the arena. */
int recipe_make(const struct plan *plan, const struct plan_setup *setup, size_t shot,
                struct arena *arena, const char **out, struct error *e);

/* What is made of several shots: `made` is "cut" or "sound". Takes `of`, NULL for out of memory. */
int recipe_of_many(const char *made, json_t *of, struct arena *arena, const char **out,
                   struct error *e);

/* The recipe of a delivered film, of a folder of pictures or of a recipe.json; the caller owns it.
 * ERROR_INPUT: it has none, or one that was altered, or is made of several shots. */
int recipe_read(const char *path, json_t **out, struct error *e);

#endif
