/* Parity: does a checkpoint directory, run by this engine, give what the reference library gave?
 *
 * The directory holds a model in the published diffusers layout; the golden holds what the modules
 * were given and gave: NAME.json and NAME.safetensors, NAME being "golden" or "golden.<name>".
 * Every module is fed its golden input, then the whole chain runs from prompt and seed.
 */
#ifndef AUTEUR_STAGES_PARITY_H
#define AUTEUR_STAGES_PARITY_H

#include <stdio.h>

#include "kernels/device.h"

struct parity_options {
    const char *dir; /* the checkpoint directory */
    /* NULL or "": every golden of DIR, golden.json and golden.NAME.json. A name without '/':
     * DIR/golden.NAME.json. Else a path: a golden JSON file, or a folder that holds golden.json. */
    const char *golden;
    struct device_options device;
};

/* Prints one line a tensor (name, relative L2 error, tolerance, ok or FAIL) to `out`. 0 only when
 * every one holds; else -1, *e saying how many failed and which was the first (ERROR_MODEL), or why
 * it could not be run at all (ERROR_USAGE where DIR has no golden). */
int parity_run(const struct parity_options *options, FILE *out, struct error *e);

/* The same for several directories (options->dir is not looked at): each a checkpoint, or, where no
 * golden is named, a folder of checkpoints. A golden that cannot be run does not stop the others.
 * Where there is more than one, a table of them all ends it, and *e tells of goldens. */
int parity_run_all(const struct parity_options *options, const char *const *dirs, int count,
                   FILE *out, struct error *e);

#endif
