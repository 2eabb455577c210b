/* How far loading is: bytes of checkpoints that are on the device, of those that models which are
 * being loaded hold. A model's total is known when its first layer is loaded, so that the total
 * grows where several are loaded one after another. */
#ifndef AUTEUR_KERNELS_LOAD_WATCH_H
#define AUTEUR_KERNELS_LOAD_WATCH_H

#include <stddef.h>

/* Told after every layer. */
typedef void load_watch_fn(void *ctx, size_t done, size_t total);
/* For what the calling thread loads from now on, counted from 0. NULL ends it. */
void load_watch(load_watch_fn *watch, void *ctx);

/* What loaders tell. */
void load_expect(size_t bytes);
void load_did(size_t bytes);

#endif
