/* The algorithms that were found to be the fastest, kept from run to run.
 *
 * Libraries offer several algorithms for a product or a convolution of one shape. Which is the
 * fastest is found by timing, once; since they sum in different orders, the choice decides the last
 * bits of a result. So it is on disk before the operation that asked for it returns, and a run that
 * is resumed makes the choices of the run that was killed.
 *
 * A file holds what was found on one kind of GPU with one set of libraries, its identity; it lies
 * in AUTEUR_CACHE, else in auteur-pipe of XDG_CACHE_HOME or ~/.cache. A file that is damaged or of
 * another identity counts as empty and is written anew; where nothing can be written, what was
 * found lasts as long as the process. Several processes may use one file: the first to keep a key
 * has chosen for all. */
#ifndef AUTEUR_KERNELS_TUNING_H
#define AUTEUR_KERNELS_TUNING_H

#include <stdbool.h>
#include <stddef.h>

struct tuning;

/* What is known under this identity ("NVIDIA H200 9.0 132 cuBLASLt 130100 cuDNN 91900"). NULL: out
 * of memory. */
struct tuning *tuning_open(const char *identity);
void tuning_close(struct tuning *t); /* NULL-safe */

/* The value of exactly this size that was kept for a key; false when there is none that was looked
 * for with at least this effort. A key is the caller's own bytes, its kind first; padding in it
 * must be zero. Effort: enum patience. */
bool tuning_find(struct tuning *t, const void *key, size_t key_size, int effort, void *value,
                 size_t value_size);
/* Keeps a value. Where another process was first, and had looked as hard, `value` becomes its. */
void tuning_keep(struct tuning *t, const void *key, size_t key_size, int effort, void *value,
                 size_t value_size);

/* The file; empty where there is none. For reports and tests. */
const char *tuning_path(const struct tuning *t);

#endif
