/* A device: the table of operations in use, and everything they need besides their arguments
 * (scratch memory, thread count, the first failure). */
#ifndef AUTEUR_KERNELS_DEVICE_H
#define AUTEUR_KERNELS_DEVICE_H

#include "kernels/ops.h"

/* For tests: memory that fails, or is smaller than the machine's. It counts for every device that
 * is opened with it, and gives a CPU memory of its own, as a GPU has it, so that what is done when
 * memory runs out can be seen without a GPU. */
struct memory_faults {
    size_t limit;      /* bytes held at once; 0: no limit */
    long fail_at;      /* the allocation that is refused, counted from 1; 0: none */
    long taken;        /* allocations that were asked for so far */
    size_t held, peak; /* bytes, now and at most */
};

/* Where a model's weights stay while it works. On a CPU all are the same. */
enum memory_mode {
    MEMORY_AUTO,  /* on the device where they fit what is free, else as safe */
    MEMORY_SPEED, /* on the device */
    MEMORY_SAFE   /* on the host, brought block by block while others work: weight_stream.h */
};

/* What to open; zeroed: the CPU with all its cores. */
struct device_options {
    enum device_kind kind;
    int threads;            /* of the CPU side; 0: as many as the machine lets this process have */
    enum dtype activations; /* CUDA: F32, F16 or BF16; a CPU computes in F32 */
    int index;              /* CUDA: which of the machine's GPUs */
    bool or_cpu;            /* where there is no CUDA object, driver or GPU: the CPU */
    enum memory_mode memory;
    struct memory_faults *faults; /* NULL: none; outlives the device */
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
/* Bytes that can be had now, and that there are: of a GPU's memory, or of the machine's for a CPU.
 * Both 0 where that cannot be told. */
void device_memory(struct device *d, size_t *free_bytes, size_t *total_bytes);
/* Whether the GPU has no memory of its own, but shares the machine's. */
bool device_unified(const struct device *d);
/* Bytes of a GPU's memory that this process held at most, in all its devices there, since it last
 * held none; without what the driver keeps for itself. 0 for a CPU. */
size_t device_memory_peak(const struct device *d);
/* The last time that memory of the device was refused: what was asked for, what this process held
 * then and what was free. All 0: never. */
struct memory_refusal {
    size_t wanted, held, free_bytes, total_bytes;
};
struct memory_refusal device_refusal(const struct device *d);
/* Frees scratch memory; it comes back when needed. */
void device_trim(struct device *d);

#endif
