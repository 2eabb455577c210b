/* What the program's exit status says. */
#ifndef AUTEUR_PIPELINE_EXIT_CODE_H
#define AUTEUR_PIPELINE_EXIT_CODE_H

#include "kernels/base/error.h"

enum exit_code {
    EXIT_DELIVERED = 0,
    EXIT_USAGE = 1,
    EXIT_BOARD = 2,   /* a bad storyboard, or something it names is missing */
    EXIT_SHOTS = 3,   /* some shots failed */
    EXIT_JOURNAL = 4, /* in use by another process, damaged, or it cannot be written */
    EXIT_INTERRUPTED = 130
};

/* The status for an error that stopped the whole program. */
enum exit_code exit_code_for(enum error_code code);

#endif
