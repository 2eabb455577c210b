/* Weights that will be loaded soon, brought into the page cache by a thread of its own while the
 * device works. At most half of the memory that is free is used for it; what does not fit, or
 * cannot be read, is left to whoever loads it. */
#ifndef AUTEUR_KERNELS_PREFETCH_H
#define AUTEUR_KERNELS_PREFETCH_H

#include <stddef.h>

struct prefetch;

struct prefetch *prefetch_new(void); /* NULL: out of memory, and nothing is brought */
/* The weight files (*.safetensors) of a folder, or of folders in it; one that is not there is
 * passed over. In the order in which they were added. All of these are NULL-safe. */
void prefetch_add(struct prefetch *p, const char *folder);
void prefetch_start(struct prefetch *p);
/* Bytes that were asked for so far. */
size_t prefetch_bytes(struct prefetch *p);
/* Waits until all is asked for. */
void prefetch_finish(struct prefetch *p);
void prefetch_free(struct prefetch *p); /* ends it within milliseconds */

#endif
