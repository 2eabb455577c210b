/* Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends the process at once, as
 * the system does it (which is as safe as kill -9). SIGHUP is like the first. */
#ifndef AUTEUR_PIPELINE_INTERRUPT_H
#define AUTEUR_PIPELINE_INTERRUPT_H

#include <stdbool.h>

void interrupt_install(void);
bool interrupt_requested(void);

#endif
