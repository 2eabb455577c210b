/* What a board says that will not be done as it stands there, though its shots can be made: told by
 * `check`, and by `run` and `resume` before they begin. */
#ifndef AUTEUR_PIPELINE_COMMANDS_WARNINGS_H
#define AUTEUR_PIPELINE_COMMANDS_WARNINGS_H

#include "pipeline/execute/workspace.h"

/* "PATH:LINE: shot ID: " and, for more than one, "PATH:LINE: shot ID and N more: ". */
void warnings_where(const char *path, const struct shot *first, size_t count);
/* On standard error, of the generated shots of the plan that are not made yet: words that their
 * model has no room or no pieces for, negative prompts that it does not read, thresholds of a step
 * cache that is off. path: the board's, as the user typed it. */
void warnings_print(const struct workspace *w, const char *path);

#endif
