#include "pipeline/commands/bench.h"

#include <string.h>

#include "pipeline/commands/command.h"
#include "pipeline/exit_code.h"

static const struct subject {
    const char *name;
    int (*run)(const struct options *o, struct error *e);
} subjects[] = {{"vae", bench_vae}};

int command_bench(const struct options *o)
{
    struct error e = {0};

    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        if (strcmp(o->operands[0], subjects[i].name) == 0)
            return subjects[i].run(o, &e) == 0 ? EXIT_DELIVERED : command_failed(&e);
    error_set(&e, ERROR_USAGE, "bench measures vae, not %s", o->operands[0]);
    return command_failed(&e);
}
