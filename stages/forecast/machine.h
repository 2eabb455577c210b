/* A machine that models run on, as far as a forecast needs to know it: this one, or one that was
 * described. */
#ifndef AUTEUR_STAGES_FORECAST_MACHINE_H
#define AUTEUR_STAGES_FORECAST_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/error.h"
#include "kernels/dry/dry.h"

struct machine {
    char name[80];
    int gpus;         /* 0: models run on the processor */
    size_t memory;    /* bytes of one GPU; of the host without one */
    bool unified;     /* the host's memory and the GPU's are one */
    double bf16, fp8; /* FLOP/s that one GPU is sold with, dense, F32 sums; 0: not known, none */
    double bandwidth; /* bytes/s of its memory; 0: not known */
    double disk;      /* bytes/s that weights come with */
};

/* "2x49GiB", "1x128GiB,unified", "h200", "2xa6000", "24GiB,1008GB/s,165TFLOP/s": how many, how much
 * memory each or which known GPU, then what is known besides. ERROR_USAGE says what of it was not
 * understood. */
int machine_parse(const char *text, struct machine *out, struct error *e);
/* Adds what is known of the GPU that the driver calls `name`, where it is known. */
void machine_recognise(struct machine *m, const char *name);

/* What operations of models reach of what the machine is sold with. Zeros where it is not known. */
struct dry_rates machine_rates(const struct machine *m);
/* What driver and libraries take of a GPU's memory before a model does. */
size_t machine_base(const struct machine *m);

#endif
