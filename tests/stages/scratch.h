/* A folder for a test program's files, and copies of a fixture there, in links, to be damaged. */
#ifndef AUTEUR_TESTS_STAGES_SCRATCH_H
#define AUTEUR_TESTS_STAGES_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "kernels/base/file.h"

static char scratch[64];

static inline void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void shell(const char *format, ...)
{
    char command[1000];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    assert_int_equal(system(command), 0);
}

/* `fixture` as scratch/NAME, which is returned until the next call. */
static inline const char *copy_of(const char *fixture, const char *name)
{
    static char dir[128];
    snprintf(dir, sizeof dir, "%s/%s", scratch, name);
    shell("cp -rs \"$PWD/%s\" %s", fixture, dir);
    return dir;
}

/* Replaces a link by what sed makes of the file that it points at; something must change. */
static inline void edit(const char *dir, const char *file, const char *expression)
{
    shell("sed '%s' %s/%s > %s/new && ! cmp -s %s/new %s/%s && mv %s/new %s/%s", expression, dir,
          file, dir, dir, dir, file, dir, dir, file);
}

/* Setup and teardown of the group. */
static inline int make_scratch(void **unused)
{
    const char *tmp = getenv("TMPDIR");
    (void)unused;
    snprintf(scratch, sizeof scratch, "%.40s/auteur-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(scratch) ? 0 : -1;
}

static inline int remove_scratch(void **unused)
{
    struct error e = {0};
    (void)unused;
    return path_remove(scratch, &e);
}

#endif
