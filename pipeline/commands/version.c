#include <stdio.h>

#include "pipeline/commands/command.h"
#include "pipeline/exit_code.h"
#include "pipeline/version.h"

int command_version(const struct options *o)
{
    (void)o;
    printf("auteur-pipe %s (%s, %s)\n", AUTEUR_VERSION,
#if defined(__x86_64__)
           "x86-64",
#elif defined(__aarch64__)
           "aarch64",
#else
           "portable",
#endif
#if defined(__clang__)
           "clang " __clang_version__
#else
           "gcc " __VERSION__
#endif
    );
    return EXIT_DELIVERED;
}
