#include "pipeline/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

/* Nearer than that two signals are one: timeout(1) and others send theirs to a process and then to
 * its group. */
static const double SAME = 0.5; /* seconds */

static volatile sig_atomic_t requested;
static struct timespec first;
static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

static void on_signal(int signal_number)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!requested) {
        first = now;
        requested = 1;
        return;
    }
    if ((double)(now.tv_sec - first.tv_sec) + (double)(now.tv_nsec - first.tv_nsec) / 1e9 < SAME)
        return;
    signal(signal_number, SIG_DFL);
    raise(signal_number); /* which waits until this returns */
}

void interrupt_install(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaddset(&action.sa_mask, signals[i]);
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
