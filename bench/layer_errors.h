/* How far linear layers with FP8 weights are from those without, on what a model really gives them:
 * the same step of the same model on two devices. */
#ifndef AUTEUR_BENCH_LAYER_ERRORS_H
#define AUTEUR_BENCH_LAYER_ERRORS_H

#include "kernels/device.h"

/* From now on what goes in and out of every layer of the device is kept. */
int layer_errors_record(struct device *d, struct error *e);
/* No longer on `plain`; from now on each layer of `fp8` is held against the one that was at its
 * place there: given the input of then (its own error), and given what it gets (with the error of
 * all before it). */
int layer_errors_compare(struct device *plain, struct device *fp8, struct error *e);
/* Relative L2 errors by layers of one size, and ends it. */
void layer_errors_print(struct device *fp8);
double layer_errors_between(const float *want, const float *got, int64_t count);

#endif
