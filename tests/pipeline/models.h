/* A scratch folder for whole runs of tiers: a place for a board, for what is made of it, alone and
 * without being disturbed, and for models, as which fixtures stand. */
#ifndef AUTEUR_TESTS_PIPELINE_MODELS_H
#define AUTEUR_TESTS_PIPELINE_MODELS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>

#include "tests/pipeline/program.h"

static char scratch[64], board[128], dir[128], whole[128], models[128];

/* tests/fixtures/FIXTURE as models/FOLDER, in place of what was there. */
static inline void link_fixture(const char *fixture, const char *folder)
{
    char from[128], to[256], *real;

    snprintf(from, sizeof from, "tests/fixtures/%s", fixture);
    snprintf(to, sizeof to, "%s/%s", models, folder);
    real = realpath(from, NULL);
    assert_non_null(real);
    unlink(to);
    assert_int_equal(symlink(real, to), 0);
    free(real);
}

/* models/ and models/validator, which is a folder of two, are there and empty. */
static inline int make_models(void)
{
    char validator[160];

    if (program_scratch(scratch) != 0)
        return -1;
    snprintf(board, sizeof board, "%s/board.yaml", scratch);
    snprintf(dir, sizeof dir, "%s/out", scratch);
    snprintf(whole, sizeof whole, "%s/whole", scratch);
    snprintf(models, sizeof models, "%s/models", scratch);
    snprintf(validator, sizeof validator, "%s/validator", models);
    return mkdir(models, 0777) == 0 && mkdir(validator, 0777) == 0 ? 0 : -1;
}

static inline int remove_models(void **state)
{
    struct error e;

    (void)state;
    return path_remove(scratch, &e);
}

#endif
