/* A machine from the words that --gpu takes, for tests. */
#ifndef AUTEUR_TESTS_STAGES_MACHINES_H
#define AUTEUR_TESTS_STAGES_MACHINES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stages/forecast/machine.h"

static inline struct machine machine(const char *text)
{
    struct machine m;
    struct error e = {0};

    if (machine_parse(text, &m, &e) != 0)
        fail_msg("%s", e.text);
    return m;
}

#endif
