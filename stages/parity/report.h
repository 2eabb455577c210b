/* The lines that parity prints, and what they add up to. */
#ifndef AUTEUR_STAGES_PARITY_REPORT_H
#define AUTEUR_STAGES_PARITY_REPORT_H

#include <stdio.h>

#include "kernels/base/json.h"
#include "kernels/safetensors.h"

struct report {
    FILE *out;
    int checks, failures;
    char first[128]; /* name of the first that failed */
};

/* One line; `value` is a relative L2 error. NaN fails. */
void report_error(struct report *r, const char *name, double value, double tolerance);
/* One line without a number. */
void report_fact(struct report *r, const char *name, bool ok, const char *what);

/* What the reference library was given and gave. */
struct golden {
    struct arena arena;
    const char *path; /* of the JSON */
    json_t *json;
    struct safetensors *tensors;
};

/* `name` as in parity_options.golden. */
int golden_open(const char *dir, const char *name, struct golden *out, struct error *e);
void golden_close(struct golden *g); /* a zeroed one too */

/* A golden tensor as contiguous F32 from the golden's arena, a leading batch axis of one dropped
 * when it has more than `rank` axes. False: it is missing or of another rank, or memory ran out;
 * the report has a line saying so. */
bool golden_get(struct golden *g, struct report *r, const char *name, int rank, struct tensor *out);

/* Compares with the golden tensor of this name, which must have as many numbers. */
void golden_check(struct golden *g, struct report *r, const char *name, const char *label,
                  const float *got, int64_t count, double tolerance);

#endif
