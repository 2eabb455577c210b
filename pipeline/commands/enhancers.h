/* One enhancer a tier, opened when the first shot needs it. */
#ifndef AUTEUR_PIPELINE_COMMANDS_ENHANCERS_H
#define AUTEUR_PIPELINE_COMMANDS_ENHANCERS_H

#include "stages/enhance.h"

enum { ENHANCERS_MOST = 16 };

/* Begin with {.env = ...}. */
struct enhancers {
    const struct stage_env *env;
    const struct tier *tiers[ENHANCERS_MOST];
    struct enhancer *list[ENHANCERS_MOST];
    int count;
};

/* The shot is SHOT_GENERATED; *out belongs to `all`. */
int enhancers_for(struct enhancers *all, const struct shot *shot, struct enhancer **out,
                  struct error *e);
void enhancers_close(struct enhancers *all);

#endif
