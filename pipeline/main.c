#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/commands/command.h"
#include "pipeline/exit_code.h"

/* Output that did not arrive (a full disk behind a redirection) is no success. */
static int close_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "auteur-pipe: cannot write standard output: %s\n", strerror(errno));
    return status == EXIT_DELIVERED ? EXIT_USAGE : status;
}

int main(int argc, char **argv)
{
    return close_output(command_line(argc, argv));
}
