/* The shots of a prepared session being sampled: one, or several that go through the model
 * together, each with checkpoints and latents of its own. */
#ifndef AUTEUR_STAGES_GENERATE_SHOTS_H
#define AUTEUR_STAGES_GENERATE_SHOTS_H

#include "stages/generate/session.h"

/* errors[i] is zeroed, and left so where jobs[i] has given its latents. At most STAGE_BATCH_MOST;
 * more than one only of shots that shots_alike() gives the same text. */
void shots_run(struct session *s, struct stage_job *const *jobs, size_t count,
               struct error *errors);

/* What shots must have in common to be sampled together; NULL: this one is sampled alone, or memory
 * has run out. *most: how many may be. */
const char *shots_alike(const struct stage_env *env, const struct shot *shot, struct arena *a,
                        size_t *most);

#endif
