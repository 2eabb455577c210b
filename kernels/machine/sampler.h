/* What the machine is busy with at this moment: this process on the host, everybody on the GPU. */
#ifndef AUTEUR_KERNELS_MACHINE_SAMPLER_H
#define AUTEUR_KERNELS_MACHINE_SAMPLER_H

#include <stddef.h>

/* Bytes, shares 0..1 and watts; negative: not told. */
struct machine_sample {
    double host_used;   /* of this process, resident */
    double device_used; /* of the GPU, everybody's */
    double busy;        /* of the time, in which a kernel ran */
    double memory_busy; /* of the time, in which its memory was read or written */
    double watts;
};

struct machine_sampler {
    void (*take)(void *ctx, struct machine_sample *out);
    void (*close)(void *ctx);
    void *ctx;
    char device[96];     /* the GPU's name; "" for none */
    char missing[200];   /* why there is none; "" when there is one */
    double device_total; /* bytes; 0: not told */
};

/* Of the GPU with this bus address ("0000:01:00.0"), through NVIDIA's management library; "": of
 * the processor alone. Never fails: what cannot be had is not told. */
struct machine_sampler machine_sampler_open(const char *bus);
void machine_sampler_close(struct machine_sampler *s);

#endif
