/* The parts of an inspection. Each adds the faults that it finds; -1 only when memory has run out.
 */
#ifndef AUTEUR_STAGES_MODELS_INSPECT_IMPL_H
#define AUTEUR_STAGES_MODELS_INSPECT_IMPL_H

#include "stages/models/inspect.h"

/* Adds a fault unless it is known, alone or as part of a longer one. */
int inspection_fault(struct inspection *i, struct error *e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same of an error that a check gave; out of memory stays an error. */
int inspection_error(struct inspection *i, const struct error *fault, struct error *e);

/* Weights of one component in its folder `dir`: every shard by itself, then what the index says. */
int inspect_weights(struct inspection *i, const char *dir, struct component *c, struct error *e);

/* Files of a component that has no weights: a tokenizer's, a scheduler's. */
int inspect_files(struct inspection *i, const char *dir, struct component *c, struct error *e);

/* What download tools have left unfinished in the checkpoint, as one more fault. */
int inspect_unfinished(struct inspection *i, const struct checkpoint *c, struct error *e);

#endif
