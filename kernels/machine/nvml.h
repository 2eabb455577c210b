/* What NVIDIA's management library tells of a GPU while others use it. It comes with the driver and
 * is opened at run time: nothing of CUDA need be installed to build or to run this. */
#ifndef AUTEUR_KERNELS_MACHINE_NVML_H
#define AUTEUR_KERNELS_MACHINE_NVML_H

#include <stddef.h>

/* What a GPU does this moment; what it does not tell is negative. */
struct nvml_sample {
    double memory_used, memory_total; /* bytes, everybody's */
    double busy, memory_busy;         /* share of the last fraction of a second, 0..1, in which a
                                         kernel ran, in which memory was read or written */
    double watts;
};

/* What it is; what it does not tell is 0 or "". */
struct nvml_facts {
    char driver[80], name[96];
    double power_cap, power_default; /* watts: in force, and as it was sold */
    int pcie_generation, pcie_width; /* of the link at most */
};

struct nvml;
/* bus: as CUDA names it ("0000:01:00.0"), or "" for the first GPU. NULL: there is none, and `why`
 * says so. */
struct nvml *nvml_open(const char *bus, char *why, size_t size);
void nvml_close(struct nvml *n); /* NULL-safe */

void nvml_facts(const struct nvml *n, struct nvml_facts *out);
void nvml_sample(const struct nvml *n, struct nvml_sample *out);

#endif
