/* Verdicts on files that all shots share. A stage's check is asked for every shot of a board; a
 * part of a checkpoint is looked through for the first of them, the others get the same verdict.
 * Verdicts last as long as the program, which runs one command: a file that changes meanwhile is
 * checked again when it is loaded.
 */
#ifndef AUTEUR_STAGES_VERDICT_H
#define AUTEUR_STAGES_VERDICT_H

#include "kernels/base/error.h"

typedef int check_fn(const char *path, struct error *e);

/* check(path, e), or what it said the last time about this path. Any thread. Only success and
 * faults of the files themselves (ERROR_MODEL, ERROR_INPUT) are remembered. */
int verdict_on(check_fn *check, const char *path, struct error *e);

#endif
