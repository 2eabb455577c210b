/* Latents as the journal keeps them, between generate and decode. The blob "latents":
 *   8 bytes  "latents" and the version, '2'
 *   u32 x 4  the shape, in the order of axes of the model's family (see family.h)
 *   f32 ...  the numbers, row-major
 * everything little-endian. Values are the sampler's, not yet scaled for a VAE.
 */
#ifndef AUTEUR_STAGES_GENERATE_LATENTS_H
#define AUTEUR_STAGES_GENERATE_LATENTS_H

#include "kernels/tensor.h"

/* latents: contiguous F32 of rank 4 in host memory, each axis 1..65536. */
size_t latents_size(const struct tensor *latents); /* of the blob, in bytes */
void latents_write(const struct tensor *latents, uint8_t *bytes);
/* Numbers come from the arena. A blob that is damaged or of another version, or that holds numbers
 * that are not finite, is ERROR_MODEL. */
int latents_read(const void *bytes, size_t size, struct arena *a, struct tensor *out,
                 struct error *e);
/* How many of the bytes are a blob, where more may follow it; 0: they begin with none. */
size_t latents_within(const void *bytes, size_t size);

#endif
