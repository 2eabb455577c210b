/* The commands, one file each. A command prints its result on standard output and its errors on
 * standard error, and returns the program's exit status. */
#ifndef AUTEUR_PIPELINE_COMMANDS_COMMAND_H
#define AUTEUR_PIPELINE_COMMANDS_COMMAND_H

#include <jansson.h>
#include <stddef.h>

#include "kernels/base/error.h"
#include "pipeline/cli/options.h"

struct command {
    const char *name;
    const char *operands; /* as help shows them: "BOARD.yaml", "[DIR]"; "" for none */
    int min_operands, max_operands;
    const char *summary; /* one line */
    const char *detail;  /* paragraphs for help and the manual page */
    int (*run)(const struct options *o);
};

extern const struct command commands_all[];
extern const size_t commands_count;
const struct command *command_find(const char *name); /* NULL: none */

int command_run(const struct options *o);
int command_resume(const struct options *o);
int command_conform(const struct options *o);
int command_rerun(const struct options *o);
int command_status(const struct options *o);
int command_check(const struct options *o);
int command_plan(const struct options *o);
int command_prompt(const struct options *o);
int command_why(const struct options *o);
int command_models(const struct options *o);
int command_journal(const struct options *o);
int command_notes(const struct options *o);
int command_watch(const struct options *o);
int command_parity(const struct options *o);
int command_verify(const struct options *o);
int command_bench(const struct options *o);
int command_help(const struct options *o);
int command_version(const struct options *o);

/* The whole program: what main() returns. */
int command_line(int argc, char *const *argv);

/* Complains that there is no such command, naming the nearest; returns the exit status. */
int command_unknown(const char *name);

/* "auteur-pipe: <text>" on standard error; returns the status that goes with the error. */
int command_failed(const struct error *e);

/* Prints it on standard output and lets it go. What cannot be written is told when standard output
 * is closed (main.c), as of every command. */
int command_json(json_t *root, struct error *e);
/* The same of one of several, on a line of its own. */
int command_json_line(json_t *line, struct error *e);

#endif
