/* What a device is made of: for implementations of operations only; models include ops.h. */
#ifndef AUTEUR_KERNELS_DEVICE_IMPL_H
#define AUTEUR_KERNELS_DEVICE_IMPL_H

#include "kernels/device.h"
#include "kernels/pool.h"

/* One slot an operation. Arguments have been checked by op_*(); their contract is in ops.h. Slots
 * report failure with device_fail(). */
struct ops {
    /* `count` weights [out_i, in], side by side, host memory, contiguous, any float dtype; shape
     * has in and out. Returns the packed form, from the arena, or NULL (out of memory). */
    const void *(*linear_pack)(struct device *d, struct arena *a, int count,
                               const struct tensor *const *weight, const struct linear *shape);
    /* weight [out, in, (kt,) kh, kw] likewise; shape has everything but `packed`. */
    const void *(*conv_pack)(struct device *d, struct arena *a, const struct tensor *weight,
                             const struct conv *shape);
    void (*write)(struct device *d, struct tensor *out, const struct tensor *host);
    void (*read)(struct device *d, struct tensor *host, const struct tensor *x);
    /* residual: NULL for none; act is ACT_NONE where there is one. */
    void (*read_begin)(struct device *d, int slot, const struct tensor *x);
    const float *(*read_end)(struct device *d, int slot);
    void (*linear)(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct linear *w, enum activation act, const struct tensor *residual);
    /* [items, tokens, heads, dim] all; bias is never NULL. */
    void (*attention)(struct device *d, struct tensor *out, const struct tensor *q,
                      const struct tensor *k, const struct tensor *v, float scale,
                      const struct attention_bias *bias);
    void (*layer_norm)(struct device *d, struct tensor *out, const struct tensor *x,
                       const struct tensor *weight, const struct tensor *bias, float eps);
    void (*rms_norm)(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct tensor *weight, float eps);
    void (*channel_norm)(struct device *d, struct tensor *out, const struct tensor *x,
                         const struct tensor *gamma, enum activation act);
    void (*group_norm)(struct device *d, struct tensor *out, const struct tensor *x, int groups,
                       const struct tensor *weight, const struct tensor *bias, float eps,
                       enum activation act);
    void (*group_statistics)(struct device *d, struct tensor *affine, const struct tensor *x,
                             int groups, const struct tensor *weight, const struct tensor *bias,
                             float eps);
    void (*normalise)(struct device *d, struct tensor *out, const struct tensor *x,
                      const struct tensor *affine, const struct normalise_form *form);
    void (*softmax)(struct device *d, struct tensor *out, const struct tensor *x);
    /* x [items, tokens, heads, dim] */
    void (*rope)(struct device *d, struct tensor *x, const struct tensor *cos,
                 const struct tensor *sin, enum rope_pairs pairs);
    void (*embed)(struct device *d, struct tensor *out, const struct tensor *table,
                  const struct tensor *ids);
    void (*activation)(struct device *d, struct tensor *out, const struct tensor *x,
                       enum activation act);
    void (*mul)(struct device *d, struct tensor *out, const struct tensor *x,
                const struct tensor *y);
    void (*glu)(struct device *d, struct tensor *out, const struct tensor *x,
                const struct tensor *gate, enum activation act);
    /* y is NULL for none; op_add too */
    void (*blend)(struct device *d, struct tensor *out, float a, const struct tensor *x, float b,
                  const struct tensor *y);
    void (*add_gated)(struct device *d, struct tensor *out, const struct tensor *x,
                      const struct tensor *y, const struct tensor *gate);
    void (*modulate)(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct tensor *scale, const struct tensor *shift);
    void (*copy)(struct device *d, struct tensor *out, const struct tensor *x);
    /* [N, H, W, C] all; residual is NULL for none */
    void (*conv)(struct device *d, struct tensor *out, const struct tensor *const *x,
                 const struct conv *w, const struct tensor *residual);
    void (*modulate_nearest)(struct device *d, struct tensor *out, const struct tensor *x,
                             const struct tensor *scale, const struct tensor *shift,
                             enum activation act);
    void (*patchify)(struct device *d, struct tensor *tokens, const struct tensor *latents,
                     const int patch[3]);
    void (*unpatchify)(struct device *d, struct tensor *latents, const struct tensor *tokens,
                       const int patch[3]);
};

