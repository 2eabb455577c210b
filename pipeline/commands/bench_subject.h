/* A VAE that is timed, and what it decodes. */
#ifndef AUTEUR_PIPELINE_BENCH_SUBJECT_H
#define AUTEUR_PIPELINE_BENCH_SUBJECT_H

#include "pipeline/cli/options.h"
#include "stages/decode/vae_limits.h"
#include "stages/generate/tiers.h"

struct bench_subject {
    const struct options *options;
    struct device_options device;
    struct vae_limits limits;
    const char *name, *dir;
    const struct tier *tier; /* whose VAE it is; NULL: a folder's */
    const struct family *family;
    int width, height; /* of the pictures; bench_latents() sets them */
    struct arena arena;
    struct tensor latents;
};

/* Makes noise of the size that the options, the tier or the family say, the VAE making `factor`
 * pixels of each number. Frames are rounded up to what it makes. ERROR_USAGE names --size. */
int bench_latents(struct bench_subject *j, int factor, struct error *e);

#endif
