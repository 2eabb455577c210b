/* What a run leaves at the top of the production: timelines, the film, the contact sheet. */
#ifndef AUTEUR_PIPELINE_COMMANDS_HAND_OVER_H
#define AUTEUR_PIPELINE_COMMANDS_HAND_OVER_H

#include <stdbool.h>

#include "pipeline/execute/workspace.h"
#include "pipeline/exit_code.h"

/* -1 and *e: the timelines could not be written. A film or a sheet that fails takes nothing from
 * the shots: its reason goes to standard error and *status, which stands for the shots, becomes
 * EXIT_SHOTS where it was EXIT_DELIVERED. After an interrupted run only timelines are written. */
int hand_over(struct workspace *w, bool json, enum exit_code *status, struct error *e);

#endif
