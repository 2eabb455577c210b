#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/cli/help.h"
#include "pipeline/commands/command.h"
#include "pipeline/exit_code.h"
#include "storyboards/board.h"

int command_help(const struct options *o)
{
    const struct command *c = NULL;

    if (o->operand_count == 0) {
        help_overview(stdout);
        return EXIT_DELIVERED;
    }
    if (strcmp(o->operands[0], "storyboard") == 0) {
        char *text = board_help();

        fputs(text ? text : "", stdout);
        free(text);
        return text ? EXIT_DELIVERED : EXIT_USAGE;
    }
    c = command_find(o->operands[0]);
    if (!c)
        return command_unknown(o->operands[0]);
    help_command(stdout, c);
    return EXIT_DELIVERED;
}
