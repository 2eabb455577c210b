/* The report on a machine's hardware: what it is, what it reaches, and whether that is what it
 * should (limits.h). A row at a time, as each is known. */
#ifndef AUTEUR_KERNELS_MACHINE_REPORT_H
#define AUTEUR_KERNELS_MACHINE_REPORT_H

#include "kernels/machine/limits.h"

enum report_status { REPORT_PASS, REPORT_FAIL, REPORT_SKIP, REPORT_STATES };

struct report_row {
    const char *name; /* of JSON: "gemm_bf16", "driver" */
    const char *title;
    int gpu;                         /* -1: of the whole machine */
    char value[96], wanted[64];      /* as people read them: "753 TFLOP/s", ">= 544 TFLOP/s" */
    double number, threshold, scale; /* of those that are numbers, in units of scale; else -1 */
    const char *unit;                /* "" for words */
    enum report_status status;
    char note[240]; /* where the threshold comes from; why it failed or was skipped */
};

struct report_options {
    struct device_options device; /* kind, or_cpu, threads, notes */
    const char *models;           /* whose disk is read; "": that of `scratch` */
    const char *scratch;          /* a folder that can be written to */
    size_t disk_most;             /* bytes of it */
    void (*row)(void *ctx, const struct report_row *row);
    void *ctx;
    bool (*cancelled)(void); /* asked between rows; NULL: never */
};

/* Rows of each status. -1: nothing could be measured at all (a GPU that was asked for is a row that
 * fails, not an error), or ERROR_CANCELLED. */
int machine_report(const struct report_options *o, int counts[REPORT_STATES], struct error *e);

/* The verdict on a figure that was measured: fills value, wanted, status and note. For tests too.
 */
struct report_row report_figure(const struct machine *m, enum figure figure, int gpu,
                                double measured);

const char *report_status_name(enum report_status s); /* "PASS" */

#endif
