/* Whether what was forecast fits a machine.
 *
 * This version runs a tier's models one after another on one GPU: what must fit is the stage that
 * takes most, however many GPUs there are. To have all of them there at once (no offload: nothing
 * is ever loaded twice) takes the sum; on several GPUs each model, and each of Wan 2.2's experts,
 * lies whole on one of them, for a model's layers are not shared out among GPUs. */
#ifndef AUTEUR_STAGES_FORECAST_FIT_H
#define AUTEUR_STAGES_FORECAST_FIT_H

#include "stages/forecast/forecast.h"

/* Forecasts are good to a tenth, so a tenth of what is needed must be left over. On unified memory
 * the host's share is needed there too. */
bool machine_holds(const struct machine *m, double bytes);
/* The same of the host's memory, where a GPU has its own; true where it is not known. */
bool machine_hosts(const struct machine *m, double bytes);

/* Bytes of the host's memory that the system and the program itself take. */
double machine_system(void);
/* The same of a memory that models are in too, unified or a processor's; 0 where a GPU has its own.
 * They are in the sums below. */
double machine_itself(const struct machine *m);

/* Whether some model's weights stay on the host. */
bool forecast_streams(const struct forecast *f);
/* Bytes that one GPU must hold when models take turns: the stage that takes most, with its share of
 * the host where memory is one. */
double forecast_peak(const struct forecast *f, const struct machine *m);
/* That stage; NULL of none. */
const struct forecast_stage *forecast_largest(const struct forecast *f, const struct machine *m);

/* Where models lie when nothing leaves. */
enum { PLACES_MOST = 8, PLACED_MOST = 2 * FORECAST_STAGES };
struct place {
    struct placed {
        int stage, number; /* in the forecast, and which of the models that take turns in it */
    } model[PLACED_MOST];
    int count;
    double weights; /* of them all */
    double working; /* what the one of them takes besides that takes most at work */
    double total;   /* with driver and libraries, and of one memory the system */
};
/* On at most PLACES_MOST GPUs, one model at work at a time, so that the fullest has as much left as
 * can be. Returns how many have a model; places[0] is the fullest. */
int forecast_place(const struct forecast *f, const struct machine *m, int gpus,
                   struct place places[PLACES_MOST]);
/* Bytes on the fullest of `gpus` GPUs when nothing leaves. */
double forecast_resident(const struct forecast *f, const struct machine *m, int gpus);
/* How many such GPUs hold all at once; 0: none of 1 to 8 do. */
int forecast_gpus(const struct forecast *f, const struct machine *m);

#endif
