/* The dry device from inside. */
#ifndef AUTEUR_KERNELS_DRY_IMPL_H
#define AUTEUR_KERNELS_DRY_IMPL_H

#include "kernels/device_impl.h"
#include "kernels/dry/dry.h"

/* As of the CUDA side: each purpose has memory of its own that only grows. */
enum dry_scratch {
    DRY_CONVERTED, /* an input in the dtype of the weights */
    DRY_UNFOLDED,  /* a convolution's frames or neighbourhoods */
    DRY_SCORES,    /* of attention */
    DRY_WEIGHTS,   /* their softmax */
    DRY_CHANNELS,  /* a convolution's outputs, more than are wanted */
    DRY_OPERANDS,  /* of attention in FP8 */
    DRY_TRANSFER,  /* numbers on their way in or out in another dtype */
    DRY_VENDOR,    /* workspaces of libraries */
    DRY_UNFUSED,   /* a product before what comes after it */
    DRY_PROCESSOR, /* all that a processor takes; it has none of the others */
    DRY_SCRATCHES
};

/* Of a device whose ledger is set. */
int dry_open(struct device *d, struct error *e);
void dry_fill_slots(struct ops *ops);
extern const struct weight_mover dry_mover;

/* An operation of the device: its arithmetic, and the bytes that it reads and writes. */
void dry_work(struct device *d, enum dry_class class, double flops, double bytes);
void dry_take_scratch(struct device *d, enum dry_scratch purpose, size_t size);
/* So much besides, for a moment. */
void dry_pass(struct device *d, size_t size);
void dry_stored(struct device *d, const struct tensor *weight);
/* Looks how large the heap is. */
void dry_see_host(struct device *d);

/* Of one that passes for a processor. */
const void *dry_processor_linear(struct device *d, struct arena *a, const struct linear *shape);
const void *dry_processor_conv(struct device *d, struct arena *a, const struct conv *shape);
void dry_processor_heads(struct device *d, const struct tensor *q, const struct tensor *k);
void dry_processor_patches(struct device *d, const struct conv *w);
double dry_processor_part(const struct conv *w);
bool dry_processor_attention_f16(struct device *d, struct tensor *out, const struct tensor *q,
                                 const struct tensor *k, const struct tensor *v, float scale,
                                 const struct attention_bias *bias);
void dry_processor_slots(struct ops *ops);

#endif
