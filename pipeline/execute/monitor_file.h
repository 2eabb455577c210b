/* The file in which a monitor leaves its last minute: one JSON object, replaced as a whole, so that
 * a reader sees an old one or a new one. It may be lost with the machine's power. */
#ifndef AUTEUR_PIPELINE_EXECUTE_MONITOR_FILE_H
#define AUTEUR_PIPELINE_EXECUTE_MONITOR_FILE_H

#include "pipeline/execute/monitor.h"

/* -1: it could not be written; what stood there stands. */
int monitor_write(const char *path, const struct monitor_history *h);
/* NULL: out of memory. */
json_t *monitor_history_json(const struct monitor_history *h);

#endif
