/* The production that a word of the command line means. */
#ifndef AUTEUR_PIPELINE_COMMANDS_FIND_PRODUCTION_H
#define AUTEUR_PIPELINE_COMMANDS_FIND_PRODUCTION_H

#include "pipeline/execute/production.h"

/* As production_find(); a storyboard's file means out/NAME, where a run without -o leaves it. */
int find_production(struct production *p, const char *given, struct error *e);

#endif
