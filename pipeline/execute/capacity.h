/* What cannot fit the GPU, or a limit that was set, is refused before anything is begun, rather
 * than after an hour of it. */
#ifndef AUTEUR_PIPELINE_EXECUTE_CAPACITY_H
#define AUTEUR_PIPELINE_EXECUTE_CAPACITY_H

#include "pipeline/execute/plan.h"
#include "stages/forecast/machine.h"

/* Breaks the shots still to be generated or decoded that would need more than all of the GPU's
 * memory even on the last rung of the ladder (smallest pieces, weights on the host), by more than a
 * forecast may be wrong, and those that a limit which a person set (--vae-memory) is too narrow
 * for, on a processor too. Nothing else on a processor, and nothing where a forecast cannot be
 * made. */
int capacity_check(const struct stage_env *env, struct plan *plan, struct error *e);
/* The same for a machine that is known. */
int capacity_check_on(const struct stage_env *env, struct plan *plan, const struct machine *m,
                      struct error *e);

#endif
