#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "pipeline/commands/command.h"
#include "pipeline/commands/find_production.h"
#include "pipeline/exit_code.h"
#include "pipeline/interrupt.h"
#include "pipeline/review/server.h"

/* A signal ends the wait at once. */
static void wait_for_interrupt(void)
{
    const struct timespec while_ = {.tv_nsec = 100000000};

    while (!interrupt_requested())
        nanosleep(&while_, NULL);
}

int command_watch(const struct options *o)
{
    struct production p = {0};
    struct server *server = NULL;
    struct live *live = NULL;
    struct error e = {0};
    int status = EXIT_DELIVERED;

    signal(SIGPIPE, SIG_IGN);
    if (find_production(&p, o->operand_count ? o->operands[0] : "", &e) != 0 ||
        live_open(p.dir, &live, &e) != 0 ||
        server_start(live, p.dir, o->listen, o->port, &server, &e) != 0) {
        status = command_failed(&e);
    } else {
        interrupt_install();
        printf("%s is shown at %s\n", p.dir, server_url(server));
        printf(o->listen[0] ? "whoever has this address may look on; Ctrl-C ends it\n"
                            : "to this machine alone; Ctrl-C ends it\n");
        fflush(stdout);
        wait_for_interrupt();
    }
    server_stop(server);
    live_close(live);
    production_free(&p);
    return status;
}
