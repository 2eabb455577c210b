/* What a published model is given for a shot: random numbers in the shapes that are published. */
#ifndef AUTEUR_BENCH_GIVEN_H
#define AUTEUR_BENCH_GIVEN_H

#include "stages/generate/family.h"

/* What the prompt's words are to the denoiser. Free *c also on failure. */
int given_conditions(const struct family *f, const struct generation *g, struct conditions *c,
                     struct error *e);
/* What the denoiser leaves for these frames, in the arena. */
int given_latents(const struct family *f, const struct generation *g, struct arena *a,
                  struct tensor *out, struct error *e);

#endif
