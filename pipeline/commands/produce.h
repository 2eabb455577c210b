/* What run and resume share: carry out a request in a production, showing how it goes. */
#ifndef AUTEUR_PIPELINE_COMMANDS_PRODUCE_H
#define AUTEUR_PIPELINE_COMMANDS_PRODUCE_H

#include "pipeline/cli/options.h"
#include "pipeline/execute/workspace.h"

/* The workspace has its board and the name of its production. Of the options only how to
 * show it counts. Returns the exit status. */
int produce(struct workspace *w, const struct request *r, const struct options *o, double began);

#endif
