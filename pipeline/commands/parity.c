#include <stdio.h>
#include <string.h>

#include "pipeline/commands/command.h"
#include "pipeline/exit_code.h"
#include "stages/parity/parity.h"

int command_parity(const struct options *o)
{
    const struct parity_options options = {.dir = o->operands[0],
                                           .golden = o->golden,
                                           .device = strcmp(o->device, "cuda") == 0 ? DEVICE_CUDA
                                                                                    : DEVICE_CPU};
    struct error e = {0};

    return parity_run(&options, stdout, &e) == 0 ? EXIT_DELIVERED : command_failed(&e);
}
