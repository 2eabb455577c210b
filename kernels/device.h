/* A device: the table of operations in use, and everything they need besides their arguments
 * (scratch memory, thread count, the first failure). */
#ifndef AUTEUR_KERNELS_DEVICE_H
#define AUTEUR_KERNELS_DEVICE_H

#include "kernels/ops.h"

/* What to open; zeroed: the CPU with all its cores. */
struct device_options {
    enum device_kind kind;
    int threads;            /* of the CPU side; 0: as many as the machine lets this process have */
    enum dtype activations; /* CUDA: F32, F16 or BF16; a CPU computes in F32 */
    enum dtype attention;   /* F8_E4M3: long ones in FP8 where the GPU can (Hopper); else as above */
    int index;              /* CUDA: which of the machine's GPUs */
    bool or_cpu;            /* where there is no CUDA object, driver or GPU: the CPU */
};
/* The CUDA side is a shared object that is opened here; where it or a GPU is missing: ERROR_USAGE
 * with the reason. */
int device_open(const struct device_options *o, struct device **out, struct error *e);
/* Another one on the same hardware that holds activations in this dtype: for a part of a model
 * whose numbers go beyond what the first one's hold. */
int device_open_beside(const struct device *d, enum dtype activations, struct device **out,
                       struct error *e);
/* As DEVICE_CPU with the plain C reference in every slot: slow, for comparison. */
int device_open_reference(int threads, struct device **out, struct error *e);
void device_close(struct device *d); /* NULL-safe */

enum device_kind device_kind(const struct device *d);
int device_threads(const struct device *d);
/* What ACTIVATION_NEW makes. */
enum dtype device_activations(const struct device *d);
/* An empty arena whose memory is the device's. The device must outlive it. NULL stands for the CPU
 * here and below, for models that are only looked through. */
struct arena device_arena(struct device *d);
/* New zeroed activations; data is NULL when memory has run out. */
struct tensor activation_new(struct device *d, struct arena *a, int rank, const int64_t *shape);
#define ACTIVATION_NEW(d, arena, ...)                                                              \
    activation_new((d), (arena), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),        \
                   (const int64_t[]){__VA_ARGS__})

/* The same for sums that run through all layers of a model, and for what is added to them: F32
 * where activations are F16, whose range (65504) trained models leave. */
struct tensor residual_new(struct device *d, struct arena *a, int rank, const int64_t *shape);
#define RESIDUAL_NEW(d, arena, ...)                                                                \
    residual_new((d), (arena), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),          \
                 (const int64_t[]){__VA_ARGS__})

/* Waits for all that the device was told to do. 0, or -1 with the first failure since the last
 * call, which is then forgotten. */
int device_status(struct device *d, struct error *e);
/* Bytes of a GPU's memory that were in use at most, everything on it included; 0 for a CPU. */
size_t device_memory_peak(const struct device *d);
/* Frees scratch memory; it comes back when needed. */
void device_trim(struct device *d);

#endif
