/* The checkpoint that a forecast goes through. */
#ifndef AUTEUR_STAGES_FORECAST_CHECKPOINT_H
#define AUTEUR_STAGES_FORECAST_CHECKPOINT_H

#include "stages/forecast/forecast.h"

/* Where the checkpoint of f->tier lies (picture: of the model that makes its keyframes), in the
 * arena; where it cannot be had, the outline of the published one (*outlined), and the forecast is
 * told so. ERROR_MODEL: nothing is published that could stand for it. */
int forecast_checkpoint(const struct stage_env *env, bool picture, struct arena *a,
                        struct forecast *f, const char **dir, bool *outlined, struct error *e);

#endif
