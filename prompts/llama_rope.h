/* LLaMA's rotary position embedding (J. Su et al., arXiv 2104.09864): the angles. For llama.c. */
#ifndef AUTEUR_PROMPTS_LLAMA_ROPE_H
#define AUTEUR_PROMPTS_LLAMA_ROPE_H

#include "kernels/config.h"
#include "kernels/device.h"

struct llama_rope {
    double theta;
    bool stretched; /* the type "llama3"; what follows is for it alone */
    double factor, low, high, context;
};

/* Reads rope_parameters, or as older configs have it rope_theta and rope_scaling. */
int llama_rope_read(const struct config *c, struct llama_rope *out, struct error *e);

/* cos, sin: [room, dim / 2] F32 on the device, of positions from 0. */
int llama_rope_tables(const struct llama_rope *r, struct device *d, struct arena *a, int dim,
                      int room, struct tensor *cos, struct tensor *sin, struct error *e);

#endif
