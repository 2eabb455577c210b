/* Whether what was forecast fits a machine.
 *
 * This version runs a tier's models one after another on one GPU: what must fit is the stage that
 * takes most. To have all of them there at once (no offload: nothing is ever loaded twice) takes
 * the sum; on several GPUs each model, and each of Wan 2.2's experts, lies whole on one of them,
 * for a model's layers are not shared out among GPUs. */
#ifndef AUTEUR_STAGES_FORECAST_FIT_H
#define AUTEUR_STAGES_FORECAST_FIT_H

#include "stages/forecast/forecast.h"

/* Forecasts are good to a tenth, so a tenth of what is needed must be left over. On unified memory
 * the host's share is needed there too. */
bool machine_holds(const struct machine *m, double bytes);

/* Bytes of one memory, unified or a processor's, that the system and the program itself take; 0
 * where a GPU has its own. They are in the sums below. */
double machine_itself(const struct machine *m);

/* Whether some model's weights stay on the host. */
bool forecast_streams(const struct forecast *f);
/* Bytes that one GPU must hold when models take turns: the stage that takes most, with its share of
 * the host where memory is one. */
double forecast_peak(const struct forecast *f, const struct machine *m);
/* Bytes on the fullest of `gpus` GPUs when nothing leaves. */
double forecast_resident(const struct forecast *f, const struct machine *m, int gpus);
/* How many such GPUs hold all at once; 0: none of 1 to 8 do. */
int forecast_gpus(const struct forecast *f, const struct machine *m);

#endif
