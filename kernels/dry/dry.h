/* A dry device computes nothing. It is told of every operation, as a GPU would be, and adds up what
 * that GPU would have had to hold and to do: so a model's memory and time are known from its very
 * code, without its weights, without the GPU, in seconds.
 *
 * It is opened by device_options.dry and passes for a GPU (DEVICE_CUDA), or for a processor
 * (DEVICE_CPU), which packs weights and works in other ways. Its memory is addresses that nothing
 * lies behind. What op_read() gives is DRY_NUMBER everywhere: finite, and not zero, so
 * that what it is mistaken for (states of real tokens, pixels) counts as there. */
#ifndef AUTEUR_KERNELS_DRY_H
#define AUTEUR_KERNELS_DRY_H

#include "kernels/device.h"

#define DRY_NUMBER 0.5f

/* What an operation's arithmetic is; those of DRY_OTHER only move bytes. */
enum dry_class {
    DRY_PRODUCT,  /* matrix products in 16 bits, or F32 where activations are */
    DRY_PRODUCT8, /* in FP8 */
    DRY_ATTENTION,
    DRY_ATTENTION_64, /* of heads of at most 64 numbers */
    DRY_ATTENTION8,   /* in FP8 */
    DRY_ATTENTION8_64,
    DRY_CONVOLUTION,
    DRY_OTHER,
    DRY_CLASSES
};

/* What a machine does; zeros: time is not told. */
struct dry_rates {
    double flops[DRY_CLASSES]; /* a second, as operations of models reach it */
    double bytes;              /* of device memory a second, likewise */
    double link;               /* bytes a second from the host */
    double launch;             /* seconds that an operation takes at least */
};

/* One ledger serves all devices that are opened on it, one after another or together. */
struct dry_run {
    struct dry_rates rates;
    struct device_facts facts; /* of what it passes for; memory: more may be taken */
    int threads;               /* of the processor that it passes for; 0: a GPU */
    size_t base;               /* of it in use before anything is put there: driver and libraries */

    size_t used, peak;            /* bytes of the device's memory, base included */
    size_t scratch, scratch_peak; /* of it, what operations take for themselves; then */
    size_t host_peak;             /* bytes of this process' heap at most, seen at op_read() */
    size_t streamed;              /* bytes of weights that stay on the host (weight_stream.h) */
    double stored;                /* bytes of weights as their files hold them */
    double flops[DRY_CLASSES];    /* multiply and add are two */
    double bytes;                 /* read and written */
    int64_t launches;
    double seconds; /* with what weights are waited for that come from the host */
};

/* Whether such a GPU has layers with FP8 weights. */
bool dry_has_f8(const struct device_facts *facts);

/* Forgets what was counted and begins a new stage; what is in use stays. */
void dry_begin(struct dry_run *run);

#endif
