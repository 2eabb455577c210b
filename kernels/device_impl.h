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
    /* gate is NULL for none. NULL: op_linear_gated() is linear and add_gated. */
    void (*linear_gated)(struct device *d, struct tensor *out, const struct tensor *x,
                         const struct linear *w, const struct tensor *residual,
                         const struct tensor *gate);
    /* NULL: op_linear_shifted() is linear and modulate. */
    void (*linear_shifted)(struct device *d, struct tensor *out, const struct tensor *x,
                           const struct linear *w, const struct tensor *shift,
                           const struct tensor *residual);
    /* NULL: op_linear_glu() is linear and glu. */
    void (*linear_glu)(struct device *d, struct tensor *out, const struct tensor *x,
                       const struct linear *w, enum activation act);
    /* linear_glu_is_fused(); NULL: never. */
    bool (*fuses_glu)(const struct device *d, const struct linear *w, enum activation act);
    void (*attention)(struct device *d, struct tensor *out, const struct tensor *q,
                      const struct tensor *k, const struct tensor *v, float scale,
                      const struct attention_bias *bias);
    /* Of F32, by products of halves; asked first where those will do (products_f16). NULL, or
     * false: nothing was done, and op_attention() is attention. */
    bool (*attention_f16)(struct device *d, struct tensor *out, const struct tensor *q,
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
    /* NULL: op_group_norm_shifted() is modulate, group_norm and blend. */
    void (*group_norm_shifted)(struct device *d, struct tensor *out, const struct tensor *x,
                               const struct shifted_norm *n);
    void (*group_statistics)(struct device *d, struct tensor *affine, const struct tensor *x,
                             int groups, const struct tensor *weight, const struct tensor *bias,
                             float eps);
    void (*normalise)(struct device *d, struct tensor *out, const struct tensor *x,
                      const struct tensor *affine, const struct normalise_form *form);
    /* x [items, tokens, heads, dim] */
    void (*rope)(struct device *d, struct tensor *x, const struct tensor *cos,
                 const struct tensor *sin, enum rope_pairs pairs);
    /* x [items, tokens, heads, dim]. NULL, or false: nothing was done, and op_norm_rope() is norms
     * and rope. */
    bool (*norm_rope)(struct device *d, struct tensor *x, const struct head_norm *norm,
                      const struct turn *turn);
    void (*embed)(struct device *d, struct tensor *out, const struct tensor *table,
                  const struct tensor *ids);
    void (*activation)(struct device *d, struct tensor *out, const struct tensor *x,
                       enum activation act);
    void (*prelu)(struct device *d, struct tensor *out, const struct tensor *x,
                  const struct tensor *slope);
    void (*glu)(struct device *d, struct tensor *out, const struct tensor *x,
                const struct tensor *gate, enum activation act);
    /* y is NULL for none; op_add too */
    void (*blend)(struct device *d, struct tensor *out, float a, const struct tensor *x, float b,
                  const struct tensor *y);
    void (*add_gated)(struct device *d, struct tensor *out, const struct tensor *x,
                      const struct tensor *y, const struct tensor *gate);
    void (*modulate)(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct tensor *scale, const struct tensor *shift);
    void (*distance)(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct tensor *y);
    void (*copy)(struct device *d, struct tensor *out, const struct tensor *x);
    /* [N, H, W, C] all; residual is NULL for none */
    void (*conv)(struct device *d, struct tensor *out, const struct tensor *const *x,
                 const struct conv *w, const struct tensor *residual);
    /* Likewise. NULL, or false: nothing was done, and op_conv_prelu() is conv and prelu. */
    bool (*conv_prelu)(struct device *d, struct tensor *out, const struct tensor *const *x,
                       const struct conv *w, const struct tensor *slope);
    /* [N, T, H, W, C]. NULL, or false: nothing was done, and op_conv_clips() is conv, some frames
     * of a clip at a time. */
    bool (*conv_clips)(struct device *d, struct tensor *out, const struct tensor *x,
                       const struct conv *w, const struct tensor *residual);
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

/* Paths that no operation shows, timed. */
enum device_probe {
    PROBE_UPLOAD,    /* pinned host memory to the device */
    PROBE_DOWNLOAD,  /* back */
    PROBE_PEER,      /* to another GPU, straight */
    PROBE_ALL_REDUCE /* of all GPUs, by NCCL: what each sends, 2 (n - 1) / n of the sum's bytes */
};

/* What brings weights from the host while a device works (weight_stream.c). Failures go to
 * device_fail(). */
struct weight_mover {
    /* A queue beside the device's own, with room to remember `slots` arrivals; NULL: failed. */
    void *(*open)(struct device *d, int slots);
    void (*close)(struct device *d, void *queue); /* waits for all that it was told */
    /* Host memory; *pinned: of the kind that the device reads at full speed, where that is wanted
     * and can be had. NULL: there is none. */
    void *(*take)(struct device *d, size_t size, bool *pinned);
    void (*give)(struct device *d, void *bytes, size_t size, bool pinned);
    /* Device memory to the host, in the device's own order. */
    void (*keep)(struct device *d, void *host, const void *bytes, size_t size);
    /* What bring() is told next begins when all that the device was told so far is done. */
    void (*follow)(struct device *d, void *queue);
    void (*bring)(struct device *d, void *queue, void *bytes, const void *host, size_t size);
    void (*brought)(struct device *d, void *queue, int slot);
    /* What the device is told next begins when what brought() closed has arrived. */
    void (*await)(struct device *d, void *queue, int slot);
};

struct device {
    struct ops ops;
    enum device_kind kind;
    enum dtype activations, linears, attention;
    enum patience patience;
    bool products_f16; /* of a CPU: a model that was published in halves */
    bool has_f8;       /* layers with FP8 weights */
    /* Its slots read and write F8 rows and take such layers. Else they see F32 only: ops.c goes
     * through `plain`, and packed weights are F32, rounded. */
    bool own_f8;
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
    struct tensor plain[2]; /* device_plain() */
    size_t plain_size[2];

    /* Of a device with memory and a queue of its own; else NULL. */
    struct arena_source *source;
    void *backend;
    void (*wait)(struct device *d); /* until its queue is done; failures go to device_fail() */
    void (*trim)(struct device *d);
    void (*memory)(struct device *d, size_t *free_bytes, size_t *total_bytes);
    /* Bytes a second. 0; 1: cannot be had here; -1: failed; `why` says why not. */
    int (*probe)(struct device *d, enum device_probe what, int peer, double *rate, char *why,
                 size_t size);
    void (*close)(struct device *d);        /* frees backend and source */
    const struct device_recorder *recorder; /* NULL: it cannot */
    bool recording; /* nothing may reach it now but operations between its own tensors */
    /* Goes up when memory that a recording may name is freed. */
    uint64_t memory_changes;

    const struct weight_mover *mover; /* NULL: weights stay on it */
    int streams;                      /* weight streams that are open */
    enum memory_mode memory_mode;
    struct memory_faults *faults;
    struct memory_refusal refusal;
};

/* Every piece of device memory is counted here: asked for before it is taken, given back after it
 * was freed, or when it could not be had after all (`refused`). false: it may not be taken. */
bool device_take(struct device *d, size_t size);
void device_give(struct device *d, size_t size, bool refused);
/* Bytes that can be had without swapping, and that there are: of the machine, or of the container
 * that this runs in. 0: not told. */
void host_memory(size_t *free_bytes, size_t *total_bytes);
/* Of a CPU that has memory of its own (memory_faults); gives it a mover as well. */
struct arena_source *device_host_source(struct device *d);

void device_fail(struct device *d, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* At least `size` bytes, aligned to 64; contents are lost at the next call. NULL: failed. */
void *device_scratch(struct device *d, size_t size);
/* F32 in host memory of this shape, one of two; contents are lost at the next call for it. data is
 * NULL: failed. */
struct tensor *device_plain(struct device *d, int which, int rank, const int64_t *shape);

/* `count` weights as F32, one after another, from the arena; NULL: out of memory. Of a layer with
 * FP8 weights (shape->dtype) they are rounded as those. */
float *weights_as_f32(struct arena *a, int count, const struct tensor *const *weight);
float *linear_as_f32(struct arena *a, int count, const struct tensor *const *weight,
                     const struct linear *shape);
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
