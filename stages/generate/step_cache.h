/* Step caching: from one step of the sampler to the next a video transformer's blocks add nearly
 * the same to its tokens. A signal that costs little tells how much has changed since the last step
 * that was computed whole; while that is little, the step takes what the blocks added then.
 *
 *   first-block   signal: what the first block adds. The blocks after it are left out.
 *   timestep      signal: what the first block reads, the tokens' norm under the modulation of the
 *                 timestep's embedding. All blocks are left out.
 *
 * A step is reused when sum |signal - kept| < threshold * sum |kept|, where `kept` is the signal of
 * the last step that was computed. It takes what the blocks added then, drawn out in a straight
 * line over the steps from the computed one before that, where there was one. The first quarter
 * of the steps, which lays out the picture, is always computed. With guidance each pass keeps what
 * its own blocks added, and the first pass of a step decides for both: two passes that took theirs
 * from different steps would have their difference multiplied by the guidance.
 *
 * The first is the first-block cache of ParaAttention; the second after F. Liu et al., "Timestep
 * Embedding Tells: It's Time to Cache for Video Diffusion Model" (TeaCache, arXiv 2411.19108), but
 * against the last computed step, where that sums up distances from step to step through a
 * polynomial fitted to each checkpoint.
 *
 * All that a cache holds follows from the latents of the last two computed steps, so that whoever
 * keeps those (sampling.h) can go on bit for bit.
 */
#ifndef AUTEUR_STAGES_GENERATE_STEP_CACHE_H
#define AUTEUR_STAGES_GENERATE_STEP_CACHE_H

#include "kernels/device.h"

enum step_cache_mode { STEP_CACHE_OFF, STEP_CACHE_FIRST_BLOCK, STEP_CACHE_TIMESTEP };
/* "off", "first-block", "timestep", NULL: as boards and command lines say. */
extern const char *const step_cache_names[];
/* The threshold that suits a mode where none is given: bench/README.md has what it gives. */
double step_cache_threshold(enum step_cache_mode mode);
/* How many times fewer blocks a cache may be hoped to evaluate in a shot of so many steps: what was
 * measured on previs with the highest threshold up to this one (bench/README.md, "What speed costs
 * in quality"). Other models and prompts give more or less. 1: nothing was measured. */
double step_cache_hope(enum step_cache_mode mode, double threshold, int steps);

enum { STEP_CACHE_PASSES = 2 };
struct step_cache {
    enum step_cache_mode mode;
    double threshold;
    /* Of the step in hand, for reading. */
    bool reused;
    int computed; /* steps since the cache was empty, this one too: 0, 1, or 2 for more */
    int evaluated, left_out; /* blocks, of all passes */

    struct device *device; /* from here on the cache's own */
    struct arena memory;
    struct tensor kept, fresh; /* signals: like the tokens */
    /* What blocks that may be left out added in the last computed step, and the one before:
     * likewise
     */
    struct tensor added[STEP_CACHE_PASSES], before[STEP_CACHE_PASSES];
    struct tensor sums; /* [2] */
    int warm_up;        /* so many steps are computed, whatever the signal */
    int index;          /* of the step in hand */
    int when[2];        /* of the last computed step and the one before */
};

/* A new shot of so many steps. A zeroed cache is off. */
void step_cache_begin(struct step_cache *c, enum step_cache_mode mode, double threshold, int steps);
/* The next step, from 0, before its first pass. */
void step_cache_step(struct step_cache *c, int index);
/* The next step is computed whole: another shot, or another expert. */
void step_cache_forget(struct step_cache *c);
void step_cache_free(struct step_cache *c);
/* Memory for tokens of this shape, unless it is there already; nothing when off. What was kept of
 * another shape is forgotten. */
int step_cache_fit(struct step_cache *c, struct device *d, const struct tensor *tokens, int passes,
                   struct error *e);

/* A transformer's blocks, as the cache runs them. */
struct step_blocks {
    void *model;
    int count;
    void (*block)(void *model, int i);
    /* out = what block 0 reads: the norm of the tokens, scaled and shifted. */
    void (*modulated)(void *model, struct tensor *out);
    struct tensor tokens; /* of the video; what they hold after the last block is all that counts */
};
/* Runs the blocks of a pass, or takes what they added before. pass: 0 first in each step. The
 * cache may be NULL: all blocks. */
void step_cache_run(struct step_cache *c, const struct step_blocks *b, int pass);

#endif
