/* A machine that models run on, as far as a forecast needs to know it: this one, or one that was
 * described. */
#ifndef AUTEUR_STAGES_FORECAST_MACHINE_H
#define AUTEUR_STAGES_FORECAST_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/dry/dry.h"

struct machine {
    struct device_facts facts; /* of one GPU; of the processor without one. Its memory is known */
    int gpus;                  /* 0: models run on the processor */
    int threads;               /* of that */
    size_t host;               /* bytes of the host's memory; 0: not known */
    double bf16, fp8; /* FLOP/s that one is sold with, dense, sums in F32; 0: not known, or none */
    double bandwidth; /* bytes/s of its memory; 0: not known */
    double link;      /* bytes/s from the host's memory to it */
    double disk;      /* bytes/s that weights come with */
    double taken;     /* bytes of one GPU's memory that others hold now */
};

/* "2x49GiB", "1x128GiB,unified", "h200", "2xRTX 5060 Ti,8GiB", "24GiB,1008GB/s,165TFLOP/s": how
 * many, how much memory each or which known GPU, then what is known besides, also the host's
 * memory (host=64GiB). Blanks and capitals do not matter. ERROR_USAGE says what of it was not
 * understood, and what to write. */
int machine_parse(const char *text, struct machine *out, struct error *e);
/* What --gpu knows by name: "h200", "4090" ...; NULL past the last. */
const char *machine_word(int index);
/* The machine of an open device; what makers tell of such a GPU is added where it is known. */
void machine_of_device(struct device *d, struct machine *out);

/* Bytes of one GPU's memory that can be had. */
double machine_room(const struct machine *m);

/* What operations of models reach of what the machine is sold with. Zeros where it is not known. */
struct dry_rates machine_rates(const struct machine *m);
/* For a dry device that passes for such a machine's GPU, with the memory that may be taken. */
struct dry_run machine_ledger(const struct machine *m);
/* What driver and libraries take of a GPU's memory before a model does; of a processor's the
 * program and its libraries. */
size_t machine_base(const struct machine *m);

#endif
