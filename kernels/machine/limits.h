/* What a machine should reach: the figures that are measured, and the least that is expected of
 * each. Of chips that are known it is a share of what their maker says; of others, of what the
 * device itself reports (clock x processors x width). A machine below it is throttled, shared,
 * capped or badly cooled; a chip that is whole reaches it with the library calls of this program.
 */
#ifndef AUTEUR_KERNELS_MACHINE_LIMITS_H
#define AUTEUR_KERNELS_MACHINE_LIMITS_H

#include "kernels/device.h"

enum figure {
    FIGURE_COPY,     /* bytes/s, device to device, read and written */
    FIGURE_UPLOAD,   /* bytes/s, pinned host memory to the device */
    FIGURE_DOWNLOAD, /* bytes/s, back */
    FIGURE_GEMM_F16, /* FLOP/s */
    FIGURE_GEMM_BF16,
    FIGURE_ATTENTION,
    FIGURE_CONV,
    FIGURE_GEMM_F8,    /* what makes its input FP8 counts too, as in a model */
    FIGURE_PEER,       /* bytes/s, from this GPU to another */
    FIGURE_ALL_REDUCE, /* bytes/s over each GPU's links ("bus bandwidth") */
    FIGURE_CPU_GEMM,   /* FLOP/s in F32, of all threads */
    FIGURE_CPU_COPY,   /* bytes/s, read and written, of all threads */
    FIGURE_DISK,       /* bytes/s, read in sequence */
    FIGURES
};

/* A machine as far as limits go: measured, or described by a test. */
struct machine {
    struct device_facts gpu; /* zeroed: there is none */
    int pcie_generation, pcie_width;
    int threads;              /* of the CPU */
    const char *instructions; /* as cpu_instruction_set() */
};

struct limit {
    double value;   /* 0: nothing is expected */
    char basis[96]; /* where it comes from: "H200: 75 % of 4800 GB/s" */
};
struct limit machine_limit(const struct machine *m, enum figure figure);

/* GPU alone: why this figure cannot be had there; NULL where it can. */
const char *figure_missing(const struct device_facts *gpu, enum figure figure);

const char *figure_name(enum figure figure);  /* of JSON: "gemm_bf16" */
const char *figure_title(enum figure figure); /* "GEMM bf16" */
double figure_scale(enum figure figure);      /* of what is shown: 1e9 or 1e12 */
const char *figure_unit(enum figure figure);  /* "GB/s", "TFLOP/s" */

#endif
