#include <stdio.h>
#include <string.h>

#include "pipeline/commands/command.h"
#include "pipeline/exit_code.h"
#include "pipeline/progress/heard.h"
#include "stages/parity/parity.h"

static struct device_options device_of(const struct options *o, const char *memory)
{
    return (struct device_options){
        .kind = !*o->device || strcmp(o->device, "cpu") == 0 ? DEVICE_CPU : DEVICE_CUDA,
        .memory = strcmp(memory, "safe") == 0    ? MEMORY_SAFE
                  : strcmp(memory, "speed") == 0 ? MEMORY_SPEED
                                                 : MEMORY_AUTO,
        .or_cpu = strcmp(o->device, "auto") == 0,
        .linears = strcmp(o->precision, "fp8") == 0 ? DTYPE_F8_E4M3 : 0,
        .attention = strcmp(o->precision, "fp8") == 0 ? DTYPE_F8_E4M3 : 0,
        .activations = strcmp(o->precision, "bf16") == 0 || strcmp(o->precision, "fp8") == 0
                           ? DTYPE_BF16
                       : strcmp(o->precision, "f16") == 0 ? DTYPE_F16
                                                          : DTYPE_F32};
}

static void print_note(void *ctx, const struct note *note)
{
    const char *line = heard_note(ctx, note);

    if (line)
        printf("%s\n", line);
}

int command_parity(const struct options *o)
{
    struct parity_options options = {.golden = o->golden};
    struct heard heard = {0};
    struct error e = {0};
    const char *memory;

    if (options_memory(o, &memory, &e) != 0)
        return command_failed(&e);
    options.device = device_of(o, memory);

    if (o->verbose)
        options.device.notes = (struct note_listener){print_note, &heard};
    return parity_run_all(&options, o->operands, o->operand_count, stdout, &e) == 0
               ? EXIT_DELIVERED
               : command_failed(&e);
}
