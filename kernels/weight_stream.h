/* Weights that stay on the host while a model works, for one that is larger than the device's
 * memory, or a device that is shared. A few slots of device memory hold the block of layers that
 * works and those that come next; each is brought while the ones before it work, by a queue beside
 * the device's own. Block i is always brought to slot i % slots, where it was packed: what it was
 * packed as (pointers too) stays good.
 *
 * A device whose weights are streamed records no graphs: a recording would have to hold all copies.
 */
#ifndef AUTEUR_KERNELS_WEIGHT_STREAM_H
#define AUTEUR_KERNELS_WEIGHT_STREAM_H

#include "kernels/device.h"

struct weight_stream;

/* By the device's memory mode: *out is NULL where weights of so many bytes stay on the device: on a
 * CPU, with MEMORY_SPEED, where they fit with MEMORY_AUTO, and where the GPU shares the host's
 * memory. */
int weight_stream_open(struct device *d, size_t weights, struct weight_stream **out,
                       struct error *e);
void weight_stream_close(struct weight_stream *s); /* NULL-safe; waits for the device */

/* The arena that the next block is packed into, until end(). Blocks count from 0. ERROR_MEMORY when
 * the host cannot keep it. */
struct arena *weight_stream_begin(struct weight_stream *s);
int weight_stream_end(struct weight_stream *s, struct error *e);

/* Operations that follow may use this block's weights, until use() names another. Any order is
 * right; that of the blocks, over and over, is fast. NULL-safe; failures are the device's. */
void weight_stream_use(struct weight_stream *s, int block);

#endif
