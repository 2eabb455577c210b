/* Latents as the journal keeps them, between generate and decode. The blob "latents":
 *   8 bytes  "latents" and the version, '1'
 *   u32 x 4  channels, frames, height, width
 *   f32 ...  [channels, frames, height, width], row-major
 * everything little-endian. Values are the sampler's, not yet scaled for a VAE.
 */
#ifndef AUTEUR_STAGES_GENERATE_LATENTS_H
#define AUTEUR_STAGES_GENERATE_LATENTS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/arena.h"
#include "kernels/base/error.h"

struct latents {
    int channels, frames, height, width; /* each 1..65536 */
    float *data;                         /* [channels, frames, height, width] */
};

size_t latents_count(const struct latents *l);
size_t latents_size(const struct latents *l); /* of the blob, in bytes */
void latents_write(const struct latents *l, uint8_t *bytes);
/* Data comes from the arena. A blob that is damaged or of another version, or that holds numbers
 * that are not finite, is ERROR_MODEL. */
int latents_read(const void *bytes, size_t size, struct arena *a, struct latents *out,
                 struct error *e);

#endif
