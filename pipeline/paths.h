/* Where the program's own data files are: one directory with lexicon.yaml, previs/ (the embedded
 * checkpoint) and what else the stages read. AUTEUR_DATA when it is set; otherwise
 * share/auteur-pipe beside the executable (a build directory: build/share/auteur-pipe, staged by
 * pipeline/data.mk), otherwise PREFIX/share/auteur-pipe of an executable in PREFIX/bin. */
#ifndef AUTEUR_PIPELINE_PATHS_H
#define AUTEUR_PIPELINE_PATHS_H

#include "kernels/base/arena.h"
#include "kernels/base/error.h"

int paths_data_dir(struct arena *arena, const char **out, struct error *e);

/* `path` made absolute (it need not exist); NULL: out of memory or no current directory. */
const char *paths_absolute(struct arena *arena, const char *path);

/* How many processor cores this process may use, >= 1. */
int paths_cores(void);

#endif
