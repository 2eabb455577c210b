/* The machine's last minute as lines of small bars, for `status`. */
#ifndef AUTEUR_PIPELINE_PROGRESS_SPARK_H
#define AUTEUR_PIPELINE_PROGRESS_SPARK_H

#include <stdbool.h>
#include <stdio.h>

#include "pipeline/execute/monitor.h"

enum { SPARK_COLUMNS = 40, SPARK_SIZE = 3 * SPARK_COLUMNS + 1 };

/* One bar a column, of `top` at full height; each shows the largest of the values that share it,
 * and is blank where none was told (negative). Fewer values than columns: as many bars. utf8: block
 * elements, else ASCII. Returns out. */
char *spark_line(const double *values, int count, double top, bool utf8, char out[SPARK_SIZE]);

/* What was watched until `now` (Unix time), a line each; nothing where nothing was. */
void spark_history(FILE *out, const struct monitor_history *h, double now, bool utf8);

/* Whether the user's locale has block elements. */
bool spark_locale_is_utf8(void);

#endif
