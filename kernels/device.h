/* A device: the table of operations in use, and everything they need besides their arguments
 * (scratch memory, thread count, the first failure). */
#ifndef AUTEUR_KERNELS_DEVICE_H
#define AUTEUR_KERNELS_DEVICE_H

#include "kernels/ops.h"

/* threads >= 1; 0: as many as the machine lets this process have. CUDA is not built yet and is
 * refused with ERROR_USAGE. */
int device_open(enum device_kind kind, int threads, struct device **out, struct error *e);
/* As DEVICE_CPU with the plain C reference in every slot: slow, for comparison. */
int device_open_reference(int threads, struct device **out, struct error *e);
void device_close(struct device *d); /* NULL-safe */

enum device_kind device_kind(const struct device *d);
int device_threads(const struct device *d);
/* 0, or -1 with the first failure since the last call, which is then forgotten. */
int device_status(struct device *d, struct error *e);
/* Frees scratch memory; it comes back when needed. */
void device_trim(struct device *d);

#endif
