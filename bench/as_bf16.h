/* A processor computes in F32. Here it rounds, as a device with BF16 activations does, what the
 * operations of a Wan denoiser store for each token; modulation, latents and sums inside an
 * operation stay in F32, as they do there. For checkpoints whose weights are in BF16. */
#ifndef AUTEUR_BENCH_AS_BF16_H
#define AUTEUR_BENCH_AS_BF16_H

#include "kernels/device.h"

void as_bf16(struct device *d); /* of this device from now on */

#endif
