/* The lines that parity prints, and what they add up to. */
#ifndef AUTEUR_STAGES_PARITY_REPORT_H
#define AUTEUR_STAGES_PARITY_REPORT_H

#include <stdio.h>

#include "kernels/base/json.h"
#include "kernels/safetensors.h"

/* What is compared decides how near it must be. */
enum parity_class {
    PARITY_NOISE,
    PARITY_SAMPLER,   /* a sampler's tables and steps alone: F32 on the CPU, whatever the device */
    PARITY_CONDITION, /* what an encoder makes of words and pictures */
    PARITY_DENOISER,  /* one call of it, on its golden input */
    PARITY_DECODER,   /* on the golden latents */
    PARITY_CHAIN,     /* where differences add up: steps of the whole chain, and what comes after */
    PARITY_CLASSES
};

/* Relative L2 errors allowed to a family (as goldens name it; "": none) on a device that computes
 * in `activations` and keeps large layers in `linears`. */
void parity_tolerances(enum device_kind kind, enum dtype activations, enum dtype linears,
                       const char *family, double out[PARITY_CLASSES]);

struct report {
    FILE *out;
    double tolerance[PARITY_CLASSES];
    const json_t *reference; /* the reference library's own error in this dtype by the lines'
                                names, or NULL; ours may be 1.5 times that */
    int checks, failures;
    char first[128];              /* name of the first that failed */
    double worst[PARITY_CLASSES]; /* the largest error; NaN where one was */
    double nearest;               /* the largest share of a tolerance that was used up; or NaN */
};

/* One line; `value` is a relative L2 error of this class. NaN fails. */
void report_error(struct report *r, const char *name, double value, enum parity_class what);
/* One line without a number. */
void report_fact(struct report *r, const char *name, bool ok, const char *what);

/* What the reference library was given and gave. */
struct golden {
    struct arena arena;
    const char *path; /* of the JSON */
    json_t *json;
    json_t *errors; /* NAME.errors.json, or NULL: see tests/README.md */
    struct safetensors *tensors;
};

/* The goldens of a directory, "golden.json" and then every "golden.NAME.json" in the order of
 * names; *count may be 0. From the arena. */
int golden_list(const char *dir, struct arena *a, const char ***names, int *count, struct error *e);

/* `name` as in parity_options.golden. */
int golden_open(const char *dir, const char *name, struct golden *out, struct error *e);
void golden_close(struct golden *g); /* a zeroed one too */

/* A golden tensor as contiguous F32 from the golden's arena, a leading batch axis of one dropped
 * when it has more than `rank` axes. False: it is missing or of another rank, or memory ran out;
 * the report has a line saying so. */
bool golden_get(struct golden *g, struct report *r, const char *name, int rank, struct tensor *out);

/* Compares with the golden tensor of this name, which must have as many numbers. `label` is what
 * the line is called. */
void golden_check(struct golden *g, struct report *r, const char *name, const char *label,
                  const float *got, int64_t count, enum parity_class what);

#endif
