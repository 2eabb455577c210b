/* Threads that share out the pieces of one operation.
 *
 * Pieces are taken one after another by whoever is free, so that a core that is busy elsewhere does
 * fewer of them; the caller works too, and waits only for pieces that were begun. Between
 * operations the others watch for the next one for some microseconds, then sleep: an engine that
 * waits costs nothing to those it shares the machine with.
 */
#ifndef AUTEUR_KERNELS_POOL_H
#define AUTEUR_KERNELS_POOL_H

#include <stdint.h>

#include "kernels/base/error.h"

struct pool;

/* threads >= 1, the caller's included. */
int pool_open(int threads, struct pool **out, struct error *e);
void pool_close(struct pool *p); /* NULL-safe */

/* Does the pieces from..to - 1 of a job; thread: 0..threads - 1, no two at once with the same. */
typedef void pool_part_fn(const void *job, int64_t from, int64_t to, int thread);

/* Calls part() for 0..count - 1, at most `chunk` >= 1 at a time, and returns when all are done.
 * Never from within a part. count < 2^31. */
void pool_run(struct pool *p, int64_t count, int64_t chunk, pool_part_fn *part, const void *job);

#endif
