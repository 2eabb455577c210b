/* What `bench` measures: a subject each. */
#ifndef AUTEUR_PIPELINE_BENCH_H
#define AUTEUR_PIPELINE_BENCH_H

#include "pipeline/cli/options.h"

/* The operands after the subject: folders or tiers. -1 with *e filled: nothing could be measured.
 */
int bench_vae(const struct options *o, struct error *e);

#endif
