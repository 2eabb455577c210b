/* What this machine reaches, measured: by the operations that models are made of, each on as much
 * work as keeps the device busy for a tenth of a second, the median of five such runs. */
#ifndef AUTEUR_KERNELS_MACHINE_MEASURE_H
#define AUTEUR_KERNELS_MACHINE_MEASURE_H

#include "kernels/machine/limits.h"

enum { MEASURE_NOTE = 240 };
struct measured {
    double value;            /* FLOP/s or bytes/s */
    char note[MEASURE_NOTE]; /* how it was measured, or why it was not; "" where there is no more
                                to say */
};

/* All three: 0 measured; 1 it cannot be had here, out->note says why; -1 it failed. */

/* A figure of a GPU with a device of its own, opened with this index and listener; peer: the other
 * GPU of FIGURE_PEER. */
int measure_gpu(enum figure figure, struct device_options device, int peer, struct measured *out,
                struct error *e);
/* FIGURE_CPU_GEMM or FIGURE_CPU_COPY, with so many threads. */
int measure_cpu(enum figure figure, struct device_options device, struct measured *out,
                struct error *e);
/* Reads in sequence, past the page cache where the file system lets us, at most `most` bytes: of
 * the largest file below `models` (links are followed), or, where none has a quarter of that, of a
 * temporary file of `most` bytes (a multiple of 8 MiB) that is first written into it, or into
 * `scratch` where models is "". 1: models cannot be written to, or there is no room; -1: models is
 * no folder, among others. */
int measure_disk(const char *models, const char *scratch, size_t most, struct measured *out,
                 struct error *e);

#endif