/* Of a device that can replay what it was told to do. */
struct device_recorder {
    /* Operations from here to end() are taken down and not done. False: it cannot. */
    bool (*begin)(struct device *d);
    /* What was taken down; NULL: it could not be. */
    void *(*end)(struct device *d);
    void (*replay)(struct device *d, void *recording); /* failures go to device_fail() */
    void (*forget)(struct device *d, void *recording);
};

struct device {
    struct ops ops;
    enum device_kind kind;
    enum dtype activations, linears;
    enum patience patience;
    bool has_f8; /* products with FP8 inputs */
    int threads, index;
    struct dry_run *dry; /* the ledger of a device that computes nothing; else NULL */
    struct device_facts facts;
    struct notebook *notebook; /* what it has said of itself: see notes.h */
    struct pool *pool;         /* of that many threads, the caller's included */
    bool failed;               /* error holds the first failure */
    struct error error;
    void *scratch; /* on the host; grows, never shrinks before device_trim() */
    size_t scratch_size;
    struct arena reads[READ_SLOTS]; /* of a device without a queue: what read_begin() took */
    const float *read[READ_SLOTS];

    /* Of a device with memory and a queue of its own; else NULL. */
    struct arena_source *source;
    void *backend;
    void (*wait)(struct device *d); /* until its queue is done; failures go to device_fail() */
    void (*trim)(struct device *d);
    void (*memory)(struct device *d, size_t *free_bytes, size_t *total_bytes);
    void (*close)(struct device *d);        /* frees backend and source */
    const struct device_recorder *recorder; /* NULL: it cannot */
    bool recording; /* nothing may reach it now but operations between its own tensors */
    /* Goes up when memory that a recording may name is freed. */
    uint64_t memory_changes;

    enum memory_mode memory_mode;
    struct memory_faults *faults;
    struct memory_refusal refusal;
};

/* Every piece of device memory is counted here: asked for before it is taken, given back after it
 * was freed, or when it could not be had after all (`refused`). false: it may not be taken. */
bool device_take(struct device *d, size_t size);
void device_give(struct device *d, size_t size, bool refused);
/* Of a CPU that has memory of its own (memory_faults). */
struct arena_source *device_host_source(struct device *d);

void device_fail(struct device *d, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* At least `size` bytes, aligned to 64; contents are lost at the next call. NULL: failed. */
void *device_scratch(struct device *d, size_t size);

/* `count` weights as F32, one after another, from the arena; NULL: out of memory. */
float *weights_as_f32(struct arena *a, int count, const struct tensor *const *weight);
/* A convolution's weight as F32 [out, taps, in]; NULL: out of memory. */
float *conv_weight_taps_first(struct arena *a, const struct tensor *weight);
/* Rows that share one row of a vector [G, C] or [C] (see ops.h) over x; v may be NULL. */
int64_t vector_run(const struct tensor *v, const struct tensor *x);

/* Each fills or overwrites the slots it has. */
void ops_init_reference(struct ops *ops);
void ops_init_cpu(struct ops *ops);
/* Whose kernels ops_init_cpu() takes on this machine: "AVX-512", "AVX2", "SSE2", "NEON". */
const char *cpu_instruction_set(void);

/* Rows of a tensor whose leading axes may be strided: row r of C numbers begins at
 * tensor_row(t, r). */
static inline float *tensor_row(const struct tensor *t, int64_t r)
{
    int64_t offset = 0;
    for (int i = t->rank - 2; i >= 0; i--) {
        offset += r % t->shape[i] * t->stride[i];
        r /= t->shape[i];
    }
    return (float *)t->data + offset;
}
/* Elements between row r and row r + 1 when they are evenly spaced, else -1. */
int64_t tensor_row_stride(const struct tensor *t);
int64_t tensor_rows(const struct tensor *t);

#endif
