#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "pipeline/commands/command.h"
#include "pipeline/exit_code.h"
#include "stages/parity/parity.h"

static struct device_options device_of(const struct options *o)
{
    return (struct device_options){.kind =
                                       strcmp(o->device, "cuda") == 0 ? DEVICE_CUDA : DEVICE_CPU,
                                   .activations = strcmp(o->precision, "bf16") == 0  ? DTYPE_BF16
                                                  : strcmp(o->precision, "f16") == 0 ? DTYPE_F16
                                                                                     : DTYPE_F32};
}

int command_parity(const struct options *o)
{
    const struct parity_options options = {
        .dir = o->operands[0], .golden = o->golden, .device = device_of(o)};
    struct error e = {0};
    char *golden = NULL;
    bool none;

    if (asprintf(&golden, "%s/golden.json", options.dir) < 0) {
        error_memory(&e);
        return command_failed(&e);
    }
    none = !options.golden[0] && !path_exists(golden);
    free(golden);
    if (none) {
        error_set(&e, ERROR_USAGE,
                  "%s has no golden.json: parity wants the directory of a checkpoint with the "
                  "golden tensors that were recorded from it (golden.json, golden.safetensors)",
                  options.dir);
        return command_failed(&e);
    }
    return parity_run(&options, stdout, &e) == 0 ? EXIT_DELIVERED : command_failed(&e);
}
