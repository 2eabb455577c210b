/* What `auteur-pipe models` tells, for people and as JSON. */
#ifndef AUTEUR_PIPELINE_COMMANDS_MODELS_H
#define AUTEUR_PIPELINE_COMMANDS_MODELS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "stages/models/inspect.h"

/* One tier of the list. */
struct tier_models {
    const struct tier *tier;
    const char *folder; /* where its checkpoint is looked for; NULL: nothing says where */
    bool there;
    struct inspection inspection; /* when it is there */
};

/* Within 80 columns, but for paths and messages, which stay whole. */
void models_show_tier(FILE *out, const struct tier_models *t);
void models_show_inspection(FILE *out, const struct inspection *i);

/* NULL: out of memory. */
json_t *models_tier_json(const struct tier_models *t);
json_t *models_inspection_json(const struct inspection *i);

#endif
