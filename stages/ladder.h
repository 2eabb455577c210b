/* What is done when a device's memory runs out: smaller pieces where the work can be cut, then the
 * weights to the host, then an error that says what was needed, what there was and the mend. What
 * did not fit is remembered on this machine (kernels/tuning.h): where no more memory is free than
 * then, later shots and later runs begin on the rung that worked. */
#ifndef AUTEUR_STAGES_LADDER_H
#define AUTEUR_STAGES_LADDER_H

#include "stages/stage.h"

enum { LADDER_KEY = 96 };
struct ladder {
    const struct stage_env *env;
    enum memory_mode memory; /* where the model's weights stay; devices are opened with it */
    bool blocks;             /* the model comes in blocks, which may stay on the host */
    int cuts;                /* how often the work was cut into smaller pieces */
    char work[LADDER_KEY];   /* what is done: "model flagship 1280x720 81" */
    size_t before;           /* bytes that were free before it */
    bool fell;               /* a rung lower than it began, which ladder_done() remembers */
};

/* A ladder for this work, on the rung that is known to be needed. `d` has just been opened, and
 * gets its memory mode. blocks: the model comes in blocks. */
void ladder_begin(struct ladder *l, const struct stage_env *env, struct device *d, bool blocks,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));

/* After *e on device `d`: whether to try again one rung lower, which the user has been told. Close
 * everything first, and open it anew with l->memory. false: *e is the last word; it is left alone
 * unless it is ERROR_MEMORY. */
bool ladder_to_host(struct ladder *l, struct device *d, struct error *e);
/* The same for work that was cut into smaller pieces so many times; 0: it could not be. Nothing
 * needs to be closed. */
bool ladder_cut(struct ladder *l, struct device *d, int cuts, struct error *e);
/* How many shots may go together on this rung. */
int ladder_together(const struct ladder *l);
/* The same for work on so many shots at once, two or more: half as many may be tried. */
bool ladder_halve(struct ladder *l, struct device *d, int count, struct error *e);
/* The work was done: what it took to do so is remembered, if it took anything. */
void ladder_done(struct ladder *l, struct device *d);

#endif
