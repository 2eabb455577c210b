/* Weights that are not there: a checkpoint of headers alone (make_checkpoint.py --sparse) is loaded
 * with random numbers in place of its large matrices, so that a 13 B model can be timed without a
 * download or a disk. */
#ifndef AUTEUR_BENCH_SYNTHETIC_H
#define AUTEUR_BENCH_SYNTHETIC_H

#include "kernels/device.h"

/* From now on linear layers and convolutions of this device get normal numbers of a standard
 * deviation of 0.02, whatever the checkpoint holds. One such device at a time. */
void synthetic_weights(struct device *d);
/* count normal numbers, the same for the same seed. */
void synthetic_normal(float *out, int64_t count, uint64_t seed, float std);

#endif
