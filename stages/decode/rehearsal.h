/* What decoding takes of a GPU, found by going through it on a dry device (kernels/dry/dry.h):
 * with all that operations take for themselves, which a family's own figure leaves out. */
#ifndef AUTEUR_STAGES_REHEARSAL_H
#define AUTEUR_STAGES_REHEARSAL_H

#include "stages/generate/family.h"

struct rehearsal;

/* Of the VAE in this checkpoint, on a GPU as `d` is. *out: NULL on a processor, where there is
 * none. */
int rehearsal_open(const struct family *f, const char *dir, const struct device *d,
                   struct rehearsal **out, struct error *e);
void rehearsal_close(struct rehearsal *r); /* NULL-safe */

/* As family->vae_chunk() and family->vae_smaller() were called of the VAE itself. NULL: nothing. */
void rehearsal_chunk(struct rehearsal *r, int frames);
void rehearsal_smaller(struct rehearsal *r);

/* Bytes of the GPU's memory besides the VAE's weights, and what driver and libraries hold, that
 * latents of this shape take at most where the family is told to keep to `room` bytes. NULL, or it
 * cannot be gone through: family->vae_bytes(vae). */
size_t rehearsal_takes(struct rehearsal *r, const struct family *f, void *vae,
                       const int64_t shape[4], size_t room);

family_frame_fn rehearsal_frame; /* takes a picture and does nothing with it */

#endif
