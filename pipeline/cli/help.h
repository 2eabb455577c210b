/* Help, the manual page and shell completion, all made from the option and command tables. */
#ifndef AUTEUR_PIPELINE_CLI_HELP_H
#define AUTEUR_PIPELINE_CLI_HELP_H

#include <stdio.h>

#include "pipeline/commands/command.h"

void help_overview(FILE *out);
void help_command(FILE *out, const struct command *command);
int help_man(FILE *out);                           /* man(7) source; -1: it could not be written */
int help_completion(FILE *out, const char *shell); /* bash, zsh, fish; -1 likewise */

/* Text wrapped at `width` columns, each line after `indent` spaces; the first line begins at
 * column `at`. A blank line in the text stays one. Ends with a newline. */
void help_wrap(FILE *out, const char *text, int indent, int at, int width);
/* Columns for text: those of `out` (show_columns()), from 40 to 80. */
int help_width(FILE *out);

#endif
