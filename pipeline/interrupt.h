/* Ctrl-C, SIGTERM and SIGHUP: the first asks for an orderly end, the second, when it is not the
 * same one sent twice, ends the process at once, as the system does it (which is as safe as kill
 * -9). */
#ifndef AUTEUR_PIPELINE_INTERRUPT_H
#define AUTEUR_PIPELINE_INTERRUPT_H

#include <stdbool.h>

void interrupt_install(void);
bool interrupt_requested(void);

#endif
