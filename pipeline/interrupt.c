#include "pipeline/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t requested;
static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

static void on_signal(int signal_number)
{
    (void)signal_number;
    requested = 1;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        signal(signals[i], SIG_DFL);
}

void interrupt_install(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sigaction before;

        /* nohup and a shell's background jobs ignore some: that is respected. */
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
}

bool interrupt_requested(void)
{
    return requested != 0;
}
