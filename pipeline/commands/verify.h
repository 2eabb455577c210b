/* The parts of `auteur-pipe verify`: rows are hardware's (kernels/machine/report.h) or, with
 * --smoke, a tier's. */
#ifndef AUTEUR_PIPELINE_COMMANDS_VERIFY_H
#define AUTEUR_PIPELINE_COMMANDS_VERIFY_H

#include <stdio.h>

#include "kernels/machine/report.h"
#include "pipeline/cli/options.h"

/* Makes a shot of a few tiny frames with every tier, from prompt to film, through everything that
 * `run` does: the embedded checkpoint, and checkpoints of random weights that come with the program
 * (share/auteur-pipe/smoke). The stages themselves refuse pictures that are not finite, black,
 * flat or frozen. A row a tier, its seconds as the value. -1: it could not begin, or
 * ERROR_CANCELLED. `notes`: where to print what took effect; NULL: nowhere. */
int verify_smoke(const struct options *o, FILE *notes,
                 void (*row)(void *ctx, const struct report_row *row), void *ctx,
                 int counts[REPORT_STATES], struct error *e);

#endif
